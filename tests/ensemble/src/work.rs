//! What roles want done: messages, writes, applying.

use crate::check::Checked;
use crate::disk::{Snapshot, Write};
use crate::link::Down;
use crate::server::Role;
use crate::shrink::Kind;
use crate::state::{Kept, State};
use crate::world::{Event, Side, World};
use quorate_engine::zab::{
    Durable, Entry, LeaderEffect, LearnerEffect, LearnerKey, Leaving, Mistake, Sid, ToLearner,
};
use quorate_tests_kit::note;
use quorate_wire::Zxid;

impl World {
    /// Does what a server's role wants done.
    pub(crate) fn carry_out(&mut self, sid: Sid) -> Checked {
        loop {
            let Some(process) = self.servers.get_mut(&sid).and_then(|s| s.process.as_mut()) else {
                return Ok(());
            };
            let turn = process.turn;
            if let Role::Leading(leader) = &mut process.role {
                let effects: Vec<LeaderEffect> = leader.effects().collect();
                if effects.is_empty() {
                    break;
                }
                for effect in effects {
                    self.lead(sid, turn, effect)?;
                }
            } else {
                let effects = process.learner_effects();
                if effects.is_empty() {
                    break;
                }
                for effect in effects {
                    self.learn(sid, turn, effect)?;
                }
            }
        }
        self.arm(sid);
        Ok(())
    }

    fn lead(&mut self, sid: Sid, turn: u64, effect: LeaderEffect) -> Checked {
        match effect {
            LeaderEffect::Send(LearnerKey(link), message) => {
                match &message {
                    ToLearner::Diff(_) => self.summary.plans[0] += 1,
                    ToLearner::Trunc(_) => self.summary.plans[1] += 1,
                    ToLearner::Snap(_) => self.summary.plans[2] += 1,
                    _ => {}
                }
                self.send_down(link, Down::Message(message));
            }
            LeaderEffect::SendTree(LearnerKey(link)) => self.send_tree(sid, link),
            LeaderEffect::SearchLog(LearnerKey(link), at, upto) => {
                let delay = self.random.skewed(100, 50_000);
                self.after(delay, Event::Searched(sid, turn, link, at, upto));
            }
            LeaderEffect::SendLog(LearnerKey(link), from, upto) => {
                self.send_log(sid, link, from, upto)
            }
            LeaderEffect::Close(LearnerKey(link), why) => {
                note!(self.trace, "{sid} closes {link}: {why}");
                blameless(sid, &why)?;
                self.hang_up(link, Side::Leader);
            }
            LeaderEffect::WriteAccepted(epoch) => self.write(sid, Write::Accepted(epoch)),
            LeaderEffect::WriteCurrent(epoch) => self.write(sid, Write::Current(epoch)),
            LeaderEffect::Established(epoch) => {
                let process = self.servers.get(&sid).and_then(|server| server.process.as_ref());
                let state = process.map(|process| process.state.clone()).unwrap_or_default();
                note!(self.trace, "{sid} is established in epoch {epoch:x} at {}", state.last());
                self.checker.established(sid, epoch, &state)?;
                self.role_began(sid, epoch);
                self.aim(sid);
            }
            LeaderEffect::Committed(zxid) => self.apply(sid, zxid)?,
            LeaderEffect::Synced(number) => {
                while self.awake(sid).is_some_and(|process| process.synced < number) {
                    self.synced(sid)?;
                }
            }
            LeaderEffect::Leave(why) => {
                note!(self.trace, "{sid} leads no more: {why}");
                if self.is_turn(sid, turn) {
                    self.leave_role(sid);
                }
            }
            // Nobody reconfigures this ensemble, nor has it clients.
            LeaderEffect::SawConfig(_)
            | LeaderEffect::Activate(..)
            | LeaderEffect::Followers(_)
            | LeaderEffect::Request(..)
            | LeaderEffect::Touched(..)
            | LeaderEffect::Revalidate(..) => {}
        }
        Ok(())
    }

