//! What a server owes to others that look for a leader, and what it learns from them while it leads.

use super::{Effect, Election, History, Phase};
use quorate_wire::quorum::membership::Membership;
use quorate_wire::quorum::{Ballot, Notification, ServerState};

impl Election {
    /// Answers a server that looks for a leader: always if this one has a leader, and otherwise if the asker can learn something. Nobody else
    /// gets an answer, so that no two servers can keep each other talking.
    pub(super) fn answer(&mut self, to: i64, heard: &Ballot) {
        let settled = matches!(self.phase, Phase::Settled(_));
        if heard.state == ServerState::Looking && (settled || self.can_learn(to, heard)) {
            let mut ballot = self.ballot();
            if !self.quorums.is_voter(to) {
                ballot.round = self.round;
            }
            self.effects.push_back(Effect::Send { to, ballot });
        }
    }

    /// Whether a server that looks for a leader, as this one does, can learn something from its vote.
    fn can_learn(&mut self, sid: i64, heard: &Ballot) -> bool {
        let own = self.ballot();
        if !self.quorums.is_voter(self.me) {
            return false;
        }
        if !self.quorums.is_voter(sid) {
            // Observers wait for a result; it does no harm to tell them now and then that there is none.
            let member = self.is_member(sid);
            let Phase::Looking(looking) = &mut self.phase else { return false };
            return member && looking.told.insert(sid);
        }
        let Phase::Looking(looking) = &self.phase else { return false };
        let untrusted = [heard.vote.zxid, own.vote.zxid].contains(&History::UNTRUSTED);
        if heard.round != own.round || untrusted {
            return heard.round < own.round;
        }
        // It may have begun after this vote was sent. A better vote will be told to all anyhow, and a repeated one was answered.
        let before = looking.received.get(&sid);
        let new = before.is_none_or(|before| before != heard && heard.vote != own.vote);
        new && !self.is_better(&heard.vote, &own.vote)
    }

    fn is_member(&self, sid: i64) -> bool {
        let known = |config: &Membership| config.role(sid).is_some();
        known(self.quorums.committed()) || self.quorums.pending().is_some_and(known)
    }

    /// Looks at the configuration of a member for a newer one than the own.
    pub(super) fn read_config(&mut self, from: i64, notification: &Notification<'_>) {
        let Some(text) = notification.config().filter(|text| *text != self.config) else { return };
        if !self.is_member(from) || self.state() != ServerState::Looking {
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
