// Worker threads: each has a hub of its own, and may be ended at any time.

import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, describe, it } from "node:test";
import { Worker } from "node:worker_threads";
import { type Client, Server } from "quorate";
import { PACKAGE, run, until } from "./support/child.mjs";

const entry = JSON.stringify(`${PACKAGE}index.mjs`);

/** A worker that runs this program, in which `zk` is a client of its own and `tell` speaks to us. */
function worker(program: string, address: string): Worker {
  const text = `
    const { parentPort, workerData } = require("node:worker_threads");
    const tell = (message) => parentPort.postMessage(message);
    import(${entry}).then(async ({ connect, Server }) => {
      const zk = await connect(workerData, { sessionTimeoutMs: 60000 });
      ${program}
    });`;
  return new Worker(text, { eval: true, workerData: address });
}

describe("worker threads", { timeout: 240_000 }, () => {
  let server: Server;
  let zk: Client;
  let address: string;
  before(async () => {
    server = await Server.start({
      volatile: true,
      port: 0,
      settings: { tickTime: 2000, maxSessionTimeout: 60_000 },
    });
    address = server.address ?? "";
    zk = await server.connect();
  });
  after(async () => {
    await zk.close();
    await server.stop();
  });

  it("work side by side", async () => {
    const program = `
      for (let n = 0; n < 100; n += 1) {
        await zk.create("/worker-", "", { mode: "persistent_sequential" });
      }
      tell((await zk.children("/")).children.filter((name) => name.startsWith("worker-")).length);
      await zk.close();`;
    const workers = Array.from({ length: 4 }, () => worker(program, address));
    // Both from the start: one may have ended before another has spoken.
    const exits = Promise.all(workers.map((worker) => once(worker, "exit")));
    const counts = await Promise.all(workers.map((worker) => once(worker, "message")));
    const codes = await exits;
    assert.equal(Math.max(...counts.map(([count]) => count)), 400);
    assert.deepEqual(codes, [[0], [0], [0], [0]]);
  });

  it("end by themselves with handles open", async () => {
    const ending = worker(`await zk.create("/worker-open", "", { mode: "ephemeral" });`, address);
    assert.deepEqual(await once(ending, "exit"), [0]);
    await until(async () => (await zk.exists("/worker-open")) === null, "its session is closed");
  });

  it("are terminated with everything open", async () => {
    await zk.create("/terminated");
    for (let round = 0; round < 20; round += 1) {
      const ending = worker(
        `const server = await Server.start({ volatile: true, port: 0 });
         const other = await server.connect();
         await zk.lock("/terminated").acquire();
         // This keeps its client in the library, until it is told to end.
         zk.lock("/terminated").acquire();
         (async () => { for await (const event of zk.watch("/", { recursive: true })) void event; })();
         tell("ready");
         for (;;) {
           await Promise.all(Array.from({ length: 500 }, (_, n) => (n % 2 ? zk : other).get("/")));
         }`,
        address,
      );
      await once(ending, "message");
      await new Promise((resolve) => setTimeout(resolve, round));
      await ending.terminate();
      const free = async () => (await zk.children("/terminated")).children.length === 0;
      await until(free, "its lock is free");
    }
    assert.equal((await zk.get("/")).data.length, 0);
  });

  it("may be the only ones that load the addon", async () => {
    const ended = await run(
      `import { Worker } from "node:worker_threads";
       import { once } from "node:events";
       for (let round = 0; round < 5; round += 1) {
         const text = 'import(' + ${JSON.stringify(entry)} + ').then(async ({ connect }) => {' +
           'const zk = await connect(require("node:worker_threads").workerData);' +
           'require("node:worker_threads").parentPort.postMessage(zk.state);' +
           'for (;;) await zk.get("/"); })';
         const worker = new Worker(text, { eval: true, execArgv: [], workerData: process.argv[1] });
         console.log(...(await once(worker, "message")));
         await worker.terminate();
       }
       await new Promise((resolve) => setTimeout(resolve, 200));`,
      address,
    );
    assert.deepEqual(ended, { code: 0, signal: null, output: "connected\n".repeat(5) });
  });
});
