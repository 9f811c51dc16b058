//! The world: events in the order of their times, and between equal times in the order of chance.

use super::faults::{MOST_SKEW, Plan};
use super::history::History;
use super::net::Link;
use super::owner::Owner;
use super::pipe::Pipe;
use super::server::{Process, Server};
use crate::check::{Checked, Violation, ensure};
use crate::disk::Disk;
use crate::run::{Run, Summary};
use crate::shrink::Spared;
use quorate_engine::election::{Election, Options};
use quorate_engine::limits::Limits;
use quorate_engine::member::{LogRange, Member, MemberConfig};
use quorate_engine::prep::PrepConfig;
use quorate_engine::quorum::Quorums;
use quorate_engine::replica::{LocalSessions, Now, ReaperConfig, ReplicaConfig, SnapshotConfig};
use quorate_engine::shard::{Shard, ShardConfig};
use quorate_engine::zab::{Mistakes, Sid, ZabConfig};
use quorate_tests_kit::note;
use quorate_tests_kit::random::Random;
use quorate_tests_kit::trace::Trace;
use quorate_wire::Zxid;
use quorate_wire::quorum::Membership;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

/// Something that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    /// A server begins.
    Start(Sid),
    /// The machine of a server fails.
    Fail(Sid),
    /// A server, in this run, tries to reach its leader.
    Connect(Sid, u64),
    /// A message may have arrived: at the leader, or else at the learner.
    Deliver(u64, bool),
    /// A side of a connection learns that it has ended.
    Broken(u64, bool),
    /// More of a tree is sent on a connection.
    Walk(u64),
    /// A leader, in this turn, has looked into its log for the learner at this connection.
    Searched(Sid, u64, u64, LogRange),
    /// A write of a server has reached the device.
    Written(Sid, u64),
    /// A server, in this run, is woken.
    Timer(Sid, u64),
    /// A notification from one server to another may have arrived.
    Notice(Sid, Sid),
    /// A client is woken.
    Client(usize),
    /// The clients of a server ask for syncs.
    Ask(Sid),
    /// An attempt of a client to connect ends.
    Dialled(usize, u64),
    /// Bytes of a client may have arrived.
    Up(u64),
    /// Bytes for a client may have arrived.
    Down(u64),
    /// Something goes wrong.
    Fault,
    /// What hindered one server from reaching another is over.
    Heal(Sid, Sid),
}

/// The world of a seed.
pub struct World {
    pub(super) now: u64,
    steps: u64,
    sequence: u64,
    events: BinaryHeap<Reverse<(u64, u64, u64, Event)>>,
    pub(super) random: Random,
    pub(super) plan: Plan,
    /// Whether leaders look into their logs for learners: in every second world.
    log_sync: bool,
    pub(super) mistakes: Mistakes,
    pub(super) spared: Spared,
    pub(super) quorums: Quorums,
    pub(super) servers: BTreeMap<Sid, Server>,
    pub(super) links: BTreeMap<u64, Link>,
    /// Notifications on their way, of which the newest counts.
    pub(super) frames: BTreeMap<(Sid, Sid), Vec<u8>>,
    /// Who cannot reach whom.
    pub(super) blocked: BTreeSet<(Sid, Sid)>,
    pub(super) owners: Vec<Owner>,
    pub(super) pipes: BTreeMap<u64, Pipe>,
    numbers: u64,
    pub(super) history: History,
    pub(super) calm: bool,
    pub(super) summary: Summary,
    pub(super) trace: Trace,
}

