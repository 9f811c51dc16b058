// Watches: one-shot ones are promise-like, persistent ones are iterated.

import { Kind } from "./batch.js";
import type { Client } from "./client.js";
import { cancelled, QuorateError } from "./errors.js";
import { hub } from "./hub.js";
import type { NativeClient } from "./native.js";
import { onAbort } from "./signal.js";
import type { NodeEvent, WatchEvent, WatchOptions } from "./types.js";

type Ending = { readonly event: NodeEvent } | { readonly error: unknown };

/**
 * A one-shot watch. Awaiting it waits for the event, or for the end of the session, which is an error. It survives reconnects, and
 * keeps the process alive while it is awaited. One that is of no interest any more should be cancelled: the server forgets it then.
 */
export class Watch implements PromiseLike<NodeEvent>, Disposable {
  /** The watched path. */
  readonly path: string;
  /** @internal */
  readonly token: number;
  /** The client that watches. It is not collected while this is open. */
  readonly client: Client;
  readonly #native: NativeClient;
  readonly #forgetSignal: (() => void) | undefined;
  #ending: Ending | undefined;
  #promise: Promise<NodeEvent> | undefined;
  #settle: ((ending: Ending) => void) | undefined;

  /** @internal */
  constructor(client: Client, native: NativeClient, path: string, signal: AbortSignal | undefined) {
    this.client = client;
    this.#native = native;
    this.path = path;
    this.#forgetSignal = signal && onAbort(signal, (reason) => this.#end({ error: reason }));
    this.token = hub.token((kind, value) => {
      if (kind === Kind.Event) {
        this.#end({ event: value as NodeEvent });
      } else if (kind === Kind.Ended) {
        this.#end({ error: about(value as QuorateError, path) });
      }
    });
  }

  /** Whether it has neither fired nor ended. */
  get isOpen(): boolean {
    return this.#ending === undefined;
  }

  // biome-ignore lint/suspicious/noThenProperty: it is promise-like by intention
  then<A = NodeEvent, B = never>(
    fulfilled?: ((event: NodeEvent) => A | PromiseLike<A>) | null,
    rejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    // Made when it is asked for: a watch that nobody awaits must not be an unhandled rejection.
    this.#promise ??= new Promise((resolve, reject) => {
      const settle = (ending: Ending) =>
        "event" in ending ? resolve(ending.event) : reject(ending.error);
      if (this.#ending !== undefined) {
        settle(this.#ending);
        return;
      }
      hub.hold();
      this.#settle = (ending) => {
        hub.unhold();
        settle(ending);
      };
    });
    return this.#promise.then(fulfilled, rejected);
  }

  /** Removes it, on the server too. Who awaits it gets an `AbortError`. */
  cancel(): void {
    this.#end({ error: cancelled() });
  }

  [Symbol.dispose](): void {
    this.cancel();
  }

  #end(ending: Ending): void {
    if (this.#ending === undefined) {
      this.#ending = ending;
      hub.forget(this.token);
      this.#native.unwatch(this.token);
      this.#forgetSignal?.();
      this.#settle?.(ending);
      this.#settle = undefined;
    }
  }
}

interface Waiting {
  resolve(result: IteratorResult<WatchEvent, undefined>): void;
  reject(reason: unknown): void;
}

/**
 * A persistent watch, for `for await`. It keeps the process alive while somebody waits for the next event, and nothing else does. It fails
 * once when the session ends, and ends after that.
 */
export class Watcher implements AsyncIterableIterator<WatchEvent, undefined>, AsyncDisposable {
  /** The watched path. */
  readonly path: string;
  /** The client that watches. It is not collected while this is open. */
  readonly client: Client;
  readonly #native: NativeClient;
  readonly #token: number;
  readonly #forgetSignal: (() => void) | undefined;
  readonly #most: number;
  readonly #registered: Promise<void>;
  #events: WatchEvent[] = [];
  #waiting: Waiting[] = [];
  #over = false;
  /** Why it is over, until that has been told. */
  #failure: { readonly reason: unknown } | undefined;

  /** @internal */
  constructor(client: Client, native: NativeClient, path: string, options: WatchOptions) {
    this.client = client;
    this.#native = native;
    this.path = path;
    this.#most = Math.max(1, options.maxEvents ?? 1024);
    this.#token = hub.token((kind, value) => {
      switch (kind) {
        case Kind.Event:
          this.#arrived(value as NodeEvent);
          break;
        case Kind.Missed:
          this.#arrived({ kind: "missed" });
          break;
        case Kind.Ended:
          this.#end(about(value as QuorateError, path));
          break;
      }
    });
    const { signal } = options;
    if (signal?.aborted) {
      this.#registered = Promise.reject(signal.reason);
    } else {
      this.#forgetSignal = signal && onAbort(signal, (reason) => this.#end(reason));
      const recursive = options.recursive ?? false;
      this.#registered = hub.operation<void>({ operation: "addWatch", path }, undefined, (token) =>
        native.watch(token, this.#token, path, recursive),
      );
    }
    // A failure to register is told by `next` and by `ready`.
    this.#registered.catch((error: unknown) => this.#end(error));
  }

  /** Waits until the server has it. Needed only to know: what is called after `watch` comes after it in any case. */
  async ready(): Promise<this> {
    await this.#registered;
    return this;
  }

  next(): Promise<IteratorResult<WatchEvent, undefined>> {
    const event = this.#events.shift();
    if (event !== undefined) {
      return Promise.resolve({ done: false, value: event });
    }
    if (this.#failure !== undefined) {
      const { reason } = this.#failure;
      this.#failure = undefined;
      return Promise.reject(reason);
    }
    if (this.#over) {
      return Promise.resolve({ done: true, value: undefined });
    }
    return new Promise((resolve, reject) => {
      hub.hold();
      this.#waiting.push({ resolve, reject });
    });
  }

  /** Ends it; what was not read is gone. `for await` calls this when it is left. */
  return(): Promise<IteratorResult<WatchEvent, undefined>> {
    this.#events = [];
    this.#end(undefined);
    this.#failure = undefined;
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  #arrived(event: WatchEvent): void {
    const waiting = this.#waiting.shift();
    if (waiting !== undefined) {
      hub.unhold();
      waiting.resolve({ done: false, value: event });
    } else if (this.#events.length < this.#most) {
      this.#events.push(event);
    } else {
      // The reader has to look again anyway: of what it has not read yet, nothing is needed.
      this.#events = [{ kind: "missed" }];
    }
  }

  #end(reason: unknown): void {
    if (this.#over) {
      return;
    }
    this.#over = true;
    hub.forget(this.#token);
    this.#native.unwatch(this.#token);
    this.#forgetSignal?.();
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { resolve, reject } of waiting) {
      hub.unhold();
      if (reason === undefined) {
        resolve({ done: true, value: undefined });
      } else {
        reject(reason);
        // Told once.
        reason = undefined;
      }
    }
    if (reason !== undefined) {
      this.#failure = { reason };
    }
  }
}

/** The native half does not repeat the path of a watch that ends. */
function about(error: QuorateError, path: string): QuorateError {
  const { code, errno, operation } = error;
  const message = error.message.replace(operation, `${operation} ${path}`);
  return new QuorateError(message, { code, errno, operation, path });
}
