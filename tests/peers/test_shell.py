"""Debian's zkCli plays the scenarios of our shell's own test: `core/server/tests/shell`.

The Rust test proves that our shell prints what the files say; this one proves that the
files say what zkCli prints. Only Apache's server takes part, so that a difference can
only come from the command line. What we answer differently on purpose is listed here
with the reason.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from interop.missing import needs
from interop.server import Kind, Server
from interop.zkcli import Step, ZkCli

pytestmark = needs("java", "apache")

SCENARIOS = Path(__file__).parents[2] / "core/server/tests/shell"


@dataclass
class Expected:
    """What a scenario says that a command prints, events apart."""

    command: str
    output: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)


@pytest.fixture
def apache() -> Iterator[Server]:
    with Server(Kind.APACHE) as server:
        server.start()
        yield server


@pytest.mark.parametrize("file", sorted(SCENARIOS.glob("*.txt")), ids=lambda file: file.stem)
def test_scenario(apache: Server, file: Path) -> None:
    with ZkCli(apache.address) as client:
        for step in scenario(file):
            if step.command in DIFFERENT:
                continue
            found = client.run(Step(step.command, events=len(step.events)))
            assert masked(found.output) == masked(step.output), step.command
            assert found.events == step.events, step.command


def test_every_known_difference_is_in_a_scenario() -> None:
    commands = {step.command for file in SCENARIOS.glob("*.txt") for step in scenario(file)}
    assert set(DIFFERENT) <= commands


def scenario(file: Path) -> list[Expected]:
    steps: list[Expected] = []
    for line in file.read_text("utf-8").splitlines():
        if line.startswith("$ "):
            steps.append(Expected(line.removeprefix("$ ")))
        elif line.startswith("WatchedEvent "):
            steps[-1].events.append(line)
        elif line and line != "WATCHER::" and not line.startswith("#"):
            steps[-1].output.append(line)
    return steps


def masked(lines: list[str]) -> list[str]:
    return [mask(line) for line in lines]


def mask(line: str) -> str:
    """Hides what differs from run to run, and the wording of the option parser."""
    line = re.sub(r"^([cmp]Zxid|ephemeralOwner) = 0x0*[1-9a-f][0-9a-f]*$", r"\1 = 0xN", line)
    line = re.sub(r"^([cm]time) = .*", r"\1 = DATE", line)
    line = re.sub(r"^org\.apache\.commons\.cli\.\w+: ", "", line)
    return re.sub(r" \(data that begins with a dash goes behind `--`\)$", "", line)


NEWER = "zkCli 3.8 does not know this option yet"
SILENT = "zkCli says nothing and counts it as success"

RACE = "zkCli wakes its waiting thread before it notes the failure (ZKUtil#deleteInBatch)"
DIFFERENT = {
    "deleteall /t-acl/locked": RACE,
    "deleteall -b 1 /t-acl/locked": RACE,
    "get": NEWER,
    "set /x": NEWER,
    "removewatches": NEWER,
    "set -b /x %%": NEWER,
    "get -x /t-nodes": NEWER,
    "delete -v x /y": "it ends zkCli with a stack trace",
    "delete /t-nodes/null 9": "zkCli ignores the version and deletes the node",
    "setAcl -R /t-acl/deep world:anyone:r": "zkCli runs the refusals together",
    "ls /t-session": "we say why the shell is not connected; before and after `connect`",
    "close": "zkCli closes a closed session with `Not connected`",
    "connect": "zkCli does not wait, the event may come later",
    "redo": SILENT,
    "redo 2": "the numbers count the marks between the commands",
    "redo 0": "the numbers count the marks between the commands",
    "redo 20": "the numbers count the marks between the commands",
    "history": "the numbers count the marks between the commands",
    "help bogus": "zkCli has no help",
    "help getAcl": "zkCli has no help",
    "4lw srv": "zkCli has no such command",
}
