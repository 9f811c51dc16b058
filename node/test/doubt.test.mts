// A connection that breaks while requests are under way: what is said of them is what one can know.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { type Client, connect, QuorateError, Server } from "quorate";
import { Between } from "./support/between.mjs";
import { until } from "./support/child.mjs";

describe("a broken connection", { timeout: 240_000 }, () => {
  let server: Server;
  let between: Between;
  let zk: Client;
  let other: Client;
  before(async () => {
    server = await Server.start({ volatile: true, port: 0 });
    between = new Between(server.port ?? 0);
    zk = await connect(await between.listen());
    other = await server.connect();
  });
  after(async () => {
    await zk.close();
    await other.close();
    await server.stop();
    await between[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    await until(() => zk.state === "connected", "it is connected again");
  });

  /** The error of a call whose connection is cut under it. */
  async function broken(call: () => Promise<unknown>, before: boolean): Promise<QuorateError> {
    between.cut = { text: "/doubt", before };
    const error = await call().catch((error: unknown) => error);
    between.cut = undefined;
    assert(error instanceof QuorateError, String(error));
    return error;
  }

  const writes: readonly [string, (zk: Client) => Promise<unknown>][] = [
    ["create2", (zk) => zk.create("/doubt/new")],
    ["setData", (zk) => zk.set("/doubt", "1")],
    ["delete", (zk) => zk.delete("/doubt/old")],
    ["multi", (zk) => zk.multi().set("/doubt", "2").commit()],
  ];
  for (const [operation, call] of writes) {
    for (const before of [true, false]) {
      it(`leaves it open whether a ${operation} ${before ? "that got lost" : "whose answer got lost"} has happened`, async () => {
        await other.create("/doubt");
        await other.create("/doubt/old");
        const before_ = (await other.get("/doubt")).stat;
        const error = await broken(() => call(zk), before);
        assert.deepEqual(
          [error.code, error.operation, error.outcomeUnknown],
          ["ConnectionLoss", operation, true],
        );
        const after = (await other.get("/doubt")).stat;
        const happened = after.mzxid !== before_.mzxid || after.pzxid !== before_.pzxid;
        assert.equal(happened, !before);
        for (const name of (await other.children("/doubt")).children) {
          await other.delete(`/doubt/${name}`);
        }
        await other.delete("/doubt");
      });
    }
  }

  it("leaves nothing open about a read", async () => {
    between.cut = { text: "/doubt", before: false };
    const reads = Promise.allSettled([zk.exists("/doubt"), zk.exists("/doubt")]);
    await until(() => zk.state !== "connected", "the connection breaks");
    between.cut = undefined;
    for (const result of await reads) {
      assert(result.status === "fulfilled" || result.reason.outcomeUnknown === false);
    }
  });
});
