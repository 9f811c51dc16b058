"""Barriers and membership: members of several clients count for each other."""

import time
from concurrent.futures import Future
from typing import Any

import pytest

from interop.kazoo_peer import children, fresh_path
from interop.peer import Peer
from interop.players import QUIET, Company, until
from interop.table import shows

CURATORS = ["curator-5.4", "curator-5.9"]
BOTH = "Curator 5.4, 5.9"
OTHERS = [*CURATORS, "kazoo"]


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("we_close", [True, False], ids=["we-close", "it-closes"])
@shows(
    "barrier",
    f"{BOTH}, kazoo",
    "each closes, both wait, the other opens",
    "both go on when it is open",
)
def test_barrier(together: Company, kind: str, we_close: bool) -> None:
    path = fresh_path("barrier")
    ours, other = together.peer("quorate"), together.peer(kind)
    first, second = (ours, other) if we_close else (other, ours)
    first.call("barrier.close", path=path)
    waiting = [peer.begin("barrier.wait", path=path) for peer in (ours, other)]
    for future in waiting:
        with pytest.raises(TimeoutError):
            future.result(QUIET)
    second.call("barrier.open", path=path)
    assert [future.result(20.0) for future in waiting] == [True, True]


def all_or_none(together: Company, members: list[tuple[str, str]], path: str) -> None:
    """All members enter together and leave together: (kind, name), the last one late."""
    where: dict[str, Any] = {"path": path, "count": len(members)}
    for verb in ("enter", "leave"):
        waiting: list[Future[Any]] = []
        for kind, name in members:
            for future in waiting:
                assert not future.done(), f"{verb} before {name}"
            before = children(together.kazoo.client, path)
            waiting.append(together.peer(kind).begin(f"barrier.{verb}", as_=name, **where))
            if (kind, name) != members[-1]:
                _until_changed_or_quiet(together, path, before)
        for future in waiting:
            future.result(20.0)
    until(lambda: not children(together.kazoo.client, path), "leaving nothing behind")


def _until_changed_or_quiet(together: Company, path: str, before: list[str]) -> None:
    """The lowest member changes nothing when it wants to leave."""
    try:
        until(lambda: children(together.kazoo.client, path) != before, "a change", QUIET)
    except AssertionError:
        return


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("we_are_late", [True, False], ids=["we-are-late", "it-is-late"])
@shows(
    "double barrier",
    f"{BOTH}, kazoo",
    "two of us and one of them, twice",
    "all enter together, all leave together",
)
def test_double_barrier(together: Company, kind: str, we_are_late: bool) -> None:
    path = fresh_path("double")
    for turn in range(2):
        members = [("quorate", f"{path}-{turn}-a"), ("quorate", f"{path}-{turn}-b")]
        other = (kind, f"{path}-{turn}-c")
        all_or_none(together, [other, *members] if we_are_late else [*members, other], path)


@shows(
    "double barrier", f"{BOTH}, kazoo", "one of each", "all enter together, all leave together"
)
def test_double_barrier_of_all(together: Company) -> None:
    path = fresh_path("double")
    kinds = ["quorate", "curator-5.4", "kazoo", "curator-5.9", "quorate"]
    members = [(kind, f"{path}-{number}") for number, kind in enumerate(kinds)]
    all_or_none(together, members, path)


@pytest.mark.parametrize("kind", CURATORS)
@shows("group", f"{BOTH}: GroupMember", "both join", "each sees both, with their data")
def test_group(together: Company, kind: str) -> None:
    path = fresh_path("group")
    ours, other = together.peer("quorate"), together.peer(kind)
    ours.call("group.join", path=path, as_=f"{kind}-us", data="our data")
    other.call("group.join", path=path, as_=f"{kind}-it", data="its data")
    everybody = {f"{kind}-us": "our data", f"{kind}-it": "its data"}
    until(lambda: ours.call("group.list", path=path) == everybody, "our seeing both")
    until(lambda: other.call("group.list", as_=f"{kind}-it") == everybody, "its seeing both")
    ours.call("group.leave", as_=f"{kind}-us")
    rest = {f"{kind}-it": "its data"}
    until(lambda: other.call("group.list", as_=f"{kind}-it") == rest, "its seeing us leave")
    other.call("group.leave", as_=f"{kind}-it")
    until(lambda: ours.call("group.list", path=path) == {}, "our seeing it leave")


@pytest.mark.parametrize("form", ["party", "shallow"])
@shows("group", "kazoo: Party, ShallowParty", "both join", "each lists both")
def test_party(together: Company, form: str) -> None:
    ours, kazoo, path = together.peer("quorate"), together.peer("kazoo"), fresh_path("party")
    where = {"path": path, "kind": form}
    ours.call("party.join", as_="us", **where)
    kazoo.call("party.join", as_="it", **where)
    for peer in (ours, kazoo):
        assert peer.call("party.list", **where) == ["it", "us"]
    ours.call("party.leave", as_="us", **where)
    for peer in (ours, kazoo):
        assert peer.call("party.list", **where) == ["it"]
    kazoo.call("party.leave", as_="it", **where)
    for peer in (ours, kazoo):
        assert peer.call("party.list", **where) == []


