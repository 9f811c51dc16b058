"""Clients at registers, and whether what they were told can be true.

Each client is a process of ours with a session of its own. What it asks and hears is a history,
which Porcupine judges (`go/linearizable`): writes, writes of a version, and reads behind a sync
must fit into one order. Reads without a sync, and the order in which a session sees things, are
judged here.
"""

import json
import random
import subprocess
import threading
import time
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Self

from interop import node, programs
from interop.peer import PATIENCE, PeerError, ProcessPeer
from interop.players import until

# Of each round; few, so that clients meet.
REGISTERS = 2
# A pause between requests, seconds: histories are to be long in time and short to judge.
PAUSE = 0.01


@dataclass(frozen=True)
class Record:
    """One request and its answer; without `returned` nobody knows what became of it."""

    client: int
    path: str
    do: str
    text: str
    expected: int
    call: int
    returned: int | None
    code: str
    version: int

    def line(self) -> str:
        """As the checker reads it."""
        fields = asdict(self)
        returned = fields.pop("returned")
        return json.dumps(fields if returned is None else {**fields, "return": returned})


class Client:
    """One session's requests at the registers of the round, one after another."""

    def __init__(self, number: int, peer: ProcessPeer) -> None:
        self.number = number
        self.peer = peer
        self.history: list[Record] = []
        self.paths: list[str] = []
        self._random = random.Random(number)
        # The newest version of each register that this session has seen.
        self._seen: dict[str, int] = {}
        self._over = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begins; there must be registers."""
        self._thread.start()

    def stop(self) -> None:
        """Lets the last request come to its end."""
        self._over.set()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), f"client {self.number} waits for an answer"
        self.has(0)

    def has(self, answers: int) -> bool:
        """Whether it has got so many answers; an error if it has failed."""
        if self._failure is not None:
            raise AssertionError(f"client {self.number} has failed") from self._failure
        return self.answers >= answers

    @property
    def answers(self) -> int:
        return sum(1 for record in self.history if record.code == "Ok")

    def write(self, path: str, expected: int | None = None) -> node.Answer:
        """Writes something new, perhaps only over this version."""
        text = f"{self.number}-{len(self.history)}"
        begun = time.monotonic_ns()
        said = node.answer(self.peer.call("node.set", path=path, text=text, version=expected))
        if said.done or said.unknown or said.code == "BadVersion":
            do = "set" if expected is None else "cas"
            self._note(do, path, text, expected, begun, said)
        return said

    def read(self, path: str, do: str) -> None:
        """Reads, behind a sync or without one."""
        begun = time.monotonic_ns()
        said = node.answer(self.peer.call(f"node.{do}", path=path))
        if said.done:
            self._note(do, path, said.text, None, begun, said)

    def _run(self) -> None:
        try:
            while not self._over.wait(PAUSE):
                path = self._random.choice(self.paths)
                match self._random.choice(["read", "look", "set", "cas", "cas"]):
                    case "set":
                        self.write(path)
                    case "cas":
                        self.write(path, self._seen.get(path, 0))
                    case do:
                        self.read(path, do)
        except (AssertionError, PeerError) as error:
            self._failure = error

    def _note(
        self, do: str, path: str, text: str, expected: int | None, begun: int, said: node.Answer
    ) -> None:
        ended = None if said.unknown else time.monotonic_ns()
        what = (self.number, path, do, text, -1 if expected is None else expected)
        self.history.append(Record(*what, begun, ended, said.code, said.version))
        if said.done:
            # A session never goes back, at whichever server it is.
            seen = self._seen.get(path, 0)
            assert said.version >= seen, f"{path} was at {seen}, and is at {said.version}"
            self._seen[path] = said.version
        elif said.code == "BadVersion":
            # To have another chance.
            self.read(path, "read")


class Watcher:
    """Follows registers by watches: of each change it must be told, or of a later one."""

    def __init__(self, peer: ProcessPeer) -> None:
        self._peer = peer
        self._versions: dict[str, int] = {}
        self._failure: BaseException | None = None

    def follow(self, path: str) -> None:
        """From now on."""
        self._versions[path] = 0
        threading.Thread(target=self._follow, args=[path], daemon=True).start()

    def has(self, path: str, version: int) -> bool:
        """Whether it has been told of this version."""
        if self._failure is not None:
            raise AssertionError("a watcher has failed") from self._failure
        return self._versions[path] >= version

    def _follow(self, path: str) -> None:
        try:
            while True:
                newer = self._versions[path] + 1
                told = self._peer.begin("node.await", path=path, version=newer).result()
                if (said := node.answer(told)).done:
                    self._versions[path] = said.version
                else:
                    time.sleep(PAUSE)
        except PeerError as error:
            self._failure = error


class Registers:
    """Clients and a watcher at one service, round after round, until `close`."""

    def __init__(self, servers: str, logs: Path, clients: int, session_ms: int) -> None:
        peers = []
        for number in range(clients + 2):
            log = logs / f"client-{number}.log"
            peers.append(programs.start("quorate", servers, log, str(session_ms)))
        for peer in peers:
            peer.wait_ready()
        self._picture = logs / "history.html"
        self._clients = [Client(number, peer) for number, peer in enumerate(peers[:-1])]
        # The last of them does only what it is told to.
        self._own = self._clients.pop()
        self._watcher = Watcher(peers[-1])
        self._peers = peers
        self._paths: list[str] = []
        self._rounds = 0
        self.begin()
        for client in self._clients:
            client.start()

    def begin(self) -> None:
        """The next round, at registers of its own, so that histories are short."""
        self._rounds += 1
        paths = [f"/register-{self._rounds}-{number}" for number in range(REGISTERS)]
        for path in paths:
            until(partial(self._make, path), f"a register at {path}")
            self._watcher.follow(path)
        self._paths = paths
        for client in self._clients:
            client.paths = paths

    @property
    def path(self) -> str:
        """One of the registers of this round."""
        return self._paths[0]

    def progress(self, answers: int = 5) -> None:
        """Waits until each client has been answered so often again."""
        goals = [(client, client.answers + answers) for client in self._clients]
        for client, goal in goals:
            until(partial(client.has, goal), f"answers for client {client.number}")

    def go_on(self) -> None:
        """Waits until somebody has been answered again: not all can reach a quorum."""
        goal = self._answers() + 5 * len(self._clients)
        until(lambda: self._answers() >= goal, "answers for anybody")

    def settle(self) -> None:
        """Writes to each register, of which the watcher must be told."""
        for path in self._paths:
            written = self._own.write(path)
            assert written.done, written
            until(partial(self._watcher.has, path, written.version), f"an event of {path}")

    def finish(self) -> str:
        """Ends the clients and judges what they heard; answers a line of numbers."""
        for client in self._clients:
            client.stop()
        everybody = [*self._clients, self._own]
        history = [record for client in everybody for record in client.history]
        return judge(history, self._picture)

    def close(self) -> None:
        """Ends all processes."""
        for peer in self._peers:
            peer.kill()

    def _answers(self) -> int:
        return sum(client.answers for client in self._clients)

    def _make(self, path: str) -> bool:
        made = node.answer(self._own.peer.call("node.create", path=path, text=""))
        return made.code in ("Ok", "NodeExists")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def judge(history: list[Record], picture: Path) -> str:
    """Whether this history is linearizable; a picture of it if it is not."""
    lines = "\n".join(record.line() for record in history if record.do != "look")
    judged = subprocess.run(
        [programs.linearizable(), str(picture)],
        input=lines,
        capture_output=True,
        text=True,
        check=False,
    )
    assert judged.returncode == 0, f"{judged.stdout}{judged.stderr}: see {picture}"
    unknown = sum(1 for record in history if record.returned is None)
    return f"{len(history)} requests, {unknown} of them with an unknown outcome"
