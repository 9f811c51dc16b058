"""Cancelled at any await, a call leaves no node behind, and loses no event."""

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

import quorate
from conftest import Place
from quorate import sync
from quorate._loops import hub_of

Work = Callable[[quorate.Client], Awaitable[None]]

# So many turns of the loop none of the calls below takes without being cancelled.
MOST = 400


async def lock(zk: quorate.Client) -> None:
    async with zk.lock("/recipe"):
        pass


async def leader(zk: quorate.Client) -> None:
    async with zk.leader("/recipe"):
        pass


async def limited_lock(zk: quorate.Client) -> None:
    held = await zk.lock("/recipe").acquire(timeout=30)
    await held.release()


@pytest.mark.parametrize("work", [lock, leader, limited_lock])
def test_no_node_is_left(place: Place, work: Work) -> None:
    root = place.new_root("cancelled")

    async def run() -> None:
        async with quorate.connect(place.servers, root=root) as zk:
            await zk.create("/recipe", mode="persistent")
            await none_left(zk, lambda: calling(work, zk))

    asyncio.run(run(), debug=True)


@pytest.mark.parametrize("work", [lock, leader])
def test_no_place_in_the_queue_is_left(place: Place, work: Work) -> None:
    """As above, while another has it: the wait itself is cancelled."""
    root = place.new_root("waiting")

    async def run() -> None:
        async with quorate.connect(place.servers, root=root) as zk:
            of_leader = zk.leader("/recipe", cancel=False)
            async with of_leader if work is leader else zk.lock("/recipe") as held:
                for turns in range(40):
                    other = asyncio.create_task(calling(work, zk))
                    assert not await cancel_after(other, turns)
                await until(zk, 1)
                assert held.holds

    asyncio.run(run(), debug=True)


@pytest.mark.parametrize("what", ["lock", "leader"])
def test_what_was_granted_in_the_turn_of_the_cancellation(place: Place, what: str) -> None:
    """The result is there, but the task is cancelled before it can take it, and somebody keeps the exception."""
    root = place.new_root("granted")

    async def run() -> None:
        async with quorate.connect(place.servers, root=root) as zk:
            await zk.create("/recipe")
            hub = hub_of(asyncio.get_running_loop())
            take = zk.lock("/recipe").acquire if what == "lock" else zk.leader("/recipe").stand
            kept = []
            for _ in range(3):
                task = asyncio.create_task(calling(take))
                await asyncio.sleep(0)
                while hub.running():
                    time.sleep(0.001)
                hub.drain()
                task.cancel()
                with pytest.raises(asyncio.CancelledError) as caught:
                    await task
                kept.append(caught.value)
            await until(zk, 0)
            assert len(kept) == 3

    asyncio.run(run())


def test_an_opened_client_is_closed(place: Place) -> None:
    """A client that was cancelled while it connected leaves no session."""
    root = place.new_root("opened")

    async def run() -> None:
        done = False
        for turns in range(MOST):
            task = asyncio.create_task(open_and_close())
            done = await cancel_after(task, turns)
            if done:
                break
        assert done, "it was never over"

    async def open_and_close() -> None:
        async with quorate.connect(place.address, root=root) as zk:
            await zk.create("/mine-", mode="ephemeral_sequential")

    asyncio.run(run(), debug=True)
    with sync.connect(place.servers, root=root) as zk:
        feed = zk.watch("/", recursive=True).start()
        names, _ = zk.children("/")
        left = {f"/{name}" for name in names if name.startswith("mine-")}
        while left:
            event = feed.next(timeout=30)
            assert event is not None
            if event.kind == "deleted":
                left.discard(event.path)


@pytest.mark.parametrize("how", ["cancelled", "too long", "too long for a thread"])
def test_a_connection_that_was_given_up_is_closed(how: str) -> None:
    """Also while somebody keeps the exception, and with it the frames in which the client was."""

    async def cancelled(address: str) -> BaseException:
        task = asyncio.create_task(calling(quorate.connect(address, session_timeout=60).open))
        await asyncio.to_thread(accepted)
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        return caught.value

    async def too_long(address: str) -> BaseException:
        with pytest.raises(quorate.ConnectionLossError) as caught:
            await quorate.connect(address, session_timeout=60, timeout=0.2)
        return caught.value

    def too_long_for_a_thread(address: str) -> BaseException:
        with pytest.raises(quorate.ConnectionLossError) as caught:
            sync.connect(address, session_timeout=60, timeout=0.2)
        return caught.value

    links: list[socket.socket] = []

    def accepted() -> None:
        links.append(listener.accept()[0])

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        if how == "too long for a thread":
            kept = too_long_for_a_thread(address)
        else:
            kept = asyncio.run(cancelled(address) if how == "cancelled" else too_long(address))
        if not links:
            accepted()
        with links[0] as link:
            # Sooner than the client would give up by itself.
            link.settimeout(10)
            while link.recv(1024):
                pass
        assert kept.__traceback__ is not None


def test_a_watch_loses_no_event(place: Place) -> None:
    root = place.new_root("events")

    async def run() -> None:
        async with quorate.connect(place.servers, root=root) as zk:
            await zk.create("/node")
            seen = []
            async with zk.watch("/node", recursive=True) as events:
                for turns in range(100):
                    await zk.create(f"/node/{turns:02}")
                    task = asyncio.create_task(calling(events.next))
                    if await cancel_after(task, turns % 5):
                        seen.append(task.result())
                while len(seen) < 100:
                    seen.append(await events.next(timeout=30))
            assert [event.path for event in seen if event] == [f"/node/{turns:02}" for turns in range(100)]

    asyncio.run(run(), debug=True)


def test_a_one_shot_watch_can_be_awaited_again(place: Place) -> None:
    root = place.new_root("again")

    async def run() -> None:
        async with quorate.connect(place.servers, root=root) as zk:
            await zk.create("/node")
            _, _, watch = await zk.get_and_watch("/node")
            for _ in range(3):
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(watch.wait(), 0.01)
            await zk.set("/node", b"1")
            event = await watch
            assert (event.kind, event.path) == ("changed", "/node")
            assert await watch == event

    asyncio.run(run(), debug=True)


async def none_left(zk: quorate.Client, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Cancels the work after every number of turns of the loop until it is done before."""
    for turns in range(MOST):
        task = asyncio.create_task(work())
        if await cancel_after(task, turns):
            break
    else:
        pytest.fail("it was never over")
    await until(zk, 0)


async def cancel_after(task: asyncio.Task[Any], turns: int) -> bool:
    """Lets a task run for so many turns of the loop, then cancels it. True if it was over."""
    for _ in range(turns):
        # Turns in which something happens, or else a busy loop would be faster than the server.
        await asyncio.sleep(0.0005)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        return False
    return True


async def until(zk: quorate.Client, count: int) -> None:
    """Waits until the recipe has so many nodes."""
    async with asyncio.timeout(30), zk.watch("/recipe", recursive=True) as events:
        while len((await zk.children("/recipe"))[0]) != count:
            await events.next()


async def calling(work: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
    """Called in the task, which may be cancelled before it begins."""
    return await work(*arguments)
