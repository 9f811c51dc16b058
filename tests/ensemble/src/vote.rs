//! Elections: the product's, in the half of the worlds in which nobody is told who leads.
//!
//! Of the notifications from one server to another the newest counts: it replaces one that has not arrived.

use crate::check::Checked;
use crate::server::Role;
use crate::world::{Event, World};
use quorate_engine::election::{Effect, Election, History, Options};
use quorate_engine::zab::Sid;
use quorate_tests_kit::note;
use quorate_wire::quorum::Notification;

impl World {
    /// A server looks for a leader.
    pub(crate) fn look_for_leader(&mut self, sid: Sid) -> Checked {
        if self.plan.told {
            return Ok(());
        }
        let (clock, quorums) = (self.clock(sid), self.quorums.clone());
        let Some(process) = self.servers.get_mut(&sid).and_then(|s| s.process.as_mut()) else {
            return Ok(());
        };
        let durable = process.durable.clone().settled();
        let history = History { zxid: durable.last_zxid(), epoch: durable.current_epoch };
        let new = || Election::new(sid, quorums, Options::default());
        process.election.get_or_insert_with(new).start(clock, history);
        self.vote(sid)
    }

    /// Does what a server's election wants done.
    pub(crate) fn vote(&mut self, sid: Sid) -> Checked {
        loop {
            let process = self.servers.get_mut(&sid).and_then(|server| server.process.as_mut());
            let Some(election) = process.and_then(|process| process.election.as_mut()) else {
                break;
            };
            let Some(effect) = election.next_effect() else { break };
            match effect {
                Effect::Send { to, ballot } => {
                    let mut frame = Vec::new();
                    election.write_frame(ballot, &mut frame);
                    self.notify(sid, to, frame);
                }
                Effect::Decided { leader, .. } => {
                    note!(self.trace, "{sid} has elected {leader}");
                    self.told_leader(sid, leader)?;
                }
                Effect::Withdrawn => self.withdrawn(sid),
                Effect::SawConfig { .. } | Effect::BadConfig { .. } => {}
            }
        }
        self.arm(sid);
        Ok(())
    }

    /// Without those that have changed their minds a leader that is not established has no quorum.
    fn withdrawn(&mut self, sid: Sid) {
        let process = self.servers.get(&sid).and_then(|server| server.process.as_ref());
        let leads =
            process.is_some_and(|p| matches!(p.role, Role::Leading(_)) && !p.is_established());
        if leads {
            note!(self.trace, "{sid} is not wanted any more");
            self.leave_role(sid);
        }
    }

    fn notify(&mut self, from: Sid, to: Sid, frame: Vec<u8>) {
        let delay = self.random.skewed(50, self.plan.delay);
        if self.frames.insert((from, to), frame).is_none() {
            self.after(delay, Event::Notice(from, to));
        }
    }

    /// A notification may have arrived.
    pub(crate) fn notice(&mut self, from: Sid, to: Sid) -> Checked {
        let clock = self.clock(to);
        if self.servers.get(&to).is_some_and(|server| server.process.is_none()) {
            self.frames.remove(&(from, to));
            return self.refused(from, to);
        }
        if self.blocked.contains(&(from, to)) || self.awake(to).is_none() {
            self.after(5_000, Event::Notice(from, to));
            return Ok(());
        }
        let Some(frame) = self.frames.remove(&(from, to)) else { return Ok(()) };
        let payload = frame.get(4..).unwrap_or_default();
        let Ok(notification) = Notification::read(payload) else { return Ok(()) };
        note!(self.trace, "{to} hears of {from}: {:x?}", notification.ballot);
        if let Some(election) = self.awake(to).and_then(|process| process.election.as_mut()) {
            election.receive(clock, from, &notification);
        }
        self.vote(to)
    }

    /// The host of a server says that nobody is there.
    fn refused(&mut self, from: Sid, to: Sid) -> Checked {
        let clock = self.clock(from);
        if self.blocked.contains(&(from, to)) || self.random.chance(300) {
            return Ok(());
        }
        if let Some(election) = self.awake(from).and_then(|process| process.election.as_mut()) {
            election.unreachable(clock, to);
        }
        self.vote(from)
    }

    /// A server's role has begun in this epoch.
    pub(crate) fn role_began(&mut self, sid: Sid, epoch: i64) {
        let process = self.servers.get_mut(&sid).and_then(|server| server.process.as_mut());
        if let Some(election) = process.and_then(|process| process.election.as_mut()) {
            election.established(epoch);
        }
    }
}
