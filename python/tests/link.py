"""A way to a server that a test can stall and cut."""

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Self

LIMIT = 30.0


class Link:
    """Passes bytes between clients and a server. Stalled, it keeps what clients send and refuses new ones."""

    def __init__(self, server: str) -> None:
        host, port = server.rsplit(":", 1)
        self._server = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._changed = threading.Condition()
        self._stalled = False
        self._kept = b""
        self._ends: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._run(self._accept)

    @property
    def address(self) -> str:
        """Where clients connect."""
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def stall(self) -> None:
        """From now on nothing passes."""
        with self._changed:
            self._stalled, self._kept = True, b""

    def keeps(self, text: bytes) -> None:
        """Waits until clients have sent these bytes to the stalled link."""
        with self._changed:
            assert self._changed.wait_for(lambda: text in self._kept, LIMIT), f"{text!r} was never sent"

    def cut(self) -> None:
        """Ends all connections."""
        with self._changed:
            ends, self._ends = self._ends, []
        for end in ends:
            shut(end)

    def heal(self) -> None:
        """Ends all connections; new ones pass."""
        self.cut()
        with self._changed:
            self._stalled = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stall()
        shut(self._listener)
        self.cut()
        while self._threads:
            self._threads.pop().join(LIMIT)

    def _run(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with self._listener:
            while True:
                try:
                    client, _ = self._listener.accept()
                except OSError:
                    return
                with self._changed:
                    if self._stalled:
                        client.close()
                        continue
                    server = socket.create_connection(self._server)
                    self._ends += [client, server]
                self._run(self._pass, client, server, True)
                self._run(self._pass, server, client, False)

    def _pass(self, source: socket.socket, sink: socket.socket, from_client: bool) -> None:
        with source:
            with contextlib.suppress(OSError):
                while data := source.recv(65536):
                    if not self._keep(data, from_client):
                        sink.sendall(data)
            shut(sink)

    def _keep(self, data: bytes, from_client: bool) -> bool:
        with self._changed:
            if self._stalled and from_client:
                self._kept += data
                self._changed.notify_all()
            return self._stalled


def shut(end: socket.socket) -> None:
    """Wakes whoever reads it."""
    # The other side may have been faster.
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
