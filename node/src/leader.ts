import type { Client } from "./client.js";
import { timedOut } from "./errors.js";
import { Holding } from "./holding.js";
import { hub } from "./hub.js";
import type { NativeClient, NativeHeld } from "./native.js";
import type { CallOptions, Data } from "./types.js";
import { bytes, limitOf } from "./values.js";

export interface ElectionOptions {
  /** Stands in the node, for others to see who leads. */
  readonly id?: Data | undefined;
  /**
   * Until when a term goes on without a connection: `connection`: it is over at once (Curator's standard policy, and ours). `session`: the
   * leader goes on until its session is lost, by the local clock.
   */
  readonly policy?: "connection" | "session" | undefined;
}

/** A leadership at a path: Curator's leader latch, shared with its participants. */
export class Election {
  readonly path: string;
  readonly #client: Client;
  readonly #native: NativeClient;
  readonly #id: Buffer;
  readonly #session: boolean;

  /** @internal */
  constructor(client: Client, native: NativeClient, path: string, options: ElectionOptions) {
    this.path = path;
    this.#client = client;
    this.#native = native;
    this.#id = bytes(options.id ?? "");
    this.#session = options.policy === "session";
  }

  /** Stands for leadership, and waits until it leads. Who gives up takes part no more: no node stays behind. */
  lead(options?: CallOptions): Promise<Term> {
    const { path } = this;
    return hub.spawn<Term>(
      {
        operation: "lead",
        path,
        start: (token) => {
          const ms = limitOf(options);
          this.#native.lead(token, path, this.#id, this.#session, ms);
        },
        finish: (token) => new Term(this.#client, hub.native.takeTerm(token) as NativeHeld),
        late: () => {
          throw timedOut("lead", path, false);
        },
        discard: (late) => void late.resign().catch(() => undefined),
      },
      { signal: options?.signal },
    );
  }
}

/** One term of a leader. `await using` steps down at the end of the block. When it is lost, `lead` stands again. */
export class Term extends Holding {
  /** @internal */
  constructor(client: Client, native: NativeHeld) {
    super(client, native, "leadership");
  }

  /** Steps down. Ends when the node is gone, or the session is, which removes it too. */
  resign(): Promise<void> {
    return this.giveBack();
  }
}
