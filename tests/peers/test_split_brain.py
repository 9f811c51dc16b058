"""A leader that is paused, has a successor meanwhile, and wakes up."""

import pytest

from interop.agreement import assert_agreed
from interop.ensemble import WatchedEnsemble, leads
from interop.players import until
from interop.proxy import Packet
from interop.server import Kind, Server
from interop.txnlog import log_files
from interop.wire import (
    Connection,
    ConnectionLost,
    Op,
    buffer_at,
    create,
    set_data,
    stat_at,
    text,
    watched,
)

PATH, OLD, NEVER, NEW = "/register", b"old", b"never to be seen", b"new"


@pytest.mark.parametrize("silent", [True, False], ids=["silent", "closed"])
def test_an_old_leader_with_a_write(silent: bool) -> None:
    """It has logged the write alone. When it wakes up it finds its followers' connections
    closed, or, where the network keeps that from it, as if all of them were still there."""
    with WatchedEnsemble([Kind.QUORATE] * 3) as ensemble:
        ensemble.start()
        old = ensemble.leader()
        writer, reader = Connection(old.port), Connection(old.port)
        assert writer.call(Op.CREATE, create(PATH, OLD)).error == 0
        before = ensemble.settle()
        for follower in ensemble.followers():
            ensemble.proxy(old).hold(Packet.PROPOSAL, ensemble.number(follower), before)
        writer.send(Op.SET_DATA, set_data(PATH, NEVER, 0))
        until(lambda: has_logged(old), "the old leader's log")
        new = succeed(ensemble, silent)
        wake(old, reader, writer)
        moved = Connection(new.port, session=writer.session, password=writer.password)
        assert moved.session == writer.session
        assert read(moved) == (NEW, 1)
        assert_settled(ensemble, old, new)


@pytest.mark.parametrize("silent", [True, False], ids=["silent", "closed"])
def test_an_old_leader_that_is_asked_to_sync(silent: bool) -> None:
    """Nothing is under way that could hold up the answer (ZOOKEEPER-1675)."""
    with WatchedEnsemble([Kind.QUORATE] * 3) as ensemble:
        ensemble.start()
        old = ensemble.leader()
        reader = Connection(old.port)
        assert reader.call(Op.CREATE, create(PATH, OLD)).error == 0
        ensemble.settle()
        new = succeed(ensemble, silent)
        wake(old, reader)
        assert_settled(ensemble, old, new)


def succeed(ensemble: WatchedEnsemble, silent: bool) -> Server:
    """Pauses the leader until another one has written; answers that one."""
    old, others = ensemble.leader(), ensemble.followers()
    old.pause()
    if silent:
        ensemble.proxy(old).freeze()
    until(lambda: any(leads(member) for member in others), "a new leader")
    new = next(member for member in others if leads(member))
    link = Connection(new.port)
    assert read(link) == (OLD, 0)
    assert link.call(Op.SET_DATA, set_data(PATH, NEW, 0)).error == 0
    return new


def wake(old: Server, reader: Connection, *others: Connection) -> None:
    """Wakes it with a sync and a read in its socket, while it leads for all that it knows."""
    reader.send(Op.SYNC, text(PATH))
    reader.send(Op.GET_DATA, watched(PATH))
    before = len(old.log)
    old.resume()
    for link in (reader, *others):
        assert_unanswered(link)
    assert "the role has ended" in old.log[before:]


def assert_settled(ensemble: WatchedEnsemble, old: Server, new: Server) -> None:
    """The old leader follows the new one, and has what that one has written."""
    ensemble.wait_serving(3)
    assert ensemble.leader() is new
    assert read(Connection(old.port)) == (NEW, 1)
    assert_agreed(ensemble)


def assert_unanswered(link: Connection) -> None:
    """The connection ends, and nothing comes before that."""
    try:
        reply = link.receive()
    except ConnectionLost:
        return
    raise AssertionError(f"the old leader has answered: {reply}")


def read(link: Connection) -> tuple[bytes | None, int]:
    """The register behind a sync: its data and version."""
    assert link.call(Op.SYNC, text(PATH)).error == 0
    reply = link.call(Op.GET_DATA, watched(PATH))
    assert reply.error == 0, reply
    data, offset = buffer_at(reply.body, 0)
    return data, stat_at(reply.body, offset).version


def has_logged(member: Server) -> bool:
    return any(NEVER in path.read_bytes() for path in log_files(member.data))
