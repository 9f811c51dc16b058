// The operations of a client, against a server in this process and through its port.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type Client, connect, QuorateError, Server } from "quorate";

let server: Server;
before(async () => {
  server = await Server.start({ volatile: true, port: 0 });
});
after(() => server.stop());

const ways: [string, () => Promise<Client>][] = [
  ["in the process", () => server.connect()],
  ["through a socket", () => connect(server.address ?? "")],
];

for (const [way, open] of ways) {
  describe(`operations ${way}`, () => {
    let zk: Client;
    let root: string;
    before(async () => {
      zk = await open();
      root = (await zk.create("/op-", "", { mode: "persistent_sequential" })).path;
    });
    after(() => zk.close());

    it("creates, reads, writes and deletes", async () => {
      const path = `${root}/a`;
      const created = await zk.create(path, "one");
      assert.equal(created.path, path);
      assert.equal(typeof created.stat.czxid, "bigint");
      const found = await zk.get(path);
      assert.equal(found.data.toString(), "one");
      assert.deepEqual(found.stat, created.stat);
      const stat = await zk.set(path, Buffer.from([0, 255]), { version: 0 });
      assert.equal(stat.version, 1);
      assert.equal(stat.dataLength, 2);
      assert.deepEqual([...(await zk.get(path)).data], [0, 255]);
      assert.deepEqual((await zk.children(root)).children, ["a"]);
      assert.equal((await zk.exists(path))?.version, 1);
      await zk.sync(path);
      await zk.delete(path, { version: 1 });
      assert.equal(await zk.exists(path), null);
    });

    it("says what failed", async () => {
      const path = `${root}/none`;
      const error = await zk.get(path).catch((error: unknown) => error);
      assert(error instanceof QuorateError);
      const { name, code, errno, operation, outcomeUnknown, part } = error;
      assert.deepEqual(
        { name, code, errno, path: error.path, operation, outcomeUnknown, part },
        {
          name: "QuorateError",
          code: "NoNode",
          errno: -101,
          path,
          operation: "getData",
          outcomeUnknown: false,
          part: undefined,
        },
      );
      assert.match(error.message, /none.*NoNode/);
    });
  });
}
