// The event loop: one wake for many completions, and never too many of them in one turn.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, before, describe, it } from "node:test";
import { type Client, connect, Server } from "quorate";
import { Between } from "./support/between.mjs";
import { PACKAGE, spin } from "./support/child.mjs";

/** Counts from now on how often completions are fetched from the native half; gives the number, and stops. */
function countCrossings(): () => number {
  const { hub } = createRequire(import.meta.url)(`${PACKAGE}dist/hub.js`) as {
    hub: { native: { drain(limit: number): Buffer } };
  };
  const drain = hub.native.drain;
  let count = 0;
  hub.native.drain = function (limit) {
    count += 1;
    return drain.call(this, limit);
  };
  return () => {
    hub.native.drain = drain;
    return count;
  };
}

describe("the event loop", { timeout: 240_000 }, () => {
  let server: Server;
  let zk: Client;
  before(async () => {
    server = await Server.start({ volatile: true, port: 0 });
    zk = await connect(server.address ?? "");
  });
  after(async () => {
    await zk.close();
    await server.stop();
  });

  it("is woken once for many completions, and gets its turn between batches", async () => {
    let now = 0;
    let most = 0;
    let turns = 0;
    let running = true;
    const turn = () => {
      turns += 1;
      now = 0;
      running && setImmediate(turn);
    };
    setImmediate(turn);
    const crossings = countCrossings();
    const seen = zk.lastZxid;
    const reads = Array.from({ length: 20_000 }, () =>
      zk.get("/").then(() => {
        now += 1;
        most = Math.max(most, now);
      }),
    );
    const last = zk.create("/last");
    // Everything is there before the first look: the largest batch there can be.
    spin(() => zk.lastZxid > seen, "the last answer is there");
    await Promise.all([...reads, last]);
    running = false;
    // One batch before the turn and one after it, at most.
    assert(most <= 1024, `${most} completions in one turn`);
    assert(turns >= 20, `${turns} turns`);
    const count = crossings();
    assert(count >= 40 && count <= 50, `${count} crossings for 20,001 completions`);
  });

  it("completions come in the order of the calls", async () => {
    const order: number[] = [];
    const calls = Array.from({ length: 5000 }, (_, n) =>
      (n % 3 === 0
        ? zk.create("/n-", "", { mode: "persistent_sequential" })
        : zk.exists("/n")
      ).then(() => order.push(n)),
    );
    await Promise.all(calls);
    assert.deepEqual(
      order,
      Array.from({ length: 5000 }, (_, n) => n),
    );
  });

  it("what is refused for want of room fails by itself", async () => {
    await using between = new Between(server.port ?? 0);
    await using small = await connect(await between.listen(), { maxInFlight: 10 });
    between.pause();
    const reads = Array.from({ length: 50 }, () => small.get("/"));
    const results = Promise.allSettled(reads);
    await assert.rejects(reads[49] ?? Promise.resolve(), { code: "ThrottledOp" });
    between.resume();
    const refused = (await results).filter(
      (result) => result.status === "rejected" && result.reason.code === "ThrottledOp",
    );
    const answered = (await results).filter((result) => result.status === "fulfilled");
    assert.deepEqual([answered.length, refused.length], [10, 40]);
  });

  it("answers that did not reach the thread count as under way", async () => {
    const small = await connect(server.address ?? "", { maxInFlight: 10 });
    const calls = () => Promise.allSettled(Array.from({ length: 10 }, () => small.get("/")));
    const refusals = (results: PromiseSettledResult<unknown>[]) =>
      results.filter(
        (result) => result.status === "rejected" && result.reason.code === "ThrottledOp",
      ).length;
    const first = calls();
    // They have all come; nobody looks.
    const until = performance.now() + 500;
    while (performance.now() < until);
    const second = calls();
    assert.equal(refusals(await second), 10);
    assert.equal(refusals(await first), 0);
    assert.equal(refusals(await calls()), 0);
    await small.close();
  });
});
