//! One thread of the generator: an event loop over its share of the connections.
//!
//! Closed loop: every reply is followed by the next request of that connection, all replies of one read by
//! one write. Open loop: requests leave at their intended times, over the connections in turn. Replies are
//! read only as far as needed: length, xid and error code.

use super::schedule::Schedule;
use super::tally::{Class, Tally};
use super::timer::Timer;
use super::{Job, Next};
use crate::bench::client::next_xid;
use crate::bench::clock::{Clock, thread_cpu};
use crate::bench::conn::{Conn, Received};
use crate::bench::request;
use crate::stop::Stop;
use anyhow::{Context, Result};
use quorate_wire::frame::{NOTIFICATION_XID, PING_XID, ReplyHeader};
use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What all threads of a run have in common.
#[derive(Debug)]
pub(super) struct Shared<'a> {
    pub(super) clock: Clock,
    pub(super) stop: &'a Stop,
    /// Replies that count are those of the window `from..until`.
    pub(super) from: u64,
    pub(super) until: u64,
    /// Requests in flight per connection.
    pub(super) depth: usize,
    /// Requests a second for each thread; `None` is the closed loop.
    pub(super) rate: Option<f64>,
    /// Replies of all threads so far, for the progress bar.
    pub(super) seen: &'a AtomicU64,
}

/// The event loop of one thread.
pub(super) struct Worker<'a, J> {
    shared: &'a Shared<'a>,
    job: J,
    poll: mio::Poll,
    timer: Timer,
    schedule: Option<Schedule>,
    lanes: Vec<Lane>,
    /// The lane whose turn is next in the open loop.
    turn: usize,
    tally: Tally,
    seen: u64,
    exhausted: bool,
    pings: request::Template,
}

/// One connection with the requests that wait for their replies, in order.
struct Lane {
    conn: Option<Conn>,
    flights: VecDeque<Flight>,
    xid: i32,
    /// When something was sent last.
    active: u64,
}

#[derive(Clone, Copy)]
struct Flight {
    start: u64,
    xid: i32,
    class: Class,
}

impl<'a, J: Job> Worker<'a, J> {
    pub(super) fn new(
        shared: &'a Shared<'a>,
        job: J,
        classes: usize,
        streams: Vec<std::net::TcpStream>,
    ) -> Result<Self> {
        let poll = mio::Poll::new()?;
        let timer = Timer::new(&poll, TIMER)?;
        let mut lanes = Vec::with_capacity(streams.len());
        for (token, stream) in streams.into_iter().enumerate() {
            stream.set_nonblocking(true)?;
            let mut conn = Conn::new(mio::net::TcpStream::from_std(stream));
            conn.register(&poll, token)?;
            let active = shared.clock.now();
            lanes.push(Lane { conn: Some(conn), flights: VecDeque::new(), xid: 0, active });
        }
        Ok(Self {
            shared,
            job,
            poll,
            timer,
            schedule: shared.rate.map(|rate| Schedule::new(shared.clock.now(), rate)),
            lanes,
            turn: 0,
            tally: Tally::new(classes)?,
            seen: 0,
            exhausted: false,
            pings: request::ping(),
        })
    }

