"""The common scenarios with the front for threads that wait."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from conftest import Place
from quorate import Error, OperationTimeoutError, sync
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
    def __init__(self, place: Place, root: str, pool: ThreadPoolExecutor) -> None:
        self.place = place
        self.root = root
        self.pool = pool
        self.saved: dict[str, Any] = {}
        self.clients: dict[str, sync.Client] = {}
        self.states: dict[str, tuple[sync.States, list[str]]] = {}
        self.watches: dict[str, Any] = {}
        self.holds: dict[str, Any] = {}
        self.started: dict[str, Future[Step]] = {}

    def step(self, step: Step) -> None:
        step = filled_in(step, self.saved)
        judge(step, self.run(step), self.saved)

    def run(self, step: Step) -> Step:
        try:
            verb = getattr(self, f"do_{step['do']}")
            client = self.clients.get(step.get("client", ""))
            return (verb(step) if client is None else verb(client, step)) or {}
        except OperationTimeoutError as error:
            if step["do"] in ("acquire", "lead"):
                return {"granted": False}
            return error_result(error)
        except Error as error:
            return error_result(error)

    def do_open(self, step: Step) -> None:
        self.clients[step["client"]] = sync.connect(self.place.servers, root=self.root)

    def do_close(self, zk: sync.Client, step: Step) -> None:
        zk.close(timeout=LIMIT)

    def do_state(self, zk: sync.Client, step: Step) -> Step:
        return {"state": str(zk.state)}

    def do_follow(self, zk: sync.Client, step: Step) -> None:
        self.states[step["states"]] = (zk.states(), [])

    def do_states(self, step: Step) -> Step:
        states, seen = self.states[step["states"]]
        while step["until"] not in seen:
            seen.append(str(states.next(timeout=LIMIT)))
        return {"seen": seen}

    def do_create(self, zk: sync.Client, step: Step) -> Step:
        created = zk.create(step["path"], data_of(step), **create_options(step), timeout=LIMIT)
        return created_result(created)

    def do_get(self, zk: sync.Client, step: Step) -> Step:
        if "watch" not in step:
            return data_result(*zk.get(step["path"], timeout=LIMIT))
        data, stat, self.watches[step["watch"]] = zk.get_and_watch(step["path"], timeout=LIMIT)
        return data_result(data, stat)

    def do_set(self, zk: sync.Client, step: Step) -> Step:
        version = step.get("version")
        return {"stat": stat_result(zk.set(step["path"], data_of(step), version=version, timeout=LIMIT))}

    def do_delete(self, zk: sync.Client, step: Step) -> None:
        zk.delete(step["path"], version=step.get("version"), timeout=LIMIT)

    def do_exists(self, zk: sync.Client, step: Step) -> Step:
        if "watch" not in step:
            return exists_result(zk.exists(step["path"], timeout=LIMIT))
        stat, self.watches[step["watch"]] = zk.exists_and_watch(step["path"], timeout=LIMIT)
        return exists_result(stat)

    def do_children(self, zk: sync.Client, step: Step) -> Step:
        if "watch" not in step:
            return children_result(*zk.children(step["path"], timeout=LIMIT))
        names, stat, watch = zk.children_and_watch(step["path"], timeout=LIMIT)
        self.watches[step["watch"]] = watch
        return children_result(names, stat)

    def do_sync(self, zk: sync.Client, step: Step) -> None:
        zk.sync(step["path"], timeout=LIMIT)

    def do_await_children(self, zk: sync.Client, step: Step) -> None:
        deadline = time.monotonic() + LIMIT
        while len(zk.children(step["path"])[0]) != step["count"]:
            assert time.monotonic() < deadline, f"there are never {step['count']} children"
            time.sleep(0.005)

    def do_multi(self, zk: sync.Client, step: Step) -> Step:
        return parts_result(with_parts(zk.multi(), step).commit(timeout=LIMIT))

    def do_watch(self, zk: sync.Client, step: Step) -> None:
        watcher = zk.watch(step["path"], recursive=step["recursive"])
        self.watches[step["watch"]] = watcher.start(timeout=LIMIT)

    def do_event(self, step: Step) -> Step:
        watch = self.watches[step["watch"]]
        wait: Callable[..., Any] = watch.wait if isinstance(watch, sync.Watch) else watch.next
        return event_result(wait(timeout=LIMIT))

    def do_unwatch(self, step: Step) -> None:
        self.watches.pop(step["watch"]).close()

    def do_acquire(self, zk: sync.Client, step: Step) -> Step:
        lock = zk.lock(step["path"])
        return self.take(step, lambda: lock.acquire(timeout=limit_of(step)))

    def do_lead(self, zk: sync.Client, step: Step) -> Step:
        leader = zk.leader(step["path"], id=step["id"].encode())
        return self.take(step, lambda: leader.stand(timeout=limit_of(step)))

    def take(self, step: Step, take: Callable[[], Any]) -> Step:
        def taken() -> Step:
            hold = self.holds[step["hold"]] = take()
            return {"granted": True, "token": hold.token, "path": hold.path}

        if "start" not in step:
            return taken()
        self.started[step["start"]] = self.pool.submit(taken)
        return {}

    def do_finish(self, step: Step) -> Step:
        return self.started.pop(step["started"]).result(LIMIT)

    def do_holds(self, step: Step) -> Step:
        return {"holds": self.holds[step["hold"]].holds}

    def do_lost(self, step: Step) -> None:
        lost = self.holds[step["hold"]].lost
        lost.wait(timeout=LIMIT)
        assert lost.is_set()

    def do_guarded(self, step: Step) -> Step:
        guarded = self.holds[step["hold"]].guarded()
        return parts_result(with_parts(guarded, step).commit(timeout=LIMIT))

    def do_release(self, step: Step) -> None:
        hold = self.holds[step["hold"]]
        (hold.release if isinstance(hold, sync.Held) else hold.step_down)(timeout=LIMIT)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario["name"])
def test_scenario(place: Place, scenario: Step) -> None:
    with ThreadPoolExecutor() as pool:
        runner = Runner(place, place.new_root(scenario["name"]), pool)
        for number, step in enumerate(scenario["steps"], 1):
            try:
                runner.step(step)
            except AssertionError as problem:
                raise AssertionError(f"step {number}, {step}: {problem}") from problem
        for client in runner.clients.values():
            client.close(timeout=LIMIT)
