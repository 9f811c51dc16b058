// What is held: its loss is told once and in time, and what is written too late is refused.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type Client, connect, type ErrorCode, type Held, Server, type Term } from "quorate";
import { spin, until } from "./support/child.mjs";

type Take = (client: Client, path: string) => Promise<Held | Term>;

const kinds: readonly [string, Take, ErrorCode][] = [
  ["a lock", (client, path) => client.lock(path).acquire(), "NoNode"],
  ["a leadership", (client, path) => client.leader(path).lead(), "InvalidState"],
];

for (const [kind, take, deleted] of kinds) {
  describe(kind, { timeout: 240_000 }, () => {
    let server: Server;
    let zk: Client;
    let other: Client;
    before(async () => {
      // Sessions of 200 ms.
      server = await Server.start({ volatile: true, port: 0, settings: { tickTime: 100 } });
      zk = await connect(server.address ?? "", { sessionTimeoutMs: 30_000 });
      other = await server.connect();
      await zk.create("/value");
    });
    after(async () => {
      await zk.close();
      await other.close();
      await server.stop();
    });

    /** How often its signal has fired, and with which code. */
    function follow(held: Held | Term): ErrorCode[] {
      const told: ErrorCode[] = [];
      held.signal.addEventListener("abort", () => told.push(held.signal.reason.code));
      return told;
    }

    /** What was held is gone, and can do nothing any more. */
    async function isOver(held: Held | Term): Promise<void> {
      assert.equal(held.isHeld, false);
      await assert.rejects(held.guarded().set("/value", "late").commit());
      assert.equal((await other.get("/value")).data.toString(), "");
      await held[Symbol.asyncDispose]();
    }

    it("that loses its node tells so once", async () => {
      const held = await take(zk, "/deleted");
      const told = follow(held);
      assert.equal(typeof held.token, "bigint");
      assert(held.isHeld && !held.signal.aborted);
      await other.delete(held.path);
      await until(() => told.length > 0, "it is lost");
      await isOver(held);
      assert.deepEqual(told, [deleted]);
    });

    it("that is given back is not lost", async () => {
      const held = await take(zk, "/given-back");
      const told = follow(held);
      await held[Symbol.asyncDispose]();
      await held[Symbol.asyncDispose]();
      await isOver(held);
      await zk.get("/");
      assert.deepEqual([told, held.signal.aborted], [[], false]);
      const next = await take(other, "/given-back");
      assert(next.token > held.token);
      await next[Symbol.asyncDispose]();
    });

    it("whose client is closed is lost", async () => {
      const client = await connect(server.address ?? "");
      const held = await take(client, "/closed");
      const told = follow(held);
      await client.close();
      await until(() => told.length > 0, "it is lost");
      await isOver(held);
      assert.equal(told.length, 1);
    });

    it("is known to be lost although the event loop has not had its turn", async () => {
      const own = await Server.start({ volatile: true, port: 0, settings: { tickTime: 100 } });
      const client = await connect(own.address ?? "", { sessionTimeoutMs: 200 });
      const held = await take(client, "/busy");
      const told = follow(held);
      const stopping = own.stop();
      spin(() => !held.isHeld, "it is lost");
      assert.deepEqual(told, []);
      await stopping;
      await until(() => told.length > 0, "it is lost");
      await client.close().catch(() => undefined);
    });

    it("is lost soon after its session can be", async () => {
      const own = await Server.start({ volatile: true, port: 0, settings: { tickTime: 100 } });
      const client = await connect(own.address ?? "", { sessionTimeoutMs: 200 });
      const held = await take(client, "/expired");
      const told = follow(held);
      await own.stop();
      const stopped = performance.now();
      await until(() => told.length > 0, "it is lost");
      assert(performance.now() - stopped < 5000, "long after its session");
      assert.equal(held.isHeld, false);
      await assert.rejects(held.guarded().set("/", "late").commit({ timeoutMs: 100 }));
      assert.equal(told.length, 1);
      await client.close().catch(() => undefined);
    });
  });
}
