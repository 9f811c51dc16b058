"""The front for asyncio."""

import asyncio
from asyncio import CancelledError, Future
from collections import deque
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Literal, Self, cast

from quorate import _quorate
from quorate._errors import LostError
from quorate._loops import arrivals, finish, hub_of
from quorate._quorate import Feed, Hold, Session, Stat
from quorate._shared import UNOPENED, AnyServer, Connection, Holding, Hosting, Parts, failing
from quorate._types import Acl, Created, Data, Event, Mode, Path, State


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

    Use it as `async with connect(…) as zk`, or `zk = await connect(…)` and `await zk.close()`. `timeout`
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
    )


class Client(Connection):
    """A session with a service. It belongs to the event loop in which it was opened."""

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

    async def open(self) -> Self:
        """Connects, and waits for the session."""
        if self._session is not UNOPENED:
            raise RuntimeError("the client was opened before")
        loop = asyncio.get_running_loop()
        session = Session(hub=hub_of(loop), create_future=loop.create_future, **self._options)
        try:
            await finish(session.connected(self._timeout))
        except BaseException:
            # Whoever keeps the exception keeps this frame, and shall not keep a client.
            del session
            raise
        self._session = session
        return self

    def __await__(self) -> Generator[Any, None, Self]:
        return self.open().__await__()

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(self, kind: object, error: object, _: object) -> None:
        with failing(error):
            await self.close()

    async def close(self, *, timeout: float | None = None) -> None:
        """Ends the session after everything that was asked for; its ephemeral nodes vanish."""
        answer = self._session.close(timeout)
        self._closed = True
        if isinstance(answer, Future):
            await answer

    def states(self) -> "States":
        """The states that follow, until the last."""
        return States(self._session.states())

    async def create(
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
        answer = self._session.create(path, data, mode, ttl, acl, timeout)
        return Created(*(await answer if isinstance(answer, Future) else answer))

    async def get(self, path: Path, *, timeout: float | None = None) -> tuple[bytes, Stat]:
        """Reads data and stat."""
        answer = self._session.get(path, timeout)
        found: tuple[bytes, Stat] = await answer if isinstance(answer, Future) else answer
        return found

    async def set(
        self,
        path: Path,
        data: Data,
        *,
        version: int | None = None,
        timeout: float | None = None,
    ) -> Stat:
        """Writes data, at this version if one is given."""
        answer = self._session.set(path, data, version, timeout)
        found: Stat = await answer if isinstance(answer, Future) else answer
        return found

    async def delete(self, path: Path, *, version: int | None = None, timeout: float | None = None) -> None:
        """Deletes a node without children, of this version if one is given."""
        answer = self._session.delete(path, version, timeout)
        if isinstance(answer, Future):
            await answer

    async def exists(self, path: Path, *, timeout: float | None = None) -> Stat | None:
        """The stat of a node, or None."""
        answer = self._session.exists(path, timeout)
        found: Stat | None = await answer if isinstance(answer, Future) else answer
        return found

    async def children(self, path: Path, *, timeout: float | None = None) -> tuple[list[str], Stat]:
        """The names of a node's children, in no order, and its stat."""
        answer = self._session.children(path, timeout)
        found: tuple[list[str], Stat] = await answer if isinstance(answer, Future) else answer
        return found

    async def sync(self, path: Path = "/", *, timeout: float | None = None) -> None:
        """Waits until the server has caught up with the leader."""
        answer = self._session.sync(path, timeout)
        if isinstance(answer, Future):
            await answer

    def multi(self) -> "Transaction":
        """Writes and checks that happen all or not at all."""
        return Transaction(self._session.multi, 0)

    async def get_and_watch(self, path: Path, *, timeout: float | None = None) -> tuple[bytes, Stat, "Watch"]:
        """Reads data and stat, and leaves a watch for the node's change or deletion."""
        answer = self._session.get_and_watch(path, timeout)
        data, stat, feed = await answer if isinstance(answer, Future) else answer
        return data, stat, Watch(feed)

    async def exists_and_watch(self, path: Path, *, timeout: float | None = None) -> tuple[Stat | None, "Watch"]:
        """The stat or None, and a watch for the node's creation, change or deletion."""
        answer = self._session.exists_and_watch(path, timeout)
        stat, feed = await answer if isinstance(answer, Future) else answer
        return stat, Watch(feed)

    async def children_and_watch(self, path: Path, *, timeout: float | None = None) -> tuple[list[str], Stat, "Watch"]:
        """Names and stat, and a watch for children that come and go, and for the node's deletion."""
        answer = self._session.children_and_watch(path, timeout)
        names, stat, feed = await answer if isinstance(answer, Future) else answer
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
        cancel: bool = True,
        timeout: float | None = None,
    ) -> "Leader":
        """The election at a path, as Curator's leader latch. `id` is for others to see.

        A term is over when the connection is lost; with `while_suspended` it goes on until the session is. Unless
        `cancel` is false, the body of `async with` is cancelled when the term is over, and `LostError` raised.
        """
        return Leader(self._session, path, id, while_suspended, cancel, timeout)


