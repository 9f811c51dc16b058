//! The world: events in the order of their times, and between equal times in the order of chance.

use crate::check::{Checked, Checker, ensure};
use crate::disk::{Disk, Write};
use crate::faults::Plan;
use crate::link::Link;
use crate::run::{Run, Summary};
use crate::server::{Process, Role, Server};
use crate::shrink::Spared;
use quorate_engine::quorum::Quorums;
use quorate_engine::zab::{Mistakes, Sid, ZabConfig};
use quorate_tests_kit::note;
use quorate_tests_kit::random::Random;
use quorate_tests_kit::trace::Trace;
use quorate_wire::Zxid;
use quorate_wire::quorum::Membership;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// At the leader: what comes up.
    Leader,
    /// At the learner: what comes down.
    Learner,
}

/// Something that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    /// A server begins.
    Start(Sid),
    /// A server that has left a role looks at its disk.
    Look(Sid),
    /// The machine of a server fails.
    Fail(Sid),
    /// A client of a server asks for a sync.
    Ask(Sid),
    /// A message may have arrived.
    Deliver(u64, Side),
    /// A side of a connection learns that it has ended.
    Broken(u64, Side),
    /// A server, in this turn, tries to reach its leader.
    Connect(Sid, u64),
    /// A leader, in this turn, has looked into its log for the learner at this connection: whose log ends there, and which is to have
    /// everything up to there.
    Searched(Sid, u64, u64, Zxid, Zxid),
    /// A write of a server has reached the device.
    Written(Sid, u64),
    /// A server is woken.
    Timer(Sid, u64),
    /// A notification from one server to another may have arrived.
    Notice(Sid, Sid),
    /// Servers that look for a leader are told of one.
    Elect,
    /// Clients do something.
    Load,
    /// Something goes wrong.
    Fault,
    /// What hindered one server from reaching another is over.
    Heal(Sid, Sid),
}

/// The world of a seed.
#[derive(Debug)]
pub struct World {
    pub(crate) now: u64,
    steps: u64,
    sequence: u64,
    events: BinaryHeap<Reverse<(u64, u64, u64, Event)>>,
    pub(crate) random: Random,
    pub(crate) plan: Plan,
    /// Whether leaders look into their logs for learners: in every second world.
    log_sync: bool,
    pub(crate) mistakes: Mistakes,
    pub(crate) spared: Spared,
    pub(crate) quorums: Quorums,
    pub(crate) servers: BTreeMap<Sid, Server>,
    pub(crate) links: BTreeMap<u64, Link>,
    /// Notifications on their way, of which the newest counts.
    pub(crate) frames: BTreeMap<(Sid, Sid), Vec<u8>>,
    /// Who cannot reach whom.
    pub(crate) blocked: BTreeSet<(Sid, Sid)>,
    /// Connections and turns and writes are numbered.
    pub(crate) numbers: u64,
    pub(crate) checker: Checker,
    pub(crate) calm: bool,
    pub(crate) summary: Summary,
    pub(crate) trace: Trace,
}

impl World {
    /// The world of a seed, in which nothing has happened yet.
    #[must_use]
    pub fn new(run: &Run, trace: &Trace) -> Self {
        let &Run { seed, mistakes, spared, .. } = run;
        let mut random = Random::new(seed);
        let plan = Plan::new(&mut random);
        let voters: Vec<Sid> = (1..=plan.voters).collect();
        let all: Vec<Sid> = (1..=plan.voters + plan.observers).collect();
        let mut world = Self {
            now: 0,
            steps: 0,
            sequence: 0,
            events: BinaryHeap::new(),
            quorums: Quorums::new(membership(&voters)),
            servers: BTreeMap::new(),
            links: BTreeMap::new(),
            frames: BTreeMap::new(),
            blocked: BTreeSet::new(),
            numbers: 0,
            checker: Checker::default(),
            calm: false,
            summary: Summary::default(),
            trace: trace.clone(),
            random,
            plan,
            log_sync: seed % 2 == 1,
            mistakes,
            spared,
        };
        for sid in all {
            let disk = Disk::new(mistakes);
            let pace = world.random.between(950, 1050);
            let server = Server {
                sid,
                votes: voters.contains(&sid),
                disk,
                copy: None,
                writing: Vec::new(),
                slowness: world.random.skewed(1, 20),
                process: None,
                paused_until: 0,
                pace,
            };
            world.servers.insert(sid, server);
            let delay = world.random.below(500_000);
            world.after(delay, Event::Start(sid));
        }
        for event in [Event::Elect, Event::Load, Event::Fault] {
            world.after(100_000, event);
        }
        world
    }

