//! What goes wrong, who is told to lead, and what clients do meanwhile.

use crate::check::Checked;
use crate::disk::{Snapshot, Write};
use crate::operator::{Counts, may_forget, replace};
use crate::server::{Process, Role};
use crate::shrink::Kind;
use crate::state::entry;
use crate::world::{Event, World};
use quorate_engine::segment::Segment;
use quorate_engine::zab::Sid;
use quorate_engine::zab::leader::Leader;
use quorate_tests_kit::note;
use quorate_tests_kit::random::Random;
use std::sync::Arc;

/// How a world is, and how bad: a weight for each kind of fault.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Servers that vote.
    pub voters: Sid,
    /// Servers that do not.
    pub observers: Sid,
    /// `tickTime`, ms.
    pub tick: i64,
    /// Between two beats of a leader, ms; nothing in half of the worlds, as if it were Apache's.
    pub beat: Option<i32>,
    /// Longest time between two faults, us.
    every: u64,
    /// Longest time that a message takes, us.
    pub delay: u64,
    /// Longest time between two proposals, us.
    load: u64,
    weights: [u64; 5],
    /// How often, in a thousand, a machine fails at a bad moment.
    pub aim: u64,
    /// Whether the world says who leads; if not, servers elect.
    pub told: bool,
    /// How often, in a thousand, the server is told to lead that has the newest history.
    fair: u64,
    pub(crate) disks: DiskPlan,
}

/// How bad disks are.
#[derive(Clone, Copy, Debug)]
pub struct DiskPlan {
    /// How often a write fails, in a hundred thousand.
    pub fails: u64,
    /// How often, in a thousand, a server that starts finds its disk empty or as it was.
    pub replaced: u64,
}

impl DiskPlan {
    /// The plan of a seed.
    pub fn new(random: &mut Random) -> Self {
        Self { fails: random.of(0, &[10, 100]), replaced: random.of(0, &[0, 100, 500]) }
    }
}

impl Plan {
    /// The plan of a seed.
    pub fn new(random: &mut Random) -> Self {
        let plan = Self {
            voters: random.of(3, &[3, 3, 5, 5, 7, 1, 2, 4]),
            observers: random.of(0, &[0, 1, 2]),
            tick: random.of(200, &[100, 500, 2000]),
            beat: None,
            every: random.skewed(200_000, 20_000_000),
            delay: random.skewed(200, 40_000),
            load: random.skewed(20_000, 1_000_000),
            aim: random.of(0, &[10, 50, 200]),
            weights: std::array::from_fn(|_| random.of(0, &[1, 2, 5])),
            told: random.chance(500),
            fair: random.of(850, &[1000, 500]),
            disks: DiskPlan::new(random),
        };
        Self { beat: beat(plan.delay), ..plan }
    }
}

/// In half of the worlds, told by something that has been drawn: so the others are what they were without beats.
pub(crate) fn beat(drawn: u64) -> Option<i32> {
    drawn.is_multiple_of(2).then_some(BEAT)
}

/// That of the product, ms.
const BEAT: i32 = 50;

