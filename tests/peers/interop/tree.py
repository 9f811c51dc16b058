"""Reads a whole tree through the wire: data, Stat and ACL of every node.

Used to compare what two servers make of one data directory, so it reads as superuser
and leaves nothing out.
"""

import difflib
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from interop.wire import (
    Acl,
    Connection,
    Op,
    Reply,
    Stat,
    buffer_at,
    stat_at,
    text,
    watched,
)


@dataclass(frozen=True)
class Node:
    """Everything that a client can see of a node."""

    data: bytes | None
    stat: Stat
    acl: tuple[tuple[int, str, str], ...]
    children: tuple[str, ...]


Tree = dict[str, Node]


def read_tree(port: int | tuple[str, int], root: str = "/") -> Tree:
    """All nodes from `root` down. The session that reads is closed again, so the reader
    costs two transactions (createSession, closeSession)."""
    link = Connection(port)
    try:
        link.authenticate("digest", "super:test")
        return dict(_walk(link, [root]))
    finally:
        link.close_session()


def difference(before: Tree, after: Tree) -> str:
    """The nodes that differ as a readable text; empty if there are none."""
    left = [f"{path} {node}" for path, node in sorted(before.items())]
    right = [f"{path} {node}" for path, node in sorted(after.items())]
    return "\n".join(difflib.unified_diff(left, right, "before", "after", n=0, lineterm=""))


def _walk(link: Connection, level: list[str]) -> Iterator[tuple[str, Node]]:
    """Level by level, each request kind for a batch of nodes in one go. A node that goes
    away meanwhile (container, TTL) is left out."""
    while level:
        batch, level = level[:BATCH], level[BATCH:]
        listed = _ask(link, Op.CHILDREN2, batch, lambda path: watched(path))
        stored = _ask(link, Op.GET_DATA, batch, lambda path: watched(path))
        access = _ask(link, Op.GET_ACL, batch, text)
        for path, *replies in zip(batch, listed, stored, access, strict=True):
            if any(reply.error for reply in replies):
                continue
            children = _children(replies[0].body)
            data, offset = buffer_at(replies[1].body, 0)
            stat = stat_at(replies[1].body, offset)
            yield path, Node(data, stat, tuple(_acl(replies[2].body)), tuple(children))
            level += [f"{path.rstrip('/')}/{child}" for child in children]


def _ask(
    link: Connection, op: Op, paths: list[str], payload: Callable[[str], bytes]
) -> list[Reply]:
    for path in paths:
        link.send(op, payload(path))
    return [link.receive() for _ in paths]


def _children(body: bytes) -> list[str]:
    (count,) = struct.unpack_from(">i", body)
    offset = 4
    names = []
    for _ in range(count):
        name, offset = buffer_at(body, offset)
        names.append((name or b"").decode("utf-8"))
    return sorted(names)


def _acl(body: bytes) -> Acl:
    (count,) = struct.unpack_from(">i", body)
    offset = 4
    entries: Acl = []
    for _ in range(count):
        (perms,) = struct.unpack_from(">i", body, offset)
        scheme, offset = buffer_at(body, offset + 4)
        name, offset = buffer_at(body, offset)
        entries.append((perms, (scheme or b"").decode(), (name or b"").decode()))
    return entries


BATCH = 64
