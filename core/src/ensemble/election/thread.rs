//! The loop of the election port: news in, engines asked, what they want done.
//!
//! A round: wait for news or a deadline, take orders, connections and bytes, tell the engines the time, and carry out everything that they
//! want until they want nothing more. Deadlines come after the bytes, so that what lies in the sockets counts when the thread was late.

use super::complaints::{About, Complaints};
use super::dialer::{self, Dialer, Failure, Outcome, Place};
use super::inbox::{Inbox, Order, WAKER};
use super::listeners::{self, LISTENER_TOKENS, Listeners};
use super::sockets::{Input, Sockets};
use super::wire::Wire;
use super::{ElectionError, ElectionReport};
use crate::ensemble::tls::Security;
use crate::server::clock::Clock;
use mio::{Events, Poll};
use quorate_engine::election::links::{Command, Links};
use quorate_engine::election::{Effect, Election};
use quorate_engine::quorum::Quorums;
use quorate_wire::quorum::address::HostPort;
use quorate_wire::quorum::election::{InitialForm, MAX_ADDRESSES};
use quorate_wire::quorum::{InitialMessage, Membership, Notification};
use std::collections::BTreeSet;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

/// The thread.
pub(super) struct Driver {
    poll: Poll,
    inbox: Arc<Inbox>,
    clock: Clock,
    election: Election,
    links: Links,
    sockets: Sockets,
    parts: Parts,
    me: i64,
}

/// What the thread is made of besides its engines.
pub(super) struct Parts {
    pub(super) listeners: Listeners,
    pub(super) dialer: Dialer,
    pub(super) complaints: Complaints,
    pub(super) report: Box<dyn Fn(ElectionReport) + Send>,
    pub(super) listen_on_all: bool,
    pub(super) keep_alive: bool,
    pub(super) security: Arc<Security>,
}

impl Driver {
    pub(super) fn new(
        poll: Poll,
        inbox: Arc<Inbox>,
        election: Election,
        links: Links,
        me: i64,
        parts: Parts,
    ) -> Self {
        let (clock, sockets) = (Clock::new(), Sockets::new());
        Self { poll, inbox, clock, election, links, sockets, parts, me }
    }

    /// Works until it is told to stop, or cannot go on.
    pub(super) fn run(mut self) {
        let result =
            catch_unwind(AssertUnwindSafe(|| self.serve())).unwrap_or(Err(ElectionError::Panic));
        if let Err(error) = result {
            (self.parts.report)(ElectionReport::Failed(error));
        }
    }

    fn serve(&mut self) -> Result<(), ElectionError> {
        let mut events = Events::with_capacity(EVENTS);
        loop {
            let timeout = self.timeout();
            match self.poll.poll(&mut events, timeout) {
                Err(cause) if cause.kind() != io::ErrorKind::Interrupted => {
                    return Err(ElectionError::System { what: "its poll", cause });
                }
                _ => {}
            }
            let now = self.now();
            for order in self.inbox.take() {
                if matches!(order, Order::Close) {
                    return Ok(());
                }
                self.obey(now, order);
                self.settle(now);
            }
            self.take_events(now, &events);
            self.accept(now);
            self.read(now);
            self.tick(now);
            self.settle(now);
        }
    }

    fn now(&self) -> i64 {
        self.clock.now().mono
    }

    fn timeout(&self) -> Option<Duration> {
        if self.sockets.has_readable() {
            return Some(Duration::ZERO);
        }
        let deadlines = [
            self.election.next_deadline(),
            self.links.next_deadline(),
            self.sockets.next_deadline(),
            self.parts.dialer.next_deadline(),
            self.parts.listeners.next_deadline(),
        ];
        let wait = deadlines.into_iter().flatten().min()?.saturating_sub(self.now());
        Some(Duration::from_millis(u64::try_from(wait).unwrap_or(0)))
    }

    fn obey(&mut self, now: i64, order: Order) {
        match order {
            Order::Look(history) => self.election.start(now, history),
            Order::Rest => {
                self.election.rest();
                self.links.forget();
            }
            Order::Silent(sid) => self.election.unreachable(now, sid),
            Order::Established(epoch) => self.election.established(epoch),
            Order::Assume(state, vote) => self.election.assume(state, vote),
            Order::See(membership) => {
                self.election.see(now, membership);
                self.follow_members();
            }
            Order::Commit(membership) => self.commit(now, membership),
            Order::Found(place, found) => self.parts.dialer.found(now, &place, &found),
            Order::Bound(bound, failed) => {
                let Parts { listeners, complaints, .. } = &mut self.parts;
                listeners.bound(now, bound, failed, complaints);
            }
            // The loop has seen to it.
            Order::Close => {}
        }
    }

