"""What is particular to the asyncio front: batches, loops, fairness, the leader's cancelled body."""

import asyncio
import fcntl
import gc
import pathlib
import sys
import termios
import threading
import time
import warnings
from typing import Any

import pytest

import quorate
from conftest import Place
from quorate import sync
from quorate._loops import hub_of


def test_a_batch_wakes_the_loop_once_and_needs_no_interpreter(server: sync.Server) -> None:
    async def run() -> None:
        assert server.address is not None
        async with quorate.connect(server.address) as zk:
            await zk.create("/node", b"x" * 100)
            hub = hub_of(asyncio.get_running_loop())
            calls = [asyncio.create_task(get(zk)) for _ in range(1000)]
            await asyncio.sleep(0)
            # They are on their way, and until all of them are answered this thread keeps the interpreter to itself.
            interval, began = sys.getswitchinterval(), time.monotonic()
            sys.setswitchinterval(1000)
            try:
                while hub.running():
                    assert time.monotonic() < began + 30
            finally:
                sys.setswitchinterval(interval)
            before = hub.batches()
            assert readable(hub.fileno()) == 1
            await asyncio.gather(*calls)
            assert hub.batches() == before + 1

    async def get(zk: quorate.Client) -> None:
        await zk.get("/node")

    def readable(descriptor: int) -> int:
        count = bytearray(4)
        fcntl.ioctl(descriptor, termios.FIONREAD, count)
        return int.from_bytes(count, sys.byteorder)

    asyncio.run(run())


def test_what_is_answered_at_once_leaves_others_their_turn(server: sync.Server) -> None:
    async def run() -> None:
        async with quorate.connect(server) as zk:
            await zk.create("/node")
            turns = 0

            async def other() -> None:
                nonlocal turns
                while True:
                    await asyncio.sleep(0)
                    turns += 1

            task = asyncio.create_task(other())
            for _ in range(2000):
                await zk.get("/node")
            task.cancel()
            assert turns >= 10

    asyncio.run(run())


def test_loops_have_hubs_of_their_own(server: sync.Server) -> None:
    """Several loops at the same time and one after another, each with clients of its own."""
    failures: list[BaseException] = []

    async def run(name: str) -> None:
        async with quorate.connect(server) as zk:
            for number in range(20):
                await zk.create(f"/{name}-{number}", name.encode())
                assert (await zk.get(f"/{name}-{number}"))[0] == name.encode()

    def thread(name: str) -> None:
        try:
            for turn in range(3):
                asyncio.run(run(f"{name}-{turn}"), debug=True)
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=thread, args=(f"thread-{n}",)) for n in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    assert not failures


def test_loops_leave_nothing_behind(server: sync.Server) -> None:
    async def run() -> None:
        async with quorate.connect(server) as zk, quorate.Server():
            await zk.exists("/")

    def descriptors() -> int:
        gc.collect()
        return len(list(pathlib.Path("/proc/self/fd").iterdir()))

    asyncio.run(run())
    before = descriptors()
    for _ in range(20):
        asyncio.run(run())
    assert descriptors() == before


def test_a_loop_that_was_closed_under_a_client(server: sync.Server) -> None:
    loop = asyncio.new_event_loop()
    zk = loop.run_until_complete(quorate.connect(server).open())
    held = loop.run_until_complete(zk.lock("/lock").acquire())
    loop.close()
    del loop
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        del held, zk
        gc.collect()
    with sync.connect(server) as other, other.lock("/lock", timeout=30):
        pass