@pytest.mark.parametrize("kind", CURATORS)
@shows(
    "persistent node",
    f"{BOTH}: PersistentNode",
    "a third one deletes it; both keep one name",
    "it comes back; when its keeper leaves, the other takes it over",
)
def test_persistent_node(together: Company, kind: str) -> None:
    path, client = fresh_path("kept"), together.kazoo.client
    ours, other = together.peer("quorate"), together.peer(kind)

    def owner(data: str) -> int:
        """The session that keeps it; 0 while it is another's, or nobody's."""
        if not client.exists(path):
            return 0
        found, stat = client.get(path)
        return stat.ephemeralOwner if found == data.encode() else 0

    us, it = f"{kind}-us", f"{kind}-it"
    other.call("persistent.keep", path=path, as_=it, data="theirs")
    until(lambda: owner("theirs") != 0, "its node")
    theirs = owner("theirs")
    ours.call("persistent.keep", path=path, as_=us, data="ours")
    until(lambda: ours.call("persistent.presence", as_=us) == "taken", "our seeing it")
    assert owner("theirs") == theirs
    other.call("persistent.remove", as_=it)
    until(lambda: ours.call("persistent.presence", as_=us) == "there", "our taking over")
    until(lambda: owner("ours") == ours.call("session.id"), "our node")
    # Curator writes its data into a node that is there, whoever owns it.
    other.call("persistent.keep", path=path, as_=it, data="theirs")
    until(lambda: owner("theirs") == ours.call("session.id"), "its writing into our node")
    ours.call("persistent.remove", as_=us)
    until(lambda: owner("theirs") == theirs, "its taking over")
    client.delete(path)
    until(lambda: owner("theirs") == theirs, "its coming back")
    other.call("persistent.remove", as_=it)
    ours.call("persistent.keep", path=path, as_=us, data="ours")
    until(lambda: owner("ours") != 0, "our node")
    client.delete(path)
    until(lambda: owner("ours") == ours.call("session.id"), "our coming back")
    ours.call("persistent.remove", as_=us)
    until(lambda: client.exists(path) is None, "leaving nothing behind")


@pytest.mark.parametrize("kind", CURATORS)
@shows(
    "node with a time to live",
    f"{BOTH}: PersistentTtlNode",
    "both keep one node, then each of them alone",
    "it stays while one of them touches it, and goes when none does",
)
def test_ttl_node(together: Company, kind: str) -> None:
    ours, other = together.peer("quorate"), together.peer(kind)
    _keep_in_turns(together, ours, other)
    _keep_in_turns(together, other, ours)


def _keep_in_turns(together: Company, first: Peer, second: Peer) -> None:
    client, path, ttl = together.kazoo.client, fresh_path("ttl"), 2_000

    def made() -> list[int | None]:
        """When the node and its child were made."""
        found = [client.exists(node) for node in (path, f"{path}/touch")]
        return [stat and stat.czxid for stat in found]

    for peer in (first, second):
        peer.call("persistent.keep", path=path, as_=f"{path}-{peer}", data=f"{peer}", ttl=ttl)
    until(lambda: None not in made(), "the first touch")
    before = made()
    # The second one writes its data into what is there.
    assert client.get(path)[0] == f"{second}".encode()
    first.call("persistent.remove", as_=f"{path}-{first}", ttl=ttl)
    end = time.monotonic() + 2 * ttl / 1000
    while time.monotonic() < end:
        assert made() == before, "it went"
        time.sleep(0.05)
    second.call("persistent.remove", as_=f"{path}-{second}", ttl=ttl)
    assert made() == before
    until(lambda: made() == [None, None], "its going")


def _shares(together: Company, members: dict[str, str]) -> dict[str, list[str]]:
    """Who has what at one moment, by member: nobody's share changed while they were asked."""

    def ask() -> dict[str, Any]:
        return {
            name: together.peer(kind).call("partition.share", as_=name)
            for name, kind in members.items()
        }

    before, after = ask(), ask()
    return {
        name: list(share[1])
        for name, share in before.items()
        if share is not None and after[name] == share
    }


@pytest.mark.parametrize("order", ["we-are-first", "it-is-first"])
@shows(
    "partitioner",
    "kazoo: SetPartitioner",
    "each alone, then both, then the other alone",
    "shares by the same rule, no item with both at any time",
)
def test_partitioner(together: Company, order: str) -> None:
    path = fresh_path("partition")
    items = [f"item-{number}" for number in range(5)]
    where: dict[str, Any] = {"path": path, "items": items, "quiet": 300}
    us, it = ("a", "b") if order == "we-are-first" else ("b", "a")
    kinds = {us: "quorate", it: "kazoo"}

    def until_shared(*names: str) -> None:
        members = {name: kinds[name] for name in names}
        wanted = {name: items[at :: len(names)] for at, name in enumerate(sorted(names))}

        def shared() -> bool:
            shares = _shares(together, members)
            held = [item for share in shares.values() for item in share]
            assert len(held) == len(set(held)), f"with two at once: {shares}"
            return shares == wanted

        until(shared, f"{wanted}")

    for first, second in [(us, it), (it, us)]:
        together.peer(kinds[first]).call("partition.join", as_=first, **where)
        until_shared(first)
        together.peer(kinds[second]).call("partition.join", as_=second, **where)
        until_shared(first, second)
        together.peer(kinds[first]).call("partition.leave", as_=first)
        until_shared(second)
        together.peer(kinds[second]).call("partition.leave", as_=second)
        assert children(together.kazoo.client, f"{path}/party") == []
