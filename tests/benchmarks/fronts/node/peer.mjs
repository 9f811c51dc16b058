// node-zookeeper-client: see ../README.md.

import zookeeper from "node-zookeeper-client";
import { alone, inFlight, say } from "./measure.mjs";

const DATA = Buffer.alloc(100, "x");
const PATH = "/bench-fronts";

const zk = zookeeper.createClient(process.argv[2], { sessionTimeout: 10_000 });
await new Promise((resolve) => {
  zk.once("connected", resolve);
  zk.connect();
});
const promised = (call) =>
  new Promise((resolve, reject) => call((error, result) => (error ? reject(error) : resolve(result))));
const get = () => promised((done) => zk.getData(PATH, done));
const set = () => promised((done) => zk.setData(PATH, DATA, done));
say("get, alone", await alone(get));
say("get, 1000 in flight", await inFlight(get));
say("set, 1000 in flight", await inFlight(set));
zk.close();
