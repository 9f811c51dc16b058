"""Barriers and membership: members of several clients count for each other."""

from concurrent.futures import Future
from typing import Any

import pytest

from interop.kazoo_peer import children, fresh_path
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