    fn learn(&mut self, sid: Sid, turn: u64, effect: LearnerEffect) -> Checked {
        match effect {
            LearnerEffect::Send(message) => {
                let process = self.servers.get(&sid).and_then(|server| server.process.as_ref());
                if let Some(link) = process.and_then(|process| process.link()) {
                    self.send_up(link, message);
                }
            }
            LearnerEffect::WriteAccepted(epoch) => self.write(sid, Write::Accepted(epoch)),
            LearnerEffect::WriteCurrent(epoch) => self.write(sid, Write::Current(epoch)),
            LearnerEffect::Truncate(zxid) => self.truncate(sid, zxid)?,
            LearnerEffect::ReceiveTree => {}
            LearnerEffect::InstallTree(zxid) => {
                let process = self.servers.get_mut(&sid).and_then(|server| server.process.as_mut());
                let state =
                    process.and_then(|process| process.incoming.clone()).unwrap_or_default();
                self.write(sid, Write::Install(Snapshot::new(zxid, state)));
            }
            LearnerEffect::Append(entries) => self.append(sid, entries),
            LearnerEffect::Committed(zxid) => self.apply(sid, zxid)?,
            LearnerEffect::Serve(epoch) => {
                note!(self.trace, "{sid} serves in epoch {epoch:x}");
                let Some(process) = self.awake(sid) else { return Ok(()) };
                process.serving = true;
                let state = process.state.clone();
                self.checker.serves(sid, &state)?;
                self.role_began(sid, epoch);
                self.aim(sid);
            }
            LearnerEffect::Synced => self.synced(sid)?,
            LearnerEffect::SawConfig(_)
            | LearnerEffect::LeaderConfig(_)
            | LearnerEffect::Adopt(_)
            | LearnerEffect::Activate(..)
            | LearnerEffect::Revalidated(..) => {}
            LearnerEffect::Leave(why) => {
                note!(self.trace, "{sid} leaves its leader: {why}");
                blameless(sid, &why)?;
                if self.is_turn(sid, turn) {
                    if why == Leaving::Silent {
                        self.silent(sid);
                    }
                    let epoch = self.servers.get(&sid).and_then(|s| s.process.as_ref()?.epoch());
                    self.leave_role(sid);
                    if let Some(process) =
                        self.servers.get_mut(&sid).and_then(|s| s.process.as_mut())
                        && matches!(why, Leaving::CannotCut(_))
                    {
                        self.summary.cannot_cut += 1;
                        process.wants_tree = epoch;
                    }
                }
            }
        }
        Ok(())
    }

    /// The leader of this server is silent, and its vote not to be waited for.
    fn silent(&mut self, sid: Sid) {
        let clock = self.clock(sid);
        let process = self.servers.get_mut(&sid).and_then(|server| server.process.as_mut());
        let Some(process) = process else { return };
        self.summary.silent += u64::from(process.serving);
        let link = process.link().and_then(|link| self.links.get(&link));
        if let (Some(link), Some(election)) = (link, &mut process.election) {
            election.unreachable(clock, link.leader);
        }
    }

    /// Now and then a machine fails at the worst moment, and others soon after.
    fn aim(&mut self, sid: Sid) {
        if self.calm || !self.random.chance(self.plan.aim) || self.spared.has(Kind::Aim) {
            return;
        }
        let all: Vec<Sid> = self.servers.keys().copied().collect();
        let others = self.random.index(all.len());
        let mut victims: Vec<Sid> =
            (0..others).filter_map(|_| self.random.pick(&all).copied()).collect();
        // Its leader is the one whose end matters most.
        if self.random.chance(500) {
            victims.extend(self.leader_of(sid));
        }
        for victim in victims.into_iter().chain([sid]) {
            let (delay, down) =
                (self.random.skewed(0, 20_000), self.random.skewed(1_000, 5_000_000));
            let delay = if victim == sid { 0 } else { delay };
            self.after(delay, Event::Fail(victim));
            self.after(delay + down, Event::Start(victim));
        }
    }

    fn leader_of(&self, sid: Sid) -> Option<Sid> {
        let link = self.servers.get(&sid)?.process.as_ref()?.link()?;
        self.links.get(&link).map(|link| link.leader)
    }

    fn is_turn(&self, sid: Sid, turn: u64) -> bool {
        let process = self.servers.get(&sid).and_then(|server| server.process.as_ref());
        process.is_some_and(|process| process.turn == turn)
    }

    /// A sync of a client is answered: its server must show everything that was committed anywhere when it was asked for.
    fn synced(&mut self, sid: Sid) -> Checked {
        let Some(process) = self.awake(sid) else { return Ok(()) };
        process.synced += 1;
        let shown = process.state.0.len();
        let Some(wanted) = process.syncs.pop_front() else { return Ok(()) };
        self.summary.syncs += 1;
        crate::check::ensure!(
            shown >= wanted,
            "server {sid} answers a sync with {shown} transactions where {wanted} were committed"
        );
        Ok(())
    }

