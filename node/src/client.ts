import { EventEmitter } from "node:events";
import type { Kind } from "./batch.js";
import { type About, hub } from "./hub.js";
import { Election, type ElectionOptions } from "./leader.js";
import { Lock, type LockOptions } from "./lock.js";
import { Multi } from "./multi.js";
import type { Early, NativeClient } from "./native.js";
import { Server } from "./server.js";
import {
  type CallOptions,
  type ConnectOptions,
  CREATE_MODES,
  type CreateOptions,
  type Data,
  SESSION_STATES,
  type SessionIdentity,
  type SessionState,
  type Stat,
  type VersionOptions,
  type WatchOptions,
} from "./types.js";
import { bytes, LONGEST_LIMIT, numberOf, versionOf, whole } from "./values.js";
import { Watch, Watcher } from "./watch.js";

/**
 * Connects to the servers of a connection string (`h1:2181,h2:2181/app`, `zookeeper://h1?backup=h2`, `dns+srv://name/app`), or to a
 * server in this process, and waits for the session.
 */
export async function connect(
  servers: string | Server,
  options: ConnectOptions = {},
): Promise<Client> {
  const { signal, resume, auth, tls, timeoutMs, sessionTimeoutMs, maxInFlight, ...rest } = options;
  const number = (name: string, value: number | undefined) =>
    value !== undefined && { [name]: whole(name, value, 0, LONGEST_LIMIT) };
  const options_ = {
    ...rest,
    ...number("timeoutMs", timeoutMs === Infinity ? LONGEST_LIMIT : timeoutMs),
    ...number("sessionTimeoutMs", sessionTimeoutMs),
    ...number("maxInFlight", maxInFlight),
    ...(typeof servers === "string" ? { servers } : {}),
    ...(auth && { auth: auth.map(({ scheme, secret }) => ({ scheme, secret: bytes(secret) })) }),
    ...(resume && { resumeId: resume.id, resumePassword: bytes(resume.password) }),
    ...(tls && { tls }),
  };
  const server = typeof servers === "string" ? null : Server.nativeOf(servers);
  const call = {
    operation: "connect",
    path: "",
    start: (token: number) => hub.early(hub.native.connect(token, options_, server)),
    finish: (token: number) => Client.made(hub.native.takeClient(token) as NativeClient),
    discard: (late: Client) => void late.close().catch(() => undefined),
  };
  return hub.spawn(call, { signal });
}

/** Emits `state` with a {@link SessionState} at each change. */
export interface ClientEvents {
  state: [state: SessionState];
}

/**
 * A session with a ZooKeeper service. All methods submit their request when they are called: requests are carried out in the order
 * of the calls, whatever is awaited when.
 *
 * `close()` or `await using` closes the session. A client that nobody can reach any more closes when it is collected; one that is
 * idle does not keep the process alive.
 */
export class Client extends EventEmitter<ClientEvents> implements AsyncDisposable {
  readonly #native: NativeClient;
  #closed: Promise<void> | undefined;

  private constructor(native: NativeClient) {
    super();
    this.#native = native;
    follow(new WeakRef(this), native);
  }

  /** @internal */
  static made(native: NativeClient): Client {
    return new Client(native);
  }

