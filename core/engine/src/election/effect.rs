//! What an election wants done.

use quorate_wire::quorum::membership::{Membership, MembershipError};
use quorate_wire::quorum::{Ballot, ServerState};

/// One thing to do, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Send this to a server: over the connection that there is, or over one that is made for it. Only the newest that was not sent yet
    /// counts; it replaces the one before it. [`Election::write_frame`](super::Election::write_frame) makes the bytes.
    Send {
        /// The receiver.
        to: i64,
        /// What to say.
        ballot: Ballot,
    },
    /// The election is over: take this role.
    Decided {
        /// What this server is from now on.
        state: ServerState,
        /// Who leads.
        leader: i64,
    },
    /// Voters that made this server the leader now vote for another, and without them it has no quorum. If it has not gathered a quorum of followers
    /// by now it should look for a leader again; if it has, this means nothing.
    Withdrawn,
    /// A member has a newer committed configuration, and this server is looking for a leader. If reconfiguration is enabled, it should
    /// be written to disk and given to [`Election::commit`](super::Election::commit).
    SawConfig {
        /// Who has it.
        from: i64,
        /// The configuration.
        membership: Membership,
    },
    /// A member sent a configuration that cannot be read. To be logged; its vote counts all the same.
    BadConfig {
        /// Who sent it.
        from: i64,
        /// What is wrong with it.
        error: MembershipError,
    },
}
