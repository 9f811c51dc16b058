"""The same for threads that wait.

Every call waits with the interpreter released; Ctrl-C ends a wait of the main thread. Clients may be shared by threads.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, Self, cast

from quorate import _quorate
from quorate._quorate import Feed, Hold, Session, Stat
from quorate._shared import UNOPENED, AnyServer, Connection, Holding, Hosting, Parts, failing
from quorate._types import Acl, Created, Data, Event, Mode, Path, State


def _arrivals(feed: Feed, timeout: float | None) -> list[Any]:
    while not (items := feed.take()):
        feed.wait(timeout)
    return items


def connect(
    servers: str | AnyServer = "127.0.0.1:2181",
    *,
    timeout: float | None = 30.0,
    session_timeout: float | None = None,
    root: str | None = None,
    auth: Iterable[tuple[str, Data]] = (),
    read_only: bool = False,
    renew: bool = True,
) -> "Client":
    """A client of `servers`: a connection string such as `h1:2181,h2:2181/app`, or a server of this process.

    It is connected when this returns. Use it as `with connect(…) as zk`, or call `zk.close()`. `timeout`
    limits the wait for the session; `session_timeout` is asked of the server, 10 s unless told otherwise. All paths
    are below `root`. A session that is lost is followed by another one if `renew` says so.
    """
    return Client(
        servers,
        timeout=timeout,
        session_timeout=session_timeout,
        root=root,
        auth=auth,
        read_only=read_only,
        renew=renew,
    ).open()


class Client(Connection):
    """A session with a service. Threads may share it."""

    def __init__(
        self,
        servers: str | AnyServer = "127.0.0.1:2181",
        *,
        timeout: float | None = 30.0,
        session_timeout: float | None = None,
        root: str | None = None,
        auth: Iterable[tuple[str, Data]] = (),
        read_only: bool = False,
        renew: bool = True,
    ) -> None:
        super().__init__(
            servers,
            timeout=timeout,
            session_timeout=session_timeout,
            root=root,
            auth=auth,
            read_only=read_only,
            renew=renew,
        )

    def open(self) -> Self:
        """Connects, and waits for the session."""
        if self._session is not UNOPENED:
            raise RuntimeError("the client was opened before")
        session = Session(hub=None, create_future=None, **self._options)
        try:
            session.connected(self._timeout)
        except BaseException:
            # Whoever keeps the exception keeps this frame, and shall not keep a client.
            del session
            raise
        self._session = session
        return self

    def __enter__(self) -> Self:
        return self.open() if self._session is UNOPENED else self

    def __exit__(self, kind: object, error: object, _: object) -> None:
        with failing(error):
            self.close()

    def close(self, *, timeout: float | None = None) -> None:
        """Ends the session after everything that was asked for; its ephemeral nodes vanish."""
        self._closed = self._session is not UNOPENED
        self._session.close(timeout)

    def states(self) -> "States":
        """The states that follow, until the last."""
        return States(self._session.states())

    def create(
        self,
        path: Path,
        data: Data = b"",
        *,
        mode: Mode = "persistent",
        ttl: float | None = None,
        acl: Sequence[Acl] | None = None,
        timeout: float | None = None,
    ) -> Created:
        """Creates a node. `ttl` is in seconds, for the modes that have one."""
        return Created(*self._session.create(path, data, mode, ttl, acl, timeout))

    def get(self, path: Path, *, timeout: float | None = None) -> tuple[bytes, Stat]:
        """Reads data and stat."""
        found: tuple[bytes, Stat] = self._session.get(path, timeout)
        return found

    def set(
        self,
        path: Path,
        data: Data,
        *,
        version: int | None = None,
        timeout: float | None = None,
    ) -> Stat:
        """Writes data, at this version if one is given."""
        found: Stat = self._session.set(path, data, version, timeout)
        return found

    def delete(self, path: Path, *, version: int | None = None, timeout: float | None = None) -> None:
        """Deletes a node without children, of this version if one is given."""
        self._session.delete(path, version, timeout)

    def exists(self, path: Path, *, timeout: float | None = None) -> Stat | None:
        """The stat of a node, or None."""
        found: Stat | None = self._session.exists(path, timeout)
        return found

    def children(self, path: Path, *, timeout: float | None = None) -> tuple[list[str], Stat]:
        """The names of a node's children, in no order, and its stat."""
        found: tuple[list[str], Stat] = self._session.children(path, timeout)
        return found

    def sync(self, path: Path = "/", *, timeout: float | None = None) -> None:
        """Waits until the server has caught up with the leader."""
        self._session.sync(path, timeout)

    def multi(self) -> "Transaction":
        """Writes and checks that happen all or not at all."""
        return Transaction(self._session.multi, 0)

    def get_and_watch(self, path: Path, *, timeout: float | None = None) -> tuple[bytes, Stat, "Watch"]:
        """Reads data and stat, and leaves a watch for the node's change or deletion."""
        data, stat, feed = self._session.get_and_watch(path, timeout)
        return data, stat, Watch(feed)

    def exists_and_watch(self, path: Path, *, timeout: float | None = None) -> tuple[Stat | None, "Watch"]:
        """The stat or None, and a watch for the node's creation, change or deletion."""
        stat, feed = self._session.exists_and_watch(path, timeout)
        return stat, Watch(feed)

    def children_and_watch(self, path: Path, *, timeout: float | None = None) -> tuple[list[str], Stat, "Watch"]:
        """Names and stat, and a watch for children that come and go, and for the node's deletion."""
        names, stat, feed = self._session.children_and_watch(path, timeout)
        return names, stat, Watch(feed)

    def watch(self, path: Path, *, recursive: bool = False) -> "Watcher":
        """Every event of a node, or of it and everything below."""
        return Watcher(self._session, path, recursive)

    def lock(
        self,
        path: Path,
        *,
        data: Data = b"",
        layout: Literal["curator", "kazoo", "bridge"] = "curator",
        timeout: float | None = None,
    ) -> "Lock":
        """The exclusive lock at a path. `data` is for others to see; `layout` says which other clients it excludes."""
        return Lock(self._session, path, data, layout, timeout)

    def leader(
        self,
        path: Path,
        *,
        id: Data = b"",
        while_suspended: bool = False,
        timeout: float | None = None,
    ) -> "Leader":
        """The election at a path, as Curator's leader latch. `id` is for others to see.

        A term is over when the connection is lost; with `while_suspended` it goes on until the session is.
        """
        return Leader(self._session, path, id, while_suspended, timeout)


