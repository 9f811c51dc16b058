//! A server that looks for a leader: what it has heard, and what follows from it.

use super::order::{agree, beats};
use super::{Election, History, NO_VOTE, Options, Phase};
use quorate_wire::quorum::{Ballot, ServerState, Vote};
use std::collections::{BTreeMap, BTreeSet};

/// One election.
#[derive(Clone, Debug)]
pub(super) struct Looking {
    /// The vote that this server begins each round with.
    own: Vote,
    /// The best vote of this round.
    pub(super) proposal: Vote,
    /// The last word of each voter in this round, its own included.
    pub(super) received: BTreeMap<i64, Ballot>,
    /// The last word of each voter that follows or leads, of whatever round.
    pub(super) elsewhere: BTreeMap<i64, Ballot>,
    /// The observers that were told the proposal since it was last told to all.
    pub(super) told: BTreeSet<i64>,
    /// When the vote is repeated, ms.
    pub(super) repeat_at: i64,
    /// The pause after that, ms.
    pub(super) interval: i64,
    /// When the proposal is taken for the result, ms, unless something better comes: a quorum has voted for it.
    pub(super) ripe_at: Option<i64>,
}

impl Looking {
    pub(super) const fn new(own: Vote, options: &Options) -> Self {
        Self {
            own,
            proposal: own,
            received: BTreeMap::new(),
            elsewhere: BTreeMap::new(),
            told: BTreeSet::new(),
            repeat_at: 0,
            interval: options.min_interval,
            ripe_at: None,
        }
    }
}

impl Election {
    /// Whether this server's vote counts.
    fn votes(&self) -> bool {
        self.quorums.is_voter(self.me) && self.history.zxid != History::UNTRUSTED
    }

    /// Whether a vote is better than another one. Servers of weight 0 may not lead, so any vote is better than one for them.
    pub(super) fn is_better(&self, new: &Vote, current: &Vote) -> bool {
        self.quorums.may_lead(new.leader)
            && (!self.quorums.may_lead(current.leader) || beats(new, current))
    }

    /// Takes a word of a voter into account.
    pub(super) fn count(&mut self, now: i64, from: i64, ballot: Ballot) {
        if let (ServerState::Looking, Phase::Looking(looking)) = (ballot.state, &mut self.phase) {
            // Whatever leader it had, it has none now.
            looking.elsewhere.remove(&from);
        }
        if ballot.vote == NO_VOTE && ballot.state == ServerState::Looking {
            return self.catch_up(now, ballot.round);
        }
        if !self.quorums.is_voter(ballot.vote.leader) {
            return;
        }
        match ballot.state {
            ServerState::Looking => self.count_vote(now, from, ballot),
            ServerState::Following | ServerState::Leading => self.count_result(now, from, ballot),
            ServerState::Observing => {}
        }
    }

    /// A voter does not know that it has a vote, and so cannot say whom it backs. But if it is in a later round, it does not listen to votes of this one.
    fn catch_up(&mut self, now: i64, round: i64) {
        let Phase::Looking(looking) = &mut self.phase else { return };
        if round <= self.round || round > LAST_ROUND {
            return;
        }
        self.round = round;
        looking.received.clear();
        looking.proposal = looking.own;
        looking.ripe_at = None;
        looking.interval = self.options.min_interval;
        self.repeat(now);
        self.weigh(now);
    }

    /// Takes a vote of a server that looks for a leader too.
    fn count_vote(&mut self, now: i64, from: i64, ballot: Ballot) {
        let untrusted = [ballot.vote.zxid, self.history.zxid].contains(&History::UNTRUSTED);
        if untrusted || ballot.round < self.round || ballot.round > LAST_ROUND {
            return;
        }
        let Phase::Looking(looking) = &self.phase else { return };
        let new_round = ballot.round > self.round;
        let best = if new_round { looking.own } else { looking.proposal };
        let better = self.is_better(&ballot.vote, &best);
        let Phase::Looking(looking) = &mut self.phase else { return };
        if new_round {
            self.round = ballot.round;
            looking.received.clear();
        }
        looking.received.insert(from, ballot);
        // Also without a vote: a reconfiguration may have given it one, of which it has not heard.
        if new_round || better {
            looking.proposal = if better { ballot.vote } else { best };
            looking.ripe_at = None;
            looking.interval = self.options.min_interval;
            self.repeat(now);
        }
        self.weigh(now);
    }