    /// Lets time pass with faults until `us`, and then without any until everybody is at one.
    ///
    /// # Errors
    /// When a property does not hold.
    pub fn run(&mut self, us: u64) -> Checked {
        while self.now < us {
            self.step()?;
        }
        self.become_calm();
        let (quiet, end) = (self.now + CALM_US, self.now + PATIENCE_US);
        while self.now < quiet || !self.is_at_one() {
            ensure!(
                self.now < end,
                "not at one {} s after the last fault",
                PATIENCE_US / 1_000_000
            );
            self.step()?;
        }
        Ok(())
    }

    fn step(&mut self) -> Checked {
        let Some(Reverse((at, _, _, event))) = self.events.pop() else {
            self.now = u64::MAX / 2;
            return Ok(());
        };
        self.now = at;
        self.steps += 1;
        self.trace.at(at);
        self.happen(event)
    }

    fn happen(&mut self, event: Event) -> Checked {
        match event {
            Event::Start(sid) => return self.start(sid),
            Event::Look(sid) => return self.look_again(sid),
            Event::Notice(from, to) => return self.notice(from, to),
            Event::Fail(sid) => self.crash(sid, true),
            Event::Ask(sid) => return self.ask_sync(sid),
            Event::Deliver(link, side) => return self.deliver(link, side),
            Event::Broken(link, side) => return self.broken(link, side),
            Event::Connect(sid, turn) => return self.connect(sid, turn),
            Event::Searched(sid, turn, link, at, upto) => {
                return self.log_searched(sid, turn, link, at, upto);
            }
            Event::Written(sid, number) => return self.written(sid, number),
            Event::Timer(sid, turn) => return self.woken(sid, turn),
            Event::Elect => return self.elect(),
            Event::Load => return self.load(),
            Event::Fault => return self.fault(),
            Event::Heal(from, to) => {
                self.blocked.remove(&(from, to));
            }
        }
        Ok(())
    }

    /// Something will happen in so many us.
    pub(crate) fn after(&mut self, us: u64, event: Event) {
        self.at(self.now + us, event);
    }

    /// Something will happen then.
    pub(crate) fn at(&mut self, at: u64, event: Event) {
        self.sequence += 1;
        let tie = self.random.number();
        self.events.push(Reverse((at, tie, self.sequence, event)));
    }

    /// A number that nothing else has.
    pub(crate) const fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// The rules of a server.
    pub(crate) const fn config(&self, me: Sid) -> ZabConfig {
        let tick = self.plan.tick;
        ZabConfig {
            me,
            tick,
            init_limit: tick * 5,
            sync_limit: tick * 3,
            ping_interval: tick / 2,
            beat: self.plan.beat,
            history_bytes: 1 << 20,
            log_sync: self.log_sync,
            reconfig: false,
            mistakes: self.mistakes,
        }
    }

    /// What a server's clock shows, ms.
    pub(crate) fn clock(&self, sid: Sid) -> i64 {
        let pace = self.servers.get(&sid).map_or(1000, |server| server.pace);
        i64::try_from(self.now * pace / 1_000_000).unwrap_or(i64::MAX)
    }

    /// A running process that is not standing still.
    pub(crate) fn awake(&mut self, sid: Sid) -> Option<&mut Process> {
        let now = self.now;
        let server = self.servers.get_mut(&sid).filter(|server| server.paused_until <= now)?;
        server.process.as_mut()
    }

