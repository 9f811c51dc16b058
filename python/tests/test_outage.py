"""A server that stalls or vanishes: time limits, unknown outcomes, and who is told that a session is lost."""

import asyncio
import gc
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

import quorate
from conftest import Place
from link import Link
from quorate import State, sync

# What clients ask for, and servers grant. Also on a busy machine a ping comes through in that time.
SESSION = 2.0
SOON = 0.05
# How a request to close looks on the wire, behind its number.
CLOSE = (-11).to_bytes(4, "big", signed=True)


@pytest.fixture
def link(place: Place) -> Iterator[Link]:
    with Link(place.address) as link:
        yield link


@pytest.fixture
def near(server: sync.Server) -> Iterator[Link]:
    """A link to a server in this process, where that is enough."""
    assert server.address is not None
    with Link(server.address) as link:
        yield link


def writes(zk: Any) -> list[Callable[..., Any]]:
    return [
        lambda **limit: zk.set("/node", b"1", **limit),
        lambda **limit: zk.create("/node/new", mode="ephemeral", **limit),
        lambda **limit: zk.delete("/node/old", **limit),
        lambda **limit: zk.multi().set("/node", b"2").commit(**limit),
    ]


def reads(zk: Any) -> list[Callable[..., Any]]:
    return [
        lambda **limit: zk.get("/node", **limit),
        lambda **limit: zk.exists("/node", **limit),
        lambda **limit: zk.children("/node", **limit),
        lambda **limit: zk.get_and_watch("/node", **limit),
        lambda **limit: zk.exists("/last", **limit),
    ]


def test_what_was_sent_may_have_happened(place: Place, link: Link) -> None:
    root = place.new_root("sent")

    async def run() -> None:
        async with quorate.connect(link.address, root=root) as zk:
            await zk.create("/node")
            await zk.create("/node/old")
            link.stall()
            calls = [asyncio.create_task(run_it(call)) for call in (*writes(zk), *reads(zk))]
            await asyncio.to_thread(link.keeps, b"/last")
            link.cut()
            for number, error in enumerate(await asyncio.gather(*calls, return_exceptions=True)):
                assert isinstance(error, quorate.ConnectionLossError)
                assert error.outcome_unknown == (number < len(writes(zk)))
                assert error.outcome_unknown == ("look before" in str(error))
            link.heal()
            # What never left waits for the next connection.
            assert (await zk.get("/node", timeout=30))[0] == b""

    asyncio.run(run(), debug=True)


def test_time_limits_of_the_loop(place: Place, link: Link) -> None:
    root = place.new_root("limits")

    async def run() -> None:
        async with quorate.connect(link.address, root=root, session_timeout=30) as zk:
            link.stall()
            for unknown, calls in ((True, writes(zk)), (False, reads(zk))):
                for call in calls:
                    with pytest.raises(quorate.OperationTimeoutError) as caught:
                        await call(timeout=SOON)
                    assert caught.value.outcome_unknown == unknown
            with pytest.raises(quorate.OperationTimeoutError):
                await zk.close(timeout=SOON)

    # The client's end need not wait for a server.
    asyncio.run(asyncio.wait_for(run(), 20), debug=True)


def test_time_limits_of_threads(near: Link) -> None:
    def run() -> None:
        with sync.connect(near.address, session_timeout=30) as zk:
            near.stall()
            for unknown, calls in ((True, writes(zk)), (False, reads(zk))):
                for call in calls:
                    with pytest.raises(quorate.OperationTimeoutError) as caught:
                        call(timeout=SOON)
                    assert caught.value.outcome_unknown == unknown
            with pytest.raises(quorate.OperationTimeoutError):
                zk.close(timeout=SOON)

    run()
    # Nobody is warned of a client that is about to be closed.
    gc.collect()


