//! What members want done: messages, writes, roles.

use super::image::{Gaps, Image};
use super::net::Down;
use super::world::{Event, World};
use crate::check::{Checked, ensure};
use crate::disk::{Snapshot, Write};
use crate::shrink::Kind;
use crate::work::is_at_rest;
use quorate_engine::election::History as Logged;
use quorate_engine::member::{Doing, Effect, LogRange};
use quorate_engine::shard::Flush;
use quorate_engine::zab::{Entry, LearnerKey, Leaving, Mistake, Sid, ToLearner};
use quorate_tests_kit::note;
use quorate_wire::txn::{Txn, TxnRecord};
use quorate_wire::{Jute, Zxid};

impl World {
    /// A server goes on until there is nothing more to do without the outside world.
    pub(super) fn go_on(&mut self, sid: Sid) -> Checked {
        loop {
            let clock = self.clock(sid);
            let Some(process) = self.process(sid) else { return Ok(()) };
            let turn = process.turn;
            process.resume(clock);
            let settled = process.work(clock, |member, bench| member.settle(bench));
            ensure!(settled.is_ok(), "server {sid}: {settled:?}");
            self.look_at(sid)?;
            let Some(process) = self.process(sid) else { return Ok(()) };
            let effects: Vec<Effect> = process.member.effects().collect();
            let idle = effects.is_empty();
            for effect in effects {
                // Now and then a machine fails between what it wanted to do.
                if !self.calm && self.random.below(20_000) < self.plan.aim && self.may_aim() {
                    self.aim(sid);
                    self.crash(sid, true);
                }
                if self.process(sid).is_none_or(|process| process.turn != turn) {
                    return Ok(());
                }
                self.carry_out(sid, effect)?;
            }
            // What was elected has effects, and nothing else might wake this server.
            let elected = self.vote(sid);
            self.flush(sid);
            let resumes = self.process(sid).is_some_and(|process| process.shard.has_resumable());
            if idle && !elected && !resumes {
                break;
            }
        }
        self.arm(sid);
        Ok(())
    }

    /// What a server holds must be what the others hold, or what they will.
    fn look_at(&mut self, sid: Sid) -> Checked {
        let Some(server) = self.servers.get(&sid) else { return Ok(()) };
        let Some(process) = &server.process else { return Ok(()) };
        if process.stale {
            return Ok(());
        }
        let serves = process.member.replica().is_some();
        self.history.holds(sid, &process.tree, serves.then_some(process.gaps.as_slice()))?;
        let mismatches = process.member.replica().map_or(0, |r| r.digest_mismatches());
        ensure!(mismatches == 0, "server {sid} has seen a digest that is not its tree's");
        Ok(())
    }

    fn carry_out(&mut self, sid: Sid, effect: Effect) -> Checked {
        let clock = self.clock(sid);
        match effect {
            Effect::Look(Logged { zxid, epoch }) => {
                if let Some(process) = self.process(sid) {
                    process.election.start(clock.mono, Logged { zxid, epoch });
                }
            }
            Effect::Silent(leader) => {
                let served = self.process(sid).is_some_and(|process| process.serving);
                self.summary.silent += u64::from(served);
                if let Some(process) = self.process(sid) {
                    process.election.unreachable(clock.mono, leader);
                }
            }
            // Nobody reconfigures this ensemble.
            Effect::Assume(..)
            | Effect::SawConfig(_)
            | Effect::Reconfigure(_)
            | Effect::Strangers(_) => {}
            Effect::Listen => {}
            Effect::Connect(leader) => {
                let delay = self.random.skewed(100, 30_000);
                let Some(process) = self.process(sid) else { return Ok(()) };
                process.trying = Some((leader, 0));
                let turn = process.turn;
                self.after(delay, Event::Connect(sid, turn));
            }
            Effect::ToLearner(LearnerKey(link), message) => {
                match &message {
                    ToLearner::Diff(_) => self.summary.plans[0] += 1,
                    ToLearner::Trunc(_) => self.summary.plans[1] += 1,
                    ToLearner::Snap(_) => self.summary.plans[2] += 1,
                    _ => {}
                }
                self.send_down(link, Down::Message(message));
            }
            Effect::SendTree(LearnerKey(link)) => self.send_tree(sid, link),
            Effect::SearchLog(LearnerKey(link), range) => {
                let delay = self.random.skewed(100, 50_000);
                let Some(turn) = self.process(sid).map(|process| process.turn) else {
                    return Ok(());
                };
                self.after(delay, Event::Searched(sid, turn, link, range));
            }
            Effect::SendLog(LearnerKey(link), from, upto) => self.send_log(sid, link, from, upto),
            Effect::CloseLearner(LearnerKey(link), why) => {
                note!(self.trace, "{sid} closes {link}: {why}");
                blameless(sid, &why)?;
                self.hang_up(link, true);
            }
            Effect::ToLeader(message) => {
                if let Some(link) = self.process(sid).and_then(|process| process.link) {
                    self.send_up(link, message);
                }
            }
            Effect::Append(segment) => {
                let entries: Vec<Entry> = Entry::all_of(&segment).collect();
                for entry in &entries {
                    self.expires(sid, entry)?;
                }
                self.append(sid, entries)?;
            }
            Effect::AppendEntries(entries) => self.append(sid, entries)?,
            Effect::WriteAccepted(epoch) => self.write(sid, Write::Accepted(epoch)),
            Effect::WriteCurrent(epoch) => self.write(sid, Write::Current(epoch)),
            Effect::Truncate(zxid) => self.truncate(sid, zxid),
            Effect::ReceiveTree => {}
            Effect::InstallTree(zxid) => {
                let Some(process) = self.process(sid) else { return Ok(()) };
                let incoming = process.incoming.take();
                let (stream, mut gaps) = incoming.unwrap_or_else(|| ([].into(), Gaps::new()));
                gaps.push((process.snap, zxid));
                let newest = process.tree.newest_session();
                let state = Image::received(zxid, gaps, stream, newest);
                self.write(sid, Write::Install(Snapshot::new(zxid, state)));
            }
            Effect::Serve(epoch) => self.serves(sid, epoch)?,
            // Here nobody may read without a leader.
            Effect::ReadOnly(_) => {}
            Effect::Rest(why) => self.rest(sid, &why)?,
        }
        Ok(())
    }

