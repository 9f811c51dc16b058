//! `connect`: sessions opened and closed as fast as the server lets them.
//!
//! Each slot connects, shakes hands, closes its session and begins anew. The latency of a session is from
//! the connection attempt to the answer of the handshake.

use crate::bench::client::{SESSION_TIMEOUT, handshake};
use crate::bench::clock::{Clock, float, nanos, seconds};
use crate::bench::conn::{Conn, Received};
use crate::bench::load::Tally;
use crate::bench::metric::{Better, Outcome, cpu_between, readable};
use crate::bench::options::{Context, Span};
use crate::bench::request;
use crate::progress::Progress;
use anyhow::{Context as _, Result, ensure};
use std::io;
use std::time::Duration;

/// Options of `connect`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Connect {
    /// Sessions that are being opened at the same time.
    #[arg(long, default_value_t = 50, value_name = "N")]
    clients: usize,
    #[command(flatten)]
    span: Span,
}

impl Connect {
    /// Runs it.
    pub(crate) fn run(&self, context: &Context) -> Result<Outcome> {
        let clients = self.clients.max(1);
        let mut storm = Storm::new(context, clients, &self.span)?;
        let progress = Progress::new("connect", storm.until / 1_000_000);
        let mut before = context.processes.cpu()?;
        let mut warming = true;
        loop {
            let now = storm.clock.now();
            if warming && now >= storm.from {
                before = context.processes.cpu()?;
                warming = false;
            }
            if now >= storm.until || context.stop.requested() {
                break;
            }
            storm.turn()?;
            let rate = float(storm.tally.done) / seconds(now.saturating_sub(storm.from).max(1));
            progress.set(now / 1_000_000, format!("{}/s", readable(rate)));
        }
        let elapsed = storm.clock.now().min(storm.until).saturating_sub(storm.from).max(1);
        let cpu = cpu_between(before, context.processes.cpu()?);
        let tally = storm.tally;
        let mut outcome = Outcome::new(format!("connect: {clients} at a time"));
        outcome.partial = context.stop.requested();
        outcome.add("rate", float(tally.done) / seconds(elapsed), "sessions/s", Better::Higher);
        for histogram in &tally.latency {
            outcome.add_latency("open", histogram);
        }
        outcome.add_cpu(cpu, elapsed, tally.done);
        outcome.add("failed", float(tally.lost), "", Better::Lower);
        Ok(outcome)
    }
}

struct Storm<'a> {
    context: &'a Context,
    poll: mio::Poll,
    events: mio::Events,
    scratch: Vec<u8>,
    clock: Clock,
    from: u64,
    until: u64,
    slots: Vec<Slot>,
    hello: Vec<u8>,
    tally: Tally,
}

struct Slot {
    conn: Conn,
    phase: Phase,
    start: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Connecting,
    Greeting,
    Closing,
}

impl<'a> Storm<'a> {
    fn new(context: &'a Context, clients: usize, span: &Span) -> Result<Self> {
        let clock = Clock::start();
        let from = nanos(span.warmup);
        let mut storm = Self {
            context,
            poll: mio::Poll::new()?,
            events: mio::Events::with_capacity(1024),
            scratch: Vec::new(),
            clock,
            from,
            until: from.saturating_add(nanos(span.seconds)),
            slots: Vec::with_capacity(clients),
            hello: handshake(SESSION_TIMEOUT),
            tally: Tally::new(1)?,
        };
        for token in 0..clients {
            let slot = storm.begin(token)?;
            storm.slots.push(slot);
        }
        Ok(storm)
    }

    fn begin(&self, token: usize) -> Result<Slot> {
        let start = self.clock.now();
        let server = self.context.servers.of(token);
        let stream = mio::net::TcpStream::connect(server)
            .with_context(|| format!("cannot connect to {server}"))?;
        let mut conn = Conn::new(stream);
        conn.register(&self.poll, token)?;
        Ok(Slot { conn, phase: Phase::Connecting, start })
    }

    /// Handles what is ready.
    fn turn(&mut self) -> Result<()> {
        match self.poll.poll(&mut self.events, Some(NAP)) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => return Ok(()),
            other => other.context("cannot wait for events")?,
        }
        let tokens: Vec<_> =
            self.events.iter().map(|event| (event.token().0, event.is_read_closed())).collect();
        for (token, closing) in tokens {
            let Some(slot) = self.slots.get_mut(token) else { continue };
            let window = self.from..self.until;
            let outcome =
                slot.step(&self.hello, &mut self.scratch, self.clock, closing, |start, now| {
                    if window.contains(&now) {
                        self.tally.record(0, start, now, 0);
                    }
                });
            if outcome.is_err() {
                self.tally.lost = self.tally.lost.saturating_add(1);
                ensure!(
                    self.tally.done > 0 || self.tally.lost < HOPELESS,
                    "{} refuses every session",
                    self.context.servers
                );
            }
            if !matches!(outcome, Ok(true)) {
                let fresh = self.begin(token)?;
                if let Some(slot) = self.slots.get_mut(token) {
                    *slot = fresh;
                }
            }
        }
        Ok(())
    }
}

impl Slot {
    /// Goes on with whatever is next; false when the session is over. `opened` gets start and end.
    fn step(
        &mut self,
        hello: &[u8],
        scratch: &mut Vec<u8>,
        clock: Clock,
        closing: bool,
        mut opened: impl FnMut(u64, u64),
    ) -> io::Result<bool> {
        if self.phase == Phase::Connecting {
            self.conn.connect_error()?;
            self.conn.nodelay()?;
            self.conn.out.extend_from_slice(hello);
            self.phase = Phase::Greeting;
            match self.conn.flush() {
                // Not connected yet: the event was about something else.
                Err(e) if e.kind() == io::ErrorKind::NotConnected => {
                    self.conn.out.clear();
                    self.phase = Phase::Connecting;
                    return Ok(true);
                }
                other => other?,
            }
        }
        let (phase, start) = (&mut self.phase, self.start);
        let received = self.conn.receive(scratch, clock, closing, |_, now, out| {
            if *phase == Phase::Greeting {
                opened(start, now);
                request::close().push(1, out);
                *phase = Phase::Closing;
            }
            Ok(())
        })?;
        self.conn.flush()?;
        match (received, self.phase) {
            (Received::Closed, Phase::Closing) => Ok(false),
            (Received::Closed, _) => Err(io::ErrorKind::ConnectionReset.into()),
            (Received::Drained, _) => Ok(true),
        }
    }
}

const NAP: Duration = Duration::from_millis(50);
/// So many failures without one success: the server does not want us.
const HOPELESS: u64 = 1000;
