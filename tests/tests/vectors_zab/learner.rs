//! The leader's side of a capture, played to our learner: a process with a disk in memory that writes at once.

use crate::capture::{Captured, Down, TREE, receive, record, txn_of};
use quorate_engine::tree::{Tree, TreeReceiver};
use quorate_engine::zab::learner::{Follower, Observer};
use quorate_engine::zab::message::LearnerKind;
use quorate_engine::zab::{
    Durable, Entry, Epoch, History, LearnerEffect, Sid, ToLeader, ToLearner, ZabConfig,
};
use quorate_wire::txn::{CreateBody, Txn, TxnHeader, TxnRecord};
use quorate_wire::{AclList, Zxid};
use std::collections::VecDeque;

/// A learner, and what it has done.
pub(crate) struct Machine {
    role: Role,
    /// What its log holds, behind `base`.
    log: Vec<Entry>,
    base: Zxid,
    pub(crate) tree: Tree,
    receiver: Option<TreeReceiver>,
    /// What it has sent.
    pub(crate) said: Vec<ToLeader>,
    /// Digests of transactions that its tree was compared with.
    pub(crate) compared: usize,
    /// Syncs and questions about sessions that were answered; reconfigurations that took effect.
    pub(crate) answers: (usize, usize),
    pub(crate) activated: Vec<(Zxid, Sid)>,
    pub(crate) serves: Option<Epoch>,
}

enum Role {
    Following(Box<Follower>),
    Observing(Box<Observer>),
}

macro_rules! role {
    ($of:expr, $role:ident => $do:expr) => {
        match &mut $of.role {
            Role::Following($role) => $do,
            Role::Observing($role) => $do,
        }
    };
}

/// What has reached the disk.
enum Written {
    Accepted(Epoch),
    Current(Epoch),
    Log(Zxid),
    Cut,
    Tree,
}

/// Plays a capture to a learner that has what the captured one had.
pub(crate) fn play(captured: &Captured) -> Machine {
    let mut machine = Machine::like(captured);
    machine.carry_out();
    let pings = captured.up.iter().filter(|said| matches!(said, ToLeader::Ping(..)));
    let asked = |said: &&ToLeader| match said {
        ToLeader::Request(request) => request.is_sync(),
        said => matches!(said, ToLeader::Revalidate { .. }),
    };
    let (mut pings, mut asked) = (pings, captured.up.iter().filter(asked));
    for down in &captured.down {
        match down {
            Down::Tree(bytes) => {
                machine.receiver = Some(receive(bytes).0);
                role!(machine, role => role.tree_received());
            }
            Down::Message(message) => {
                match message {
                    ToLearner::Ping(_) => {
                        if let Some(ToLeader::Ping(_, touched)) = pings.next() {
                            touched.iter().for_each(|&(s, t)| role!(machine, r => r.touch(s, t)));
                        }
                    }
                    ToLearner::Sync | ToLearner::Revalidate { .. } => {
                        machine.ask(asked.next().expect("an answer to something"));
                    }
                    message => {
                        let request = txn_of(message).and_then(|txn| captured.request_for(txn));
                        request
                            .into_iter()
                            .for_each(|r| machine.ask(&ToLeader::Request(r.clone())));
                    }
                }
                role!(machine, role => {
                    assert!(!role.is_busy(), "{}: it reads while it writes", captured.name);
                    role.received(message.clone(), 0);
                });
            }
        }
        machine.carry_out();
    }
    machine
}

impl Machine {
    fn like(captured: &Captured) -> Self {
        let Some(ToLeader::Info { sid, kind, accepted, config, .. }) = captured.up.first() else {
            panic!("{} has no beginning", captured.name);
        };
        let (current, last) = captured.had();
        let mut log: Vec<Entry> = captured.before.range(..=last).map(|(_, e)| e.clone()).collect();
        if last.counter() != 0 && log.last().map(Entry::zxid) != Some(last) {
            log.push(of_its_own(last));
        }
        let durable = Durable {
            accepted_epoch: *accepted,
            current_epoch: current.unwrap_or(*accepted),
            history: history(Zxid::ZERO, &log),
            wants_tree: None,
            config_version: *config,
        };
        let rules = config_of(*sid);
        let role = match kind {
            LearnerKind::Follower => Role::Following(Box::new(Follower::new(rules, durable, 0))),
            LearnerKind::Observer => Role::Observing(Box::new(Observer::new(rules, durable, 0))),
        };
        let mut machine = Self {
            role,
            log,
            base: Zxid::ZERO,
            tree: Tree::new(TREE),
            receiver: None,
            said: Vec::new(),
            compared: 0,
            answers: (0, 0),
            activated: Vec::new(),
            serves: None,
        };
        machine.apply(last);
        machine.compared = 0;
        machine
    }

