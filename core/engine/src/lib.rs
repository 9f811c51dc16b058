//! quorate's state machines. No I/O, no clock, no threads, no randomness: time and every decision of
//! the outside world are arguments, so that the same inputs give the same effects everywhere.
//!
//! Map: [`tree`] holds the nodes and applies transactions; [`prep`] judges requests against the tree plus
//! what is still in flight; [`replica`] is the one writer, [`shard`] serves connections; [`access`] knows identities
//! and ACLs; [`election`] finds a leader; [`quorum`] knows which sets of servers may decide; [`zab`] keeps
//! the servers of an ensemble on one history, and [`member`] is one of them; [`client`] is the other end of the wire; [`session`] expires; [`limits`] refuse; [`watch`] remembers who wants to be told; [`tree::Tree::walk`] writes the tree
//! while it changes.

#![forbid(unsafe_code)]

pub mod access;
pub mod client;
pub mod election;
pub mod limits;
pub mod member;
pub mod prep;
pub mod quorum;
pub mod replica;
pub mod segment;
pub mod session;
pub mod shard;
pub mod tree;
pub mod watch;
pub mod zab;
