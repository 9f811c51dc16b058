//! A learner's own history: what it has been sent, what is on its disk, what is committed.

use super::patience::Patience;
use crate::zab::{
    Durable, Entry, Epoch, History, LearnerEffect, Leaving, Mistake, Sid, ToLeader, ZabConfig,
};
use quorate_wire::Zxid;
use quorate_wire::quorum::Membership;
use std::collections::VecDeque;

/// Invariant: `applied <= logged <= history.last()`, and `acked <= logged`.
#[derive(Debug)]
pub(super) struct Local {
    pub(super) config: ZabConfig,
    /// The epoch of the connection; 0 until the leader has said it.
    pub(super) epoch: Epoch,
    pub(super) accepted: Epoch,
    pub(super) current: Epoch,
    pub(super) wants_tree: Option<Epoch>,
    pub(super) history: History,
    pub(super) logged: Zxid,
    /// The last COMMIT.
    pub(super) committed: Zxid,
    applied: Zxid,
    /// What was applied when the effects were last taken: it is not needed here any more.
    carried_out: Zxid,
    acked: Zxid,
    /// Syncs that the leader has answered, and what was committed then: their clients must see it.
    syncs: VecDeque<Zxid>,
    /// Reconfigurations that are committed and not applied, and who should lead under them.
    activations: VecDeque<(Membership, Zxid, Sid)>,
    /// Received, and not yet given to the log.
    unlogged: Vec<Entry>,
    /// Whether what is received waits for the log (only on purpose, see [`Mistake`]).
    holding: bool,
    pub(super) heard: i64,
    pub(super) patience: Patience,
    pub(super) left: bool,
    pub(super) out: Vec<LearnerEffect>,
}

impl Local {
    pub(super) fn new(config: ZabConfig, durable: Durable, now: i64) -> Self {
        let Durable { accepted_epoch, current_epoch, history, wants_tree, .. } = durable.settled();
        let last = history.last();
        Self {
            config,
            epoch: 0,
            accepted: accepted_epoch,
            current: current_epoch,
            wants_tree,
            history,
            logged: last,
            committed: last,
            applied: last,
            carried_out: last,
            acked: last,
            syncs: VecDeque::new(),
            activations: VecDeque::new(),
            unlogged: Vec::new(),
            holding: false,
            heard: now,
            patience: Patience::default(),
            left: false,
            out: Vec::new(),
        }
    }

    pub(super) fn makes(&self, mistake: Mistake) -> bool {
        self.config.mistakes.make(mistake)
    }

    pub(super) fn send(&mut self, message: ToLeader) {
        self.out.push(LearnerEffect::Send(message));
    }

    pub(super) fn leave(&mut self, why: Leaving) {
        if !self.left {
            self.left = true;
            self.unlogged.clear();
            self.out.push(LearnerEffect::Leave(why));
        }
    }

    /// The history is this one: everything that it holds is on the disk and applied, and committed as far as its leader says.
    pub(super) fn begin_at(&mut self, history: History) {
        let last = history.last();
        self.history = history;
        (self.logged, self.committed, self.applied, self.acked) = (last, last, last, last);
        self.carried_out = last;
    }

    /// The next transaction. It must follow the one before, or be the first of a later epoch, but not later than the leader's.
    pub(super) fn take(&mut self, entry: Entry) -> bool {
        let (zxid, last) = (entry.zxid(), self.history.last());
        let next = zxid == last.next() && zxid.counter() != 0;
        let first = zxid.epoch() > last.epoch() && zxid.counter() == 1;
        if !next && !first {
            self.leave(Leaving::Gap { got: zxid, after: last });
            return false;
        }
        if zxid.epoch() > self.epoch {
            self.leave(Leaving::OtherEpoch { theirs: zxid.epoch(), ours: self.epoch });
            return false;
        }
        self.out.extend(entry.membership().map(LearnerEffect::SawConfig));
        self.history.push(entry.clone());
        self.unlogged.push(entry);
        true
    }

