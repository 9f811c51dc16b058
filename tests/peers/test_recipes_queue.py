"""Queues, both ways: what one client puts, another takes, in the right order."""

import time
from typing import Any

import pytest

from interop.kazoo_peer import children, fresh_path
from interop.peer import Peer
from interop.players import Company, until
from interop.table import shows

CURATORS = ["curator-5.4", "curator-5.9"]
BOTH = "Curator 5.4, 5.9"

# What is put, and in which order it must come out.
PUTS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "plain": [("a", {}), ("b", {}), ("ü", {})],
    "simple": [("a", {}), ("b", {}), ("c", {})],
    "priority": [
        ("late", {"priority": 7}),
        ("first", {"priority": -3}),
        ("mid", {"priority": 0}),
    ],
    "id": [("a", {"key": "one"}), ("b", {"key": "t/w|o"}), ("c", {"key": "three"})],
}
ORDER = {kind: [item for item, _ in puts] for kind, puts in PUTS.items()}
ORDER["priority"] = ["first", "mid", "late"]


@pytest.mark.parametrize("curator", CURATORS)
@pytest.mark.parametrize("kind", PUTS)
@shows("queue: plain, priority, id, simple", BOTH, "we put, it takes", "same items, same order")
def test_curator_takes_ours(together: Company, kind: str, curator: str) -> None:
    ours, other, path = together.peer("quorate"), together.peer(curator), fresh_path("queue")
    for item, order in PUTS[kind]:
        ours.call("queue.put", path=path, kind=kind, item=item, **order)
    count = len(ORDER[kind])
    assert other.call("queue.take", path=path, kind=kind, count=count) == ORDER[kind]


@pytest.mark.parametrize("curator", CURATORS)
@pytest.mark.parametrize("kind", PUTS)
@shows("queue: plain, priority, id, simple", BOTH, "it puts, we take", "same items, same order")
def test_we_take_curators(together: Company, kind: str, curator: str) -> None:
    ours, other, path = together.peer("quorate"), together.peer(curator), fresh_path("queue")
    for item, order in PUTS[kind]:
        other.call("queue.put", path=path, kind=kind, item=item, **order)
    count = len(ORDER[kind])
    assert ours.call("queue.take", path=path, kind=kind, count=count) == ORDER[kind]


@pytest.mark.parametrize("curator", CURATORS)
@shows(
    "queue: delay", BOTH, "each puts, the other takes", "not before its time, earliest first"
)
def test_delay(together: Company, curator: str) -> None:
    ours, other = together.peer("quorate"), together.peer(curator)
    for giver, taker in [(ours, other), (other, ours)]:
        path = fresh_path("delay")
        now = time.time_ns() // 1_000_000
        for item, delay in [("second", 600), ("first", 300)]:
            giver.call("queue.put", path=path, kind="delay", item=item, until=now + delay)
        taken = taker.call("queue.take", path=path, kind="delay", count=2)
        assert taken == ["first", "second"]
        assert time.time_ns() // 1_000_000 >= now + 600


@pytest.mark.parametrize("curator", CURATORS)
@shows(
    "queue: plain, held",
    BOTH,
    "we hold, it consumes with a lock path",
    "it gets the others only",
)
def test_held_items_are_left_alone(together: Company, curator: str) -> None:
    ours, other, path = together.peer("quorate"), together.peer(curator), fresh_path("queue")
    where = {"path": path, "kind": "plain", "locks": f"{path}-marks"}
    for item in ["held", "free"]:
        ours.call("queue.put", item=item, **where)
    assert ours.call("queue.hold", as_=path, **where) == "held"
    assert other.call("queue.take", count=1, **where) == ["free"]
    ours.call("queue.release", as_=path)
    assert other.call("queue.take", count=1, **where) == ["held"]


@pytest.mark.parametrize("kind", ["kazoo", "locking"])
@shows(
    "queue: Queue, LockingQueue",
    "kazoo",
    "each puts, the other takes",
    "same items, by priority",
)
def test_kazoo(together: Company, kind: str) -> None:
    ours, kazoo = together.peer("quorate"), together.peer("kazoo")
    for giver, taker in [(ours, kazoo), (kazoo, ours)]:
        path = fresh_path("queue")
        for item, priority in [("b", 200), ("a", 5), ("c", 200)]:
            giver.call("queue.put", path=path, kind=kind, item=item, priority=priority)
        taken = taker.call("queue.take", path=path, kind=kind, count=3)
        assert taken == ["a", "b", "c"]


@shows("queue: LockingQueue", "kazoo", "we hold, it takes", "it gets the other item only")
def test_kazoo_leaves_held_items_alone(together: Company) -> None:
    ours, kazoo, path = together.peer("quorate"), together.peer("kazoo"), fresh_path("queue")
    where = {"path": path, "kind": "locking"}
    for item in ["held", "free"]:
        kazoo.call("queue.put", item=item, **where)
    assert ours.call("queue.hold", as_=path, **where) == "held"
    assert kazoo.call("queue.take", count=1, **where) == ["free"]
    ours.call("queue.complete", as_=path)
    until(
        lambda: not together.kazoo.client.get_children(f"{path}/entries"), "removing the item"
    )


@pytest.mark.parametrize("curator", CURATORS)
@pytest.mark.parametrize("we_lead", [True, False], ids=["we-lead", "it-leads"])
@shows(
    "queue: sharded",
    f"{BOTH}: QueueSharder",
    "both put until there are three queues, each leading once; then each takes, in turns",
    "both know the same queues, every item comes out once",
)
def test_sharder(together: Company, curator: str, we_lead: bool) -> None:
    ours, other, path = together.peer("quorate"), together.peer(curator), fresh_path("sharded")
    where: dict[str, Any] = {"path": path, "leader": f"{path}-leader", "threshold": 4, "max": 3}
    us, it = f"{path}-us", f"{path}-it"
    both = [(ours, us), (other, it)]
    for peer, name in both if we_lead else reversed(both):
        peer.call("sharder.start", as_=name, **where)
        # Leading is by lot of who comes first.
        until(lambda: len(children(together.kazoo.client, where["leader"])) > 0, "a leader")

    def shards(peer: Peer, name: str) -> list[str]:
        return list(peer.call("sharder.shards", as_=name))

    items: list[str] = []

    def three_queues() -> bool:
        for peer, name in both:
            items.append(f"item-{len(items)}")
            peer.call("sharder.put", as_=name, item=items[-1])
        return len(children(together.kazoo.client, path)) == 3

    until(three_queues, "a third queue")
    until(lambda: len(shards(ours, us)) == 3, "our seeing all queues")
    until(lambda: shards(other, it) == shards(ours, us), "its seeing all queues")
    # It consumes from the moment at which it starts.
    other.call("sharder.stop", as_=it)
    half = len(items) // 2
    taken = ours.call("sharder.take", as_=us, count=half)
    other.call("sharder.start", as_=it, consume=True, **where)
    taken += other.call("sharder.take", as_=it, count=len(items) - half)
    assert sorted(taken) == sorted(items)
    ours.call("sharder.put", as_=us, item="late")
    assert other.call("sharder.take", as_=it, count=1) == ["late"]
    for peer, name in both:
        peer.call("sharder.stop", as_=name)
