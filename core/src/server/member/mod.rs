//! The driver of an ensemble's member: one thread for clients, for the quorum port and for the state.
//!
//! The third driver beside `fused` and `sharded`, with the same sockets, words and snapshots. The engine
//! ([`Member`](quorate_engine::member::Member)) decides what is to be done, `effects` does it; elections have a thread of their own, so that others
//! are answered while this one reads or writes its disk.

mod effects;
mod launch;
mod pause;
mod peers;
mod porch;
mod reconfig;
mod settings;
#[cfg(test)]
mod tests;
mod thread;

pub(super) use launch::{Start, launch};
