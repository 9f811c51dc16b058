//! The owner of a session: the product's client engine with a driver of the world around it, and somebody who looks over
//! its shoulder.
//!
//! Checked here: every request ends, once, with what its server has said, or with an outcome that is unknown exactly when
//! it is; requests are sent once, in order; watches are told what they have to be ([`watching`](super::watching)); a session is
//! lost before its server ends it, and its owner is told once; limits hold.

mod outcome;
mod wish;

use super::client::Farewell;
use super::env::{Checked, Env, Event, Violation, ensure};
use super::net::{End, LinkId, Taken};
use super::random::Random;
use super::server::Server;
use super::tap::{Heard, Tap};
use super::trace::note;
use super::watching::Watching;
use outcome::Asked;
use quorate_engine::client::{
    ClientSession, Effect, Failure, Notice, Refused, Reply, Settings, State, Token, below,
};
use quorate_wire::{ErrorCode, OpCode};
use std::collections::{BTreeMap, VecDeque};
use wish::Wish;

/// The owner of a session.
pub struct Owner {
    number: usize,
    random: Random,
    session: ClientSession,
    settings: Settings,
    root: &'static str,
    labels: [&'static str; 2],
    /// The connection and the attempt that it is for; a link is there when somebody has taken it.
    link: Option<(u64, Option<LinkId>)>,
    /// When the attempt ends well or badly, us.
    dialled: u64,
    tap: Tap,
    asked: BTreeMap<Token, Asked>,
    unsent: VecDeque<Token>,
    watching: Watching,
    names: u64,
    /// When the owner has the next idea, and when the next event for it is, us.
    idea_at: u64,
    wake_at: u64,
    deaf_until: u64,
    silent_until: u64,
    paused_until: u64,
    /// The session whose end its owner has been told of.
    lost: i64,
    closing: Option<Token>,
    calm: Option<Farewell>,
    gone: bool,
    /// Requests that ended, events that were told, sessions that were lost.
    pub counts: Counts,
}

/// What has happened to an owner.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Requests that ended.
    pub ended: u64,
    /// Of these, with an outcome that nobody knows.
    pub unknown: u64,
    /// Events.
    pub events: u64,
    /// Notices that something may be missing.
    pub missed: u64,
    /// Sessions that were lost.
    pub lost: u64,
}

impl Owner {
    /// An owner without a session.
    #[must_use]
    pub fn new(number: usize, env: &mut Env) -> Self {
        let mut random = env.random.fork();
        let settings = settings(&mut random, env);
        let session = ClientSession::new(settings.clone(), None, random.number(), env.now_ms());
        Self {
            number,
            session,
            settings,
            root: random.of("", &["", "/a"]),
            labels: ["s0", "s0"],
            random,
            link: None,
            dialled: 0,
            tap: Tap::new(number),
            asked: BTreeMap::new(),
            unsent: VecDeque::new(),
            watching: Watching::default(),
            names: 1,
            idea_at: 0,
            wake_at: 0,
            deaf_until: 0,
            silent_until: 0,
            paused_until: 0,
            lost: 0,
            closing: None,
            calm: None,
            gone: false,
            counts: Counts::default(),
        }
    }

    /// Does what is due, and plans when to do the next thing.
    pub fn act(&mut self, env: &mut Env, server: &mut Server) -> Checked {
        if self.gone || env.now < self.paused_until {
            return Ok(());
        }
        // Who wakes up late finds everything due at once, in any order.
        if self.random.chance(500) {
            self.read(env)?;
        }
        if env.now >= self.dialled {
            self.dialled(env, server)?;
        }
        if self.session.deadline().is_some_and(|due| env.now_ms() >= due) {
            self.session.tick(env.now_ms());
            self.effects(env)?;
        }
        if env.now >= self.idea_at {
            self.idea(env)?;
            let (low, high) = env.plan.client_gap;
            let gap = if self.calm.is_some() { 20_000 } else { self.random.skewed(low, high) };
            self.idea_at = env.now + gap.max(1);
        }
        self.read(env)?;
        self.write(env)?;
        self.plan(env);
        Ok(())
    }

