"""Hosts a server, lets contestants in all languages take turns as leader, and looks at what they do: see README.md."""

import argparse
import asyncio
import contextlib
import os
import shutil
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path

import quorate

HERE = Path(__file__).resolve().parent
TARGET = HERE.parents[1] / "target"
# No step takes longer; a session lives 2 s.
PATIENCE = 60.0

LANGUAGES: dict[str, list[str]] = {
    "Python": [sys.executable, str(HERE / "contestant.py")],
    "Rust": [str(TARGET / "release" / "contestant")],
    "C": [str(TARGET / "demo" / "contestant-c")],
    "C++": [str(TARGET / "demo" / "contestant-cpp")],
    "Node": [shutil.which("node") or "node", str(HERE / "contestant.mjs")],
}


def say(text: str) -> None:
    print(text, flush=True)


@dataclass
class Contestant:
    """A program that stands for the leadership."""

    name: str
    process: asyncio.subprocess.Process
    lines: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    reader: asyncio.Task[None] | None = None

    @classmethod
    async def start(cls, name: str, command: list[str], address: str) -> "Contestant":
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*command, address, name, stdin=pipe, stdout=pipe)
        contestant = cls(name, process)
        contestant.reader = asyncio.create_task(contestant.read())
        return contestant

    async def read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            text = line.decode().strip()
            say(f"    {self.name:7} | {text}")
            await self.lines.put(text)

    async def says(self, start: str) -> str:
        """Waits for the line that begins so; none but these may come."""
        async with asyncio.timeout(PATIENCE):
            line = await self.lines.get()
        assert line.startswith(start), f"{self.name} says {line!r}, expected {start!r}"
        return line

    async def leads(self) -> int:
        """Waits until it leads and has written; gives its token."""
        token = (await self.says(f"leading {self.name} ")).split()[-1]
        await self.says(f"wrote {self.name} {token}")
        return int(token)

    def send(self, what: signal.Signals) -> None:
        os.kill(self.process.pid, what)

    async def end(self) -> None:
        """Ends it, if it has not."""
        if self.process.returncode is None:
            # Not `process.kill`: it may take the exit code away from the loop, which then complains.
            with contextlib.suppress(ProcessLookupError):
                self.send(signal.SIGKILL)
        await self.process.wait()


class History:
    """What was written to the leader's node, and by whom.

    Each leader numbers its writes, and the server all of them. So if between two values of one leader the server
    counts as many writes as the leader does, no other's was among them, whether it was seen here or not.
    """

    def __init__(self) -> None:
        self.token = 0
        self.count = 0
        self.version = 0

    async def follow(self, zk: quorate.Client) -> None:
        """Looks at every value that it sees."""
        async for _ in await zk.watch("/demo/leader"):
            data, stat = await zk.get("/demo/leader")
            if stat.version > self.version:
                self.saw(data.decode(), stat.version)

    def saw(self, value: str, version: int) -> None:
        name, token_text, *rest = value.split()
        token, count = int(token_text), int(rest[0]) if rest else 0
        assert token >= self.token, f"{name} wrote with token {token} after {self.token}"
        if token == self.token:
            foreign = (version - self.version) - (count - self.count)
            assert foreign == 0, f"{foreign} writes of others while {name} led with token {token}"
        else:
            assert version - count > self.version, f"{name} began before the last leader ended"
        self.token, self.count, self.version = token, count, version

    async def grows(self) -> None:
        """Waits for a few more writes."""
        goal = self.version + 5
        async with asyncio.timeout(PATIENCE):
            while self.version < goal:
                await asyncio.sleep(0.01)


