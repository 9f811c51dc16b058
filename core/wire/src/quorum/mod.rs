//! What servers of an ensemble say to each other: notifications of the election and packets between a leader and its learners.
//!
//! [`packet`] is the frame of the channel to the leader, [`learner`] what its packets carry.

pub mod learner;
pub mod packet;

pub use packet::{Packet, PacketKind};