    fn commit(&mut self, now: i64, membership: Membership) {
        let before = self.election.quorums().committed().clone();
        self.election.commit(now, membership);
        self.follow_members();
        let committed = self.election.quorums().committed();
        let moved = |sid| {
            let addresses = |of: &Membership| of.servers.get(&sid).map(|s| s.addresses.clone());
            addresses(&before) != addresses(committed)
        };
        // Who has moved is not to be found where it was; what waits for it is said at the new place.
        for link in self.parts.dialer.end_those(moved) {
            self.links.failed(link, false);
        }
        // A server that was removed goes on where it is, until its owner has had enough.
        let own = listeners::own_places(committed, self.me, self.parts.listen_on_all);
        if let Some(own) = own {
            self.links.set_greeting(&greeting(committed, self.me));
            self.parts.listeners.set(own);
        }
    }

    fn follow_members(&mut self) {
        let members = members(self.election.quorums());
        self.parts.complaints.set_members(&members);
        self.links.set_members(members);
    }

    fn take_events(&mut self, now: i64, events: &Events) {
        for event in events {
            let token = event.token();
            if token == WAKER {
                continue;
            }
            if token.0 < LISTENER_TOKENS {
                self.parts.listeners.ready(token);
            } else if let Some((link, _)) = dialer::link_of(token) {
                let readable = event.is_readable() || event.is_read_closed() || event.is_error();
                let writable = event.is_writable() || event.is_error();
                self.parts.dialer.ready(now, token);
                self.sockets.ready(link, readable, writable);
            }
        }
        self.settle(now);
    }

    fn accept(&mut self, now: i64) {
        let Parts { listeners, complaints, .. } = &mut self.parts;
        for (socket, remote) in listeners.accept(now, complaints) {
            let link = self.links.accepted(now);
            let Parts { keep_alive, security, .. } = &self.parts;
            let mut wire = Wire::over(socket, remote, *keep_alive, security);
            let registered = dialer::token(link, 0)
                .ok_or_else(|| io::Error::other("there have been too many"))
                .and_then(|token| wire.register(self.poll.registry(), token));
            match registered {
                Ok(()) => self.sockets.add(link, wire, remote),
                Err(error) => {
                    let text = format!("an election connection from {remote} is lost: {error}");
                    self.parts.complaints.say(now, About::Accept, text);
                    self.links.closed(now, link);
                }
            }
            self.settle(now);
        }
    }

    fn read(&mut self, now: i64) {
        for link in self.sockets.take_readable() {
            match self.sockets.read(link) {
                Input::Bytes(bytes) => self.links.received(now, link, bytes),
                Input::Nothing => {}
                Input::Ended => self.links.closed(now, link),
                Input::Refused(why, remote) => {
                    self.parts.complaints.refused(now, &why, remote);
                    self.links.closed(now, link);
                }
            }
            self.settle(now);
        }
    }

    fn tick(&mut self, now: i64) {
        self.links.tick(now);
        self.election.tick(now);
        self.sockets.tick(now);
        self.parts.dialer.tick(now);
        self.parts.listeners.tick(now);
    }

    /// Carries out what the engines want, until they want nothing more. Frames count as written only when nothing else is to be done: a
    /// greeting that has left says nothing about the frame behind it.
    fn settle(&mut self, now: i64) {
        loop {
            if let Some(effect) = self.election.next_effect() {
                self.carry_out(now, effect);
            } else if let Some(command) = self.links.next_command() {
                self.follow(now, command);
            } else if let Some(outcome) = self.parts.dialer.next_outcome() {
                self.conclude(outcome, now);
            } else if let Some(link) = self.sockets.next_broken() {
                self.links.closed(now, link);
            } else if let Some(link) = self.sockets.next_written() {
                self.links.written(link);
            } else {
                return;
            }
        }
    }

    fn carry_out(&mut self, now: i64, effect: Effect) {
        let report = match effect {
            Effect::Send { to, ballot } => {
                let mut frame = Vec::new();
                self.election.write_frame(ballot, &mut frame);
                return self.links.send(now, to, frame);
            }
            Effect::BadConfig { from, error } => {
                let text = format_args!(
                    "server {from} has sent a configuration that cannot be read: {error}; its vote counts all the same, but compare its \
                     version and its dynamic configuration file"
                );
                return self.parts.complaints.say(now, About::Config, text);
            }
            Effect::Decided { state, leader } => ElectionReport::Decided { state, leader },
            Effect::Withdrawn => ElectionReport::Withdrawn,
            Effect::SawConfig { from, membership } => {
                ElectionReport::SawConfig { from, membership }
            }
        };
        (self.parts.report)(report);
    }

