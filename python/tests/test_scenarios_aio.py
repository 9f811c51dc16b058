"""The common scenarios with the asyncio front."""

import asyncio
from typing import Any

import pytest

import quorate
from conftest import Place
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


class Runner:
    def __init__(self, place: Place, root: str) -> None:
        self.place = place
        self.root = root
        self.saved: dict[str, Any] = {}
        self.clients: dict[str, quorate.Client] = {}
        self.states: dict[str, tuple[quorate.States, list[str]]] = {}
        self.watches: dict[str, Any] = {}
        self.holds: dict[str, Any] = {}
        self.started: dict[str, asyncio.Task[Step]] = {}

    async def step(self, step: Step) -> None:
        step = filled_in(step, self.saved)
        judge(step, await self.run(step), self.saved)

    async def run(self, step: Step) -> Step:
        try:
            async with asyncio.timeout(LIMIT):
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

    async def do_open(self, step: Step) -> None:
        self.clients[step["client"]] = await quorate.connect(self.place.servers, root=self.root)

    async def do_close(self, zk: quorate.Client, step: Step) -> None:
        await zk.close()

    async def do_state(self, zk: quorate.Client, step: Step) -> Step:
        return {"state": str(zk.state)}

    async def do_follow(self, zk: quorate.Client, step: Step) -> None:
        self.states[step["states"]] = (zk.states(), [])

    async def do_states(self, step: Step) -> Step:
        states, seen = self.states[step["states"]]
        while step["until"] not in seen:
            seen.append(str(await anext(states)))
        return {"seen": seen}

    async def do_create(self, zk: quorate.Client, step: Step) -> Step:
        return created_result(await zk.create(step["path"], data_of(step), **create_options(step)))

    async def do_get(self, zk: quorate.Client, step: Step) -> Step:
        if "watch" not in step:
            return data_result(*await zk.get(step["path"]))
        data, stat, self.watches[step["watch"]] = await zk.get_and_watch(step["path"])
        return data_result(data, stat)

    async def do_set(self, zk: quorate.Client, step: Step) -> Step:
        stat = await zk.set(step["path"], data_of(step), version=step.get("version"))
        return {"stat": stat_result(stat)}

    async def do_delete(self, zk: quorate.Client, step: Step) -> None:
        await zk.delete(step["path"], version=step.get("version"))

    async def do_exists(self, zk: quorate.Client, step: Step) -> Step:
        if "watch" not in step:
            return exists_result(await zk.exists(step["path"]))
        stat, self.watches[step["watch"]] = await zk.exists_and_watch(step["path"])
        return exists_result(stat)

    async def do_children(self, zk: quorate.Client, step: Step) -> Step:
        if "watch" not in step:
            return children_result(*await zk.children(step["path"]))
        names, stat, self.watches[step["watch"]] = await zk.children_and_watch(step["path"])
        return children_result(names, stat)

    async def do_sync(self, zk: quorate.Client, step: Step) -> None:
        await zk.sync(step["path"])

    async def do_await_children(self, zk: quorate.Client, step: Step) -> None:
        while len((await zk.children(step["path"]))[0]) != step["count"]:
            await asyncio.sleep(0.005)

    async def do_multi(self, zk: quorate.Client, step: Step) -> Step:
        return parts_result(await with_parts(zk.multi(), step).commit())

    async def do_watch(self, zk: quorate.Client, step: Step) -> None:
        self.watches[step["watch"]] = await zk.watch(step["path"], recursive=step["recursive"])

    async def do_event(self, step: Step) -> Step:
        watch = self.watches[step["watch"]]
        return event_result(await (watch if isinstance(watch, quorate.Watch) else watch.next()))

    async def do_unwatch(self, step: Step) -> None:
        self.watches.pop(step["watch"]).close()

    async def do_acquire(self, zk: quorate.Client, step: Step) -> Step:
        lock = zk.lock(step["path"])
        return await self.take(step, lambda: lock.acquire(timeout=limit_of(step)))

    async def do_lead(self, zk: quorate.Client, step: Step) -> Step:
        leader = zk.leader(step["path"], id=step["id"].encode())
        return await self.take(step, lambda: leader.stand(timeout=limit_of(step)))

    async def take(self, step: Step, take: Any) -> Step:
        async def taken() -> Step:
            hold = self.holds[step["hold"]] = await take()
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
        await lost
        assert lost.is_set()

    async def do_guarded(self, step: Step) -> Step:
        guarded = self.holds[step["hold"]].guarded()
        return parts_result(await with_parts(guarded, step).commit())

    async def do_release(self, step: Step) -> None:
        hold = self.holds[step["hold"]]
        await (hold.release() if isinstance(hold, quorate.Held) else hold.step_down())


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario["name"])
def test_scenario(place: Place, scenario: Step) -> None:
    async def run() -> None:
        runner = Runner(place, place.new_root(scenario["name"]))
        for number, step in enumerate(scenario["steps"], 1):
            try:
                await runner.step(step)
            except AssertionError as problem:
                raise AssertionError(f"step {number}, {step}: {problem}") from problem
        for client in runner.clients.values():
            await client.close()

    asyncio.run(run(), debug=True)
