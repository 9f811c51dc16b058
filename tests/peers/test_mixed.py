"""Ensembles of Apache's servers and ours, and of ours alone: one history, whoever leads."""

import shutil
import time
from collections.abc import Sequence

import pytest
from kazoo.client import KazooClient

from interop.clients import DEADLINE, outgrow, with_client
from interop.ensemble import Ensemble, leads
from interop.missing import needs
from interop.players import until
from interop.server import Kind, Server
from interop.written import TREE, Written

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
# What our leader says that sends transactions from its disk.
FROM_LOG = "is given the transactions from"
pytestmark = needs("apache", "java", "maven")


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


@pytest.mark.parametrize("kind", [OURS, OLD, NEW], ids=["ours", "3.8", "3.9"])
def test_whoever_was_away_for_long_gets_what_it_lacks_from_the_leaders_log(
    kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our leader keeps hardly anything in memory, and any length of its log is worth it."""
    monkeypatch.setenv("RUST_LOG", "info")
    settings = {"quorate.learnerHistoryKb": "16", "snapshotSizeFactor": "0", "snapCount": "300"}
    with Ensemble([kind, OURS, OURS], settings) as ensemble:
        ensemble.start()
        leader = ensemble.leader()
        # Apache's have the smaller number and start more slowly.
        assert leader.kind is OURS
        others = (member for member in ensemble.followers() if member.kind is kind)
        away = next(others)
        written = Written(ensemble)
        written.more()
        for wiped in (False, True):
            away.kill()
            ensemble.wait_serving(2)
            with_client(leader, overwrite_little)
            written.more()
            if wiped:
                shutil.rmtree(away.data / "version-2")
            before = len(away.log), len(leader.log)
            away.launch()
            ensemble.wait_serving(3)
            # Whoever has nothing at all is better off with the tree.
            assert (TREE[kind] in away.log[before[0] :]) == wiped, away.log[before[0] :]
            assert (FROM_LOG in leader.log[before[1] :]) != wiped, leader.log[before[1] :]
            written.more()
            written.check()
        assert ensemble.leader() is leader, "nobody else was disturbed"


@pytest.mark.parametrize("apache", [OLD, NEW], ids=["3.8", "3.9"])
def test_a_leader_of_apaches_may_stand_still_for_a_while(apache: Kind) -> None:
    """It promises no beats, so its followers of ours bear its silence as Apache's do."""
    with Ensemble([OURS, OURS, apache]) as ensemble:
        # Of the first two the one with the larger id leads.
        first, second, theirs = ensemble.members
        first.launch()
        theirs.launch()
        ensemble.wait_serving(2)
        second.launch()
        ensemble.wait_serving(3)
        leader, epoch = ensemble.leader(), ensemble.epoch()
        assert leader.kind is apache
        written = Written(ensemble)
        written.more()
        before = {follower: len(follower.log) for follower in ensemble.followers()}
        leader.pause()
        # Several times as long as one of ours would be given.
        time.sleep(2.5)
        leader.resume()
        written.more()
        written.check()
        assert (ensemble.leader(), ensemble.epoch()) == (leader, epoch)
        for follower, seen in before.items():
            assert "the role has ended" not in follower.log[seen:]


def dies(ensemble: Ensemble, member: Server, written: Written, wiped: bool) -> None:
    """Kills a member, sees the others go on, and the member come back."""
    member.kill()
    ensemble.wait_serving(len(ensemble.members) - 1)
    written.more()
    if wiped:
        outgrow(ensemble.leader())
        shutil.rmtree(member.data / "version-2")
    before = len(member.log)
    member.launch()
    ensemble.wait_serving(len(ensemble.members))
    assert (TREE[member.kind] in member.log[before:]) == wiped, member.log[before:]
    written.more()
    written.check()


def test_groups_decide_and_not_the_number_of_servers() -> None:
    """Three groups, of which two decide: members 1 to 3 are one, 4 and 5 are one each. Member 3
    has no weight, so it follows and never leads."""
    groups = {"group.1": "1:2:3", "group.2": "4", "group.3": "5", "weight.3": "0"}
    weights = {f"weight.{number}": "1" for number in (1, 2, 4, 5)}
    with Ensemble([OURS, OLD, OURS, NEW, OURS], groups | weights) as ensemble:
        ensemble.start()
        written = Written(ensemble)
        written.more()
        first, rest = ensemble.members[:3], ensemble.members[3:]
        # Two servers of five are two groups of three.
        for member in first:
            member.kill()
        ensemble.wait_serving(2)
        written.more()
        for member in first:
            member.launch()
        ensemble.wait_serving(5)
        # Three servers of five are one group of three.
        for member in rest:
            member.kill()
        until(lambda: not any(member.answers() for member in first), "the end of all roles")
        rest[0].launch()
        ensemble.wait_serving(4)
        # With all as far as each other, the largest number wins, but for that of no weight.
        written.more()
        rest[0].kill()
        rest[1].launch()
        ensemble.wait_serving(4)
        assert not leads(first[2])
        rest[0].launch()
        ensemble.wait_serving(5)
        written.more()
        written.check()


def overwrite_little(client: KazooClient) -> None:
    """A thousand transactions, several snapshots long, of which a node is left."""
    client.ensure_path("/little")
    for answer in [client.set_async("/little", b"z" * 100) for _ in range(1_000)]:
        answer.get(timeout=DEADLINE)
