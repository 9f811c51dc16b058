//! Connections: opening, carrying, breaking.

use crate::check::Checked;
use crate::link::{Channel, Down, Link};
use crate::server::Role;
use crate::world::{Event, Side, World};
use quorate_engine::zab::learner::{Follower, Observer};
use quorate_engine::zab::{LearnerKey, Sid, ToLeader};
use quorate_tests_kit::note;

impl World {
    /// A server tries to reach its leader.
    pub(crate) fn connect(&mut self, sid: Sid, turn: u64) -> Checked {
        let (now, clock, config) = (self.now, self.clock(sid), self.config(sid));
        let Some(server) = self.servers.get_mut(&sid) else { return Ok(()) };
        let (paused, votes) = (server.paused_until, server.votes);
        let Some(process) = server.process.as_mut().filter(|p| p.turn == turn) else {
            return Ok(());
        };
        let Role::Connecting(leader, tries) = process.role else { return Ok(()) };
        if paused > now {
            self.at(paused, Event::Connect(sid, turn));
            return Ok(());
        }
        if !self.accepts(sid, leader) {
            return self.try_again(sid, turn, leader, tries);
        }
        let number = self.number();
        let key = LearnerKey(number);
        let Some(process) = self.awake(sid) else { return Ok(()) };
        let durable = process.durable.clone();
        process.role = if votes {
            Role::Following(Box::new(Follower::new(config, durable, clock)), number)
        } else {
            Role::Observing(Box::new(Observer::new(config, durable, clock)), number)
        };
        let link = Link {
            key,
            leader,
            learner: sid,
            down: Channel::default(),
            up: Channel::default(),
            dead: false,
            leader_open: true,
            learner_open: true,
        };
        self.links.insert(number, link);
        note!(self.trace, "{sid} connects to {leader} ({number})");
        let leader_clock = self.clock(leader);
        if let Some(leading) = self.servers.get_mut(&leader).and_then(|s| s.process.as_mut())
            && let Some(leading) = leading.leader()
        {
            leading.connected(key, leader_clock);
        }
        self.carry_out(leader)?;
        self.carry_out(sid)
    }

    fn accepts(&self, from: Sid, to: Sid) -> bool {
        let reached = !self.blocked.contains(&(from, to)) && !self.blocked.contains(&(to, from));
        let server = self.servers.get(&to).filter(|server| server.paused_until <= self.now);
        let process = server.and_then(|server| server.process.as_ref());
        reached && process.is_some_and(|process| matches!(process.role, Role::Leading(_)))
    }

    fn try_again(&mut self, sid: Sid, turn: u64, leader: Sid, tries: u32) -> Checked {
        let Some(process) = self.awake(sid) else { return Ok(()) };
        if tries < 5 {
            process.role = Role::Connecting(leader, tries + 1);
            self.after(100_000, Event::Connect(sid, turn));
            return Ok(());
        }
        process.role = Role::Looking;
        self.look_for_leader(sid)
    }

    /// A leader sends.
    pub(crate) fn send_down(&mut self, link: u64, down: Down) {
        let at = self.now + self.random.skewed(50, self.plan.delay);
        if let Some(link_) = self.links.get_mut(&link).filter(|link| link.leader_open && !link.dead)
        {
            let first = link_.down.next().is_none();
            let at = link_.down.send(down, at);
            if first {
                self.at(at, Event::Deliver(link, Side::Learner));
            }
        }
    }

    /// A learner sends.
    pub(crate) fn send_up(&mut self, link: u64, message: ToLeader) {
        let at = self.now + self.random.skewed(50, self.plan.delay);
        if let Some(link_) =
            self.links.get_mut(&link).filter(|link| link.learner_open && !link.dead)
        {
            let first = link_.up.next().is_none();
            let at = link_.up.send(message, at);
            if first {
                self.at(at, Event::Deliver(link, Side::Leader));
            }
        }
    }

    /// A message may have arrived at a side.
    pub(crate) fn deliver(&mut self, link: u64, side: Side) -> Checked {
        let (now, Some(at)) = (self.now, self.links.get(&link)) else { return Ok(()) };
        let (sid, from, open, next) = match side {
            Side::Leader => (at.leader, at.learner, at.leader_open, at.up.next()),
            Side::Learner => (at.learner, at.leader, at.learner_open, at.down.next()),
        };
        let Some(next) = next.filter(|_| open) else { return Ok(()) };
        let held = self.blocked.contains(&(from, sid));
        let awake = self.awake(sid).is_some_and(|process| !process.is_busy());
        if held || !awake {
            let wait = self.random.between(1_000, 5_000);
            self.after(wait, Event::Deliver(link, side));
            return Ok(());
        }
        if next > now {
            self.at(next, Event::Deliver(link, side));
            return Ok(());
        }
        match side {
            Side::Leader => self.receive_up(link, sid)?,
            Side::Learner => self.receive_down(link, sid)?,
        }
        if let Some(link_) = self.links.get(&link) {
            let next = if side == Side::Leader { link_.up.next() } else { link_.down.next() };
            if let Some(next) = next {
                self.at(next.max(now + 1), Event::Deliver(link, side));
            }
        }
        Ok(())
    }

