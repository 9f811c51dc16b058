//! The owner of a session: the product's client engine with a driver of the world around it, and somebody who looks over
//! its shoulder.
//!
//! Checked here: every request ends, once, with what its server has said, or with an outcome that is unknown exactly when
//! it is; requests are sent once, in order; watches are told what they have to be ([`watching`](super::watching)); a session is
//! lost before its server ends it, and its owner is told once; limits hold.

mod ideas;
mod outcome;
mod told;
mod wish;

use super::client::Farewell;
use super::env::{Checked, Env, Event, Violation, ensure};
use super::net::{End, LinkId, Taken};
use super::random::Random;
use super::server::Server;
use super::tap::{Heard, Tap};
use super::watching::Watching;
use outcome::Asked;
use quorate_engine::client::{ClientSession, Effect, Settings, Token};
use quorate_wire::OpCode;
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

    /// Carries out what the engine wants, and looks at what it says.
    pub(super) fn effects(&mut self, env: &mut Env) -> Checked {
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
                self.watching.left()?;
            }
            if let Some(Heard::Other { rearmed: true, .. }) = heard {
                self.watching.settled()?;
            }
        }
        Ok(())
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
            let (unsent, asked) = (&mut self.unsent, &self.asked);
            let is_by_type = |token: &Token| {
                asked.get(token).is_some_and(|asked| matches!(asked.wish, Wish::ByType { .. }))
            };
            let next = |op| match unsent.front() {
                Some(token) if is_housekeeping(op) && !is_by_type(token) => None,
                _ => unsent.pop_front(),
            };
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
    matches!(op, OpCode::RemoveWatches | OpCode::CheckWatches | OpCode::CloseSession)
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
