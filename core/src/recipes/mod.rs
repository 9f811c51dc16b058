//! Recipes: locks, elections, barriers, queues, counters, membership and discovery on top of the
//! client.
//!
//! [`layout`] is the pure part: node names and byte formats, as the other clients of the same
//! paths write them. It knows no connection; the recipes ask it what to create, whom to wait for
//! and what a node says.

pub mod cache;
pub mod counter;
pub mod discovery;
pub mod dubbo;
pub mod kit;
pub mod layout;
pub mod lease;
pub mod lock;
pub mod multi_lock;
pub mod partitioner;
pub mod process_queue;
pub mod queue;
pub mod read_write;
pub mod reentrant;
pub mod semaphore;
pub mod simple_lock;
pub mod staged;
pub mod value;
pub mod wall_lease;
