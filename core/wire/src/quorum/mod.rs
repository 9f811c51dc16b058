//! What servers of an ensemble say to each other: notifications of the election and packets between a leader and its learners.
//!
//! [`packet`] is the frame of the channel to the leader, [`learner`] what its packets carry, [`snap`] the tree that
//! follows one of them, [`auth`] what may come before the first. [`election`] is the other channel; [`membership`]
//! is the configuration that travels on both, and [`address`] what it is made of.

pub mod address;
pub mod auth;
pub mod election;
pub mod learner;
pub mod membership;
pub mod packet;
pub mod snap;

pub use election::{Ballot, InitialMessage, Notification, ServerState, Vote};
pub use membership::Membership;
pub use packet::{Packet, PacketKind};
