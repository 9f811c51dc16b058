// What keeps a process alive, what does not, and how it ends with handles open.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type Client, Server } from "quorate";
import { run, start, until } from "./support/child.mjs";

// Long, so that what is gone soon was not taken away by a timeout.
const SETTINGS = { tickTime: 2000, maxSessionTimeout: 60_000 };
const CONNECT = `
  import { connect } from "quorate";
  const zk = await connect(process.argv[1], { sessionTimeoutMs: 60000 });
`;

describe("the life of a process", { timeout: 240_000 }, () => {
  let server: Server;
  let zk: Client;
  let address: string;
  before(async () => {
    server = await Server.start({ volatile: true, port: 0, settings: SETTINGS });
    address = server.address ?? "";
    zk = await server.connect();
  });
  after(async () => {
    await zk.close();
    await server.stop();
  });

  it("the package alone does not keep it alive", async () => {
    const ended = await run(`import "quorate"; console.log("imported");`);
    assert.deepEqual(ended, { code: 0, signal: null, output: "imported\n" });
  });

  it("a forgotten client does not keep it alive, and its session is closed", async () => {
    const ended = await run(
      `${CONNECT}
       zk.on("state", () => {});
       await zk.getAndWatch("/");
       zk.watch("/", { recursive: true });
       await zk.create("/forgotten", "", { mode: "ephemeral" });
       console.log("end of the program");`,
      address,
    );
    assert.deepEqual(ended, { code: 0, signal: null, output: "end of the program\n" });
    await until(async () => (await zk.exists("/forgotten")) === null, "the session is closed");
  });

  it("a client that nobody can reach closes when it is collected", async () => {
    const program = start(
      `import { connect } from "quorate";
       // In a function: a module keeps what it has awaited last.
       async function forget() {
         const zk = await connect(process.argv[1], { sessionTimeoutMs: 60000 });
         await zk.create("/collected", "", { mode: "ephemeral" });
         (await zk.getAndWatch("/collected")).watch.cancel();
       }
       await forget();
       setInterval(() => globalThis.gc(), 20);`,
      address,
    );
    await until(async () => (await zk.exists("/collected")) !== null, "it has connected");
    await until(async () => (await zk.exists("/collected")) === null, "the session is closed");
    assert.equal(program.child.exitCode, null);
    program.child.kill("SIGKILL");
    await program.end;
  });

  it("a forgotten client whose session is lost does not end it", async () => {
    const ended = await run(`
      import { connect, Server } from "quorate";
      const server = await Server.start({ volatile: true, port: 0, settings: { tickTime: 100 } });
      const options = { sessionTimeoutMs: 200 };
      async function forget() {
        const zk = await connect(server.address, options);
        zk.on("state", () => {});
        zk.watch("/", { recursive: true });
        await zk.getAndWatch("/");
        (await zk.lock("/lock").acquire()).unref();
        (await zk.leader("/leader").lead()).unref();
      }
      await forget();
      const zk = await connect(server.address, options);
      const lost = new Promise((resolve) => zk.on("state", (state) => state === "lost" && resolve()));
      const held = await zk.lock("/other").acquire();
      await server.stop();
      await Promise.all([lost, new Promise((resolve) => held.signal.addEventListener("abort", resolve))]);
      console.log("it goes on");`);
    assert.deepEqual(ended, { code: 0, signal: null, output: "it goes on\n" });
  });

  it("process.exit with everything open closes the session", async () => {
    const ended = await run(
      `${CONNECT}
       import { Server } from "quorate";
       const server = await Server.start({ volatile: true, port: 0 });
       const other = await server.connect();
       await zk.lock("/exit").acquire();
       await zk.leader("/exit-leader").lead();
       await zk.create("/exiting", "", { mode: "ephemeral" });
       const blocked = zk.lock("/exit").acquire();
       blocked.catch(() => {});
       (async () => { for await (const event of other.watch("/")) console.log(event); })();
       for (let n = 0; n < 1000; n += 1) { zk.get("/"); other.get("/"); }
       process.exit(7);`,
      address,
    );
    assert.deepEqual(ended, { code: 7, signal: null, output: "" });
    for (const path of ["/exit", "/exit-leader"]) {
      await until(async () => (await zk.children(path)).children.length === 0, `${path} is free`);
    }
    assert.equal(await zk.exists("/exiting"), null);
  });

  it("a call under way keeps it alive", async () => {
    await using held = await zk.lock("/call").acquire();
    const program = start(
      `${CONNECT}
       const held = await zk.lock("/call").acquire();
       console.log(held.isHeld);
       await held.release();`,
      address,
    );
    await until(async () => (await zk.children("/call")).children.length === 2, "it waits");
    await held.release();
    assert.deepEqual(await program.end, { code: 0, signal: null, output: "true\n" });
  });

  it("an awaited watch keeps it alive", async () => {
    await zk.create("/awaited");
    const program = start(
      `${CONNECT}
       const { watch } = await zk.getAndWatch("/awaited");
       zk.create("/awaited/ready");
       const { kind } = await watch;
       const { value } = await zk.watch("/awaited").next();
       console.log(kind, value.kind);`,
      address,
    );
    await until(async () => (await zk.exists("/awaited/ready")) !== null, "it watches");
    await zk.set("/awaited", "1");
    let ended = false;
    program.end.then(() => {
      ended = true;
    });
    await until(async () => {
      await zk.set("/awaited", "2");
      return ended;
    }, "it ends");
    assert.deepEqual(await program.end, { code: 0, signal: null, output: "changed changed\n" });
  });

  it("a held lock keeps it alive, unless it is told not to", async () => {
    const program = start(`${CONNECT} await zk.lock("/kept").acquire();`, address);
    const holders = async () => (await zk.exists("/kept"))?.numChildren ?? 0;
    await until(async () => (await holders()) === 1, "it holds");
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.equal(program.child.exitCode, null);
    program.child.kill("SIGKILL");
    await program.end;
    const ended = await run(
      `${CONNECT} (await zk.lock("/let-go").acquire()).unref(); console.log("held");`,
      address,
    );
    assert.deepEqual(ended, { code: 0, signal: null, output: "held\n" });
    await until(async () => (await zk.children("/let-go")).children.length === 0, "it is free");
  });

  it("a server with a port keeps it alive, one without does not", async () => {
    const program = start(`
      import { Server } from "quorate";
      console.log((await Server.start({ volatile: true, port: 0 })).port > 0);`);
    await new Promise((resolve) => program.child.stdout?.once("data", resolve));
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.equal(program.child.exitCode, null);
    program.child.kill("SIGKILL");
    await program.end;
    const ended = await run(`
      import { Server } from "quorate";
      console.log((await Server.start({ volatile: true })).address);
      (await Server.start({ volatile: true, port: 0 })).unref();`);
    assert.deepEqual(ended, { code: 0, signal: null, output: "null\n" });
  });

  it("a listener that throws is an uncaught exception, and nothing else is lost", async () => {
    const ended = await run(
      `${CONNECT}
       process.on("uncaughtException", (error) => console.log(error.message));
       zk.on("state", () => { throw new Error("thrown"); });
       const rest = Promise.all([zk.get("/"), zk.close(), zk.get("/").catch((error) => error.code)]);
       console.log((await rest)[2]);`,
      address,
    );
    assert.deepEqual(
      { ...ended, output: ended.output.split("\n").sort().join(" ") },
      {
        code: 0,
        signal: null,
        output: " Closing thrown",
      },
    );
  });
});
