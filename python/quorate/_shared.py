"""What both fronts share: everything that does not wait."""

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, Self, cast

from quorate import _quorate
from quorate._errors import Error
from quorate._quorate import Hold, Session
from quorate._types import Acl, Data, Mode, Path, State


class _Unopened:
    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("the client is not open: use `with`, or open it first")


UNOPENED = cast(Session, _Unopened())
"""What stands in the place of a session before there is one."""


class failing:
    """What fails at the end of a `with` is told, unless its body has failed already: that is what counts."""

    def __init__(self, error: object) -> None:
        self._error = error

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        return self._error is not None and kind is not None and issubclass(kind, Error)


class AnyServer(Protocol):
    """A server in this process, of either front."""

    @property
    def _native(self) -> _quorate.Server: ...


class Connection:
    """A client, as far as it does not wait."""

    def __init__(
        self,
        servers: str | AnyServer,
        *,
        timeout: float | None,
        session_timeout: float | None,
        root: str | None,
        auth: Iterable[tuple[str, Data]],
        read_only: bool,
        renew: bool,
    ) -> None:
        self._session: Session = UNOPENED
        self._closed = False
        self._timeout = timeout
        self._options: dict[str, Any] = {
            "servers": servers if isinstance(servers, str) else None,
            "server": None if isinstance(servers, str) else servers._native,
            "session_timeout": session_timeout,
            "root": root,
            "auth": list(auth),
            "read_only": read_only,
            "renew": renew,
        }

    @property
    def state(self) -> State:
        """Where the session stands."""
        return State(self._session.state())

    @property
    def session_id(self) -> int:
        """The session's id; 0 when there is none."""
        return self._session.session_id()

    @property
    def session_timeout(self) -> float:
        """The session timeout that the server granted, seconds."""
        return self._session.session_timeout()

    def __repr__(self) -> str:
        where = self._options["servers"] or "a server in this process"
        state = "unopened" if self._session is UNOPENED else self._session.state()
        return f"<{type(self).__module__}.{type(self).__name__} at {where}, {state}>"

    def __del__(self) -> None:
        session = getattr(self, "_session", UNOPENED)
        if session is UNOPENED or self._closed:
            return
        try:
            state = session.state()
        except RuntimeError:
            # In a forked process: it is the parent's.
            return
        if state not in ("closed", "auth_failed"):
            warnings.warn(f"unclosed {self!r}", ResourceWarning, source=self, stacklevel=2)


class Parts:
    """The parts of a transaction."""

    def __init__(self, commit: Callable[[list[Any], float | None], Any], own: int) -> None:
        self._commit = commit
        self._own = own
        self._parts: list[Any] = []

    def create(
        self,
        path: Path,
        data: Data = b"",
        *,
        mode: Mode = "persistent",
        ttl: float | None = None,
        acl: Sequence[Acl] | None = None,
    ) -> Self:
        """Creates a node; its result is the path."""
        self._parts.append(("create", path, data, mode, ttl, acl))
        return self

    def set(self, path: Path, data: Data, *, version: int | None = None) -> Self:
        """Writes data; its result is the stat."""
        self._parts.append(("set", path, data, version))
        return self

    def delete(self, path: Path, *, version: int | None = None) -> Self:
        """Deletes a node; its result is None."""
        self._parts.append(("delete", path, version))
        return self

    def check(self, path: Path, *, version: int | None = None) -> Self:
        """Demands that a node exists, of this version if one is given; its result is None."""
        self._parts.append(("check", path, version))
        return self


class Holding:
    """Something that is held."""

    def __init__(self, hold: Hold) -> None:
        self._hold = hold

    @property
    def token(self) -> int:
        """The fencing token: greater than that of everybody who held it before."""
        return self._hold.token

    @property
    def path(self) -> str:
        """The node that stands for it."""
        return self._hold.path

    @property
    def holds(self) -> bool:
        """Whether it is held, by the local clock. Right also after a pause of the process."""
        return self._hold.holds()


class Hosting:
    """A server, as far as it does not wait."""

    def __init__(
        self,
        data_dir: Path | None,
        *,
        port: int | None,
        host: str,
        settings: Mapping[str, str] | None,
    ) -> None:
        self._running: _quorate.Server | None = None
        self._options: dict[str, Any] = {
            "data_dir": data_dir,
            "port": port,
            "host": host,
            "settings": list((settings or {}).items()),
        }

    @property
    def address(self) -> str | None:
        """Where it listens, as a connection string; None without a port."""
        found = self._native.address
        return None if found is None else f"{found[0]}:{found[1]}"

    @property
    def port(self) -> int | None:
        """The port on which it listens."""
        found = self._native.address
        return None if found is None else found[1]

    @property
    def _native(self) -> _quorate.Server:
        if self._running is None:
            raise RuntimeError("the server was not started")
        return self._running
