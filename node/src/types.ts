// What users pass and get. No code but tables.

/** Where a session stands. After `closed` and `auth_failed` nothing follows. */
export const SESSION_STATES = [
  "connecting",
  "connected",
  "read_only",
  "suspended",
  "lost",
  "closed",
  "auth_failed",
] as const;

/**
 * Where a session stands: `connecting`: no session yet. `connected`, `read_only`: requests are answered; by a server without a
 * quorum, reads only. `suspended`: out of touch, the session may live. `lost`: it is over, a new one follows unless
 * `renew: false`. `closed`, `auth_failed`: the end.
 */
export type SessionState = (typeof SESSION_STATES)[number];

/** The order is that of the numbers that go to the native half. */
export const CREATE_MODES = [
  "persistent",
  "persistent_sequential",
  "ephemeral",
  "ephemeral_sequential",
  "container",
  "persistent_ttl",
  "persistent_sequential_ttl",
] as const;

/** The kind of a node. */
export type CreateMode = (typeof CREATE_MODES)[number];

/** The order is that of the numbers that go to the native half. */
export const LOCK_MODES = ["curator", "kazoo", "bridge"] as const;

/** Whose layout a lock has, and so which other clients it excludes. `bridge` excludes Curator and kazoo both. */
export type LockMode = (typeof LOCK_MODES)[number];

/** What a node's stat says. Times are wall clock, ms. */
export interface Stat {
  /** Transaction that created the node. */
  readonly czxid: bigint;
  /** Transaction that changed the data last. */
  readonly mzxid: bigint;
  readonly ctime: bigint;
  readonly mtime: bigint;
  /** Number of changes of the data. */
  readonly version: number;
  /** Changes of the list of children. */
  readonly cversion: number;
  /** Changes of the ACL. */
  readonly aversion: number;
  /** The session of an ephemeral node, else 0. */
  readonly ephemeralOwner: bigint;
  readonly dataLength: number;
  readonly numChildren: number;
  /** Transaction that changed the list of children last. */
  readonly pzxid: bigint;
}

/** One entry of an ACL. `perms`: READ 1, WRITE 2, CREATE 4, DELETE 8, ADMIN 16. */
export interface Acl {
  readonly perms: number;
  readonly scheme: string;
  readonly id: string;
}

/** Data of a node; a string is stored as UTF-8. */
export type Data = string | Uint8Array;

/** What every call that waits takes. */
export interface CallOptions {
  /** Gives up waiting: the call fails with the signal's reason. A write that is on its way may still happen. */
  readonly signal?: AbortSignal | undefined;
  /** The same after this many ms, with the code `OperationTimeout`. */
  readonly timeoutMs?: number | undefined;
}

/** What a new node is like. */
export interface NodeOptions {
  /** `persistent` unless told otherwise. */
  readonly mode?: CreateMode | undefined;
  /** Everybody may do everything unless told otherwise. */
  readonly acl?: readonly Acl[] | undefined;
  /** Time to live without changes and children, ms, for the modes that have one. */
  readonly ttlMs?: number | undefined;
}

export interface CreateOptions extends NodeOptions, CallOptions {}

/** Demands a version of the node; any if absent. */
export interface VersionOptions extends CallOptions {
  readonly version?: number | undefined;
}

/** What reaches one who watches. */
export interface NodeEvent {
  readonly kind: "created" | "deleted" | "changed" | "children";
  readonly path: string;
  /** The transaction that did it, where the server says so (ZooKeeper 3.9 and newer, quorate). */
  readonly zxid?: bigint;
}

/** Events may be missing here: the connection was away, or the events were not read fast enough. Read the state again. */
export interface MissedEvent {
  readonly kind: "missed";
}

export type WatchEvent = NodeEvent | MissedEvent;

export interface WatchOptions {
  /** Everything below the node as well. Then there are no `children` events: the children themselves are watched. */
  readonly recursive?: boolean | undefined;
  /** Ends the watch; a waiting `next()` fails with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Events that may wait to be read; beyond, the oldest are replaced by `missed`. 1,024 unless told otherwise. */
  readonly maxEvents?: number | undefined;
}

/** What one part of a transaction did. */
export type PartResult =
  | { readonly kind: "created"; readonly path: string; readonly stat: Stat | undefined }
  | { readonly kind: "set"; readonly stat: Stat }
  | { readonly kind: "done" };

/** What another process needs to resume a session. */
export interface SessionIdentity {
  readonly id: bigint;
  readonly password: Uint8Array;
}

/** PEM files, read again at each attempt to connect. */
export interface TlsOptions {
  /** Certificates to trust. */
  readonly caFile: string;
  /** Own certificate and key, for servers that ask for them. */
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
  /** The name to expect in the server's certificate, instead of the host's. */
  readonly serverName?: string | undefined;
}

export interface ConnectOptions {
  /** Gives up connecting. It has no effect on the client afterwards. */
  readonly signal?: AbortSignal | undefined;
  /** How long to wait for the session, ms; 30,000 unless told otherwise. */
  readonly timeoutMs?: number | undefined;
  /** The session timeout to ask for, ms; 10,000 unless told otherwise. Servers have limits of their own. */
  readonly sessionTimeoutMs?: number | undefined;
  /** Whether a server without a quorum will do, for reads. */
  readonly readOnly?: boolean | undefined;
  /** Whether a new session follows when one is lost; so unless told otherwise. */
  readonly renew?: boolean | undefined;
  /** The path below which all paths lie; after that of the connection string. */
  readonly root?: string | undefined;
  /** Identities, such as `{ scheme: "digest", secret: "user:password" }`. */
  readonly auth?: readonly { readonly scheme: string; readonly secret: Data }[] | undefined;
  /** A session to resume. */
  readonly resume?: SessionIdentity | undefined;
  /** Requests that may be without an answer, or whose answers did not reach this thread; more are refused with `ThrottledOp`. 100,000 unless told
   * otherwise. */
  readonly maxInFlight?: number | undefined;
  readonly tls?: TlsOptions | undefined;
}

/** Where a server keeps its data, and where it listens. */
export type ServerOptions = {
  /** A port, 0 for a free one; without, only this process can connect. */
  readonly port?: number | undefined;
  /** The IP address to listen on; 127.0.0.1 unless told otherwise. */
  readonly host?: string | undefined;
  /** Keys and values of `zoo.cfg`, such as `{ tickTime: "200" }`. */
  readonly settings?: Readonly<Record<string, string | number>> | undefined;
} & (
  | {
      /** Every write is on the disk, in this directory, before it is acknowledged. */
      readonly dataDir: string;
      readonly volatile?: false | undefined;
    }
  | {
      /** Everything is in memory and gone when the server stops. */
      readonly volatile: true;
      readonly dataDir?: undefined;
    }
);
