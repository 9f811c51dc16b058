// Watches: how they are read, dropped, and end.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type Client, connect, Server, type WatchEvent } from "quorate";
import { spin, until } from "./support/child.mjs";
import { ask } from "./support/words.mjs";

describe("watches", { timeout: 240_000 }, () => {
  let server: Server;
  let zk: Client;
  before(async () => {
    server = await Server.start({
      volatile: true,
      port: 0,
      settings: { "4lw.commands.whitelist": "*" },
    });
    zk = await connect(server.address ?? "");
  });
  after(async () => {
    await zk.close();
    await server.stop();
  });

  /** How many watches for data the server has for all its clients. */
  async function registered(): Promise<number> {
    return Number(/Total watches:(\d+)/.exec(await ask(server.port ?? 0, "wchs"))?.[1]);
  }

  it("a loop sees every change, and leaving it removes the watch", async () => {
    await zk.create("/tree");
    const seen: WatchEvent[] = [];
    const watch = zk.watch("/tree", { recursive: true });
    const writes = [zk.create("/tree/a", "1"), zk.set("/tree/a", "2"), zk.delete("/tree/a")];
    for await (const event of watch) {
      seen.push(event);
      if (event.kind === "deleted") {
        break;
      }
    }
    await Promise.all(writes);
    assert.deepEqual(
      seen.map((event) => event.kind),
      ["created", "changed", "deleted"],
    );
    assert(seen.every((event) => event.kind !== "missed" && typeof event.zxid === "bigint"));
    await until(async () => (await registered()) === 0, "the server has forgotten it");
  });

  it("an event comes before the answer that shows the new state", async () => {
    await zk.create("/order", "0");
    const order: string[] = [];
    const { watch } = await zk.getAndWatch("/order");
    const event = watch.then(() => order.push("event"));
    await zk.set("/order", "1").then(() => order.push("set"));
    await zk.get("/order").then(() => order.push("get"));
    await event;
    assert.deepEqual(order, ["event", "set", "get"]);
  });

  it("an event comes before an answer that is there at once", async () => {
    await using local = await server.connect();
    await zk.create("/many");
    await zk.create("/last", "0");
    const order: string[] = [];
    const { watch } = await local.getAndWatch("/last");
    const event = watch.then(() => order.push("event"));
    const many = await local.watch("/many", { maxEvents: 5000 }).ready();
    const first = many.next();
    const before = zk.lastZxid;
    const writes = Array.from({ length: 2000 }, () => zk.set("/many", ""));
    writes.push(zk.set("/last", "1"));
    // More than the event loop takes in one turn, and the event is among the last.
    spin(() => zk.lastZxid - before > 2000n, "everything is written");
    await first;
    const { data } = await local.get("/last");
    order.push(`get ${data}`);
    await Promise.all([event, ...writes]);
    assert.deepEqual(order, ["event", "get 1"]);
    await many.return();
  });

  it("a signal ends it, with its reason", async () => {
    const control = new AbortController();
    const watch = zk.watch("/", { signal: control.signal });
    await watch.ready();
    assert.equal(await registered(), 1);
    const next = watch.next();
    control.abort(new Error("enough"));
    await assert.rejects(next, /enough/);
    assert.deepEqual(await watch.next(), { done: true, value: undefined });
    await until(async () => (await registered()) === 0, "the server has forgotten it");
    const late = zk.watch("/", { signal: control.signal });
    await assert.rejects(late.next(), /enough/);
  });

  it("one-shot watches can be cancelled", async () => {
    await zk.create("/once");
    const control = new AbortController();
    const one = (await zk.getAndWatch("/once")).watch;
    const two = (await zk.childrenAndWatch("/once", { signal: control.signal })).watch;
    const three = (await zk.existsAndWatch("/not-there")).watch;
    assert.equal(await registered(), 2);
    const awaited = assert.rejects(async () => await one, { name: "AbortError" });
    one.cancel();
    one.cancel();
    control.abort(new Error("enough"));
    {
      using _three = three;
    }
    await awaited;
    await assert.rejects(async () => await two, /enough/);
    assert.equal(three.isOpen, false);
    await until(async () => (await registered()) === 0, "the server has forgotten them");
  });

  it("a registration that fails is told where it is waited for", async () => {
    await assert.rejects(zk.getAndWatch("/none"), { code: "NoNode", path: "/none" });
    const watch = zk.watch("no path");
    await assert.rejects(watch.ready(), { code: "BadArguments" });
    await assert.rejects(watch.next(), { code: "BadArguments" });
    assert.equal((await watch.next()).done, true);
    await until(async () => (await registered()) === 0, "nothing is left");
  });

  it("a reader that is too slow is told that it has missed something", async () => {
    await zk.create("/slow");
    const watch = await zk.watch("/slow", { maxEvents: 10 }).ready();
    for (let n = 0; n < 25; n += 1) {
      await zk.set("/slow", String(n));
    }
    const kinds: string[] = [];
    for (let n = 0; n < 5; n += 1) {
      kinds.push((await watch.next()).value?.kind ?? "end");
    }
    assert.deepEqual(kinds, ["missed", "changed", "changed", "changed", "changed"]);
    await watch.return();
  });

  it("the end of the session is told once, and harms nobody who does not listen", async () => {
    const client = await connect(server.address ?? "");
    const nobodyListens = (await client.getAndWatch("/")).watch;
    const watch = client.watch("/");
    await client.close();
    await assert.rejects(watch.next(), { code: "Closing", path: "/" });
    assert.equal((await watch.next()).done, true);
    await assert.rejects(async () => await nobodyListens, { code: "Closing", path: "/" });
  });
});
