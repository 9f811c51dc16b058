//! ZooKeeper's records: bytes to types and back.
//!
//! Everything that travels over the client port or lies in a data directory is defined here, once, as a
//! plain type with a total decoder (any bytes give a value or a [`DecodeError`]) and an encoder
//! whose output is byte-identical to Apache's. No I/O, no state, no clock.
//!
//! Map: [`jute`] is the encoding; [`prefix`] finds the end of a value in a stream; [`frame`] the headers around every message; [`op`] one file per
//! operation; [`event`] notifications; [`four_letter`] the operator's words; [`txn`] what is logged and
//! replicated; [`quorum`] what servers tell each other; [`image`] the whole tree; [`disk`] file layouts; [`path`], [`acl`], [`stat`], [`zxid`], [`error`] the vocabulary they share.

#![forbid(unsafe_code)]
#![deny(clippy::as_conversions)]

pub mod acl;
pub mod disk;
pub mod error;
pub mod event;
pub mod four_letter;
pub mod frame;
pub mod image;
pub mod jute;
pub mod op;
pub mod password;
pub mod path;
pub mod prefix;
pub mod quorum;
pub mod stat;
pub mod txn;
pub mod zxid;

pub use acl::{Acl, AclList, Id};
pub use error::ErrorCode;
pub use jute::{DecodeError, Jute, Reader};
pub use op::OpCode;
pub use stat::{Stat, StatPersisted};
pub use zxid::Zxid;
