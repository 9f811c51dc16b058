//! Connections between servers: opening, carrying, breaking.

use super::image::Gaps;
use super::world::{Event, World};
use crate::check::{Checked, ensure};
use crate::link::Channel;
use quorate_engine::tree::{StreamId, WalkState};
use quorate_engine::zab::{LearnerKey, Sid, ToLeader, ToLearner};
use quorate_tests_kit::note;
use std::collections::VecDeque;
use std::sync::Arc;

/// What comes down from a leader.
#[derive(Clone, Debug)]
pub enum Down {
    /// A message.
    Message(ToLearner),
    /// A tree, and the gaps of its history.
    Tree(Arc<[u8]>, Gaps),
}

/// A connection between a learner and its leader.
#[derive(Debug)]
pub struct Link {
    /// Who accepted it.
    pub leader: Sid,
    /// Who opened it.
    pub learner: Sid,
    /// To the learner.
    pub down: Channel<Down>,
    /// To the leader.
    pub up: Channel<ToLeader>,
    /// A tree that is being sent, and what waits behind it.
    pub sending: Option<(StreamId, Vec<u8>, VecDeque<Down>)>,
    /// Whether it carries nothing any more, though its sides may not know it yet.
    pub dead: bool,
    /// Whether the leader's side still has it open.
    pub leader_open: bool,
    /// Whether the learner's side still has it open.
    pub learner_open: bool,
}

impl World {
    /// A server tries to reach its leader.
    pub(super) fn connect(&mut self, sid: Sid, turn: u64) -> Checked {
        let (now, clock) = (self.now, self.clock(sid));
        let paused = self.servers.get(&sid).map_or(0, |server| server.paused_until);
        let Some(process) = self.process(sid).filter(|process| process.turn == turn) else {
            return Ok(());
        };
        let Some((leader, tries)) = process.trying else { return Ok(()) };
        if paused > now {
            self.at(paused, Event::Connect(sid, turn));
            return Ok(());
        }
        if !self.accepts(sid, leader) {
            return self.try_again(sid, turn, leader, tries);
        }
        let number = self.number();
        let link = Link {
            leader,
            learner: sid,
            down: Channel::default(),
            up: Channel::default(),
            sending: None,
            dead: false,
            leader_open: true,
            learner_open: true,
        };
        self.links.insert(number, link);
        note!(self.trace, "{sid} connects to {leader} ({number})");
        let there = self.clock(leader);
        if let Some(process) = self.process(leader) {
            let _ = process.work(there, |member, bench| {
                member.learner_connected(LearnerKey(number), bench);
                Ok(())
            });
        }
        if let Some(process) = self.process(sid) {
            process.trying = None;
            process.link = Some(number);
            process.member.connected(clock);
        }
        self.go_on(leader)?;
        self.go_on(sid)
    }

    fn accepts(&mut self, from: Sid, to: Sid) -> bool {
        let reached = !self.blocked.contains(&(from, to)) && !self.blocked.contains(&(to, from));
        let leads = quorate_engine::member::Doing::Leading;
        reached && self.awake(to).is_some_and(|process| process.member.doing() == leads)
    }

    fn try_again(&mut self, sid: Sid, turn: u64, leader: Sid, tries: u32) -> Checked {
        let Some(process) = self.process(sid) else { return Ok(()) };
        if tries < 5 {
            process.trying = Some((leader, tries + 1));
            self.after(100_000, Event::Connect(sid, turn));
            return Ok(());
        }
        process.trying = None;
        process.member.unconnected();
        self.go_on(sid)
    }

    /// A leader sends.
    pub(super) fn send_down(&mut self, link: u64, down: Down) {
        let at = self.now + self.random.skewed(50, self.plan.delay);
        let Some(there) = self.links.get_mut(&link).filter(|link| link.leader_open && !link.dead)
        else {
            return;
        };
        if let Some((_, _, behind)) = &mut there.sending {
            behind.push_back(down);
            return;
        }
        let first = there.down.next().is_none();
        let at = there.down.send(down, at);
        if first {
            self.at(at, Event::Deliver(link, false));
        }
    }