class States:
    """The states of a session that follow, one after the other."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._items: deque[Any] = deque()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> State:
        if not self._items:
            self._items.extend(_arrivals(self._feed, None))
        item = self._items.popleft()
        if item is None:
            raise StopIteration
        return State(item)

    def next(self, *, timeout: float | None = None) -> State | None:
        """The next state; None after the last."""
        if not self._items:
            self._items.extend(_arrivals(self._feed, timeout))
        item = self._items.popleft()
        return None if item is None else State(item)


class Watch:
    """A watch that fires once: `wait` waits for the event, or for the end of the session, which is an error."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._outcome: Any = None

    def wait(self, *, timeout: float | None = None) -> Event:
        """Waits for the event. It may be waited for as often as one likes."""
        if self._outcome is None:
            found = _arrivals(self._feed, timeout)
            if self._outcome is None:
                self._outcome = found[0] or RuntimeError("the watch was closed")
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return Event(*self._outcome)

    def close(self) -> None:
        """Forgets it, on the server too."""
        self._feed.close()


class Watcher:
    """Every event of a node or a subtree, until it is closed or the session ends, which is an error told once.

    `for event in zk.watch(…)` registers it with the first step; `with zk.watch(…) as events` does so at once.
    """

    def __init__(self, session: Session, path: Path, recursive: bool) -> None:
        self._session = session
        self._path = path
        self._recursive = recursive
        self._feed: Feed | None = None
        self._items: deque[Any] = deque()

    def start(self, *, timeout: float | None = None) -> Self:
        """Registers it: everything that happens from now on is seen."""
        if self._feed is None:
            self._feed = self._session.watch(self._path, self._recursive, timeout)
        return self

    def close(self) -> None:
        """Forgets it, on the server too."""
        if self._feed is not None:
            self._feed.close()
            self._items.clear()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        event = self.next()
        if event is None:
            raise StopIteration
        return event

    def next(self, *, timeout: float | None = None) -> Event | None:
        """The next event; None when nothing follows. A wait that is too long loses nothing."""
        if self._feed is None:
            self.start(timeout=timeout)
        assert self._feed is not None
        if not self._items:
            self._items.extend(_arrivals(self._feed, timeout))
        item = self._items.popleft()
        if isinstance(item, Exception):
            raise item
        return None if item is None else Event(*item)