    /// Takes the word of a server that has a leader: of this round, or of an ensemble that has been there before.
    fn count_result(&mut self, now: i64, from: i64, ballot: Ballot) {
        let this_round = ballot.round == self.round;
        let Phase::Looking(looking) = &mut self.phase else { return };
        if this_round {
            // As in Apache the version is not kept: within one round the leader alone decides, whether or not it is established yet.
            looking.received.insert(from, Ballot { version: 0, ..ballot });
        }
        looking.elsewhere.insert(from, ballot);
        let Phase::Looking(looking) = &self.phase else { return };
        let result = this_round && self.is_result(&looking.received, &ballot);
        if result || self.is_result(&looking.elsewhere, &ballot) {
            self.settle(ballot.vote, ballot.round);
        } else {
            self.weigh(now);
        }
    }

    /// Whether a quorum has the leader of `ballot`, and the leader says so itself: a leader that has crashed still has followers for a
    /// while. This server takes the word of others for its own leadership only if they speak of the present round.
    fn is_result(&self, heard: &BTreeMap<i64, Ballot>, ballot: &Ballot) -> bool {
        let leader = ballot.vote.leader;
        let leads = if leader == self.me {
            ballot.round == self.round
        } else {
            heard.get(&leader).is_some_and(|word| word.state == ServerState::Leading)
        };
        leads
            && self.quorums.is_quorum(|sid| heard.get(&sid).is_some_and(|word| agree(word, ballot)))
    }

    /// Tells everybody the vote, and again after a pause that doubles.
    pub(super) fn repeat(&mut self, now: i64) {
        let Phase::Looking(looking) = &mut self.phase else { return };
        looking.told.clear();
        looking.repeat_at = now.saturating_add(looking.interval);
        looking.interval = looking.interval.saturating_mul(2).min(self.options.max_interval);
        self.broadcast();
    }

    /// Looks whether the election can end now, or when.
    pub(super) fn weigh(&mut self, now: i64) {
        let (votes, own) = (self.votes(), self.ballot());
        let Phase::Looking(looking) = &mut self.phase else { return };
        // A voter of a proposed configuration alone knows of no vote at first, and then has none itself.
        if !votes || own.vote == NO_VOTE {
            return;
        }
        looking.received.insert(self.me, own);
        // Who has this leader since this round backs it, also if its epoch is established by now.
        let backs = |word: &Ballot| {
            let settled = word.state != ServerState::Looking;
            agree(word, &own) || (settled && word.vote.leader == own.vote.leader)
        };
        let backs = |sid| looking.received.get(&sid).is_some_and(backs);
        if self.quorums.is_quorum(backs) {
            let grace = if own.vote.leader == self.me { 0 } else { GRACE };
            let ripe_at = now.saturating_add(self.options.finalize_wait).saturating_add(grace);
            looking.ripe_at = looking.ripe_at.or(Some(ripe_at));
        } else {
            looking.ripe_at = None;
        }
        if self.is_certain() {
            self.settle(own.vote, self.round);
        }
    }

    /// Whether a proposal that a quorum votes for need not be waited for; see the documentation of the module.
    fn is_certain(&self) -> bool {
        let Phase::Looking(looking) = &self.phase else { return false };
        let leader = looking.proposal.leader;
        let word = |sid| looking.received.get(&sid);
        let knows_of_no_other =
            |ballot: &Ballot| ballot.state == ServerState::Looking || ballot.vote.leader == leader;
        let cannot_beat = |sid| {
            !self.quorums.may_lead(sid)
                || self.unreachable.contains(&sid)
                || word(sid).is_some_and(knows_of_no_other)
        };
        let leads =
            |ballot: &Ballot| ballot.state == ServerState::Leading && ballot.vote.leader == leader;
        let sure = if leader == self.me {
            self.quorums.voters().all(cannot_beat)
        } else {
            word(leader).is_some_and(leads)
        };
        looking.ripe_at.is_some() && sure
    }

    /// The voters that have voted for `vote` in this round.
    pub(super) fn supporters(&self, vote: Vote) -> BTreeSet<i64> {
        let Phase::Looking(looking) = &self.phase else { return BTreeSet::new() };
        let backs =
            |(&sid, word): (&i64, &Ballot)| (word.vote.leader == vote.leader).then_some(sid);
        looking.received.iter().filter_map(backs).collect()
    }
}

/// How much longer than the leader itself its voters wait, ms: they would find its port closed.
const GRACE: i64 = 50;

/// No process gets to a later round. One that is said to be there would be the last one of the whole ensemble.
pub(super) const LAST_ROUND: i64 = 1 << 62;
