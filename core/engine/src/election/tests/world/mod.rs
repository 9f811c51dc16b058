//! An ensemble in one thread: servers that elect, the connections between them, and what can happen to both.
//!
//! Roles are sketched: a server that is to follow knocks at its leader, which is established once a quorum has come and nobody of it
//! has seen more; then all have its history under a new epoch. Everything follows from a seed.

mod net;
mod roles;

use super::*;
use net::Link;
pub(super) use roles::Role;
use std::collections::BTreeMap;

/// A source of chance from a seed (SplitMix64).
pub(super) struct Random(u64);

impl Random {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number from `from` to `to`.
    pub(super) fn between(&mut self, from: i64, to: i64) -> i64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let choices = u64::try_from(to - from + 1).unwrap();
        from + i64::try_from((z ^ (z >> 31)) % choices).unwrap()
    }

    pub(super) fn chance(&mut self, percent: i64) -> bool {
        self.between(1, 100) <= percent
    }
}

/// One server.
pub(super) struct Node {
    pub(super) election: Election,
    /// What is on its disk.
    pub(super) history: History,
    pub(super) accepted_epoch: i64,
    pub(super) role: Role,
    /// Counts its elections and lives: what was planned for an earlier one does not happen.
    turn: u64,
    pub(super) up: bool,
}

#[derive(Clone, Debug)]
enum Event {
    /// A message arrives over a connection.
    Arrive { conn: u64, from: i64, to: i64, ballot: Ballot },
    /// A connection is made, or not.
    Connect { from: i64, to: i64 },
    /// An election may have something to do.
    Tick { sid: i64 },
    /// A learner knocks at its leader.
    Join { sid: i64, turn: u64, tries: i64 },
    /// A server notices that it has lost another one.
    Lost { sid: i64, turn: u64, other: i64 },
    /// A leader has waited long enough for a quorum of followers.
    GiveUp { sid: i64, turn: u64 },
    /// A process begins.
    Boot { sid: i64 },
}

pub(super) struct World {
    pub(super) now: i64,
    pub(super) random: Random,
    pub(super) nodes: BTreeMap<i64, Node>,
    events: BTreeMap<(i64, u64), Event>,
    planned: u64,
    links: BTreeMap<(i64, i64), Link>,
    /// Pairs that cannot reach each other, the smaller id first.
    pub(super) cut: BTreeSet<(i64, i64)>,
    /// How long a message takes, ms.
    pub(super) delay: (i64, i64),
    /// Whether a host refuses connections when no process runs on it. Otherwise nobody knows.
    pub(super) refuses: bool,
    /// When a leader was established, and which.
    pub(super) established: Vec<(i64, i64)>,
    /// The newest history that a quorum has had.
    pub(super) committed: (i64, Zxid),
    membership: Membership,
    seed: u64,
    trace: Vec<(i64, i64, Told)>,
}

/// What is told of a server when a check fails.
enum Told {
    Heard(i64, Ballot),
    Does(String),
}

impl World {
    /// Servers of a configuration, none of them running.
    pub(super) fn new(
        seed: u64,
        membership: &Membership,
        histories: &BTreeMap<i64, History>,
    ) -> Self {
        let mut world = Self {
            now: 0,
            random: Random::new(seed),
            nodes: BTreeMap::new(),
            events: BTreeMap::new(),
            planned: 0,
            links: BTreeMap::new(),
            cut: BTreeSet::new(),
            delay: (0, 3),
            refuses: true,
            established: Vec::new(),
            committed: (0, Zxid::ZERO),
            membership: membership.clone(),
            seed,
            trace: Vec::new(),
        };
        for &sid in membership.servers.keys() {
            let history = histories.get(&sid).copied().unwrap_or(history(0, 0));
            let node = Node {
                election: world.process(sid),
                history,
                accepted_epoch: history.epoch,
                role: Role::Looking,
                turn: 0,
                up: false,
            };
            world.nodes.insert(sid, node);
        }
        world
    }

    fn process(&self, sid: i64) -> Election {
        Election::new(sid, Quorums::new(self.membership.clone()), Options::default())
    }

    /// Starts the process of a server at a time.
    pub(super) fn boot(&mut self, at: i64, sid: i64) {
        self.plan(at, Event::Boot { sid });
    }

