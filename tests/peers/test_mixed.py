"""Ensembles of Apache's servers and ours, and of ours alone: one history, whoever leads."""

import functools
import shutil
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import pytest
from kazoo.client import KazooClient
from kazoo.exceptions import KazooException

from interop.agreement import assert_agreed
from interop.ensemble import Ensemble
from interop.missing import needs
from interop.server import Kind, Server

OURS, OLD, NEW = Kind.QUORATE, Kind.APACHE, Kind.APACHE_39
# Fresh members elect the one with the largest id, so the last one leads first.
MIXES = {
    "ours": [OURS, OURS, OURS],
    "ours-follows-3.8": [OURS, OLD, OLD],
    "ours-leads-3.8": [OLD, OLD, OURS],
    "two-of-ours-and-3.8": [OURS, OLD, OURS],
    "ours-follows-3.9": [OURS, NEW, NEW],
    "ours-leads-3.9": [NEW, NEW, OURS],
    "two-of-ours-and-3.9": [OURS, NEW, OURS],
}
DEADLINE = 60.0
# What a member says that was sent the leader's tree.
TREE = {
    OURS: "the leader's tree of",
    OLD: "Getting a snapshot from leader",
    NEW: "Getting a snapshot from leader",
}
pytestmark = needs("apache", "java", "maven")
T = TypeVar("T")


@pytest.mark.parametrize("kinds", MIXES.values(), ids=MIXES.keys())
def test_every_leader_dies_and_nothing_is_lost(
    kinds: Sequence[Kind], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Leaders are killed and come back, one of them and a follower with an empty disk."""
    monkeypatch.setenv("RUST_LOG", "info")
    with Ensemble(kinds) as ensemble:
        ensemble.start()
        written = Written(ensemble)
        written.more()
        for turn in range(len(kinds)):
            dies(ensemble, ensemble.leader(), written, wiped=turn == 1)
        # One of ours, to which in some mixes Apache's leader sends its tree.
        leader = ensemble.leader()
        ours = (member for member in ensemble.members if member.kind is OURS)
        follower = next((member for member in ours if member is not leader), None)
        if follower is not None:
            dies(ensemble, follower, written, wiped=True)


def dies(ensemble: Ensemble, member: Server, written: "Written", wiped: bool) -> None:
    """Kills a member, sees the others go on, and the member come back."""
    member.kill()
    ensemble.wait_serving(len(ensemble.members) - 1)
    written.more()
    if wiped:
        written.much()
        shutil.rmtree(member.data / "version-2")
    before = len(member.log)
    member.launch()
    ensemble.wait_serving(len(ensemble.members))
    assert (TREE[member.kind] in member.log[before:]) == wiped, member.log[before:]
    written.more()
    written.check()


class Written:
    """What was acknowledged, and so must be at every member."""

    def __init__(self, ensemble: Ensemble) -> None:
        self.ensemble = ensemble
        self.paths: list[str] = []

    def more(self) -> None:
        """Writes through each member that runs."""
        for number, member in enumerate(self.ensemble.members, 1):
            if member.running:
                path = f"/at-{number}-{len(self.paths)}"
                with_client(member, functools.partial(create, path=path))
                self.paths.append(path)

    def much(self) -> None:
        """Writes more than leaders keep to send one by one: who lacks it is sent the tree."""
        member = next(member for member in self.ensemble.members if member.running)
        with_client(member, overwrite)

    def check(self) -> None:
        """Reads through each member, which all must have the same tree."""
        for member in self.ensemble.members:
            children = with_client(member, names)
            assert set(children) >= {path[1:] for path in self.paths}
            assert not [name for name in children if name.startswith("brief")], children
        assert_agreed(self.ensemble)


def create(client: KazooClient, path: str) -> None:
    """A node that stays, and one that goes with the session."""
    client.sync("/")
    if not client.exists(path):
        client.create(path, b"x" * 100)
    client.create(f"/brief-{path[1:]}", b"", ephemeral=True)
    client.set(path, b"y")
    assert client.get(path)[0] == b"y"


def overwrite(client: KazooClient) -> None:
    """40 MB of transactions and a thousand of them, of which a node is left."""
    client.ensure_path("/much")
    for size, times in [(900_000, 45), (10, 1_000)]:
        for answer in [client.set_async("/much", b"z" * size) for _ in range(times)]:
            answer.get(timeout=DEADLINE)


def names(client: KazooClient) -> list[str]:
    """The children of the root, as of now."""
    client.sync("/")
    return list(client.get_children("/"))


def with_client(member: Server, use: Callable[[KazooClient], T]) -> T:
    """Lets somebody use a session of this member, again while the ensemble finds itself."""
    end = time.monotonic() + DEADLINE
    while True:
        client = KazooClient(member.address, timeout=10.0)
        try:
            client.start(timeout=10.0)
            return use(client)
        except (KazooException, client.handler.timeout_exception):
            if time.monotonic() > end:
                raise
        finally:
            client.stop()
            client.close()
