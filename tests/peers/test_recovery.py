"""What becomes of a proposal whose leader dies: a quorum that has logged it keeps its promise.

Relays between the members hold back packets, so that leaders can be killed at exactly these
moments.
"""

import pytest

from interop.agreement import assert_agreed
from interop.ensemble import WatchedEnsemble
from interop.players import until
from interop.proxy import Packet
from interop.server import Kind, Server
from interop.txnlog import log_files
from interop.wire import Connection, Op, create, text, watched

PATH, MARK = "/proposed", b"only proposed so far"
NO_NODE = -101


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
        ensemble.settle()
        proxy.hold(Packet.PROPOSAL, ensemble.number(other))
        if acknowledged:
            commit = proxy.hold(Packet.COMMIT, ensemble.number(holder))
            assert link.call(Op.CREATE, create(PATH, MARK)).error == 0
            until(lambda: commit.met, "a commit")
        else:
            ack = proxy.hold(Packet.ACK, ensemble.number(holder), to_leader=True)
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


@pytest.mark.parametrize("goes_on", [False, True], ids=["at-once", "after-others"])
def test_what_only_a_dead_leader_has_logged_is_gone(goes_on: bool) -> None:
    """It returns before or after others have written in the next epoch."""
    with WatchedEnsemble([Kind.QUORATE] * 3) as ensemble:
        ensemble.start()
        leader = ensemble.leader()
        proxy = ensemble.proxy(leader)
        link = Connection(leader.port)
        ensemble.settle()
        for follower in ensemble.followers():
            proxy.hold(Packet.PROPOSAL, ensemble.number(follower))
        link.send(Op.CREATE, create(PATH, MARK))
        until(lambda: has_logged(leader), "the leader's own log")
        leader.kill()
        proxy.cut()
        ensemble.wait_succeeded()
        if goes_on:
            assert not any(found(member) for member in ensemble.followers())
        leader.launch()
        ensemble.wait_serving(3)
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
