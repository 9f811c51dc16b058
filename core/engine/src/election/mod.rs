//! Fast leader election: votes in, notifications out, and in the end a leader.
//!
//! [`Election`] is one server's part in it, from the start of the process to its end: its owner tells it when the server loses its leader
//! ([`Election::start`]), hands over every notification and the passing of time, and takes [`Effect`]s. Between elections it goes on answering
//! the servers that look for a leader. [`links`] is the way of the notifications, and tells who is out of reach. Source: `org.apache.zookeeper.server.quorum.FastLeaderElection`, and what is known of its faults.
//!
//! **Architecture Invariant:** nothing here is needed for safety. Whoever is elected must still be accepted by a quorum in the discovery that
//! follows, which no server joins under an epoch that it has left behind, and in which a leader does not count servers that have
//! seen more than itself. A wrong result of an election, from stale, lost or forged notifications, costs time and nothing else.
//!
//! **Architecture Invariant:** memory is bounded by the configuration: only what voters say about voters is kept, the last word of
//! each. Everybody else gets an answer and is forgotten.
//!
//! # When an election ends
//!
//! A quorum that votes for one proposal is enough to lead. Apache then lets 200 ms pass, in which a better vote may turn up: if a member of the quorum
//! changed its mind after another has begun to follow, that one would knock at a server that does not lead, until it gives up. So the
//! wait only makes it likelier that a quorum ends with the same result. It need not be waited for where that is known:
//!
//! * *The proposed leader* ends at once when nobody is left who could beat it: every voter that may lead has been heard in this
//!   round, in which its vote is at least its own history, or is known to be out of reach ([`Election::unreachable`]: the connection was refused, as it is when a
//!   process has died; or it was this server's leader, and was given up because it was silent). What is heard is no better than the proposal, which is the best of
//!   all; so the others will come to it, if they have not yet. Servers of weight 0 need not be waited for.
//! * *The others* end at once when the proposed leader says that it leads. It does so unasked as soon as it knows, to all voters; an Apache
//!   server understands this too, while it collects votes. Without that word, as from Apache's, they
//!   wait a little longer than the leader itself: earlier they would only find a closed port.
//! * Somebody may be out of reach for the leader and not for its voters. If one of them then votes for a better one in the same round or in
//!   a later one, so that the rest is no quorum, the leader is told ([`Effect::Withdrawn`]) and need not wait in vain for its followers.
//!
//! So a leader that dies or falls silent is followed by the next one after two messages each way, and one that is cut off from some of its voters after
//! the wait.
//!
//! # Where it differs from Apache
//!
//! * The round (Apache's `logicalclock`) never goes back within a process, also when the configuration changes.
//! * A server that looks for a leader answers the first vote that it hears of another one in a round, unless that is better. Otherwise a server
//!   that loses its leader a moment after the others would learn their votes only when these are repeated, 200 ms later.
//! * The pause between repetitions ends at one second, not at 60, unless the options say so. It is not prolonged by what comes in.
//! * A server without a vote backs the best vote that it hears, as Apache's do: some voter may have logged a configuration in which it has one, and
//!   lead only with it. It counts no votes itself, but waits until a quorum has a leader, and the leader says so.
//! * Servers without a vote are answered while they look for a leader; other messages of theirs call for none. A server that looks for a leader itself
//!   has no answer for strangers, and one for observers each time it repeats its vote. (An Apache observer and a voter of an earlier round answer each
//!   other without end.)
//! * A server that looks for a leader again is no witness any more for the one that it had.
//! * Configurations are taken from members only, so that a foreign ensemble cannot impose its own.

mod answer;
mod effect;
pub mod links;
mod looking;
mod order;
#[cfg(test)]
mod tests;

pub use effect::Effect;
pub use order::{agree, beats};

use looking::{LAST_ROUND, Looking};
use quorate_wire::Zxid;
use quorate_wire::quorum::membership::{Membership, Role};
use quorate_wire::quorum::{Ballot, Notification, ServerState, Vote};
use std::collections::{BTreeSet, VecDeque};

use crate::quorum::Quorums;

/// Times of an election, ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// The pause before votes are repeated for the first time; it doubles each time. `fastleader.minNotificationInterval`.
    pub min_interval: i64,
    /// The longest such pause. `fastleader.maxNotificationInterval`.
    pub max_interval: i64,
    /// How long a better vote is waited for when a quorum agrees. Apache's `finalizeWait`, which cannot be set there.
    pub finalize_wait: i64,
}

impl Default for Options {
    fn default() -> Self {
        Self { min_interval: 200, max_interval: 1000, finalize_wait: 200 }
    }
}

