// Who one is and whom one trusts: credentials, and TLS in front of a server's port.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { type AddressInfo, connect as dial } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { createServer, type TlsOptions } from "node:tls";
import { type ConnectOptions, connect, Server } from "quorate";

describe("credentials", { timeout: 60_000 }, () => {
  it("open what they protect, and nobody else does", async () => {
    await using server = await Server.start({ volatile: true, port: 0 });
    const address = server.address ?? "";
    const auth = [{ scheme: "digest", secret: "me:secret" }];
    await using zk = await connect(address, { auth });
    await zk.create("/mine", "1", { acl: [{ perms: 31, scheme: "auth", id: "" }] });
    await zk
      .multi()
      .create("/mine/part", "", { acl: [{ perms: 31, scheme: "auth", id: "" }] })
      .commit();
    await using stranger = await connect(address);
    await assert.rejects(stranger.get("/mine"), { code: "NoAuth", errno: -102 });
    await assert.rejects(stranger.set("/mine/part", ""), { code: "NoAuth" });
    await using again = await server.connect({
      auth: [{ scheme: "digest", secret: Buffer.from("me:secret") }],
    });
    assert.equal((await again.get("/mine")).data.toString(), "1");
  });

  it("stay below a root", async () => {
    await using server = await Server.start({ volatile: true, port: 0 });
    await using zk = await server.connect();
    await zk.create("/app");
    await using inside = await connect(`${server.address}/app`);
    await using deeper = await connect(`${server.address}/app`, { root: "/deeper" });
    await inside.create("/deeper");
    await deeper.create("/x");
    assert.deepEqual((await zk.children("/app/deeper")).children, ["x"]);
  });
});

describe("TLS", { timeout: 120_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), "quorate-tls-"));
  const file = (name: string) => join(folder, name);
  let server: Server;
  before(async () => {
    const openssl = (...args: string[]) => execFileSync("openssl", args, { stdio: "pipe" });
    const made = (name: string, ...args: string[]) =>
      openssl(
        ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"],
        ...["-days", "2", "-subj", `/CN=${name}`],
        ...["-keyout", file(`${name}.key`), "-out", file(`${name}.pem`), ...args],
      );
    made("ca");
    made("stranger");
    for (const name of ["server", "client"]) {
      made(
        name,
        ...["-CA", file("ca.pem"), "-CAkey", file("ca.key")],
        ...["-addext", `subjectAltName=DNS:${name}.test`],
        ...["-addext", "basicConstraints=critical,CA:FALSE"],
      );
    }
    server = await Server.start({ volatile: true, port: 0 });
  });
  after(async () => {
    await server.stop();
    rmSync(folder, { recursive: true });
  });

  /** Connects through TLS and reads something. */
  async function read(options: ConnectOptions, listener: TlsOptions = {}): Promise<void> {
    const front = createServer(
      {
        key: readFileSync(file("server.key")),
        cert: readFileSync(file("server.pem")),
        ...listener,
      },
      (socket) => {
        const behind = dial(server.port ?? 0, "127.0.0.1");
        socket.pipe(behind).pipe(socket);
        const end = () => [socket, behind].map((socket) => socket.destroy());
        for (const one of [socket, behind]) {
          one.on("error", end).on("close", end);
        }
      },
    );
    front.listen(0, "127.0.0.1");
    await once(front, "listening");
    try {
      const { port } = front.address() as AddressInfo;
      await using zk = await connect(`127.0.0.1:${port}`, options);
      assert.equal((await zk.get("/")).data.length, 0);
    } finally {
      front.close();
    }
  }

  const tls = { caFile: file("ca.pem"), serverName: "server.test" };
  const own = { certFile: file("client.pem"), keyFile: file("client.key") };

  it("connects to whom it trusts", () => read({ tls }));

  it("shows its own certificate", async () => {
    const listener = { requestCert: true, ca: readFileSync(file("ca.pem")) };
    await read({ tls: { ...tls, ...own } }, listener);
    await assert.rejects(read({ tls, timeoutMs: 500 }, listener), { operation: "connect" });
  });

  it("connects to nobody else", async () => {
    for (const wrong of [
      { ...tls, caFile: file("stranger.pem") },
      { ...tls, serverName: "other.test" },
    ]) {
      await assert.rejects(read({ tls: wrong, timeoutMs: 500 }), { operation: "connect" });
    }
    await assert.rejects(read({ timeoutMs: 500 }), { operation: "connect" });
    await assert.rejects(read({ tls: { caFile: file("none.pem") } }), { operation: "connect" });
  });
});