    /// Runs up to the end of the window, of the work or of the user's patience, then waits for what is in
    /// flight and closes the sessions.
    pub(super) fn run(mut self) -> Result<Tally> {
        let mut scratch = Vec::new();
        let mut events = mio::Events::with_capacity(EVENTS);
        let closed_loop = self.schedule.is_none();
        if closed_loop {
            for index in 0..self.lanes.len() {
                self.refill(index, self.shared.clock.now());
            }
        }
        let mut give_up = None;
        let mut next_check = 0;
        loop {
            let now = self.shared.clock.now();
            if now >= next_check {
                next_check = now.saturating_add(CHECK);
                self.keep_alive(now);
            }
            if give_up.is_none() && self.is_over(now) {
                self.exhausted = true;
                give_up = Some(now.saturating_add(DRAIN));
            }
            if give_up.is_some_and(|limit| now >= limit) || (self.exhausted && self.is_quiet()) {
                break;
            }
            let sleep = self.send_due(now)?;
            match self.poll.poll(&mut events, Some(sleep)) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                other => other.context("cannot wait for events")?,
            }
            for event in &events {
                if event.token().0 != TIMER {
                    self.serve(event.token().0, event.is_read_closed(), &mut scratch)?;
                }
            }
        }
        self.tally.cpu = thread_cpu();
        self.finish(&mut events, &mut scratch)
    }

    /// Whether no more requests shall be sent.
    fn is_over(&self, now: u64) -> bool {
        let until = self.shared.until;
        let over = match &self.schedule {
            // What was meant to be sent within the window is sent, however late.
            Some(schedule) => schedule.next() >= until || now >= until.saturating_add(DRAIN),
            None => now >= until,
        };
        self.exhausted || over || self.shared.stop.requested()
    }

    fn is_quiet(&self) -> bool {
        self.lanes.iter().all(|lane| lane.conn.is_none() || lane.flights.is_empty())
    }

    /// Reads what one connection has, and in the closed loop answers with as many requests.
    fn serve(&mut self, index: usize, closing: bool, scratch: &mut Vec<u8>) -> Result<()> {
        let Some(lane) = self.lanes.get_mut(index) else { return Ok(()) };
        let Some(conn) = lane.conn.as_mut() else { return Ok(()) };
        let (shared, tally, flights) = (self.shared, &mut self.tally, &mut lane.flights);
        let open_loop = self.schedule.is_some();
        let mut last = None;
        let mut seen = 0_u64;
        let received = conn.receive(scratch, shared.clock, closing, |payload, now, _| {
            let (xid, mut err) = header(payload)?;
            if xid == NOTIFICATION_XID {
                return Ok(());
            }
            if J::MULTI && err == 0 {
                let body = payload.get(ReplyHeader::LEN..).unwrap_or_default();
                err = request::multi_error(body).unwrap_or(0);
            }
            let flight = flights.pop_front().filter(|flight| flight.xid == xid);
            let flight = flight.ok_or_else(|| out_of_order(xid))?;
            let counted_by = if open_loop { flight.start } else { now };
            if flight.class != IDLE_PING && counted_by >= shared.from && counted_by < shared.until {
                tally.record(flight.class, flight.start, now, err);
            }
            last = Some(now);
            seen = seen.wrapping_add(1);
            Ok(())
        });
        self.seen = self.seen.wrapping_add(seen);
        shared.seen.fetch_add(seen, Ordering::Relaxed);
        match received {
            Ok(Received::Drained) => {}
            Ok(Received::Closed) => self.lose(index),
            Err(e) if e.kind() == io::ErrorKind::InvalidData => return Err(e.into()),
            Err(_) => self.lose(index),
        }
        match last {
            Some(now) if !open_loop => self.refill(index, now),
            _ => self.flush(index),
        }
        Ok(())
    }

    /// Fills up the requests in flight of one connection and sends them at once.
    fn refill(&mut self, index: usize, now: u64) {
        let Some(lane) = self.lanes.get_mut(index) else { return };
        while !self.exhausted && lane.has_room(self.shared.depth) {
            if !lane.issue(&mut self.job, now) {
                self.exhausted = true;
            }
        }
        lane.active = now;
        self.flush(index);
    }

    /// Open loop: sends what is due; returns how long to sleep.
    fn send_due(&mut self, now: u64) -> Result<Duration> {
        let Some(schedule) = self.schedule.as_mut() else { return Ok(NAP) };
        if self.exhausted {
            return Ok(NAP);
        }
        let lanes = self.lanes.len();
        let mut touched = Vec::new();
        while schedule.next() <= now && schedule.next() < self.shared.until {
            // The connection whose turn it is, or the next that has room and lives.
            let free = (0..lanes)
                .map(|step| self.turn.wrapping_add(step).checked_rem(lanes).unwrap_or(0))
                .find(|at| {
                    self.lanes.get(*at).is_some_and(|lane| lane.has_room(self.shared.depth))
                });
            // All are full: the request waits, and its latency counts from its intended time.
            let Some(at) = free else { break };
            self.turn = at.wrapping_add(1);
            let Some(intended) = schedule.take_due(now) else { break };
            let Some(lane) = self.lanes.get_mut(at) else { break };
            if !lane.issue(&mut self.job, intended) {
                self.exhausted = true;
                break;
            }
            lane.active = now;
            touched.push(at);
        }
        let ahead = schedule.next().saturating_sub(self.shared.clock.now());
        let blocked = schedule.next() <= now;
        touched.sort_unstable();
        touched.dedup();
        for at in touched {
            self.flush(at);
        }
        let sleep = if blocked { NAP } else { Duration::from_nanos(ahead).min(NAP) };
        Ok(self.timer.set(sleep)?)
    }

    /// Pings sessions that have been silent for long, as every client does.
    fn keep_alive(&mut self, now: u64) {
        for index in 0..self.lanes.len() {
            let Some(lane) = self.lanes.get_mut(index) else { continue };
            let silent = now.saturating_sub(lane.active) > SILENCE;
            if let (true, Some(conn)) = (silent, lane.conn.as_mut()) {
                self.pings.push(PING_XID, &mut conn.out);
                lane.flights.push_back(Flight { start: now, xid: PING_XID, class: IDLE_PING });
                lane.active = now;
                self.flush(index);
            }
        }
    }

    fn flush(&mut self, index: usize) {
        let conn = self.lanes.get_mut(index).and_then(|lane| lane.conn.as_mut());
        if conn.is_some_and(|conn| conn.flush().is_err()) {
            self.lose(index);
        }
    }

    fn lose(&mut self, index: usize) {
        let Some(lane) = self.lanes.get_mut(index) else { return };
        if lane.conn.take().is_some() {
            self.tally.lost = self.tally.lost.saturating_add(1);
            self.tally.unanswered =
                self.tally.unanswered.saturating_add(super::count(lane.flights.len()));
            lane.flights.clear();
        }
        if self.lanes.iter().all(|lane| lane.conn.is_none()) {
            self.exhausted = true;
        }
    }

    /// Closes every session and waits for the server to have done so.
    fn finish(mut self, events: &mut mio::Events, scratch: &mut Vec<u8>) -> Result<Tally> {
        let mut result = self.tally;
        let close = request::close();
        let mut open = 0_usize;
        for lane in &mut self.lanes {
            let Some(conn) = lane.conn.as_mut() else { continue };
            result.unanswered = result.unanswered.saturating_add(super::count(lane.flights.len()));
            close.push(next_xid(lane.xid), &mut conn.out);
            open = open.saturating_add(usize::from(conn.flush().is_ok()));
        }
        let limit = self.shared.clock.now().saturating_add(CLOSE);
        while open > 0 && self.shared.clock.now() < limit {
            match self.poll.poll(events, Some(NAP)) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                other => other.context("cannot wait for events")?,
            }
            for event in &*events {
                let Some(lane) = self.lanes.get_mut(event.token().0) else { continue };
                let Some(conn) = lane.conn.as_mut() else { continue };
                let flushed = conn.flush();
                let received =
                    conn.receive(scratch, self.shared.clock, event.is_read_closed(), |_, _, _| {
                        Ok(())
                    });
                if flushed.is_err() || !matches!(received, Ok(Received::Drained)) {
                    lane.conn = None;
                    open = open.saturating_sub(1);
                }
            }
        }
        Ok(result)
    }
}

