//! What a leader has counted, for whoever wants to know. Source: `LeaderZooKeeperServer#registerMetrics`, `BufferStats`.

use super::Leader;
use super::peer::Stage;
use crate::zab::message::LearnerKind;

/// The learners of a leader.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Following {
    /// Connections, whether or not they have said who they are.
    pub learners: usize,
    /// Followers that are told of every proposal.
    pub followers: usize,
    /// Those of them that do not vote.
    pub non_voting: usize,
    /// Observers that are told of every transaction.
    pub observers: usize,
}

/// Sizes of proposals, bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Proposals {
    /// The last one, the smallest and the largest; `None` before the first.
    pub sizes: Option<(usize, usize, usize)>,
}

impl Proposals {
    pub(super) fn count(&mut self, bytes: usize) {
        let (_, min, max) = self.sizes.unwrap_or((bytes, bytes, bytes));
        self.sizes = Some((bytes, min.min(bytes), max.max(bytes)));
    }
}

impl Leader {
    /// Who follows.
    #[must_use]
    pub fn following(&self) -> Following {
        let mut following = Following { learners: self.peers.len(), ..Following::default() };
        for peer in self.peers.values().filter(|peer| peer.stage >= Stage::Syncing) {
            match peer.kind {
                LearnerKind::Follower => {
                    following.followers += 1;
                    following.non_voting += usize::from(!peer.counts);
                }
                LearnerKind::Observer => following.observers += 1,
            }
        }
        following
    }

    /// Syncs that wait.
    #[must_use]
    pub fn pending_syncs(&self) -> usize {
        self.rounds.pending()
    }

    /// Sizes of what was proposed.
    #[must_use]
    pub const fn proposals(&self) -> Proposals {
        self.proposals
    }
}
