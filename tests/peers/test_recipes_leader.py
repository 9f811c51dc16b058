"""Elections of several clients on one path: one leads, the next one follows."""

import pytest

from interop.kazoo_peer import children, fresh_path
from interop.peer import Peer
from interop.players import QUIET, Company, until
from interop.table import shows

CURATORS = ["curator-5.4", "curator-5.9"]
BOTH = "Curator 5.4, 5.9"


def hand_over(path: str, role: str, leader: Peer, heir: Peer) -> None:
    """The first leads; when it leaves the second does."""
    first = {"path": path, "as_": f"{leader.name}-1"}
    second = {"path": path, "as_": f"{heir.name}-2"}
    leader.call(f"{role}.join", **first)
    assert leader.call(f"{role}.await", wait=20.0, **first)
    heir.call(f"{role}.join", **second)
    assert not heir.call(f"{role}.await", wait=QUIET, **second)
    leader.call(f"{role}.leave", **first)
    assert heir.call(f"{role}.await", wait=20.0, **second)
    heir.call(f"{role}.leave", **second)


@pytest.mark.parametrize("kind", CURATORS)
@pytest.mark.parametrize("role", ["latch", "selector"])
@shows(
    "leader",
    f"{BOTH}: LeaderLatch, LeaderSelector",
    "we lead, it waits",
    "it leads when we leave",
)
def test_curator_follows(together: Company, role: str, kind: str) -> None:
    hand_over(fresh_path(role), role, together.peer("quorate"), together.peer(kind))


@pytest.mark.parametrize("kind", CURATORS)
@pytest.mark.parametrize("role", ["latch", "selector"])
@shows(
    "leader",
    f"{BOTH}: LeaderLatch, LeaderSelector",
    "it leads, we wait",
    "we lead when it leaves",
)
def test_we_follow_curator(together: Company, role: str, kind: str) -> None:
    hand_over(fresh_path(role), role, together.peer(kind), together.peer("quorate"))


@pytest.mark.parametrize("kind", CURATORS)
@shows("leader", f"{BOTH}: LeaderLatch", "both take part", "each names the same leader")
def test_ids(together: Company, kind: str) -> None:
    path = fresh_path("latch")
    ours, other = together.peer("quorate"), together.peer(kind)
    for peer, name in [(ours, f"{kind}-us"), (other, f"{kind}-it")]:
        peer.call("latch.join", path=path, as_=name)
        peer.call("latch.await", wait=20.0 if peer is ours else QUIET, as_=name)
    both = [f"{kind}-us", f"{kind}-it"]
    until(lambda: ours.call("latch.participants", path=path) == both, "our seeing both")
    until(lambda: other.call("latch.leader", path=path) == both[0], "its seeing the leader")
    ours.call("latch.leave", as_=f"{kind}-us")
    assert other.call("latch.await", wait=20.0, as_=f"{kind}-it")
    assert ours.call("latch.participants", path=path) == [f"{kind}-it"]
    other.call("latch.leave", as_=f"{kind}-it")


@pytest.mark.parametrize("kind", [*CURATORS, "go-zookeeper"])
@shows(
    "leader",
    f"{BOTH}: InterProcessMutex; go-zookeeper: Lock",
    "it holds the lock, our selector waits",
    "it leads when the lock is free",
)
def test_selector_and_lock(together: Company, kind: str) -> None:
    path = fresh_path("selector")
    ours, other = together.peer("quorate"), together.peer(kind)
    assert other.call("lock.acquire", path=path, as_=path)
    ours.call("selector.join", path=path, as_=path)
    assert not ours.call("selector.await", wait=QUIET, as_=path)
    other.call("lock.release", path=path, as_=path)
    assert ours.call("selector.await", wait=20.0, as_=path)
    ours.call("selector.leave", as_=path)