impl World {
    /// Something goes wrong, and something else will soon.
    pub(crate) fn fault(&mut self) -> Checked {
        if self.calm {
            return Ok(());
        }
        let next = self.random.between(self.plan.every / 10, self.plan.every);
        self.after(next, Event::Fault);
        let all: Vec<Sid> = self.servers.keys().copied().collect();
        let Some(&sid) = self.random.pick(&all) else { return Ok(()) };
        if self.plan.disks.replaced > 0
            && self.random.chance(200)
            && let Some(server) = self.servers.get_mut(&sid)
        {
            server.copy = Some(server.disk.durable());
        }
        let total: u64 = self.plan.weights.iter().sum();
        let mut dice = self.random.below(total);
        let kind = self.plan.weights.iter().position(|&weight| {
            let hit = dice < weight;
            dice = dice.saturating_sub(weight);
            hit
        });
        if kind.and_then(|n| Kind::ALL.get(n)).is_some_and(|&kind| self.spared.has(kind)) {
            return Ok(());
        }
        match kind {
            Some(0) => self.crash_some(&all),
            Some(1) => {
                let us = self.random.skewed(10_000, 20_000_000);
                self.pause(sid, us);
            }
            Some(2) => self.partition(sid, &all),
            Some(3) => {
                let links: Vec<u64> = self.links.keys().copied().collect();
                if let Some(&link) = self.random.pick(&links) {
                    note!(self.trace, "connection {link} breaks");
                    self.break_both(link);
                }
            }
            Some(4) => {
                let slowness = self.random.skewed(1, 200);
                if let Some(server) = self.servers.get_mut(&sid) {
                    server.slowness = slowness;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// One, several or all servers end.
    fn crash_some(&mut self, all: &[Sid]) {
        let how_many = self.random.skewed(1, u64::try_from(all.len()).unwrap_or(1));
        let power = self.random.chance(500);
        for _ in 0..how_many {
            if let Some(&sid) = self.random.pick(all) {
                self.crash(sid, power);
                let down = self.random.skewed(1_000, 10_000_000);
                self.after(down, Event::Start(sid));
            }
        }
    }

    /// A process ends.
    pub(crate) fn crash(&mut self, sid: Sid, power: bool) {
        let Some(server) = self.servers.get_mut(&sid) else { return };
        if server.process.take().is_none() {
            return;
        }
        note!(self.trace, "{sid} ends{}", if power { ", and its machine" } else { "" });
        self.summary.crashes += 1;
        server.paused_until = 0;
        let writing: Vec<_> = server.writing.drain(..).map(|(_, write)| write).collect();
        let tears = !self.calm && !self.spared.has(Kind::Disk);
        server.disk.crash(&writing, power, tears, &mut self.random);
        let silent = power && self.random.chance(500);
        self.break_links_of(sid, silent);
    }

    /// Now and then somebody replaces the disk of a server that is down.
    pub(crate) fn replace_disk(&mut self, sid: Sid) {
        let plan = self.plan.disks;
        if self.calm || self.spared.has(Kind::Disk) || !self.random.chance(plan.replaced) {
            return;
        }
        let counts = Counts {
            quorums: &self.quorums,
            committed: self.checker.last(),
            established: self.checker.newest_epoch(),
        };
        let disks = self.servers.values().map(|server| (server.sid, &server.disk));
        let counted = self.links.values().any(|link| link.learner == sid && link.leader_open);
        let may_forget = !counted && may_forget(sid, disks, &counts);
        let Some(server) = self.servers.get_mut(&sid).filter(|server| server.process.is_none())
        else {
            return;
        };
        let new = replace(server.copy.as_ref(), may_forget, self.mistakes, &mut self.random);
        let Some((disk, is_copy)) = new else { return };
        note!(self.trace, "the disk of {sid} is {}", if is_copy { "as it was" } else { "empty" });
        server.disk.replace(disk);
        let [emptied, restored] = &mut self.summary.replaced;
        *(if is_copy { restored } else { emptied }) += 1;
    }

    fn pause(&mut self, sid: Sid, us: u64) {
        let until = self.now + us;
        if let Some(server) = self.servers.get_mut(&sid).filter(|server| server.process.is_some()) {
            note!(self.trace, "{sid} stands still for {us} us");
            server.paused_until = until;
            self.at(until, Event::Ask(sid));
        }
    }

    /// A server is cut off from some others, in one direction or both.
    fn partition(&mut self, sid: Sid, all: &[Sid]) {
        let us = self.random.skewed(10_000, 30_000_000);
        let (to, from) = (self.random.chance(700), self.random.chance(700));
        for &other in all.iter().filter(|&&other| other != sid) {
            if self.random.chance(600) {
                for (blocks, pair) in [(to, (sid, other)), (from, (other, sid))] {
                    if blocks && self.blocked.insert(pair) {
                        self.after(us, Event::Heal(pair.0, pair.1));
                    }
                }
            }
        }
        note!(self.trace, "{sid} is cut off for {us} us: {:?}", self.blocked);
    }

    /// No more faults: everybody runs, and everybody is reached.
    pub(crate) fn become_calm(&mut self) {
        note!(self.trace, "calm");
        self.calm = true;
        self.blocked.clear();
        let all: Vec<Sid> = self.servers.keys().copied().collect();
        for sid in all {
            if let Some(server) = self.servers.get_mut(&sid) {
                server.paused_until = 0;
                server.slowness = 1;
            }
            self.after(1, Event::Start(sid));
        }
    }

    /// Servers that look for a leader are told of one: mostly of the right one, for the roles must not rely on that.
    pub(crate) fn elect(&mut self) -> Checked {
        if !self.plan.told {
            return Ok(());
        }
        let next = self.random.between(5_000, 100_000);
        self.after(next, Event::Elect);
        let now = self.now;
        let is_looking = |p: &Process| matches!(p.role, Role::Looking);
        let looking = self.servers.values().filter(|server| server.paused_until <= now);
        let looking = looking.filter(|server| server.process.as_ref().is_some_and(is_looking));
        let looking: Vec<(Sid, bool)> = looking.map(|server| (server.sid, server.votes)).collect();
        let leading = self.leading();
        let leader = if leading.is_empty() || (!self.calm && self.random.chance(100)) {
            self.candidate(&looking)
        } else {
            self.random.pick(&leading).copied()
        };
        let Some(leader) = leader else { return Ok(()) };
        for (sid, _) in looking {
            if self.calm || self.random.chance(800) {
                self.told_leader(sid, leader)?;
            }
        }
        Ok(())
    }

    fn candidate(&mut self, looking: &[(Sid, bool)]) -> Option<Sid> {
        let voters: Vec<Sid> =
            looking.iter().filter(|(_, votes)| *votes).map(|(sid, _)| *sid).collect();
        if !self.calm && !self.random.chance(self.plan.fair) {
            return self.random.pick(&voters).copied();
        }
        if self.calm && !self.quorums.is_quorum(|sid| voters.contains(&sid)) {
            return None;
        }
        let history = |sid: &Sid| {
            let process = self.servers.get(sid).and_then(|server| server.process.as_ref());
            process.map(|p| {
                let durable = p.durable.clone().settled();
                (durable.current_epoch, durable.last_zxid(), *sid)
            })
        };
        voters.iter().copied().max_by_key(history)
    }

    pub(crate) fn told_leader(&mut self, sid: Sid, leader: Sid) -> Checked {
        let (turn, clock, config) = (self.number(), self.clock(sid), self.config(sid));
        let quorums = self.quorums.clone();
        let Some(process) = self.awake(sid) else { return Ok(()) };
        process.turn = turn;
        process.timer = u64::MAX;
        if sid == leader {
            let leading = Leader::new(config, quorums, process.durable.clone(), clock);
            process.role = Role::Leading(Box::new(leading));
            note!(self.trace, "{sid} is to lead");
            return self.carry_out(sid);
        }
        process.role = Role::Connecting(leader, 0);
        let delay = self.random.skewed(100, 30_000);
        self.after(delay, Event::Connect(sid, turn));
        Ok(())
    }

    /// Clients write at whoever says that it leads, and ask for syncs.
    pub(crate) fn load(&mut self) -> Checked {
        let next = self.random.between(self.plan.load / 10, self.plan.load);
        self.after(next, Event::Load);
        let all: Vec<Sid> = self.servers.keys().copied().collect();
        let Some(&sid) = self.random.pick(&all) else { return Ok(()) };
        if self.random.chance(300) {
            return self.ask_sync(sid);
        }
        if self.random.chance(100) {
            self.take_snapshot(sid);
            return Ok(());
        }
        for sid in self.leading() {
            self.propose(sid)?;
        }
        Ok(())
    }

    /// A client of a server asks for a sync.
    pub(crate) fn ask_sync(&mut self, sid: Sid) -> Checked {
        let (clock, committed) = (self.clock(sid), self.checker.committed());
        let Some(process) = self.awake(sid) else { return Ok(()) };
        if process.is_established() {
            process.syncs.push_back(committed);
            process.leader().map(|leader| leader.sync(clock));
            return self.carry_out(sid);
        }
        if process.serving {
            process.syncs.push_back(committed);
            process.ask_sync();
            return self.carry_out(sid);
        }
        Ok(())
    }

    fn take_snapshot(&mut self, sid: Sid) {
        let server = self.servers.get_mut(&sid);
        let Some(server) = server else { return };
        if let Some(process) = server.process.as_ref()
            && (process.serving || process.is_established())
        {
            let snapshot = Snapshot::new(process.state.last(), process.state.clone());
            self.write(sid, Write::Snapshot(snapshot));
        }
    }

    fn propose(&mut self, sid: Sid) -> Checked {
        let (clock, how_many) = (self.clock(sid), self.random.between(1, 3));
        let values: Vec<u64> = (0..how_many).map(|_| self.number()).collect();
        let Some(process) = self.awake(sid) else { return Ok(()) };
        let Some(leader) = process.leader().filter(|leader| leader.is_established()) else {
            return Ok(());
        };
        let mut zxid = leader.next_zxid();
        let mut segment = Segment::default();
        let mut entries = Vec::new();
        for value in values {
            let made = entry(zxid, value);
            segment.push(zxid, |out| out.extend_from_slice(made.payload()));
            entries.push(made);
            zxid = zxid.next();
        }
        leader.propose(&Arc::new(segment), clock);
        self.append(sid, entries);
        self.carry_out(sid)
    }
}