    /// A leader has looked into its log for a learner. Now and then it is of no use.
    pub(super) fn log_searched(
        &mut self,
        sid: Sid,
        turn: u64,
        link: u64,
        range: LogRange,
    ) -> Checked {
        let (useless, clock) = (self.random.chance(300), self.clock(sid));
        let Some(server) = self.servers.get_mut(&sid) else { return Ok(()) };
        let found = server.disk.search(range.at, range.upto).filter(|_| !useless);
        let Some(process) = server.process.as_mut().filter(|process| process.turn == turn) else {
            return Ok(());
        };
        note!(self.trace, "{sid} finds {found:x?} in its log for {link}, which is at {}", range.at);
        let key = LearnerKey(link);
        let done = process.work(clock, |member, bench| member.log_searched(key, found, bench));
        ensure!(done.is_ok(), "server {sid}: {done:?}");
        self.go_on(sid)
    }

    /// A leader sends a part of its log. Now and then it cannot be read to its end.
    fn send_log(&mut self, sid: Sid, link: u64, from: Zxid, upto: Zxid) {
        let server = self.servers.get(&sid);
        let mut entries = server.map(|server| server.disk.between(from, upto)).unwrap_or_default();
        let fails = !self.calm && self.random.chance(30);
        if fails {
            entries.truncate(self.random.index(entries.len() + 1));
        }
        self.summary.from_disk += 1;
        for entry in entries {
            let zxid = entry.zxid();
            self.send_down(link, Down::Message(ToLearner::Proposal(entry)));
            self.send_down(link, Down::Message(ToLearner::Commit(zxid)));
        }
        if fails {
            if let Some(process) = self.process(sid) {
                process.member.log_failed();
            }
            self.break_both(link);
        }
    }

    fn serves(&mut self, sid: Sid, epoch: i64) -> Checked {
        let clock = self.clock(sid);
        note!(self.trace, "{sid} serves in epoch {epoch:x}");
        let server = self.servers.get_mut(&sid);
        let Some(process) = server.and_then(|server| server.process.as_mut()) else {
            return Ok(());
        };
        process.serving = true;
        process.epoch = epoch;
        process.since = clock.mono;
        process.heard.clear();
        process.election.established(epoch);
        if process.member.doing() == Doing::Leading {
            self.history.established(sid, epoch, &process.tree)?;
        }
        if self.random.chance(self.plan.aim) && self.may_aim() {
            self.aim(sid);
        }
        Ok(())
    }

    /// Whoever leads ends a session only when nothing was heard of it for as long as was agreed.
    fn expires(&mut self, sid: Sid, entry: &Entry) -> Checked {
        let clock = self.clock(sid);
        let timeout = i64::from(self.plan.timeout);
        let Ok(record) = TxnRecord::from_bytes(entry.payload()) else { return Ok(()) };
        let session = record.header.client_id;
        let Some(process) = self.process(sid) else { return Ok(()) };
        match record.txn {
            Txn::CreateSession(timeout) => {
                process.heard.insert(session, (clock.mono, timeout));
            }
            Txn::CloseSession(_) if record.header.cxid == 0 => {
                let heard = process.heard.get(&session).copied();
                let (heard, timeout) =
                    heard.map_or((process.since, timeout), |(at, t)| (at, i64::from(t)));
                ensure!(
                    clock.mono >= heard + timeout,
                    "server {sid} ends {session:x} at {}, heard of at {heard}",
                    clock.mono
                );
                self.summary.expired += 1;
            }
            _ => {}
        }
        Ok(())
    }

