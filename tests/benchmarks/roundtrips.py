"""A proxy on loopback that counts what a client waits for.

A round trip begins when a session that waits for nothing sends a request. What is sent before
the answers to earlier requests have come belongs to the same round trip: so a client that asks
for two things in one piece waits once. Pings, auth packets and notifications do not count.
"""

import contextlib
import socket
import struct
import threading

PING, AUTH, SET_WATCHES, EVENT = -2, -4, -8, -1
DELETE = 2


class Counts:
    """What has passed so far, on all connections."""

    def __init__(self):
        self.requests = 0
        self.trips = 0
        self.deletes = 0

    def __sub__(self, other):
        less = Counts()
        for name in vars(self):
            setattr(less, name, getattr(self, name) - getattr(other, name))
        return less

    def copy(self):
        return self - Counts()


class Proxy:
    """Listens on a free port of the loopback interface and passes everything on to `port`."""

    def __init__(self, port):
        self.target = port
        self.counts = Counts()
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        # A listener that is only closed goes on accepting for as long as a thread waits in it.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.target))
            session = Session(self)
            for ends, seen in (
                ((client, server), session.request),
                ((server, client), session.reply),
            ):
                for end in ends:
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=pump, args=(*ends, seen), daemon=True).start()


class Session:
    """One connection's requests and replies."""

    def __init__(self, proxy):
        self.proxy = proxy
        self.waiting = 0

    def request(self, frame):
        xid, op = struct.unpack_from(">ii", frame)
        if xid in (PING, AUTH, SET_WATCHES):
            return
        with self.proxy.lock:
            counts = self.proxy.counts
            counts.requests += 1
            counts.trips += self.waiting == 0
            counts.deletes += op == DELETE
            self.waiting += 1

    def reply(self, frame):
        (xid,) = struct.unpack_from(">i", frame)
        if xid not in (PING, AUTH, SET_WATCHES, EVENT):
            with self.proxy.lock:
                self.waiting -= 1


def pump(source, sink, seen):
    """Passes bytes on, and shows each whole frame but the first (the handshake) to `seen`."""
    buffer, greeted = b"", False
    with contextlib.suppress(OSError):
        while piece := source.recv(1 << 16):
            buffer += piece
            while len(buffer) >= 4:
                end = 4 + struct.unpack_from(">i", buffer)[0]
                if len(buffer) < end:
                    break
                if greeted:
                    seen(buffer[4:end])
                greeted, buffer = True, buffer[end:]
            sink.sendall(piece)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def per_lock(port, run, count=100):
    """Round trips and requests for each lock; `run(address, n)` takes and releases it n times.

    What a program does besides (connecting, its warm-up) falls out: of two runs, one of which
    takes the lock twice as often, the difference counts, by the number of nodes deleted.
    """
    # The first lock of all makes its directory.
    run(f"127.0.0.1:{port}", 1)
    seen = []
    for times in (count, 2 * count):
        proxy = Proxy(port)
        run(proxy.address, times)
        with proxy.lock:
            seen.append(proxy.counts.copy())
        proxy.close()
    more = seen[1] - seen[0]
    return more.trips / more.deletes, more.requests / more.deletes