def test_a_watch_that_is_closed(place: Place) -> None:
    """Nothing follows, also for those who wait, and the server forgets it although the objects live."""
    root = place.new_root("closed")

    async def run() -> None:
        async with quorate.connect(place.servers, root=root) as zk:
            await zk.create("/a")
            await zk.create("/b")
            before = place.watches()
            _, _, watch = await zk.get_and_watch("/a")
            events = await zk.watch("/b")
            assert place.watches() == before + 2
            waits = [asyncio.create_task(watch.wait()), asyncio.create_task(events.next())]
            await asyncio.sleep(0)
            watch.close()
            events.close()
            ended = await asyncio.wait_for(asyncio.gather(*waits, return_exceptions=True), 30)
            assert isinstance(ended[0], RuntimeError) and ended[1] is None
            await zk.set("/a", b"1")
            await zk.set("/b", b"1")
            assert await events.next(timeout=30) is None
            with pytest.raises(RuntimeError):
                await watch
            async with asyncio.timeout(30):
                while place.watches() != before:
                    await asyncio.sleep(0.005)

    asyncio.run(run(), debug=True)


def test_tasks_can_be_made_of_calls(server: sync.Server) -> None:
    async def run() -> None:
        async with quorate.connect(server) as zk, asyncio.TaskGroup() as group:
            tasks = [group.create_task(zk.create("/n-", mode="ephemeral_sequential")) for _ in range(3)]
        assert len({task.result().path for task in tasks}) == 3

    asyncio.run(run(), debug=True)


def test_paths_and_data(server: sync.Server) -> None:
    async def run() -> None:
        async with quorate.connect(server) as zk:
            await zk.create(pathlib.PurePosixPath("/path"), bytearray(b"1"))
            await zk.set("/path", memoryview(b"abc")[1:])
            assert (await zk.get("/path"))[0] == b"bc"
            bad: Any = "text"
            with pytest.raises(TypeError):
                await zk.set("/path", bad)
            bad = b"/path"
            with pytest.raises(TypeError):
                await zk.get(bad)

    asyncio.run(run(), debug=True)


def test_a_time_limit(server: sync.Server) -> None:
    async def run() -> None:
        async with quorate.connect(server) as zk, zk.lock("/lock"):
            with pytest.raises(quorate.OperationTimeoutError) as caught:
                await zk.lock("/lock").acquire(timeout=0.02)
            assert isinstance(caught.value, TimeoutError)
            assert (caught.value.name, caught.value.path) == ("OperationTimeout", "/lock")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.02), zk.lock("/lock"):
                    pytest.fail("two hold it")

    asyncio.run(run(), debug=True)


def test_nobody_answers() -> None:
    async def run() -> None:
        with pytest.raises(quorate.ConnectionLossError):
            await quorate.connect("127.0.0.1:1", timeout=0.2)
        with pytest.raises(quorate.BadArgumentsError):
            await quorate.connect("127.0.0.1:port")

    asyncio.run(run(), debug=True)


def test_a_lost_leader_is_cancelled(server: sync.Server) -> None:
    async def run() -> None:
        async with quorate.connect(server) as zk, quorate.connect(server) as other:
            with pytest.raises(quorate.LostError):
                async with zk.leader("/leader") as term:
                    await other.delete(term.path)
                    await asyncio.sleep(60)
            task = asyncio.current_task()
            assert task is not None and task.cancelling() == 0
            async with zk.leader("/leader", cancel=False) as term:
                await other.delete(term.path)
                await asyncio.wait_for(term.lost.wait(), 30)
                assert term.lost.is_set() and not term.holds
            # One that ends by itself is not disturbed.
            async with zk.leader("/leader") as term:
                assert term.holds
            await asyncio.sleep(0)

    asyncio.run(run(), debug=True)


def test_a_lost_term_is_not_followed_by_one_that_nobody_knows_of(server: sync.Server) -> None:
    async def run() -> None:
        async with quorate.connect(server) as zk, quorate.connect(server) as other:
            term = await zk.leader("/leader").stand()
            await other.delete(term.path)
            await term.lost.wait(timeout=30)
            async with other.leader("/leader", timeout=30) as next_term:
                assert next_term.token > term.token
                await term.step_down()
                assert next_term.holds and not term.holds
                assert (await other.children("/leader"))[0] == [next_term.path.rpartition("/")[2]]

    asyncio.run(run(), debug=True)


