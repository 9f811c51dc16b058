"""Fills a server with every kind of node and change that a data directory can hold.

Plain work is done by kazoo, as an application would; what kazoo cannot say (TTL nodes,
containers, null data) goes through the wire. All of it is acknowledged when `populate`
returns, so all of it must be found again.
"""

from dataclasses import dataclass

from kazoo.client import KazooClient
from kazoo.exceptions import RolledBackError
from kazoo.security import ACL, Id, make_digest_acl

from interop.wire import (
    Connection,
    Op,
    create,
    create_ttl,
    multi,
    multi_failed,
    set_data,
    text,
    versioned,
    watched,
)


@dataclass
class OpenSession:
    """A session that was left open, with the ephemerals it owns."""

    session: int
    password: bytes
    ephemerals: list[str]


def populate(port: int, generation: int) -> OpenSession:
    """Writes below `/g<generation>` and changes what earlier generations wrote."""
    root = f"/g{generation}"
    client = KazooClient(f"127.0.0.1:{port}", timeout=10.0)
    client.start(30)
    try:
        _plain(client, root)
        _access(client, root)
        _transactions(client, root)
        if generation > 1:
            _change_earlier(client, f"/g{generation - 1}")
    finally:
        client.stop()
        client.close()
    link = Connection(port, timeout_ms=60_000)
    _special(link, root)
    _quota(link, root)
    return _left_open(link, root)


def resume_and_close(port: int, kept: OpenSession) -> None:
    """The session is still known and owns its ephemerals; closing it removes them."""
    link = Connection(port, session=kept.session, password=kept.password)
    assert link.session == kept.session, "the session is not known any more"
    for path in kept.ephemerals:
        reply = link.call(Op.EXISTS, watched(path))
        assert reply.error == 0, f"ephemeral {path} is lost: {reply}"
    link.close_session()
    other = Connection(port)
    for path in kept.ephemerals:
        reply = other.call(Op.EXISTS, watched(path))
        assert reply.error == NO_NODE, f"ephemeral {path} outlives its session"
    other.close_session()


def _plain(client: KazooClient, root: str) -> None:
    client.create(root, b"root of a generation")
    client.create(f"{root}/empty", b"")
    client.create(f"{root}/binary", bytes(range(256)))
    client.create(f"{root}/large", b"0123456789abcdef" * 16_384)
    client.create(f"{root}/\u00fcml\u00e4ut \u65e5\u672c\u8a9e", "r\u00e9sum\u00e9".encode())
    client.create(f"{root}/a/b/c/d/e/f/g/h", b"deep", makepath=True)
    for number in range(30):
        client.create(f"{root}/seq-", str(number).encode(), sequence=True)
    for number in range(0, 30, 3):
        client.delete(f"{root}/seq-{number + 6:010d}")
    for number in range(5):
        client.set(f"{root}/binary", bytes([number]) * number)
    client.create(f"{root}/gone", ephemeral=True)
    client.create(f"{root}/reborn", b"first")
    client.delete(f"{root}/reborn")
    client.create(f"{root}/reborn", b"second")


def _access(client: KazooClient, root: str) -> None:
    alice = make_digest_acl("alice", "secret", all=True)
    client.create(f"{root}/private", b"x", acl=[alice])
    client.create(f"{root}/by-ip", b"x", acl=[ACL(31, Id("ip", "127.0.0.0/8"))])
    mixed = [ACL(1, Id("world", "anyone")), alice, ACL(5, Id("ip", "10.0.0.1"))]
    client.create(f"{root}/mixed", b"x", acl=mixed)
    client.create(f"{root}/narrowed", b"x")
    client.set_acls(f"{root}/narrowed", [ACL(17, Id("world", "anyone"))])
    client.set_acls(f"{root}/narrowed", mixed, version=1)