    /// A learner sends.
    pub(super) fn send_up(&mut self, link: u64, message: ToLeader) {
        let at = self.now + self.random.skewed(50, self.plan.delay);
        let Some(there) = self.links.get_mut(&link).filter(|link| link.learner_open && !link.dead)
        else {
            return;
        };
        let first = there.up.next().is_none();
        let at = there.up.send(message, at);
        if first {
            self.at(at, Event::Deliver(link, true));
        }
    }

    /// A leader begins to send its tree as it is now.
    pub(super) fn send_tree(&mut self, sid: Sid, link: u64) {
        let Some(process) = self.process(sid) else { return };
        let (stream, _) = process.tree.freeze_stream();
        if let Some(there) = self.links.get_mut(&link).filter(|there| there.leader_open) {
            there.sending = Some((stream, Vec::new(), VecDeque::new()));
        }
        self.walk(link);
    }

    /// Sends more of a tree.
    pub(super) fn walk(&mut self, link: u64) {
        let budget = self.random.between(1, 8);
        let Some(there) = self.links.get_mut(&link) else { return };
        let Some((stream, mut bytes, behind)) = there.sending.take() else { return };
        let leader = there.leader;
        let budget = usize::try_from(budget).unwrap_or(1);
        let Some(process) = self.process(leader) else { return };
        let state = process.tree.walk_stream(stream, budget, &mut bytes);
        if state == WalkState::Done {
            let gaps = process.gaps.clone();
            self.send_down(link, Down::Tree(bytes.into(), gaps));
            for down in behind {
                self.send_down(link, down);
            }
            return;
        }
        if let Some(there) = self.links.get_mut(&link) {
            there.sending = Some((stream, bytes, behind));
        }
        let delay = self.random.skewed(100, 20_000);
        self.after(delay, Event::Walk(link));
    }

    /// A message may have arrived at a side.
    pub(super) fn deliver(&mut self, link: u64, up: bool) -> Checked {
        let (now, Some(at)) = (self.now, self.links.get(&link)) else { return Ok(()) };
        let (sid, from, open, next) = if up {
            (at.leader, at.learner, at.leader_open, at.up.next())
        } else {
            (at.learner, at.leader, at.learner_open, at.down.next())
        };
        let Some(next) = next.filter(|_| open) else { return Ok(()) };
        let held = self.blocked.contains(&(from, sid));
        let awake = self.awake(sid).is_some_and(|process| up || !process.member.is_busy());
        if held || !awake {
            let wait = self.random.between(1_000, 5_000);
            self.after(wait, Event::Deliver(link, up));
            return Ok(());
        }
        if next > now {
            self.at(next, Event::Deliver(link, up));
            return Ok(());
        }
        // What has arrived together is handed over together, as a driver does.
        let several = if self.random.chance(300) { 5 } else { 1 };
        for _ in 0..several {
            let more = if up { self.receive_up(link, sid)? } else { self.receive_down(link, sid)? };
            if !more {
                break;
            }
        }
        self.go_on(sid)?;
        if let Some(there) = self.links.get(&link)
            && let Some(next) = if up { there.up.next() } else { there.down.next() }
        {
            self.at(next.max(now + 1), Event::Deliver(link, up));
        }
        Ok(())
    }

    fn receive_up(&mut self, link: u64, sid: Sid) -> Result<bool, crate::check::Violation> {
        let (now, clock) = (self.now, self.clock(sid));
        let Some(at) = self.links.get_mut(&link) else { return Ok(false) };
        let (learner, Some(message)) = (at.learner, at.up.receive(now)) else { return Ok(false) };
        match &message {
            ToLeader::Request(request) => {
                let (session, cxid, op) = (request.session, request.cxid, request.op);
                note!(self.trace, "{sid} hears {learner} ask {cxid} of {session:x}: {op}");
            }
            message => note!(self.trace, "{sid} hears {learner} say {message:x?}"),
        }
        let Some(process) = self.awake(sid) else { return Ok(false) };
        match &message {
            ToLeader::Ping(_, touched) => {
                let heard = touched.iter().map(|&(session, t)| (session, (clock.mono, t)));
                process.heard.extend(heard);
            }
            ToLeader::Revalidate { session, timeout } => {
                process.heard.insert(*session, (clock.mono, *timeout));
            }
            _ => {}
        }
        let done = process
            .work(clock, |member, bench| member.from_learner(LearnerKey(link), message, bench));
        ensure!(done.is_ok(), "server {sid}: {done:?}");
        Ok(true)
    }

