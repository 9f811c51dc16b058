/** ZooKeeper's names of its error codes. */
export type ErrorCode =
  | "SystemError"
  | "RuntimeInconsistency"
  | "DataInconsistency"
  | "ConnectionLoss"
  | "MarshallingError"
  | "Unimplemented"
  | "OperationTimeout"
  | "BadArguments"
  | "InvalidState"
  | "UnknownSession"
  | "NewConfigNoQuorum"
  | "ReconfigInProgress"
  | "SslConnectionError"
  | "ApiError"
  | "NoNode"
  | "NoAuth"
  | "BadVersion"
  | "NoChildrenForEphemerals"
  | "NodeExists"
  | "NotEmpty"
  | "SessionExpired"
  | "InvalidCallback"
  | "InvalidAcl"
  | "AuthFailed"
  | "Closing"
  | "Nothing"
  | "SessionMoved"
  | "NotReadOnly"
  | "EphemeralOnLocalSession"
  | "NoWatcher"
  | "RequestTimeout"
  | "ReconfigDisabled"
  | "SessionClosedRequireSaslAuth"
  | "QuotaExceeded"
  | "ThrottledOp";

/** What an error says beside its message. */
export interface ErrorDetails {
  readonly code: ErrorCode;
  readonly errno: number;
  readonly operation: string;
  readonly path?: string | undefined;
  readonly outcomeUnknown?: boolean | undefined;
  readonly part?: number | undefined;
}

/** Why an operation failed. Everything that this library rejects with is one of these, or the reason of an `AbortSignal`. */
export class QuorateError extends Error implements ErrorDetails {
  /** ZooKeeper's name of the code, such as `NoNode`. */
  readonly code: ErrorCode;
  /** ZooKeeper's number of the code, such as -101. */
  readonly errno: number;
  /** The operation or recipe. */
  readonly operation: string;
  /** The node, if one is concerned. */
  readonly path: string | undefined;
  /** Whether the operation may have happened all the same: look before you try again. Always false for reads. */
  readonly outcomeUnknown: boolean;
  /** For a transaction: which of its parts failed, from 0. */
  readonly part: number | undefined;

  constructor(message: string, details: ErrorDetails) {
    super(message);
    this.code = details.code;
    this.errno = details.errno;
    this.operation = details.operation;
    this.path = details.path || undefined;
    this.outcomeUnknown = details.outcomeUnknown ?? false;
    this.part = details.part;
  }
}

Object.defineProperty(QuorateError.prototype, "name", {
  value: "QuorateError",
  writable: true,
  configurable: true,
});

/** The time limit of a call was over. @internal */
export function timedOut(operation: string, path: string, outcomeUnknown: boolean): QuorateError {
  const doubt = outcomeUnknown ? "; it may have happened: look before you try again" : "";
  const message = `${operation} ${path}: the time limit of the call is over${doubt}`;
  return new QuorateError(message, {
    code: "OperationTimeout",
    errno: -7,
    operation,
    path,
    outcomeUnknown,
  });
}

/** The client has ended under a call. @internal */
export function ended(about: { operation: string; path: string }): QuorateError {
  const { operation, path } = about;
  const message = `${operation} ${path}: the client has ended meanwhile`;
  return new QuorateError(message, { code: "Closing", errno: -116, operation, path });
}

/** A defect of the native half: what was worked on must not be used any more. @internal */
export function panicked(message: string): QuorateError {
  const text = `a defect of quorate, please report it: ${message}`;
  return new QuorateError(text, { code: "SystemError", errno: -1, operation: "native" });
}

/** What an abandoned wait fails with when nobody gave a reason. @internal */
export function cancelled(): DOMException {
  return new DOMException("This operation was aborted", "AbortError");
}
