"""The servers that the tests run against: ours in this process, ours in another, Apache's."""

import itertools
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from interop.missing import missing_peers
from interop.server import Kind, Server
from quorate import sync

# As the servers in other processes: sessions may be as short as a second.
QUICK = {"tickTime": "500", "maxClientCnxns": "0", "4lw.commands.whitelist": "*"}


@dataclass
class Place:
    """A server, as `connect` takes it, and where it listens."""

    servers: str | sync.Server
    address: str
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def new_root(self, name: str) -> str:
        """An empty node to be the root of clients."""
        root = f"/{name}-{next(self._numbers)}"
        with sync.connect(self.servers) as zk:
            zk.create(root)
        return root

    def watches(self) -> int:
        """How many watches the server has."""
        host, port = self.address.rsplit(":", 1)
        with socket.create_connection((host, int(port)), 30) as link:
            link.sendall(b"wchs")
            answer = b"".join(iter(lambda: link.recv(4096), b"")).decode()
        return int(answer.rpartition("Total watches:")[2])


@pytest.fixture(scope="session", params=["here", "process", "apache"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    if request.param == "here":
        with sync.Server(port=0, settings=QUICK) as server:
            assert server.address is not None
            yield Place(server, server.address)
        return
    kind = Kind.APACHE if request.param == "apache" else Kind.QUORATE
    if kind is Kind.APACHE and (why := missing_peers().get("apache")):
        pytest.skip(why)
    with Server(kind) as process:
        process.start()
        yield Place(process.address, process.address)


@pytest.fixture
def server() -> Iterator[sync.Server]:
    """A server in this process, with a port as well, which ends sessions quickly."""
    settings = {"tickTime": "100", "minSessionTimeout": "100", "maxClientCnxns": "0"}
    with sync.Server(port=0, settings=settings) as server:
        yield server
