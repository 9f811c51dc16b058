"""Members of ours beside Apache's: what they say, local sessions, reading without a leader."""

import time
from collections.abc import Callable

import pytest
from kazoo.exceptions import NotReadOnlyCallError
from kazoo.protocol.states import KeeperState

from interop import wire
from interop.clients import DEADLINE, client_of
from interop.ensemble import Ensemble
from interop.missing import needs
from interop.server import Kind, Server
from interop.wire import Connection, Op

OURS = Kind.QUORATE
OLD = pytest.param(Kind.APACHE, marks=needs("java", "apache"), id="3.8")
NEW = pytest.param(Kind.APACHE_39, marks=needs("java", "maven"), id="3.9")
APACHES = pytest.mark.parametrize("theirs", [OLD, NEW])
WORDS = {"4lw.commands.whitelist": "*"}
EPHEMERAL = 1
ON_LOCAL_SESSION = -120
# What `mntr` says of an ensemble. Versions differ in `zk_leader_uptime`, which passes.
FIGURES = {
    "zk_server_state",
    "zk_peer_state",
    "zk_quorum_size",
    "zk_learners",
    "zk_synced_followers",
    "zk_synced_non_voting_followers",
    "zk_synced_observers",
    "zk_pending_syncs",
    "zk_last_proposal_size",
    "zk_min_proposal_size",
    "zk_max_proposal_size",
}
# What `conf` says that is different at each member.
OWN = {
    "clientPort",
    "dataDir",
    "dataDirSize",
    "dataLogDir",
    "dataLogSize",
    "serverId",
    "electionPort",
    "quorumPort",
}


@APACHES
def test_members_say_of_themselves_what_apaches_say(theirs: Kind) -> None:
    """Each kind leads and follows; nothing is written meanwhile."""
    with Ensemble([OURS, OURS, theirs], WORDS) as ensemble:
        ensemble.start()
        ours, successor, apache = ensemble.members
        ensemble.let_lead(apache)
        wait_for(lambda: figures(apache).get("zk_synced_followers") == "2")
        led = [words(apache), words(ours)]
        apache.kill()
        wait_for(lambda: "Mode: leader" in successor.four_letters("srvr"))
        apache.launch()
        wait_for(lambda: figures(successor).get("zk_synced_followers") == "2")
        ensemble.wait_serving(3)
        follows = [words(successor), words(apache)]
    for said_by_apache, said_by_us in [(led[0], follows[0]), (follows[1], led[1])]:
        assert said_by_us == said_by_apache


def words(member: Server) -> dict[str, object]:
    """What a member says, without what is its own."""
    brief = member.four_letters("srvr")
    settings, _, membership = member.four_letters("conf").partition("membership: \n")
    conf = dict(line.split("=", 1) for line in settings.splitlines())
    labels = [line.split(":")[0] for line in brief.splitlines()]
    zxid = next(line for line in brief.splitlines() if line.startswith("Zxid: "))
    leads = "Mode: leader" in brief
    return {
        "srvr": labels,
        "begins its epoch": leads and int(zxid.removeprefix("Zxid: "), 16) % 2**32 == 0,
        "conf": list(conf),
        "settings": {key: value for key, value in conf.items() if key not in OWN},
        "members": [line.split(";")[0] for line in membership.splitlines()],
        "mntr": figures(member),
    }


def figures(member: Server) -> dict[str, str]:
    """What `mntr` says of the ensemble."""
    lines = (line.split("\t", 1) for line in member.four_letters("mntr").splitlines())
    return {line[0]: line[1] for line in lines if line[0] in FIGURES and len(line) == 2}


