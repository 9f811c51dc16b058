"""Clients that take part in recipes, as separate processes that answer lines of JSON.

A request is `{"id": 7, "do": "lock.acquire", "path": "/l", "as": "a"}`. It is answered when it
is done, so a contender that waits is a request without an answer. `interop.programs` knows how
to start the processes; `interop.kazoo_peer` is the same for kazoo, inside this process.
"""

import itertools
import json
import subprocess
import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

PATIENCE = 60.0


class PeerError(Exception):
    """What a peer answered instead of a value, or how it ended."""


class Peer(ABC):
    """Somebody who takes part in recipes under one session."""

    name: str

    @abstractmethod
    def begin(self, do: str, **arguments: Any) -> "Future[Any]":
        """Makes a request and does not wait for the answer."""

    @abstractmethod
    def close(self) -> None:
        """Ends the session and whatever runs for it."""

    def call(self, do: str, **arguments: Any) -> Any:
        """Makes a request and waits for the answer."""
        return self.begin(do, **arguments).result(PATIENCE)

    def __repr__(self) -> str:
        return self.name


class ProcessPeer(Peer):
    """A peer in a process of its own. It ends when its input does."""

    def __init__(self, name: str, command: Sequence[str | Path], log: Path) -> None:
        self.name = name
        self.log = log
        self._numbers = itertools.count(1)
        self._open: dict[int, Future[Any]] = {}
        self._mutex = threading.Lock()
        self._ready: Future[int] = Future()
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_ready(self, deadline: float = PATIENCE) -> None:
        """Waits until it has a session."""
        self._ready.result(deadline)

    def begin(self, do: str, **arguments: Any) -> "Future[Any]":
        answer: Future[Any] = Future()
        number = next(self._numbers)
        request = {"id": number, "do": do} | {
            key.rstrip("_"): value for key, value in arguments.items() if value is not None
        }
        with self._mutex:
            self._open[number] = answer
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        return answer

    def kill(self) -> None:
        """Ends the process as a crash would: its session stays until it expires."""
        self._process.kill()
        self._process.wait()
        self._reader.join()

    def close(self) -> None:
        if self._process.poll() is None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            try:
                self._process.wait(10.0)
            except subprocess.TimeoutExpired:
                self.kill()
        self._reader.join()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            answer = json.loads(line)
            if "ready" in answer:
                self._ready.set_result(answer["ready"])
                continue
            with self._mutex:
                future = self._open.pop(answer["id"])
            if answer.get("error") is not None:
                future.set_exception(PeerError(f"{self.name}: {answer['error']}"))
            else:
                future.set_result(answer.get("value"))
        self._fail_the_rest()

    def _fail_the_rest(self) -> None:
        tail = "\n".join(self.log.read_text("utf-8", errors="replace").splitlines()[-20:])
        gone = PeerError(f"{self.name} has ended\n{tail}")
        with self._mutex:
            rest = list(self._open.values())
            self._open.clear()
        if not self._ready.done():
            rest.append(self._ready)
        for future in rest:
            future.set_exception(gone)
