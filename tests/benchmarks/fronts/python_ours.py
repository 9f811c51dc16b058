"""Our Python package: see README.md."""

import asyncio
import json
import statistics
import sys
import time

import quorate
from quorate import sync

SECONDS = 2.0
IN_FLIGHT = 1000


async def alone(zk):
    """Operations per second, one after the other."""
    begin, done = time.perf_counter(), 0
    while (now := time.perf_counter()) < begin + SECONDS:
        for _ in range(100):
            await zk.get("/bench-fronts")
        done += 100
    return done / (now - begin)


async def in_flight(call):
    """Operations per second with many tasks, each of which does one after the other."""
    end, done = time.perf_counter() + SECONDS, 0

    async def work():
        nonlocal done
        while time.perf_counter() < end:
            await call()
            done += 1

    begin = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))
    return done / (time.perf_counter() - begin)


def waiting(zk):
    begin, done = time.perf_counter(), 0
    while (now := time.perf_counter()) < begin + SECONDS:
        for _ in range(100):
            zk.get("/bench-fronts")
        done += 100
    return done / (now - begin)


async def ready():
    """Milliseconds until a server in this process has answered."""
    times = []
    for _ in range(20):
        begin = time.perf_counter()
        async with quorate.Server() as server, quorate.connect(server) as zk:
            await zk.exists("/")
            times.append((time.perf_counter() - begin) * 1000)
    return statistics.median(times)


def say(measure, value):
    print(json.dumps({"measure": measure, "value": value}), flush=True)


async def main(address):
    async with quorate.connect(address) as zk:
        say("get, alone", await alone(zk))
        say("get, 1000 in flight", await in_flight(lambda: zk.get("/bench-fronts")))
        say("set, 1000 in flight", await in_flight(lambda: zk.set("/bench-fronts", b"x" * 100)))
    async with quorate.Server() as server, quorate.connect(server) as zk:
        await zk.create("/bench-fronts", b"x" * 100)
        say("get, in process", await alone(zk))
    say("server ready", await ready())


asyncio.run(main(sys.argv[1]))
with sync.connect(sys.argv[1]) as client:
    say("get, alone, waiting front", waiting(client))
with sync.Server() as server, sync.connect(server) as client:
    client.create("/bench-fronts", b"x" * 100)
    say("get, in process, waiting front", waiting(client))