    /// A role has ended: everything that hangs on it ends, and the disk comes to rest.
    fn rest(&mut self, sid: Sid, why: &Leaving) -> Checked {
        note!(self.trace, "{sid} rests: {why}");
        blameless(sid, why)?;
        self.summary.cannot_cut += u64::from(matches!(why, Leaving::CannotCut(_)));
        if self.mistakes.make(Mistake::MemoryOutlivesRole)
            && let Some(server) = self.servers.get_mut(&sid)
        {
            server.disk.forget_unsynced();
        }
        if let Some(process) = self.process(sid) {
            process.serving = false;
            process.resting = true;
            process.trying = None;
            process.link = None;
            process.incoming = None;
        }
        self.break_links_of(sid, false);
        self.close_pipes_of(sid);
        self.come_to_rest(sid)
    }

    /// Looks at the disk once nothing is on its way to it.
    fn come_to_rest(&mut self, sid: Sid) -> Checked {
        let memory = self.memory();
        let half = self.mistakes.make(Mistake::HalfSnapshot);
        let dirty = self.mistakes.make(Mistake::TruncKeepsSnapshots);
        let server = self.servers.get_mut(&sid).filter(|server| is_at_rest(&server.writing));
        let Some(server) = server else { return Ok(()) };
        let Some(process) = server.process.as_mut().filter(|process| process.resting) else {
            return Ok(());
        };
        let (image, durable) = server.disk.open(memory);
        if process.stale || process.tree.last_zxid() < durable.history.base() {
            process.tree = image.tree();
            process.gaps = image.gaps();
            process.stale = false;
        }
        process.resting = false;
        if std::mem::take(&mut process.receiving) && half {
            process.tree = Image::half(process.snap).tree();
        }
        let rested = process.member.rested(durable, &mut process.tree);
        ensure!(rested.is_ok(), "server {sid}: {rested:?}");
        if dirty {
            let image = Image::of(&mut process.tree, process.gaps.clone());
            server.disk.snapshot(process.tree.last_zxid(), &image);
        }
        Ok(())
    }

    fn append(&mut self, sid: Sid, entries: Vec<Entry>) -> Checked {
        for entry in &entries {
            self.history.logged(sid, entry)?;
        }
        let Some(server) = self.servers.get_mut(&sid) else { return Ok(()) };
        if server.full || server.process.as_ref().is_some_and(|process| process.resting) {
            if let Some(process) = &mut server.process {
                process.member.refused();
            }
            return Ok(());
        }
        server.disk.append(entries);
        self.sync_log(sid);
        Ok(())
    }

    fn truncate(&mut self, sid: Sid, zxid: Zxid) {
        let Some(server) = self.servers.get_mut(&sid) else { return };
        if server.disk.can_cut(zxid) {
            return self.write(sid, Write::Truncate(zxid));
        }
        if let Some(process) = server.process.as_mut() {
            process.member.truncated(None);
        }
    }

    fn sync_log(&mut self, sid: Sid) {
        let Some(server) = self.servers.get(&sid) else { return };
        let syncing = server.writing.iter().any(|(_, write)| matches!(write, Write::Sync(_)));
        if !syncing && server.disk.unsynced() > 0 {
            let end = server.disk.end();
            self.write(sid, Write::Sync(end));
        }
    }

    /// Something is to be written by a server.
    pub(super) fn write(&mut self, sid: Sid, write: Write<Image>) {
        let number = self.number();
        let delay = self.random.skewed(50, 5_000);
        let Some(server) = self.servers.get_mut(&sid) else { return };
        let delay = delay * server.slowness;
        if let (Write::Truncate(_) | Write::Install(_), Some(process)) =
            (&write, &mut server.process)
        {
            process.stale = true;
            // A snapshot that is under way is given up.
            server.writing.retain(|(_, write)| !matches!(write, Write::Snapshot(_)));
        }
        server.writing.push((number, write));
        self.after(delay, Event::Written(sid, number));
    }

