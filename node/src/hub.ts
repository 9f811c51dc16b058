// One per environment (the main thread, each worker): tokens of calls, and the way of their completions.
//
// The native half calls `look` once when something has come; one `drain` brings it over, and everything that it completes is
// resolved. More than `BATCH` at a time would keep the event loop from other work: the rest comes in its next turn.

import { Kind, Reader } from "./batch.js";
import { ended, timedOut } from "./errors.js";
import { type Early, type NativeHub, native } from "./native.js";
import { onAbort } from "./signal.js";
import type { CallOptions } from "./types.js";
import { limitOf } from "./values.js";

/** Who is told what comes under a token. */
export type Receiver = (kind: Kind, value: unknown, token: number) => void;

/** What a call is about, for the errors that are made on this side. */
export interface About {
  readonly operation: string;
  readonly path: string;
  /** Whether it may have happened when its answer is not waited for. */
  readonly writes?: boolean;
}

/** A call that can be cancelled: its future is dropped, and then it completes. */
export interface Spawn<T> extends About {
  readonly start: (token: number) => void;
  /** Makes what the call gives. */
  readonly finish: (token: number, value: unknown) => T;
  /** What it gives, or throws, when the native time limit came first. */
  readonly late?: () => T;
  /** Gives back what came after it was given up. */
  readonly discard?: (late: T) => void;
}

class Hub {
  readonly native: NativeHub = new native.Hub(() => this.#look());
  readonly #receivers = new Map<number, Receiver>();
  #last = 0;
  #holds = 0;
  /** Keeps the event loop alive while it is referenced: the native function does not. */
  readonly #alive = setInterval(() => undefined, 0x7fffffff).unref();

  constructor() {
    // Node tells an addon of the end of a worker, and of an event loop that has nothing left to do, but not of `process.exit`.
    process.once("exit", () => this.native.end());
  }

  /** A new token, under which `receiver` is told. */
  token(receiver: Receiver): number {
    do {
      this.#last = (this.#last + 1) >>> 0;
    } while (this.#receivers.has(this.#last));
    this.#receivers.set(this.#last, receiver);
    return this.#last;
  }

  /** Nothing comes under this token any more, or nobody wants to know. */
  forget(token: number): void {
    this.#receivers.delete(token);
  }

  /** Keeps the event loop alive until `unhold`. */
  hold(): void {
    this.#holds += 1;
    if (this.#holds === 1) {
      this.#alive.ref();
    }
  }

  unhold(): void {
    this.#holds -= 1;
    if (this.#holds === 0) {
      this.#alive.unref();
    }
  }

  /** Hands out a record that a call has returned. */
  early(early: Early): void {
    if (early !== null) {
      this.#dispatch(early);
    }
  }

  /** A plain operation. Its answer can be given up, the operation itself cannot. */
  operation<T>(
    about: About,
    options: CallOptions | undefined,
    start: (token: number) => Early,
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const signal = options?.signal;
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const ms = limitOf(options);
      let release: (() => void) | undefined;
      const token = this.token((kind, value, token) => {
        this.#receivers.delete(token);
        this.unhold();
        release?.();
        if (isFailure(kind)) {
          reject(value);
        } else {
          resolve(value as T);
        }
      });
      this.hold();
      const giveUp = (reason: unknown) => {
        this.#receivers.delete(token);
        this.unhold();
        release?.();
        reject(reason);
      };
      release = limit(signal, ms, about, giveUp);
      try {
        this.early(start(token));
      } catch (error) {
        giveUp(error);
      }
    });
  }

  /** A call that drops its future when it is cancelled, so that nothing is left of it. */
  spawn<T>(call: Spawn<T>, options: CallOptions | undefined): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const signal = options?.signal;
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const ms = limitOf(options);
      let gaveUp: { reason: unknown } | undefined;
      let release: (() => void) | undefined;
      const token = this.token((kind, value, token) => {
        this.#receivers.delete(token);
        this.unhold();
        release?.();
        try {
          const result = outcome(call, kind, value, token);
          if (gaveUp !== undefined && call.discard !== undefined) {
            call.discard(result);
            throw gaveUp.reason;
          }
          resolve(result);
        } catch (error) {
          reject(kind === Kind.Cancelled && gaveUp !== undefined ? gaveUp.reason : error);
        }
      });
      this.hold();
      release = limit(signal, ms, call, (reason) => {
        gaveUp ??= { reason };
        this.native.cancel(token);
      });
      try {
        call.start(token);
      } catch (error) {
        this.#receivers.delete(token);
        this.unhold();
        release?.();
        reject(error);
      }
    });
  }

  #look(): void {
    const more = this.#dispatch(this.native.drain(BATCH));
    if (more) {
      setImmediate(() => this.#look());
    }
  }

  /** True when the native half has more. */
  #dispatch(batch: Buffer): boolean {
    const reader = new Reader(batch);
    while (reader.next()) {
      if (reader.kind === Kind.More) {
        return true;
      }
      // Nobody there: the answer was given up.
      this.#receivers.get(reader.token)?.(reader.kind, reader.value, reader.token);
    }
    return false;
  }
}

/** What a completion of a spawned call means. */
function outcome<T>(call: Spawn<T>, kind: Kind, value: unknown, token: number): T {
  if (isFailure(kind)) {
    throw value;
  }
  switch (kind) {
    case Kind.Cancelled:
      throw ended(call);
    case Kind.Late:
      if (call.late !== undefined) {
        return call.late();
      }
      throw timedOut(call.operation, call.path, false);
    default:
      return call.finish(token, value);
  }
}

/** Calls `giveUp` when a signal or a time limit says so, until the result is called. */
function limit(
  signal: AbortSignal | undefined,
  ms: number | null,
  about: About,
  giveUp: (reason: unknown) => void,
): (() => void) | undefined {
  if (signal === undefined && ms === null) {
    return undefined;
  }
  const forget = signal && onAbort(signal, giveUp);
  const late = () => giveUp(timedOut(about.operation, about.path, about.writes ?? false));
  const timer = ms === null ? undefined : setTimeout(late, ms);
  return () => {
    forget?.();
    clearTimeout(timer);
  };
}

function isFailure(kind: Kind): boolean {
  return kind === Kind.Failed || kind === Kind.Panicked || kind === Kind.ServerFailed;
}

/** Completions that are handled in one turn of the event loop. */
const BATCH = 512;

export const hub = new Hub();
