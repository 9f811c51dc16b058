//! What goes wrong.

use super::world::{Event, World};
use crate::disk::{Snapshot, Write};
use crate::faults::{DiskPlan, beat};
use crate::operator::{Counts, may_forget, replace};
use crate::shrink::Kind;
use quorate_engine::member::Doing;
use quorate_engine::zab::Sid;
use quorate_tests_kit::note;
use quorate_tests_kit::random::Random;

/// How a world is, and how bad: a weight for each kind of fault.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Servers that vote.
    pub voters: Sid,
    /// Servers that do not.
    pub observers: Sid,
    /// Clients.
    pub clients: usize,
    /// Timeout of their sessions, ms.
    pub timeout: i32,
    /// `tickTime`, ms.
    pub tick: i64,
    /// Between two beats of a leader, ms; nothing in half of the worlds, as if it were Apache's.
    pub beat: Option<i32>,
    /// Longest time between two faults, us.
    every: u64,
    /// Longest time that a message takes, us.
    pub delay: u64,
    /// Longest time between two ideas of a client, us.
    pub idea: u64,
    weights: [u64; 5],
    /// How often, in a thousand, a machine fails at a bad moment.
    pub aim: u64,
    pub(super) disks: DiskPlan,
}

impl Plan {
    /// The plan of a seed.
    pub fn new(random: &mut Random) -> Self {
        let tick = random.of(200, &[100, 500, 2000]);
        let ticks = random.of(4, &[6, 10]);
        let plan = Self {
            voters: random.of(3, &[3, 3, 3, 5, 7, 1, 2]),
            observers: random.of(0, &[0, 1, 2]),
            clients: usize::try_from(random.between(1, 6)).unwrap_or(1),
            timeout: i32::try_from(tick * ticks).unwrap_or(i32::MAX),
            tick,
            beat: None,
            every: random.skewed(200_000, 20_000_000),
            delay: random.skewed(200, 20_000),
            idea: random.skewed(100_000, 2_000_000),
            weights: std::array::from_fn(|_| random.of(0, &[1, 2, 5])),
            aim: random.of(0, &[10, 50, 200]),
            disks: DiskPlan::new(random),
        };
        Self { beat: beat(plan.delay), ..plan }
    }
}

