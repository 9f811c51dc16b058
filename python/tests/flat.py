"""Opens and closes clients, and does operations, and says what that leaves behind: memory, threads, descriptors.

    flat.py --opens 100000 --operations 1000000     ends with 1 if anything grows

Run by `test_flat.py` with small numbers.
"""

import argparse
import asyncio
import gc
import sys
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import quorate
from quorate import sync

# Allocators keep what they had once; more than this, after a warm-up, is a leak in such numbers.
SLACK_KB = 6 * 1024
ROUND = 1000


class Usage(NamedTuple):
    resident_kb: int
    threads: int
    descriptors: int


def usage() -> Usage:
    gc.collect()
    status = Path("/proc/self/status").read_text("ascii")
    fields = dict(line.split(":", 1) for line in status.splitlines())
    resident = int(fields["VmRSS"].split()[0])
    return Usage(resident, int(fields["Threads"]), len(list(Path("/proc/self/fd").iterdir())))


class Flat:
    """Repeats work and compares the usage after a fifth of it with that at the end."""

    def __init__(self) -> None:
        self.grown: list[str] = []

    async def repeat(self, name: str, count: int, work: Callable[[int], Awaitable[None]]) -> None:
        began, done = time.monotonic(), 0
        before: Usage | None = None
        while done < count:
            step = min(ROUND, count - done)
            await work(step)
            done += step
            if before is None and done >= count // 5:
                before = usage()
        after = usage()
        assert before is not None
        seconds = time.monotonic() - began
        print(f"{name}: {count:,} in {seconds:.1f} s; after a fifth {before}, at the end {after}", flush=True)
        if after.resident_kb > before.resident_kb + SLACK_KB:
            self.grown.append(f"{name}: memory")
        if after.threads > before.threads or after.descriptors > before.descriptors:
            self.grown.append(f"{name}: threads or descriptors")


async def main(opens: int, operations: int) -> list[str]:
    flat = Flat()
    waiting = ThreadPoolExecutor(1)
    settings = {"maxClientCnxns": "0", "snapCount": "100000000"}
    async with quorate.Server(port=0, settings=settings) as server:
        address = server.address
        assert address is not None

        async def open_close(count: int) -> None:
            for number in range(count):
                async with quorate.connect(address if number % 2 else server) as zk:
                    await zk.exists("/")

        async def open_close_waiting(count: int) -> None:
            def work() -> None:
                for _ in range(count):
                    with sync.connect(address) as zk:
                        zk.exists("/")

            # One thread, whose number does not depend on how busy the machine is.
            await asyncio.get_running_loop().run_in_executor(waiting, work)

        await flat.repeat("open and close", opens * 4 // 5, open_close)
        await flat.repeat("open and close, waiting", opens // 5, open_close_waiting)
        async with quorate.connect(address) as far, quorate.connect(server) as near:
            await far.create("/node", b"x" * 100)

            async def mixed(count: int) -> None:
                """Reads and writes in flight, watches that fire and that are dropped, cancelled calls."""
                for zk in (far, near):
                    calls = [zk.get("/node") for _ in range(count // 4)]
                    await asyncio.gather(*calls, *(zk.set("/node", b"y" * 100) for _ in range(count // 5)))
                    for _ in range(count // 100):
                        _, _, watch = await zk.get_and_watch("/node")
                        await zk.set("/node", b"z")
                        await watch
                        await zk.exists_and_watch("/none")
                        task = asyncio.create_task(zk.watch("/node").next())
                        await asyncio.sleep(0)
                        task.cancel()
                    async with zk.lock("/lock") as held:
                        await held.guarded().set("/node", b"1").commit()

            await flat.repeat("operations", operations, mixed)
    return flat.grown


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--opens", type=int, default=100_000)
    parser.add_argument("--operations", type=int, default=1_000_000)
    options = parser.parse_args()
    sys.exit("\n".join(asyncio.run(main(options.opens, options.operations))) or None)
