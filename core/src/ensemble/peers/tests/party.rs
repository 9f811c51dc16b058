//! An ensemble: a real leader and real learners with disks that have everything at once.

use super::super::{
    LeaderLink, LeaderReport, LeaderSettings, LearnerLinks, LearnerReport, Limits, Loss,
};
use super::stage::{Stage, until};
use super::{LIMITS, TREE};
use crate::ensemble::tls::Security;
use quorate_engine::quorum::Quorums;
use quorate_engine::segment::Segment;
use quorate_engine::tree::{Tree, TreeReceiver};
use quorate_engine::zab::leader::Leader;
use quorate_engine::zab::learner::{Follower, Observer};
use quorate_engine::zab::{
    Durable, Entry, History, LeaderEffect, LearnerEffect, LearnerKey, Leaving, Mistakes, ToLeader,
    ToLearner, ZabConfig,
};
use quorate_wire::acl::AclList;
use quorate_wire::quorum::Membership;
use quorate_wire::quorum::address::HostPort;
use quorate_wire::txn::{CreateBody, SetDataBody, Txn, TxnHeader, TxnRecord};
use quorate_wire::{Jute, Zxid};
use std::sync::Arc;

pub(super) struct Party {
    pub(super) stage: Stage,
    pub(super) chief: Chief,
    pub(super) members: Vec<Member>,
    security: Arc<Security>,
}

/// The leader, server 1.
pub(super) struct Chief {
    pub(super) links: LearnerLinks,
    pub(super) engine: Leader,
    pub(super) tree: Tree,
    applied: Zxid,
    pub(super) connected: Vec<LearnerKey>,
    pub(super) gone: Vec<(LearnerKey, Loss)>,
    pub(super) closed: Vec<(LearnerKey, Leaving)>,
}

/// A learner.
pub(super) struct Member {
    pub(super) link: LeaderLink,
    sid: i64,
    role: Role,
    pub(super) tree: Tree,
    pub(super) applied: Zxid,
    received: Option<Box<TreeReceiver>>,
    pub(super) trees: usize,
    pub(super) gone: Option<Loss>,
    /// Its thread is held up.
    pub(super) sleeps: bool,
}

enum Role {
    None,
    Follower(Box<Follower>),
    Observer(Box<Observer>),
}

macro_rules! role {
    ($role:expr, $name:ident => $call:expr, $none:expr) => {
        match $role {
            Role::None => $none,
            Role::Follower($name) => $call,
            Role::Observer($name) => $call,
        }
    };
}

impl Party {
    /// A leader that holds a tree of so many nodes, of so many bytes each, and no learner yet. Servers from 4 on are observers.
    pub(super) fn new(nodes: usize, bytes: usize, limits: Limits) -> Self {
        Self::with(nodes, bytes, limits, Security::none())
    }

    /// The same, of servers that talk to each other in this way.
    pub(super) fn with(
        nodes: usize,
        bytes: usize,
        limits: Limits,
        security: Arc<Security>,
    ) -> Self {
        let stage = Stage::new();
        let (tree, last) = planted(nodes, bytes);
        let quorums = Quorums::new(Membership::parse(SERVERS).unwrap());
        let epoch = last.epoch();
        let durable = Durable {
            accepted_epoch: epoch,
            current_epoch: epoch,
            history: History::after(last),
            ..Durable::default()
        };
        let address = ["127.0.0.1:0".parse().unwrap()];
        let chief = Chief {
            links: LearnerLinks::open(&address, CHIEF, limits, &security, stage.registry())
                .unwrap(),
            engine: Leader::new(config(1), quorums, durable, stage.now()),
            tree,
            applied: last,
            connected: Vec::new(),
            gone: Vec::new(),
            closed: Vec::new(),
        };
        Self { stage, chief, members: Vec::new(), security }
    }

    /// A server with nothing on its disk looks for the leader.
    pub(super) fn join(&mut self, sid: i64) {
        let address = self.chief.links.addresses().next().unwrap();
        let base = CHIEF * (self.members.len() + 2);
        let settings = LeaderSettings {
            addresses: vec![HostPort::new(address.ip().to_string(), address.port())],
            base,
            search_ends: self.stage.now() + 60_000,
            limits: LIMITS,
            tree: TREE,
            security: Arc::clone(&self.security),
        };
        let stage = &self.stage;
        let link = LeaderLink::new(settings, stage.registry(), &stage.waker, stage.now()).unwrap();
        self.members.push(Member {
            link,
            sid,
            role: Role::None,
            tree: Tree::new(TREE),
            applied: Zxid::ZERO,
            received: None,
            trees: 0,
            gone: None,
            sleeps: false,
        });
    }