    fn ask(&mut self, message: &ToLeader) {
        role!(self, role => {
            assert!(role.is_serving(), "who does not serve has no clients");
            role.ask(message.clone());
        });
        self.carry_out();
    }

    fn carry_out(&mut self) {
        loop {
            let effects: VecDeque<LearnerEffect> = role!(self, role => role.effects().collect());
            if effects.is_empty() {
                return;
            }
            let written: Vec<Written> =
                effects.into_iter().filter_map(|effect| self.carry(effect)).collect();
            for written in written {
                match written {
                    Written::Accepted(epoch) => role!(self, role => role.accepted_written(epoch)),
                    Written::Current(epoch) => role!(self, role => role.current_written(epoch)),
                    Written::Log(zxid) => role!(self, role => role.logged(zxid)),
                    Written::Tree => role!(self, role => role.tree_installed()),
                    Written::Cut => {
                        let history = history(self.base, &self.log);
                        role!(self, role => role.truncated(Some(history)));
                    }
                }
            }
        }
    }

    fn carry(&mut self, effect: LearnerEffect) -> Option<Written> {
        match effect {
            LearnerEffect::Send(message) => self.said.push(message),
            LearnerEffect::WriteAccepted(epoch) => return Some(Written::Accepted(epoch)),
            LearnerEffect::WriteCurrent(epoch) => return Some(Written::Current(epoch)),
            LearnerEffect::Truncate(zxid) => {
                self.log.retain(|entry| entry.zxid() <= zxid);
                self.tree = Tree::new(TREE);
                self.apply(zxid);
                return Some(Written::Cut);
            }
            LearnerEffect::ReceiveTree => {}
            LearnerEffect::InstallTree(zxid) => {
                let receiver = self.receiver.take().expect("a tree has come");
                self.tree = receiver.finish(zxid).expect("a whole tree");
                self.log.clear();
                self.base = zxid;
                return Some(Written::Tree);
            }
            LearnerEffect::Append(entries) => {
                self.log.extend(entries);
                return self.log.last().map(|entry| Written::Log(entry.zxid()));
            }
            LearnerEffect::Committed(zxid) => self.apply(zxid),
            LearnerEffect::Activate(membership, zxid, leader) => {
                assert_eq!(membership.version, zxid.0, "the transaction's configuration");
                self.activated.push((zxid, leader));
            }
            LearnerEffect::SawConfig(_)
            | LearnerEffect::LeaderConfig(_)
            | LearnerEffect::Adopt(_) => {}
            LearnerEffect::Serve(epoch) => self.serves = Some(epoch),
            LearnerEffect::Synced => self.answers.0 += 1,
            LearnerEffect::Revalidated(..) => self.answers.1 += 1,
            LearnerEffect::Leave(why) => panic!("it leaves: {why}"),
        }
        None
    }

    /// Applies what the log holds and the tree does not, as far as this.
    fn apply(&mut self, upto: Zxid) {
        let from = self.tree.last_zxid();
        for entry in self.log.iter().filter(|e| e.zxid() > from && e.zxid() <= upto) {
            let record = record(entry);
            self.tree.apply(&record, &mut ());
            if let Some(digest) = record.digest {
                assert_eq!(self.tree.digest(), digest.tree, "after {:?}", record.header);
                self.compared += 1;
            }
        }
    }

    /// The history as it is at the end: where the log begins, and what it holds.
    pub(crate) fn log(&self) -> (Zxid, &[Entry]) {
        (self.base, &self.log)
    }
}

pub(crate) fn history(base: Zxid, entries: &[Entry]) -> History {
    let mut history = History::after(base);
    entries.iter().for_each(|entry| history.push(entry.clone()));
    history
}

/// Nobody is late where time stands still.
pub(crate) fn config_of(me: Sid) -> ZabConfig {
    ZabConfig {
        me,
        tick: 2_000,
        init_limit: 20_000,
        sync_limit: 10_000_000,
        ping_interval: 1_000,
        beat: None,
        history_bytes: 1 << 20,
        log_sync: true,
        reconfig: false,
        mistakes: quorate_engine::zab::Mistakes::NONE,
    }
}

/// A transaction that this server alone has: what it was is not in the capture.
fn of_its_own(zxid: Zxid) -> Entry {
    let header = TxnHeader { client_id: 1, cxid: 1, zxid, time: 1, kind: 1 };
    let txn = Txn::Create(CreateBody {
        path: "/alone".into(),
        data: None,
        acl: AclList::OPEN,
        ephemeral: false,
        parent_cversion: Some(1),
    });
    let record = TxnRecord { header: TxnHeader { kind: txn.kind(), ..header }, txn, digest: None };
    let mut payload = Vec::new();
    quorate_wire::jute::Jute::write(&record, &mut payload);
    Entry::from_payload(zxid, &payload)
}
