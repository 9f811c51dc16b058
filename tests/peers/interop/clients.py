"""kazoo's clients at one member of an ensemble, in words that its tests share."""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from kazoo.client import KazooClient
from kazoo.exceptions import KazooException

from interop.server import Kind, Server

# How long an ensemble may take to find itself on a busy machine, seconds.
DEADLINE = 60.0
T = TypeVar("T")


@contextlib.contextmanager
def client_of(member: Server, read_only: bool = False) -> Iterator[KazooClient]:
    """A session at this member."""
    client = KazooClient(member.address, timeout=10.0, read_only=read_only)
    client.start(timeout=DEADLINE)
    try:
        yield client
    finally:
        client.stop()
        client.close()


def with_client(member: Server, use: Callable[[KazooClient], T]) -> T:
    """Lets somebody use a session of this member, again while the ensemble finds itself."""
    end = time.monotonic() + DEADLINE
    while True:
        client = KazooClient(member.address, timeout=10.0)
        try:
            client.start(timeout=10.0)
            return use(client)
        except (KazooException, client.handler.timeout_exception):
            if time.monotonic() > end:
                raise
        finally:
            client.stop()
            client.close()
        time.sleep(0.1)


def children(client: KazooClient) -> list[str]:
    """The children of the root, as of now."""
    client.sync("/")
    return list(client.get_children("/"))


def outgrow(leader: Server) -> None:
    """Lets whoever has lost its disk be sent the tree by this member. Apache's leaders always
    send it then; ours send one transaction after another as long as they keep all, so they are
    given 40 MB, of which one node is left."""
    if leader.kind is Kind.QUORATE:
        with_client(leader, _overwrite)


def _overwrite(client: KazooClient) -> None:
    client.ensure_path("/much")
    for answer in [client.set_async("/much", b"z" * 900_000) for _ in range(45)]:
        answer.get(timeout=DEADLINE)
