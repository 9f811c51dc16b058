//! Connections: one for each pair, replaced by a newer one at any time, with a queue for one message each way in which the newest wins.

use super::{Event, World};
use quorate_wire::quorum::Ballot;

/// What is between two servers.
#[derive(Default)]
pub(super) struct Link {
    /// The connection, by its number.
    conn: Option<u64>,
    /// One that was replaced, and still delivers what was on its way.
    replaced: Option<u64>,
    connecting: bool,
    /// The messages of the smaller id, and of the larger.
    ways: [Way; 2],
}

#[derive(Default)]
struct Way {
    waiting: Option<Ballot>,
    last: Option<Ballot>,
    busy: bool,
}

impl World {
    pub(super) fn send(&mut self, from: i64, to: i64, ballot: Ballot) {
        self.way(from, to).waiting = Some(ballot);
        self.pump(from, to);
    }

    /// Puts the next message on its way, or asks for a connection.
    fn pump(&mut self, from: i64, to: i64) {
        let link = self.link(from, to);
        let Some(conn) = link.conn else {
            if !std::mem::replace(&mut link.connecting, true) {
                let at = self.now + self.pause();
                self.plan(at, Event::Connect { from, to });
            }
            return;
        };
        let way = self.way(from, to);
        if way.busy {
            return;
        }
        let Some(ballot) = way.waiting.take() else { return };
        way.last = Some(ballot);
        way.busy = true;
        let at = self.now + self.pause();
        self.plan(at, Event::Arrive { conn, from, to, ballot });
    }

    pub(super) fn arrive(&mut self, conn: u64, from: i64, to: i64, ballot: Ballot) {
        let current = self.link(from, to).conn == Some(conn);
        if current {
            self.way(from, to).busy = false;
            self.pump(from, to);
        }
        if self.reach(from, to) && (current || self.link(from, to).replaced == Some(conn)) {
            let now = self.now;
            self.trace.push((now, to, super::Told::Heard(from, ballot)));
            self.with(to, |election| super::hear(election, now, from, ballot));
        }
    }

    pub(super) fn connect(&mut self, from: i64, to: i64) {
        self.link(from, to).connecting = false;
        if !self.node(from).up {
            return;
        }
        if self.refuses && !self.node(to).up && !self.is_cut(from, to) {
            let now = self.now;
            self.with(from, |election| election.unreachable(now, to));
        }
        if self.reach(from, to) {
            self.replace(from, to);
        }
    }

    /// Makes a connection, also where there is one.
    pub(super) fn replace(&mut self, a: i64, b: i64) {
        self.planned += 1;
        let (conn, delivers) = (self.planned, self.random.chance(50));
        let link = self.link(a, b);
        link.replaced = link.conn.filter(|_| delivers);
        link.conn = Some(conn);
        for way in &mut link.ways {
            way.busy = false;
            // Whoever connects repeats its last word if there is nothing newer.
            way.waiting = way.waiting.or(way.last);
        }
        for (from, to) in [(a, b), (b, a)] {
            self.with(from, |election| election.reachable(to));
            self.pump(from, to);
        }
    }

    /// Replaces a connection for no reason, as happens when both sides connect.
    pub(in super::super) fn churn(&mut self, a: i64, b: i64) {
        if self.reach(a, b) {
            self.replace(a, b);
        }
    }

    /// Makes a server believe that another one is down, which others may reach.
    pub(in super::super) fn misreport(&mut self, sid: i64, other: i64) {
        if self.node(sid).up {
            let now = self.now;
            self.with(sid, |election| election.unreachable(now, other));
        }
    }

    /// Cuts a pair off from each other; what is on its way is lost, and they notice after a while.
    pub(in super::super) fn cut_off(&mut self, a: i64, b: i64) {
        if self.cut.insert((a.min(b), a.max(b))) {
            self.tell(a, format!("is cut off from {b}"));
            self.close(a, b);
            for (sid, other) in [(a, b), (b, a)] {
                let at = self.now + self.random.between(300, 600);
                let turn = self.node(sid).turn;
                self.plan(at, Event::Lost { sid, turn, other });
            }
        }
    }

    /// Closes the connections of a process that has ended; who had one connects again at once.
    pub(super) fn close_links(&mut self, sid: i64) {
        let others: Vec<i64> = self.nodes.keys().copied().filter(|&other| other != sid).collect();
        for other in others {
            *self.way(sid, other) = Way::default();
            if self.close(sid, other) {
                self.link(sid, other).connecting = true;
                let at = self.now + self.random.between(0, 2);
                self.plan(at, Event::Connect { from: other, to: sid });
            }
        }
    }

    fn close(&mut self, a: i64, b: i64) -> bool {
        let link = self.link(a, b);
        link.replaced = None;
        link.ways.iter_mut().for_each(|way| way.busy = false);
        link.conn.take().is_some()
    }

    pub(super) fn is_cut(&self, a: i64, b: i64) -> bool {
        self.cut.contains(&(a.min(b), a.max(b)))
    }

    pub(super) fn pause(&mut self) -> i64 {
        self.random.between(self.delay.0, self.delay.1)
    }

    fn link(&mut self, a: i64, b: i64) -> &mut Link {
        self.links.entry((a.min(b), a.max(b))).or_default()
    }

    fn way(&mut self, from: i64, to: i64) -> &mut Way {
        &mut self.link(from, to).ways[usize::from(from > to)]
    }
}
