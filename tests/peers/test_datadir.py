"""Data directories that move between the server under test and Apache's, both ways.

What one wrote and acknowledged, the other must show unchanged: every node's data, Stat
and ACL, the open session with its ephemerals, and zxids that go on where they stopped.
Apache recomputes the tree's digest for each transaction that it replays and compares it
with the one in the log, so its own log tells whether the writer's digests are right.
"""

import contextlib
import time
from collections.abc import Iterator

import pytest

from interop.missing import needs
from interop.populate import OpenSession, populate, resume_and_close
from interop.server import Kind, Server, kind_under_test
from interop.tree import Tree, difference, read_tree
from interop.txnlog import falsify_digest, log_files, records
from interop.wire import Connection, Op, create, create_ttl, versioned, watched

pytestmark = needs("java", "apache")

COMPRESSIONS = ["", "gz", "snappy"]
ENDS = ["stop", "kill"]


class Directory:
    """A data directory and the two kinds of server that take turns on it."""

    def __init__(self, compression: str, **changed: str) -> None:
        settings = {**SETTINGS, **changed}
        if compression:
            settings["snapshot.compression.method"] = compression
        self.compression = compression
        self._tested = Server(kind_under_test(), settings)
        self.data = self._tested.data
        self._apache = Server(Kind.APACHE, settings, data=self.data)

    def open(self, tested: bool) -> Server:
        """Starts the server under test or Apache's on the directory."""
        server = self._tested if tested else self._apache
        server.start()
        return server

    @property
    def mismatches(self) -> list[str]:
        """What Apache's server has complained about digests."""
        return [line for line in self._apache.log.splitlines() if MISMATCH in line.lower()]

    def close(self) -> None:
        self._apache.close()
        self._tested.close()


@pytest.fixture
def directory(request: pytest.FixtureRequest) -> Iterator[Directory]:
    directory = Directory(getattr(request, "param", ""))
    yield directory
    directory.close()


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("directory", COMPRESSIONS, indirect=True)
@pytest.mark.parametrize("writer", ["tested", "apache"])
def test_handover(directory: Directory, writer: str, end: str) -> None:
    """One writes, is stopped or killed, the other opens."""
    tested = writer == "tested"
    server = directory.open(tested)
    kept = populate(server.port, 1)
    before = read_tree(server.port)
    finish(server, end)
    assert_snapshots_compressed(directory)
    server = directory.open(not tested)
    assert not difference(before, read_tree(server.port))
    assert_zxid_goes_on(server, before)
    resume_and_close(server.port, kept)
    assert not directory.mismatches


@pytest.mark.parametrize("writer", ["tested", "apache"])
def test_replay(writer: str) -> None:
    """Without a snapshot on the way the other has to replay every single transaction."""
    with contextlib.closing(Directory("", snapCount="1000000")) as directory:
        server = directory.open(writer == "tested")
        populate(server.port, 1)
        before = read_tree(server.port)
        server.kill()
        server = directory.open(writer != "tested")
        assert not difference(before, read_tree(server.port))
        assert not directory.mismatches


