// A contestant of the demonstration, with the Node package: see README.md.
//
// contestant.mjs ADDRESS NAME

import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { connect, QuorateError } from "../../node/index.mjs";

const [address, name] = process.argv.slice(2);
const told = new AbortController();
const lines = createInterface({ input: process.stdin });
lines.on("line", (line) => line.trim() === "step down" && told.abort());

const zk = await connect(address, { sessionTimeoutMs: 2000 });
while (!(await lead())) {
  console.log(`lost ${name}`);
}
await zk.close();
console.log(`left ${name}`);
lines.close();

/** One term. True if it ended because this was told to step down. */
async function lead() {
  console.log(`waiting ${name}`);
  const term = await zk.leader("/demo/latch", { id: name }).lead();
  console.log(`leading ${name} ${term.token}`);
  const value = `${name} ${term.token}`;
  // Whether the term goes on is not looked at: that it does is what the guard is for.
  for (let count = 0; !told.signal.aborted; count += 1) {
    const text = count === 0 ? value : `${value} ${count}`;
    try {
      await term.guarded().set("/demo/leader", text).commit();
    } catch (error) {
      if (!(error instanceof QuorateError)) throw error;
      break;
    }
    if (count === 0) {
      console.log(`wrote ${value}`);
    }
    await sleep(50, undefined, { signal: told.signal }).catch(() => undefined);
  }
  await term.resign();
  return told.signal.aborted;
}
