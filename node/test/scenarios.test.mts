// The scenarios of `tests/scenarios`, which every front runs: in the process and through a socket, or, if QUORATE_TEST_SERVERS says
// `host:port`, at that server.

import { readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { type Client, type ConnectOptions, connect, Server } from "quorate";
import type { Step } from "./support/judge.mjs";
import { Runner } from "./support/runner.mjs";

interface Scenario {
  readonly name: string;
  readonly about: string;
  readonly steps: readonly Step[];
}

const file = new URL("../../../tests/scenarios/slice.json", import.meta.url);
const scenarios = JSON.parse(readFileSync(file, "utf8")) as Scenario[];

let server: Server;
before(async () => {
  server = await Server.start({ volatile: true, port: 0 });
});
after(() => server.stop());

const elsewhere = process.env.QUORATE_TEST_SERVERS;
const places: Record<string, (options: ConnectOptions) => Promise<Client>> =
  elsewhere === undefined
    ? {
        "in the process": (options) => server.connect(options),
        "through a socket": (options) => connect(server.address ?? "", options),
      }
    : { [`at ${elsewhere}`]: (options) => connect(elsewhere, options) };

for (const [place, open] of Object.entries(places)) {
  describe(`scenarios ${place}`, () => {
    let home: string;
    before(async () => {
      await using zk = await open({});
      const created = await zk.create("/node-", "", { mode: "persistent_sequential" });
      home = created.path;
    });

    for (const { name, about, steps } of scenarios) {
      it(`${name}: ${about}`, { timeout: 120_000 }, async () => {
        const root = `${home}/${name}`;
        {
          await using zk = await open({});
          await zk.create(root);
        }
        await using runner = new Runner(() => open({ root }));
        for (const [number, step] of steps.entries()) {
          try {
            await runner.step(step);
          } catch (error) {
            throw new Error(`step ${number + 1}: ${JSON.stringify(step)}`, { cause: error });
          }
        }
      });
    }
  });
}