    /// One round of everybody.
    pub(super) fn round(&mut self) {
        let awake = |member: &&mut Member| !member.sleeps;
        let has_work = self.chief.links.has_work(false)
            || self.members.iter_mut().filter(awake).any(|member| member.has_work());
        for event in self.stage.events(has_work) {
            let taken = self.chief.links.ready(&event)
                || self.members.iter_mut().any(|member| member.link.ready(&event));
            assert!(taken, "somebody's event");
        }
        let now = self.stage.now();
        self.chief.round(now);
        self.members.iter_mut().filter(awake).for_each(|member| member.round(now));
    }

    pub(super) fn until(&mut self, what: &str, mut enough: impl FnMut(&Self) -> bool) {
        until(what, || {
            self.round();
            enough(self)
        });
    }

    /// The leader proposes, in one piece, nodes of so many bytes.
    pub(super) fn propose(&mut self, count: usize, bytes: usize) {
        let data = vec![7; bytes];
        self.propose_each(count, |zxid| create(format!("/p{:x}", zxid.0), &data));
    }

    /// The leader proposes, in one piece, what `txn` makes for each zxid.
    pub(super) fn propose_each<'a>(&mut self, count: usize, txn: impl Fn(Zxid) -> Txn<'a>) {
        let mut segment = Segment::default();
        let mut zxid = self.chief.engine.next_zxid();
        for _ in 0..count {
            segment.push(zxid, |out| record(zxid, txn(zxid)).write(out));
            zxid = zxid.next();
        }
        let (now, segment) = (self.stage.now(), Arc::new(segment));
        self.chief.engine.propose(&segment, now);
        self.chief.engine.logged(segment.records().last().unwrap().zxid, now);
        self.chief.settle(now);
    }

    /// Whether everybody awake has applied what the leader has.
    pub(super) fn is_even(&self) -> bool {
        let last = self.chief.engine.history().last();
        self.chief.applied == last
            && self.members.iter().all(|member| member.sleeps || member.applied == last)
    }

    pub(super) fn assert_same_trees(&self) {
        let digest = self.chief.tree.computed_digest();
        for member in self.members.iter().filter(|member| !member.sleeps) {
            assert_eq!(member.tree.computed_digest(), digest, "server {}", member.sid);
        }
    }
}

impl Chief {
    fn round(&mut self, now: i64) {
        self.engine.tick(now);
        self.links.tick(now);
        self.settle(now);
        while let Some(report) = self.links.next(false) {
            match report {
                LearnerReport::Connected(key, remote) => {
                    assert!(remote.ip().is_loopback());
                    self.connected.push(key);
                    self.engine.connected(key, now);
                }
                LearnerReport::Message(key, message) => self.engine.received(key, message, now),
                LearnerReport::Gone(key, loss) => {
                    self.gone.push((key, loss));
                    self.engine.disconnected(key);
                }
            }
            self.settle(now);
        }
        self.links.flush(&mut self.tree);
    }

    fn settle(&mut self, now: i64) {
        loop {
            let effects: Vec<_> = self.engine.effects().collect();
            if effects.is_empty() {
                return;
            }
            let mut facts = Vec::new();
            for effect in effects {
                match effect {
                    LeaderEffect::Send(key, message) => self.links.send(key, &message),
                    LeaderEffect::SendTree(key) => {
                        self.links.send_tree(key, &mut self.tree);
                    }
                    LeaderEffect::Close(key, why) => {
                        self.links.close(key, &why);
                        self.closed.push((key, why));
                    }
                    LeaderEffect::Committed(upto) => {
                        let entries = self.engine.history().since(self.applied);
                        self.applied = apply(&mut self.tree, entries, upto, self.applied);
                    }
                    LeaderEffect::Leave(why) => panic!("the leader leaves: {why}"),
                    fact => facts.push(fact),
                }
            }
            for fact in facts {
                match fact {
                    LeaderEffect::WriteAccepted(epoch) => self.engine.accepted_written(epoch, now),
                    LeaderEffect::WriteCurrent(epoch) => self.engine.current_written(epoch, now),
                    // All of its history is in memory or in the tree.
                    LeaderEffect::SearchLog(key, ..) => self.engine.log_searched(key, None),
                    _ => {}
                }
            }
        }
    }
}

impl Member {
    fn is_busy(&self) -> bool {
        role!(&self.role, role => role.is_busy(), false)
    }

    fn has_work(&self) -> bool {
        self.link.has_work(self.is_busy())
    }

