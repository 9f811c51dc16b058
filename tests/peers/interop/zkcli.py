"""Drives Debian's zkCli (Apache's Java client and its command line) through pipes.

Debian ships it without JLine, so it reads plain lines and prints no prompt; an unknown
command is sent as a marker for "the command before is done". Watch events come from
another thread of the client, so they are taken out of the output and kept as a list.
"""

import contextlib
import queue
import re
import subprocess
import threading
import time
from dataclasses import dataclass, field
from types import TracebackType

from interop.server import java, java_path


class ZkCliError(Exception):
    """The client did not answer in time or ended unexpectedly."""


@dataclass
class Step:
    """One command of a script and how many watch events to wait for after it."""

    command: str
    events: int = 0
    # The server's order is a hash table's for these; compare as a set.
    unordered: bool = False


@dataclass
class Record:
    """What one command printed and which watch events arrived until the next."""

    command: str
    output: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)


class ZkCli:
    """One interactive client on one server."""

    def __init__(self, address: str, *options: str) -> None:
        self._process = subprocess.Popen(
            [*java(path=java_path("slf4j-nop")), MAIN_CLASS, "-server", address, *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._events: list[str] = []
        self._told = 0
        self._marker = 0
        threading.Thread(target=self._read, daemon=True).start()
        self._until_connected()
        self.execute("")  # Takes the greeting away.

    def run(self, step: Step) -> Record:
        """Runs one command; waits for its end and for the events it announces."""
        record = Record(step.command, self.execute(step.command))
        self._wait_for_events(step)
        record.events = self._events[self._told :]
        self._told = len(self._events)
        if step.unordered:
            record.output = sorted(_sorted_list(line) for line in record.output)
            record.events.sort()
        return record

    def execute(self, command: str) -> list[str]:
        """The lines that `command` printed, watch events taken out."""
        self._marker += 1
        marker = f"end-of-command-{self._marker}"
        self._write(f"{command}\n{marker}\n")
        lines: list[str] = []
        while (line := self._next_line(command)) is not None:
            if line.endswith(marker):
                return _without_usage_at_end(lines)
            lines.append(line)
        raise ZkCliError(f"zkCli ended during {command!r}: {lines}")

    def finish(self, command: str, deadline: float = 30.0) -> tuple[list[str], int]:
        """Sends a command that ends the client; its last lines and its exit code (which
        is that of the last command before, so 127 after any marker)."""
        self._write(f"{command}\n")
        lines = []
        while (line := self._next_line(command)) is not None:
            lines.append(line)
        return lines, self._process.wait(deadline)

    def close(self) -> None:
        """Ends the client, by force if it has not ended; its session stays behind."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()

    def __enter__(self) -> "ZkCli":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for raw in self._process.stdout:
            line = raw.decode("utf-8", errors="replace").rstrip("\n")
            if line.startswith("WatchedEvent "):
                self._events.append(line)
            elif line and line != "WATCHER::":
                self._lines.put(line)
        self._lines.put(None)

    def _until_connected(self) -> None:
        """Commands before the connection is there would fail, so wait for its event."""
        end = time.monotonic() + DEADLINE
        while not any("state:SyncConnected" in event for event in self._events):
            if self._process.poll() is not None or time.monotonic() > end:
                raise ZkCliError(f"zkCli did not connect: {list(self._lines.queue)}")
            time.sleep(0.01)
        self._told = len(self._events)

    def _wait_for_events(self, step: Step) -> None:
        end = time.monotonic() + EVENT_DEADLINE
        while len(self._events) < self._told + step.events:
            if time.monotonic() > end:
                return  # The comparison shows what is missing.
            time.sleep(0.005)

    def _next_line(self, command: str) -> str | None:
        try:
            return self._lines.get(timeout=DEADLINE)
        except queue.Empty:
            raise ZkCliError(f"zkCli did not finish {command!r}") from None

    def _write(self, text: str) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(text.encode("utf-8"))
            self._process.stdin.flush()


def run_once(address: str, *arguments: str) -> tuple[list[str], int]:
    """`zkCli -server ADDRESS ARGUMENTS...`: its lines without events, its exit code."""
    done = subprocess.run(
        [
            *java(path=java_path("slf4j-nop")),
            MAIN_CLASS,
            "-waitforconnection",
            "-server",
            address,
            *arguments,
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=DEADLINE,
        check=False,
    )
    text = (done.stdout + done.stderr).decode("utf-8", errors="replace")
    noise = ("WatchedEvent ", "WATCHER::", "Connecting to ")
    return [line for line in text.splitlines() if line and not line.startswith(noise)], (
        done.returncode
    )


class Normaliser:
    """Replaces what differs between two runs by names; everything else stays, zxids too."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._sessions: dict[str, str] = {}

    def text(self, line: str) -> str:
        line = line.replace(self._address, "<server>")
        line = TIME.sub("<time>", line)
        return SESSION.sub(self._session, line)

    def records(self, records: list[Record]) -> list[str]:
        """A transcript, one line per command, output line and event."""
        lines = []
        for record in records:
            lines.append(f"> {record.command}")
            lines += [f"  {self.text(line)}" for line in record.output]
            lines += [f"  ! {self.text(event)}" for event in record.events]
        return lines

    def _session(self, match: re.Match[str]) -> str:
        text = match.group(0)
        if text.startswith(("0xff", "0x8000000000000000")):
            return text  # A TTL or a container mark, the same on every server.
        return self._sessions.setdefault(text, f"<session-{len(self._sessions) + 1}>")


def _without_usage_at_end(lines: list[str]) -> list[str]:
    """The marker is an unknown command, so the help text stands before its line."""
    for index in range(len(lines) - 1, -1, -1):
        if lines[index].startswith("ZooKeeper -server host:port"):
            return lines[:index]
    raise ZkCliError(f"no help text before the marker: {lines}")


def _sorted_list(line: str) -> str:
    if line.startswith("[") and line.endswith("]"):
        return f"[{', '.join(sorted(line[1:-1].split(', ')))}]"
    return line


MAIN_CLASS = "org.apache.zookeeper.ZooKeeperMain"
DEADLINE = 60.0
EVENT_DEADLINE = 10.0
TIME = re.compile(r"\w{3} \w{3} \d{2} \d{2}:\d{2}:\d{2} \w+ \d{4}")
SESSION = re.compile(r"0x[0-9a-f]{12,16}\b")
