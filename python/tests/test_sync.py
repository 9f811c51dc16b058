"""What is particular to the front for threads that wait."""

import gc
import os
import signal
import threading
import time

import pytest

import quorate
from conftest import Place
from quorate import sync


def test_threads_share_a_client(server: sync.Server) -> None:
    failures: list[BaseException] = []
    with sync.connect(server) as zk:
        zk.create("/counter", b"0")

        def count() -> None:
            try:
                for _ in range(20):
                    with zk.lock("/lock", timeout=60) as held:
                        data, _ = zk.get("/counter")
                        held.guarded().set("/counter", b"%d" % (int(data) + 1)).commit()
            except BaseException as failure:
                failures.append(failure)

        threads = [threading.Thread(target=count) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert not failures
        assert zk.get("/counter")[0] == b"80"


def test_a_wait_releases_the_interpreter(server: sync.Server) -> None:
    with sync.connect(server) as zk, zk.lock("/lock"):
        waits = threading.Thread(target=lambda: wait_for(zk))
        waits.start()
        # Were the lock of the interpreter held, this thread would stand still for a second.
        began, turns = time.monotonic(), 0
        while waits.is_alive():
            turns += 1
            time.sleep(0.001)
            assert time.monotonic() < began + 30
        assert turns > 10


def wait_for(zk: sync.Client) -> None:
    with pytest.raises(TimeoutError):
        zk.lock("/lock").acquire(timeout=1)


def test_ctrl_c_ends_a_wait(server: sync.Server) -> None:
    with sync.connect(server) as zk, zk.lock("/lock"):
        ctrl_c = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
        ctrl_c.start()
        with pytest.raises(KeyboardInterrupt):
            zk.lock("/lock").acquire(timeout=30)
        ctrl_c.join()
        watcher = zk.watch("/lock", recursive=True).start()
        while len(zk.children("/lock")[0]) > 1:
            watcher.next(timeout=30)


def test_time_limits(server: sync.Server) -> None:
    with sync.connect(server) as zk:
        zk.create("/node")
        _, _, watch = zk.get_and_watch("/node")
        for wait in (watch.wait, zk.watch("/node").next, zk.states().next):
            with pytest.raises(quorate.OperationTimeoutError):
                wait(timeout=0.02)
        zk.set("/node", b"1", timeout=30)
        assert watch.wait(timeout=30).kind == "changed"
    with pytest.raises(quorate.ConnectionLossError):
        sync.connect("127.0.0.1:1", timeout=0.2)


def test_a_watch_in_a_loop(server: sync.Server) -> None:
    with sync.connect(server) as zk:
        zk.create("/node")
        seen = []
        with zk.watch("/node", recursive=True) as events:
            for name in "abc":
                zk.create(f"/node/{name}")
            for event in events:
                seen.append(event.path)
                if len(seen) == 3:
                    break
        assert seen == ["/node/a", "/node/b", "/node/c"]
        with pytest.raises(RuntimeError):
            sync.Client(server).get("/")


def test_a_lock_object_is_for_one_at_a_time(server: sync.Server) -> None:
    with sync.connect(server) as zk:
        lock = zk.lock("/lock")
        with lock as held:
            with pytest.raises(RuntimeError), lock:
                pass
            assert held.holds
        assert not held.holds
        with pytest.raises(quorate.InvalidStateError):
            held.guarded().check("/lock").commit()
        with lock:
            pass


def test_a_forgotten_client_warns_and_ends(server: sync.Server) -> None:
    zk = sync.connect(server)
    zk.create("/mine", mode="ephemeral")
    with pytest.warns(ResourceWarning, match="unclosed"):
        del zk
        gc.collect()
    with sync.connect(server) as other:
        while True:
            stat, watch = other.exists_and_watch("/mine")
            if stat is None:
                break
            watch.wait(timeout=30)


def test_close_comes_after_everything_that_was_asked_for(server: sync.Server) -> None:
    """By other threads, which are all told how it ended."""
    zk = sync.connect(server)
    zk.create("/counter")
    ended = []

    def count() -> None:
        done = 0
        try:
            while True:
                zk.set("/counter", b"")
                done += 1
        except quorate.ClosingError:
            ended.append(done)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    while zk.get("/counter")[1].version < 100:
        pass
    zk.close(timeout=30)
    for thread in threads:
        thread.join(30)
    assert len(ended) == 4
    zk.close()
    with sync.connect(server) as other:
        assert other.get("/counter")[1].version == sum(ended)


def test_credentials_and_rights(place: Place) -> None:
    root = place.new_root("rights")
    mine = [quorate.Acl(31, "auth", "")]
    with sync.connect(place.servers, root=root, auth=[("digest", b"me:secret")]) as zk:
        zk.create("/mine", b"1", acl=mine)
        zk.multi().create("/mine/too", acl=mine).commit()
        assert zk.get("/mine")[0] == b"1"
    with sync.connect(place.servers, root=root, auth=[("digest", b"me:other")]) as other:
        for path in ("/mine", "/mine/too"):
            with pytest.raises(quorate.NoAuthError) as caught:
                other.get(path)
            assert caught.value.path == path