    fn receive_down(&mut self, link: u64, sid: Sid) -> Result<bool, crate::check::Violation> {
        let (now, clock) = (self.now, self.clock(sid));
        let Some(at) = self.links.get_mut(&link) else { return Ok(false) };
        let Some(down) = at.down.receive(now) else { return Ok(false) };
        let Some(process) = self.awake(sid).filter(|process| process.link == Some(link)) else {
            return Ok(false);
        };
        let trace = match down {
            Down::Message(message) => {
                let text = format!("{message:x?}");
                if let ToLearner::Snap(zxid) = &message {
                    process.snap = *zxid;
                    process.receiving = true;
                }
                let done = process.work(clock, |member, bench| member.from_leader(message, bench));
                ensure!(done.is_ok(), "server {sid}: {done:?}");
                text
            }
            Down::Tree(tree, gaps) => {
                process.incoming = Some((tree, gaps));
                process.member.tree_received();
                "a tree".to_owned()
            }
        };
        let busy = process.member.is_busy();
        note!(self.trace, "{sid} hears its leader say {trace}");
        Ok(!busy)
    }

    /// A side ends a connection. What it has sent may still arrive, or not.
    pub(super) fn hang_up(&mut self, link: u64, leader: bool) {
        let abort = self.random.chance(500);
        let delay = self.random.skewed(50, self.plan.delay);
        let Some(at) = self.links.get_mut(&link) else { return };
        at.sending = at.sending.take().filter(|_| !leader);
        let last = if leader {
            at.up = Channel::default();
            at.leader_open = false;
            at.down.last()
        } else {
            at.down = Channel::default();
            at.learner_open = false;
            at.up.last()
        };
        match leader {
            true if abort => at.down = Channel::default(),
            false if abort => at.up = Channel::default(),
            _ => {}
        }
        let at = if abort { self.now } else { last.max(self.now) } + delay;
        self.at(at, Event::Broken(link, !leader));
    }

    /// A side learns that its connection has ended.
    pub(super) fn broken(&mut self, link: u64, leader: bool) -> Checked {
        let Some(at) = self.links.get(&link) else { return Ok(()) };
        let (sid, from, pending) = if leader {
            (at.leader, at.learner, at.up.next().is_some())
        } else {
            (at.learner, at.leader, at.down.next().is_some())
        };
        let alive = self.process(sid).is_some();
        if alive && (self.awake(sid).is_none() || self.blocked.contains(&(from, sid)) || pending) {
            self.after(3_000, Event::Broken(link, leader));
            return Ok(());
        }
        let Some(at) = self.links.get_mut(&link) else { return Ok(()) };
        let side = if leader { &mut at.leader_open } else { &mut at.learner_open };
        let open = std::mem::take(side);
        if !at.leader_open && !at.learner_open {
            self.links.remove(&link);
        }
        let Some(process) = self.process(sid).filter(|_| open) else { return Ok(()) };
        if leader {
            process.member.learner_gone(LearnerKey(link));
        } else if process.link == Some(link) {
            process.link = None;
            process.member.unconnected();
        }
        self.go_on(sid)
    }

    /// A connection breaks, and both sides learn of it.
    pub(super) fn break_both(&mut self, link: u64) {
        if let Some(at) = self.links.get_mut(&link) {
            at.up = Channel::default();
            at.down = Channel::default();
            at.sending = None;
            at.dead = true;
        }
        for leader in [true, false] {
            let delay = self.random.skewed(50, 50_000);
            self.after(delay, Event::Broken(link, leader));
        }
    }

    /// All connections of a server end, which has ended itself. If `silent`, nobody is told.
    pub(super) fn break_links_of(&mut self, sid: Sid, silent: bool) {
        let mine = self.links.iter().filter(|(_, at)| at.leader == sid || at.learner == sid);
        for (link, leads) in mine.map(|(&n, at)| (n, at.leader == sid)).collect::<Vec<_>>() {
            if !silent {
                self.hang_up(link, leads);
                continue;
            }
            if let Some(at) = self.links.get_mut(&link) {
                at.up = Channel::default();
                at.down = Channel::default();
                at.sending = None;
                let open = if leads { &mut at.leader_open } else { &mut at.learner_open };
                *open = false;
            }
        }
    }
}