@APACHES
@pytest.mark.parametrize("leads", [False, True], ids=["apache-leads", "ours-leads"])
@pytest.mark.parametrize("upgrading", [False, True], ids=["kept", "upgraded"])
def test_local_sessions_are_what_apaches_are(
    theirs: Kind, leads: bool, upgrading: bool
) -> None:
    """The same requests at every member, whoever leads, with the same outcome."""
    settings = {
        **WORDS,
        "localSessionsEnabled": "true",
        "localSessionsUpgradingEnabled": str(upgrading).lower(),
    }
    kinds = [OURS, theirs, OURS] if leads else [theirs, OURS, theirs]
    with Ensemble(kinds, settings) as ensemble:
        ensemble.start()
        ensemble.let_lead(ensemble.members[-1])
        outcomes = [
            outcomes_of(member, number) for number, member in enumerate(ensemble.members)
        ]
    ephemeral = 0 if upgrading else ON_LOCAL_SESSION
    sessions = ("1", "0") if upgrading else ("0", "1")
    assert outcomes[0] == [("0", "1"), 0, ephemeral, not upgrading, 0, sessions, 0]
    assert outcomes[1:] == outcomes[:1] * 2


def outcomes_of(member: Server, number: int) -> list[object]:
    """What comes of each request of a session."""
    client = Connection(member.port)
    path = f"/at-{number}"
    found: list[object] = [sessions_of(member)]
    found.append(client.call(Op.CREATE, wire.create(path, b"")).error)
    brief = wire.create(f"{path}-brief", b"", EPHEMERAL)
    found.append(client.call(Op.CREATE, brief).error)
    other = wire.create(f"{path}-other", b"", EPHEMERAL)
    multi = client.call(Op.MULTI, wire.multi([(Op.CREATE, other)]))
    found.append(wire.multi_failed(multi))
    found.append(client.call(Op.SET_DATA, wire.set_data(path, b"x")).error)
    found.append(sessions_of(member))
    found.append(client.call(Op.CLOSE).error)
    client.drop()
    wait_for(lambda: sessions_of(member) == ("0", "0"))
    return found


def sessions_of(member: Server) -> tuple[str, str]:
    """How many sessions a member knows: of the ensemble, and of its own."""
    text = member.four_letters("mntr")
    lines = dict(line.split("\t", 1) for line in text.splitlines() if "\t" in line)
    return lines["zk_global_sessions"], lines["zk_local_sessions"]


@APACHES
@pytest.mark.parametrize("survivor", [0, 1], ids=["apache-is-left", "ours-is-left"])
def test_who_is_left_alone_lets_read(theirs: Kind, survivor: int) -> None:
    """Two of three are killed; the third lets read until one comes back."""
    settings = {**WORDS, "readonlymode.enabled": "true", "localSessionsEnabled": "true"}
    with Ensemble([theirs, OURS, OURS], settings) as ensemble:
        ensemble.start()
        left = ensemble.members[survivor]
        with client_of(left) as client:
            client.create("/a", b"old")
        others = [member for member in ensemble.members if member is not left]
        for member in others:
            member.kill()
        wait_for(lambda: left.four_letters("isro") == "ro")
        lines = left.four_letters("srvr").splitlines()
        assert lines[1] == "READ-ONLY mode; serving only read-only clients"
        assert "Mode: read-only" in lines
        with client_of(left, read_only=True) as reader:
            wait_for(lambda: reader.client_state == KeeperState.CONNECTED_RO)
            assert reader.get("/a")[0] == b"old"
            with pytest.raises(NotReadOnlyCallError):
                reader.set("/a", b"new")
            others[0].launch()
            wait_for(lambda: reader.client_state == KeeperState.CONNECTED)
            assert left.four_letters("isro") == "rw"
            reader.set("/a", b"new")


def wait_for(is_so: Callable[[], bool]) -> None:
    """Waits until something is so, which may not be answered at all before."""
    end = time.monotonic() + DEADLINE
    while True:
        try:
            if is_so():
                return
        except (OSError, ValueError, KeyError):
            pass
        assert time.monotonic() < end, "in vain"
        time.sleep(0.05)
