// Whatever is given up, at whatever moment, leaves no node behind.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type Client, connect, QuorateError, Server } from "quorate";
import { until } from "./support/child.mjs";
import { ask } from "./support/words.mjs";

describe("giving up", { timeout: 240_000 }, () => {
  let server: Server;
  let zk: Client;
  let other: Client;
  before(async () => {
    server = await Server.start({ volatile: true, port: 0 });
    zk = await connect(server.address ?? "");
    other = await server.connect();
  });
  after(async () => {
    await zk.close();
    await other.close();
    await server.stop();
  });

  /** Moments at which to give up: at once, after some turns of the event loop, after some time. */
  const moments: [string, (abort: () => void) => void][] = [
    ["at once", (abort) => abort()],
    ["in a microtask", (abort) => queueMicrotask(abort)],
    ["at the next tick", (abort) => process.nextTick(abort)],
    ...[1, 2, 3, 5, 8].map((turns): [string, (abort: () => void) => void] => [
      `after ${turns} turns`,
      (abort) => {
        let left = turns;
        const turn = () => {
          left -= 1;
          left > 0 ? setImmediate(turn) : abort();
        };
        setImmediate(turn);
      },
    ]),
    ...Array.from({ length: 20 }, (_, index): [string, (abort: () => void) => void] => [
      `after ${index / 2} ms`,
      (abort) => {
        const at = performance.now() + index / 2;
        const turn = () => (performance.now() < at ? setImmediate(turn) : abort());
        turn();
      },
    ]),
  ];

  for (const [name, take] of [
    [
      "a lock",
      (client: Client, path: string, signal: AbortSignal) => client.lock(path).acquire({ signal }),
    ],
    [
      "a leadership",
      (client: Client, path: string, signal: AbortSignal) => client.leader(path).lead({ signal }),
    ],
  ] as const) {
    for (const busy of [false, true]) {
      it(`${name} that is ${busy ? "taken" : "free"}`, async () => {
        const path = `/${name.replace(" ", "-")}-${busy}`;
        await zk.create(path);
        const holder = busy ? await take(other, path, new AbortController().signal) : undefined;
        for (const client of [zk, other]) {
          for (const [moment, at] of moments) {
            const control = new AbortController();
            const reason = new Error(moment);
            const taking = take(client, path, control.signal);
            at(() => control.abort(reason));
            const outcome = await taking.catch((error: unknown) => error);
            if (outcome instanceof Error) {
              assert.equal(outcome, reason);
            } else {
              // Too late: then it is held, and stays so.
              assert(!busy, moment);
              const held = outcome as Awaited<typeof taking>;
              assert(held.isHeld);
              await held[Symbol.asyncDispose]();
            }
          }
        }
        const left = busy ? 1 : 0;
        const count = async () => (await zk.children(path)).children.length;
        await until(async () => (await count()) === left, "nothing is left");
        await holder?.[Symbol.asyncDispose]();
        await until(async () => (await count()) === 0, "nothing is left");
      });
    }
  }

  it("a connection", async () => {
    const address = server.address ?? "";
    // A session that was granted while nobody waited for it any more lasts until it times out; it has no nodes.
    const connections = async () =>
      Number(/^Connections: (\d+)$/m.exec(await ask(server.port ?? 0, "srvr"))?.[1]);
    const before = await connections();
    assert(before >= 2);
    for (const [moment, at] of moments) {
      const control = new AbortController();
      const reason = new Error(moment);
      const connecting = connect(address, { signal: control.signal });
      at(() => control.abort(reason));
      const outcome = await connecting.catch((error: unknown) => error);
      if (outcome instanceof Error) {
        assert.equal(outcome, reason);
      } else {
        const client = outcome as Client;
        assert.equal(client.state, "connected");
        await client.close();
      }
    }
    await until(async () => (await connections()) === before, "nothing is left");
  });

  /** What a wait with a limit, for what another has, fails with. */
  async function late(take: (timeoutMs: number) => Promise<unknown>): Promise<void> {
    for (const timeoutMs of [0, 1, 20]) {
      const error = await Promise.race([take(timeoutMs), never()]).catch((error: unknown) => error);
      assert(error instanceof QuorateError, String(error));
      assert.deepEqual(
        [error.code, error.path, error.outcomeUnknown],
        ["OperationTimeout", "/timed", false],
      );
    }
  }

  /** Fails, when everything else would have ended. */
  async function never(): Promise<never> {
    await new Promise((resolve) => setTimeout(resolve, 30_000).unref());
    throw new Error("no limit ends this");
  }

  it("a leadership in time", async () => {
    await using _term = await other.leader("/timed").lead();
    await late((timeoutMs) => zk.leader("/timed").lead({ timeoutMs }));
    await until(async () => (await zk.children("/timed")).children.length === 1, "nothing is left");
  });

  it("a lock in time", async () => {
    await using _held = await other.lock("/timed").acquire();
    await late((timeoutMs) => zk.lock("/timed").acquire({ timeoutMs }));
    assert.equal(await zk.lock("/timed").tryAcquire(), null);
    await until(async () => (await zk.children("/timed")).children.length === 1, "nothing is left");
  });

  it("operations", async () => {
    const aborted = AbortSignal.abort(new Error("before"));
    await assert.rejects(zk.get("/", { signal: aborted }), /before/);
    await assert.rejects(zk.getAndWatch("/", { signal: aborted }), /before/);
    const warnings: Error[] = [];
    process.on("warning", (warning) => warnings.push(warning));
    const control = new AbortController();
    const reads = Array.from({ length: 100 }, () => zk.get("/", { signal: control.signal }));
    control.abort();
    const results = await Promise.allSettled(reads);
    // The first ones may have been answered before.
    const given = results.filter((result) => result.status === "rejected");
    assert(given.length > 0);
    assert(given.every((result) => result.reason.name === "AbortError"));
    assert.deepEqual(warnings, []);
    // A write that was submitted is carried out, as the error says.
    const late = zk.create("/late", "", { timeoutMs: 0 });
    // The event loop is busy when the answer comes, and then looks at its timers first.
    const until = performance.now() + 50;
    while (performance.now() < until);
    const error = await late.catch((error: unknown) => error);
    if (error instanceof QuorateError) {
      assert.deepEqual([error.code, error.outcomeUnknown], ["OperationTimeout", true]);
    }
    assert.notEqual(await zk.exists("/late"), null);
  });

  it("connecting", async () => {
    const control = new AbortController();
    const connecting = connect("127.0.0.1:1", { signal: control.signal });
    setImmediate(() => control.abort(new Error("enough")));
    await assert.rejects(connecting, /enough/);
    const error = await connect("127.0.0.1:1", { timeoutMs: 50 }).catch((error: unknown) => error);
    assert(error instanceof QuorateError);
    assert.equal(error.code, "ConnectionLoss");
    await assert.rejects(connect("h:1:2:3"), { code: "BadArguments", operation: "connect" });
  });

  it("a close while calls are under way", async () => {
    const client = await connect(server.address ?? "");
    await using _held = await other.lock("/closing").acquire();
    // Looked at from the start: they may fail before the close is over.
    const waiting = assert.rejects(client.lock("/closing").acquire(), { code: "Closing" });
    const watch = client.watch("/quiet");
    const event = assert.rejects(watch.next(), { code: "Closing", path: "/quiet" });
    const others = Promise.allSettled([
      client.leader("/closing-leader").lead(),
      ...Array.from({ length: 1000 }, () => client.get("/")),
    ]);
    await client.close();
    await Promise.all([waiting, event]);
    for (const result of await others) {
      assert(result.status === "fulfilled" || result.reason.code === "Closing");
    }
    assert.deepEqual(await watch.next(), { done: true, value: undefined });
    await client.close();
    assert.equal(client.state, "closed");
  });
});
