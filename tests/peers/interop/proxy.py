"""A relay in front of a leader's quorum port that holds back what a test chooses.

It reads the packets of both directions (type, zxid, data, identities) and passes them on as
they are. What a rule names waits, and so does everything behind it in the same direction of
that connection: packets never overtake each other.
"""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from interop.ports import PortLease


class Packet(IntEnum):
    """Types of packets between leader and learner, those that are named here."""

    PROPOSAL = 2
    ACK = 3
    COMMIT = 4
    NEW_LEADER = 10
    FOLLOWER_INFO = 11
    UP_TO_DATE = 12
    SNAP = 15
    LEADER_INFO = 17
    ACK_EPOCH = 18


@dataclass
class Rule:
    """The next packet of this type waits that comes from this learner, or goes to it, and is of
    a later zxid."""

    kind: Packet
    learner: int
    after: int
    to_leader: bool
    # Whether there has been one.
    met: bool = False


class QuorumProxy:
    """Listens at a port of its own, and connects to the leader's for everybody who comes."""

    def __init__(self, leader: int) -> None:
        self._leader = leader
        self._lease = PortLease()
        self._rules: list[Rule] = []
        self._frozen = False
        self._links: set[Link] = set()
        self._changed = threading.Condition()
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        return self._lease.port

    def hold(self, kind: Packet, learner: int, after: int, to_leader: bool = False) -> Rule:
        """Holds such a packet, and what follows it, until `cut`. Only what comes after a zxid
        is meant: packets of earlier ones may not have been here yet, whatever the members
        show."""
        rule = Rule(kind, learner, after, to_leader)
        with self._changed:
            self._rules.append(rule)
        return rule

    def freeze(self) -> None:
        """Nothing passes any more, not even the end of a connection."""
        with self._changed:
            self._frozen = True

    def cut(self) -> None:
        """Forgets rules and what is held, and ends all connections, as the end of a leader
        does."""
        with self._changed:
            self._rules.clear()
            self._frozen = False
            for link in self._links:
                link.ended = True
            self._links.clear()
            self._changed.notify_all()

    def close(self) -> None:
        """Ends everything."""
        self._listener.close()
        self.cut()
        self._lease.release()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                learner, _ = self._listener.accept()
                threading.Thread(target=self._lead_on, args=[learner], daemon=True).start()

    def _lead_on(self, learner: socket.socket) -> None:
        """Lets a learner talk to the leader, which may not have opened its port yet: learners
        that are refused try again, and those whose connection ends elect another leader."""
        end = time.monotonic() + PATIENCE
        while (leader := self._find_leader()) is None:
            if time.monotonic() > end:
                learner.close()
                return
            time.sleep(0.01)
        link = Link(learner, leader)
        with self._changed:
            self._links.add(link)
        for to_leader in (True, False):
            run = (link, to_leader)
            threading.Thread(target=self._pass, args=run, daemon=True).start()

    def _find_leader(self) -> socket.socket | None:
        try:
            return socket.create_connection(("127.0.0.1", self._leader))
        except OSError:
            return None

    def _pass(self, link: "Link", to_leader: bool) -> None:
        """Carries one direction to its end."""
        source, target = link.ends(to_leader)
        with contextlib.suppress(OSError):
            for kind, zxid, data in packets(source):
                if kind == Packet.FOLLOWER_INFO:
                    (link.sid,) = struct.unpack_from(">q", data, HEAD)
                if not self._may_pass(link, kind, zxid, to_leader):
                    break
                target.sendall(data)
        with self._changed:
            self._changed.wait_for(lambda: not self._frozen or link.ended)
            link.ended = True
            self._links.discard(link)
            self._changed.notify_all()
        link.end()

    def _may_pass(self, link: "Link", kind: int, zxid: int, to_leader: bool) -> bool:
        """Waits while this packet is held; false if the connection has been ended."""
        with self._changed:
            for rule in self._rules:
                meant = (rule.kind, rule.learner, rule.to_leader) == (kind, link.sid, to_leader)
                if meant and zxid > rule.after:
                    rule.met = True
                    link.held.add(to_leader)
            self._changed.wait_for(
                lambda: link.ended or not (self._frozen or to_leader in link.held)
            )
            return not link.ended


class Link:
    """A learner's connection and the one that goes on to the leader."""

    def __init__(self, learner: socket.socket, leader: socket.socket) -> None:
        self.sid = -1
        self.ended = False
        # The directions in which something is held.
        self.held: set[bool] = set()
        self._ends = (learner, leader)
        for each in self._ends:
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ends(self, to_leader: bool) -> tuple[socket.socket, socket.socket]:
        """From where to where."""
        learner, leader = self._ends
        return (learner, leader) if to_leader else (leader, learner)

    def end(self) -> None:
        """Ends both; harmless when done twice."""
        for each in self._ends:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


def packets(source: socket.socket) -> Iterator[tuple[int, int, bytes]]:
    """What comes out of a connection: the type, the zxid and the bytes of each packet. A tree
    that follows SNAP comes in pieces, each with that type and zxid."""
    buffer = bytearray()
    kind, zxid, in_tree = 0, 0, False
    while chunk := source.recv(65536):
        buffer += chunk
        while buffer:
            length = _tree(buffer) if in_tree else _packet(buffer)
            if length == 0:
                break
            piece = bytes(buffer[:length])
            del buffer[:length]
            if in_tree:
                in_tree = not piece.endswith(SIGNATURE)
            else:
                kind, zxid = struct.unpack_from(">iq", piece)
                in_tree = kind == Packet.SNAP
            yield kind, zxid, piece


def _packet(buffer: bytearray) -> int:
    """The length of the first packet, 0 if it is not here as a whole."""
    try:
        (length,) = struct.unpack_from(">i", buffer, 12)
        end = HEAD + max(length, 0)
        (identities,) = struct.unpack_from(">i", buffer, end)
        end += 4
        for _ in range(2 * max(identities, 0)):
            (length,) = struct.unpack_from(">i", buffer, end)
            end += 4 + max(length, 0)
    except struct.error:
        return 0
    return end if end <= len(buffer) else 0


def _tree(buffer: bytearray) -> int:
    """The length of a piece of a tree; what may be the beginning of its end is kept."""
    end = buffer.find(SIGNATURE)
    return end + len(SIGNATURE) if end >= 0 else max(len(buffer) - len(SIGNATURE), 0)


# How long an elected leader may take to listen, seconds.
PATIENCE = 2.0
# Type, zxid, length of the data.
HEAD = 16
# What a tree ends with.
SIGNATURE = b"\0\0\0\x0aBenWasHere"
