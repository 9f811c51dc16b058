"""kazoo: see README.md."""

import json
import sys
import time
from collections import deque

from kazoo.client import KazooClient

SECONDS = 2.0
IN_FLIGHT = 1000


def alone(zk):
    begin, done = time.perf_counter(), 0
    while (now := time.perf_counter()) < begin + SECONDS:
        for _ in range(100):
            zk.get("/bench-fronts")
        done += 100
    return done / (now - begin)


def in_flight(call):
    """Results are awaited in order, which is the order in which they come."""
    begin, done = time.perf_counter(), 0
    waiting = deque(call() for _ in range(IN_FLIGHT))
    while (now := time.perf_counter()) < begin + SECONDS:
        for _ in range(100):
            waiting.popleft().get()
            waiting.append(call())
        done += 100
    for result in waiting:
        result.get()
    return done / (now - begin)


def say(measure, value):
    print(json.dumps({"measure": measure, "value": value}), flush=True)


zk = KazooClient(sys.argv[1])
zk.start()
say("get, alone", alone(zk))
say("get, 1000 in flight", in_flight(lambda: zk.get_async("/bench-fronts")))
say("set, 1000 in flight", in_flight(lambda: zk.set_async("/bench-fronts", b"x" * 100)))
zk.stop()
