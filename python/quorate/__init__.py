"""A client of ZooKeeper and quorate for asyncio, with locks, elections and a server in the process.

    async with quorate.connect("h1:2181,h2:2181/app") as zk:
        await zk.create("/greeting", b"hello")
        async with zk.lock("/lock") as held:
            print(held.token)

`quorate.sync` is the same for threads that wait. `docs/python.md` describes both.
"""

from quorate import sync
from quorate._aio import (
    Client,
    Held,
    Leader,
    Lock,
    Lost,
    Server,
    States,
    Term,
    Transaction,
    Watch,
    Watcher,
    connect,
)
from quorate._errors import *  # noqa: F403
from quorate._errors import __all__ as _errors
from quorate._quorate import Stat
from quorate._types import Acl, Created, Data, Event, EventKind, Mode, Path, State

__all__ = [
    "Acl",
    "Client",
    "Created",
    "Data",
    "Event",
    "EventKind",
    "Held",
    "Leader",
    "Lock",
    "Lost",
    "Mode",
    "Path",
    "Server",
    "Stat",
    "State",
    "States",
    "Term",
    "Transaction",
    "Watch",
    "Watcher",
    "connect",
    "sync",
    *_errors,
]