    fn plan(&mut self, env: &mut Env) {
        if self.gone {
            return;
        }
        let mut due = self.idea_at;
        if let Some(deadline) = self.session.deadline() {
            due = due.min(u64::try_from(deadline).unwrap_or(0).saturating_mul(1000));
        }
        if matches!(self.link, Some((_, None))) {
            due = due.min(self.dialled);
        }
        let due = due.max(env.now + 1).max(self.paused_until);
        if self.wake_at <= env.now || due < self.wake_at {
            self.wake_at = due;
            env.at(due, Event::Act { client: self.number });
        }
    }

    fn idea(&mut self, env: &mut Env) -> Checked {
        if let Some(farewell) = self.calm {
            return self.leave(env, farewell);
        }
        match self.random.below(1000) {
            0..=1 => self.resume_elsewhere(env)?,
            2..=3 => self.close(env)?,
            4..=9 => {
                self.labels = self.random.of(["s0", "s0"], &[["s0", "dead"], ["dead", "s0"]]);
                self.session.set_servers(self.labels.map(String::from).to_vec(), env.now_ms());
            }
            10..=15 => {
                let token = self.name();
                let secret = self.random.of("joe:1", &["ann:2", "eve:3"]);
                if self.session.authenticate("digest", secret.as_bytes(), token).is_ok() {
                    let wish = Wish::WhoAmI;
                    // Its answer is seen by nobody here but the owner.
                    self.asked.insert(
                        token,
                        Asked { wish, sent: None, answer: Some((0, 0, Vec::new())) },
                    );
                }
            }
            16..=35 => {
                // A fault of the connection that only this side sees.
                if let Some((attempt, Some(_))) = self.link {
                    self.session.disconnected(attempt, env.now_ms());
                }
            }
            36..=100 => {
                let keys = self.watching.keys();
                if let Some(&key) = self.random.pick(&keys) {
                    self.watching.forget(key);
                    self.session.unwatch(key);
                }
            }
            _ => {
                for _ in 0..self.random.between(0, env.plan.burst) {
                    self.submit(env)?;
                }
            }
        }
        self.effects(env)
    }

    fn submit(&mut self, env: &mut Env) -> Checked {
        let (token, key) = (self.name(), self.name());
        let mut wish = Wish::any(&mut self.random, &env.plan, key);
        let (session, root) = (&mut self.session, self.root);
        match wish.with(|request| session.submit(root, request, token)) {
            Ok(()) => {
                if wish.watch(false).is_some() && self.random.chance(100) {
                    self.session.unwatch(key);
                    wish.unwatch();
                }
                note!(env.trace, "owner {}: {token} {wish:?}", self.number);
                self.unsent.push_back(token);
                self.asked.insert(token, Asked { wish, sent: None, answer: None });
            }
            Err(Refused::Full) => {
                ensure!(
                    self.session.in_flight() >= self.settings.max_pending,
                    "there is room, but not for {wish:?}"
                );
            }
            Err(Refused::TooLong) => {}
            Err(Refused::Closed) if self.closing.is_some() => {}
            Err(refused) => {
                return Err(Violation(format!("{wish:?} was refused: {refused}")));
            }
        }
        ensure!(
            self.unsent.len() <= self.settings.max_pending,
            "{} requests wait, {} may",
            self.unsent.len(),
            self.settings.max_pending
        );
        Ok(())
    }

    fn name(&mut self) -> u64 {
        self.names += 1;
        self.names
    }

    /// The process dies, and another one goes on with its session.
    fn resume_elsewhere(&mut self, env: &mut Env) -> Checked {
        let session = self.tap.session;
        let identity = self.session.identity().filter(|_| session != 0);
        self.end(env)?;
        note!(env.trace, "owner {}: begins again with {identity:x?}", self.number);
        self.settings.resume = identity;
        let (settings, seed) = (self.settings.clone(), self.random.number());
        self.session = ClientSession::new(settings, None, seed, env.now_ms());
        self.labels = ["s0", "s0"];
        self.tap.session = identity.map_or(0, |_| session);
        self.tap.next_process();
        Ok(())
    }

    fn end(&mut self, env: &mut Env) -> Checked {
        self.session.abandon();
        self.effects(env)?;
        self.is_over()
    }

