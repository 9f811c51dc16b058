// The verbs of the scenarios.

import {
  type Client,
  type CreateMode,
  Held,
  type Multi,
  type PartResult,
  QuorateError,
  type SessionState,
  type Stat,
  type Term,
  type Watch,
  Watcher,
} from "quorate";
import { filledIn, judge, type Saved, type Step, type Value } from "./judge.mjs";

/** No verb takes longer. */
const LIMIT = 30_000;

interface States {
  readonly seen: SessionState[];
  changed: () => void;
}

/** One scenario, while it runs. */
export class Runner implements AsyncDisposable {
  readonly #open: () => Promise<Client>;
  readonly #saved: Saved = new Map();
  readonly #clients = new Map<string, Client>();
  readonly #states = new Map<string, States>();
  readonly #watches = new Map<string, Watch | Watcher>();
  readonly #holds = new Map<string, Held | Term>();
  readonly #started = new Map<string, Promise<Value>>();

  constructor(open: () => Promise<Client>) {
    this.#open = open;
  }

  /** Does one step and judges its result. */
  async step(raw: Step): Promise<void> {
    const step = filledIn(raw, this.#saved);
    const result = await soon(this.#run(step).catch(failed), step.do);
    judge(step, result, this.#saved);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#started.values());
    for (const client of this.#clients.values()) {
      await client.close().catch(() => undefined);
    }
  }

  async #run(step: Step): Promise<Value> {
    const client = () => there(this.#clients, step.client);
    const hold = () => there(this.#holds, step.hold);
    const path = String(step.path);
    switch (step.do) {
      case "open":
        this.#clients.set(String(step.client), await this.#open());
        return {};
      case "close":
        await client().close();
        return {};
      case "state":
        return { state: client().state };
      case "follow": {
        const states: States = { seen: [], changed: () => undefined };
        client().on("state", (state) => {
          states.seen.push(state);
          states.changed();
        });
        this.#states.set(String(step.states), states);
        return {};
      }
      case "states": {
        const states = there(this.#states, step.states);
        while (!states.seen.some((state) => state === step.until)) {
          await new Promise<void>((resolve) => {
            states.changed = resolve;
          });
        }
        return { seen: [...states.seen] };
      }
      case "create": {
        const created = await client().create(path, data(step), options(step));
        return { path: created.path, stat: stat(created.stat) };
      }
      case "get": {
        const found = step.watch ? await client().getAndWatch(path) : await client().get(path);
        this.#keep(step, found);
        const { data, stat: its } = found;
        return { data: data.toString(), hex: data.toString("hex"), stat: stat(its) };
      }
      case "set":
        return { stat: stat(await client().set(path, data(step), version(step))) };
      case "delete":
        await client().delete(path, version(step));
        return {};
      case "exists": {
        const found = step.watch
          ? await client().existsAndWatch(path)
          : { stat: await client().exists(path) };
        this.#keep(step, found);
        return found.stat === null ? { exists: false } : { exists: true, stat: stat(found.stat) };
      }
      case "children": {
        const found = step.watch
          ? await client().childrenAndWatch(path)
          : await client().children(path);
        this.#keep(step, found);
        return { names: found.children.sort(), stat: stat(found.stat) };
      }
      case "sync":
        await client().sync(path);
        return {};
      case "await_children":
        while ((await client().children(path)).children.length !== step.count) {
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
        return {};
      case "multi":
        return committed(client().multi(), step);
      case "watch": {
        const watcher = client().watch(path, { recursive: step.recursive === true });
        await watcher.ready();
        this.#watches.set(String(step.watch), watcher);
        return {};
      }
      case "event":
        return event(there(this.#watches, step.watch));
      case "unwatch": {
        const watch = there(this.#watches, step.watch);
        watch instanceof Watcher ? await watch.return() : watch.cancel();
        return {};
      }
      case "acquire":
      case "lead": {
        const started = this.#take(client(), step);
        if (step.start === undefined) {
          return started;
        }
        this.#started.set(String(step.start), started);
        return {};
      }
      case "finish":
        return there(this.#started, step.started);
      case "holds":
        return { holds: hold().isHeld };
      case "lost": {
        const { signal } = hold();
        await new Promise<unknown>((resolve) => {
          signal.addEventListener("abort", resolve);
          signal.aborted && resolve(undefined);
        });
        return {};
      }
      case "guarded":
        return committed(hold().guarded(), step, 1);
      case "release": {
        const held = hold();
        await (held instanceof Held ? held.release() : held.resign());
        return {};
      }
      default:
        throw new Error(`no verb ${step.do}`);
    }
  }

  /** Remembers the watch that a read has left. */
  #keep(step: Step, found: object): void {
    if ("watch" in found) {
      this.#watches.set(String(step.watch), found.watch as Watch);
    }
  }

  async #take(client: Client, step: Step): Promise<Value> {
    const path = String(step.path);
    const limit = { timeoutMs: Number(step.limit_ms ?? LIMIT) };
    try {
      const held =
        step.do === "acquire"
          ? await client.lock(path).acquire(limit)
          : await client.leader(path, { id: String(step.id) }).lead(limit);
      this.#holds.set(String(step.hold), held);
      return { granted: true, token: held.token, path: held.path };
    } catch (error) {
      if (error instanceof QuorateError && error.code === "OperationTimeout") {
        return { granted: false };
      }
      return failed(error);
    }
  }
}

async function event(watch: Watch | Watcher): Promise<Value> {
  if (!(watch instanceof Watcher)) {
    const { kind, path } = await watch;
    return { kind, path };
  }
  const { value } = await watch.next();
  if (value === undefined) {
    throw new Error("the watch is over");
  }
  return value.kind === "missed" ? { missed: true } : { kind: value.kind, path: value.path };
}

async function committed(multi: Multi, step: Step, own = 0): Promise<Value> {
  for (const part of step.parts as Step[]) {
    const path = String(part.path);
    switch (part.do) {
      case "create":
        multi.create(path, data(part), options(part));
        break;
      case "set":
        multi.set(path, data(part), version(part));
        break;
      case "delete":
        multi.delete(path, version(part));
        break;
      case "check":
        multi.check(path, version(part));
        break;
      default:
        throw new Error(`no part ${part.do}`);
    }
  }
  const results = await multi.commit();
  return { results: results.slice(own).map(partResult) };
}

function partResult(part: PartResult): Value {
  switch (part.kind) {
    case "created":
      return { path: part.path };
    case "set":
      return { stat: stat(part.stat) };
    case "done":
      return {};
  }
}

function failed(error: unknown): Value {
  if (!(error instanceof QuorateError)) {
    throw error;
  }
  return {
    error: {
      name: error.code,
      code: error.errno,
      path: error.path ?? "",
      operation: error.operation,
      outcome_unknown: error.outcomeUnknown,
      part: error.part ?? null,
    },
  };
}

function data(step: Step): string | Buffer {
  return step.hex === undefined ? String(step.data) : Buffer.from(String(step.hex), "hex");
}

function version(step: Step): { version?: number } {
  return step.version === undefined ? {} : { version: Number(step.version) };
}

function options(step: Step): { mode: CreateMode; ttlMs?: number } {
  const mode = step.mode as CreateMode;
  return step.ttl_ms === undefined ? { mode } : { mode, ttlMs: Number(step.ttl_ms) };
}

function stat({ version, cversion, dataLength, numChildren, czxid, mzxid }: Stat): Value {
  return {
    version,
    cversion,
    data_length: dataLength,
    num_children: numChildren,
    czxid,
    mzxid,
  };
}

function there<T>(map: Map<string, T>, name: Value | undefined): T {
  const found = map.get(String(name));
  if (found === undefined) {
    throw new Error(`there is no ${String(name)}`);
  }
  return found;
}

/** Waits, but not for ever. */
async function soon<T>(promise: Promise<T>, what: string): Promise<T> {
  const limit = new AbortController();
  const late = new Promise<never>((_, reject) => {
    const timer = setTimeout(() => reject(new Error(`${what} takes too long`)), LIMIT);
    limit.signal.addEventListener("abort", () => clearTimeout(timer));
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    limit.abort();
  }
}
