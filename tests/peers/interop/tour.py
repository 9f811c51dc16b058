"""The plays of all recipes at real servers, which are killed, paused and restarted under them.

The plays are those of the simulator (`tests/tests/plays`), as one program that QUORATE_TOUR
sends to servers; what is checked, and how the program is talked with, stands in
`tests/src/tour`. Here are the faults. Between two of them everybody has to come round.

TOUR_ROUNDS   how often all faults happen (1)
TOUR_PLAYS    only plays with one of these words in their names
QUORATE_PLAYS the program; built if it is not given
"""

import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

from interop.ensemble import Ensemble
from interop.server import Server

ROOT = Path(__file__).resolve().parents[3]

# That of the plays' clients (`tests/src/tour/actor.rs`).
SESSION = 3.0
# Longer than a session lives without its server.
LONG = SESSION * 1.5
# So often everybody comes round after each fault.
ROUNDS = 1
# For everybody to come round, and for the end.
PATIENCE = 120.0

# A test of the simulator itself.
SIMULATOR_ONLY = ("--skip", "a_seed_is_a_performance")

# Members catch up by transactions and not by snapshots: their logs together are the history.
# Little is written before it is needed, so that there is little to read.
SETTINGS = {
    "preAllocSize": "1024",
    "commitLogCount": "100000",
    "snapshotSizeFactor": "0",
    "snapCount": "1000000",
}


class DisagreementError(AssertionError):
    """A play failed at members that provably do not hold the same data themselves."""


