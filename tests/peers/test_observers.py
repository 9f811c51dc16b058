"""Observers of ours at Apache's ensembles, and Apache's at ours."""

import shutil
from collections.abc import Iterator
from functools import partial

import pytest
from kazoo.client import KazooClient
from kazoo.protocol.states import WatchedEvent

from interop.clients import client_of, outgrow, with_client
from interop.ensemble import Ensemble
from interop.missing import needs
from interop.players import until
from interop.server import Kind, Server
from interop.written import TREE, Written

OURS, OLD, NEW = Kind.QUORATE, Kind.APACHE, Kind.APACHE_39
# The voters, and who observes them.
MIXES = {
    "ours-at-3.8": (OLD, OURS),
    "ours-at-3.9": (NEW, OURS),
    "3.8-at-ours": (OURS, OLD),
    "3.9-at-ours": (OURS, NEW),
}
MARK = "/of-the-observers-client"
pytestmark = needs("apache", "java", "maven")


@pytest.fixture(params=list(MIXES.values()), ids=list(MIXES))
def ensemble(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Ensemble]:
    """Three voters of one kind and an observer of the other."""
    monkeypatch.setenv("RUST_LOG", "info")
    voter, observer = request.param
    with Ensemble([voter] * 3 + [observer], observers=1) as members:
        members.start()
        yield members


def test_an_observer_goes_and_comes_back(ensemble: Ensemble) -> None:
    """It is sent what it lacks one by one, and everything when it has lost its disk; and it
    finds the next leader, at which its client's session goes on."""
    *_, observer = ensemble.members
    assert "Mode: observer" in observer.four_letters("srvr")
    written = Written(ensemble)
    written.more()
    is_told(observer, ensemble.leader())
    for wiped in (False, True):
        observer.kill()
        written.more()
        if wiped:
            outgrow(ensemble.leader())
            shutil.rmtree(observer.data / "version-2")
        before = len(observer.log)
        observer.launch()
        ensemble.wait_serving(4)
        assert (TREE[observer.kind] in observer.log[before:]) == wiped, observer.log[before:]
        written.more()
        written.check()
    with client_of(observer) as client:
        client.create(MARK, b"", ephemeral=True)
        old = ensemble.leader()
        session, epoch = client.client_id, ensemble.epoch()
        old.kill()
        ensemble.wait_serving(3)
        assert ensemble.epoch() == epoch + 1
        # It has its vote in nothing, and everything that others have voted for.
        assert "Mode: observer" in observer.four_letters("srvr")
        written.more()
        old.launch()
        ensemble.wait_serving(4)
        assert client.retry(client.exists, MARK).ephemeralOwner == session[0]
        assert client.client_id == session
    written.check()
    assert MARK[1:] not in with_client(observer, lambda client: client.get_children("/"))


def is_told(observer: Server, leader: Server) -> None:
    """A watch at the observer tells of a write at the leader."""
    path = "/watched-by-the-observer"
    told: list[WatchedEvent] = []
    with client_of(observer) as client:
        client.create(path, b"old")
        assert client.get(path, told.append)[0] == b"old"
        with_client(leader, partial(set_new, path=path))
        until(lambda: len(told) == 1, "an event at the observer")
        assert client.get(path)[0] == b"new"


def set_new(client: KazooClient, path: str) -> None:
    client.set(path, b"new")
