"""Ensembles whose members change: Apache's servers and ours in one, and ours alone."""

import time
from collections.abc import Sequence

import pytest
from kazoo.client import KazooClient
from kazoo.exceptions import BadVersionError, NoAuthError

from interop.clients import DEADLINE, with_client
from interop.ensemble import Ensemble
from interop.missing import needs
from interop.server import Kind
from interop.written import Written
from interop.zkcli import ZkCli

OURS, OLD, NEW = Kind.QUORATE, Kind.APACHE, Kind.APACHE_39
# Fresh members elect the one with the largest id, so the last one leads first.
MIXES = {
    "ours": [OURS, OURS, OURS],
    "ours-follows-3.8": [OURS, OLD, OLD],
    "ours-leads-3.8": [OLD, OLD, OURS],
    "ours-follows-3.9": [OURS, NEW, NEW],
    "ours-leads-3.9": [NEW, NEW, OURS],
    "two-of-ours-and-3.9": [OURS, NEW, OURS],
}
CONFIG = "/zookeeper/config"
pytestmark = needs("apache", "java", "maven")


@pytest.mark.parametrize("kinds", MIXES.values(), ids=MIXES.keys())
def test_members_come_and_go(kinds: Sequence[Kind], monkeypatch: pytest.MonkeyPatch) -> None:
    """A follower leaves, observes and votes again; the leader leaves and comes back."""
    monkeypatch.setenv("RUST_LOG", "info")
    with Ensemble(kinds, {"reconfigEnabled": "true"}) as ensemble:
        lines = ensemble.name_client_ports()
        ensemble.start()
        written = Written(ensemble)
        follower = ensemble.number(ensemble.follower())
        observes = lines[follower].replace(";", ":observer;")
        for joining, leaving in [
            (None, str(follower)),
            (f"server.{follower}={observes}", None),
            (f"server.{follower}={lines[follower]}", None),
        ]:
            change(ensemble, joining, leaving)
            works(written)
        leader = ensemble.number(ensemble.leader())
        change(ensemble, None, str(leader))
        assert ensemble.number(ensemble.leader()) != leader
        works(written)
        change(ensemble, f"server.{leader}={lines[leader]}", None)
        works(written)
        refused(ensemble)


def config_of(client: KazooClient) -> str:
    """The configuration that a member has in its tree."""
    data: bytes = client.get(CONFIG)[0]
    return data.decode("ascii")


def version(config: str) -> int:
    return int(config.rsplit("version=", 1)[1], 16)


@pytest.mark.parametrize("kind", [OURS, OLD], ids=["ours", "3.8"])
def test_zkcli_changes_members(kind: Kind) -> None:
    """The command `reconfig` says the same at ours as at Apache's."""
    with Ensemble(kind, {"reconfigEnabled": "true"}) as ensemble:
        lines = ensemble.name_client_ports()
        ensemble.start()
        leaves = ensemble.number(ensemble.follower())
        with ZkCli(ensemble.leader().address) as cli:

            def members(command: str) -> set[int]:
                """Whom a command shows, each with the line that it should have."""
                said = cli.execute(command)
                shown = {line for line in said if line.startswith("server.")}
                found = {n for n, line in lines.items() if f"server.{n}={named(line)}" in shown}
                assert len(shown) == len(found) and said[-1].startswith("version="), said
                return found

            def refused(command: str, words: str) -> None:
                """What stands in the one line that a command is answered with."""
                said = cli.execute(command)
                assert len(said) == 1 and words in said[0], said

            everybody, others = set(lines), set(lines) - {leaves}
            comes = f"reconfig -add server.{leaves}={lines[leaves]}"
            assert members("config") == everybody
            refused(f"reconfig -remove {leaves}", "Insufficient permission")
            cli.execute("addauth digest super:test")
            refused(f"reconfig -remove {leaves} -v 77", "version No is not valid")
            refused("reconfig -remove 1,2,3", "Arguments are not valid")
            assert members(f"reconfig -remove {leaves}") == others
            assert members("config") == others
            ensemble.wait_serving(3)
            assert members(comes) == everybody
            assert members("config") == everybody


def named(line: str) -> str:
    """A line as the configuration has it, with the role."""
    return line.replace(";", ":participant;")


def change(ensemble: Ensemble, joining: str | None, leaving: str | None) -> None:
    """Changes the members, and waits until all have the same new configuration. An answer
    may be lost when a server changes its part."""
    before = version(with_client(ensemble.leader(), config_of))

    def reconfigured(client: KazooClient) -> None:
        if version(config_of(client)) == before:
            client.add_auth("digest", "super:test")
            client.reconfig(joining, leaving, None, before)

    with_client(ensemble.leader(), reconfigured)
    end = time.monotonic() + DEADLINE
    while True:
        configs = [with_client(member, config_of) for member in ensemble.members]
        if len(set(configs)) == 1 and version(configs[0]) > before:
            return
        assert time.monotonic() < end, f"{configs}\n{logs(ensemble)}"
        time.sleep(0.1)


def works(written: Written) -> None:
    """What is written through each member is at all of them, and their trees are one."""
    written.more()
    written.check()


def refused(ensemble: Ensemble) -> None:
    """Who may not, and who is late."""

    def ask(client: KazooClient) -> None:
        with pytest.raises(NoAuthError):
            client.reconfig(None, "9", None, -1)
        with pytest.raises(BadVersionError):
            client.reconfig(None, "9", None, 1)

    for member in ensemble.members:
        with_client(member, ask)


def logs(ensemble: Ensemble) -> str:
    return "\n".join(member.log[-6000:] for member in ensemble.members)