impl World {
    /// The world of a seed, in which nothing has happened yet.
    #[must_use]
    pub fn new(run: &Run, trace: &Trace) -> Self {
        let &Run { seed, mistakes, spared, .. } = run;
        let mut random = Random::new(seed);
        let plan = Plan::new(&mut random);
        let all = plan.voters + plan.observers;
        let mut world = Self {
            now: 0,
            steps: 0,
            sequence: 0,
            events: BinaryHeap::new(),
            quorums: Quorums::new(membership(plan.voters)),
            servers: BTreeMap::new(),
            links: BTreeMap::new(),
            frames: BTreeMap::new(),
            blocked: BTreeSet::new(),
            owners: Vec::new(),
            pipes: BTreeMap::new(),
            numbers: 0,
            history: History::default(),
            calm: false,
            summary: Summary::default(),
            trace: trace.clone(),
            random,
            plan,
            log_sync: seed % 2 == 1,
            mistakes,
            spared,
        };
        for sid in 1..=all {
            world.add_server(sid);
        }
        let servers = usize::try_from(all).unwrap_or(1);
        for n in 0..world.plan.clients {
            let random = world.random.fork();
            world.owners.push(Owner::new(random, servers, world.plan.timeout));
            world.after(1_000, Event::Client(n));
        }
        world.after(100_000, Event::Fault);
        world
    }

    fn add_server(&mut self, sid: Sid) {
        let server = Server {
            sid,
            votes: sid <= self.plan.voters,
            disk: Disk::new(self.mistakes),
            copy: None,
            writing: Vec::new(),
            slowness: self.random.skewed(1, 20),
            full: false,
            process: None,
            paused_until: 0,
            pace: self.random.between(950, 1050),
            skew: i64::try_from(self.random.below(20_000)).unwrap_or(0) - MOST_SKEW,
        };
        self.servers.insert(sid, server);
        let delay = self.random.below(500_000);
        self.after(delay, Event::Start(sid));
    }

    /// Lets time pass with faults until `us`, then without any, and then lets the clients go.
    ///
    /// # Errors
    /// When a property does not hold.
    pub fn run(&mut self, us: u64) -> Checked {
        while self.now < us {
            self.step()?;
        }
        self.become_calm();
        // Long enough for the slowest to notice, to elect and to find each other.
        let timeout = u64::try_from(self.plan.timeout).unwrap_or(0) * 1_000;
        let servers = self.servers.values().map(|server| server.paused_until);
        let owners = self.owners.iter().map(|owner| owner.paused_until);
        let awake = servers.chain(owners).max().unwrap_or(0).max(self.now);
        let well = awake + 10_000_000 + 3 * timeout;
        while self.now < well {
            self.step()?;
        }
        let lost: u64 = self.owners.iter().map(|owner| owner.counts.lost).sum();
        if let Some(n) = self.owners.iter().position(|owner| !owner.is_connected()) {
            let state = self.owners.get(n).map(|owner| owner.session.state());
            return Err(Violation(format!("client {n} is {state:?} though all servers are well")));
        }
        let quiet = self.now + 3 * timeout;
        while self.now < quiet {
            self.step()?;
        }
        let after: u64 = self.owners.iter().map(|owner| owner.counts.lost).sum();
        ensure!(lost == after, "{} sessions are lost while all is well", after - lost);
        self.leave()
    }

    /// The clients go, and nothing may be left of them.
    fn leave(&mut self) -> Checked {
        for n in 0..self.owners.len() {
            let clock = self.client_clock();
            if let Some(owner) = self.owners.get_mut(n) {
                owner.close(clock);
            }
            self.client(n)?;
        }
        let end = self.now + 120_000_000;
        while let Some(what) = self.is_left() {
            ensure!(self.now < end, "two minutes after the last wish: {what}");
            self.step()?;
        }
        Ok(())
    }

