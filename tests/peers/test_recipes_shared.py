"""Read/write locks, semaphores, counters and values of several clients on one path."""

from typing import Any

import pytest

from interop.kazoo_peer import fresh_path
from interop.peer import PeerError
from interop.players import QUIET, Company, until
from interop.table import shows

CURATORS = ["curator-5.4", "curator-5.9"]
BOTH = "Curator 5.4, 5.9"

# Our mode -> the others whose read/write locks it shares.
SHARED = [(mode, kind) for mode in ("curator", "bridge") for kind in CURATORS]
SHARED += [(mode, "kazoo") for mode in ("kazoo", "bridge")]


@pytest.mark.parametrize(("mode", "kind"), SHARED)
@pytest.mark.parametrize("we_hold", [True, False], ids=["we-hold", "it-holds"])
@shows(
    "read/write lock",
    f"{BOTH} (modes curator and bridge), kazoo (modes kazoo and bridge)",
    "each holds, the other comes",
    "readers enter together; a writer waits for readers and writers, a reader for writers",
)
def test_read_write(together: Company, mode: str, kind: str, we_hold: bool) -> None:
    path = fresh_path("rw")
    ours, other = together.peer("quorate"), together.peer(kind)
    holder, contender = (ours, other) if we_hold else (other, ours)
    one: dict[str, Any] = {"path": path, "as_": f"{path}-1", "mode": mode}
    two: dict[str, Any] = {"path": path, "as_": f"{path}-2", "mode": mode}
    assert holder.call("rw.read", **one)
    assert contender.call("rw.read", **two)
    contender.call("rw.release", side="read", **two)
    for held, wanted in [("read", "write"), ("write", "write"), ("write", "read")]:
        if held == "write":
            assert holder.call("rw.write", **one)
        waiting = contender.begin(f"rw.{wanted}", **two)
        with pytest.raises(TimeoutError):
            waiting.result(QUIET)
        holder.call("rw.release", side=held, **one)
        assert waiting.result(20.0)
        contender.call("rw.release", side=wanted, **two)


@pytest.mark.parametrize("kind", CURATORS)
@shows(
    "read/write lock",
    BOTH,
    "we downgrade, it reads and writes",
    "it reads beside us, a writer waits",
)
def test_downgrade(together: Company, kind: str) -> None:
    path = fresh_path("downgrade")
    ours, other = together.peer("quorate"), together.peer(kind)
    assert ours.call("rw.write", path=path, as_=path)
    reading = other.begin("rw.read", path=path, as_=f"{path}-r")
    with pytest.raises(TimeoutError):
        reading.result(QUIET)
    assert ours.call("rw.downgrade", path=path, as_=path)
    assert reading.result(20.0)
    other.call("rw.release", side="read", path=path, as_=f"{path}-r")
    writing = other.begin("rw.write", path=path, as_=f"{path}-w")
    with pytest.raises(TimeoutError):
        writing.result(QUIET)
    ours.call("rw.release", side="read", path=path, as_=path)
    assert writing.result(20.0)
    other.call("rw.release", side="write", path=path, as_=f"{path}-w")


@pytest.mark.parametrize("kind", CURATORS)
@shows("read/write lock", BOTH, "it downgrades, we read and write", "as the other way round")
def test_its_downgrade(together: Company, kind: str) -> None:
    path = fresh_path("downgrade")
    ours, other = together.peer("quorate"), together.peer(kind)
    held = {"path": path, "as_": path}
    assert other.call("rw.write", **held)
    reading = ours.begin("rw.read", path=path, as_=f"{path}-r")
    with pytest.raises(TimeoutError):
        reading.result(QUIET)
    # Beside its write lock, at its place in the queue.
    assert other.call("rw.read", **held)
    writing = ours.begin("rw.write", path=path, as_=f"{path}-w")
    other.call("rw.release", side="write", **held)
    assert reading.result(20.0)
    ours.call("rw.release", side="read", path=path, as_=f"{path}-r")
    with pytest.raises(TimeoutError):
        writing.result(QUIET)
    other.call("rw.release", side="read", **held)
    assert writing.result(20.0)
    ours.call("rw.release", side="write", path=path, as_=f"{path}-w")