def test_cancelling_a_leader_from_outside_is_no_loss(server: sync.Server) -> None:
    async def lead(zk: quorate.Client, leads: asyncio.Event) -> None:
        async with zk.leader("/leader"):
            leads.set()
            await asyncio.sleep(60)

    async def run() -> None:
        async with quorate.connect(server) as zk:
            leads = asyncio.Event()
            task = asyncio.create_task(lead(zk, leads))
            await leads.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert (await zk.children("/leader"))[0] == []

    asyncio.run(run(), debug=True)


def test_a_forgotten_client_warns_and_ends(server: sync.Server) -> None:
    async def run() -> None:
        zk = await quorate.connect(server)
        await zk.create("/mine", mode="ephemeral")
        with pytest.warns(ResourceWarning, match="unclosed"):
            del zk
            gc.collect()
        async with quorate.connect(server) as other:
            while True:
                stat, watch = await other.exists_and_watch("/mine")
                if stat is None:
                    break
                await watch.wait(timeout=30)

    asyncio.run(run())


@pytest.mark.parametrize("what", ["lock", "leader"])
def test_what_is_held_and_forgotten_is_given_up(server: sync.Server, what: str) -> None:
    async def run() -> None:
        async with quorate.connect(server) as zk:
            held = await (zk.lock("/held").acquire() if what == "lock" else zk.leader("/held").stand())
            path = held.path
            assert not held.lost.is_set()
            del held
            gc.collect()
            while True:
                stat, watch = await zk.exists_and_watch(path)
                if stat is None:
                    break
                await watch.wait(timeout=30)

    asyncio.run(run(), debug=True)


def test_close_comes_after_everything_that_was_asked_for(server: sync.Server) -> None:
    async def run() -> None:
        assert server.address is not None
        zk = await quorate.connect(server.address)
        states = zk.states()
        calls = [asyncio.create_task(create(zk)) for _ in range(1000)]
        await asyncio.sleep(0)
        await zk.close()
        assert zk.state is quorate.State.CLOSED
        assert all(call.done() for call in calls)
        assert len(set(await asyncio.gather(*calls))) == 1000
        assert [state async for state in states] == [quorate.State.CLOSED]
        with pytest.raises(quorate.ClosingError):
            await zk.get("/")
        await zk.close()
        async with quorate.connect(server) as other:
            names, _ = await other.children("/")
            assert not [name for name in names if name.startswith("mine-")]

    async def create(zk: quorate.Client) -> str:
        return (await zk.create("/mine-", mode="ephemeral_sequential")).path

    asyncio.run(run(), debug=True)


def test_a_server_of_the_loop(tmp_path: pathlib.Path) -> None:
    async def run() -> None:
        async with quorate.Server(tmp_path / "data", port=0) as server:
            assert server.address is not None and server.port
            async with quorate.connect(server) as inside, quorate.connect(server.address) as outside:
                await inside.create("/kept", b"1")
                assert (await outside.get("/kept"))[0] == b"1"
        async with quorate.Server(tmp_path / "data") as server, quorate.connect(server) as zk:
            assert server.address is None
            assert (await zk.get("/kept"))[0] == b"1"
        with pytest.raises(ValueError):
            await quorate.Server(settings={"tickTime": "soon"}).start()

    asyncio.run(run(), debug=True)


def test_a_server_that_is_gone(server: sync.Server) -> None:
    async def run() -> None:
        zk = await quorate.connect(server, session_timeout=0.3, renew=False)
        states = zk.states()
        async with asyncio.TaskGroup() as group:
            seen = group.create_task(collect(states))
            await asyncio.to_thread(server.stop)
        assert quorate.State.LOST in seen.result()
        with pytest.raises(quorate.Error):
            await zk.get("/")
        await zk.close()

    async def collect(states: quorate.States) -> list[quorate.State]:
        seen = []
        async with asyncio.timeout(30):
            async for state in states:
                seen.append(state)
                if state is quorate.State.LOST:
                    break
        return seen

    asyncio.run(run(), debug=True)
