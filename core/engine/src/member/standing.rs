//! Where a member stands in its ensemble, for whoever wants to know.

use super::{Doing, Member, Role};
use crate::zab::Sid;
use crate::zab::leader::{Following, Proposals};
use quorate_wire::Zxid;
use quorate_wire::quorum::Membership;

/// Where a member stands.
#[derive(Clone, Debug)]
pub struct Standing<'a> {
    /// Who it is.
    pub me: Sid,
    /// What it does.
    pub doing: Doing,
    /// Its leader, if it serves.
    pub leader: Option<Sid>,
    /// Where its leader's epoch begins, if it serves: it has everything that was before.
    pub begin: Option<Zxid>,
    /// The committed configuration.
    pub membership: &'a Membership,
    /// What it sees if it leads.
    pub leading: Option<Lead>,
}

/// What a leader sees.
#[derive(Clone, Copy, Debug)]
pub struct Lead {
    /// Who follows it.
    pub following: Following,
    /// Transactions after which syncs wait for their confirmation.
    pub pending_syncs: usize,
    /// The transactions that it has proposed.
    pub proposals: Proposals,
}

impl Member {
    /// Where it stands.
    #[must_use]
    pub fn standing(&self) -> Standing<'_> {
        let leading = match &self.role {
            Role::Leading(leading) if self.replica.is_some() => {
                let leader = &leading.leader;
                Some(Lead {
                    following: leader.following(),
                    pending_syncs: leader.pending_syncs(),
                    proposals: leader.proposals(),
                })
            }
            _ => None,
        };
        let doing = self.doing();
        let serves = self.replica.is_some() && doing != Doing::Looking;
        Standing {
            me: self.config.zab.me,
            doing,
            leader: self.leader.filter(|_| serves),
            begin: serves.then_some(Zxid(self.epoch() << 32)),
            membership: self.quorums.committed(),
            leading,
        }
    }
}
