"""The fenced counter: our clients count under a lock while servers and clients fail.

Each client takes the lock, writes the counter a few times with guarded writes that leave a
mark each, and lets the next one in (`tests/src/recipes/fenced.rs`). The writes have no
condition but the lock: two holders at once, or a write of a former holder, would leave more
marks than the counter says.
"""

import os
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kazoo.client import KazooClient
from kazoo.exceptions import NoNodeError

from interop import programs
from interop.ensemble import Ensemble
from interop.peer import PATIENCE, ProcessPeer
from interop.server import Server

# Short, so that sessions are lost and expire within a test.
SESSION_MS = 2_000
CLIENTS = 3
# They exclude one another.
MODES = ("curator", "kazoo-patterns", "bridge")
PATH = "/fenced"


@dataclass
class Outcome:
    """What came of it."""

    steps: int
    lost: int
    unknown: int
    locks: int
    refused: int
    counter: int


class Fenced:
    """Some clients that count at one service, until `finish`."""

    def __init__(self, servers: str, logs: Path) -> None:
        self._servers = servers
        self._logs = logs
        self._stack = ExitStack()
        self._running: dict[str, tuple[ProcessPeer, Future[Any]]] = {}
        self._started = 0
        with _reader(servers) as client:
            client.create(f"{PATH}/counter", b"0", makepath=True)
        for _ in range(CLIENTS):
            self.add_client()

    def add_client(self) -> None:
        """One more client."""
        mode = MODES[self._started % len(MODES)]
        self._started += 1
        name = f"c{self._started}"
        log = self._logs / f"{name}.log"
        peer = programs.start("quorate", self._servers, log, str(SESSION_MS))
        self._stack.callback(peer.close)
        peer.wait_ready()
        work = peer.begin("fenced.run", path=PATH, as_=name, mode=mode)
        self._running[name] = (peer, work)

    def kill_client(self) -> None:
        """The oldest client dies, perhaps as the holder: its lock stays until its session
        expires. Another one takes its place."""
        name = next(iter(self._running))
        self._running.pop(name)[0].kill()
        self.add_client()

    def progress(self, steps: int = 2) -> None:
        """Waits until each client has made so many steps more."""
        before = {name: self._steps(name) for name in self._running}
        end = time.monotonic() + PATIENCE
        for name, count in before.items():
            while self._steps(name) < count + steps:
                assert time.monotonic() < end, f"{name} makes no steps any more"
                time.sleep(0.02)

    def finish(self) -> Outcome:
        """Ends the clients and checks the counter."""
        for peer, _ in self._running.values():
            peer.call("fenced.stop")
        tallies = {name: work.result(PATIENCE) for name, (_, work) in self._running.items()}
        with _reader(self._servers) as client:
            client.sync(PATH)
            counter = int(client.get(f"{PATH}/counter")[0])
            marks = client.get_children(f"{PATH}/marks")
            left = _waiting(client)
        made = Counter(mark.partition("-")[0] for mark in marks)
        assert counter == len(marks), f"{len(marks)} steps happened, {counter} count: {tallies}"
        for name, tally in tallies.items():
            assert tally["steps"] <= made[name] <= tally["steps"] + tally["unknown"], tallies
        # A killed client's node may still wait for the end of its session.
        assert len(left) <= self._started - CLIENTS, left
        total = {key: sum(tally[key] for tally in tallies.values()) for key in TALLY}
        return Outcome(counter=counter, **total)

    def close(self) -> None:
        """Ends the clients, whatever they do."""
        self._stack.close()

    def __enter__(self) -> "Fenced":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _steps(self, name: str) -> int:
        peer, work = self._running[name]
        if work.done():
            work.result()
            raise AssertionError(f"{name} has ended too early")
        return int(peer.call("fenced.steps"))


def standalone_faults(server: Server) -> list[Callable[[], None]]:
    """What can happen to a server that is alone."""

    def restart() -> None:
        server.stop()
        server.start()

    def crash() -> None:
        server.kill()
        server.start()

    return [crash, lambda: _freeze(server, SHORT), restart, lambda: _freeze(server, LONG)]


def ensemble_faults(ensemble: Ensemble) -> list[Callable[[], None]]:
    """What can happen to members: always one at a time, so that the service goes on."""

    def crash_leader() -> None:
        _crash(ensemble, ensemble.leader())

    def crash_follower() -> None:
        _crash(ensemble, ensemble.follower())

    return [
        crash_leader,
        lambda: _freeze(ensemble.leader(), SHORT),
        crash_follower,
        lambda: _freeze(ensemble.leader(), LONG),
    ]


def run(servers: str, logs: Path, faults: list[Callable[[], None]]) -> Outcome:
    """Counts through all faults, again and again with FENCED_ROUNDS, with a dead client in
    each round."""
    with Fenced(servers, logs) as fenced:
        fenced.progress()
        for _ in range(int(os.environ.get("FENCED_ROUNDS", "1"))):
            for fault in faults:
                fault()
                fenced.progress()
            fenced.kill_client()
            fenced.progress()
        return fenced.finish()


def _crash(ensemble: Ensemble, member: Server) -> None:
    member.kill()
    ensemble.wait_serving(len(ensemble.members) - 1)
    member.launch()
    ensemble.wait_serving(len(ensemble.members))


def _freeze(server: Server, seconds: float) -> None:
    server.pause()
    time.sleep(seconds)
    server.resume()


def _waiting(client: KazooClient) -> list[str]:
    """Who is in line for the lock. Its directory is a container: the server removes it when
    the last one has left."""
    try:
        return list(client.get_children(f"{PATH}/lock"))
    except NoNodeError:
        return []


class _reader:
    """A kazoo client for looking at the tree."""

    def __init__(self, servers: str) -> None:
        self._client = KazooClient(servers)

    def __enter__(self) -> KazooClient:
        self._client.start(PATIENCE)
        return self._client

    def __exit__(self, *_: object) -> None:
        self._client.stop()
        self._client.close()


# Shorter and longer than a session lives without its server.
SHORT = SESSION_MS / 1000 * 0.4
LONG = SESSION_MS / 1000 * 1.5
TALLY = ("steps", "lost", "unknown", "locks", "refused")