    fn start(&mut self, sid: Sid) -> Checked {
        self.replace_disk(sid);
        let turn = self.number();
        let memory = self.memory();
        if let Some(server) = self.servers.get_mut(&sid).filter(|server| server.process.is_none()) {
            let (state, durable) = server.disk.open(memory);
            note!(
                self.trace,
                "{sid} starts at {} of epoch {:x}",
                state.last(),
                durable.current_epoch
            );
            server.process = Some(Process::new(turn, state, durable));
            return self.look_for_leader(sid);
        }
        Ok(())
    }

    /// How much of its history a server keeps in memory when it looks at its disk.
    pub(crate) fn memory(&mut self) -> usize {
        usize::try_from(self.random.skewed(0, 200)).unwrap_or(0)
    }

    /// Wakes a server when its role wants it.
    pub(crate) fn arm(&mut self, sid: Sid) {
        let (now, Some(server)) = (self.now, self.servers.get_mut(&sid)) else { return };
        let pace = server.pace;
        let Some(process) = server.process.as_mut() else { return };
        let Some(deadline) = process.deadline() else { return };
        let at = u64::try_from(deadline).unwrap_or(0) * 1_000_000 / pace + 1_000;
        let at = at.max(now + 1);
        if at < process.timer {
            process.timer = at;
            let turn = process.turn;
            self.at(at, Event::Timer(sid, turn));
        }
    }

    fn woken(&mut self, sid: Sid, turn: u64) -> Checked {
        let (now, clock) = (self.now, self.clock(sid));
        let Some(server) = self.servers.get_mut(&sid) else { return Ok(()) };
        let paused = server.paused_until;
        let Some(process) = server.process.as_mut().filter(|process| process.turn == turn) else {
            return Ok(());
        };
        if paused > now {
            // Whoever wakes up may hear others before it looks at the clock.
            let late = self.random.skewed(0, 50_000);
            self.at(paused + late, Event::Timer(sid, turn));
            return Ok(());
        }
        process.timer = u64::MAX;
        process.tick(clock);
        self.vote(sid)?;
        self.carry_out(sid)
    }

    /// Whether all servers serve the same, and that is everything.
    fn is_at_one(&self) -> bool {
        let serves = |server: &Server| {
            let process = server.process.as_ref();
            process.is_some_and(|p| {
                (p.serving || p.is_established()) && p.state.0.len() == self.checker.committed()
            })
        };
        self.servers.values().all(serves)
    }

    /// What the run came to so far.
    #[must_use]
    pub fn summary(&self) -> Summary {
        Summary {
            steps: self.steps,
            time: self.now,
            committed: u64::try_from(self.checker.committed()).unwrap_or(u64::MAX),
            epochs: u64::try_from(self.checker.epochs()).unwrap_or(u64::MAX),
            torn: self.servers.values().map(|server| server.disk.harm.torn).sum(),
            unfinished: self.servers.values().map(|server| server.disk.harm.unfinished).sum(),
            ..self.summary
        }
    }

    /// Whether anybody leads, by its own account.
    pub(crate) fn leading(&self) -> Vec<Sid> {
        let leads = |server: &&Server| {
            server.process.as_ref().is_some_and(|p| matches!(p.role, Role::Leading(_)))
        };
        self.servers.values().filter(leads).map(|server| server.sid).collect()
    }

    /// Something is to be written by a server in this turn.
    pub(crate) fn write(&mut self, sid: Sid, write: Write) {
        let number = self.number();
        let delay = self.random.skewed(50, 5_000);
        let Some(server) = self.servers.get_mut(&sid) else { return };
        let delay = delay * server.slowness;
        if matches!(write, Write::Truncate(_) | Write::Install(_)) {
            // A snapshot that is under way is given up.
            server.writing.retain(|(_, write)| !matches!(write, Write::Snapshot(_)));
        }
        server.writing.push((number, write));
        self.after(delay, Event::Written(sid, number));
    }
}

/// Majorities of these voters.
fn membership(voters: &[Sid]) -> Membership {
    let lines = voters.iter().map(|sid| format!("server.{sid}=h{sid}:1:2:participant\n"));
    let text: String = lines.chain(["version=0".to_owned()]).collect();
    Membership::parse(&text).unwrap_or_default()
}

/// How long it must stay calm, and how soon everybody must be at one.
const CALM_US: u64 = 20_000_000;
const PATIENCE_US: u64 = 300_000_000;
