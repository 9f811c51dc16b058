// One state for both kinds of modules: the CommonJS build is the package, this names its exports.
import quorate from "./dist/index.js";

export const {
  connect,
  Client,
  Server,
  QuorateError,
  Lock,
  Held,
  Election,
  Term,
  Holding,
  Multi,
  Watch,
  Watcher,
} = quorate;