    fn is_left(&self) -> Option<String> {
        if let Some(n) = self.owners.iter().position(|owner| !owner.has_left()) {
            return Some(format!("client {n} waits"));
        }
        let sessions = self.history.sessions();
        if !sessions.is_empty() {
            let knows = |server: &Server| {
                let process = server.process.as_ref()?;
                let replica = process.member.replica()?;
                let open = sessions.iter().filter(|&&id| replica.sessions().is_open(id)).count();
                Some((server.sid, open, process.tree.sessions().count()))
            };
            let knows: Vec<_> = self.servers.values().filter_map(knows).collect();
            return Some(format!(
                "{sessions:x?} live, of which servers, and their trees, know {knows:?}"
            ));
        }
        self.servers.values().find_map(|server| {
            let sid = server.sid;
            let Some(process) = &server.process else { return Some(format!("{sid} is down")) };
            let Some(replica) = process.member.replica().filter(|_| process.serving) else {
                return Some(format!("{sid} does not serve"));
            };
            if process.tree.last_zxid() < self.history.last() {
                return Some(format!("{sid} is behind at {}", process.tree.last_zxid()));
            }
            if process.tree.digest() != process.tree.computed_digest() {
                return Some(format!("the digest of {sid} is not that of its nodes"));
            }
            let open = (replica.outstanding(), replica.sessions().len());
            (open != (0, 0)).then(|| format!("{sid} has requests and sessions left: {open:?}"))
        })
    }

    fn step(&mut self) -> Checked {
        let Some(Reverse((at, _, _, event))) = self.events.pop() else {
            self.now = u64::MAX / 2;
            return Ok(());
        };
        self.now = at;
        self.steps += 1;
        self.trace.at(at);
        match event {
            Event::Start(sid) => self.start(sid),
            Event::Notice(from, to) => self.notice(from, to),
            Event::Fail(sid) => {
                self.crash(sid, true);
                Ok(())
            }
            Event::Deliver(link, up) => self.deliver(link, up),
            Event::Broken(link, up) => self.broken(link, up),
            Event::Walk(link) => {
                self.walk(link);
                Ok(())
            }
            Event::Connect(sid, turn) => self.connect(sid, turn),
            Event::Searched(sid, turn, link, range) => self.log_searched(sid, turn, link, range),
            Event::Written(sid, number) => self.written(sid, number),
            Event::Timer(sid, turn) => self.woken(sid, turn),
            Event::Client(n) => self.client(n),
            Event::Ask(sid) => self.ask_syncs(sid),
            Event::Dialled(n, attempt) => self.dialled(n, attempt),
            Event::Up(pipe) => self.pipe_up(pipe),
            Event::Down(pipe) => self.pipe_down(pipe),
            Event::Fault => {
                self.fault();
                Ok(())
            }
            Event::Heal(from, to) => {
                self.blocked.remove(&(from, to));
                Ok(())
            }
        }
    }

    /// Something will happen in so many us.
    pub(super) fn after(&mut self, us: u64, event: Event) {
        self.at(self.now + us, event);
    }

    /// Something will happen then.
    pub(super) fn at(&mut self, at: u64, event: Event) {
        self.sequence += 1;
        let tie = self.random.number();
        self.events.push(Reverse((at, tie, self.sequence, event)));
    }

    /// A number that nothing else has.
    pub(super) const fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// What a server's clocks show, ms.
    pub(super) fn clock(&self, sid: Sid) -> Now {
        let (pace, skew) = self.servers.get(&sid).map_or((1000, 0), |s| (s.pace, s.skew));
        let mono = i64::try_from(self.now * pace / 1_000_000).unwrap_or(i64::MAX);
        let wall = EPOCH + i64::try_from(self.now / 1_000).unwrap_or(0) + skew;
        Now { mono, wall }
    }

    /// What the clients' clock shows, ms.
    pub(super) fn client_clock(&self) -> i64 {
        i64::try_from(self.now / 1_000).unwrap_or(i64::MAX)
    }

    /// A running process that is not standing still.
    pub(super) fn awake(&mut self, sid: Sid) -> Option<&mut Process> {
        let now = self.now;
        let server = self.servers.get_mut(&sid).filter(|server| server.paused_until <= now)?;
        server.process.as_mut()
    }

    /// A process, though it may stand still.
    pub(super) fn process(&mut self, sid: Sid) -> Option<&mut Process> {
        self.servers.get_mut(&sid)?.process.as_mut()
    }

