"""kazoo as a peer: it answers the programs' requests, in threads of this process."""

import contextlib
import json
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from typing import Any

from kazoo.client import KazooClient
from kazoo.exceptions import LockTimeout
from kazoo.retry import KazooRetry

from interop import node
from interop.peer import PATIENCE, Peer

FOR_EVER = 86_400.0


class KazooPeer(Peer):
    """One kazoo client. What requests name with `as` is kept until it is released."""

    def __init__(self, servers: str, name: str = "kazoo", timeout: float = 10.0) -> None:
        self.name = name
        self.client = KazooClient(
            servers, timeout=timeout, connection_retry=KazooRetry(max_tries=-1, max_delay=1.0)
        )
        self.client.start(PATIENCE)
        self._held: dict[str, Any] = {}
        self._threads = ThreadPoolExecutor(32)

    def begin(self, do: str, **arguments: Any) -> "Future[Any]":
        role, _, verb = do.partition(".")
        arguments = {key.rstrip("_"): value for key, value in arguments.items()}
        work: Callable[[str, dict[str, Any]], Any] = getattr(self, f"_{role}")
        return self._threads.submit(work, verb, arguments)

    def close(self) -> None:
        self.client.stop()
        self.client.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _lock(self, verb: str, call: dict[str, Any]) -> Any:
        if verb == "release":
            return self._held.pop(call["as"]).release()
        patterns = ["-lock-"] if call.get("mode") == "kazoo-patterns" else []
        lock = self.client.Lock(
            call["path"], call.get("data", call["as"]), extra_lock_patterns=patterns
        )
        if verb == "participants":
            return lock.contenders()
        assert verb == "acquire"
        return self._acquire(lock, call)

    def _rw(self, verb: str, call: dict[str, Any]) -> Any:
        if verb == "release":
            return self._held.pop(f"{call['as']}/{call['side']}").release()
        make = self.client.ReadLock if verb == "read" else self.client.WriteLock
        return self._acquire(make(call["path"], call["as"]), call, f"{call['as']}/{verb}")

    def _semaphore(self, verb: str, call: dict[str, Any]) -> Any:
        if verb == "release":
            return self._held.pop(call["as"]).release()
        semaphore = self.client.Semaphore(call["path"], call["as"], max_leases=call["leases"])
        return self._acquire(semaphore, call)

    def _acquire(self, lock: Any, call: dict[str, Any], name: str | None = None) -> bool:
        """All of kazoo's locks look alike."""
        try:
            held = bool(lock.acquire(timeout=call.get("wait", FOR_EVER)))
        except LockTimeout:
            return False
        if held:
            self._held[name or call["as"]] = lock
        return held

    def _election(self, verb: str, call: dict[str, Any]) -> Any:
        """`Election`, whose leadership lasts until `leave`."""
        if verb == "leave":
            term = self._held.pop(call["as"])
            term.over.set()
            return None
        if verb == "await":
            return bool(self._held[call["as"]].elected.wait(call.get("wait", FOR_EVER)))
        election = self.client.Election(call["path"], call.get("as"))
        if verb == "contenders":
            return election.contenders()
        assert verb == "join"
        term = self._held[call["as"]] = Term()
        self._threads.submit(election.run, term.lead)
        return None

    def _barrier(self, verb: str, call: dict[str, Any]) -> Any:
        if verb == "leave":
            return self._held.pop(call["as"]).leave()
        if verb == "enter":
            barrier = self.client.DoubleBarrier(call["path"], call["count"], call["as"])
            self._held[call["as"]] = barrier
            return barrier.enter()
        gate = self.client.Barrier(call["path"])
        match verb:
            case "close":
                return gate.create()
            case "open":
                return bool(gate.remove())
            case "wait":
                return bool(gate.wait(call.get("wait")))
        raise ValueError(verb)

    def _queue(self, verb: str, call: dict[str, Any]) -> Any:
        locking = call["kind"] == "locking"
        queue = (self.client.LockingQueue if locking else self.client.Queue)(call["path"])
        if verb == "put":
            return queue.put(call["item"].encode(), call.get("priority", 100))
        assert verb == "take"
        items: list[str] = []
        while len(items) < call["count"]:
            item = queue.get(timeout=PATIENCE) if locking else queue.get()
            if item is not None:
                items.append(item.decode())
                if locking:
                    queue.consume()
        return items

    def _count(self, verb: str, call: dict[str, Any]) -> int:
        curator = call["kind"] == "shared"
        self.client.ensure_path(call["path"].rpartition("/")[0] or "/")
        counter = self.client.Counter(call["path"], support_curator=curator)
        if verb == "add":
            counter += call["by"]
        return int(counter.value)

    def _party(self, verb: str, call: dict[str, Any]) -> Any:
        shallow = call.get("kind") == "shallow"
        make = self.client.ShallowParty if shallow else self.client.Party
        match verb:
            case "join":
                party = self._held[call["as"]] = make(call["path"], call["as"])
                return party.join()
            case "leave":
                return bool(self._held.pop(call["as"]).leave())
            case "list":
                return sorted(make(call["path"]))
        raise ValueError(verb)

    def _partition(self, verb: str, call: dict[str, Any]) -> Any:
        """`SetPartitioner`; `share` is what it has, with the number of the share."""
        if verb == "join":
            self._held[call["as"]] = Partition(self.client, call)
            return None
        if verb == "share":
            return self._held[call["as"]].share()
        assert verb == "leave"
        return self._held.pop(call["as"]).leave()

    def _lease(self, verb: str, call: dict[str, Any]) -> bool:
        """`NonBlockingLease`; with `count` `MultiNonBlockingLease`."""
        assert verb == "take"
        duration = timedelta(seconds=call["seconds"])
        if "count" in call:
            many = self.client.MultiNonBlockingLease
            return bool(many(call["count"], call["path"], duration, call["as"]))
        return bool(self.client.NonBlockingLease(call["path"], duration, call["as"]))

    def _node(self, verb: str, call: dict[str, Any]) -> Any:
        """Nodes as they are, and single requests."""
        match verb:
            case "children":
                return sorted(self.client.get_children(call["path"]))
            case "text":
                return self.client.get(call["path"])[0].decode()
            case "json":
                return json.loads(self.client.get(call["path"])[0])
        return node.by_kazoo(self.client, verb, call)


