// The server in this process.

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { connect, QuorateError, Server, type ServerOptions } from "quorate";
import { until } from "./support/child.mjs";

describe("a server in this process", { timeout: 240_000 }, () => {
  it("keeps its data in a directory", async () => {
    const dataDir = await mkdtemp(join(tmpdir(), "quorate-node-"));
    try {
      for (const round of [1, 2, 3]) {
        await using server = await Server.start({ dataDir });
        assert.equal(server.address, null);
        assert.equal(server.port, null);
        await using zk = await server.connect();
        await zk.create(`/round-${round}`, String(round));
        const { children } = await zk.children("/");
        assert.equal(children.filter((name) => name.startsWith("round-")).length, round);
      }
    } finally {
      await rm(dataDir, { recursive: true });
    }
  });

  it("listens where it is told", async () => {
    await using one = await Server.start({ volatile: true, port: 0, host: "127.0.0.1" });
    assert.match(one.address ?? "", /^127\.0\.0\.1:\d+$/);
    assert.equal(one.address, `127.0.0.1:${one.port}`);
    await using zk = await connect(`127.0.0.1:${one.port}/root`);
    await assert.rejects(zk.get("/"), { code: "NoNode", path: "/" });
    const taken = Server.start({ volatile: true, port: one.port ?? 0 });
    const error = await taken.catch((error: unknown) => error);
    assert(error instanceof QuorateError);
    assert.match(error.message, /cannot listen/);
    assert.equal(error.operation, "server");
  });

  it("takes settings of zoo.cfg, and refuses what is wrong", async () => {
    const settings = { tickTime: 100, minSessionTimeout: 150 };
    await using server = await Server.start({ volatile: true, settings });
    await using zk = await server.connect({ sessionTimeoutMs: 1 });
    assert.equal(zk.sessionTimeoutMs, 150);
    const wrong = Server.start({ volatile: true, settings: { tickTime: "soon" } });
    await assert.rejects(wrong, /tickTime/);
    await assert.rejects(Server.start({} as ServerOptions), TypeError);
    await assert.rejects(Server.start({ volatile: true, dataDir: "/x" } as never), TypeError);
    await assert.rejects(Server.start({ volatile: true, port: 0, host: "nowhere" }), /IP address/);
  });

  it("stops once, and its clients notice", async () => {
    const server = await Server.start({ volatile: true, port: 0 });
    const zk = await server.connect();
    const states: string[] = [];
    zk.on("state", (state) => states.push(state));
    await Promise.all([server.stop(), server.stop()]);
    await until(() => states.length > 0, "the client notices");
    assert.deepEqual([states[0], zk.state], ["suspended", "suspended"]);
    await assert.rejects(server.connect(), { code: "InvalidState" });
    const write = zk.create("/late", "", { timeoutMs: 50 });
    await assert.rejects(write, { code: "OperationTimeout", outcomeUnknown: true });
  });

  it("a client that does not renew its session ends with it", async () => {
    const settings = { tickTime: 100 };
    const server = await Server.start({ volatile: true, port: 0, settings });
    const options = { sessionTimeoutMs: 200, renew: false };
    const zk = await connect(server.address ?? "", options);
    const states: string[] = [];
    zk.on("state", (state) => states.push(state));
    await server.stop();
    await until(() => states.includes("lost"), "its session is lost");
    assert.deepEqual(states, ["suspended", "lost"]);
    await assert.rejects(zk.get("/"), { code: "SessionExpired" });
    assert.deepEqual([zk.state, states.length], ["lost", 2]);
  });

  it("a session can be handed on", async () => {
    await using server = await Server.start({ volatile: true, port: 0 });
    await using zk = await connect(server.address ?? "");
    await zk.create("/mine", "", { mode: "ephemeral" });
    const resume = zk.identity;
    assert(resume !== undefined && resume.id === zk.sessionId && resume.password.length === 16);
    await using heir = await connect(server.address ?? "", { resume });
    assert.equal(heir.sessionId, resume.id);
    assert.equal((await heir.exists("/mine"))?.ephemeralOwner, resume.id);
  });
});
