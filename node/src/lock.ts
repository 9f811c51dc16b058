import type { Client } from "./client.js";
import { timedOut } from "./errors.js";
import { Holding } from "./holding.js";
import { hub } from "./hub.js";
import type { NativeClient, NativeHeld } from "./native.js";
import { type CallOptions, type Data, LOCK_MODES, type LockMode } from "./types.js";
import { bytes, limitOf, numberOf } from "./values.js";

export interface LockOptions {
  /** Whose layout; `curator` unless told otherwise. */
  readonly mode?: LockMode | undefined;
  /** Stands in the node, for others to see who holds or waits. */
  readonly data?: Data | undefined;
}

/** An exclusive lock at a path: a fair queue, shared with the other clients' locks there. */
export class Lock {
  readonly path: string;
  readonly #client: Client;
  readonly #native: NativeClient;
  readonly #mode: number;
  readonly #data: Buffer;

  /** @internal */
  constructor(client: Client, native: NativeClient, path: string, options: LockOptions) {
    this.path = path;
    this.#client = client;
    this.#native = native;
    this.#mode = numberOf(LOCK_MODES, options.mode ?? "curator");
    this.#data = bytes(options.data ?? "");
  }

  /**
   * Waits until the lock is held. Who gives up, by the signal or the time limit (`OperationTimeout`), leaves the queue: no node stays behind.
   */
  acquire(options?: CallOptions): Promise<Held> {
    return this.#acquire<never>(options, false, () => {
      throw timedOut("lock", this.path, false);
    });
  }

  /** Takes the lock if nobody holds it or waits for it; `null` otherwise. */
  tryAcquire(options?: Pick<CallOptions, "signal">): Promise<Held | null> {
    return this.#acquire<null>(options, true, () => null);
  }

  /** `late` says what a lock is that could not be had in time. */
  #acquire<L>(options: CallOptions | undefined, atOnce: boolean, late: () => L): Promise<Held | L> {
    const { path } = this;
    return hub.spawn<Held | L>(
      {
        operation: "lock",
        path,
        start: (token) => {
          const ms = limitOf(options);
          this.#native.acquire(token, path, this.#mode, this.#data, atOnce, ms);
        },
        finish: (token) => new Held(this.#client, hub.native.takeHeld(token) as NativeHeld),
        late,
        discard: (held) => {
          if (held instanceof Held) {
            held.release().catch(() => undefined);
          }
        },
      },
      { signal: options?.signal },
    );
  }
}

/** A lock that is held. `await using` releases it at the end of the block. */
export class Held extends Holding {
  /** @internal */
  constructor(client: Client, native: NativeHeld) {
    super(client, native, "lock");
  }

  /** Releases it. Ends when the node is gone, or the session is, which removes it too. */
  release(): Promise<void> {
    return this.giveBack();
  }
}
