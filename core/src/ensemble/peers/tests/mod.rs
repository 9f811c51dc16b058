//! Both ends over loopback, all in one thread: real engines, raw sockets, and what Apache's servers have said to each other.

mod broken;
mod crowd;
mod ensemble;
mod late;
mod party;
mod replay;
mod secure;
mod slow;
mod speed;
mod stage;

use super::Limits;
use quorate_engine::tree::TreeConfig;

const LIMITS: Limits = Limits { packet: 1 << 20, queue: 64 << 20, aside: 1 << 20 };
const TREE: TreeConfig = TreeConfig { hash_seed: 1, digest: true };