    /// The next proposal is committed.
    pub(super) fn commit(&mut self, zxid: Zxid) {
        let next = self.history.since(self.committed).next().map(Entry::zxid);
        if next != Some(zxid) {
            return self.leave(Leaving::Protocol("it commits what is not the next proposal"));
        }
        self.committed = zxid;
        self.apply();
    }

    /// The next proposal is committed: a reconfiguration that takes effect with it.
    pub(super) fn activate(&mut self, zxid: Zxid, leader: Sid) {
        let proposed = self.history.since(self.committed).next().and_then(Entry::membership);
        match proposed {
            Some(membership) => self.activations.push_back((membership, zxid, leader)),
            None => return self.leave(Leaving::Protocol("it activates what is no configuration")),
        }
        self.commit(zxid);
    }

    /// The leader's last configuration, or what it has proposed since. That may have been acknowledged on an earlier connection, so what is
    /// written down of it must not be gone even for a moment.
    pub(super) fn follow_config(&mut self, membership: Membership) {
        let proposed = self.history.since(self.committed).filter_map(Entry::membership).last();
        self.out.push(LearnerEffect::LeaderConfig(proposed.unwrap_or(membership)));
    }

    /// Applies what is committed and logged, and answers every sync between what came before it and what came after.
    pub(super) fn apply(&mut self) {
        let upto = self.committed.min(self.logged);
        while let Some(seen) = self.syncs.pop_front_if(|seen| *seen <= upto) {
            self.apply_to(seen);
            self.out.push(LearnerEffect::Synced);
        }
        self.apply_to(upto);
    }

    fn apply_to(&mut self, upto: Zxid) {
        if upto > self.applied {
            self.applied = upto;
            self.out.push(LearnerEffect::Committed(upto));
        }
        while let Some((membership, zxid, leader)) =
            self.activations.pop_front_if(|(_, zxid, _)| *zxid <= upto)
        {
            self.out.push(LearnerEffect::Activate(membership, zxid, leader));
        }
    }

    /// The leader has answered a sync: it is done when everything that came before is applied here.
    pub(super) fn synced(&mut self) {
        self.syncs.push_back(self.committed);
        self.apply();
    }

    /// Proposals up to here need no acknowledgement of their own.
    pub(super) fn acknowledged_with_epoch(&mut self) {
        self.acked = self.committed;
    }

    /// Acknowledges what is on the disk, each proposal for itself, as Apache's leaders count them.
    pub(super) fn acknowledge(&mut self) {
        let due = self.history.since(self.acked).map(Entry::zxid);
        let due: Vec<Zxid> = due.take_while(|&zxid| zxid <= self.logged).collect();
        for zxid in due {
            self.acked = zxid;
            self.send(ToLeader::Ack(zxid));
        }
    }

    /// On purpose: keeps what is received from the log, or gives it up to it.
    pub(super) fn hold(&mut self, holding: bool) {
        self.holding = holding;
    }

    /// On purpose: takes what is in memory only for logged.
    pub(super) fn pretend_logged(&mut self) {
        self.unlogged.clear();
        self.logged = self.history.last();
        self.apply();
    }

    /// On purpose: forgets proposals that wait for their commit.
    pub(super) fn drop_uncommitted(&mut self) {
        let kept: Vec<Entry> = self.history.since(self.history.base()).cloned().collect();
        let mut history = History::after(self.history.base());
        for entry in kept.into_iter().filter(|entry| entry.zxid() <= self.committed) {
            history.push(entry);
        }
        self.history = history;
        self.unlogged.retain(|entry| entry.zxid() <= self.committed);
    }

    /// Everything that is to be done, with what was received for the log in one piece.
    pub(super) fn effects(&mut self) -> std::vec::Drain<'_, LearnerEffect> {
        let carried_out = std::mem::replace(&mut self.carried_out, self.applied);
        self.history.shrink(self.config.history_bytes, carried_out);
        if !self.unlogged.is_empty() && !self.holding {
            let entries = std::mem::take(&mut self.unlogged);
            self.out.push(LearnerEffect::Append(entries));
        }
        self.out.drain(..)
    }
}
