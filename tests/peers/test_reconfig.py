"""Ensembles whose members change: Apache's servers and ours in one, and ours alone."""

import functools
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import pytest
from kazoo.client import KazooClient
from kazoo.exceptions import BadVersionError, KazooException, NoAuthError

from interop.ensemble import Ensemble
from interop.missing import needs
from interop.server import Kind, Server

OURS, NEW = Kind.QUORATE, Kind.APACHE_39
# Fresh members elect the one with the largest id, so the last one leads first.
MIXES = {
    "ours": [OURS, OURS, OURS],
    "ours-follows": [OURS, NEW, NEW],
    "ours-leads": [NEW, NEW, OURS],
    "two-of-ours": [OURS, NEW, OURS],
}
DEADLINE = 60.0
CONFIG = "/zookeeper/config"
pytestmark = needs("apache", "java", "maven")
T = TypeVar("T")


@pytest.mark.parametrize("kinds", MIXES.values(), ids=MIXES.keys())
def test_members_come_and_go(kinds: Sequence[Kind], monkeypatch: pytest.MonkeyPatch) -> None:
    """A follower leaves, observes and votes again; the leader leaves and comes back."""
    monkeypatch.setenv("RUST_LOG", "info")
    with Ensemble(kinds, {"reconfigEnabled": "true"}) as ensemble:
        lines = {}
        for number, member in enumerate(ensemble.members, 1):
            lines[number] = ensemble.members[0].settings[f"server.{number}"]
            for other in ensemble.members:
                other.settings[f"server.{number}"] += f";{member.address}"
        lines = {number: ensemble.members[0].settings[f"server.{number}"] for number in lines}
        for member in ensemble.members:
            # Its line says where it serves clients.
            member.settings |= {"clientPortAddress": "127.0.0.1"}
        ensemble.start()
        follower = number_of(ensemble, ensemble.follower())
        observes = lines[follower].replace(";", ":observer;")
        for joining, leaving in [
            (None, str(follower)),
            (f"server.{follower}={observes}", None),
            (f"server.{follower}={lines[follower]}", None),
        ]:
            change(ensemble, joining, leaving)
            works(ensemble)
        leader = number_of(ensemble, ensemble.leader())
        change(ensemble, None, str(leader))
        assert number_of(ensemble, ensemble.leader()) != leader
        works(ensemble)
        change(ensemble, f"server.{leader}={lines[leader]}", None)
        works(ensemble)
        refused(ensemble)


def number_of(ensemble: Ensemble, member: Server) -> int:
    return ensemble.members.index(member) + 1


def config_of(client: KazooClient) -> str:
    """The configuration that a member has in its tree."""
    data: bytes = client.get(CONFIG)[0]
    return data.decode("ascii")


def version(config: str) -> int:
    return int(config.rsplit("version=", 1)[1], 16)


def change(ensemble: Ensemble, joining: str | None, leaving: str | None) -> None:
    """Changes the members, and waits until all have the same new configuration. An answer
    may be lost when a server changes its part."""
    before = version(with_client(ensemble.leader(), config_of))

    def reconfigured(client: KazooClient) -> None:
        if version(config_of(client)) == before:
            client.add_auth("digest", "super:test")
            client.reconfig(joining, leaving, None, before)

    with_client(ensemble.leader(), reconfigured)
    end = time.monotonic() + DEADLINE
    while True:
        configs = [with_client(member, config_of) for member in ensemble.members]
        if len(set(configs)) == 1 and version(configs[0]) > before:
            return
        assert time.monotonic() < end, f"{configs}\n{logs(ensemble)}"
        time.sleep(0.1)


def works(ensemble: Ensemble) -> None:
    """A write through each member is at all of them, and their trees are one."""
    paths = []
    for number, member in enumerate(ensemble.members, 1):
        path = f"/of-{number}-{time.monotonic_ns()}"
        with_client(member, functools.partial(create, path=path))
        paths.append(path[1:])
    digests: dict[str, str] = {}
    for member in ensemble.members:
        children = with_client(member, names)
        assert set(paths) <= set(children)
        figures = member.four_letters("mntr")
        assert "zk_digest_mismatches_count\t0" in figures, figures
        for line in member.four_letters("hash").splitlines():
            zxid, digest = line.split(": ")
            assert digests.setdefault(zxid, digest) == digest, (zxid, member.address)


def refused(ensemble: Ensemble) -> None:
    """Who may not, and who is late."""

    def ask(client: KazooClient) -> None:
        with pytest.raises(NoAuthError):
            client.reconfig(None, "9", None, -1)
        with pytest.raises(BadVersionError):
            client.reconfig(None, "9", None, 1)

    for member in ensemble.members:
        with_client(member, ask)


def create(client: KazooClient, path: str) -> None:
    client.sync("/")
    if not client.exists(path):
        client.create(path, b"x")


def names(client: KazooClient) -> list[str]:
    client.sync("/")
    return list(client.get_children("/"))


def logs(ensemble: Ensemble) -> str:
    return "\n".join(member.log[-6000:] for member in ensemble.members)


def with_client(member: Server, use: Callable[[KazooClient], T]) -> T:
    """Lets somebody use a session of this member, again while the ensemble finds itself."""
    end = time.monotonic() + DEADLINE
    while True:
        client = KazooClient(member.address, timeout=10.0)
        try:
            client.start(timeout=10.0)
            return use(client)
        except (KazooException, client.handler.timeout_exception):
            if time.monotonic() > end:
                raise
        finally:
            client.stop()
            client.close()
        time.sleep(0.1)