def test_a_lost_session_is_told_once(place: Place, link: Link) -> None:
    root = place.new_root("lost")

    async def run() -> None:
        async with quorate.connect(link.address, root=root, session_timeout=SESSION) as zk:
            states = zk.states()
            await zk.create("/node")
            held = await zk.lock("/lock").acquire()
            term = await zk.leader("/leader").stand()
            _, _, watch = await zk.get_and_watch("/node")
            events = await zk.watch("/node")
            assert held.holds and not held.lost.is_set()
            link.stall()
            async with asyncio.timeout(10 * SESSION):
                await asyncio.gather(term.lost, held.lost)
            for hold in (held, term):
                assert hold.lost.is_set() and not hold.holds
                await hold.lost
            for _ in range(2):
                with pytest.raises(quorate.SessionExpiredError):
                    await watch.wait(timeout=30)
            with pytest.raises(quorate.SessionExpiredError):
                await events.next(timeout=30)
            assert await events.next(timeout=30) is None
            link.heal()
            seen = await until_connected(states)
            assert seen.count(State.LOST) == 1
            # Nothing of the old session is in the way of the next, and nothing that it guarded happens any more.
            again, follower = zk.lock("/lock", timeout=30), zk.leader("/leader", timeout=30)
            async with again as next_held, follower as next_term:
                assert next_held.token > held.token and next_term.token > term.token
                for hold in (held, term):
                    with pytest.raises(quorate.Error) as caught:
                        await hold.guarded().set("/node", b"late").commit(timeout=30)
                    assert not caught.value.outcome_unknown
            assert await zk.get("/node") == (b"", await zk.exists("/node"))
            await held.release()
            await term.step_down()

    asyncio.run(run(), debug=True)


def test_a_leader_is_cancelled_when_its_session_is_lost(place: Place, link: Link) -> None:
    root = place.new_root("leader")

    async def run() -> None:
        async with quorate.connect(link.address, root=root, session_timeout=SESSION) as zk:
            with pytest.raises(quorate.LostError):
                async with zk.leader("/leader", while_suspended=True):
                    link.stall()
                    await asyncio.sleep(60)
            task = asyncio.current_task()
            assert task is not None and task.cancelling() == 0
            link.heal()
            async with zk.leader("/leader", while_suspended=True, timeout=30) as term:
                assert term.holds

    asyncio.run(run(), debug=True)


def test_threads_are_told_of_a_lost_session(near: Link) -> None:
    with sync.connect(near.address, session_timeout=SESSION) as zk:
        states = zk.states()
        held = zk.lock("/lock").acquire()
        told = threading.Thread(target=held.lost.wait)
        told.start()
        assert held.holds and not held.lost.is_set()
        near.stall()
        held.lost.wait(timeout=10 * SESSION)
        told.join(10 * SESSION)
        assert not told.is_alive() and held.lost.is_set() and not held.holds
        near.heal()
        seen = []
        while State.CONNECTED not in seen[1:]:
            seen.append(states.next(timeout=30))
        assert seen.count(State.LOST) == 1
        with zk.lock("/lock", timeout=30) as again:
            assert again.token > held.token
            with pytest.raises(quorate.Error):
                held.guarded().create("/late").commit(timeout=30)
        assert zk.exists("/late") is None


def test_a_client_ends_without_its_server(near: Link) -> None:
    """Everything in flight is answered, once; closing waits no longer than the session can live."""

    async def run() -> None:
        zk = await quorate.connect(near.address, session_timeout=SESSION, renew=False)
        near.stall()
        calls = [asyncio.create_task(run_it(lambda: zk.set("/", b"1"))) for _ in range(200)]
        await asyncio.sleep(0)
        try:
            await zk.close()
        except quorate.ConnectionLossError as error:
            assert error.outcome_unknown
        await asyncio.wait(calls)
        assert all(call.done() for call in calls)
        assert {type(call.exception()) for call in calls} <= {
            quorate.ConnectionLossError,
            quorate.SessionExpiredError,
            quorate.ClosingError,
        }
        assert zk.state in (State.CLOSED, State.LOST)

    asyncio.run(asyncio.wait_for(run(), 20 * SESSION), debug=True)


@pytest.mark.parametrize("fails", [False, True])
def test_an_end_that_fails_does_not_hide_what_failed_inside(near: Link, fails: bool) -> None:
    def cut() -> None:
        near.keeps(CLOSE)
        near.cut()

    async def run() -> None:
        async with quorate.connect(near.address):
            near.stall()
            group.append(asyncio.create_task(asyncio.to_thread(cut)))
            if fails:
                raise LookupError

    group: list[asyncio.Task[None]] = []
    with pytest.raises(LookupError if fails else quorate.ConnectionLossError):
        asyncio.run(run(), debug=True)
    near.heal()
    with pytest.raises(LookupError if fails else quorate.ConnectionLossError), sync.connect(near.address):
        near.stall()
        thread = threading.Thread(target=cut)
        thread.start()
        if fails:
            raise LookupError
    thread.join()


async def until_connected(states: quorate.States) -> list[State | None]:
    """The states until the session after the lost one."""
    seen: list[State | None] = []
    while State.LOST not in seen or seen[-1] is not State.CONNECTED:
        seen.append(await states.next(timeout=30))
    return seen


async def run_it(call: Callable[[], Awaitable[Any]]) -> Any:
    return await call()