    /// A write has reached the device.
    pub(super) fn written(&mut self, sid: Sid, number: u64) -> Checked {
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
            return self.write_failed(sid, at);
        }
        let (_, write) = server.writing.remove(at);
        server.disk.complete(&write);
        if !self.calm && !matches!(write, Write::Sync(_)) && self.random.chance(self.plan.aim) {
            self.aim(sid);
        }
        let Some(server) = self.servers.get_mut(&sid) else { return Ok(()) };
        let Some(process) = server.process.as_mut() else { return Ok(()) };
        match write {
            Write::Accepted(epoch) => process.member.accepted_written(epoch, clock),
            Write::Current(epoch) => process.member.current_written(epoch, clock),
            Write::Sync(zxid) => process.member.logged(zxid, clock),
            Write::Snapshot(_) => {}
            _ if process.resting => {}
            Write::Truncate(_) => {
                let (image, durable) = server.disk.open(memory);
                process.tree = image.tree();
                process.gaps = image.gaps();
                process.stale = false;
                process.member.truncated(Some(durable.history));
            }
            Write::Install(snapshot) => {
                process.tree = snapshot.state.tree();
                process.gaps = snapshot.state.gaps();
                process.stale = false;
                process.receiving = false;
                process.member.tree_installed();
            }
        }
        self.sync_log(sid);
        self.come_to_rest(sid)?;
        self.go_on(sid)
    }

    /// The disk of a server fails to do what it should. What it cannot sync or promise ends it, before it says anything more; a change of the whole history
    /// is left as it is, and read again when the role has ended.
    fn write_failed(&mut self, sid: Sid, at: usize) -> Checked {
        note!(self.trace, "the disk of {sid} fails");
        self.summary.failed += 1;
        let again = self.mistakes.make(Mistake::SyncAgain);
        let Some(server) = self.servers.get_mut(&sid) else { return Ok(()) };
        match server.writing.get(at) {
            Some((_, Write::Sync(_))) => {
                server.disk.sync_failed();
                if again {
                    server.writing.remove(at);
                    self.sync_log(sid);
                    return Ok(());
                }
            }
            Some((_, Write::Truncate(_) | Write::Install(_) | Write::Snapshot(_))) => {
                let (_, write) = server.writing.remove(at);
                server.disk.interrupt(&write, true, &mut self.random);
                let process = server.process.as_mut();
                let process = process.filter(|_| !matches!(write, Write::Snapshot(_)));
                if let Some(process) = process {
                    process.member.unconnected();
                }
                self.come_to_rest(sid)?;
                return self.go_on(sid);
            }
            _ => {}
        }
        self.crash(sid, false);
        let down = self.random.skewed(1_000, 5_000_000);
        self.after(down, Event::Start(sid));
        Ok(())
    }

    /// What lies in the outputs of a server is on its way.
    fn flush(&mut self, sid: Sid) {
        let mut out = Vec::new();
        let Some(process) = self.process(sid) else { return };
        loop {
            let shard = &mut process.shard;
            let Some(key) = shard.next_replied().or_else(|| shard.next_notified()) else { break };
            let mut bytes = Vec::new();
            if let Flush::Send(more) = shard.flush(key) {
                bytes.extend_from_slice(more);
                shard.sent(key, bytes.len());
            }
            let closes = matches!(shard.flush(key), Flush::Close);
            if closes {
                shard.close(key);
            }
            let pipe = process.pipes.get(&key).copied();
            if closes {
                process.pipes.remove(&key);
            }
            out.extend(pipe.map(|pipe| (pipe, bytes, closes)));
        }
        process.shard.end_round(1000);
        for (pipe, bytes, closes) in out {
            if !bytes.is_empty() {
                self.say_down(pipe, Some(bytes));
            }
            if closes {
                self.say_down(pipe, None);
            }
        }
    }

    /// Wakes a server when it wants it.
    fn arm(&mut self, sid: Sid) {
        let (now, clock, Some(server)) = (self.now, self.clock(sid), self.servers.get_mut(&sid))
        else {
            return;
        };
        let pace = server.pace;
        let Some(process) = server.process.as_mut() else { return };
        let deadlines = [
            process.member.deadline(),
            process.election.next_deadline(),
            process.shard.tick(clock.mono),
        ];
        let Some(deadline) = deadlines.into_iter().flatten().min() else { return };
        let at = u64::try_from(deadline).unwrap_or(0) * 1_000_000 / pace + 1_000;
        let at = at.max(now + 1);
        if at < process.timer {
            process.timer = at;
            let turn = process.turn;
            self.at(at, Event::Timer(sid, turn));
        }
    }

    pub(super) const fn may_aim(&self) -> bool {
        !self.calm && !self.spared.has(Kind::Aim)
    }
}

/// Whatever goes wrong around them, no server may say what cannot be said, or leave out a transaction.
fn blameless(sid: Sid, why: &Leaving) -> Checked {
    let fault = matches!(why, Leaving::Protocol(_) | Leaving::Gap { .. });
    ensure!(!fault, "server {sid} finds fault with the other side: {why}");
    Ok(())
}