@pytest.mark.parametrize("directory", COMPRESSIONS, indirect=True)
def test_ping_pong(directory: Directory) -> None:
    """Six generations in turn, each changes what the one before wrote, every second end
    is a kill; sessions stay open across a generation of the other server."""
    before: Tree = {}
    kept: list[OpenSession] = []
    for generation in range(1, 7):
        server = directory.open(tested=generation % 2 == 1)
        if before:
            assert not difference(before, read_tree(server.port)), generation
        if len(kept) > 1:
            resume_and_close(server.port, kept.pop(0))
        kept.append(populate(server.port, generation))
        before = read_tree(server.port)
        finish(server, ENDS[generation // 2 % 2])
    assert not directory.mismatches


def test_every_record_has_a_digest(directory: Directory) -> None:
    server = directory.open(tested=True)
    populate(server.port, 1)
    server.stop()
    found = [record for path in log_files(directory.data) for record in records(path)]
    zxids = [record.zxid for record in found]
    assert len(found) > 100
    assert zxids == list(range(zxids[0], zxids[0] + len(zxids))), "zxids have gaps"
    # A refused request is logged too, without a digest since it changes nothing.
    changes = [record for record in found if record.kind != ERROR_TXN]
    assert {record.digest_version for record in changes} == {2}


def test_apache_notices_a_wrong_digest(directory: Directory) -> None:
    """The control: with one digest falsified, the complaint that the other tests look
    for is there, so its absence there means something."""
    server = directory.open(tested=True)
    populate(server.port, 1)
    server.kill()
    for snapshot in (directory.data / "version-2").glob("snapshot.*"):
        if snapshot.name.removeprefix("snapshot.") != "0":
            snapshot.unlink()
    found = [
        (path, record)
        for path in log_files(directory.data)
        for record in records(path)
        if record.kind != ERROR_TXN
    ]
    falsify_digest(*found[len(found) // 2])
    directory.open(tested=False)
    assert directory.mismatches


def test_short_lived_nodes_end_after_the_move(directory: Directory) -> None:
    """TTL nodes and containers that were due while nobody served go after the move."""
    for tested in (True, False):
        name = f"/{'tested' if tested else 'apache'}"
        server = directory.open(tested)
        link = Connection(server.port, timeout_ms=60_000)
        assert link.call(Op.CREATE_TTL, create_ttl(f"{name}-ttl", b"", 200)).error == 0
        box = create(f"{name}-box", b"", flags=4)
        assert link.call(Op.CREATE_CONTAINER, box).error == 0
        assert link.call(Op.CREATE, create(f"{name}-box/kid", b"")).error == 0
        assert link.call(Op.DELETE, versioned(f"{name}-box/kid")).error == 0
        server.kill()
        server = directory.open(not tested)
        assert_gone(server, f"{name}-ttl")
        assert_gone(server, f"{name}-box")
        server.stop()


def test_sessions_expire_after_the_move(directory: Directory) -> None:
    """A session whose client does not come back is expired by the other server."""
    for tested in (True, False):
        path = f"/eph-{tested}"
        server = directory.open(tested)
        link = Connection(server.port, timeout_ms=1500)
        assert link.call(Op.CREATE, create(path, b"", flags=1)).error == 0
        server.kill()
        server = directory.open(not tested)
        assert_gone(server, path)
        late = Connection(server.port, session=link.session, password=link.password)
        assert late.session == 0, "an expired session was resumed"
        server.stop()


def finish(server: Server, end: str) -> None:
    if end == "kill":
        server.kill()
    else:
        server.stop()


def assert_zxid_goes_on(server: Server, before: Tree) -> None:
    """A new transaction must be later than everything in the tree."""
    newest = max(max(node.stat.mzxid, node.stat.pzxid) for node in before.values())
    link = Connection(server.port)
    reply = link.call(Op.CREATE, create("/after-the-move", b""))
    assert reply.error == 0
    assert reply.zxid > newest
    link.close_session()


def assert_snapshots_compressed(directory: Directory) -> None:
    names = [path.name for path in (directory.data / "version-2").glob("snapshot.*")]
    assert len(names) > 1, f"no snapshot was taken under way: {names}"
    suffix = f".{directory.compression}" if directory.compression else ""
    assert all(name.count(".") == 1 + bool(suffix) for name in names), names
    assert all(name.endswith(suffix) for name in names), names


def assert_gone(server: Server, path: str) -> None:
    link = Connection(server.port)
    end = time.monotonic() + 20.0
    while (reply := link.call(Op.EXISTS, watched(path))).error == 0:
        assert time.monotonic() < end, f"{path} is still there"
        time.sleep(0.05)
    assert reply.error == NO_NODE, reply
    link.close_session()


# Snapshots every few dozen transactions; sessions that outlive a hand-over.
SETTINGS = {
    "snapCount": "40",
    "preAllocSize": "64",
    "maxSessionTimeout": "60000",
}

MISMATCH = "digest mismatch"
NO_NODE = -101
ERROR_TXN = -1
