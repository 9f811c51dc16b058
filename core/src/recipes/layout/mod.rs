//! Node names and byte formats of the recipes, shared with Apache Curator, kazoo, go-zookeeper,
//! ZooKeeper's own recipes and Apache Dubbo on one path.
//!
//! Everything here is a plain function or a small value: no I/O, no clock, no randomness. Every
//! reader is total: any name and any bytes give a value, a "not mine" or a typed error. The
//! recipes beside this folder are the callers; tools that show other clients' nodes may be too.
//!
//! Names that end in a number are created in sequential mode: a *stem* is what the client asks
//! for, the server appends the number ([`Sequence`]).

pub mod barrier;
pub mod counter;
pub mod discovery;
pub mod dubbo;
pub mod election;
pub mod frame;
pub mod latch;
pub mod lease;
pub mod lock;
pub mod member;
pub mod partition;
pub mod position;
pub mod protected;
pub mod queue;
pub mod read_write;
pub mod semaphore;
pub mod sequence;
pub mod uri_spec;

#[cfg(test)]
mod testing;

pub use position::Position;
pub use protected::Id;
pub use sequence::Sequence;
