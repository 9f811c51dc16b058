"""What was written through the members of an ensemble, and so must be at each of them."""

import functools
import time

from kazoo.client import KazooClient

from interop.agreement import assert_agreed
from interop.clients import DEADLINE, children, with_client
from interop.ensemble import Ensemble
from interop.server import Kind


class Written:
    """What was acknowledged, one node after another."""

    def __init__(self, ensemble: Ensemble) -> None:
        self.ensemble = ensemble
        self.paths: list[str] = []

    def more(self) -> None:
        """Writes through each member that runs."""
        for number, member in enumerate(self.ensemble.members, 1):
            if member.running:
                path = f"/at-{number}-{len(self.paths)}"
                with_client(member, functools.partial(_create, path=path))
                self.paths.append(path)

    def check(self) -> None:
        """Reads through each member that runs: all must have the same tree, with everything in
        it."""
        for member in self.ensemble.members:
            if member.running:
                assert set(with_client(member, _lasting)) >= {path[1:] for path in self.paths}
        assert_agreed(self.ensemble)


def _lasting(client: KazooClient) -> list[str]:
    """The nodes at the root when no others are left. A session whose end was not heard, because
    its member was busy or lost its leader, ends by itself."""
    end = time.monotonic() + DEADLINE
    while brief := [name for name in children(client) if name.startswith(BRIEF)]:
        assert time.monotonic() < end, f"nodes without a session: {brief}"
        time.sleep(0.1)
    return children(client)


def _create(client: KazooClient, path: str) -> None:
    """A node that stays, and one that goes with the session."""
    client.sync("/")
    if not client.exists(path):
        client.create(path, b"x" * 100)
    client.create(f"/{BRIEF}{path[1:]}", b"", ephemeral=True)
    client.set(path, b"y")
    assert client.get(path)[0] == b"y"


# What a member says that was sent the leader's tree.
TREE = {
    Kind.QUORATE: "the leader's tree of",
    Kind.APACHE: "Getting a snapshot from leader",
    Kind.APACHE_39: "Getting a snapshot from leader",
}
# What names of nodes begin with that go with their session.
BRIEF = "brief-"