    /// Ends the process of a server: its connections close, and others are refused.
    pub(super) fn kill(&mut self, sid: i64) {
        self.tell(sid, "is killed");
        self.leave_role(sid);
        let node = self.node(sid);
        node.up = false;
        node.turn += 1;
        self.close_links(sid);
    }

    /// Lets time pass.
    pub(super) fn run_until(&mut self, end: i64) {
        while let Some(entry) = self.events.first_entry() {
            if entry.key().0 > end {
                break;
            }
            let ((at, _), event) = entry.remove_entry();
            self.now = at;
            self.happen(event);
        }
        self.now = end;
    }

    /// Lets time pass until a leader is established, and says which.
    pub(super) fn run_until_established(&mut self, end: i64) -> Option<i64> {
        let before = self.established.len();
        while self.established.len() == before && self.now < end {
            let next = self.events.keys().next().map_or(end, |key| key.0.min(end));
            self.run_until(next);
        }
        self.established.get(before).map(|&(_, leader)| leader)
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrive { conn, from, to, ballot } => self.arrive(conn, from, to, ballot),
            Event::Connect { from, to } => self.connect(from, to),
            Event::Tick { sid } if self.node(sid).up => {
                let now = self.now;
                self.with(sid, |election| election.tick(now));
            }
            Event::Join { sid, turn, tries } if self.is_current(sid, turn) => self.join(sid, tries),
            Event::Lost { sid, turn, other } if self.is_current(sid, turn) => self.lose(sid, other),
            Event::GiveUp { sid, turn } if self.is_current(sid, turn) => self.give_up(sid),
            Event::Boot { sid } if !self.node(sid).up => {
                let process = self.process(sid);
                let node = self.node(sid);
                node.election = process;
                node.up = true;
                self.look(sid);
            }
            _ => {}
        }
    }

    fn is_current(&self, sid: i64, turn: u64) -> bool {
        self.nodes[&sid].up && self.nodes[&sid].turn == turn
    }

    /// Does something with an election, and what it wants done.
    fn with(&mut self, sid: i64, act: impl FnOnce(&mut Election)) {
        act(&mut self.node(sid).election);
        for effect in effects(&mut self.node(sid).election) {
            match effect {
                Effect::Send { to, ballot } => self.send(sid, to, ballot),
                Effect::Decided { state, leader } => self.decided(sid, state, leader),
                Effect::Withdrawn => self.withdrawn(sid),
                Effect::SawConfig { .. } | Effect::BadConfig { .. } => {}
            }
        }
        if let Some(at) = self.node(sid).election.next_deadline() {
            self.plan(at, Event::Tick { sid });
        }
    }

    pub(super) fn node(&mut self, sid: i64) -> &mut Node {
        self.nodes.get_mut(&sid).unwrap()
    }

    fn plan(&mut self, at: i64, event: Event) {
        self.planned += 1;
        self.events.insert((at.max(self.now), self.planned), event);
    }

    fn tell(&mut self, sid: i64, what: impl Into<String>) {
        self.trace.push((self.now, sid, Told::Does(what.into())));
    }

    /// Whether two processes run and can reach each other.
    fn reach(&self, a: i64, b: i64) -> bool {
        self.nodes[&a].up && self.nodes[&b].up && !self.cut.contains(&(a.min(b), a.max(b)))
    }

    /// Fails with the last things that happened.
    pub(super) fn check(&self, holds: bool, what: &str) {
        if holds {
            return;
        }
        for (now, sid, told) in self.trace.iter().skip(self.trace.len().saturating_sub(200)) {
            match told {
                Told::Does(what) => eprintln!("{now:>7} {sid} {what}"),
                Told::Heard(from, ballot) => {
                    eprintln!("{now:>7} {sid} hears from {from}: {ballot:?}")
                }
            }
        }
        let roles: Vec<_> = self.nodes.iter().map(|(sid, node)| (sid, &node.role)).collect();
        panic!("seed {}: {what}\n{roles:?}", self.seed);
    }

    /// Whether all servers run and follow one established leader.
    pub(super) fn agreed(&self) -> Option<i64> {
        let mut leaders = self.nodes.iter().filter(|(_, node)| node.role.is_established());
        let (&leader, _) = leaders.next().filter(|_| leaders.next().is_none())?;
        let follows = |(&sid, node): (&i64, &Node)| {
            sid == leader || (node.up && node.role == Role::Learner { leader, joined: true })
        };
        self.nodes.iter().all(follows).then_some(leader)
    }
}
