"""What both fronts take and give."""

import os
from enum import StrEnum
from typing import Literal, NamedTuple, TypeAlias

from quorate._quorate import Stat

Path: TypeAlias = str | os.PathLike[str]
"""The path of a node."""

Data: TypeAlias = bytes | bytearray | memoryview
"""The data of a node; anything else that is bytes-like will do as well."""

Mode: TypeAlias = Literal[
    "persistent",
    "persistent_sequential",
    "ephemeral",
    "ephemeral_sequential",
    "container",
    "persistent_ttl",
    "persistent_sequential_ttl",
]
"""The kinds of node. The last two need a time to live."""

EventKind: TypeAlias = Literal["created", "deleted", "changed", "children", "missed"]
"""What a watch tells. `missed`: events may be missing here, so read the state again."""


class State(StrEnum):
    """Where a session stands."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    READ_ONLY = "read_only"
    SUSPENDED = "suspended"
    """Out of touch; the session may live. Start nothing new under a lock."""
    LOST = "lost"
    """The session is over, and all that was held under it."""
    CLOSED = "closed"
    AUTH_FAILED = "auth_failed"


class Acl(NamedTuple):
    """Who may do what to a node: permissions are bits, 1 read, 2 write, 4 create, 8 delete, 16 admin."""

    permissions: int
    scheme: str
    id: str


class Created(NamedTuple):
    """A node that was created; its path has the sequence number, if it was to have one."""

    path: str
    stat: Stat


class Event(NamedTuple):
    """What happened to a watched node, and in which transaction if the server says so."""

    kind: EventKind
    path: str
    zxid: int | None
