"""What can happen to networks, processes, disks and clocks, under concurrent clients.

Whatever it is, the service goes on for those who can reach a quorum, and comes back for all;
nobody is told what is not true. Histories are judged by Porcupine (`interop/registers.py`), the
order of events and replies by `interop/spy.py`.

FAULT_ROUNDS  how often everything happens (1)
"""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from interop import netns, small_disk
from interop.agreement import assert_agreed
from interop.missing import needs
from interop.netns import Loopback, Network
from interop.players import until
from interop.registers import Record, Registers, judge
from interop.spy import Spy
from interop.stage import Stage

# Short, so that sessions are lost within a test.
SESSION_MS = 2_000
LONG = SESSION_MS / 1000 * 1.5
CLIENTS = 4

Fault = Callable[[Stage, Registers], None]


def leader_alone(stage: Stage, clients: Registers) -> None:
    """It is cut off, and clients still reach it."""
    old = stage.ensemble.leader()
    stage.separate(old)
    stage.await_successor(old)
    clients.go_on()


def leader_mute(stage: Stage, clients: Registers) -> None:
    """It hears everything, and nothing that it sends arrives."""
    old, others = stage.ensemble.leader(), stage.ensemble.followers()
    for other in others:
        stage.cut(old, other)
    stage.await_successor(old)
    clients.go_on()


def leader_deaf(stage: Stage, clients: Registers) -> None:
    """What it sends arrives, and it hears nothing."""
    old, others = stage.ensemble.leader(), stage.ensemble.followers()
    for other in others:
        stage.cut(other, old)
    stage.await_successor(old)
    clients.go_on()


def follower_alone(stage: Stage, clients: Registers) -> None:
    """It is cut off, and clients still reach it."""
    stage.separate(away := stage.ensemble.follower())
    until(lambda: not away.answers(), "the end of a cut-off follower's role")
    clients.go_on()


def one_line_broken(stage: Stage, clients: Registers) -> None:
    """The leader and one follower do not hear each other; the other one hears both."""
    leader, away = stage.ensemble.leader(), stage.ensemble.follower()
    stage.cut(leader, away)
    stage.cut(away, leader)
    until(lambda: not away.answers(), "the end of a cut-off follower's role")
    clients.go_on()


def everybody_alone(stage: Stage, _: Registers) -> None:
    """There is no quorum anywhere."""
    stage.separate(*stage.ensemble.members)
    stage.await_silence()


def leader_paused(stage: Stage, clients: Registers) -> None:
    """For longer than sessions live without it."""
    old = stage.ensemble.leader()
    old.pause()
    stage.await_successor(old)
    clients.go_on()
    time.sleep(LONG)
    old.resume()


def leader_killed(stage: Stage, clients: Registers) -> None:
    """It begins again with what is on its disk."""
    old = stage.ensemble.leader()
    old.kill()
    stage.await_successor(old)
    clients.go_on()
    old.launch()


def all_killed(stage: Stage, _: Registers) -> None:
    """At once, and without a warning."""
    for member in stage.ensemble.members:
        member.kill()
    for member in stage.ensemble.members:
        member.launch()


def disk_full(stage: Stage, clients: Registers) -> None:
    """The leader's: it makes way, and comes back when there is room again."""
    old = stage.ensemble.leader()
    small_disk.fill(old)
    stage.await_successor(old)
    clients.go_on()
    small_disk.make_room(old)


def slow_disks(stage: Stage, clients: Registers) -> None:
    """The leader's first, then also a follower's, so that every write waits for one."""
    for member in (stage.ensemble.leader(), stage.ensemble.follower()):
        stage.disturb(member, sync_us=100_000)
        clients.progress()


def clocks_jump(stage: Stage, clients: Registers) -> None:
    """An hour ahead at the leader, and back again; an hour back at a follower."""
    for member, seconds in (
        (stage.ensemble.leader(), 3600),
        (stage.ensemble.leader(), 0),
        (stage.ensemble.follower(), -3600),
    ):
        stage.disturb(member, ahead_s=seconds)
        clients.progress()


NETWORK: list[Fault] = [
    leader_alone,
    leader_mute,
    leader_deaf,
    follower_alone,
    one_line_broken,
    everybody_alone,
]
MACHINES: list[Fault] = [leader_paused, leader_killed, all_killed, slow_disks, clocks_jump]
DISKS: list[Fault] = [disk_full]
REASON, NO_DISK = netns.reason_against(), small_disk.reason_against()


def unless(reason: str | None) -> pytest.MarkDecorator:
    return pytest.mark.skipif(reason is not None, reason=str(reason))


PARTS = [
    pytest.param(NETWORK, marks=unless(REASON), id="network"),
    # What needs no network of its own has the loopback interface where there is no other.
    pytest.param(MACHINES, id="machines"),
    pytest.param(DISKS, marks=unless(NO_DISK), id="disks"),
]


@needs("gcc", "porcupine")
@pytest.mark.timeout(300 * int(os.environ.get("FAULT_ROUNDS", "1")))
@pytest.mark.parametrize("faults", PARTS)
def test_nobody_is_told_what_is_not_true(faults: Sequence[Fault], tmp_path: Path) -> None:
    network = Network(3) if REASON is None else Loopback()
    with network, network.entered(), Stage(network, tmp_path) as stage:
        ensemble = stage.ensemble
        if faults is DISKS:
            stage.shrink_disks()
        ensemble.start()
        servers = [(member.place.host, member.port) for member in ensemble.members]
        with Registers(ensemble.address, tmp_path, CLIENTS, SESSION_MS) as clients:
            spy = Spy(servers, clients.path)
            for _ in range(int(os.environ.get("FAULT_ROUNDS", "1"))):
                for fault in faults:
                    clients.progress()
                    fault(stage, clients)
                    heal(stage)
                    ensemble.wait_serving(3)
                    clients.progress()
                    clients.settle()
                    clients.begin()
                    spy.look_at(clients.path)
            print(clients.finish())
            assert spy.stop() > 0
            assert_agreed(ensemble)


def heal(stage: Stage) -> None:
    """Everything is as it should be again."""
    stage.network.heal()
    for member in stage.ensemble.members:
        stage.disturb(member)


def told(do: str, when: int, text: str, version: int, **other: object) -> Record:
    """A request that took a moment."""
    fields = {"client": 1, "path": "/r", "expected": -1, "code": "Ok"} | other
    fields |= {"call": 10 * when, "returned": 10 * when + 5}
    return Record(do=do, text=text, version=version, **fields)  # type: ignore[arg-type]


HISTORIES = {
    "all right": (True, [told("set", 1, "a", 1), told("read", 2, "a", 1)]),
    "stale": (False, [told("set", 1, "a", 1), told("read", 2, "", 0)]),
    "lost": (False, [told("set", 1, "a", 1), told("set", 2, "b", 1)]),
    "twice": (
        False,
        [told("cas", 1, "a", 1, expected=0), told("cas", 2, "b", 1, expected=0)],
    ),
    "refused": (
        False,
        [told("cas", 1, "a", -1, expected=0, code="BadVersion"), told("read", 2, "", 0)],
    ),
}


@needs("porcupine")
@pytest.mark.parametrize(("right", "history"), HISTORIES.values(), ids=HISTORIES.keys())
def test_the_judge(right: bool, history: list[Record], tmp_path: Path) -> None:
    picture = tmp_path / "history.html"
    if right:
        judge(history, picture)
        return
    with pytest.raises(AssertionError, match="Illegal"):
        judge(history, picture)
    assert picture.exists()
