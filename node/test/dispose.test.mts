// `await using` and `using` give everything back at the end of the block, in the reverse order.

import assert from "node:assert/strict";
import { it } from "node:test";
import {
  type Client,
  connect,
  type Held,
  Server,
  type Term,
  type Watch,
  type Watcher,
} from "quorate";
import { until } from "./support/child.mjs";

it("a block gives back what it uses", { timeout: 60_000 }, async () => {
  await using outer = await Server.start({ volatile: true, port: 0 });
  await using other = await outer.connect();
  let zk: Client;
  let held: Held;
  let term: Term;
  let watcher: Watcher;
  let once: Watch;
  {
    await using zk_ = await connect(outer.address ?? "");
    await using held_ = await zk_.lock("/lock").acquire();
    await using term_ = await zk_.leader("/leader").lead();
    await using watcher_ = zk_.watch("/");
    {
      using once_ = (await zk_.getAndWatch("/")).watch;
      once = once_;
      assert(once.isOpen);
    }
    // Not only when the client is closed.
    assert.equal(once.isOpen, false);
    zk = zk_;
    held = held_;
    term = term_;
    watcher = watcher_;
    assert(held.isHeld && term.isHeld);
  }
  assert.equal((await watcher.next()).done, true);
  for (const holding of [held, term]) {
    assert.equal(holding.isHeld, false);
    // Given back, and not lost with the client.
    assert.equal(holding.signal.aborted, false);
    assert.equal(await other.exists(holding.path), null);
  }
  assert.equal(zk.state, "closed");
});

it("a block stops its server", { timeout: 60_000 }, async () => {
  let server: Server;
  {
    await using server_ = await Server.start({ volatile: true, port: 0 });
    server = server_;
  }
  await assert.rejects(server.connect(), { code: "InvalidState" });
});

it("a block that fails gives back as well", { timeout: 60_000 }, async () => {
  await using server = await Server.start({ volatile: true });
  await using zk = await server.connect();
  const failing = async () => {
    await using _held = await zk.lock("/failing").acquire();
    throw new Error("in the block");
  };
  await assert.rejects(failing(), /in the block/);
  await until(async () => (await zk.children("/failing")).children.length === 0, "it is free");
});
