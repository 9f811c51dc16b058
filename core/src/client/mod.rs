//! The client: where the servers are, how to reach them, and what is asked of them.
//!
//! [`address`] reads connection strings, [`resolve`] turns the names in them into socket addresses,
//! [`tls`] encrypts a connection.

pub mod address;
pub mod resolve;
pub mod tls;