class Transaction(Parts):
    """Writes and checks that happen all or not at all, in this order. Nothing happens before `commit`."""

    def commit(self, *, timeout: float | None = None) -> list[str | Stat | None]:
        """Carries it out. When a part fails nothing has happened, and the error's `part` says which.

        In a guarded transaction, part 0 is the guard.
        """
        results = self._commit(self._parts, timeout)
        return cast("list[str | Stat | None]", results[self._own :])


class Lost:
    """The moment when something held is lost."""

    def __init__(self, hold: Hold) -> None:
        self._hold = hold
        self._feed = hold.lost()
        self._set = False

    def is_set(self) -> bool:
        """Whether it has come, as far as this side knows."""
        self._set = self._set or not self._hold.holds() or bool(self._feed.take())
        return self._set

    def wait(self, *, timeout: float | None = None) -> None:
        """Waits for it, no longer than the session timeout after the last contact."""
        while not self._set:
            self._feed.wait(timeout)
            self._set = bool(self._feed.take())


class _Hold(Holding):
    def __init__(self, hold: Hold) -> None:
        super().__init__(hold)
        self._lost: Lost | None = None

    @property
    def lost(self) -> Lost:
        """The moment when it is lost."""
        if self._lost is None:
            self._lost = Lost(self._hold)
        return self._lost

    def guarded(self) -> Transaction:
        """A transaction that happens only while this is held."""
        return Transaction(self._hold.guarded, 1)


class Held(_Hold):
    """A lock that is held. When it is forgotten it is released in the background."""

    def release(self, *, timeout: float | None = None) -> None:
        """Releases it. Returns when its node is gone."""
        self._hold.release(timeout)


class Term(_Hold):
    """The time of a leader. When it is forgotten it ends in the background."""

    def step_down(self, *, timeout: float | None = None) -> None:
        """Ends it. Returns when its node is gone, or at once if the term was lost."""
        self._hold.release(timeout)


class Lock:
    """The exclusive lock at a path: a description, which may be acquired again and again."""

    def __init__(
        self,
        session: Session,
        path: Path,
        data: Data,
        layout: str,
        timeout: float | None,
    ) -> None:
        self._session = session
        self._arguments = (path, data, layout)
        self._timeout = timeout
        self._held: Held | None = None

    def acquire(self, *, timeout: float | None = None) -> Held:
        """Waits until the lock is held. A wait that is too long gives up its place in the queue."""
        return Held(self._session.acquire(*self._arguments, timeout))

    def __enter__(self) -> Held:
        if self._held is not None:
            raise RuntimeError("this lock object is in use; make one for each thread")
        self._held = self.acquire(timeout=self._timeout)
        return self._held

    def __exit__(self, kind: object, error: object, _: object) -> None:
        held, self._held = self._held, None
        if held is not None:
            with failing(error):
                held.release()


class Leader:
    """The election at a path: a description, under which one may stand again and again."""

    def __init__(
        self,
        session: Session,
        path: Path,
        id: Data,
        while_suspended: bool,
        timeout: float | None,
    ) -> None:
        self._session = session
        self._arguments = (path, id, while_suspended)
        self._timeout = timeout
        self._term: Term | None = None

    def stand(self, *, timeout: float | None = None) -> Term:
        """Waits until one leads. A wait that is too long gives up its place in the queue."""
        return Term(self._session.lead(*self._arguments, timeout))

    def __enter__(self) -> Term:
        if self._term is not None:
            raise RuntimeError("this election object is in use; make one for each thread")
        self._term = self.stand(timeout=self._timeout)
        return self._term

    def __exit__(self, kind: object, error: object, _: object) -> None:
        term, self._term = self._term, None
        if term is not None:
            with failing(error):
                term.step_down()


class Server(Hosting):
    """A server in this process: durable in a directory, or in memory without one.

    With `port` it also listens on `host`, where 0 is a free port. `settings` are lines of `zoo.cfg`. Use it as
    `with Server() as server`, or with `start` and `stop`; `connect(server)` needs no port.
    """

    def __init__(
        self,
        data_dir: Path | None = None,
        *,
        port: int | None = None,
        host: str = "127.0.0.1",
        settings: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(data_dir, port=port, host=host, settings=settings)

    def start(self) -> Self:
        """Starts it; then its data is loaded and its port open."""
        if self._running is not None:
            raise RuntimeError("the server was started before")
        self._running = _quorate.Server.start(hub=None, create_future=None, **self._options)
        return self

    def stop(self) -> None:
        """Stops it. What was acknowledged is on the disk, if there is one."""
        if self._running is not None:
            self._running.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
