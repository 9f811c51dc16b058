"""Members that talk to each other with TLS: ours among Apache's, whoever leads; the change from
plain text, step by step and under load; and strangers, who are turned away."""

import functools
import shutil
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from interop.agreement import assert_agreed
from interop.certificates import Authority
from interop.clients import outgrow
from interop.ensemble import Ensemble
from interop.missing import needs
from interop.players import until
from interop.server import Kind, Server
from interop.writers import Writers
from interop.written import TREE, Written

OURS, OLD, NEW = Kind.QUORATE, Kind.APACHE, Kind.APACHE_39
MIXES = {
    "ours": [OURS, OURS, OURS],
    "one-of-ours-and-3.8": [OURS, OLD, OLD],
    "two-of-ours-and-3.8": [OURS, OURS, OLD],
    "one-of-ours-and-3.9": [OLD, OURS, NEW],
    "two-of-ours-and-3.9": [OURS, NEW, OURS],
}
pytestmark = needs("apache", "java", "maven", "openssl")


def stores(folder: Path) -> dict[str, str]:
    """Certificates for members on the loopback interface, made in a folder: what a member is
    told of them. Nothing is switched on by that."""
    authority = Authority(folder, "authority")
    authority.issue("member", "IP:127.0.0.1,DNS:localhost")
    return {
        "ssl.quorum.keyStore.location": str(folder / "member-both.pem"),
        "ssl.quorum.keyStore.type": "PEM",
        "ssl.quorum.trustStore.location": str(folder / "authority.pem"),
        "ssl.quorum.trustStore.type": "PEM",
        # Otherwise 3.9 does not look at names.
        "fips-mode": "false",
    }


