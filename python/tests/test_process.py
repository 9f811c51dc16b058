"""The ends and beginnings of processes: open handles at the end of the interpreter, fork, spawn."""

import multiprocessing
import os
import subprocess
import sys
import textwrap
import time

import pytest

from quorate import sync

START = """
import asyncio, os, sys, threading, warnings
import quorate
from quorate import sync
warnings.simplefilter("ignore", ResourceWarning)
"""


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-X", "dev", "-c", START + textwrap.dedent(program), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


OPEN_HANDLES = {
    "clients and servers": """
        server = sync.Server(port=0).start()
        zk = sync.connect(server)
        far = sync.connect(server.address)
        held = far.lock("/lock").acquire()
        events = zk.watch("/", recursive=True).start()
        print("done")
    """,
    "a cycle": """
        class Box: pass
        box = Box()
        box.box, box.server = box, sync.Server().start()
        box.zk = sync.connect(box.server)
        print("done")
    """,
    "a daemon thread that waits": """
        server = sync.Server().start()
        zk = sync.connect(server)
        held = zk.lock("/lock").acquire()
        waits = threading.Thread(target=lambda: zk.lock("/lock").acquire(), daemon=True)
        waits.start()
        while len(zk.children("/lock")[0]) < 2: pass
        print("done")
    """,
    "a loop that ended": """
        async def main():
            global zk, events, server
            server = await quorate.Server(port=0).start()
            zk = await quorate.connect(server.address)
            await zk.create("/n")
            events = await zk.watch("/n")
            for _ in range(100): asyncio.ensure_future(zk.get("/n"))
            asyncio.ensure_future(events.next())
            asyncio.ensure_future(zk.lock("/l").acquire())
            await asyncio.sleep(0)
        asyncio.run(main())
        print("done")
    """,
    "no server any more": """
        server = sync.Server(port=0).start()
        zk = sync.connect(server.address)
        server.stop()
        print("done")
    """,
    "an exit in a thread's work": """
        server = sync.Server().start()
        zk = sync.connect(server)
        def work():
            while True: zk.exists("/")
        threading.Thread(target=work, daemon=True).start()
        for _ in range(1000): zk.exists("/")
        print("done")
    """,
}


@pytest.mark.parametrize("name", OPEN_HANDLES)
def test_the_interpreter_ends_with_open_handles(name: str) -> None:
    ended = run(OPEN_HANDLES[name])
    assert (ended.returncode, ended.stdout) == (0, "done\n"), ended.stderr
    assert "panic" not in ended.stderr and "Exception" not in ended.stderr, ended.stderr


def test_a_forked_child_is_told() -> None:
    """A clear error for each of its parent's handles, new ones that work, and an end without a hang."""
    ended = run("""
        server = sync.Server(port=0).start()
        zk = sync.connect(server.address)
        address = server.address
        held = zk.lock("/lock").acquire()
        child = os.fork()
        if child == 0:
            for call in (lambda: zk.get("/"), lambda: sync.connect(server), lambda: held.holds, held.release, zk.close,
                         server.stop):
                try:
                    call()
                except RuntimeError as error:
                    assert "forked" in str(error), error
                else:
                    raise AssertionError(call)
            with sync.connect(address) as own:
                assert len(own.children("/lock")[0]) == 1
            async def main():
                async with quorate.Server() as own, quorate.connect(own) as zk, zk.lock("/lock"):
                    pass
            asyncio.run(main())
            del held, zk, server
            sys.exit(0)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        assert held.holds and zk.get("/")
        held.release(); zk.close(); server.stop()
        print("done")
    """)
    assert (ended.returncode, ended.stdout) == (0, "done\n"), ended.stderr


def test_a_child_forked_before_first_use_works() -> None:
    ended = run("""
        child = os.fork()
        with sync.Server() as server, sync.connect(server) as zk:
            zk.create("/n")
        if child:
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
            print("done")
    """)
    assert (ended.returncode, ended.stdout) == (0, "done\n"), ended.stderr


def test_spawned_processes_work(server: sync.Server) -> None:
    assert server.address is not None
    context = multiprocessing.get_context("spawn")
    with sync.connect(server) as zk:
        zk.create("/counter", b"0")
        children = [context.Process(target=count, args=(server.address,)) for _ in range(2)]
        for child in children:
            child.start()
        for child in children:
            child.join(60)
            assert child.exitcode == 0
        assert zk.get("/counter")[0] == b"20"


def count(address: str) -> None:
    with sync.connect(address) as zk:
        for _ in range(10):
            with zk.lock("/lock") as held:
                data, _ = zk.get("/counter")
                held.guarded().set("/counter", b"%d" % (int(data) + 1)).commit()


def test_a_dead_holder_is_followed(server: sync.Server) -> None:
    """A process that is killed loses its lock when its session does, not later."""
    assert server.address is not None
    context = multiprocessing.get_context("spawn")
    ready, says = context.Pipe()
    child = context.Process(target=hold, args=(server.address, says))
    child.start()
    token = ready.recv()
    assert child.pid is not None
    os.kill(child.pid, 9)
    child.join()
    began = time.monotonic()
    with sync.connect(server) as zk, zk.lock("/lock", timeout=30) as held:
        assert held.token > token
    assert time.monotonic() < began + 30


def hold(address: str, says: "multiprocessing.connection.Connection") -> None:
    with sync.connect(address, session_timeout=0.5) as zk, zk.lock("/lock") as held:
        says.send(held.token)
        time.sleep(60)
