"""A small raw client: one blocking connection, requests sent without waiting.

For tests that need what client libraries hide: pipelining with a known order, exact
knowledge of which replies arrived, TTL nodes and containers, resuming a session.
Encoding after Apache's zookeeper.jute. Not a model of our own wire crate.
"""

import socket
import struct
from dataclasses import dataclass
from enum import IntEnum

Acl = list[tuple[int, str, str]]


class Op(IntEnum):
    """Operation codes (ZooDefs.OpCode)."""

    CREATE = 1
    DELETE = 2
    EXISTS = 3
    GET_DATA = 4
    SET_DATA = 5
    GET_ACL = 6
    SET_ACL = 7
    SYNC = 9
    CHILDREN2 = 12
    CHECK = 13
    MULTI = 14
    CREATE2 = 15
    CREATE_CONTAINER = 19
    CREATE_TTL = 21
    AUTH = 100
    CLOSE = -11


@dataclass(frozen=True)
class Reply:
    """Header and body of one reply."""

    xid: int
    zxid: int
    error: int
    body: bytes


@dataclass(frozen=True)
class Stat:
    """A node's Stat as it stands on the wire."""

    czxid: int
    mzxid: int
    ctime: int
    mtime: int
    version: int
    cversion: int
    aversion: int
    ephemeral_owner: int
    data_length: int
    num_children: int
    pzxid: int


class ConnectionLost(Exception):
    """The server closed the connection or does not answer."""


class Connection:
    """One session on one connection; replies come in the order of the requests."""

    def __init__(
        self,
        port: int | tuple[str, int],
        timeout_ms: int = 30_000,
        session: int = 0,
        password: bytes = bytes(16),
        deadline: float = 30.0,
    ) -> None:
        """Connects and performs the handshake; `session` 0 asks for a new one. A refused
        session (expired, wrong password) leaves `session` at 0."""
        address = ("127.0.0.1", port) if isinstance(port, int) else port
        self._socket = socket.create_connection(address, deadline)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._input = self._socket.makefile("rb")
        self._xid = 0
        hello = struct.pack(">iqiq", 0, 0, timeout_ms, session) + buffer(password) + b"\0"
        self._socket.sendall(buffer(hello))
        answer = self._frame()
        _, self.timeout_ms, self.session = struct.unpack_from(">iiq", answer)
        self.password = answer[20:36]

    def send(self, op: Op, payload: bytes) -> int:
        """Sends one request and returns its xid; raises ConnectionLost."""
        self._xid = -4 if op is Op.AUTH else max(self._xid, 0) + 1
        try:
            self._socket.sendall(buffer(struct.pack(">ii", self._xid, op) + payload))
        except OSError as error:
            raise ConnectionLost(str(error)) from error
        return self._xid

    def receive(self) -> Reply:
        """The next reply; notifications and pings are skipped. Raises ConnectionLost."""
        while (reply := self.message()).xid in (NOTIFICATION, PING):
            pass
        return reply

    def message(self) -> Reply:
        """Whatever comes next. Raises ConnectionLost."""
        frame = self._frame()
        xid, zxid, error = struct.unpack_from(">iqi", frame)
        return Reply(xid, zxid, error, frame[16:])

    def call(self, op: Op, payload: bytes = b"") -> Reply:
        """One request and its reply."""
        self.send(op, payload)
        return self.receive()

    def authenticate(self, scheme: str, token: str) -> None:
        reply = self.call(Op.AUTH, struct.pack(">i", 0) + text(scheme) + text(token))
        assert reply.error == 0, reply

    def close_session(self) -> None:
        """Ends the session on the server, then the connection."""
        self.call(Op.CLOSE)
        self.drop()

    def drop(self) -> None:
        """Closes the socket only; the session lives on until it expires."""
        self._input.close()
        self._socket.close()

    def _frame(self) -> bytes:
        return self._exactly(struct.unpack(">i", self._exactly(4))[0])

    def _exactly(self, count: int) -> bytes:
        try:
            data = self._input.read(count)
        except OSError as error:
            raise ConnectionLost(str(error)) from error
        if len(data) != count:
            raise ConnectionLost("end of stream")
        return data


def buffer(data: bytes | None) -> bytes:
    """A jute buffer; None is length -1."""
    return struct.pack(">i", -1) if data is None else struct.pack(">i", len(data)) + data


def text(value: str) -> bytes:
    return buffer(value.encode("utf-8"))


def acl_list(acl: Acl) -> bytes:
    entries = (struct.pack(">i", perms) + text(kind) + text(name) for perms, kind, name in acl)
    return struct.pack(">i", len(acl)) + b"".join(entries)


def create(path: str, data: bytes | None, flags: int = 0, acl: Acl | None = None) -> bytes:
    """Payload of create, create2 and createContainer (flags 4)."""
    return text(path) + buffer(data) + acl_list(acl or OPEN) + struct.pack(">i", flags)


def create_ttl(path: str, data: bytes | None, ttl_ms: int, flags: int = 5) -> bytes:
    return create(path, data, flags) + struct.pack(">q", ttl_ms)


def versioned(path: str, version: int = -1) -> bytes:
    """Payload of delete and check."""
    return text(path) + struct.pack(">i", version)


def set_data(path: str, data: bytes | None, version: int = -1) -> bytes:
    return text(path) + buffer(data) + struct.pack(">i", version)


def watched(path: str, watch: bool = False) -> bytes:
    """Payload of exists, getData and the getChildren family."""
    return text(path) + (b"\1" if watch else b"\0")


def multi(operations: list[tuple[Op, bytes]]) -> bytes:
    parts = [struct.pack(">i?i", op, False, -1) + payload for op, payload in operations]
    return b"".join(parts) + struct.pack(">i?i", -1, True, -1)


def multi_failed(reply: Reply) -> bool:
    """A refused multi answers with error results (type -1) and no error in the header."""
    return reply.error != 0 or struct.unpack_from(">i", reply.body)[0] == -1


def stat_at(body: bytes, offset: int) -> Stat:
    return Stat(*struct.unpack_from(">qqqqiiiqiiq", body, offset))


def buffer_at(body: bytes, offset: int) -> tuple[bytes | None, int]:
    """A jute buffer and the offset after it."""
    (length,) = struct.unpack_from(">i", body, offset)
    offset += 4
    return (None, offset) if length < 0 else (body[offset : offset + length], offset + length)


# What is no reply has one of these in place of a request's number.
NOTIFICATION, PING = -1, -2
OPEN: Acl = [(31, "world", "anyone")]