async def main(first: str, everyone: bool) -> None:
    settings = {"tickTime": "500"}
    async with quorate.Server(port=0, settings=settings) as server, quorate.connect(server) as zk:
        await zk.create("/demo")
        await zk.create("/demo/leader")
        assert server.address is not None
        say(f"A server in this Python process listens on {server.address}.")
        history = History()
        async with asyncio.TaskGroup() as group:
            follows = group.create_task(history.follow(zk))
            contestants: list[Contestant] = []
            try:
                await play(zk, server.address, history, contestants, in_turn(first), everyone)
            finally:
                for contestant in contestants:
                    await contestant.end()
                follows.cancel()
        names, _ = await zk.children("/demo/latch")
        assert names == [], f"left behind: {names}"
    say(f"{history.version} guarded writes, each by the leader of its time.")


def in_turn(first: str) -> list[str]:
    """The languages in their order, from this one on."""
    names = list(LANGUAGES)
    at = names.index(first)
    return names[at:] + names[:at]


def missing(command: list[str]) -> list[str]:
    """What of a command is not there."""
    return [part for part in command if not Path(part).exists()]


async def play(
    zk: quorate.Client,
    address: str,
    history: History,
    contestants: list[Contestant],
    languages: list[str],
    everyone: bool,
) -> None:
    for name in languages:
        command = LANGUAGES[name]
        lacking = missing(command)
        if lacking:
            assert not everyone, f"{name} is missing: {lacking[0]}"
            say(f"{name} does not take part: there is no {Path(lacking[0]).name}.")
            continue
        contestant = await Contestant.start(name, command, address)
        contestants.append(contestant)
        await contestant.says("waiting")
        # In line before the next comes, so that the order is known.
        await in_line(zk, len(contestants))
    assert len(contestants) > 1, "nobody to take over"

    queue = list(contestants)
    paused = queue.pop(0)
    token = await paused.leads()
    await history.grows()
    say(f"{paused.name} leads with token {token}. It is paused for longer than its session lives.")
    paused.send(signal.SIGSTOP)
    leader = queue.pop(0)
    token = await follows_with(leader, token)
    await history.grows()
    say(f"{paused.name} wakes up and still wants to write.")
    paused.send(signal.SIGCONT)
    await paused.says("lost")
    await paused.says("waiting")
    queue.append(paused)
    await history.grows()
    say(f"Its write was refused. {leader.name} leads.")

    # This one's session lives, so that only the guard keeps its next write away.
    say(f"{leader.name}'s place in line is deleted behind its back.")
    robbed, leader = leader, queue.pop(0)
    await zk.delete(f"/demo/latch/{await first_in_line(zk)}")
    await robbed.says("lost")
    await robbed.says("waiting")
    queue.append(robbed)
    token = await follows_with(leader, token)
    await history.grows()

    while queue:
        say(f"{leader.name} is killed.")
        leader.send(signal.SIGKILL)
        await leader.end()
        leader = queue.pop(0)
        token = await follows_with(leader, token)
        await history.grows()
    say(f"Only {leader.name} is left. It is told to step down.")
    assert leader.process.stdin is not None
    leader.process.stdin.write(b"step down\n")
    await leader.process.stdin.drain()
    await leader.says(f"left {leader.name}")
    async with asyncio.timeout(PATIENCE):
        assert await leader.process.wait() == 0


async def in_line(zk: quorate.Client, count: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            stat = await zk.exists("/demo/latch")
            if stat is not None and stat.num_children == count:
                return
            await asyncio.sleep(0.02)


async def first_in_line(zk: quorate.Client) -> str:
    """The node of the leader."""
    names, _ = await zk.children("/demo/latch")
    return min(names, key=lambda name: name[-10:])


async def follows_with(leader: Contestant, before: int) -> int:
    token = await leader.leads()
    assert token > before, f"{leader.name} leads with token {token} after {before}"
    say(f"{leader.name} takes over with token {token}.")
    return token


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", action="store_true", help="fail if a language is missing")
    parser.add_argument(
        "--first", choices=LANGUAGES, default="Python", help="which leads first, is paused, and is the last to be left"
    )
    return parser.parse_args()


if __name__ == "__main__":
    options = arguments()
    asyncio.run(main(options.first, options.all))
