"""The peers of one test session, and the roles that they can play in a recipe.

A `Player` is a peer with the arguments that make it behave in one way: our lock has modes,
kazoo's an option.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from interop import programs
from interop.kazoo_peer import KazooPeer
from interop.peer import PATIENCE, Peer, ProcessPeer
from interop.server import Server

QUIET = 0.2


@dataclass(frozen=True)
class Player:
    """Who plays, and how."""

    label: str
    kind: str
    arguments: dict[str, Any] = field(default_factory=dict, hash=False)


class Company:
    """All peers at one server, started when they are needed first."""

    def __init__(self, server: Server, logs: Path) -> None:
        self.server = server
        self._logs = logs
        self._peers: dict[str, Peer] = {}
        self._stack = ExitStack()
        self.kazoo = KazooPeer(server.address)
        self._stack.callback(self.kazoo.close)
        self._peers["kazoo"] = self.kazoo

    def peer(self, kind: str) -> Peer:
        """The peer of a kind; skips the test if there is none here."""
        if reason := programs.reason_against(kind):
            pytest.skip(reason)
        if kind not in self._peers:
            self._peers[kind] = self.start(kind)
        return self._peers[kind]

    def start(self, kind: str, *arguments: str) -> ProcessPeer:
        """One more peer of a kind, with a session of its own."""
        log = self._logs / f"{kind}-{len(list(self._logs.iterdir()))}.log"
        peer = programs.start(kind, self.server.address, log, *arguments)
        self._stack.callback(peer.close)
        peer.wait_ready()
        return peer

    def warm_up(self, *kinds: str) -> None:
        """Starts several peers at once: Java takes its time."""
        threads = [
            threading.Thread(target=self.peer, args=[kind])
            for kind in kinds
            if programs.reason_against(kind) is None
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def close(self) -> None:
        """Ends them all."""
        self._stack.close()


@contextmanager
def company(server: Server, logs: Path) -> Iterator[Company]:
    """A company that ends with the block."""
    company = Company(server, logs)
    try:
        yield company
    finally:
        company.close()


def until(condition: Callable[[], bool], what: str, deadline: float = PATIENCE) -> None:
    """Waits for a condition; an error that says what did not happen."""
    end = time.monotonic() + deadline
    while not condition():
        assert time.monotonic() < end, f"{what} did not happen within {deadline} s"
        time.sleep(0.01)