@pytest.mark.parametrize("side", ["read", "write"])
@pytest.mark.parametrize("we_are_exclusive", [True, False])
@pytest.mark.parametrize("exclusive_first", [True, False])
@shows(
    "read/write lock",
    "kazoo: Lock, ReadLock, WriteLock",
    "the lock of one client, the read or write lock of the other (mode kazoo)",
    "they exclude each other",
)
def test_lock_beside_read_write(
    together: Company, side: str, we_are_exclusive: bool, exclusive_first: bool
) -> None:
    path = fresh_path("rw")
    ours, kazoo = together.peer("quorate"), together.peer("kazoo")
    plain, shared = (ours, kazoo) if we_are_exclusive else (kazoo, ours)
    lock = (plain, "lock.acquire", "lock.release", {"path": path, "as_": path, "mode": "kazoo"})
    part = (shared, f"rw.{side}", "rw.release", {**lock[3], "side": side})
    if side == "read" and not exclusive_first:
        # A plain lock knows no readers.
        return
    (first, take, give, held), (second, want, leave, wanted) = (
        (lock, part) if exclusive_first else (part, lock)
    )
    assert first.call(take, **held)
    waiting = second.begin(want, **wanted)
    with pytest.raises(TimeoutError):
        waiting.result(QUIET)
    first.call(give, **held)
    assert waiting.result(20.0)
    second.call(leave, **wanted)


@pytest.mark.parametrize("we_are_first", [True, False], ids=["we-are-first", "it-is-first"])
@shows(
    "lease by wall clocks",
    "kazoo: NonBlockingLease",
    "each takes it, the other asks; both renew for one identifier; it ends",
    "one has it until its end; the identifier is whose it is, not the client",
)
def test_lease(together: Company, we_are_first: bool) -> None:
    path = fresh_path("lease")
    pair = [together.peer("quorate"), together.peer("kazoo")]
    first, second = pair if we_are_first else reversed(pair)
    assert first.call("lease.take", path=path, as_="one", seconds=3600)
    assert not second.call("lease.take", path=path, as_="two", seconds=3600)
    # Renewed from the other client, for a second more.
    assert second.call("lease.take", path=path, as_="one", seconds=1)
    assert not first.call("lease.take", path=path, as_="two", seconds=3600)
    until(lambda: first.call("lease.take", path=path, as_="two", seconds=3600), "its end")
    assert not second.call("lease.take", path=path, as_="one", seconds=3600)


@pytest.mark.parametrize("we_are_first", [True, False], ids=["we-are-first", "it-is-first"])
@shows(
    "lease by wall clocks",
    "kazoo: MultiNonBlockingLease",
    "both take of two, in turns",
    "two have one each, and keep it",
)
def test_leases(together: Company, we_are_first: bool) -> None:
    where = {"path": fresh_path("leases"), "seconds": 3600, "count": 2}
    pair = [together.peer("quorate"), together.peer("kazoo")]
    first, second = pair if we_are_first else reversed(pair)
    assert first.call("lease.take", as_="one", **where)
    assert second.call("lease.take", as_="two", **where)
    for peer in (first, second):
        assert not peer.call("lease.take", as_="three", **where)
        # Whose they are may come back for them.
        assert peer.call("lease.take", as_="one", **where)
        assert peer.call("lease.take", as_="two", **where)


@pytest.mark.parametrize(
    ("kind", "other_kind"), [("curator", kind) for kind in CURATORS] + [("kazoo", "kazoo")]
)
@pytest.mark.parametrize("we_hold", [True, False], ids=["we-hold", "it-holds"])
@shows(
    "semaphore",
    f"{BOTH}, kazoo",
    "each holds, the other comes",
    "never more leases than the limit",
)
def test_semaphore(together: Company, kind: str, other_kind: str, we_hold: bool) -> None:
    path = fresh_path("semaphore")
    ours, other = together.peer("quorate"), together.peer(other_kind)
    holder, contender = (ours, other) if we_hold else (other, ours)
    how: dict[str, Any] = {"path": path, "leases": 2, "kind": kind}
    assert holder.call("semaphore.acquire", as_=f"{path}-1", **how)
    assert contender.call("semaphore.acquire", as_=f"{path}-2", **how)
    waiting = contender.begin("semaphore.acquire", as_=f"{path}-3", **how)
    with pytest.raises(TimeoutError):
        waiting.result(QUIET)
    holder.call("semaphore.release", as_=f"{path}-1", **how)
    assert waiting.result(20.0)
    for name in (f"{path}-2", f"{path}-3"):
        contender.call("semaphore.release", as_=name, **how)


