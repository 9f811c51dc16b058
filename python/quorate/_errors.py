"""Errors: one tree, one class for each of ZooKeeper's codes."""

from typing import Any


class Error(Exception):
    """Why an operation failed.

    `code` and `name` are ZooKeeper's. `operation` is its name for what was tried, or the recipe; `path` the node,
    if one is concerned. `outcome_unknown` says that it may have happened all the same: look before trying again.
    `part` is the part of a transaction that failed.
    """

    def __init__(
        self,
        message: str,
        *,
        code: int,
        name: str,
        path: str = "",
        operation: str = "",
        outcome_unknown: bool = False,
        part: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.name = name
        self.path = path
        self.operation = operation
        self.outcome_unknown = outcome_unknown
        self.part = part

    def __reduce__(self) -> tuple[Any, ...]:
        return (_restore, (type(self), self.args[0], self.__dict__))


class LostError(Error):
    """What was held (a leadership, a lock) was lost while it was needed."""


class SystemFailureError(Error):
    """System error."""


class RuntimeInconsistencyError(Error):
    """Not run, because an earlier operation of the multi failed."""


class DataInconsistencyError(Error):
    """Data inconsistency."""


class ConnectionLossError(Error):
    """The connection was lost; `outcome_unknown` says whether the request may have happened."""


class MarshallingError(Error):
    """The request could not be decoded."""


class UnimplementedError(Error):
    """The operation is not implemented."""


class OperationTimeoutError(Error, TimeoutError):
    """The operation timed out."""


class BadArgumentsError(Error):
    """Bad arguments."""


class InvalidStateError(Error):
    """The handle is in no state for this."""


class UnknownSessionError(Error):
    """Unknown session."""


class NewConfigNoQuorumError(Error):
    """No quorum of the new configuration is connected and synchronised."""


class ReconfigInProgressError(Error):
    """Another reconfiguration is in progress."""


class SslConnectionError(Error):
    """TLS connection error."""


class ApiError(Error):
    """API error."""


class NoNodeError(Error):
    """The node does not exist."""


class NoAuthError(Error):
    """Not permitted by the node's ACL."""


class BadVersionError(Error):
    """The version does not match."""


class NoChildrenForEphemeralsError(Error):
    """An ephemeral node cannot have children."""


class NodeExistsError(Error):
    """The node exists already."""


class NotEmptyError(Error):
    """The node has children."""


class SessionExpiredError(Error):
    """The session has expired."""


class InvalidCallbackError(Error):
    """Invalid callback."""


class InvalidAclError(Error):
    """The ACL is not valid."""


class AuthFailedError(Error):
    """Authentication failed."""


class ClosingError(Error):
    """The client is closing."""


class NothingError(Error):
    """Nothing to do."""


class SessionMovedError(Error):
    """The session has moved to another server."""


class NotReadOnlyError(Error):
    """This server is read-only."""


class EphemeralOnLocalSessionError(Error):
    """A local session cannot own ephemeral nodes."""


class NoWatcherError(Error):
    """There is no such watch."""


class RequestTimeoutError(Error):
    """The request timed out."""


class ReconfigDisabledError(Error):
    """Reconfiguration is disabled."""


class SessionClosedRequireSaslAuthError(Error):
    """The server demands authentication first."""


class QuotaExceededError(Error):
    """The quota is exceeded."""


class ThrottledOpError(Error):
    """Refused, because the server is overloaded."""


_CLASSES: dict[int, type[Error]] = {
    -1: SystemFailureError,
    -2: RuntimeInconsistencyError,
    -3: DataInconsistencyError,
    -4: ConnectionLossError,
    -5: MarshallingError,
    -6: UnimplementedError,
    -7: OperationTimeoutError,
    -8: BadArgumentsError,
    -9: InvalidStateError,
    -12: UnknownSessionError,
    -13: NewConfigNoQuorumError,
    -14: ReconfigInProgressError,
    -15: SslConnectionError,
    -100: ApiError,
    -101: NoNodeError,
    -102: NoAuthError,
    -103: BadVersionError,
    -108: NoChildrenForEphemeralsError,
    -110: NodeExistsError,
    -111: NotEmptyError,
    -112: SessionExpiredError,
    -113: InvalidCallbackError,
    -114: InvalidAclError,
    -115: AuthFailedError,
    -116: ClosingError,
    -117: NothingError,
    -118: SessionMovedError,
    -119: NotReadOnlyError,
    -120: EphemeralOnLocalSessionError,
    -121: NoWatcherError,
    -122: RequestTimeoutError,
    -123: ReconfigDisabledError,
    -124: SessionClosedRequireSaslAuthError,
    -125: QuotaExceededError,
    -127: ThrottledOpError,
}


def make(
    message: str,
    code: int,
    name: str,
    path: str,
    operation: str,
    outcome_unknown: bool,
    part: int | None,
) -> Error:
    """The exception for an error of the native part."""
    return _CLASSES.get(code, Error)(
        message,
        code=code,
        name=name,
        path=path,
        operation=operation,
        outcome_unknown=outcome_unknown,
        part=part,
    )


def _restore(kind: type[Error], message: str, fields: dict[str, Any]) -> Error:
    return kind(message, **fields)


__all__ = [
    "ApiError",
    "AuthFailedError",
    "BadArgumentsError",
    "BadVersionError",
    "ClosingError",
    "ConnectionLossError",
    "DataInconsistencyError",
    "EphemeralOnLocalSessionError",
    "Error",
    "InvalidAclError",
    "InvalidCallbackError",
    "InvalidStateError",
    "LostError",
    "MarshallingError",
    "NewConfigNoQuorumError",
    "NoAuthError",
    "NoChildrenForEphemeralsError",
    "NoNodeError",
    "NoWatcherError",
    "NodeExistsError",
    "NotEmptyError",
    "NotReadOnlyError",
    "NothingError",
    "OperationTimeoutError",
    "QuotaExceededError",
    "ReconfigDisabledError",
    "ReconfigInProgressError",
    "RequestTimeoutError",
    "RuntimeInconsistencyError",
    "SessionClosedRequireSaslAuthError",
    "SessionExpiredError",
    "SessionMovedError",
    "SslConnectionError",
    "SystemFailureError",
    "ThrottledOpError",
    "UnimplementedError",
    "UnknownSessionError",
]