    fn round(&mut self, now: i64) {
        while let Some(report) = self.link.next(now, self.is_busy()) {
            match report {
                LeaderReport::Connected(_) => {
                    let (config, durable) = (config(self.sid), Durable::default());
                    self.role = if self.sid < 4 {
                        Role::Follower(Box::new(Follower::new(config, durable, now)))
                    } else {
                        Role::Observer(Box::new(Observer::new(config, durable, now)))
                    };
                }
                LeaderReport::Message(message) => self.received(message, now),
                LeaderReport::Tree(receiver) => {
                    self.received = Some(receiver);
                    self.trees += 1;
                    role!(&mut self.role, role => role.tree_received(), ());
                }
                LeaderReport::Gone(loss) => {
                    self.gone = Some(loss);
                    self.role = Role::None;
                }
            }
            self.settle();
        }
        self.link.flush();
        assert!(self.link.queued() <= LIMITS.queue);
    }

    fn received(&mut self, message: ToLearner, now: i64) {
        role!(&mut self.role, role => role.received(message, now), ());
    }

    fn settle(&mut self) {
        loop {
            let effects: Vec<_> = role!(&mut self.role, role => role.effects().collect(), vec![]);
            if effects.is_empty() {
                return;
            }
            for effect in effects {
                self.carry_out(effect);
            }
        }
    }

    /// With a disk that has everything at once, facts need not wait until all effects are carried out.
    fn carry_out(&mut self, effect: LearnerEffect) {
        match effect {
            LearnerEffect::Send(message) => self.link.send(&message),
            LearnerEffect::WriteAccepted(epoch) => {
                role!(&mut self.role, role => role.accepted_written(epoch), ());
            }
            LearnerEffect::WriteCurrent(epoch) => {
                role!(&mut self.role, role => role.current_written(epoch), ());
            }
            LearnerEffect::InstallTree(zxid) => {
                self.tree = self.received.take().unwrap().finish(zxid).unwrap();
                self.applied = zxid;
                role!(&mut self.role, role => role.tree_installed(), ());
            }
            LearnerEffect::Append(entries) => {
                let last = entries.last().unwrap().zxid();
                role!(&mut self.role, role => role.logged(last), ());
            }
            LearnerEffect::Committed(upto) => {
                let history = role!(&self.role, role => role.history(), return);
                let entries = history.since(self.applied);
                self.applied = apply(&mut self.tree, entries, upto, self.applied);
            }
            LearnerEffect::Leave(why) => panic!("server {} leaves: {why}", self.sid),
            _ => {}
        }
    }

    pub(super) fn is_serving(&self) -> bool {
        role!(&self.role, role => role.is_serving(), false)
    }
}

fn apply<'a>(
    tree: &mut Tree,
    entries: impl Iterator<Item = &'a Entry>,
    upto: Zxid,
    before: Zxid,
) -> Zxid {
    let mut last = before;
    for entry in entries.take_while(|entry| entry.zxid() <= upto) {
        tree.apply(&TxnRecord::from_bytes(entry.payload()).unwrap(), &mut ());
        last = entry.zxid();
    }
    last
}

pub(super) fn record(zxid: Zxid, txn: Txn<'_>) -> TxnRecord<'_> {
    let header = TxnHeader { client_id: 9, cxid: 1, zxid, time: 5, kind: txn.kind() };
    TxnRecord { header, txn, digest: None }
}

pub(super) fn create<'a>(path: String, data: &'a [u8]) -> Txn<'a> {
    Txn::Create(CreateBody {
        path: path.into(),
        data: Some(data),
        acl: AclList::OPEN,
        ephemeral: false,
        parent_cversion: None,
    })
}

pub(super) fn set(path: String, data: &[u8]) -> Txn<'_> {
    Txn::SetData(SetDataBody { path: path.into(), data: Some(data), version: 1 })
}

/// A tree of nodes `/n0`, `/n1` and so on, and its last transaction.
fn planted(nodes: usize, bytes: usize) -> (Tree, Zxid) {
    let mut tree = Tree::new(TREE);
    let mut zxid = Zxid(1 << 32);
    let data = vec![3; bytes];
    for n in 0..nodes {
        zxid = zxid.next();
        tree.apply(&record(zxid, create(format!("/n{n}"), &data)), &mut ());
    }
    (tree, if nodes == 0 { Zxid::ZERO } else { zxid })
}

fn config(me: i64) -> ZabConfig {
    ZabConfig {
        me,
        tick: 20_000,
        init_limit: 200_000,
        sync_limit: 100_000,
        ping_interval: 100,
        beat: None,
        history_bytes: 16 << 20,
        log_sync: true,
        reconfig: false,
        mistakes: Mistakes::NONE,
    }
}

pub(super) fn info(sid: i64) -> ToLeader {
    let features = quorate_engine::zab::message::Features::OURS;
    let kind = quorate_engine::zab::message::LearnerKind::Follower;
    ToLeader::Info { sid, kind, accepted: 0, config: 0, features }
}

const SERVERS: &str = "server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2\nserver.4=d:1:2:observer\n\
                       server.5=e:1:2:observer\nversion=0";
/// Poll tokens from here on; the next ones in steps of as many.
pub(super) const CHIEF: usize = 1_000_000;
