"""What becomes of a proposal whose leader dies: a quorum that has logged it keeps its promise.

Relays between the members hold back packets, so that leaders can be killed at exactly these
moments.
"""

from collections.abc import Sequence

import pytest
from _pytest.mark import ParameterSet

from interop.agreement import assert_agreed
from interop.ensemble import WatchedEnsemble
from interop.missing import needs
from interop.players import until
from interop.proxy import Packet
from interop.server import Kind, Server
from interop.txnlog import log_files
from interop.wire import Connection, Op, create, text, watched

OURS = Kind.QUORATE
PATH, MARK = "/proposed", b"only proposed so far"
NO_NODE = -101
# What a member says of the way by which it is brought to its leader's history: its log is cut,
# or it is sent the tree.
CUT, TREE = "the log has been cut", "the leader's tree of"
APACHE_CUT, APACHE_TREE = "Truncating log to get in sync", "Getting a snapshot from leader"
WAYS = [CUT, TREE, APACHE_CUT, APACHE_TREE]


def returns(who: str, kinds: Sequence[Kind], goes_on: bool, way: str) -> ParameterSet:
    """The last of these leads first, and then returns to one of the others."""
    when = "after-others" if goes_on else "at-once"
    apaches = {Kind.APACHE: ("apache", "java"), Kind.APACHE_39: ("maven", "java")}
    peers = {peer for kind in kinds for peer in apaches.get(kind, ())}
    return pytest.param(kinds, goes_on, way, id=f"{who}-{when}", marks=needs(*peers))


# Apache's leaders cut a log within their last epoch only. Ours never tell Apache's to: these
# keep snapshots that hold what was cut (ZOOKEEPER-1549).
RETURNS = [
    returns("ours", [OURS] * 3, False, CUT),
    returns("ours", [OURS] * 3, True, CUT),
    returns("ours-to-3.8", [Kind.APACHE, Kind.APACHE, OURS], False, CUT),
    returns("ours-to-3.9", [Kind.APACHE_39, Kind.APACHE_39, OURS], False, CUT),
    returns("ours-to-3.9", [Kind.APACHE_39, Kind.APACHE_39, OURS], True, TREE),
    returns("3.8-to-ours", [OURS, OURS, Kind.APACHE], False, APACHE_TREE),
    returns("3.9-to-ours", [OURS, OURS, Kind.APACHE_39], True, APACHE_TREE),
]


@pytest.mark.parametrize("acknowledged", [False, True], ids=["unanswered", "acknowledged"])
def test_what_a_quorum_has_logged_is_committed(acknowledged: bool) -> None:
    """The leader and one follower have it, and nobody has heard of a commit. That follower
    must lead, though the other one has the larger number, and commit it."""
    with WatchedEnsemble([Kind.QUORATE] * 3) as ensemble:
        ensemble.start()
        leader = ensemble.leader()
        holder, other = ensemble.followers()
        proxy = ensemble.proxy(leader)
        link = Connection(leader.port)
        before = ensemble.settle()
        proxy.hold(Packet.PROPOSAL, ensemble.number(other), before)
        if acknowledged:
            commit = proxy.hold(Packet.COMMIT, ensemble.number(holder), before)
            assert link.call(Op.CREATE, create(PATH, MARK)).error == 0
            until(lambda: commit.met, "a commit")
        else:
            ack = proxy.hold(Packet.ACK, ensemble.number(holder), before, to_leader=True)
            link.send(Op.CREATE, create(PATH, MARK))
            until(lambda: ack.met, "an acknowledgement")
            assert not has_logged(other)
        leader.kill()
        proxy.cut()
        ensemble.wait_succeeded()
        assert ensemble.leader() is holder
        assert found(holder) and found(other)
        leader.launch()
        ensemble.wait_serving(3)
        assert all(found(member) for member in ensemble.members)
        assert_agreed(ensemble)


@pytest.mark.parametrize(("kinds", "goes_on", "way"), RETURNS)
def test_what_only_a_dead_leader_has_logged_is_gone(
    kinds: Sequence[Kind], goes_on: bool, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It returns before or after others have written in the next epoch, and takes back what
    nobody else has."""
    monkeypatch.setenv("RUST_LOG", "info")
    with WatchedEnsemble(kinds) as ensemble:
        ensemble.start()
        leader = ensemble.members[-1]
        ensemble.let_lead(leader)
        proxy = ensemble.proxy(leader)
        link = Connection(leader.port)
        before = ensemble.settle()
        for follower in ensemble.followers():
            proxy.hold(Packet.PROPOSAL, ensemble.number(follower), before)
        link.send(Op.CREATE, create(PATH, MARK))
        until(lambda: has_logged(leader), "the leader's own log")
        leader.kill()
        proxy.cut()
        ensemble.wait_succeeded()
        if goes_on:
            assert not any(found(member) for member in ensemble.followers())
        said = len(leader.log)
        leader.launch()
        ensemble.wait_serving(3)
        assert [text for text in WAYS if text in leader.log[said:]] == [way]
        assert not any(found(member) for member in ensemble.members)
        assert_agreed(ensemble)
        for member in ensemble.members:
            member.kill()
        # Its disk may not bring it back either.
        ensemble.start()
        assert not any(found(member) for member in ensemble.members)


def has_logged(member: Server) -> bool:
    """Whether its log has the proposal."""
    return any(MARK in path.read_bytes() for path in log_files(member.data))


def found(member: Server) -> bool:
    """Whether the node is in the tree, as a client of this member sees it behind a sync."""
    link = Connection(member.port)
    link.call(Op.SYNC, text(PATH))
    reply = link.call(Op.EXISTS, watched(PATH))
    assert reply.error in (0, NO_NODE), reply
    link.close_session()
    return reply.error == 0
