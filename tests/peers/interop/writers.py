"""Clients of both kinds that write all the time, each under one session that holds a node.

What is waited for is counted and not timed: `progress` lets every one of them write again. A
write whose answer was lost is made again until it is answered, so that in the end all of them
are acknowledged.
"""

import threading
from functools import partial
from pathlib import Path

from interop import node, programs
from interop.kazoo_peer import KazooPeer
from interop.peer import PATIENCE, Peer
from interop.players import until

PATH = "/written"
# Longer than an election, shorter than what members are away: a session that is forgotten ends.
SESSION = 4.0
# So often everybody writes between two steps.
STEPS = 5
# A pause between two writes, seconds: members are to be loaded, and the disk not to be filled.
PAUSE = 0.005


class Holder:
    """One client, which holds a node."""

    def __init__(self, peer: Peer, name: str) -> None:
        self.name = name
        self._peer = peer
        self.held = node.answer(
            peer.call("node.create", path=self.mark, text=name, ephemeral=True)
        )
        assert self.held.done, self.held

    @property
    def mark(self) -> str:
        """The node, which goes when the session does."""
        return f"{PATH}/{self.name}-is-here"

    def close(self) -> None:
        """Ends the session."""
        self._peer.close()


class Writer(Holder):
    """One that writes besides, until it is told to stop."""

    def __init__(self, peer: Peer, name: str) -> None:
        super().__init__(peer, name)
        self.acknowledged: list[str] = []
        self._over = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def count(self) -> int:
        """How many writes have been acknowledged."""
        if self._failure is not None:
            raise AssertionError(f"{self.name} has failed") from self._failure
        return len(self.acknowledged)

    def has_made(self, writes: int) -> bool:
        """Whether so many writes have been acknowledged."""
        return self.count >= writes

    def stop(self) -> None:
        """Lets the last write come to its end."""
        self._over.set()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), f"{self.name} waits for the answer of a write"
        _ = self.count

    def close(self) -> None:
        self._over.set()
        super().close()

    def _run(self) -> None:
        try:
            while not self._over.wait(PAUSE):
                path = f"{PATH}/{self.name}-{len(self.acknowledged):06}"
                if self._write(path):
                    self.acknowledged.append(path)
        except BaseException as error:  # It is told by whoever looks at the count.
            self._failure = error

    def _write(self, path: str) -> bool:
        """Writes; false if it was told to stop while nobody answered."""
        made = node.answer(self._peer.call("node.create", path=path, text=self.name))
        while made.code == "ConnectionLoss" and not self._over.is_set():
            made = node.answer(self._peer.call("node.create", path=path, text=self.name))
            # What was lost may have been done.
            if made.code == "NodeExists":
                return True
        assert made.done or made.code == "ConnectionLoss", made
        return made.done


class Writers:
    """Three clients of kazoo's and three of ours at one service, until `close`; and one of each
    that holds its node and does nothing, so that its session lives by its pings alone."""

    def __init__(self, servers: str, logs: Path) -> None:
        self._reader = KazooPeer(servers)
        self._reader.client.create(PATH)
        self._logs = logs
        self._servers = servers
        self._writers = [Writer(*self._peer(number)) for number in range(6)]
        self._idle = [Holder(*self._peer(number)) for number in range(6, 8)]

    def _peer(self, number: int) -> tuple[Peer, str]:
        """A new client, of ours if the number is odd, and its name."""
        if number % 2 == 0:
            return KazooPeer(self._servers, timeout=SESSION), f"kazoo-{number}"
        log = self._logs / f"client-{number}.log"
        ours = programs.start("quorate", self._servers, log, str(int(SESSION * 1000)))
        ours.wait_ready()
        return ours, f"quorate-{number}"

    def progress(self) -> None:
        """Waits until everybody has written again."""
        goals = [(writer, writer.count + STEPS) for writer in self._writers]
        for writer, goal in goals:
            until(partial(writer.has_made, goal), f"a write of {writer.name}")

    def stop(self) -> int:
        """Ends the load; answers how many writes were acknowledged."""
        for writer in self._writers:
            writer.stop()
        return sum(writer.count for writer in self._writers)

    def check(self, member: str, everything: bool = False) -> None:
        """Looks through this member: all sessions live, and what they hold has never gone.

        With `everything` also that all is there that was acknowledged before."""
        acknowledged = [path for writer in self._writers for path in writer.acknowledged]
        peer = KazooPeer(member)
        try:
            for client in [*self._writers, *self._idle]:
                now = node.answer(peer.call("node.read", path=client.mark))
                assert now == client.held, (client.name, member)
            if everything:
                names = peer.client.get_children(PATH)
                lost = set(acknowledged) - {f"{PATH}/{name}" for name in names}
                assert not lost, (member, sorted(lost)[:10])
        finally:
            peer.close()

    def close(self) -> None:
        for client in [*self._writers, *self._idle]:
            client.close()
        self._reader.close()

    def __enter__(self) -> "Writers":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