class Term:
    """One leadership in an election."""

    def __init__(self) -> None:
        self.elected = threading.Event()
        self.over = threading.Event()

    def lead(self) -> None:
        """Leads until told to stop."""
        self.elected.set()
        self.over.wait()


class Partition:
    """A member that takes its share again after each change, as kazoo's documentation says."""

    def __init__(self, client: KazooClient, call: dict[str, Any]) -> None:
        self._partitioner = client.SetPartitioner(
            call["path"],
            tuple(call["items"]),
            identifier=call["as"],
            time_boundary=call["quiet"] / 1000,
        )
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def share(self) -> tuple[int, list[str]] | None:
        partitioner = self._partitioner
        number, items = partitioner.state_id, sorted(partitioner)
        if partitioner.acquired and partitioner.state_id == number:
            return number, items
        return None

    def leave(self) -> None:
        self._over.set()
        self._thread.join()
        self._partitioner.finish()

    def _run(self) -> None:
        partitioner = self._partitioner
        while not self._over.wait(0.01) and not partitioner.failed:
            if partitioner.release:
                partitioner.release_set()
            elif partitioner.allocating:
                partitioner.wait_for_acquire(0.1)


def fresh_path(what: str) -> str:
    """A path that no other test uses."""
    return f"/{what}-{uuid.uuid4().hex[:12]}"


def children(client: KazooClient, path: str) -> list[str]:
    """The children of a node that may not be there."""
    from kazoo.exceptions import NoNodeError

    with contextlib.suppress(NoNodeError):
        return sorted(client.get_children(path))
    return []