impl World {
    /// Something goes wrong, and something else will soon.
    pub(super) fn fault(&mut self) {
        if self.calm {
            return;
        }
        let next = self.random.between(self.plan.every / 10, self.plan.every);
        self.after(next, Event::Fault);
        let all: Vec<Sid> = self.servers.keys().copied().collect();
        let Some(&sid) = self.random.pick(&all) else { return };
        if self.plan.disks.replaced > 0
            && self.random.chance(200)
            && let Some(server) = self.servers.get_mut(&sid)
        {
            server.copy = Some(server.disk.durable());
        }
        if self.random.chance(200) {
            self.take_snapshot(sid);
        }
        let total: u64 = self.plan.weights.iter().sum();
        let mut dice = self.random.below(total.max(1));
        let kind = self.plan.weights.iter().position(|&weight| {
            let hit = dice < weight;
            dice = dice.saturating_sub(weight);
            hit
        });
        let kind = kind.and_then(|n| Kind::ALL.get(n)).copied();
        match kind.filter(|&kind| !self.spared.has(kind)) {
            Some(Kind::Crash) => self.crash_some(&all),
            Some(Kind::Pause) => self.pause_some(sid),
            Some(Kind::Partition) => self.partition(sid, &all),
            Some(Kind::Break) => self.break_some(),
            Some(Kind::Slow) => self.hinder(sid),
            _ => {}
        }
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
    pub(super) fn crash(&mut self, sid: Sid, power: bool) {
        if self.process(sid).is_none() {
            return;
        }
        let silent = power && self.random.chance(500);
        if silent {
            let pipes = self.process(sid).map(|p| std::mem::take(&mut p.pipes));
            for pipe in pipes.unwrap_or_default().into_values() {
                self.break_pipe(pipe, true);
            }
        }
        self.close_pipes_of(sid);
        let Some(server) = self.servers.get_mut(&sid) else { return };
        server.process = None;
        note!(self.trace, "{sid} ends{}", if power { ", and its machine" } else { "" });
        self.summary.crashes += 1;
        server.paused_until = 0;
        server.full = false;
        let writing: Vec<_> = server.writing.drain(..).map(|(_, write)| write).collect();
        let tears = !self.calm && !self.spared.has(Kind::Disk);
        server.disk.crash(&writing, power, tears, &mut self.random);
        self.break_links_of(sid, silent);
    }

    /// Now and then somebody replaces the disk of a server that is down.
    pub(super) fn replace_disk(&mut self, sid: Sid) {
        let plan = self.plan.disks;
        if self.calm || self.spared.has(Kind::Disk) || !self.random.chance(plan.replaced) {
            return;
        }
        let counts = Counts {
            quorums: &self.quorums,
            committed: self.history.last(),
            established: self.history.newest_epoch(),
        };
        let disks = self.servers.values().map(|server| (server.sid, &server.disk));
        let counted = self.links.values().any(|link| link.learner == sid && link.leader_open);
        let may_forget = !counted && may_forget(sid, disks, &counts);
        let down = self.servers.get_mut(&sid).filter(|server| server.process.is_none());
        let Some(server) = down else { return };
        let new = replace(server.copy.as_ref(), may_forget, self.mistakes, &mut self.random);
        let Some((disk, is_copy)) = new else { return };
        note!(self.trace, "the disk of {sid} is {}", if is_copy { "as it was" } else { "empty" });
        server.disk.replace(disk);
        // It does not know any more which session ids it has given out. New ones follow the clock, or the newest that anybody has seen, so its clock
        // must not stand behind another one's.
        server.skew = MOST_SKEW;
        let [emptied, restored] = &mut self.summary.replaced;
        *(if is_copy { restored } else { emptied }) += 1;
    }

    /// A server stands still, or a client.
    fn pause_some(&mut self, sid: Sid) {
        let mut us = self.random.skewed(10_000, 20_000_000);
        let mut sid = sid;
        if self.random.chance(300) {
            // Long enough for another leader, and short enough for the clients of this one.
            let tick = u64::try_from(self.plan.tick).unwrap_or(0) * 1_000;
            us = self.random.between(3 * tick, 7 * tick);
            sid = self.who_leads().unwrap_or(sid);
            // Its clients want nothing that would have to be answered before what they ask in the end.
            let (pipes, until) = (&self.pipes, self.now + us);
            let is_there = |pipe: u64| pipes.get(&pipe).is_some_and(|pipe| pipe.server == sid);
            for owner in self.owners.iter_mut().filter(|owner| owner.pipe().is_some_and(is_there)) {
                owner.idea_at = owner.idea_at.max(until);
            }
        }
        let until = self.now + us;
        if self.random.chance(300) {
            let n = self.random.index(self.owners.len());
            if let Some(owner) = self.owners.get_mut(n) {
                note!(self.trace, "client {n} stands still for {us} us");
                owner.paused_until = owner.paused_until.max(until);
            }
        } else if let Some(server) = self.servers.get_mut(&sid).filter(|s| s.process.is_some()) {
            note!(self.trace, "{sid} stands still for {us} us");
            server.paused_until = server.paused_until.max(until);
            // What it hears first when it wakes up.
            let asked = self.random.between(us / 2, us);
            self.after(asked, Event::Ask(sid));
        }
    }

    /// Whoever leads and serves.
    fn who_leads(&self) -> Option<Sid> {
        let leads = self.servers.values().find(|server| {
            let process = server.process.as_ref();
            process.is_some_and(|p| p.serving && p.member.doing() == Doing::Leading)
        });
        leads.map(|server| server.sid)
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

    /// A connection breaks, of servers or of a client.
    fn break_some(&mut self) {
        let links: Vec<u64> = self.links.keys().copied().collect();
        let pipes: Vec<u64> = self.pipes.keys().copied().collect();
        if self.random.chance(500) {
            if let Some(&link) = self.random.pick(&links) {
                note!(self.trace, "connection {link} breaks");
                self.break_both(link);
            }
        } else if let Some(&pipe) = self.random.pick(&pipes) {
            let silent = self.random.chance(500);
            note!(self.trace, "connection {pipe} of a client breaks");
            self.break_pipe(pipe, silent);
        }
    }

    /// A disk is slow, or full, or well again.
    fn hinder(&mut self, sid: Sid) {
        let (slowness, full) = (self.random.skewed(1, 200), self.random.chance(200));
        if let Some(server) = self.servers.get_mut(&sid) {
            (server.slowness, server.full) = (slowness, full);
        }
        if self.random.chance(300) {
            self.take_snapshot(sid);
        }
    }

    fn take_snapshot(&mut self, sid: Sid) {
        let Some(server) = self.servers.get_mut(&sid) else { return };
        if let Some(process) = server.process.as_mut().filter(|process| process.serving) {
            let image = super::image::Image::of(&mut process.tree, process.gaps.clone());
            let snapshot = Snapshot::new(process.tree.last_zxid(), image);
            self.write(sid, Write::Snapshot(snapshot));
        }
    }

    /// A machine fails at the worst moment, and others soon after.
    pub(super) fn aim(&mut self, sid: Sid) {
        if !self.may_aim() {
            return;
        }
        let all: Vec<Sid> = self.servers.keys().copied().collect();
        let others = self.random.index(all.len());
        let mut victims: Vec<Sid> =
            (0..others).filter_map(|_| self.random.pick(&all).copied()).collect();
        let link = self.process(sid).and_then(|process| process.link);
        let leader = link.and_then(|link| self.links.get(&link)).map(|link| link.leader);
        if self.random.chance(500) {
            victims.extend(leader);
        }
        for victim in victims.into_iter().chain([sid]) {
            let (delay, down) =
                (self.random.skewed(0, 20_000), self.random.skewed(1_000, 5_000_000));
            let delay = if victim == sid { 0 } else { delay };
            self.after(delay, Event::Fail(victim));
            self.after(delay + down, Event::Start(victim));
        }
    }

    /// No more faults: everybody runs, and everybody is reached. Who stands still goes on in a while.
    pub(super) fn become_calm(&mut self) {
        note!(self.trace, "calm");
        self.calm = true;
        self.blocked.clear();
        let all: Vec<Sid> = self.servers.keys().copied().collect();
        for sid in all {
            if let Some(server) = self.servers.get_mut(&sid) {
                (server.slowness, server.full) = (1, false);
            }
            self.after(1, Event::Start(sid));
        }
    }
}

/// By how much a wall clock is wrong at most, ms.
pub const MOST_SKEW: i64 = 10_000;