    fn start(&mut self, sid: Sid) -> Checked {
        self.replace_disk(sid);
        let (turn, memory, config) = (self.number(), self.memory(), self.config(sid));
        let (quorums, clock) = (self.quorums.clone(), self.clock(sid));
        let server = self.servers.get_mut(&sid).filter(|server| server.process.is_none());
        let Some(server) = server else { return Ok(()) };
        let (image, durable) = server.disk.open(memory);
        let tree = image.tree();
        note!(self.trace, "{sid} starts at {}", tree.last_zxid());
        let shard = ShardConfig {
            tick: i32::try_from(config.zab.tick).unwrap_or(1000),
            min_session_timeout: 100,
            ..ShardConfig::default()
        };
        server.process = Some(Process {
            turn,
            member: Member::new(config, quorums.clone(), durable),
            tree,
            shard: Shard::new(shard),
            election: Election::new(sid, quorums, Options::default()),
            trying: None,
            link: None,
            serving: false,
            resting: false,
            stale: false,
            snap: Zxid::ZERO,
            gaps: image.gaps(),
            receiving: false,
            incoming: None,
            pipes: BTreeMap::new(),
            timer: u64::MAX,
            heard: BTreeMap::new(),
            since: clock.mono,
            epoch: 0,
        });
        self.go_on(sid)
    }

    /// How much of its history a server keeps in memory when it looks at its disk.
    pub(super) fn memory(&mut self) -> usize {
        usize::try_from(self.random.skewed(0, 200)).unwrap_or(0)
    }

    fn config(&self, me: Sid) -> MemberConfig {
        let tick = self.plan.tick;
        let zab = ZabConfig {
            me,
            tick,
            init_limit: tick * 5,
            sync_limit: tick * 3,
            ping_interval: tick / 2,
            beat: self.plan.beat,
            history_bytes: 1 << 16,
            log_sync: self.log_sync,
            reconfig: false,
            mistakes: self.mistakes,
        };
        let replica = ReplicaConfig {
            prep: PrepConfig::default(),
            tick: i32::try_from(tick).unwrap_or(1000),
            reaper: ReaperConfig::default(),
            snapshot: SnapshotConfig::default(),
            server: u8::try_from(me).unwrap_or(0),
            local_sessions: LocalSessions::Off,
            outstanding_limit: 1000,
            limits: Limits::default(),
        };
        MemberConfig { zab, replica, log_share: 0, read_only: None }
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
        if process.timer > now {
            return Ok(());
        }
        process.timer = u64::MAX;
        process.election.tick(clock.mono);
        process.shard.tick(clock.mono);
        let ticked = process.work(clock, |member, bench| member.tick(bench));
        ensure!(ticked.is_ok(), "server {sid}: {ticked:?}");
        self.go_on(sid)
    }

    /// What the run came to so far.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let sum = |of: fn(&Owner) -> u64| self.owners.iter().map(of).sum();
        Summary {
            steps: self.steps,
            time: self.now,
            committed: u64::try_from(self.history.count()).unwrap_or(u64::MAX),
            epochs: u64::try_from(self.history.epochs()).unwrap_or(u64::MAX),
            torn: self.servers.values().map(|server| server.disk.harm.torn).sum(),
            unfinished: self.servers.values().map(|server| server.disk.harm.unfinished).sum(),
            answers: sum(|owner| owner.tap.answers),
            ended: sum(|owner| owner.counts.ended),
            unknown: sum(|owner| owner.counts.unknown),
            events: sum(|owner| owner.counts.events),
            lost: sum(|owner| owner.counts.lost),
            moves: sum(|owner| owner.counts.connections),
            ..self.summary
        }
    }
}

fn membership(voters: Sid) -> Membership {
    let lines = (1..=voters).map(|sid| format!("server.{sid}=h{sid}:1:2:participant\n"));
    let text: String = lines.chain(["version=0".to_owned()]).collect();
    Membership::parse(&text).unwrap_or_default()
}

/// When the world begins, ms since 1970.
const EPOCH: i64 = 1_700_000_000_000;
