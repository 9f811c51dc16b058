// Memory, threads and descriptors do not grow. QUORATE_LONG=1 does a hundred thousand sessions and a million operations.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { connect, Server } from "quorate";

const long = process.env.QUORATE_LONG === "1";

interface Use {
  /** MiB. */
  readonly memory: number;
  readonly threads: number;
  readonly descriptors: number;
}

/** What this process uses, when everything that is over has been collected. */
async function use(): Promise<Use> {
  for (let round = 0; round < 5; round += 1) {
    globalThis.gc?.();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const status = readFileSync("/proc/self/status", "utf8");
  const number = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1]);
  return {
    memory: number("VmRSS") / 1024,
    threads: number("Threads"),
    descriptors: readdirSync("/proc/self/fd").length,
  };
}

async function isFlat(rounds: number, work: (round: number) => Promise<void>): Promise<void> {
  const warm = Math.max(20, rounds / 10);
  for (let round = 0; round < warm; round += 1) {
    await work(round);
  }
  const before = await use();
  for (let round = 0; round < rounds; round += 1) {
    await work(warm + round);
  }
  const after = await use();
  const text = JSON.stringify({ rounds, before, after });
  if (long) {
    console.log(text);
  }
  assert(after.memory < before.memory + 48, text);
  assert(after.threads <= before.threads + 1, text);
  assert(after.descriptors <= before.descriptors + 2, text);
}

describe("flat", { timeout: 7_200_000 }, () => {
  it("over sessions that are opened and closed", async () => {
    await using server = await Server.start({ volatile: true, port: 0 });
    await using _other = await server.connect();
    await isFlat(long ? 100_000 : 300, async (round) => {
      await using zk = await (round % 2 ? server.connect() : connect(server.address ?? ""));
      zk.on("state", () => undefined);
      await zk.getAndWatch("/");
      await zk.watch("/", { recursive: true }).ready();
      await using _held = await zk.lock("/flat").acquire();
      await using _term = await zk.leader("/flat-leader").lead();
    });
  });

  it("over operations", async () => {
    await using server = await Server.start({ volatile: true, port: 0 });
    await using zk = await connect(server.address ?? "");
    await zk.create("/flat", Buffer.alloc(1000));
    await isFlat(long ? 1000 : 20, async (round) => {
      const calls: Promise<unknown>[] = [];
      for (let n = 0; n < 250; n += 1) {
        const control = new AbortController();
        calls.push(zk.get("/flat"));
        calls.push(zk.set("/flat", `${round} ${n}`, { timeoutMs: 60_000 }));
        calls.push(zk.get(`/none-${n}`).catch(() => undefined));
        calls.push(zk.children("/", { signal: control.signal }).catch(() => undefined));
        if (n % 5 === 0) {
          control.abort();
        }
      }
      await Promise.all(calls);
      const { watch } = await zk.getAndWatch("/flat");
      round % 2 ? watch.cancel() : await zk.set("/flat", "").then(() => watch);
    });
  });

  it("over servers", async () => {
    await isFlat(long ? 1000 : 20, async (round) => {
      await using server = await Server.start(
        round % 2 ? { volatile: true, port: 0 } : { volatile: true },
      );
      await using zk = await server.connect();
      await zk.get("/");
    });
  });
});
