/**
 * A client for ZooKeeper services with locks and elections, and a server of that kind in your process.
 *
 * @packageDocumentation
 */

export { Client, type ClientEvents, connect } from "./client.js";
export { type ErrorCode, type ErrorDetails, QuorateError } from "./errors.js";
export { Holding } from "./holding.js";
export { Election, type ElectionOptions, Term } from "./leader.js";
export { Held, Lock, type LockOptions } from "./lock.js";
export { Multi, type VersionDemand } from "./multi.js";
export { Server } from "./server.js";
export type {
  Acl,
  CallOptions,
  ConnectOptions,
  CreateMode,
  CreateOptions,
  Data,
  LockMode,
  MissedEvent,
  NodeEvent,
  NodeOptions,
  PartResult,
  ServerOptions,
  SessionIdentity,
  SessionState,
  Stat,
  TlsOptions,
  VersionOptions,
  WatchEvent,
  WatchOptions,
} from "./types.js";
export { Watch, Watcher } from "./watch.js";
