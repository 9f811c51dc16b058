"""The directory under a queue: its numbers end, or the server reaps it between two turns."""

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from kazoo.client import KazooClient

from interop import txnlog
from interop.kazoo_peer import children, fresh_path
from interop.missing import needs
from interop.peer import Peer, PeerError
from interop.players import QUIET, Company, company, until
from interop.server import Kind, Server, kind_under_test
from interop.table import shows

pytestmark = needs("java", "apache", "maven")

CURATOR = "curator-5.9"
NUMBERED = ("lock", "shared", "names")
# Numbers from here on, the last one being 2^31 - 1.
FIRST = 2**31 - 4
SETTINGS = {"znode.container.checkIntervalMs": "50"}
KINDS = list(dict.fromkeys([kind_under_test(), Kind.APACHE]))


@pytest.fixture(scope="module")
def numbered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with nodes that have given out nearly all their numbers."""
    data = tmp_path_factory.mktemp("numbered") / "data"
    with Server(Kind.APACHE, data=data) as server:
        server.start()
        client = KazooClient(server.address)
        client.start()
        for name in NUMBERED:
            client.create(f"/{name}/seed", makepath=True)
            client.delete(f"/{name}/seed")
        client.stop()
        client.close()
        server.kill()
        for name in NUMBERED:
            txnlog.count_from(data, f"/{name}/seed", FIRST)
        # It replays the log, and leaves a snapshot of what it has found.
        server.start()
        server.stop()
    return data


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: kind.value)
def crowd(
    request: pytest.FixtureRequest, numbered: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Company]:
    """Clients at a server on such a directory, which reaps containers all the time."""
    home = tmp_path_factory.mktemp("crowd")
    shutil.copytree(numbered, home / "data")
    with Server(request.param, SETTINGS, home / "data") as server:
        server.start()
        with company(server, tmp_path_factory.mktemp("peers")) as peers:
            yield peers


def number(crowd: Company, path: str) -> str:
    """The last ten digits of the newest node of a directory."""
    client = crowd.kazoo.client
    names = client.get_children(path)
    newest = max(names, key=lambda name: client.exists(f"{path}/{name}").czxid)
    return str(newest[-10:])


@shows(
    "lock",
    "Curator 5.9",
    "2^31 creates: the server gives out its last number again and again",
    "who came before goes on; who gets the last number is refused, and never holds beside",
)
def test_the_last_numbers(crowd: Company) -> None:
    ours, curator, path = crowd.peer("quorate"), crowd.peer(CURATOR), "/lock"
    assert ours.call("lock.acquire", path=path, as_="1")
    assert number(crowd, path) == str(FIRST)
    second = curator.begin("lock.acquire", path=path, as_="2")
    until(lambda: len(children(crowd.kazoo.client, path)) == 2, "its place")
    third = ours.begin("lock.acquire", path=path, as_="3")
    until(lambda: len(children(crowd.kazoo.client, path)) == 3, "our second place")
    ours.call("lock.release", as_="1")
    assert second.result(20.0)
    curator.call("lock.release", as_="2")
    assert third.result(20.0)
    # The holder has the last number that says anything.
    assert number(crowd, path) == str(2**31 - 2)
    refused(ours, "lock.acquire", path)
    fifth = curator.begin("lock.acquire", path=path, as_="5")
    until(lambda: number(crowd, path) == str(2**31 - 1), "the last number")
    with pytest.raises(TimeoutError):
        fifth.result(QUIET)
    ours.call("lock.release", as_="3")
    assert fifth.result(20.0)
    # Now Curator holds under the last number, which the next node gets as well.
    refused(ours, "lock.acquire", path)
    curator.call("lock.release", as_="5")
    refused(ours, "lock.acquire", path)
    # A new directory begins anew.
    until(lambda: not children(crowd.kazoo.client, path), "leaving")
    crowd.kazoo.client.delete(path)
    assert ours.call("lock.acquire", path=path, as_="6")
    ours.call("lock.release", as_="6")


@shows(
    "read/write lock",
    "Curator 5.9",
    "2^31 creates: the server gives out its last number again and again",
    "as the exclusive lock",
)
def test_the_last_numbers_of_a_shared_lock(crowd: Company) -> None:
    ours, curator, path = crowd.peer("quorate"), crowd.peer(CURATOR), "/shared"
    for turn in range(3):
        assert ours.call("rw.read", path=path, as_=f"{turn}")
        ours.call("rw.release", side="read", as_=f"{turn}")
    held = {"path": path, "as_": "writer"}
    assert curator.call("rw.write", **held)
    for verb in ("rw.read", "rw.write"):
        refused(ours, verb, path)
    curator.call("rw.release", side="write", **held)


def test_the_last_names(crowd: Company) -> None:
    """They are removed at once, and their numbers are not given out again all the same."""
    ours = crowd.peer("quorate")
    names = [ours.call("naming.unique", path="/names", prefix="job-") for _ in range(3)]
    assert names == [f"job-{number}" for number in range(FIRST, FIRST + 3)]
    for _ in range(2):
        with pytest.raises(PeerError, match="used up"):
            ours.call("naming.unique", path="/names", prefix="job-")


def refused(peer: Peer, verb: str, path: str) -> None:
    """In all modes that exclude Curator, at once, and without a node that stays."""
    for mode in ("curator", "bridge"):
        with pytest.raises(PeerError, match="sequence numbers"):
            peer.call(verb, path=path, as_="refused", mode=mode)


@shows(
    "lock",
    "Curator 5.9",
    "both in turns, waiting for each other; the server reaps the directory when it is empty",
    "one holder at a time, no error, our tokens grow",
)
def test_reaping(crowd: Company) -> None:
    ours, curator = crowd.peer("quorate"), crowd.peer(CURATOR)
    parent = fresh_path("reaped")
    path, client = f"{parent}/deep", crowd.kazoo.client
    tokens = []
    for turn in range(6):
        holder, waiter = (ours, curator) if turn % 2 else (curator, ours)
        first, second = {"path": path, "as_": f"{turn}-1"}, {"path": path, "as_": f"{turn}-2"}
        tokens.append(holder.call("lock.acquire", **first))
        waiting = waiter.begin("lock.acquire", **second)
        until(lambda: len(children(client, path)) == 2, "taking a place")
        holder.call("lock.release", **first)
        tokens.append(waiting.result(20.0))
        waiter.call("lock.release", **second)
        until(lambda: client.exists(parent) is None, "the reaping")
    own = [token for token in tokens if token is not True]
    assert len(own) == 6
    assert own == sorted(set(own)), "tokens grow although the numbers begin anew"
    take_turns([ours, curator, ours, curator], path)


def take_turns(peers: list[Peer], path: str) -> None:
    """Each as fast as it can, so that the directory goes at any moment."""
    inside: list[str] = []
    failures: list[BaseException] = []

    def work(peer: Peer, number: int) -> None:
        try:
            for turn in range(15):
                name = f"{number}-{turn}"
                assert peer.call("lock.acquire", path=path, as_=name)
                inside.append(name)
                assert inside == [name], "two holders"
                inside.remove(name)
                peer.call("lock.release", path=path, as_=name)
        except BaseException as failure:
            failures.append(failure)

    threads = [
        threading.Thread(target=work, args=pair) for pair in zip(peers, range(9), strict=False)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
