//! Recipes: locks, elections, barriers, queues, counters, membership and discovery on top of the
//! client.
//!
//! [`layout`] is the pure part: node names and byte formats, as the other clients of the same
//! paths write them. It knows no connection; the recipes ask it what to create, whom to wait for
//! and what a node says.

pub mod assignment;
pub mod barrier;
pub mod cache;
pub mod counter;
pub mod counting_barrier;
pub mod directory;
pub mod discovery;
pub mod dubbo;
pub mod election;
pub mod group;
pub mod kit;
pub mod latch;
pub mod layout;
pub mod leader;
pub mod lease;
pub mod lock;
pub mod multi_lock;
pub mod naming;
pub mod partitioner;
pub mod persistent;
pub mod process_queue;
pub mod progress;
pub mod queue;
pub mod read_write;
pub mod reentrant;
pub mod selector;
pub mod semaphore;
pub mod simple_lock;
pub mod staged;
pub mod standby;
mod ttl;
pub mod value;
pub mod wall_lease;
