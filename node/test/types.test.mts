// What the types say is what the library does.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { it } from "node:test";
import { connect, type ErrorCode, Server } from "quorate";
import { spin } from "./support/child.mjs";

/** Exactly the codes of the type: the compiler accepts neither more nor fewer. */
const CODES: Readonly<Record<ErrorCode, true>> = {
  SystemError: true,
  RuntimeInconsistency: true,
  DataInconsistency: true,
  ConnectionLoss: true,
  MarshallingError: true,
  Unimplemented: true,
  OperationTimeout: true,
  BadArguments: true,
  InvalidState: true,
  UnknownSession: true,
  NewConfigNoQuorum: true,
  ReconfigInProgress: true,
  SslConnectionError: true,
  ApiError: true,
  NoNode: true,
  NoAuth: true,
  BadVersion: true,
  NoChildrenForEphemerals: true,
  NodeExists: true,
  NotEmpty: true,
  SessionExpired: true,
  InvalidCallback: true,
  InvalidAcl: true,
  AuthFailed: true,
  Closing: true,
  Nothing: true,
  SessionMoved: true,
  NotReadOnly: true,
  EphemeralOnLocalSession: true,
  NoWatcher: true,
  RequestTimeout: true,
  ReconfigDisabled: true,
  SessionClosedRequireSaslAuth: true,
  QuotaExceeded: true,
  ThrottledOp: true,
};

it("error codes are those of the library", () => {
  const source = new URL("../../../core/wire/src/error.rs", import.meta.url);
  const names = readFileSync(source, "utf8").matchAll(/^ {4}([A-Z]\w+) = -?\d+,/gm);
  assert.deepEqual([...names].map(([, name]) => name).sort(), Object.keys(CODES).sort());
});

it("numbers of 64 bits are bigints, the others numbers", async () => {
  await using server = await Server.start({ volatile: true, port: 0 });
  await using zk = await connect(server.address ?? "");
  const { stat } = await zk.create("/x", "data", { mode: "ephemeral" });
  const kinds = Object.fromEntries(
    Object.entries(stat).map(([name, value]) => [name, typeof value]),
  );
  assert.deepEqual(kinds, {
    czxid: "bigint",
    mzxid: "bigint",
    ctime: "bigint",
    mtime: "bigint",
    version: "number",
    cversion: "number",
    aversion: "number",
    ephemeralOwner: "bigint",
    dataLength: "number",
    numChildren: "number",
    pzxid: "bigint",
  });
  assert.equal(typeof zk.sessionId, "bigint");
  assert.equal(stat.ephemeralOwner, zk.sessionId);
  assert.equal(typeof zk.lastZxid, "bigint");
  assert.equal(zk.lastZxid, stat.czxid);
  assert(Math.abs(Number(stat.ctime) - Date.now()) < 60_000);
  await using held = await zk.lock("/lock").acquire();
  await using term = await zk.leader("/leader").lead();
  assert.equal(typeof held.token, "bigint");
  assert.equal(typeof term.token, "bigint");
  await using watch = zk.watch("/x");
  await zk.set("/x", "more");
  const { value } = await watch.next();
  assert(value?.kind === "changed" && value.zxid === (await zk.get("/x")).stat.mzxid);
});

it("what fits nowhere is refused, and not taken for something else", async () => {
  await using server = await Server.start({ volatile: true });
  await using zk = await server.connect();
  await zk.create("/x");
  for (const version of [2 ** 32, 0.5, Number.NaN]) {
    await assert.rejects(zk.set("/x", "", { version }), RangeError);
    await assert.rejects(zk.delete("/x", { version }), RangeError);
    assert.throws(() => zk.multi().check("/x", { version }), RangeError);
  }
  await assert.rejects(zk.get("/x", { timeoutMs: Number.NaN }), RangeError);
  await assert.rejects(zk.lock("/l").acquire({ timeoutMs: Number.NaN }), RangeError);
  await assert.rejects(zk.leader("/l").lead({ timeoutMs: Number.NaN }), RangeError);
  await assert.rejects(server.connect({ sessionTimeoutMs: -1 }), RangeError);
  await assert.rejects(server.connect({ auth: [{ scheme: "x", secret: 1 as never }] }), TypeError);
  await assert.rejects(Server.start({ volatile: true, port: 65_536 }), RangeError);
  await assert.rejects(zk.create("/y", 1 as never), TypeError);
  await assert.rejects(zk.create("/y", "", { mode: "eternal" as never }), TypeError);
  await assert.rejects(zk.get(1 as never));
  assert.throws(() => zk.lock("/l", { mode: "none" as never }), TypeError);
  assert.equal((await zk.exists("/x"))?.version, 0);
});

it("a limit may be as long as one likes", async () => {
  await using server = await Server.start({ volatile: true, port: 0 });
  await using zk = await connect(server.address ?? "", { timeoutMs: Infinity });
  for (const timeoutMs of [Infinity, 2 ** 40]) {
    const reading = zk.get("/", { timeoutMs });
    const later = performance.now() + 20;
    // Timers come before answers.
    spin(() => performance.now() > later, "a timer would be over");
    await reading;
    const held = await zk.lock("/lock").acquire();
    const waiting = zk.lock("/lock").acquire({ timeoutMs });
    const leading = zk.leader("/leader").lead({ timeoutMs });
    await held.release();
    await (await waiting).release();
    await (await leading).resign();
  }
});