    /// Nothing may be left of a session that is over.
    fn is_over(&self) -> Checked {
        let counters = self.session.counters();
        ensure!(
            self.asked.is_empty() && self.watching.len() == 0 && self.closing.is_none(),
            "at the end of the session these have not ended: {:?}, {:?}",
            self.asked,
            self.watching
        );
        ensure!(
            counters.submitted == counters.completed && self.session.in_flight() == 0,
            "not everything has ended: {counters:?}"
        );
        Ok(())
    }

    fn close(&mut self, env: &mut Env) -> Checked {
        if self.closing.is_none() && !self.session.state().is_final() {
            let (token, limit) = (self.name(), env.now_ms() + 20_000);
            let closing = self.session.close(limit, token);
            ensure!(closing.is_ok(), "it cannot be closed: {closing:?}");
            self.closing = Some(token);
            self.effects(env)?;
        }
        Ok(())
    }

    fn leave(&mut self, env: &mut Env, farewell: Farewell) -> Checked {
        if self.session.state().is_final() {
            self.gone = true;
            return self.is_over();
        }
        match farewell {
            Farewell::Close => self.close(env),
            Farewell::Vanish if self.asked.is_empty() => {
                note!(env.trace, "owner {}: vanishes", self.number);
                self.end(env)
            }
            Farewell::Vanish => Ok(()),
        }
    }

    /// Carries out what the engine wants, and looks at what it says.
    fn effects(&mut self, env: &mut Env) -> Checked {
        while let Some(effect) = self.session.next_effect() {
            match effect {
                Effect::Connect { attempt, server: label } => {
                    let there = self.labels.get(label) == Some(&"s0");
                    self.dialled = env.now + self.random.skewed(1, 3_000);
                    self.drop_link(env)?;
                    self.link = Some((attempt, None));
                    if !there {
                        self.dialled = u64::MAX;
                        self.session.disconnected(attempt, env.now_ms());
                    }
                }
                Effect::Disconnect { .. } => self.drop_link(env)?,
                Effect::Probe { .. } => return Err(Violation("a probe of a good server".into())),
                Effect::Complete { token, result } => self.complete(env, token, &result)?,
                Effect::Event { watch, event } => self.event(env, watch, event)?,
                Effect::State(state) => self.entered(env, state)?,
            }
        }
        Ok(())
    }

    fn drop_link(&mut self, env: &mut Env) -> Checked {
        if let Some((_, link)) = self.link.take() {
            if let Some(link) = link {
                env.close(link, End::Client);
            }
            self.tap.reset();
            self.watching.disconnected(&env.history)?;
        }
        Ok(())
    }

    /// The attempt ends.
    fn dialled(&mut self, env: &mut Env, server: &mut Server) -> Checked {
        let Some((attempt, None)) = self.link else { return Ok(()) };
        let session = self.session.identity().map_or(0, |identity| identity.id);
        let link = env.links.open(self.number, session);
        if server.accept(env, link) {
            self.link = Some((attempt, Some(link)));
            self.tap.reset();
            self.session.connected(attempt, env.now_ms());
        } else {
            env.close(link, End::Client);
            self.session.disconnected(attempt, env.now_ms());
        }
        self.effects(env)
    }

    fn complete(&mut self, env: &Env, token: Token, result: &Result<Reply, Failure>) -> Checked {
        note!(env.trace, "owner {}: {token} is {:?}", self.number, result.as_ref().err());
        self.counts.ended += 1;
        if self.closing == Some(token) {
            self.closing = None;
            let good = match result {
                Ok(_) => !env.history.is_alive(self.tap.session) || self.tap.session == 0,
                Err(failure) => failure.outcome_unknown,
            };
            ensure!(good, "closing {:#x} ended with {result:?}", self.tap.session);
            return Ok(());
        }
        let Some(asked) = self.asked.remove(&token) else {
            return Err(Violation(format!("{token} ends again, or was never begun: {result:?}")));
        };
        self.unsent.retain(|other| *other != token);
        self.counts.unknown += u64::from(result.as_ref().is_err_and(|f| f.outcome_unknown));
        if matches!(asked.answer, Some((0, 0, ref body)) if body.is_empty()) {
            // An identity: accepted, or over with the session.
            let refused = result.as_ref().is_err_and(|f| f.code == ErrorCode::AuthFailed);
            ensure!(!refused, "good credentials were refused");
            return Ok(());
        }
        asked.check(&env.history, self.root, result)
    }