@pytest.mark.parametrize("kinds", MIXES.values(), ids=MIXES.keys())
def test_every_member_leads(
    kinds: Sequence[Kind], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each in its turn, one of them after it was sent a tree."""
    monkeypatch.setenv("RUST_LOG", "info")
    with Ensemble(kinds, stores(tmp_path) | {"sslQuorum": "true"}) as ensemble:
        ensemble.start()
        written = Written(ensemble)
        written.more()
        for turn, member in enumerate(ensemble.members):
            lead(ensemble, member, written, wiped=turn == 1)
            assert ensemble.leader() is member
            written.more()
            written.check()


def lead(ensemble: Ensemble, member: Server, written: Written, wiped: bool) -> None:
    """Makes a member the leader: of two that are left it has more."""
    behind, other = (each for each in ensemble.members if each is not member)
    behind.stop()
    ensemble.wait_serving(2)
    written.more()
    if wiped:
        outgrow(member)
        shutil.rmtree(behind.data / "version-2")
    other.stop()
    before = len(behind.log)
    behind.launch()
    ensemble.wait_serving(2)
    other.launch()
    ensemble.wait_serving(3)
    assert (TREE[behind.kind] in behind.log[before:]) == wiped, behind.log[before:]


STEPS: list[dict[str, str]] = [
    {"portUnification": "true"},
    {"portUnification": "true", "sslQuorum": "true"},
    {"portUnification": "false", "sslQuorum": "true"},
]


@pytest.mark.parametrize("kinds", [[OURS, OLD, OURS], [NEW, OURS, NEW]], ids=["3.8", "3.9"])
def test_an_ensemble_is_changed_over_under_load(kinds: Sequence[Kind], tmp_path: Path) -> None:
    """As Apache's documentation has it: no write is lost, no session, and there are no more
    elections than leaders that are started again."""
    with Ensemble(kinds, stores(tmp_path)) as ensemble:
        ensemble.start()
        assert speaks_plain(ensemble) == [True] * 3
        with Writers(ensemble.address, tmp_path) as writers:
            writers.progress()
            for step in STEPS:
                for member in [*ensemble.followers(), ensemble.leader()]:
                    restart(ensemble, member, step, writers)
            print(writers.stop(), "writes")
            for member in ensemble.members:
                writers.check(member.address, everything=True)
        assert speaks_plain(ensemble) == [False] * 3


def restart(
    ensemble: Ensemble, member: Server, settings: dict[str, str], writers: Writers
) -> None:
    """One member goes by other settings."""
    elections = int(member is ensemble.leader())
    epoch = ensemble.epoch()
    member.stop()
    ensemble.wait_serving(len(ensemble.members) - 1)
    writers.progress()
    if member.kind is OLD:
        # It may count digests that differ when it reads again what it has logged under load,
        # in plain text as well: this is about TLS, so it is sent the tree.
        shutil.rmtree(member.data / "version-2")
    member.settings |= settings
    member.launch()
    ensemble.wait_serving(len(ensemble.members))
    writers.progress()
    assert ensemble.epoch() == epoch + elections
    for each in ensemble.members:
        writers.check(each.address)
    assert_agreed(ensemble)


def speaks_plain(ensemble: Ensemble) -> list[bool]:
    """Which members answer in plain text to somebody whose number is nobody's."""
    return [hears(port_of(member, ensemble, 1)) for member in ensemble.members]


def hears(port: int) -> bool:
    """Whether a vote comes back from an election port, by a server that waits for one there."""
    address = b"127.0.0.1:1"
    head = (-65536).to_bytes(8, "big", signed=True) + (99).to_bytes(8, "big")
    with socket.create_connection(("127.0.0.1", port), 10.0) as link:
        link.sendall(head + len(address).to_bytes(4, "big") + address + LOOKING)
        try:
            return link.recv(1) != b""
        except OSError:
            return False


# The notification of a server that looks for a leader and has nothing.
LOOKING = (40).to_bytes(4, "big") + b"".join(
    number.to_bytes(size, "big") for number, size in [(0, 4), (99, 8), (0, 8), (1, 8), (0, 8)]
)
LOOKING += (0).to_bytes(4, "big")


def port_of(member: Server, ensemble: Ensemble, which: int) -> int:
    """The quorum port of a member, or its election port."""
    line = member.settings[f"server.{ensemble.number(member)}"]
    return int(line.split(":")[1 + which])


def test_strangers_are_turned_away_and_nobody_notices(tmp_path: Path) -> None:
    settings = stores(tmp_path) | {"sslQuorum": "true"}
    Authority(tmp_path, "authority-of-others").issue("foreign", "IP:127.0.0.1")
    with Ensemble([OURS, OURS, OURS], settings) as ensemble:
        ensemble.start()
        epoch, leader = ensemble.epoch(), ensemble.leader()
        written = Written(ensemble)
        for name, (visit, words) in strangers(tmp_path).items():
            for which in (0, 1):
                port = port_of(leader, ensemble, which)
                told = functools.partial(says, leader, words, leader.log.count(words))
                until(functools.partial(again, visit, port, told), f"{name} at {port}")
        written.more()
        written.check()
        assert (ensemble.epoch(), ensemble.leader()) == (epoch, leader)


def again(visit: Callable[[int], None], port: int, told: Callable[[], bool]) -> bool:
    """A line about the like is said once in ten seconds."""
    visit(port)
    time.sleep(0.2)
    return told()


def says(member: Server, words: str, before: int) -> bool:
    """Whether it has said this again."""
    return member.log.count(words) > before


def strangers(folder: Path) -> dict[str, tuple[Callable[[int], None], str]]:
    """Who comes, and what is said of it."""
    foreign = str(folder / "foreign-both.pem")
    return {
        "plain": (functools.partial(plain, b"GET / HTTP/1.0\r\n\r\n"), "it does not speak TLS"),
        "garbage": (functools.partial(plain, b"\x16" * 100), "what it says is no TLS"),
        "anonymous": (functools.partial(encrypted, None), "it presents no certificate"),
        "foreign": (functools.partial(encrypted, foreign), "an authority that is not trusted"),
    }


def plain(text: bytes, port: int) -> None:
    """Says something, and waits for the end."""
    with socket.create_connection(("127.0.0.1", port), 10.0) as link:
        link.sendall(text)
        ended(link)


def encrypted(certificate: str | None, port: int) -> None:
    """Speaks TLS, with this certificate or without one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if certificate is not None:
        context.load_cert_chain(certificate)
    with socket.create_connection(("127.0.0.1", port), 10.0) as link:
        try:
            with context.wrap_socket(link) as secured:
                secured.sendall(b"\0" * 20)
                ended(secured)
        except OSError:
            pass


def ended(link: socket.socket) -> None:
    """Waits until the other end hangs up, in whatever way."""
    try:
        while link.recv(4096):
            pass
    except OSError:
        pass