    fn send_tree(&mut self, sid: Sid, link: u64) {
        let process = self.servers.get(&sid).and_then(|server| server.process.as_ref());
        let state = process.map(|process| process.state.clone()).unwrap_or_default();
        let half = State(state.0.iter().take(state.0.len() / 2).copied().collect());
        self.send_down(link, Down::Tree(half, 1));
        self.send_down(link, Down::Tree(state, 0));
    }

    /// A leader has looked into its log for a learner. Now and then it is of no use.
    pub(crate) fn log_searched(
        &mut self,
        sid: Sid,
        turn: u64,
        link: u64,
        at: Zxid,
        upto: Zxid,
    ) -> Checked {
        let useless = self.random.chance(300);
        let Some(server) = self.servers.get_mut(&sid) else { return Ok(()) };
        let found = server.disk.search(at, upto).filter(|_| !useless);
        let Some(process) = server.process.as_mut().filter(|process| process.turn == turn) else {
            return Ok(());
        };
        if let Some(leader) = process.leader() {
            note!(self.trace, "{sid} finds {found:x?} in its log for {link}, which is at {at}");
            leader.log_searched(LearnerKey(link), found);
        }
        self.carry_out(sid)
    }

    fn send_log(&mut self, sid: Sid, link: u64, from: Zxid, upto: Zxid) {
        let server = self.servers.get(&sid);
        for entry in server.map(|server| server.disk.between(from, upto)).unwrap_or_default() {
            let zxid = entry.zxid();
            self.send_down(link, Down::Message(ToLearner::Proposal(entry)));
            self.send_down(link, Down::Message(ToLearner::Commit(zxid)));
        }
        self.summary.from_disk += 1;
    }

    /// Records go to the log of a server.
    pub(crate) fn append(&mut self, sid: Sid, entries: Vec<Entry>) {
        if let Some(server) = self.servers.get_mut(&sid) {
            server.disk.append(entries);
        }
        self.sync_log(sid);
    }

    fn truncate(&mut self, sid: Sid, zxid: Zxid) -> Checked {
        let Some(server) = self.servers.get_mut(&sid) else { return Ok(()) };
        if server.disk.can_cut(zxid) {
            self.write(sid, Write::Truncate(zxid));
            return Ok(());
        }
        if let Some(process) = server.process.as_mut() {
            process.truncated(None);
        }
        Ok(())
    }

    fn sync_log(&mut self, sid: Sid) {
        let Some(server) = self.servers.get(&sid) else { return };
        let syncing = server.writing.iter().any(|(_, write)| matches!(write, Write::Sync(_)));
        if !syncing && server.disk.unsynced() > 0 {
            let end = server.disk.end();
            self.write(sid, Write::Sync(end));
        }
    }

    /// A write has reached the device.
    pub(crate) fn written(&mut self, sid: Sid, number: u64) -> Checked {
        let (now, clock, memory) = (self.now, self.clock(sid), self.memory());
        let Some(server) = self.servers.get_mut(&sid) else { return Ok(()) };
        let Some(at) = server.writing.iter().position(|(n, _)| *n == number) else { return Ok(()) };
        if server.paused_until > now {
            let until = server.paused_until;
            self.at(until, Event::Written(sid, number));
            return Ok(());
        }
        if !self.calm
            && !self.spared.has(Kind::Disk)
            && self.random.below(100_000) < self.plan.disks.fails
        {
            self.write_failed(sid, at);
            return Ok(());
        }
        let (_, write) = server.writing.remove(at);
        server.disk.complete(&write);
        match write {
            Write::Sync(_) | Write::Snapshot(_) => {}
            // What it has acknowledged is gone.
            Write::Truncate(_) => (0..5).for_each(|_| self.aim(sid)),
            _ => self.aim(sid),
        }
        let Some(server) = self.servers.get_mut(&sid) else { return Ok(()) };
        let cut = matches!(write, Write::Truncate(_)).then(|| server.disk.open(memory));
        let Some(process) = server.process.as_mut() else { return Ok(()) };
        match write {
            Write::Accepted(epoch) => process.accepted_written(epoch, clock),
            Write::Current(epoch) => process.current_written(epoch, clock),
            Write::Sync(zxid) => process.logged(zxid, clock),
            Write::Truncate(_) => {
                let (state, durable) = cut.unwrap_or_default();
                process.state = state;
                process.truncated(Some(durable.history));
            }
            Write::Install(snapshot) => {
                process.incoming = None;
                process.state = snapshot.state;
                process.tree_installed();
            }
            Write::Snapshot(_) => {}
        }
        self.sync_log(sid);
        self.carry_out(sid)?;
        self.look_again(sid)
    }