class Company:
    """All plays at one service, until `finish`."""

    def __init__(self, servers: str, logs: Path) -> None:
        chosen = [*os.environ.get("TOUR_PLAYS", "").split(), *SIMULATOR_ONLY]
        self.plays = len(_names(chosen))
        self._output: list[str] = []
        self._answers: list[str] = []
        self._heard = threading.Condition()
        self._log = logs / "plays.log"
        with self._log.open("wb") as errors:
            self._process = subprocess.Popen(
                # All at once.
                [program(), *chosen, "--test-threads=200"],
                env={**os.environ, "QUORATE_TOUR": servers},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def progress(self) -> None:
        """Waits until everybody has come round since the last fault."""
        end = time.monotonic() + PATIENCE
        while True:
            rounds, plays, who = self._ask("rounds")
            failed = [line for line in self._output if line.startswith("failed ")]
            assert not failed, "\n".join(failed)
            if int(rounds) >= ROUNDS and int(plays) == self.plays:
                return
            assert time.monotonic() < end, f"{who} is stuck after {rounds} rounds"
            time.sleep(0.1)

    def fault(self, what: Callable[[], None]) -> None:
        """Does something to the servers, or to the clients."""
        self._tell("fault")
        what()

    def pause(self) -> None:
        """All clients sleep, longer than their sessions live."""
        self._process.send_signal(signal.SIGSTOP)
        time.sleep(LONG)
        self._process.send_signal(signal.SIGCONT)

    def finish(self, directories: list[Path]) -> list[str]:
        """Lets all plays end; answers a line of numbers of each."""
        self._tell(" ".join(["over", *(str(path / "version-2") for path in directories)]))
        try:
            code = self._process.wait(2 * PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise AssertionError(f"no end\n{self._report()}") from None
        self._reader.join()
        assert code == 0, self._report()
        played = sorted(line[7:] for line in self._output if line.startswith("played "))
        assert len(played) == self.plays, played
        # By chance a play may have got nowhere; but not many of them.
        idle = [line for line in self._output if re.match(r"saw \S+: 0 ", line)]
        assert len(idle) <= 1 + self.plays // 20, idle
        return played

    def close(self) -> None:
        """Ends the program, whatever it does."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._reader.join()

    def __enter__(self) -> "Company":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _tell(self, line: str) -> None:
        assert self._process.poll() is None, f"the plays have ended\n{self._report()}"
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def _ask(self, line: str) -> list[str]:
        with self._heard:
            self._tell(line)
            assert self._heard.wait_for(lambda: self._answers, PATIENCE), self._report()
            return self._answers.pop().split()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._heard:
                if line.startswith("rounds "):
                    self._answers.append(line[7:])
                    self._heard.notify_all()
                else:
                    self._output.append(line.rstrip("\n"))

    def _report(self) -> str:
        failed = [line for line in self._output if line and not line.endswith("... ok")]
        errors = self._log.read_text("utf-8", errors="replace")
        return "\n".join(failed)[-20_000:] + errors[-4_000:]


def alone(server: Server, logs: Path) -> list[str]:
    """What can happen to a server that is alone, and to all of its clients."""

    def crash() -> None:
        server.kill()
        server.start()

    def restart() -> None:
        server.stop()
        server.start()

    with Company(server.address, logs) as company:
        _play(company, [crash, lambda: _freeze(server, LONG), restart])
        # It is over while all sessions are: what is kept has to come back before the end.
        company.fault(company.pause)
        return company.finish([server.data])


def together(ensemble: Ensemble, logs: Path) -> list[str]:
    """What can happen to members, always one at a time, so that the service goes on."""

    def pause(member: Server) -> None:
        _freeze(member, LONG)
        ensemble.wait_serving(len(ensemble.members))

    def restart_all_in_turn() -> None:
        for member in ensemble.members:
            _again(ensemble, member, Server.stop)

    faults = [
        lambda: _again(ensemble, ensemble.leader(), Server.kill),
        lambda: pause(ensemble.follower()),
        lambda: pause(ensemble.leader()),
        lambda: _again(ensemble, ensemble.follower(), Server.kill),
        restart_all_in_turn,
    ]
    with Company(ensemble.address, logs) as company:
        try:
            _play(company, faults)
            # Sessions have outlived the last of these: whatever was forgotten is still there.
            return company.finish([member.data for member in ensemble.members])
        except AssertionError as failure:
            evidence = _disagreement(ensemble, str(failure))
            if not evidence:
                raise
            raise DisagreementError(f"{evidence}\n{failure}") from None


def _disagreement(ensemble: Ensemble, failure: str) -> str:
    """What shows that the members themselves do not agree; empty if nothing does."""
    found = re.findall(r"the servers' logs go back at: \[(0x.*?)\]", failure)[:1]
    for number, member in enumerate(ensemble.members, 1):
        figures = member.four_letters("mntr") if member.running else ""
        counted = re.search(r"zk_digest_mismatches_count\t[1-9]", figures)
        # The count begins anew with the process, the log does not.
        if counted or "Digests are not matching" in member.log:
            found.append(f"server.{number} has another tree than its leader")
    return "; ".join(found)


def _play(company: Company, faults: list[Callable[[], None]]) -> None:
    """Through all faults, again and again with TOUR_ROUNDS."""
    company.progress()
    for _ in range(int(os.environ.get("TOUR_ROUNDS", "1"))):
        for fault in faults:
            company.fault(fault)
            company.progress()


@cache
def program() -> str:
    """The plays, built if need be."""
    given = os.environ.get("QUORATE_PLAYS")
    if given:
        return given
    # Of the whole workspace, so that what the unit tests have built is used again.
    command = ["cargo", "test", "--locked", "--no-run", "--message-format=json"]
    command += ["--workspace", "--test", "plays"]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    messages = [json.loads(line) for line in built.stdout.splitlines()]
    # Programs that the tests may run are built with them.
    tests = [message for message in messages if message.get("executable")]
    plays = [test for test in tests if test["target"]["name"] == "plays"]
    return str(plays[-1]["executable"])


def _names(chosen: list[str]) -> list[str]:
    command = [program(), *chosen, "--list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True)
    return re.findall(r"(?m)^(.*): test$", listed.stdout)


def _again(ensemble: Ensemble, member: Server, end: Callable[[Server], None]) -> None:
    end(member)
    ensemble.wait_serving(len(ensemble.members) - 1)
    member.launch()
    ensemble.wait_serving(len(ensemble.members))


def _freeze(server: Server, seconds: float) -> None:
    server.pause()
    time.sleep(seconds)
    server.resume()
