//! What a server owes to others that look for a leader, and what it learns from them while it leads.

use super::{Effect, Election, Phase};
use quorate_wire::quorum::membership::Membership;
use quorate_wire::quorum::{Ballot, Notification, ServerState};

impl Election {
    /// Answers a server that looks for a leader. A voter that looks for one as well is answered only if it can learn something: of a later
    /// round, or of a better vote than its own. Nobody else gets an answer, so that no two servers can keep each other talking.
    pub(super) fn answer(&mut self, to: i64, heard: &Ballot) {
        if heard.state != ServerState::Looking {
            return;
        }
        let voter = self.quorums.is_voter(to);
        let mut ballot = self.ballot();
        if voter {
            let better = self.is_better(&ballot.vote, &heard.vote);
            if let Phase::Looking(looking) = &mut self.phase {
                let behind = heard.round < self.round;
                // One word about each own vote: servers whose configurations differ may both hold their own vote for the better one.
                let worse = heard.round == self.round && better && looking.told.insert(to);
                if !behind && !worse {
                    return;
                }
            }
        } else {
            ballot.round = self.round;
        }
        self.effects.push_back(Effect::Send { to, ballot });
    }

    /// Looks at the configuration of a member for a newer one than the own.
    pub(super) fn read_config(&mut self, from: i64, notification: &Notification<'_>) {
        let known = |config: &Membership| config.role(from).is_some();
        let member = known(self.quorums.committed()) || self.quorums.pending().is_some_and(known);
        let Some(text) = notification.config().filter(|text| *text != self.config) else { return };
        if !member || self.state() != ServerState::Looking {
            return;
        }
        match Membership::parse(text) {
            Ok(membership) if membership.version > self.quorums.committed().version => {
                self.effects.push_back(Effect::SawConfig { from, membership });
            }
            Ok(_) => {}
            Err(error) => self.effects.push_back(Effect::BadConfig { from, error }),
        }
    }

    /// Sees whether those that made this server the leader stand by it.
    pub(super) fn doubt(&mut self, from: i64, heard: &Ballot) {
        let Phase::Settled(settled) = &mut self.phase else { return };
        let Some(support) = &mut settled.support else { return };
        let looks = heard.state == ServerState::Looking && heard.round >= settled.round;
        if !looks || heard.vote.leader == self.me || !support.remove(&from) {
            return;
        }
        if !self.quorums.is_quorum(|sid| support.contains(&sid)) {
            settled.support = None;
            self.effects.push_back(Effect::Withdrawn);
        }
    }
}
