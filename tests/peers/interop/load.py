"""Writers for the kill -9 loop, each with a model of what its operations do.

A writer pipelines operations below a node of its own and keeps them in order. A server
handles one connection's requests in order, so after a crash the writer's subtree must
be the model's state after exactly n operations, for some n from "replied" to "sent".
That one comparison covers lost writes, invented writes, reordering and torn multis.
"""

import random
import threading
from collections import deque
from dataclasses import dataclass

from interop.tree import Tree
from interop.wire import (
    Connection,
    ConnectionLost,
    Op,
    Reply,
    create,
    multi,
    multi_failed,
    set_data,
    versioned,
)

# Path -> (data, version): the state of a writer's subtree.
State = dict[str, tuple[bytes, int]]


@dataclass(frozen=True)
class Operation:
    """One request, what it changes (None: deleted) and whether it must be refused."""

    op: Op
    payload: bytes
    changes: dict[str, tuple[bytes, int] | None]
    refused: bool = False


class WrongReply(Exception):
    """The server answered something that the model does not allow."""


class Writer:
    """One session that writes below `root` until the connection breaks or `stop` is set."""

    def __init__(self, port: int, root: str, seed: int, depth: int) -> None:
        self.root = root
        self.sent: list[Operation] = []
        self.replied = 0
        self.failure: str | None = None
        self.link = Connection(port, timeout_ms=SESSION_TIMEOUT_MS)
        self._random = random.Random(seed)
        self._depth = depth
        self._state: State = {}
        self._live: list[str] = []
        self._serial = 0
        self._sequence = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._stop = threading.Event()
        self._prepare()

    def start(self) -> None:
        self._thread.start()

    def join(self) -> None:
        """Waits for the writer to notice that the server is gone."""
        self._stop.set()
        self._thread.join(60.0)
        if self._thread.is_alive():
            self.failure = f"{self.root}: no reply and no end of the connection for 60 s"
        self.link.drop()

    def verdict(self, tree: Tree) -> str | None:
        """None if `tree` is the state after some allowed number of operations."""
        found: State = {
            path: (node.data or b"", node.stat.version)
            for path, node in tree.items()
            if path.startswith(f"{self.root}/") or path == self.root
        }
        state = self._initial()
        for count, operation in enumerate(self.sent, start=1):
            if count - 1 >= self.replied and state == found:
                return None
            _apply(state, operation)
        if state == found:
            return None
        return self._explain(found)

    def _prepare(self) -> None:
        for path, (data, _) in self._initial().items():
            reply = self.link.call(Op.CREATE, create(path, data))
            if reply.error:
                raise WrongReply(f"create {path}: {reply}")
        self._state = self._initial()

    def _initial(self) -> State:
        names = ["", "/seq", "/set", "/multi", "/gone"]
        return {f"{self.root}{name}": (b"", 0) for name in names}

    def _run(self) -> None:
        waiting: deque[Operation] = deque()
        try:
            while not self._stop.is_set() or waiting:
                while len(waiting) < self._depth and not self._stop.is_set():
                    operation = self._next()
                    self.sent.append(operation)
                    waiting.append(operation)
                    self.link.send(operation.op, operation.payload)
                self._check(waiting.popleft(), self.link.receive())
                self.replied += 1
        except ConnectionLost:
            pass
        except WrongReply as error:
            self.failure = f"{self.root}: {error}"

    def _check(self, operation: Operation, reply: Reply) -> None:
        failed = multi_failed(reply) if operation.op is Op.MULTI else reply.error != 0
        if failed != operation.refused:
            raise WrongReply(f"{operation} was answered with {reply}")

    def _next(self) -> Operation:
        self._serial += 1
        kinds = [self._sequential, self._set, self._multi, self._refused, self._delete]
        (make,) = self._random.choices(kinds, weights=[2, 2, 1, 1, 1])
        operation = make()
        _apply(self._state, operation)
        return operation

    def _sequential(self) -> Operation:
        """The server's number must be the model's: it counts the creates under /seq."""
        data = self._data()
        changes = {f"{self.root}/seq/n-{self._sequence:010d}": (data, 0)}
        self._sequence += 1
        payload = create(f"{self.root}/seq/n-", data, flags=2)
        return Operation(Op.CREATE, payload, {**changes})

    def _set(self) -> Operation:
        path = f"{self.root}/set"
        version = self._state[path][1]
        data = self._data()
        return Operation(
            Op.SET_DATA, set_data(path, data, version), {path: (data, version + 1)}
        )

    def _multi(self) -> Operation:
        counter = f"{self.root}/multi"
        version = self._state[counter][1]
        one, two = f"{counter}/{self._serial}-a", f"{counter}/{self._serial}-b"
        data = self._data()
        steps = [
            (Op.CREATE, create(one, data)),
            (Op.CHECK, versioned(counter, version)),
            (Op.SET_DATA, set_data(counter, data, version)),
            (Op.CREATE, create(two, data)),
        ]
        changes = {one: (data, 0), counter: (data, version + 1), two: (data, 0)}
        return Operation(Op.MULTI, multi(steps), {**changes})

    def _refused(self) -> Operation:
        """A multi whose last step fails: nothing of it may be there."""
        steps = [
            (Op.CREATE, create(f"{self.root}/gone/{self._serial}", b"never")),
            (Op.SET_DATA, set_data(f"{self.root}/multi", b"never")),
            (Op.CHECK, versioned(self.root, 77)),
        ]
        return Operation(Op.MULTI, multi(steps), {}, refused=True)

    def _delete(self) -> Operation:
        """Creates a node under /gone, or deletes one created so."""
        if self._live and self._random.random() < 0.5:
            path = self._live.pop(self._random.randrange(len(self._live)))
            return Operation(Op.DELETE, versioned(path, 0), {path: None})
        path = f"{self.root}/gone/{self._serial}"
        self._live.append(path)
        data = self._data()
        return Operation(Op.CREATE, create(path, data), {path: (data, 0)})

    def _data(self) -> bytes:
        return f"{self._serial} ".encode() * self._random.choice([1, 1, 1, 20, 400])

    def _explain(self, found: State) -> str:
        least, most = self._initial(), self._initial()
        for number, operation in enumerate(self.sent):
            if number < self.replied:
                _apply(least, operation)
            _apply(most, operation)
        possible = {**least, **most}
        lost = sorted(set(least) & set(most) - set(found))
        unexpected = sorted(set(found) - set(possible))
        other = sorted(p for p in found if found[p] not in (least.get(p), most.get(p)))
        return (
            f"{self.root}: {len(self.sent)} sent, {self.replied} acknowledged; the tree "
            f"is the state after no allowed number of them. Lost: {lost[:5]}; not expected: "
            f"{unexpected[:5]}; with other contents: {other[:5]}"
        )


def _apply(state: State, operation: Operation) -> None:
    for path, value in operation.changes.items():
        if value is None:
            state.pop(path, None)
        else:
            state[path] = value


# Longer than any round, so that no session expires by itself.
SESSION_TIMEOUT_MS = 60_000