/// What a server has logged, on which its vote is based.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct History {
    /// The last zxid of the log. -1: the data directory cannot be trusted, so the server does not vote.
    pub zxid: Zxid,
    /// The epoch whose history that is (`currentEpoch`).
    pub epoch: i64,
}

impl History {
    /// That of a server whose data directory cannot be trusted.
    pub const UNTRUSTED: Zxid = Zxid(-1);
}

/// One server's part in all its elections.
#[derive(Clone, Debug)]
pub struct Election {
    me: i64,
    options: Options,
    quorums: Quorums,
    /// The committed configuration as others get it.
    config: String,
    history: History,
    /// The number of the last election that this server took part in.
    round: i64,
    phase: Phase,
    /// Voters that could not be reached when that was last tried.
    unreachable: BTreeSet<i64>,
    effects: VecDeque<Effect>,
}

#[derive(Clone, Debug)]
enum Phase {
    /// Nothing has been started.
    Idle,
    Looking(Looking),
    Settled(Settled),
}

/// Who leads, as the last election or a reconfiguration has it.
#[derive(Clone, Debug)]
struct Settled {
    state: ServerState,
    vote: Vote,
    round: i64,
    /// The voters that made this server the leader, until some of them have changed their minds.
    support: Option<BTreeSet<i64>>,
}

impl Election {
    /// Server `me`, before its first election.
    #[must_use]
    pub fn new(me: i64, quorums: Quorums, options: Options) -> Self {
        Self {
            me,
            options,
            config: quorums.committed().to_string(),
            quorums,
            history: History { zxid: Zxid::ZERO, epoch: 0 },
            round: 0,
            phase: Phase::Idle,
            unreachable: BTreeSet::new(),
            effects: VecDeque::new(),
        }
    }

    /// Looks for a leader, from now (ms) on: the server has just started, or has left its role and rebuilt its state from disk.
    pub fn start(&mut self, now: i64, history: History) {
        self.history = history;
        self.look(now);
    }

    /// Takes part in nothing and tells nobody anything until the next [`Self::start`]: the role has ended, and this server does not look
    /// for a leader yet. By what it said before, others would take it for one that has a leader, or is one.
    pub fn rest(&mut self) {
        self.phase = Phase::Idle;
    }

    /// Takes a notification from another server, at `now` (ms).
    pub fn receive(&mut self, now: i64, from: i64, notification: &Notification<'_>) {
        if from == self.me || matches!(self.phase, Phase::Idle) {
            return;
        }
        self.unreachable.remove(&from);
        self.read_config(from, notification);
        self.answer(from, &notification.ballot);
        if !self.quorums.is_voter(from) {
            return;
        }
        match &self.phase {
            Phase::Looking(_) => self.count(now, from, notification.ballot),
            Phase::Settled(_) => self.doubt(from, &notification.ballot),
            Phase::Idle => {}
        }
    }

    /// Tells that `now` (ms) has come. To be called at [`Self::next_deadline`] at the latest; earlier calls do no harm.
    pub fn tick(&mut self, now: i64) {
        let Phase::Looking(looking) = &mut self.phase else { return };
        if looking.ripe_at.is_some_and(|at| at <= now) {
            let (vote, round) = (looking.proposal, self.round);
            self.settle(vote, round);
        } else if looking.repeat_at <= now {
            self.repeat(now);
        }
    }

    /// When [`Self::tick`] has something to do, ms; nothing between elections.
    #[must_use]
    pub fn next_deadline(&self) -> Option<i64> {
        match &self.phase {
            Phase::Looking(looking) => {
                Some(looking.ripe_at.unwrap_or(i64::MAX).min(looking.repeat_at))
            }
            Phase::Idle | Phase::Settled(_) => None,
        }
    }

    /// The next thing to do; in order.
    pub fn next_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// Tells that a server could not be reached: its host refused the connection, or there is no way to it, or nothing was heard of it though
    /// it should have been. An election may then end without it. The loss of a connection is not enough. Holds until the server is heard or reached.
    pub fn unreachable(&mut self, now: i64, sid: i64) {
        if sid != self.me && self.quorums.is_voter(sid) && self.unreachable.insert(sid) {
            self.weigh(now);
        }
    }

    /// Tells that there is a connection to a server again.
    pub fn reachable(&mut self, sid: i64) {
        self.unreachable.remove(&sid);
    }

    /// Tells that this server's role began: the synchronisation with the leader is over, and `epoch` is the established one. Servers
    /// that look for a leader are told this epoch from now on.
    pub fn established(&mut self, epoch: i64) {
        if let Phase::Settled(settled) = &mut self.phase {
            settled.vote.epoch = epoch;
            settled.support = None;
        }
    }

