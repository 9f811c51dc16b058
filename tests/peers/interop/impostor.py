"""Somebody who talks to the ports between servers, byte by byte, and is none of them."""

import socket
import struct
from collections.abc import Iterator

from interop.proxy import Packet, packets
from interop.wire import buffer

# Longer than any answer takes, seconds.
PATIENCE = 30.0


class Impostor:
    """A connection to one of these ports."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self._packets: Iterator[tuple[int, int, bytes]] = packets(self._socket)

    def say(self, *pieces: bytes) -> None:
        """Sends something."""
        self._socket.sendall(b"".join(pieces))

    def hears(self, kind: Packet) -> int:
        """Waits for a packet of this type; answers its zxid."""
        return next(zxid for found, zxid, _ in self._packets if found == kind)

    def shut(self) -> None:
        """Says nothing more."""
        self._socket.shutdown(socket.SHUT_WR)

    def is_closed(self) -> bool:
        """Waits until the other side hangs up."""
        try:
            while self._socket.recv(65536):
                pass
        except ConnectionResetError:
            pass
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        """Hangs up."""
        self._socket.close()


def greeting(sid: int) -> bytes:
    """What a server begins with at an election port."""
    return struct.pack(">qq", FIRST_VERSION, sid) + buffer(b"127.0.0.1:1")


def vote(leader: int, zxid: int, epoch: int) -> bytes:
    """A notification of somebody who looks for a leader, in a later round than all others."""
    ballot = struct.pack(">iqqqqi", LOOKING, leader, zxid, 1 << 40, epoch, 2)
    return buffer(ballot + buffer(b""))


def packet(kind: Packet, zxid: int, data: bytes | None = None) -> bytes:
    """A packet between a leader and a learner, in nobody's name."""
    return struct.pack(">iq", kind, zxid) + buffer(data) + struct.pack(">i", -1)


def info(sid: int, accepted: int) -> bytes:
    """Who a follower says to be, and which epoch it says to have promised."""
    return packet(Packet.FOLLOWER_INFO, accepted << 32, struct.pack(">qiq", sid, 0x10000, 0))


def ack_epoch(current: int, zxid: int) -> bytes:
    """The promise of an epoch, with what a follower says to have."""
    return packet(Packet.ACK_EPOCH, zxid, struct.pack(">i", current))


FIRST_VERSION = -65536
LOOKING = 0