def _transactions(client: KazooClient, root: str) -> None:
    good = client.transaction()
    good.create(f"{root}/multi", b"m")
    good.create(f"{root}/multi/seq-", b"1", sequence=True)
    good.create(f"{root}/multi/kid", b"2")
    good.check(f"{root}/multi", 0)
    good.set_data(f"{root}/multi", b"set in the same transaction")
    good.delete(f"{root}/multi/kid")
    results = good.commit()
    assert not any(isinstance(result, Exception) for result in results), results
    bad = client.transaction()
    bad.create(f"{root}/multi/never", b"")
    bad.delete(f"{root}/nothing")
    assert isinstance(bad.commit()[0], RolledBackError)


def _change_earlier(client: KazooClient, root: str) -> None:
    client.set(f"{root}/empty", b"no more")
    client.delete(f"{root}/a", recursive=True)
    client.set_acls(f"{root}/reborn", [ACL(31, Id("world", "anyone"))])
    client.create(f"{root}/seq-", b"later", sequence=True)


def _special(link: Connection, root: str) -> None:
    steps = [
        (Op.CREATE, create(f"{root}/null", None)),
        (Op.CREATE2, create(f"{root}/with-stat", b"2")),
        (Op.CREATE_CONTAINER, create(f"{root}/box", b"c", flags=4)),
        (Op.CREATE, create(f"{root}/box/kid", b"keeps the container")),
        (Op.CREATE_CONTAINER, create(f"{root}/box/never-used", b"c", flags=4)),
        (Op.CREATE_TTL, create_ttl(f"{root}/ttl", b"t", 3_600_000)),
        (Op.CREATE_TTL, create_ttl(f"{root}/ttl/seq-", b"t", 7_200_000, flags=6)),
        (Op.CREATE_TTL, create_ttl(f"{root}/ttl-longest", b"t", 2**40 - 1)),
        (Op.SET_DATA, set_data(f"{root}/with-stat", None, 0)),
    ]
    for op, payload in steps:
        reply = link.call(op, payload)
        assert reply.error == 0, (op, payload, reply)
    mixed = [
        (Op.CREATE_CONTAINER, create(f"{root}/multi-box", b"", flags=4)),
        (Op.CREATE2, create(f"{root}/multi-box/kid", b"")),
        (Op.CREATE_TTL, create_ttl(f"{root}/multi-ttl", b"t", 3_600_000)),
        (Op.CREATE, create(f"{root}/multi-seq-", b"", flags=2)),
        (Op.CHECK, versioned(root)),
    ]
    reply = link.call(Op.MULTI, multi(mixed))
    assert not multi_failed(reply), reply
    refused = link.call(Op.CREATE, create(f"{root}/no/parent", b""))
    assert refused.error == NO_NODE, refused


def _quota(link: Connection, root: str) -> None:
    """What zkCli's setquota writes; later writes change the stats without a transaction
    of their own, so replaying them must count again."""
    base = f"/zookeeper/quota{root}"
    limits = b"count=1000,bytes=-1=;byteHardLimit=-1;countHardLimit=2000"
    for path, data in (
        (base, b""),
        (f"{base}/zookeeper_limits", limits),
        (f"{base}/zookeeper_stats", b"count=0,bytes=0"),
    ):
        reply = link.call(Op.CREATE, create(path, data))
        assert reply.error == 0, reply
    for number in range(10):
        link.call(Op.CREATE, create(f"{root}/counted-{number}", b"12345"))
    link.call(Op.SET_DATA, set_data(f"{root}/counted-3", b"1"))
    link.call(Op.DELETE, versioned(f"{root}/counted-4"))


def _left_open(link: Connection, root: str) -> OpenSession:
    paths = []
    for flags, name in ((1, "ephemeral"), (3, "ephemeral-seq-")):
        reply = link.call(Op.CREATE, create(f"{root}/{name}", b"mine", flags=flags))
        assert reply.error == 0, reply
        paths.append(reply.body[4:].decode())
    reply = link.call(Op.SET_ACL, text(f"{root}/with-stat") + OPEN_ACL + b"\0\0\0\0")
    assert reply.error == 0, reply
    link.drop()
    return OpenSession(link.session, link.password, paths)


NO_NODE = -101
OPEN_ACL = b"\0\0\0\1\0\0\0\x1f" + text("world") + text("anyone")