@pytest.mark.parametrize(
    ("kind", "other_kind"), [("kazoo", kind) for kind in CURATORS] + [("curator", "kazoo")]
)
@shows(
    "semaphore",
    f"{BOTH}, kazoo",
    "it holds, we come with the other's layout",
    "refused: the layouts damage each other",
)
def test_foreign_semaphore_is_refused(together: Company, kind: str, other_kind: str) -> None:
    path = fresh_path("semaphore")
    ours, other = together.peer("quorate"), together.peer(other_kind)
    assert other.call("semaphore.acquire", path=path, leases=2, as_=path)
    with pytest.raises(PeerError):
        ours.call("semaphore.acquire", path=path, leases=2, as_=f"{path}-2", kind=kind)
    other.call("semaphore.release", path=path, as_=path)


COUNTERS = [("shared", kind) for kind in [*CURATORS, "kazoo"]]
COUNTERS += [(number, kind) for number in ("int", "long") for kind in CURATORS]
COUNTERS += [("text", "kazoo")]


@pytest.mark.parametrize(("kind", "other_kind"), COUNTERS)
@shows(
    "counter",
    f"{BOTH}: SharedCount, DistributedAtomicInteger, DistributedAtomicLong; "
    "kazoo: Counter, also with support_curator",
    "both add in turns",
    "one sum",
)
def test_counter(together: Company, kind: str, other_kind: str) -> None:
    path = fresh_path("count")
    ours, other = together.peer("quorate"), together.peer(other_kind)
    where = {"path": path, "kind": kind}
    assert ours.call("count.add", by=42, **where) == 42
    assert other.call("count.add", by=-50, **where) == -8
    assert ours.call("count.add", by=9, **where) == 1
    assert other.call("count.get", **where) == 1


@pytest.mark.parametrize("kind", CURATORS)
@shows(
    "counter",
    f"{BOTH}: SharedCount; kazoo: Counter with support_curator",
    "all three at once",
    "one sum",
)
def test_counter_of_three(together: Company, kind: str) -> None:
    path = fresh_path("count")
    peers = [together.peer("quorate"), together.peer(kind), together.peer("kazoo")]
    peers[0].call("count.add", path=path, kind="shared", by=0)
    for peer in peers:
        work = [peer.begin("count.add", path=path, kind="shared", by=1) for _ in range(3)]
        for future in work:
            future.result(20.0)
    assert peers[0].call("count.get", path=path, kind="shared") == 9


@pytest.mark.parametrize("kind", CURATORS)
@shows("shared value", f"{BOTH}: SharedValue", "each writes, the other reads", "same bytes")
def test_value(together: Company, kind: str) -> None:
    path = fresh_path("value")
    ours, other = together.peer("quorate"), together.peer(kind)
    ours.call("count.write", path=path, value="ours ü")
    assert other.call("count.read", path=path) == "ours ü"
    assert other.call("count.write", path=path, value="theirs")
    assert ours.call("count.read", path=path) == "theirs"


@pytest.mark.parametrize("kind", CURATORS)
@pytest.mark.parametrize("we_begin", [True, False], ids=["we-begin", "it-begins"])
@shows(
    "counter: blocks",
    f"{BOTH}: CachedAtomicLong, its preValue",
    "both take numbers, in turns, each from blocks of its own size",
    "no number twice, none left out but what is reserved",
)
def test_blocks(together: Company, kind: str, we_begin: bool) -> None:
    path = fresh_path("blocks")
    both = [(together.peer("quorate"), 3), (together.peer(kind), 5)]
    numbers = []
    # Ten rounds: four blocks of ours, two of its.
    for _ in range(10):
        for peer, block in both if we_begin else reversed(both):
            number = peer.call("count.next", path=path, as_=f"{path}-{block}", block=block)
            numbers.append(number)
    assert len(set(numbers)) == len(numbers)
    reserved = 4 * 3 + 2 * 5
    unused = set(range(reserved)) - set(numbers)
    assert len(unused) == 2, f"of {reserved} numbers {unused} are unused"
    for peer, _ in both:
        assert peer.call("count.get", path=path, kind="long") == reserved
