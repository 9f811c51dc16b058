//! Elections: of the notifications from one server to another the newest counts, and replaces one that has not arrived.

use super::world::{Event, World};
use crate::check::Checked;
use quorate_engine::election::Effect;
use quorate_engine::zab::Sid;
use quorate_tests_kit::note;
use quorate_wire::quorum::{Notification, ServerState};

impl World {
    /// Does what a server's election wants done. Returns whether the member was told something.
    pub(super) fn vote(&mut self, sid: Sid) -> bool {
        let mut told = false;
        let clock = self.clock(sid);
        loop {
            let votes = self.servers.get(&sid).is_some_and(|server| server.votes);
            let Some(process) = self.process(sid) else { return told };
            let Some(effect) = process.election.next_effect() else { return told };
            told |= !matches!(effect, Effect::Send { .. });
            match effect {
                Effect::Send { to, ballot } => {
                    let mut frame = Vec::new();
                    process.election.write_frame(ballot, &mut frame);
                    let delay = self.random.skewed(50, self.plan.delay);
                    if self.frames.insert((sid, to), frame).is_none() {
                        self.after(delay, Event::Notice(sid, to));
                    }
                }
                Effect::Decided { leader, .. } => {
                    let state = match (sid == leader, votes) {
                        (true, _) => ServerState::Leading,
                        (false, true) => ServerState::Following,
                        (false, false) => ServerState::Observing,
                    };
                    process.member.decided(state, leader, clock);
                    note!(self.trace, "{sid} has elected {leader}");
                }
                Effect::Withdrawn => process.member.withdrawn(),
                Effect::SawConfig { .. } | Effect::BadConfig { .. } => {}
            }
        }
    }

    /// A notification may have arrived.
    pub(super) fn notice(&mut self, from: Sid, to: Sid) -> Checked {
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
        if let Some(process) = self.awake(to) {
            process.election.receive(clock.mono, from, &notification);
        }
        self.go_on(to)
    }

    /// The host of a server says that nobody is there.
    fn refused(&mut self, from: Sid, to: Sid) -> Checked {
        let clock = self.clock(from);
        if self.blocked.contains(&(from, to)) || self.random.chance(300) {
            return Ok(());
        }
        if let Some(process) = self.awake(from) {
            process.election.unreachable(clock.mono, to);
        }
        self.go_on(from)
    }
}
