// Both kinds of modules are one package: the same classes, the same state.

import assert = require("node:assert/strict");

import { it } from "node:test";

import quorate = require("quorate");

it("require and import give the same", async () => {
  const imported = await import("quorate");
  for (const name of Object.keys(quorate)) {
    assert.equal(imported[name as keyof typeof imported], quorate[name as keyof typeof quorate]);
  }
  assert.deepEqual(
    Object.keys(imported).sort(),
    Object.keys(quorate)
      .filter((name) => name !== "__esModule")
      .sort(),
  );
  const server = await quorate.Server.start({ volatile: true });
  const zk = await server.connect();
  await assert.rejects(zk.get("/none"), imported.QuorateError);
  await zk.close();
  await server.stop();
});
