"""`quorate status` at ensembles of Apache's servers and of ours, alone and mixed."""

import contextlib
import json
import subprocess
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from interop.clients import client_of
from interop.ensemble import Ensemble
from interop.missing import needs
from interop.server import Kind, Server, quorate_binary

OLD = pytest.param([Kind.APACHE] * 3, marks=needs("java", "apache"), id="3.8")
NEW = pytest.param([Kind.APACHE_39] * 3, marks=needs("java", "maven"), id="3.9")
OURS = pytest.param([Kind.QUORATE] * 3, id="ours")
MIXED = pytest.param(
    [Kind.APACHE, Kind.QUORATE, Kind.APACHE_39],
    marks=needs("java", "apache", "maven"),
    id="mixed",
)
# What everybody answers without being told to, and everything.
WORDS = [pytest.param("srvr", id="default"), pytest.param("*", id="all")]
WHOLE, IMPAIRED, STUCK = 0, 1, 3


@pytest.fixture(params=WORDS)
def words(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=[OLD, NEW, OURS, MIXED])
def ensemble(request: pytest.FixtureRequest, words: str) -> Iterator[Ensemble]:
    kinds: Sequence[Kind] = request.param
    with Ensemble(kinds, {"4lw.commands.whitelist": words}) as members:
        members.start()
        yield members


def test_members_that_serve_and_that_are_lost(ensemble: Ensemble, words: str) -> None:
    """Three of three, two, one; and one that answers nothing."""
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(client_of(member)) for member in ensemble.members]
        clients[0].create("/n", b"")
        for client in clients:
            client.set("/n", b"x")
        # From here on every member shows all of it, and nobody writes.
        for client in clients:
            client.sync("/")
        whole = status(ensemble, WHOLE)
        check_rows(ensemble, whole["servers"], words)
    assert (whole["voters"], whole["serving"], whole["can_fail"]) == (3, 3, 1)
    assert (whole["writes"], whole["survives"], whole["warnings"]) == (True, 1, [])
    leader = ensemble.leader()
    assert whole["leader"] == leader.address

    follower = ensemble.follower()
    follower.pause()
    impaired = status(ensemble, IMPAIRED, "--timeout", "1000")
    assert (impaired["writes"], impaired["can_fail"], impaired["serving"]) == (True, 0, 2)
    assert row(impaired, follower)["error"] == "no answer within 1000 ms"
    follower.kill()
    impaired = status(ensemble, IMPAIRED)
    assert row(impaired, follower)["error"] == "connection refused"

    leader.kill()
    stuck = status(ensemble, STUCK)
    assert (stuck["writes"], stuck["can_fail"]) == (False, None)
    assert row(stuck, leader)["error"] == "connection refused"


def check_rows(ensemble: Ensemble, rows: list[dict[str, Any]], words: str) -> None:
    """Each member as it says itself, and what only some words tell."""
    assert [row["address"] for row in rows] == [m.address for m in ensemble.members]
    for member, found in zip(ensemble.members, rows, strict=True):
        said = dict(
            line.split(": ", 1)
            for line in member.four_letters("srvr").splitlines()
            if ": " in line
        )
        assert (found["role"], found["zxid"]) == (said["Mode"], said["Zxid"])
        assert found["epoch"] == int(said["Zxid"], 16) >> 32
        assert found["version"] == said["Zookeeper version"].split(",")[0]
        assert found["lag"] == 0
        assert found["connections"] >= 1
        if words == "*":
            assert (found["sessions"], found["watches"]) == (3, 0)
        else:
            assert (found["sessions"], found["watches"]) == (None, None)


def test_two_voters_are_pointed_out() -> None:
    with Ensemble([Kind.QUORATE] * 2) as pair:
        pair.start()
        found = status(pair, WHOLE)
        weak = "2 voters: the ensemble survives no failure; 3 survive one"
        assert (found["warnings"], found["can_fail"]) == ([weak], 0)
        assert weak in pair.members[0].log
        table = run(pair, WHOLE)
        assert f"warning: {weak}\n" in table


def row(found: dict[str, Any], member: Server) -> dict[str, Any]:
    rows = [row for row in found["servers"] if row["address"] == member.address]
    assert len(rows) == 1
    return dict(rows[0])


def status(ensemble: Ensemble, code: int, *options: str) -> dict[str, Any]:
    return dict(json.loads(run(ensemble, code, "--json", *options)))


def run(ensemble: Ensemble, code: int, *options: str) -> str:
    """What the command prints, which must end like this and complain of nothing."""
    command = [str(quorate_binary()), "status", "--servers", ensemble.address, *options]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (code, ""), ended
    return ended.stdout
