"""What should not come to the ports between servers, comes: it is refused with one line in one
log, and nobody else is disturbed."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from interop.agreement import assert_agreed
from interop.ensemble import Ensemble
from interop.impostor import Impostor, ack_epoch, greeting, info, packet, vote
from interop.players import until
from interop.ports import PortLease
from interop.proxy import Packet
from interop.server import Kind, Server
from interop.writers import Writers

STRANGER = 9
# Far above all that the members have.
AHEAD = 0x63_0000_0007
NOT_PROPOSED = "it acknowledges what was not proposed"


@dataclass(frozen=True)
class Scene:
    """Who is there."""

    ensemble: Ensemble
    leader: Server
    follower: Server
    other: Server

    def to_election(self) -> Impostor:
        """Somebody at the follower's election port."""
        return Impostor(self.ensemble.election_port(self.follower))

    def to_quorum(self, *hello: bytes) -> Impostor:
        """Somebody at the leader's quorum port, who says this first."""
        impostor = Impostor(self.ensemble.quorum_port(self.leader))
        impostor.say(*hello)
        return impostor

    def number(self, member: Server) -> int:
        """Its id."""
        return self.ensemble.number(member)


def garbage_at_an_election_port(scene: Scene) -> Impostor:
    impostor = scene.to_election()
    impostor.say(b"GET / HTTP/1.1\r\n\r\n")
    return impostor


def a_greeting_with_the_members_own_id(scene: Scene) -> Impostor:
    impostor = scene.to_election()
    impostor.say(greeting(scene.number(scene.follower)))
    return impostor


def a_greeting_of_no_known_version(scene: Scene) -> Impostor:
    impostor = scene.to_election()
    impostor.say(b"\xff" * 64)
    return impostor


def garbage_at_a_quorum_port(scene: Scene) -> Impostor:
    return scene.to_quorum(b"SSH-2.0-x\r\n" + bytes(32))


def half_a_packet(scene: Scene) -> Impostor:
    impostor = scene.to_quorum(info(STRANGER, 0), ack_epoch(0, 0)[:-3])
    impostor.hears(Packet.LEADER_INFO)
    impostor.shut()
    return impostor


def a_learner_that_proposes(scene: Scene) -> Impostor:
    return scene.to_quorum(info(STRANGER, 0), packet(Packet.PROPOSAL, 7, b"x"))


def the_leaders_own_id(scene: Scene) -> Impostor:
    return scene.to_quorum(info(scene.number(scene.leader), 0))


def a_learner_of_another_ones_id(scene: Scene) -> Impostor:
    return scene.to_quorum(info(scene.number(scene.follower), 0))


def what_a_learner_has_said_before(scene: Scene) -> Impostor:
    """All that a follower says as it joins, once more."""
    epoch = scene.ensemble.epoch()
    joins = [
        info(scene.number(scene.other), epoch),
        ack_epoch(epoch, epoch << 32),
        packet(Packet.ACK, epoch << 32),
        packet(Packet.ACK, epoch << 32),
        packet(Packet.ACK, (epoch << 32) + 1),
    ]
    return scene.to_quorum(*joins)


def an_acknowledgement_of_what_was_never_proposed(scene: Scene) -> Impostor:
    """From somebody who is ahead of everybody, as it says, and is sent the tree."""
    impostor = scene.to_quorum(info(STRANGER, 98))
    epoch = impostor.hears(Packet.LEADER_INFO) >> 32
    impostor.say(ack_epoch(99, AHEAD))
    impostor.hears(Packet.SNAP)
    impostor.hears(Packet.NEW_LEADER)
    impostor.say(packet(Packet.ACK, epoch << 32))
    impostor.hears(Packet.UP_TO_DATE)
    impostor.say(packet(Packet.ACK, AHEAD))
    return impostor


def says(member: Server, words: str, since: int) -> bool:
    """Whether its log has these words behind that place."""
    return words in member.log[since:]


