import { Kind, type Loss } from "./batch.js";
import type { Client } from "./client.js";
import { type ErrorCode, QuorateError } from "./errors.js";
import { hub } from "./hub.js";
import { Multi } from "./multi.js";
import type { NativeHeld } from "./native.js";

/** What the reason of a lost signal says. */
const LOSSES: Readonly<Record<Loss | "closed", readonly [string, ErrorCode, number]>> = {
  session: ["its session is over", "SessionExpired", -112],
  deleted: ["its node was deleted", "NoNode", -101],
  over: ["the term is over", "InvalidState", -9],
  closed: ["its client was closed", "Closing", -116],
};

/**
 * What is held until it is given back or lost: a lock, a leadership. It keeps the process alive, as an open socket does, unless `unref` was
 * called, and its client is not collected meanwhile.
 */
export abstract class Holding implements AsyncDisposable {
  readonly #native: NativeHeld;
  readonly #what: string;
  readonly #lost = new AbortController();
  readonly #watch: number;
  #released: Promise<void> | undefined;
  #holding = true;

  /** The fencing token: greater than that of every earlier holder. Hand it on with whatever is written elsewhere. */
  readonly token: bigint;
  /** The node that stands for it. */
  readonly path: string;
  /** The client that holds it. */
  readonly client: Client;

  /** @internal */
  constructor(client: Client, native: NativeHeld, what: string) {
    this.client = client;
    this.#native = native;
    this.#what = what;
    this.token = native.token;
    this.path = native.path;
    hub.hold();
    this.#watch = hub.token((kind, value) => {
      hub.forget(this.#watch);
      // Who has given it back does not lose it.
      if (this.#released === undefined) {
        // When the whole client is closed, its calls are cancelled, this one with them.
        this.#onLost(kind === Kind.Lost ? (value as Loss) : "closed");
      }
    });
    native.lost(this.#watch);
  }

  /** Fires when it is lost, before another can have it: no later than the session timeout after the last contact. */
  get signal(): AbortSignal {
    return this.#lost.signal;
  }

  /** Whether it is still held, by the local clock. Right at this moment, whatever the event loop has been doing. */
  get isHeld(): boolean {
    return this.#native.isHeld;
  }

  /** A transaction that happens only while this is held when the server carries it out. */
  guarded(): Multi {
    return new Multi((token, parts) => this.#native.guarded(token, parts));
  }

  /** Lets the process end although this is held; the session is closed then. */
  unref(): this {
    this.#letGo();
    return this;
  }

  /** @internal Gives it back. Ends when the node is gone, or the session is, which removes it too. */
  protected giveBack(): Promise<void> {
    this.#released ??= this.#giveBack();
    return this.#released;
  }

  #giveBack(): Promise<void> {
    hub.native.cancel(this.#watch);
    this.#letGo();
    return hub.spawn(
      {
        operation: "release",
        path: this.path,
        start: (token) => void this.#native.release(token),
        finish: () => undefined,
      },
      undefined,
    );
  }

  #onLost(why: Loss | "closed"): void {
    this.#letGo();
    const { path } = this;
    const [text, code, errno] = LOSSES[why];
    const message = `${this.#what} ${path} is lost: ${text}`;
    this.#lost.abort(new QuorateError(message, { code, errno, operation: this.#what, path }));
    // Nothing of it is left to stand in the way, should its node still be there.
    this.giveBack().catch(() => undefined);
  }

  #letGo(): void {
    if (this.#holding) {
      this.#holding = false;
      hub.unhold();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.giveBack();
  }
}