    fn receive_up(&mut self, link: u64, sid: Sid) -> Checked {
        let (now, clock) = (self.now, self.clock(sid));
        let Some(at) = self.links.get_mut(&link) else { return Ok(()) };
        let (key, learner, message) = (at.key, at.learner, at.up.receive(now));
        if let (Some(message), Some(process)) = (message, self.awake(sid))
            && let Some(leader) = process.leader()
        {
            leader.received(key, message.clone(), clock);
            note!(self.trace, "{sid} hears {learner} say {message:x?}");
        }
        self.carry_out(sid)
    }

    fn receive_down(&mut self, link: u64, sid: Sid) -> Checked {
        let (now, clock) = (self.now, self.clock(sid));
        let Some(at) = self.links.get_mut(&link) else { return Ok(()) };
        let Some(down) = at.down.receive(now) else { return Ok(()) };
        let Some(process) = self.awake(sid).filter(|process| process.link() == Some(link)) else {
            return Ok(());
        };
        match down {
            Down::Message(message) => {
                process.received(message.clone(), clock);
                note!(self.trace, "{sid} hears its leader say {message:x?}");
            }
            Down::Tree(part, 0) => {
                process.incoming = Some(part);
                process.tree_received();
                note!(self.trace, "{sid} has received a tree");
            }
            Down::Tree(part, _) => {
                process.incoming = Some(part);
                if !self.calm && self.random.chance(self.plan.aim) {
                    self.break_both(link);
                }
            }
        }
        self.carry_out(sid)
    }

    /// A side ends a connection. What it has sent may still arrive, or not.
    pub(crate) fn hang_up(&mut self, link: u64, side: Side) {
        let abort = self.random.chance(500);
        let delay = self.random.skewed(50, self.plan.delay);
        let Some(at) = self.links.get_mut(&link) else { return };
        let (open, last) = match side {
            Side::Leader => {
                at.up = Channel::default();
                (&mut at.leader_open, at.down.last())
            }
            Side::Learner => {
                at.down = Channel::default();
                (&mut at.learner_open, at.up.last())
            }
        };
        *open = false;
        match side {
            Side::Leader if abort => at.down = Channel::default(),
            Side::Learner if abort => at.up = Channel::default(),
            _ => {}
        }
        let other = if side == Side::Leader { Side::Learner } else { Side::Leader };
        let at = if abort { self.now } else { last.max(self.now) } + delay;
        self.at(at, Event::Broken(link, other));
    }

    /// A side learns that its connection has ended.
    pub(crate) fn broken(&mut self, link: u64, side: Side) -> Checked {
        let Some(at) = self.links.get(&link) else { return Ok(()) };
        let (sid, from, pending) = match side {
            Side::Leader => (at.leader, at.learner, at.up.next().is_some()),
            Side::Learner => (at.learner, at.leader, at.down.next().is_some()),
        };
        let key = at.key;
        let alive = self.servers.get(&sid).is_some_and(|server| server.process.is_some());
        if alive && (self.awake(sid).is_none() || self.blocked.contains(&(from, sid)) || pending) {
            self.after(3_000, Event::Broken(link, side));
            return Ok(());
        }
        let open = match side {
            Side::Leader => self.links.get_mut(&link).map(|at| std::mem::take(&mut at.leader_open)),
            Side::Learner => {
                self.links.get_mut(&link).map(|at| std::mem::take(&mut at.learner_open))
            }
        };
        if self.links.get(&link).is_some_and(|at| !at.leader_open && !at.learner_open) {
            self.links.remove(&link);
        }
        if open != Some(true) {
            return Ok(());
        }
        match side {
            Side::Leader => {
                if let Some(leader) = self.awake(sid).and_then(|process| process.leader()) {
                    leader.disconnected(key);
                }
                self.carry_out(sid)
            }
            Side::Learner => {
                if self.awake(sid).is_some_and(|process| process.link() == Some(link)) {
                    note!(self.trace, "{sid} has lost its leader");
                    self.leave_role(sid);
                }
                Ok(())
            }
        }
    }

    /// A connection breaks, and both sides learn of it.
    pub(crate) fn break_both(&mut self, link: u64) {
        if let Some(at) = self.links.get_mut(&link) {
            at.up = Channel::default();
            at.down = Channel::default();
            at.dead = true;
        }
        for side in [Side::Leader, Side::Learner] {
            let delay = self.random.skewed(50, 50_000);
            self.after(delay, Event::Broken(link, side));
        }
    }

    /// All connections of a server end, which has ended itself. If `silent`, nobody is told.
    pub(crate) fn break_links_of(&mut self, sid: Sid, silent: bool) {
        let mine = self.links.iter().filter(|(_, at)| at.leader == sid || at.learner == sid);
        for (link, leads) in mine.map(|(&n, at)| (n, at.leader == sid)).collect::<Vec<_>>() {
            let side = if leads { Side::Leader } else { Side::Learner };
            if silent {
                if let Some(at) = self.links.get_mut(&link) {
                    at.up = Channel::default();
                    at.down = Channel::default();
                    let open = if leads { &mut at.leader_open } else { &mut at.learner_open };
                    *open = false;
                }
            } else {
                self.hang_up(link, side);
            }
        }
    }
}