# What happens, who says something about it, and what.
MISDEEDS: list[tuple[Callable[[Scene], Impostor], str, str]] = [
    (garbage_at_an_election_port, "follower", "a frame of 1414541105 bytes"),
    (a_greeting_with_the_members_own_id, "follower", "two servers have the same myid"),
    (a_greeting_of_no_known_version, "follower", "-1 is neither the id"),
    (garbage_at_a_quorum_port, "leader", "1397966893 is not a known packet type"),
    (half_a_packet, "leader", "it has closed the connection within the packet at byte"),
    (a_learner_that_proposes, "leader", "PROPOSAL of 0x7: no learner says this"),
    (the_leaders_own_id, "leader", "it has the id of its leader"),
    (a_learner_of_another_ones_id, "leader", "two servers may have the myid"),
    (what_a_learner_has_said_before, "leader", "two servers may have the myid"),
    (an_acknowledgement_of_what_was_never_proposed, "leader", NOT_PROPOSED),
]


def test_each_is_refused_with_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While clients write and hold nodes."""
    monkeypatch.setenv("RUST_LOG", "warn")
    with Ensemble([Kind.QUORATE] * 3) as ensemble:
        ensemble.start()
        scene = Scene(ensemble, ensemble.leader(), *ensemble.followers())
        epoch = ensemble.epoch()
        with Writers(ensemble.address, tmp_path) as writers:
            for misdeed, role, words in MISDEEDS:
                said = {member: len(member.log) for member in ensemble.members}
                hearer = scene.leader if role == "leader" else scene.follower
                impostor = misdeed(scene)
                assert impostor.is_closed(), misdeed.__name__
                impostor.close()
                until(partial(says, hearer, words, said[hearer]), words)
                writers.progress()
                for member, before in said.items():
                    lines = member.log[before:].splitlines()
                    assert len(lines) == int(member is hearer), (misdeed.__name__, lines)
            # Whoever is looking asks all; nobody goes by what a stranger looks for.
            seeker = scene.to_election()
            seeker.say(greeting(STRANGER), vote(STRANGER, AHEAD, 99))
            writers.progress()
            seeker.close()
            assert writers.stop()
            assert ensemble.leader() is scene.leader and ensemble.epoch() == epoch
            for member in ensemble.members:
                writers.check(member.address, everything=True)
            assert_agreed(ensemble)


def test_two_processes_have_one_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one tries again and again, and is refused by a leader that says so once."""
    monkeypatch.setenv("RUST_LOG", "warn")
    with Ensemble([Kind.QUORATE] * 3) as ensemble, contextlib.ExitStack() as stack:
        ensemble.start()
        leader, first = ensemble.leader(), ensemble.follower()
        number = ensemble.number(first)
        ports = []
        for _ in range(2):
            ports.append(lease := PortLease())
            stack.callback(lease.release)
        address = f"127.0.0.1:{ports[0].port}:{ports[1].port}"
        settings = first.settings | {f"server.{number}": address}
        second = stack.enter_context(Server(Kind.QUORATE, settings))
        second.data.mkdir(parents=True)
        Path(second.data, "myid").write_text(str(number), "ascii")
        writers = stack.enter_context(Writers(ensemble.address, tmp_path))
        said = {member: len(member.log) for member in ensemble.members}
        monkeypatch.setenv("RUST_LOG", "quorate=debug")
        second.launch()
        until(lambda: second.log.count(TRIED) >= 10, "ten tries")
        writers.progress()
        assert first.answers() and not second.answers()
        for member, before in said.items():
            lines = member.log[before:].splitlines()
            assert len(lines) == int(member is leader), lines
        assert f"two servers may have the myid {number}" in leader.log
        warnings = [line for line in second.log.splitlines() if " WARN " in line]
        assert f"perhaps because another server has the myid {number}" in warnings[-1], warnings
        second.kill()
        assert writers.stop()
        for member in ensemble.members:
            writers.check(member.address, everything=True)
        assert_agreed(ensemble)


TRIED = "the role has ended"