    fn event(&mut self, env: &Env, key: u64, notice: Notice) -> Checked {
        note!(env.trace, "owner {}: watch {key}: {notice:?}", self.number);
        match notice {
            Notice::Changed { kind, path, .. } => {
                self.counts.events += 1;
                self.watching.told(&env.history, key, kind, &below(self.root, &path))
            }
            Notice::Missed => {
                self.counts.missed += 1;
                self.watching.missed(key)
            }
            Notice::Ended(_) => self.watching.ended(key),
        }
    }

    fn entered(&mut self, env: &Env, state: State) -> Checked {
        note!(env.trace, "owner {}: {state:?}", self.number);
        match state {
            State::Lost => {
                ensure!(self.tap.session != 0, "a session is lost that there never was");
                ensure!(self.lost != self.tap.session, "{:#x} is lost twice", self.lost);
                ensure!(self.watching.len() == 0, "{:?} outlive the session", self.watching);
                self.counts.lost += 1;
                self.lost = self.tap.session;
                self.tap.forget();
            }
            State::Closed if self.calm.is_none() => {
                self.is_over()?;
                self.tap.forget();
                self.settings.resume = None;
                let (settings, seed) = (self.settings.clone(), self.random.number());
                if let Some(effect) = self.session.next_effect() {
                    return Err(Violation(format!("{effect:?} after the end")));
                }
                self.labels = ["s0", "s0"];
                self.session = ClientSession::new(settings, None, seed, env.now_ms());
            }
            State::AuthFailed | State::ReadOnly => {
                return Err(Violation(format!("the session is {state:?}")));
            }
            _ => {}
        }
        Ok(())
    }

    /// Something has arrived.
    pub fn read(&mut self, env: &mut Env) -> Checked {
        if env.now < self.deaf_until.max(self.paused_until) {
            return Ok(());
        }
        while let Some((attempt, Some(link))) = self.link {
            match env.links.take(link, End::Client, usize::MAX) {
                Taken::Nothing => break,
                Taken::End => {
                    self.session.disconnected(attempt, env.now_ms());
                    self.effects(env)?;
                }
                Taken::Bytes(bytes) => self.bytes(env, (attempt, link), &bytes)?,
            }
        }
        self.write(env)?;
        self.plan(env);
        Ok(())
    }

    /// The engine gets what came up to the end of each frame, so that it can be asked what it made of it.
    fn bytes(
        &mut self,
        env: &mut Env,
        (attempt, link): (u64, LinkId),
        mut bytes: &[u8],
    ) -> Checked {
        while !bytes.is_empty() && self.link == Some((attempt, Some(link))) {
            let (piece, rest) = bytes.split_at(self.tap.piece(bytes));
            bytes = rest;
            let (heard, given) = self.tap.hears(env, link, piece)?;
            let token = match &heard {
                Some(heard) => self.heard(env, heard)?,
                None => None,
            };
            self.session.received(attempt, &given, env.now_ms());
            self.effects(env)?;
            if let Some(token) = token {
                ensure!(!self.asked.contains_key(&token), "{token} was answered and has not ended");
            }
            if let Some(Heard::Other { rearmed: true, .. }) = heard {
                self.watching.settled()?;
            }
        }
        Ok(())
    }

