//! The layouts of the files in a data directory, without any I/O.
//!
//! [`log`] is the transaction log, [`snapshot`] the tree at one time, [`snappy_frame`] the framing of
//! snapshots that Apache compresses with snappy, [`epoch`] the small text files, [`names`] what the files
//! are called. All of these are Apache's and are exchanged with it in both directions. [`sidecar`] is our
//! own: one CRC-32 per log record. Opening, syncing, compressing and deleting is the storage driver's part.

pub mod epoch;
pub mod log;
pub mod names;
pub mod sidecar;
pub mod snappy_frame;
pub mod snapshot;
