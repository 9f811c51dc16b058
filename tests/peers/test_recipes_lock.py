"""Exclusive locks of all clients on one path: who waits for whom.

The table is what `docs/interop.md` shows. It holds for foreign pairs too: they are what our
modes have to live with.
"""

import itertools

import pytest

from interop.kazoo_peer import children, fresh_path
from interop.players import QUIET, Company, Player, until

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
