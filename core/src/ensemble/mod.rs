//! The drivers of an ensemble's member: what gives the engines of `quorate_engine::zab` and `quorate_engine::election` their disk and their
//! connections.

pub(crate) mod archive;
pub(crate) mod catch_up;
pub(crate) mod election;
pub(crate) mod peers;
pub(crate) mod roster;
pub(crate) mod tls;