    /// What has to have been told before this, and what this says.
    fn heard(&mut self, env: &Env, heard: &Heard) -> Checked<Option<Token>> {
        match heard {
            Heard::Greeting(granted) => {
                if *granted {
                    self.watching.connected();
                }
            }
            Heard::Aside | Heard::Closed => {}
            Heard::Other { zxid, rearmed } => {
                self.watching.replied(&env.history, *zxid, *rearmed)?
            }
            Heard::Reply { token, zxid, err, body } => {
                self.watching.replied(&env.history, *zxid, false)?;
                let Some(asked) = self.asked.get_mut(token) else {
                    return Err(Violation(format!("{token} has ended before its answer")));
                };
                asked.answer = Some((*zxid, *err, body.clone()));
                let absent = *err == ErrorCode::NoNode.code();
                let watch = asked
                    .wish
                    .watch(absent)
                    .filter(|_| *err == 0 || (absent && matches!(asked.wish, Wish::Exists { .. })));
                if let Some((key, kind, path)) = watch {
                    self.watching.add(key, kind, below(self.root, path), *zxid);
                }
                return Ok(Some(*token));
            }
        }
        Ok(None)
    }

    fn write(&mut self, env: &mut Env) -> Checked {
        if env.now < self.silent_until.max(self.paused_until) {
            return Ok(());
        }
        while self.session.has_output() {
            let mut out = Vec::new();
            let limit = self.random.of(usize::MAX, &[1, 100]);
            self.session.output(env.now_ms(), &mut out, limit);
            if out.is_empty() {
                break;
            }
            let Some((_, Some(link))) = self.link else {
                return Err(Violation("output without a connection".into()));
            };
            let unsent = &mut self.unsent;
            let next = |op| if is_housekeeping(op) { None } else { unsent.pop_front() };
            for leaving in self.tap.sends(env, link, &mut out, next)? {
                let Some(token) = leaving.token else { continue };
                let session = self.tap.session;
                let Some(asked) = self.asked.get_mut(&token) else {
                    return Err(Violation(format!("{token} has ended and is sent")));
                };
                let before = asked.sent.replace((session, leaving.xid));
                ensure!(before.is_none(), "{token} was sent as {before:?} and is sent again");
            }
            env.send(link, End::Client, &out);
        }
        self.effects(env)
    }

    /// The server has ended a session: its owner must know already, if it could.
    pub fn expired(&self, env: &Env, session: i64) -> Checked {
        let mine = self.tap.session == session && self.session.identity().is_some();
        let asleep = env.now < self.paused_until || self.gone;
        let knows = self.session.deadline().is_some_and(|due| due <= env.now_ms());
        // Who was told nothing since it took the session over cannot tell how long it lives.
        let never = self.session.state() == State::Connecting;
        ensure!(
            !mine || asleep || knows || never,
            "{session:#x} has expired, but its owner believes in it: {:?}",
            self.session
        );
        Ok(())
    }

    /// It does not read until then, us.
    pub fn deafen(&mut self, until: u64) {
        self.deaf_until = until;
    }

    /// It does not send until then, us.
    pub fn silence(&mut self, until: u64) {
        self.silent_until = until;
    }

    /// It does nothing at all until then, us.
    pub fn pause(&mut self, until: u64, env: &mut Env) {
        self.paused_until = until;
        self.wake_at = until;
        env.at(until, Event::Act { client: self.number });
    }

    /// It finishes what it has begun and leaves.
    pub fn calm_down(&mut self, farewell: Farewell, env: &mut Env) {
        self.calm = Some(farewell);
        (self.deaf_until, self.silent_until, self.paused_until) = (0, 0, 0);
        self.labels = ["s0", "s0"];
        self.session.set_servers(self.labels.map(String::from).to_vec(), env.now_ms());
        env.after(1, Event::Act { client: self.number });
    }

    /// Whether it has left.
    #[must_use]
    pub const fn has_left(&self) -> bool {
        self.gone
    }

    /// The link in use.
    #[must_use]
    pub const fn link(&self) -> Option<LinkId> {
        match self.link {
            Some((_, link)) => link,
            None => None,
        }
    }
}

/// What the engine sends by itself.
const fn is_housekeeping(op: OpCode) -> bool {
    matches!(op, OpCode::RemoveWatches | OpCode::CloseSession)
}

fn settings(random: &mut Random, env: &Env) -> Settings {
    let (low, high) = env.plan.timeouts;
    Settings {
        servers: vec!["s0".into(), "s0".into()],
        timeout: i32::try_from(random.between(low, high)).unwrap_or(i32::MAX),
        max_pending: random.of(200, &[3, 20]),
        max_request: env.plan.engine.shard.max_frame,
        ..Settings::default()
    }
}
