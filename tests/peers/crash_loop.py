"""kill -9 during load, again and again on one data directory.

Each round: start the server, let writers load it (interop.load), SIGKILL it at a random
moment, now and then also once more while it recovers, start it again and compare every
writer's subtree, those of the last rounds included, with its model. One writer's
session is resumed after the crash: its acknowledged ephemeral must be there, and gone
once the session is closed.

    PEER=quorate QUORATE_BIN=... python crash_loop.py --rounds 1000 [--seed N]

The seed fixes operations and moments; the interleaving with the server stays the
machine's. Exit code 1 with the reason at the first violation.
"""

import argparse
import random
import signal
import sys
import time
from collections import deque
from dataclasses import dataclass, field

from interop.load import Writer
from interop.server import Kind, Server, kind_under_test
from interop.tree import read_tree
from interop.wire import Connection, Op, create, versioned, watched


class Violation(Exception):
    """What the server broke, and in which round of which seed."""


@dataclass
class Totals:
    """What a loop has been through."""

    rounds: int = 0
    sent: int = 0
    acknowledged: int = 0
    recovery_kills: int = 0
    slowest_start: float = 0.0


@dataclass
class CrashLoop:
    """The loop over one server object; `run` raises Violation."""

    server: Server
    seed: int
    clients: int = 6
    depth: int = 12
    totals: Totals = field(default_factory=Totals)

    def run(self, rounds: int, progress: bool = False) -> Totals:
        """`rounds` crashes; 0 means until interrupted."""
        checked: deque[Writer] = deque()
        self._start()
        number = 0
        while rounds == 0 or number < rounds:
            number += 1
            try:
                checked.extend(self._round(number, list(checked)))
            except Exception as error:
                raise Violation(f"round {number} of seed {self.seed}: {error}") from error
            while len(checked) > KEPT_ROUNDS * self.clients:
                self._remove(checked.popleft().root)
            if progress:
                self._print_progress(number)
        self.server.stop()
        return self.totals

    def _round(self, number: int, earlier: list[Writer]) -> list[Writer]:
        choice = random.Random(f"{self.seed}/{number}")
        writers = [
            Writer(
                self.server.port, f"/r{number}-c{client}", choice.getrandbits(32), self.depth
            )
            for client in range(self.clients)
        ]
        ephemeral = f"/r{number}-ephemeral"
        holder = Connection(self.server.port, timeout_ms=60_000)
        assert holder.call(Op.CREATE, create(ephemeral, b"", flags=1)).error == 0
        for writer in writers:
            writer.start()
        time.sleep(choice.uniform(*LOAD_SECONDS))
        self.server.kill()
        for writer in writers:
            writer.join()
        holder.drop()
        self._count(writers)
        if choice.random() < 0.3:
            self._kill_while_recovering(choice)
        self._start()
        self._verify(writers, earlier)
        self._resume(holder, ephemeral)
        return writers

    def _verify(self, writers: list[Writer], earlier: list[Writer]) -> None:
        tree = read_tree(self.server.port)
        complaints = [writer.failure for writer in writers if writer.failure]
        complaints += [
            verdict for writer in writers + earlier if (verdict := writer.verdict(tree))
        ]
        if complaints:
            raise Violation("\n".join(complaints))

    def _resume(self, holder: Connection, ephemeral: str) -> None:
        link = Connection(self.server.port, session=holder.session, password=holder.password)
        if link.session != holder.session:
            raise Violation(f"session {holder.session:#x} is lost after the crash")
        if link.call(Op.EXISTS, watched(ephemeral)).error:
            raise Violation(f"acknowledged ephemeral {ephemeral} is lost")
        link.close_session()
        other = Connection(self.server.port)
        if other.call(Op.EXISTS, watched(ephemeral)).error != NO_NODE:
            raise Violation(f"ephemeral {ephemeral} outlives its closed session")
        other.close_session()

    def _kill_while_recovering(self, choice: random.Random) -> None:
        self.totals.recovery_kills += 1
        self.server.launch()
        time.sleep(choice.uniform(0.0, RECOVERY_SECONDS[self.server.kind]))
        self.server.kill()

    def _start(self) -> None:
        begin = time.monotonic()
        self.server.start()
        took = time.monotonic() - begin
        self.totals.slowest_start = max(self.totals.slowest_start, took)

    def _remove(self, root: str) -> None:
        paths = sorted(read_tree(self.server.port, root), key=len, reverse=True)
        link = Connection(self.server.port)
        for path in paths:
            link.send(Op.DELETE, versioned(path))
        errors = [reply for reply in (link.receive() for _ in paths) if reply.error]
        link.close_session()
        if errors:
            raise Violation(f"deleting {root}: {errors[0]}")

    def _count(self, writers: list[Writer]) -> None:
        self.totals.rounds += 1
        self.totals.sent += sum(len(writer.sent) for writer in writers)
        self.totals.acknowledged += sum(writer.replied for writer in writers)

    def _print_progress(self, number: int) -> None:
        if number % 10 == 0:
            print(f"crash loop: {self.totals}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description="kill -9 during load, in a loop")
    parser.add_argument("--rounds", type=int, default=1000, help="0: until interrupted")
    parser.add_argument("--seed", type=int, default=None, help="default: a random one")
    parser.add_argument("--clients", type=int, default=6)
    parser.add_argument("--depth", type=int, default=12, help="requests in flight each")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(2**31)
    print(f"crash loop: seed {seed}", flush=True)
    # SIGTERM ends like Ctrl-C, so that the server does not outlive the loop.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with Server(kind_under_test(), SETTINGS) as server:
        loop = CrashLoop(server, seed, options.clients, options.depth)
        try:
            print(f"crash loop: done, {loop.run(options.rounds, progress=True)}")
        except Violation as violation:
            print(f"crash loop: VIOLATION in {violation}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print(f"crash loop: interrupted, {loop.totals}")
    return 0


# Snapshots often, so that crashes fall into them; logs small, so that they roll.
SETTINGS = {"snapCount": "400", "preAllocSize": "64", "maxSessionTimeout": "120000"}

LOAD_SECONDS = (0.02, 0.4)
RECOVERY_SECONDS = {Kind.APACHE: 0.8, Kind.QUORATE: 0.05}

# So many rounds stay in the tree and are compared again after each later crash.
KEPT_ROUNDS = 4
NO_NODE = -101

if __name__ == "__main__":
    sys.exit(main())