    /// Takes a role without an election, as a reconfiguration with a suggested leader orders. The zxid of `vote` is that of the
    /// reconfiguration.
    pub fn assume(&mut self, state: ServerState, vote: Vote) {
        self.phase = Phase::Settled(Settled { state, vote, round: NO_ROUND, support: None });
    }

    /// Takes note of the newest configuration that was proposed, and is logged. If this one is not newer than the committed one, none is
    /// proposed any more.
    pub fn see(&mut self, now: i64, membership: Membership) {
        self.quorums.follow(membership);
        self.review(now, false);
    }

    /// Goes by a newer committed configuration. An election under way begins anew if the members are others now.
    pub fn commit(&mut self, now: i64, membership: Membership) {
        let changed = !self.quorums.committed().same_members(&membership);
        if self.quorums.commit(membership) {
            self.config = self.quorums.committed().to_string();
            self.review(now, changed);
        }
    }

    /// What this server does.
    #[must_use]
    pub const fn state(&self) -> ServerState {
        match &self.phase {
            Phase::Idle | Phase::Looking(_) => ServerState::Looking,
            Phase::Settled(settled) => settled.state,
        }
    }

    /// The number of the last election that this server took part in. Never goes back.
    #[must_use]
    pub const fn round(&self) -> i64 {
        self.round
    }

    /// The configurations that it goes by.
    #[must_use]
    pub const fn quorums(&self) -> &Quorums {
        &self.quorums
    }

    /// What this server would say now.
    #[must_use]
    pub const fn ballot(&self) -> Ballot {
        let (vote, round) = match &self.phase {
            Phase::Idle => (NO_VOTE, self.round),
            Phase::Looking(looking) => (looking.proposal, self.round),
            Phase::Settled(settled) => (settled.vote, settled.round),
        };
        Ballot { state: self.state(), vote, round, version: VERSION }
    }

    /// Appends the frame of a ballot to send, with the committed configuration.
    pub fn write_frame(&self, ballot: Ballot, out: &mut Vec<u8>) {
        Notification::new(ballot, &self.config).write_frame(out);
    }

    /// Begins a round.
    fn look(&mut self, now: i64) {
        self.round = self.round.saturating_add(1);
        let own = self.own_vote();
        self.phase = Phase::Looking(Looking::new(own, &self.options));
        self.repeat(now);
        self.weigh(now);
    }

    fn own_vote(&self) -> Vote {
        if self.quorums.committed().is_voter(self.me) {
            Vote { leader: self.me, zxid: self.history.zxid, epoch: self.history.epoch }
        } else {
            NO_VOTE
        }
    }

    /// Ends the election.
    fn settle(&mut self, vote: Vote, round: i64) {
        let state = if vote.leader == self.me {
            ServerState::Leading
        } else if self.quorums.committed().role(self.me) == Some(Role::Observer) {
            ServerState::Observing
        } else {
            ServerState::Following
        };
        let support = (state == ServerState::Leading).then(|| self.supporters(vote));
        if round <= LAST_ROUND {
            self.round = self.round.max(round);
        }
        self.phase = Phase::Settled(Settled { state, vote, round, support });
        if state == ServerState::Leading {
            self.broadcast();
        }
        self.effects.push_back(Effect::Decided { state, leader: vote.leader });
    }

    /// Tells all other voters what this server would say now.
    fn broadcast(&mut self) {
        let (me, ballot) = (self.me, self.ballot());
        let others = self.quorums.voters().filter(|&sid| sid != me);
        self.effects.extend(others.map(|to| Effect::Send { to, ballot }));
    }

    /// Goes by changed configurations: forgets who is no voter any more, and begins anew if need be.
    fn review(&mut self, now: i64, changed: bool) {
        let quorums = &self.quorums;
        self.unreachable.retain(|&sid| quorums.is_voter(sid));
        let Phase::Looking(looking) = &mut self.phase else { return };
        let known = |sid: &i64, ballot: &mut Ballot| {
            quorums.is_voter(*sid) && quorums.is_voter(ballot.vote.leader)
        };
        looking.received.retain(known);
        looking.elsewhere.retain(known);
        looking.told.clear();
        let proposed = looking.proposal != NO_VOTE;
        if changed || (proposed && !quorums.is_voter(looking.proposal.leader)) {
            self.look(now);
        } else {
            self.weigh(now);
        }
    }
}

/// The vote of a server without one.
pub const NO_VOTE: Vote = Vote { leader: i64::MIN, zxid: Zxid(i64::MIN), epoch: i64::MIN };
/// The round of a role that no election gave.
const NO_ROUND: i64 = -1;
/// The version of the notifications that are sent.
const VERSION: i32 = 2;