class States:
    """The states of a session that follow, one after the other."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._items: deque[Any] = deque()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> State:
        if not self._items:
            self._items.extend(await arrivals(self._feed, None))
        item = self._items.popleft()
        if item is None:
            raise StopAsyncIteration
        return State(item)

    async def next(self, *, timeout: float | None = None) -> State | None:
        """The next state; None after the last."""
        if not self._items:
            self._items.extend(await arrivals(self._feed, timeout))
        item = self._items.popleft()
        return None if item is None else State(item)


class Watch:
    """A watch that fires once: awaiting it waits for the event, or for the end of the session, which is an error."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._outcome: Any = None

    def __await__(self) -> Generator[Any, None, Event]:
        return self.wait().__await__()

    async def wait(self, *, timeout: float | None = None) -> Event:
        """Waits for the event. It may be waited for as often as one likes."""
        if self._outcome is None:
            found = await arrivals(self._feed, timeout)
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

    `async for event in zk.watch(…)` registers it with the first step; `async with zk.watch(…) as events` and
    `await zk.watch(…)` do so at once.
    """

    def __init__(self, session: Session, path: Path, recursive: bool) -> None:
        self._session = session
        self._path = path
        self._recursive = recursive
        self._feed: Feed | None = None
        self._items: deque[Any] = deque()

    async def start(self, *, timeout: float | None = None) -> Self:
        """Registers it: everything that happens from now on is seen."""
        if self._feed is None:
            answer = self._session.watch(self._path, self._recursive, timeout)
            self._feed = await answer if isinstance(answer, Future) else answer
        return self

    def close(self) -> None:
        """Forgets it, on the server too."""
        if self._feed is not None:
            self._feed.close()
            self._items.clear()

    def __await__(self) -> Generator[Any, None, Self]:
        return self.start().__await__()

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        event = await self.next()
        if event is None:
            raise StopAsyncIteration
        return event

    async def next(self, *, timeout: float | None = None) -> Event | None:
        """The next event; None when nothing follows. A wait that is cancelled loses nothing."""
        if self._feed is None:
            await self.start(timeout=timeout)
        assert self._feed is not None
        if not self._items:
            self._items.extend(await arrivals(self._feed, timeout))
        item = self._items.popleft()
        if isinstance(item, Exception):
            raise item
        return None if item is None else Event(*item)


class Transaction(Parts):
    """Writes and checks that happen all or not at all, in this order. Nothing happens before `commit`."""

    async def commit(self, *, timeout: float | None = None) -> list[str | Stat | None]:
        """Carries it out. When a part fails nothing has happened, and the error's `part` says which.

        In a guarded transaction, part 0 is the guard.
        """
        answer = self._commit(self._parts, timeout)
        results = await answer if isinstance(answer, Future) else answer
        return cast("list[str | Stat | None]", results[self._own :])


class Lost:
    """The moment when something held is lost: an event, and an awaitable."""

    def __init__(self, hold: Hold) -> None:
        self._hold = hold
        self._feed = hold.lost()
        self._set = False

    def is_set(self) -> bool:
        """Whether it has come, as far as this side knows."""
        self._set = self._set or not self._hold.holds() or bool(self._feed.take())
        return self._set

    async def wait(self, *, timeout: float | None = None) -> None:
        """Waits for it, no longer than the session timeout after the last contact."""
        while not self._set:
            await finish(self._feed.wait(timeout))
            self._set = bool(self._feed.take())

    def __await__(self) -> Generator[Any, None, None]:
        return self.wait().__await__()


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


async def _give_up(hold: Hold, timeout: float | None) -> None:
    # Cancelled, this wait ends; what it waited for goes on.
    future, _ = hold.release(timeout)
    await future


class Held(_Hold):
    """A lock that is held. When it is forgotten it is released in the background."""

    async def release(self, *, timeout: float | None = None) -> None:
        """Releases it. Returns when its node is gone."""
        await _give_up(self._hold, timeout)


class Term(_Hold):
    """The time of a leader. When it is forgotten it ends in the background."""

    async def step_down(self, *, timeout: float | None = None) -> None:
        """Ends it. Returns when its node is gone, or at once if the term was lost."""
        await _give_up(self._hold, timeout)


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

    async def acquire(self, *, timeout: float | None = None) -> Held:
        """Waits until the lock is held. A wait that is cancelled, or too long, gives up its place in the queue."""
        return Held(await finish(self._session.acquire(*self._arguments, timeout)))

    async def __aenter__(self) -> Held:
        if self._held is not None:
            raise RuntimeError("this lock object is in use; make one for each task")
        self._held = await self.acquire(timeout=self._timeout)
        return self._held

    async def __aexit__(self, kind: object, error: object, _: object) -> None:
        held, self._held = self._held, None
        if held is not None:
            with failing(error):
                await held.release()


class Leader:
    """The election at a path: a description, under which one may stand again and again."""

    def __init__(
        self,
        session: Session,
        path: Path,
        id: Data,
        while_suspended: bool,
        cancel: bool,
        timeout: float | None,
    ) -> None:
        self._session = session
        self._arguments = (path, id, while_suspended)
        self._cancel = cancel
        self._timeout = timeout
        self._term: Term | None = None
        self._guard: _Guard | None = None

    async def stand(self, *, timeout: float | None = None) -> Term:
        """Waits until one leads. A wait that is cancelled, or too long, gives up its place in the queue."""
        return Term(await finish(self._session.lead(*self._arguments, timeout)))

    async def __aenter__(self) -> Term:
        if self._term is not None:
            raise RuntimeError("this election object is in use; make one for each task")
        term = await self.stand(timeout=self._timeout)
        if self._cancel:
            self._guard = _Guard(term)
        self._term = term
        return term

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        _: TracebackType | None,
    ) -> None:
        term, self._term = self._term, None
        guard, self._guard = self._guard, None
        assert term is not None
        if guard is None:
            with failing(error):
                await term.step_down()
            return
        await guard.leave(term.step_down, kind, error)


class _Guard:
    """Cancels the task that it was made in when a term is over, as `asyncio.timeout` does when time is."""

    def __init__(self, term: Term) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._cancelling = task.cancelling()
        self._path = term.path
        self._fired = False
        self._future, self._call = term._hold.lost().wait(None)
        self._future.add_done_callback(self._over)

    def _over(self, future: "Future[Any]") -> None:
        if not future.cancelled():
            self._fired = True
            self._task.cancel()

    async def leave(
        self,
        step_down: Callable[[], Awaitable[None]],
        kind: type[BaseException] | None,
        error: BaseException | None,
    ) -> None:
        self._call.cancel()
        self._future.cancel()
        try:
            with failing(error):
                await step_down()
        except CancelledError as late:
            if not self._fired:
                raise
            # The body was over before its cancellation arrived.
            kind, error = type(late), late
        if not self._fired:
            return
        ours = self._task.uncancel() <= self._cancelling
        if ours and kind is not None and issubclass(kind, CancelledError):
            raise LostError(
                f"leader {self._path}: the leadership was lost",
                code=-112,
                name="SessionExpired",
                path=self._path,
                operation="leader",
            ) from error


class Server(Hosting):
    """A server in this process: durable in a directory, or in memory without one.

    With `port` it also listens on `host`, where 0 is a free port. `settings` are lines of `zoo.cfg`. Use it as
    `async with Server() as server`, or with `start` and `stop`; `connect(server)` needs no port.
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

    async def start(self) -> Self:
        """Starts it; then its data is loaded and its port open."""
        if self._running is not None:
            raise RuntimeError("the server was started before")
        loop = asyncio.get_running_loop()
        self._running = await _quorate.Server.start(hub=hub_of(loop), create_future=loop.create_future, **self._options)
        return self

    async def stop(self) -> None:
        """Stops it. What was acknowledged is on the disk, if there is one."""
        if self._running is not None:
            await self._running.stop()

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
