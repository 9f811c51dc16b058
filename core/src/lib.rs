//! quorate: a coordination service in your process. ZooKeeper's model on ZooKeeper's wire.
//!
//! This crate holds the drivers: what gives the pure engines of `quorate-engine` their sockets, files, threads and
//! clock. [`server`] starts a server in this process; [`storage`] keeps its data directory; [`config`] reads
//! `zoo.cfg`. [`client`] speaks to servers, ours and Apache's; [`recipes`] is what is built on it.

pub mod client;
pub mod config;
pub(crate) mod ensemble;
mod fork;
#[cfg(test)]
mod interleave;
pub mod recipes;
pub mod server;
pub mod storage;

/// For what unit tests share with those of `core/tests`.
#[cfg(test)]
extern crate self as quorate;

/// The examples of `docs/client.md`, run as tests.
#[cfg(doctest)]
#[doc = include_str!("../../docs/client.md")]
struct ClientGuide;

/// The examples of `docs/ensemble.md`, run as tests.
#[cfg(doctest)]
#[doc = include_str!("../../docs/ensemble.md")]
struct EnsembleGuide;