@pytest.mark.parametrize("we_lead", [True, False], ids=["we-lead", "it-leads"])
@shows(
    "leader", "kazoo: Election", "each leads, the other waits", "it leads when the other leaves"
)
def test_kazoo(together: Company, we_lead: bool) -> None:
    peers = [together.peer("quorate"), together.peer("kazoo")]
    leader, heir = peers if we_lead else reversed(peers)
    hand_over(fresh_path("election"), "election", leader, heir)


@shows("leader", "kazoo: Election", "both take part", "each lists the same contenders")
def test_kazoo_contenders(together: Company) -> None:
    ours, kazoo, path = together.peer("quorate"), together.peer("kazoo"), fresh_path("election")
    ours.call("election.join", path=path, as_="us")
    assert ours.call("election.await", wait=20.0, as_="us")
    kazoo.call("election.join", path=path, as_="it")
    assert not kazoo.call("election.await", wait=QUIET, as_="it")
    both = ["us", "it"]
    until(lambda: ours.call("election.participants", path=path) == both, "our seeing both")
    until(lambda: kazoo.call("election.contenders", path=path) == both, "its seeing both")
    ours.call("election.leave", as_="us")
    assert kazoo.call("election.await", wait=20.0, as_="it")
    kazoo.call("election.leave", as_="it")


@pytest.mark.parametrize("we_lead", [True, False], ids=["we-lead", "it-leads"])
@shows(
    "leader",
    "ZooKeeper 3.8: LeaderElectionSupport",
    "each leads, the other waits",
    "it leads when the other leaves",
)
def test_offer(together: Company, we_lead: bool) -> None:
    path = fresh_path("offer")
    # ZooKeeper's recipe does not make it.
    together.kazoo.client.ensure_path(path)
    peers = [together.peer("quorate"), together.peer("curator-5.4")]
    leader, heir = peers if we_lead else reversed(peers)
    hand_over(path, "offer", leader, heir)
    assert children(together.kazoo.client, path) == []


@pytest.mark.parametrize("we_die", [True, False], ids=["we-die", "it-dies"])
@shows(
    "leader",
    "ZooKeeper 3.8: LeaderElectionSupport",
    "three take part, the leader is killed, the next one leaves",
    "each names the same leader, one after another",
)
def test_offers_of_three(together: Company, we_die: bool) -> None:
    path = fresh_path("offer")
    together.kazoo.client.ensure_path(path)
    kinds = ["quorate", "curator-5.4"] if we_die else ["curator-5.4", "quorate"]
    doomed = together.start(kinds[0])
    ours, other = together.peer("quorate"), together.peer("curator-5.4")
    second, third = (other, ours) if we_die else (ours, other)
    in_line = [(doomed, f"{path}-1"), (second, f"{path}-2"), (third, f"{path}-3")]

    def stand_in_line(peer: Peer, name: str) -> None:
        before = len(children(together.kazoo.client, path))
        peer.call("offer.join", path=path, as_=name)
        until(lambda: len(children(together.kazoo.client, path)) > before, f"{name}'s offer")

    for peer, name in in_line:
        stand_in_line(peer, name)
    first, others = in_line[0][1], [name for _, name in in_line[1:]]
    assert doomed.call("offer.await", wait=20.0, as_=first)

    def named(leader: str, *rest: str) -> None:
        listed = [leader, *rest]
        until(lambda: ours.call("offer.participants", path=path) == listed, "our list")
        its = f"{path}-2" if we_die else f"{path}-3"
        assert other.call("offer.leader", as_=its) == leader

    named(first, *others)
    for peer, name in in_line[1:]:
        assert not peer.call("offer.leads", as_=name)
    doomed.kill()
    assert second.call("offer.await", wait=60.0, as_=others[0])
    named(*others)
    second.call("offer.leave", as_=others[0])
    assert third.call("offer.await", wait=20.0, as_=others[1])
    third.call("offer.leave", as_=others[1])
    assert children(together.kazoo.client, path) == []
