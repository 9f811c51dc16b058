"""The common scenarios, with both fronts."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from types import ModuleType
from typing import Any

import pytest

import quorate
from conftest import Place
from quorate import sync
from scenarios import (
    LIMIT,
    SCENARIOS,
    Step,
    children_result,
    create_options,
    created_result,
    data_of,
    data_result,
    error_result,
    event_result,
    exists_result,
    filled_in,
    judge,
    limit_of,
    parts_result,
    stat_result,
    with_parts,
)

Call = Callable[[], Any]


class Runner:
    """Does the steps of one scenario. `do` carries out a call of the front, with `limit` as its time limit."""

    def __init__(
        self, front: ModuleType, place: Place, root: str, do: Callable[[Call], Awaitable[Any]], limit: dict[str, float]
    ) -> None:
        self.front = front
        self.place = place
        self.root = root
        self.do = do
        self.limit = limit
        self.saved: dict[str, Any] = {}
        self.clients: dict[str, Any] = {}
        self.states: dict[str, tuple[Any, list[str]]] = {}
        self.watches: dict[str, Any] = {}
        self.holds: dict[str, Any] = {}
        self.started: dict[str, asyncio.Task[Step]] = {}

    async def step(self, step: Step) -> None:
        step = filled_in(step, self.saved)
        judge(step, await self.run(step), self.saved)

    async def run(self, step: Step) -> Step:
        try:
            async with asyncio.timeout(LIMIT + 1):
                verb = getattr(self, f"do_{step['do']}")
                client = self.clients.get(step.get("client", ""))
                result = await (verb(step) if client is None else verb(client, step))
                return result or {}
        except quorate.OperationTimeoutError as error:
            if step["do"] in ("acquire", "lead"):
                return {"granted": False}
            return error_result(error)
        except quorate.Error as error:
            return error_result(error)

    async def end(self) -> None:
        for client in self.clients.values():
            await self.do(partial(client.close, **self.limit))

    async def do_open(self, step: Step) -> None:
        client = self.front.Client(self.place.servers, root=self.root)
        self.clients[step["client"]] = await self.do(client.open)

    async def do_close(self, zk: Any, step: Step) -> None:
        await self.do(lambda: zk.close(**self.limit))

    async def do_state(self, zk: Any, step: Step) -> Step:
        return {"state": str(zk.state)}

    async def do_follow(self, zk: Any, step: Step) -> None:
        self.states[step["states"]] = (zk.states(), [])

    async def do_states(self, step: Step) -> Step:
        states, seen = self.states[step["states"]]
        while step["until"] not in seen:
            seen.append(str(await self.do(lambda: states.next(**self.limit))))
        return {"seen": seen}

    async def do_create(self, zk: Any, step: Step) -> Step:
        options = create_options(step) | self.limit
        return created_result(await self.do(lambda: zk.create(step["path"], data_of(step), **options)))

    async def do_get(self, zk: Any, step: Step) -> Step:
        if "watch" not in step:
            return data_result(*await self.do(lambda: zk.get(step["path"], **self.limit)))
        data, stat, watch = await self.do(lambda: zk.get_and_watch(step["path"], **self.limit))
        self.watches[step["watch"]] = watch
        return data_result(data, stat)

    async def do_set(self, zk: Any, step: Step) -> Step:
        version = step.get("version")
        stat = await self.do(lambda: zk.set(step["path"], data_of(step), version=version, **self.limit))
        return {"stat": stat_result(stat)}

    async def do_delete(self, zk: Any, step: Step) -> None:
        await self.do(lambda: zk.delete(step["path"], version=step.get("version"), **self.limit))

    async def do_exists(self, zk: Any, step: Step) -> Step:
        if "watch" not in step:
            return exists_result(await self.do(lambda: zk.exists(step["path"], **self.limit)))
        stat, watch = await self.do(lambda: zk.exists_and_watch(step["path"], **self.limit))
        self.watches[step["watch"]] = watch
        return exists_result(stat)

    async def do_children(self, zk: Any, step: Step) -> Step:
        if "watch" not in step:
            return children_result(*await self.do(lambda: zk.children(step["path"], **self.limit)))
        names, stat, watch = await self.do(lambda: zk.children_and_watch(step["path"], **self.limit))
        self.watches[step["watch"]] = watch
        return children_result(names, stat)

    async def do_sync(self, zk: Any, step: Step) -> None:
        await self.do(lambda: zk.sync(step["path"], **self.limit))

    async def do_await_children(self, zk: Any, step: Step) -> None:
        while len((await self.do(lambda: zk.children(step["path"], **self.limit)))[0]) != step["count"]:
            await asyncio.sleep(0.005)

    async def do_multi(self, zk: Any, step: Step) -> Step:
        transaction = with_parts(zk.multi(), step)
        return parts_result(await self.do(lambda: transaction.commit(**self.limit)))

    async def do_watch(self, zk: Any, step: Step) -> None:
        watcher = zk.watch(step["path"], recursive=step["recursive"])
        self.watches[step["watch"]] = await self.do(lambda: watcher.start(**self.limit))

    async def do_event(self, step: Step) -> Step:
        watch = self.watches[step["watch"]]
        wait = watch.wait if isinstance(watch, self.front.Watch) else watch.next
        return event_result(await self.do(lambda: wait(**self.limit)))

    async def do_unwatch(self, step: Step) -> None:
        self.watches.pop(step["watch"]).close()

    async def do_acquire(self, zk: Any, step: Step) -> Step:
        lock = zk.lock(step["path"])
        return await self.take(step, lambda: lock.acquire(timeout=limit_of(step)))

    async def do_lead(self, zk: Any, step: Step) -> Step:
        leader = zk.leader(step["path"], id=step["id"].encode())
        return await self.take(step, lambda: leader.stand(timeout=limit_of(step)))

    async def take(self, step: Step, take: Call) -> Step:
        async def taken() -> Step:
            hold = self.holds[step["hold"]] = await self.do(take)
            return {"granted": True, "token": hold.token, "path": hold.path}

        if "start" not in step:
            return await taken()
        self.started[step["start"]] = asyncio.create_task(taken())
        return {}

    async def do_finish(self, step: Step) -> Step:
        return await self.started.pop(step["started"])

    async def do_holds(self, step: Step) -> Step:
        return {"holds": self.holds[step["hold"]].holds}

    async def do_lost(self, step: Step) -> None:
        lost = self.holds[step["hold"]].lost
        await self.do(lambda: lost.wait(**self.limit))
        assert lost.is_set()

    async def do_guarded(self, step: Step) -> Step:
        transaction = with_parts(self.holds[step["hold"]].guarded(), step)
        return parts_result(await self.do(lambda: transaction.commit(**self.limit)))

    async def do_release(self, step: Step) -> None:
        hold = self.holds[step["hold"]]
        release = hold.release if isinstance(hold, self.front.Held) else hold.step_down
        await self.do(lambda: release(**self.limit))


async def in_the_loop(call: Call) -> Any:
    return await call()


FRONTS: dict[str, tuple[ModuleType, Callable[[Call], Awaitable[Any]], dict[str, float]]] = {
    "asyncio": (quorate, in_the_loop, {}),
    "waiting": (sync, asyncio.to_thread, {"timeout": LIMIT}),
}


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario["name"])
def test_scenario(place: Place, scenario: Step, front: str) -> None:
    module, do, limit = FRONTS[front]

    async def run() -> None:
        runner = Runner(module, place, place.new_root(scenario["name"]), do, limit)
        for number, step in enumerate(scenario["steps"], 1):
            try:
                await runner.step(step)
            except AssertionError as problem:
                raise AssertionError(f"step {number}, {step}: {problem}") from problem
        await runner.end()

    asyncio.run(run(), debug=True)
