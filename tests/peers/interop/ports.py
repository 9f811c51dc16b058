"""Loopback ports for servers that must come back on the same port.

Port 0 is no use here: a server is stopped and started again on its port, and
Apache's server takes 0 for "not set". Ports are leased below the kernel's ephemeral
range, so that no outgoing connection takes one meanwhile, and every lease holds a
file lock, so that suites running side by side never share one.
"""

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path
from typing import IO


class PortLease:
    """A loopback TCP port that is ours until `release`."""

    def __init__(self) -> None:
        self._lock, self.port = _lease()

    def release(self) -> None:
        """Gives the port back; harmless when done twice."""
        self._lock.close()


def _lease() -> tuple[IO[bytes], int]:
    folder = Path(tempfile.gettempdir()) / f"quorate-ports-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    candidates = list(range(FIRST_PORT, FIRST_EPHEMERAL_PORT))
    random.SystemRandom().shuffle(candidates)
    for port in candidates:
        lock = (folder / str(port)).open("wb")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            continue
        if _is_free(port):
            return lock, port
        lock.close()
    raise RuntimeError(f"no free port in {FIRST_PORT}..{FIRST_EPHEMERAL_PORT}")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _first_ephemeral_port() -> int:
    try:
        text = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text("ascii")
        return max(int(text.split()[0]), FIRST_PORT + 1000)
    except OSError:
        return 32768


FIRST_PORT = 21000
FIRST_EPHEMERAL_PORT = _first_ephemeral_port()