    /// The disk of a server fails to do what it should: the server ends, and says nothing more.
    fn write_failed(&mut self, sid: Sid, at: usize) {
        note!(self.trace, "the disk of {sid} fails");
        self.summary.failed += 1;
        let Some(server) = self.servers.get_mut(&sid) else { return };
        if matches!(server.writing.get(at), Some((_, Write::Sync(_)))) {
            server.disk.sync_failed();
            if self.mistakes.make(Mistake::SyncAgain) {
                server.writing.remove(at);
                return self.sync_log(sid);
            }
        }
        self.crash(sid, false);
        let down = self.random.skewed(1_000, 5_000_000);
        self.after(down, Event::Start(sid));
    }

    /// A server applies its history up to here.
    fn apply(&mut self, sid: Sid, upto: Zxid) -> Checked {
        let Some(process) = self.servers.get_mut(&sid).and_then(|s| s.process.as_mut()) else {
            return Ok(());
        };
        let last = process.state.last();
        let Some(history) = process.history() else { return Ok(()) };
        let new = history.since(last).take_while(|entry| entry.zxid() <= upto);
        let new: Vec<Entry> = new.cloned().collect();
        for entry in new {
            process.state.apply(&entry);
            if process.serving || process.is_established() {
                let at = process.state.0.len() - 1;
                let applied = process.state.0.last().copied().unwrap_or_default();
                self.checker.applied(sid, at, applied)?;
            }
        }
        Ok(())
    }

    /// A server gives up its role. What is being written is waited for, then it looks at its disk again.
    pub(crate) fn leave_role(&mut self, sid: Sid) {
        let turn = self.number();
        let outlives = self.mistakes.make(Mistake::MemoryOutlivesRole);
        let Some(server) = self.servers.get_mut(&sid) else { return };
        let Some(process) = server.process.as_mut() else { return };
        let history = process.history().cloned().filter(|_| outlives);
        if let Some(history) = history {
            for entry in history.since(process.state.last()) {
                process.state.apply(entry);
            }
            process.durable.history = history;
            server.disk.forget_unsynced();
        }
        process.role = Role::Draining;
        process.turn = turn;
        process.timer = u64::MAX;
        process.serving = false;
        process.syncs.clear();
        process.synced = 0;
        self.break_links_of(sid, false);
        // Later, so that whoever has something to add to this can.
        self.after(1, Event::Look(sid));
    }

    /// Looks at the disk once nothing is on its way to it, and for a leader then.
    pub(crate) fn look_again(&mut self, sid: Sid) -> Checked {
        let memory = self.memory();
        let outlives = self.mistakes.make(Mistake::MemoryOutlivesRole);
        let half = self.mistakes.make(Mistake::HalfSnapshot);
        let dirty = self.mistakes.make(Mistake::TruncKeepsSnapshots);
        let Some(server) = self.servers.get_mut(&sid).filter(|s| is_at_rest(&s.writing)) else {
            return Ok(());
        };
        let Some(process) = server.process.as_mut() else { return Ok(()) };
        if !matches!(process.role, Role::Draining) {
            return Ok(());
        }
        let (state, durable) = server.disk.open(memory);
        let part = process.incoming.take().filter(|_| half);
        if outlives {
            let history = std::mem::take(&mut process.durable.history);
            process.durable = Durable { history, ..durable };
        } else {
            process.state = part.unwrap_or(state);
            process.durable = durable;
        }
        process.durable.wants_tree = process.wants_tree.take();
        process.role = Role::Looking;
        if dirty {
            server.disk.snapshot(process.state.last(), &process.state);
        }
        self.look_for_leader(sid)
    }
}

/// Whether nothing is on its way to a disk that a role's end waits for.
pub(crate) fn is_at_rest<S>(writing: &[(u64, Write<S>)]) -> bool {
    writing.iter().all(|(_, write)| matches!(write, Write::Snapshot(_)))
}

/// Whatever goes wrong around them, no server may say what cannot be said, or leave out a transaction.
fn blameless(sid: Sid, why: &Leaving) -> Checked {
    let fault = matches!(why, Leaving::Protocol(_) | Leaving::Gap { .. });
    crate::check::ensure!(!fault, "server {sid} finds fault with the other side: {why}");
    Ok(())
}
