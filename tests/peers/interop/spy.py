"""A client that looks at the order in which a server says things.

One watch after another on one node, with reads behind it: the event comes before the first
reply that shows the change, no event comes without a change, and no reply is of an older state
than the one before it.
"""

import contextlib
import itertools
import threading
from collections.abc import Sequence

from interop.wire import (
    NOTIFICATION,
    Connection,
    ConnectionLost,
    Op,
    buffer_at,
    stat_at,
    watched,
)

# Session timeout, and how long it waits for an answer before it tries another server.
TIMEOUT_MS = 2_000
DEADLINE = 1.0
PAUSE = 0.002


class Spy:
    """Looks at a node through one server after another, until `stop`."""

    def __init__(self, servers: Sequence[tuple[str, int]], path: str) -> None:
        self.events = 0
        self._path = path
        self._servers = servers
        self._over = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def look_at(self, path: str) -> None:
        """Goes on with another node."""
        self._path = path

    def stop(self) -> int:
        """Ends; answers how many events were in their place."""
        self._over.set()
        self._thread.join()
        if self._failure is not None:
            raise AssertionError("events and replies are out of order") from self._failure
        return self.events

    def _run(self) -> None:
        servers = itertools.cycle(self._servers)
        try:
            while not self._over.wait(PAUSE):
                with contextlib.suppress(ConnectionLost, OSError):
                    self._visit(next(servers))
        except AssertionError as error:
            self._failure = error

    def _visit(self, server: tuple[str, int]) -> None:
        """One session at one server, for as long as it answers."""
        link = Connection(server, timeout_ms=TIMEOUT_MS, deadline=DEADLINE)
        zxid = 0
        try:
            for _ in range(VISIT):
                zxid = self._watch(link, zxid)
                if self._over.wait(PAUSE):
                    return
        finally:
            with contextlib.suppress(ConnectionLost, OSError):
                link.close_session()
            link.drop()

    def _watch(self, link: Connection, zxid: int) -> int:
        """One watch, up to its event; answers the zxid of the last reply."""
        path, told, version = self._path, False, -1
        link.send(Op.GET_DATA, watched(path, watch=True))
        while True:
            message = link.message()
            if message.xid == NOTIFICATION and path.encode() in message.body:
                assert not told, f"a watch of {path} has told twice"
                told = True
                self.events += 1
            elif message.xid > 0:
                if message.error == NO_NODE and version < 0:
                    # This server has not come to it yet, and there is no watch.
                    return zxid
                assert message.error == 0, message
                assert message.zxid >= zxid, f"{message.zxid:#x} after {zxid:#x}"
                zxid = message.zxid
                _, offset = buffer_at(message.body, 0)
                shown = stat_at(message.body, offset).version
                version = shown if version < 0 else version
                assert told or shown == version, f"{path} is at {shown}, and no event before"
                assert not told or shown > version, f"an event, and {path} is still at {shown}"
                if told or self._over.wait(PAUSE) or self._path != path:
                    return zxid
                link.send(Op.GET_DATA, watched(path))


NO_NODE = -101
# So many watches at one server.
VISIT = 50
