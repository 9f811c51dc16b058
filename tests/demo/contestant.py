"""A contestant of the demonstration, with the Python package: see README.md.

contestant.py ADDRESS NAME
"""

import asyncio
import contextlib
import sys

import quorate


async def main(address: str, name: str) -> None:
    loop = asyncio.get_running_loop()
    told = asyncio.Event()

    def listen() -> None:
        line = sys.stdin.readline()
        if line.strip() == "step down":
            told.set()
        if not line:
            loop.remove_reader(sys.stdin)

    loop.add_reader(sys.stdin, listen)
    async with quorate.connect(address, session_timeout=2.0) as zk:
        while not await lead(zk, name, told):
            say(f"lost {name}")
    say(f"left {name}")


async def lead(zk: quorate.Client, name: str, told: asyncio.Event) -> bool:
    """One term. True if it ended because this was told to step down."""
    say(f"waiting {name}")
    term = await zk.leader("/demo/latch", id=name.encode()).stand()
    say(f"leading {name} {term.token}")
    count = 0
    value = f"{name} {term.token}"
    # Whether the term goes on is not looked at: that it does is what the guard is for.
    while not told.is_set():
        try:
            text = f"{value} {count}" if count else value
            await term.guarded().set("/demo/leader", text.encode()).commit()
        except quorate.Error:
            break
        if count == 0:
            say(f"wrote {value}")
        count += 1
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(told.wait(), 0.05)
    await term.step_down()
    return told.is_set()


def say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