impl Lane {
    fn has_room(&self, depth: usize) -> bool {
        self.conn.is_some() && self.flights.len() < depth
    }

    /// Appends the job's next request; false when there is none.
    fn issue<J: Job>(&mut self, job: &mut J, start: u64) -> bool {
        let Some(conn) = self.conn.as_mut() else { return true };
        let xid = next_xid(self.xid);
        match job.next(xid, &mut conn.out) {
            Next::Sent(class) => self.flights.push_back(Flight { start, xid, class }),
            Next::SentAs(xid, class) => self.flights.push_back(Flight { start, xid, class }),
            Next::Done => return false,
        }
        self.xid = xid;
        true
    }
}

/// xid and error code of a reply.
#[inline]
fn header(payload: &[u8]) -> io::Result<(i32, i32)> {
    match payload.first_chunk::<16>() {
        Some([a, b, c, d, _, _, _, _, _, _, _, _, e, f, g, h]) => {
            Ok((i32::from_be_bytes([*a, *b, *c, *d]), i32::from_be_bytes([*e, *f, *g, *h])))
        }
        None => Err(io::Error::new(io::ErrorKind::InvalidData, "a reply without a whole header")),
    }
}

#[cold]
fn out_of_order(xid: i32) -> io::Error {
    let text = format!("a reply with xid {xid} out of order: the server mixes up requests");
    io::Error::new(io::ErrorKind::InvalidData, text)
}

/// The class of pings that only keep a session alive; they are not counted.
const IDLE_PING: Class = Class::MAX;
/// The timer's token; connections have small ones.
const TIMER: usize = usize::MAX >> 1;
const EVENTS: usize = 1024;
/// The longest sleep: how soon Ctrl-C is noticed.
const NAP: Duration = Duration::from_millis(50);
/// How often silent sessions are looked for.
const CHECK: u64 = 1_000_000_000;
/// A third of the bench's session timeout.
const SILENCE: u64 = 10_000_000_000;
/// How long answers may take after the end.
const DRAIN: u64 = 20_000_000_000;
/// How long closing the sessions may take.
const CLOSE: u64 = 3_000_000_000;