  /** Where the session stands, right at this moment. */
  get state(): SessionState {
    return SESSION_STATES[this.#native.state] ?? "closed";
  }

  /** The session's id; 0n when there is none. */
  get sessionId(): bigint {
    return this.#native.sessionId;
  }

  /** Id and password, with which another process can resume the session. */
  get identity(): SessionIdentity | undefined {
    const password = this.#native.sessionPassword();
    return password === null ? undefined : { id: this.sessionId, password };
  }

  /** The session timeout that the server granted, ms. */
  get sessionTimeoutMs(): number {
    return this.#native.sessionTimeoutMs;
  }

  /** The newest transaction that an answer has shown. */
  get lastZxid(): bigint {
    return this.#native.lastZxid;
  }

  /** Creates a node and gives its path, with the sequence suffix if it has one. `stat.czxid` is a fencing token. */
  create(
    path: string,
    data: Data = "",
    options?: CreateOptions,
  ): Promise<{ path: string; stat: Stat }> {
    return this.#operation({ operation: "create2", path, writes: true }, options, (token) =>
      this.#native.create(
        token,
        path,
        bytes(data),
        numberOf(CREATE_MODES, options?.mode ?? "persistent"),
        options?.ttlMs ?? null,
        options?.acl ?? null,
      ),
    );
  }

  /** Reads data and stat. */
  get(path: string, options?: CallOptions): Promise<{ data: Buffer; stat: Stat }> {
    return this.#operation({ operation: "getData", path }, options, (token) =>
      this.#native.get(token, path, null),
    );
  }

  /** Writes data. */
  set(path: string, data: Data, options?: VersionOptions): Promise<Stat> {
    return this.#operation({ operation: "setData", path, writes: true }, options, (token) =>
      this.#native.set(token, path, bytes(data), versionOf(options)),
    );
  }

  /** Deletes a node without children. */
  delete(path: string, options?: VersionOptions): Promise<void> {
    return this.#operation({ operation: "delete", path, writes: true }, options, (token) =>
      this.#native.delete(token, path, versionOf(options)),
    );
  }

  /** Asks for a node's stat; `null` when there is no such node. */
  exists(path: string, options?: CallOptions): Promise<Stat | null> {
    return this.#operation({ operation: "exists", path }, options, (token) =>
      this.#native.exists(token, path, null),
    );
  }

  /** Lists the names of a node's children, in no particular order. */
  children(path: string, options?: CallOptions): Promise<{ children: string[]; stat: Stat }> {
    return this.#operation({ operation: "getChildren2", path }, options, (token) =>
      this.#native.children(token, path, null),
    );
  }

  /** As `get`, leaving a watch for the node's change or deletion. The signal is the watch's too. */
  async getAndWatch(
    path: string,
    options?: CallOptions,
  ): Promise<{ data: Buffer; stat: Stat; watch: Watch }> {
    const [found, watch] = await this.#watched<{ data: Buffer; stat: Stat }>(
      { operation: "getData", path },
      options,
      (token, watch) => this.#native.get(token, path, watch),
    );
    return { ...found, watch };
  }

  /** As `exists`, leaving a watch for the node's creation, change or deletion. The signal is the watch's too. */
  async existsAndWatch(
    path: string,
    options?: CallOptions,
  ): Promise<{ stat: Stat | null; watch: Watch }> {
    const [stat, watch] = await this.#watched<Stat | null>(
      { operation: "exists", path },
      options,
      (token, watch) => this.#native.exists(token, path, watch),
    );
    return { stat, watch };
  }

  /** As `children`, leaving a watch for children that come and go, and for the node's deletion. The signal is the watch's too. */
  async childrenAndWatch(
    path: string,
    options?: CallOptions,
  ): Promise<{ children: string[]; stat: Stat; watch: Watch }> {
    const [found, watch] = await this.#watched<{ children: string[]; stat: Stat }>(
      { operation: "getChildren2", path },
      options,
      (token, watch) => this.#native.children(token, path, watch),
    );
    return { ...found, watch };
  }

  /**
   * Watches a node, or a subtree, until the iteration is left or the signal fires. It is registered by this call, before whatever is
   * called next. It survives reconnects, and ends with the session: then the iteration fails.
   */
  watch(path: string, options: WatchOptions = {}): Watcher {
    return new Watcher(this, this.#native, path, options);
  }

  /** Waits until the server has caught up with the leader: a read that follows sees everything written before. */
  sync(path = "/", options?: CallOptions): Promise<void> {
    return this.#operation({ operation: "sync", path }, options, (token) =>
      this.#native.sync(token, path),
    );
  }

  /** Several writes and checks, all or nothing. */
  multi(): Multi {
    return new Multi((token, parts) => this.#native.multi(token, parts));
  }

  /** The exclusive lock at a path. Only a description: nothing happens before `acquire`. */
  lock(path: string, options: LockOptions = {}): Lock {
    return new Lock(this, this.#native, path, options);
  }

  /** The leadership at a path. Only a description: nothing happens before `lead`. */
  leader(path: string, options: ElectionOptions = {}): Election {
    return new Election(this, this.#native, path, options);
  }

  /** Closes the session after everything that was called before: its ephemeral nodes vanish at once. */
  close(): Promise<void> {
    this.#closed ??= hub.spawn(
      {
        operation: "close",
        path: "",
        start: (token) => this.#native.close(token),
        finish: () => undefined,
      },
      undefined,
    );
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #operation<T>(
    about: About,
    options: CallOptions | undefined,
    start: (token: number) => Early,
  ): Promise<T> {
    return hub.operation<T>(about, options, start);
  }

  async #watched<T>(
    about: About,
    options: CallOptions | undefined,
    start: (token: number, watch: number) => Early,
  ): Promise<[T, Watch]> {
    options?.signal?.throwIfAborted();
    const watch = new Watch(this, this.#native, about.path, options?.signal);
    try {
      const found = await hub.operation<T>(about, options, (token) => start(token, watch.token));
      return [found, watch];
    } catch (error) {
      watch.cancel();
      throw error;
    }
  }
}

/** Emits the states of a session as long as somebody has its client. */
function follow(client: WeakRef<Client>, native: NativeClient): void {
  let known: SessionState | undefined;
  const token = hub.token((_kind: Kind, value: unknown) => {
    const state = value as SessionState;
    if (state === "closed" || state === "auth_failed") {
      hub.forget(token);
    }
    // The first is the state of now, which is no change.
    if (known !== undefined && state !== known) {
      // A listener that throws must not keep the rest of the batch.
      queueMicrotask(() => client.deref()?.emit("state", state));
    }
    known = state;
  });
  native.states(token);
}
