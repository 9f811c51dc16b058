// Our Node package: see ../README.md.

import { connect, Server } from "../../../../node/index.mjs";
import { alone, inFlight, say } from "./measure.mjs";

const DATA = Buffer.alloc(100, "x");
const PATH = "/bench-fronts";

const zk = await connect(process.argv[2]);
say("get, alone", await alone(() => zk.get(PATH)));
say("get, 1000 in flight", await inFlight(() => zk.get(PATH)));
say("set, 1000 in flight", await inFlight(() => zk.set(PATH, DATA)));
await zk.close();

const server = await Server.start({ volatile: true });
const local = await server.connect();
await local.create(PATH, DATA);
say("get, in process", await alone(() => local.get(PATH)));
await local.close();
await server.stop();

const times = [];
for (let n = 0; n < 20; n += 1) {
  const begin = performance.now();
  const server = await Server.start({ volatile: true });
  const zk = await server.connect();
  await zk.exists("/");
  times.push(performance.now() - begin);
  await zk.close();
  await server.stop();
}
say("server ready", times.sort((a, b) => a - b)[times.length / 2]);
