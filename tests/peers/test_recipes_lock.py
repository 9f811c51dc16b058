"""Exclusive locks of all clients on one path: who waits for whom.

The table is what `docs/interop.md` shows. It holds for foreign pairs too: they are what our
modes have to live with.
"""

import itertools
from typing import Any

import pytest

from interop.kazoo_peer import children, fresh_path
from interop.players import QUIET, Company, Player, until
from interop.table import shows

PLAYERS = [
    Player("Curator 5.4", "curator-5.4"),
    Player("Curator 5.9", "curator-5.9"),
    Player("kazoo", "kazoo", {"mode": "kazoo"}),
    Player("kazoo with patterns", "kazoo", {"mode": "kazoo-patterns"}),
    Player("go-zookeeper", "go-zookeeper"),
    Player("ours, curator", "quorate", {"mode": "curator"}),
    Player("ours, kazoo", "quorate", {"mode": "kazoo"}),
    Player("ours, kazoo with patterns", "quorate", {"mode": "kazoo-patterns"}),
    Player("ours, bridge", "quorate", {"mode": "bridge"}),
]

# Who does not wait for whom; every other pair does. Curator overlooks kazoo's names and kazoo
# without patterns all others.
CURATOR_NAMES = {"Curator 5.4", "Curator 5.9", "go-zookeeper", "ours, curator"}
KAZOO_NAMES = {"kazoo", "kazoo with patterns", "ours, kazoo", "ours, kazoo with patterns"}
OVERLOOKS = {
    "Curator 5.4": KAZOO_NAMES,
    "Curator 5.9": KAZOO_NAMES,
    "kazoo": CURATOR_NAMES,
    "ours, kazoo": CURATOR_NAMES,
}


def waits(holder: Player, contender: Player) -> bool:
    """Whether the contender waits."""
    return holder.label not in OVERLOOKS.get(contender.label, set())


@pytest.mark.parametrize(
    ("holder", "contender"),
    list(itertools.product(PLAYERS, PLAYERS)),
    ids=lambda player: player.label.replace(" ", "-"),
)
def test_table(together: Company, holder: Player, contender: Player) -> None:
    path = fresh_path("lock")
    first, second = together.peer(holder.kind), together.peer(contender.kind)
    held, wanted = {"path": path, "as_": f"{path}-1"}, {"path": path, "as_": f"{path}-2"}
    assert first.call("lock.acquire", **held, **holder.arguments)
    before = len(children(together.kazoo.client, path))
    acquired = second.begin("lock.acquire", **wanted, **contender.arguments)
    if waits(holder, contender):
        until(lambda: len(children(together.kazoo.client, path)) > before, "taking a place")
        with pytest.raises(TimeoutError):
            acquired.result(QUIET)
    else:
        assert acquired.result(20.0)
    first.call("lock.release", **held)
    assert acquired.result(20.0)
    second.call("lock.release", **wanted)
    until(lambda: not children(together.kazoo.client, path), "leaving nothing behind")


CURATORS = ["curator-5.4", "curator-5.9"]
# Whose locks ZooKeeper's own lock, in Debian's package, takes into account.
VISIBLE = ["curator", "bridge"]


@pytest.mark.parametrize("kind", CURATORS)
@pytest.mark.parametrize("mode", VISIBLE)
@pytest.mark.parametrize("we_hold", [True, False], ids=["we-hold", "it-holds"])
@shows(
    "lock: revocation",
    "Curator 5.4, 5.9: Revoker, RevocationListener",
    "each holds (modes curator and bridge), the other asks for the lock",
    "the holder is told, and nobody else",
)
def test_revocation(together: Company, kind: str, mode: str, we_hold: bool) -> None:
    path = fresh_path("revoked")
    ours, other = together.peer("quorate"), together.peer(kind)
    holder, asker = (ours, other) if we_hold else (other, ours)
    held: dict[str, Any] = {"path": path, "as_": path}
    assert holder.call("lock.acquire", revocable=True, mode=mode, **held)
    asked = holder.begin("lock.revoked", **held)
    wanted = asker.begin("lock.acquire", path=path, as_=f"{path}-2", mode=mode)
    # To wait is not to ask.
    with pytest.raises(TimeoutError):
        asked.result(QUIET)
    asker.call("lock.revoke", path=path, mode=mode)
    asked.result(20.0)
    assert not wanted.done(), "it is up to the holder"
    holder.call("lock.release", **held)
    assert wanted.result(20.0)
    asker.call("lock.release", path=path, as_=f"{path}-2")


@pytest.mark.parametrize("mode", VISIBLE)
@pytest.mark.parametrize("we_hold", [True, False], ids=["we-hold", "it-holds"])
@shows(
    "lock",
    "ZooKeeper 3.8: WriteLock",
    "each holds (modes curator and bridge), the other comes",
    "it waits",
)
def test_write_lock(together: Company, mode: str, we_hold: bool) -> None:
    path = fresh_path("write-lock")
    ours, other = together.peer("quorate"), together.peer("curator-5.4")
    pairs = [(ours, "lock"), (other, "writelock")]
    (first, one), (second, two) = pairs if we_hold else reversed(pairs)
    held, wanted = {"path": path, "as_": f"{path}-1"}, {"path": path, "as_": f"{path}-2"}
    assert first.call(f"{one}.acquire", mode=mode, **held)
    before = len(children(together.kazoo.client, path))
    waiting = second.begin(f"{two}.acquire", mode=mode, **wanted)
    until(lambda: len(children(together.kazoo.client, path)) > before, "taking a place")
    with pytest.raises(TimeoutError):
        waiting.result(QUIET)
    first.call(f"{one}.release", **held)
    assert waiting.result(20.0)
    second.call(f"{two}.release", **wanted)
