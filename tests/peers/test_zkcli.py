"""Debian's zkCli on the server under test and on Apache's: the same commands must print
the same text, down to zxids; only times, session ids and the address are normalised.
"""

import difflib

import pytest

from interop.missing import needs
from interop.pair import Pair
from interop.server import Server
from interop.zkcli import Normaliser, Record, Step, ZkCli, run_once
from zkcli_scripts import SCRIPTS, Script

pytestmark = needs("java", "apache")


@pytest.mark.parametrize("name", SCRIPTS)
def test_same_text(pair: Pair, name: str) -> None:
    tested, apache = pair.both(lambda server: transcript(server, SCRIPTS[name]))
    assert_same(tested, apache)


def test_two_clients(pair: Pair) -> None:
    """Watches across clients, somebody else's ACL, ephemerals of a closed session."""
    tested, apache = pair.both(two_clients)
    assert_same(tested, apache)
    assert any("NodeDeleted path:/eph" in line for line in apache)


def test_chroot(pair: Pair) -> None:
    def work(server: Server) -> list[str]:
        with ZkCli(server.address) as plain:
            plain.execute("create /root")
        with ZkCli(f"{server.address}/root") as client:
            steps: Script = [
                "ls /",
                "create /a x",
                "get -w /a",
                Step("set /a y", events=1),
                "create -s /s-",
                "getEphemerals",
                "create -e /e",
                "getEphemerals",
                "addWatch /",
                Step("create /a/b", events=1),
                "ls -R /",
                "stat /",
            ]
            return Normaliser(server.address).records(play(client, steps))

    tested, apache = pair.both(work)
    assert_same(tested, apache)


def test_close_and_connect(pair: Pair) -> None:
    """`close` ends the session on the server, `connect` begins another, `quit` exits."""

    def work(server: Server) -> list[str]:
        names = Normaliser(server.address)
        with ZkCli(server.address) as client, ZkCli(server.address) as other:
            client.execute("create -e /eph")
            records = play(other, ["stat -w /eph"])
            records += play(client, [Step("close", events=1)])
            other.execute("sync /")
            records += play(other, [Step("stat /eph", events=1)])
            client.execute(f"connect {server.address}")
            records += play(other, ["stat /"])
            lines, code = client.finish("quit")
            return [*names.records(records), *map(names.text, lines), f"exit {code}"]

    tested, apache = pair.both(work)
    assert_same(tested, apache)
    assert any("type:NodeDeleted path:/eph" in line for line in apache)


def test_one_shot(pair: Pair) -> None:
    """Commands given as arguments: text and exit code."""

    def work(server: Server) -> list[str]:
        names = Normaliser(server.address)
        lines = []
        for command in ONE_SHOT:
            output, code = run_once(server.address, *command)
            lines += [" ".join(command), *map(names.text, output), f"exit code {code}"]
        return lines

    tested, apache = pair.both(work)
    assert_same(tested, apache)


def assert_same(tested: list[str], apache: list[str]) -> None:
    """Fails with the differing lines: `-` what Apache's server gives, `+` the tested one."""
    lines = difflib.unified_diff(apache, tested, "apache", "tested", n=4, lineterm="")
    difference = "\n".join(lines)
    assert not difference, difference


def transcript(server: Server, script: Script) -> list[str]:
    names = Normaliser(server.address)
    with ZkCli(server.address) as client:
        return names.records(play(client, script))


def play(client: ZkCli, script: Script) -> list[Record]:
    return [client.run(Step(step) if isinstance(step, str) else step) for step in script]


def two_clients(server: Server) -> list[str]:
    names = Normaliser(server.address)
    with ZkCli(server.address) as one, ZkCli(server.address) as two:
        records = play(one, ["addauth digest one:pw", "create /mine x auth::crdwa"])
        records += play(two, ["get /mine", "set /mine y", "getAcl /mine", "create /mine/kid"])
        # Not `stat /mine`: 3.8.0 lets anybody ask, 3.8.4 and 3.9.2 check READ, as we do.
        records += play(two, ["ls -w /", "addWatch -m PERSISTENT /seen"])
        one.execute("create -e /eph")
        records += play(two, [Step("get -w /eph", events=1)])
        records += play(one, ["create /seen", "set /seen 1", "set /mine z"])
        records += play(two, [Step("delete /seen", events=3), "addWatch /"])
        lines, code = one.finish("quit")
        records += play(two, [Step("ls /", events=2), "stat /"])
        return [*names.records(records), *map(names.text, lines), f"exit code {code}"]


ONE_SHOT = [
    ["create", "/a", "x"],
    ["create", "/a", "x"],
    ["get", "-s", "/a"],
    ["get", "/absent"],
    ["ls", "/"],
    ["set", "-v", "5", "/a", "y"],
    ["create", "-e", "/gone", "x"],
    ["ls", "/"],
    ["delete", "/a"],
    ["nosuchcommand"],
]