    fn follow(&mut self, now: i64, command: Command) {
        match command {
            Command::Connect { link, to, at } => {
                let places = self.places(to, at);
                self.parts.dialer.begin(now, link, to, &places);
            }
            Command::Write { link, bytes } => self.sockets.write(link, &bytes),
            Command::Close { link } => {
                // One that is still being made has taken too long.
                if let Some(failure) = self.parts.dialer.end(link) {
                    self.lament(now, &failure);
                }
                self.sockets.close(now, link);
            }
            Command::Heard { from, payload } => self.hear(now, from, &payload),
            Command::Reachable(sid) => {
                self.parts.complaints.reached(sid);
                self.election.reachable(sid);
            }
            Command::Unreachable(sid) => self.election.unreachable(now, sid),
            Command::Problem { link, problem } => {
                let remote = self.sockets.remote(link);
                self.parts.complaints.problem(now, &problem, remote);
            }
        }
    }

    fn hear(&mut self, now: i64, from: i64, payload: &[u8]) {
        match Notification::read(payload) {
            Ok(notification) => self.election.receive(now, from, &notification),
            Err(error) => {
                let text = format_args!(
                    "a notification of server {from} is dropped: {error}; it needs version 3.4.6 or later"
                );
                self.parts.complaints.say(now, About::Notification, text);
            }
        }
    }

    fn conclude(&mut self, outcome: Outcome, now: i64) {
        match outcome {
            Outcome::Made { link, wire, remote } => {
                self.sockets.add(link, wire, remote);
                self.links.connected(now, link);
            }
            Outcome::Failed { link, failure } => {
                self.lament(now, &failure);
                self.links.failed(link, failure.refused);
            }
        }
    }

    /// Says that a server could not be reached.
    fn lament(&mut self, now: i64, failure: &Failure) {
        let Failure { to, why, .. } = failure;
        if members(self.election.quorums()).contains(to) {
            self.parts.complaints.away(now, *to, why);
        } else {
            let text = format_args!(
                "a server that says to be {to}, and is no member, cannot be reached ({why}); it is to be added by a reconfiguration, or stopped"
            );
            self.parts.complaints.say(now, About::Stranger, text);
        }
    }

    /// Where a server may be: where it has said, and where the configurations say.
    fn places(&self, to: i64, at: Vec<HostPort>) -> Vec<Place> {
        let quorums = self.election.quorums();
        let known = [Some(quorums.committed()), quorums.pending()];
        let servers = known.into_iter().flatten().filter_map(|config| config.servers.get(&to));
        let known = servers.flat_map(|server| &server.addresses).map(|address| address.election());
        let known: Vec<HostPort> = known.filter(|place| !place.is_wildcard()).collect();
        let mut places: Vec<Place> = Vec::new();
        for at in at.into_iter().take(MAX_TOLD_PLACES).chain(known.iter().cloned()) {
            if !places.iter().any(|place| place.at == at) {
                let told = !known.contains(&at);
                places.push(Place { at, told });
            }
        }
        places
    }
}

/// All servers of the configurations that count.
pub(super) fn members(quorums: &Quorums) -> BTreeSet<i64> {
    let configs = [Some(quorums.committed()), quorums.pending()];
    configs.into_iter().flatten().flat_map(|config| config.servers.keys().copied()).collect()
}

/// How a server introduces itself: with its address, and in the newer form only if it has several, as many as others read.
pub(super) fn greeting(membership: &Membership, me: i64) -> InitialMessage {
    let own = membership.servers.get(&me).into_iter().flat_map(|server| &server.addresses);
    let (mut addresses, mut length) = (Vec::new(), 0_usize);
    for address in own.map(|address| address.election()) {
        length = length.saturating_add(address.to_string().len()).saturating_add(1);
        if length <= MAX_ADDRESSES {
            addresses.push(address);
        }
    }
    let form = if addresses.len() > 1 { InitialForm::V2 } else { InitialForm::V1 };
    InitialMessage { form, sid: me, addresses }
}

/// Events taken in one round.
const EVENTS: usize = 256;
/// Addresses that another server may name for itself.
const MAX_TOLD_PLACES: usize = 8;
