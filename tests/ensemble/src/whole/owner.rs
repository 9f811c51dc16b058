//! A client: the product's engine, what it wants, and what it must be told.

use crate::check::{Checked, Violation, ensure};
use crate::whole::history::History;
use crate::whole::tap::{Shown, Tap};
use quorate_engine::client::{
    ClientSession, Create, Effect, Failure, Notice, Part, Reply, Request, Settings, State, Token,
    WatchKey,
};
use quorate_tests_kit::random::Random;
use quorate_wire::op::create::CreateMode;
use quorate_wire::{Acl, ErrorCode, OpCode, Zxid, acl};
use std::collections::{BTreeMap, BTreeSet};

/// A client.
pub struct Owner {
    /// Its part of chance.
    pub random: Random,
    /// Its engine.
    pub session: ClientSession,
    /// The attempt to connect, and the connection once there is one.
    pub link: Option<(u64, Option<u64>)>,
    /// The server that it tries, or has tried last.
    pub dials: usize,
    /// What is looked at on the way.
    pub tap: Tap,
    /// When it is woken, us.
    pub timer: u64,
    /// When it has the next idea, us.
    pub idea_at: u64,
    /// Its process stands still until then, us.
    pub paused_until: u64,
    asked: BTreeMap<Token, OpCode>,
    /// One-shot watches: their paths, and the state that they were left in.
    armed: BTreeMap<WatchKey, (String, Zxid)>,
    /// Watches on their way: left when this is answered.
    arming: BTreeMap<Token, (WatchKey, String)>,
    /// The state of the answer that is being given.
    shown: Option<Shown>,
    tokens: u64,
    closing: bool,
    /// What happened to it.
    pub counts: Counts,
}

/// What happened to a client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests that ended.
    pub ended: u64,
    /// Of these, with an outcome that nobody knows.
    pub unknown: u64,
    /// Events of watches.
    pub events: u64,
    /// Sessions that were lost.
    pub lost: u64,
    /// Connections.
    pub connections: u64,
}

impl Owner {
    /// A client of these servers.
    #[must_use]
    pub fn new(mut random: Random, servers: usize, timeout: i32) -> Self {
        let settings = Settings {
            servers: (0..servers).map(|n| format!("s{n}")).collect(),
            timeout,
            max_pending: random.of(50, &[1, 5]),
            ..Settings::default()
        };
        let session = ClientSession::new(settings, None, random.number(), 0);
        Self {
            random,
            session,
            link: None,
            dials: 0,
            tap: Tap::default(),
            timer: u64::MAX,
            idea_at: 0,
            paused_until: 0,
            asked: BTreeMap::new(),
            armed: BTreeMap::new(),
            arming: BTreeMap::new(),
            shown: None,
            tokens: 0,
            closing: false,
            counts: Counts::default(),
        }
    }

    /// Its connection.
    #[must_use]
    pub fn pipe(&self) -> Option<u64> {
        self.link.and_then(|(_, pipe)| pipe)
    }

    /// It wants to see what is new.
    pub fn sync(&mut self) {
        let path = path(&mut self.random);
        let sync = Request::Sync { path: &path };
        for request in [sync, Request::Get { path: &path, watch: None }] {
            self.tokens += 1;
            if !self.closing && self.session.submit("", &request, self.tokens).is_ok() {
                self.asked.insert(self.tokens, request.op());
            }
        }
    }

    /// It wants something.
    pub fn idea(&mut self) {
        if self.closing {
            return;
        }
        self.tokens += 1;
        let token = self.tokens;
        let path = path(&mut self.random);
        let data = token.to_be_bytes();
        let open = [Acl::world(acl::ALL)];
        let mode = self.random.of(
            CreateMode::Persistent,
            &[CreateMode::Persistent, CreateMode::Ephemeral, CreateMode::EphemeralSequential],
        );
        let watch = self.random.chance(500).then_some(token);
        let create = |path, mode| Create { path, data: &data, acl: &open, mode, ttl: 0 };
        let (path, other) = (path.as_str(), self::path(&mut self.random));
        let parts;
        let request = match self.random.below(100) {
            0..=19 => Request::Create(create(path, mode)),
            20..=34 => Request::Set { path, data: &data, version: -1 },
            35..=44 => Request::Delete { path, version: -1 },
            45..=64 => Request::Get { path, watch },
            65..=74 => Request::Exists { path, watch },
            75..=79 => Request::Children { path: "/", watch: None },
            80..=89 => Request::Sync { path },
            _ => {
                parts = [
                    Part::Create(create(&other, CreateMode::Ephemeral)),
                    Part::Set { path, data: &data, version: -1 },
                    Part::Check { path, version: -1 },
                    Part::Delete { path: &other, version: -1 },
                ];
                let most = self.random.between(1, 4);
                Request::Multi(parts.get(..usize::try_from(most).unwrap_or(1)).unwrap_or_default())
            }
        };
        let (op, key, at) = (request.op(), request.watch_key(), path.to_owned());
        if self.session.submit("", &request, token).is_ok() {
            self.asked.insert(token, op);
            if let Some(key) = key {
                self.arming.insert(token, (key, at));
            }
        }
    }

    /// It ends its session, after everything else.
    pub fn close(&mut self, now: i64) {
        if !std::mem::replace(&mut self.closing, true) {
            self.tokens += 1;
            if self.session.close(now + 600_000, self.tokens).is_ok() {
                self.asked.insert(self.tokens, OpCode::CloseSession);
            }
        }
    }

    /// Whether it has got everything that it wants, and has gone.
    #[must_use]
    pub fn has_left(&self) -> bool {
        self.session.state().is_final() && self.asked.is_empty()
    }

    /// Whether it is in touch.
    #[must_use]
    pub const fn is_connected(&self) -> bool {
        self.session.state().is_connected()
    }

    /// Bytes up to the end of a frame have come.
    ///
    /// # Errors
    /// When they are not what they must be.
    pub fn hears(&mut self, bytes: &[u8], history: &mut History) -> Checked {
        self.shown = self.tap.hears(bytes, history)?;
        let Some(Shown { zxid, tells }) = self.shown else { return Ok(()) };
        if !tells {
            // A node that came and went while nobody was connected: the protocol has no way to tell.
            let absent = |path: &str, at| history.node(path, at).is_none();
            let armed = self.armed.values_mut();
            let unseen = armed.filter(|(path, since)| absent(path, *since) && absent(path, zxid));
            unseen.for_each(|(_, since)| *since = zxid);
            return Ok(());
        }
        for (key, (path, since)) in &self.armed {
            let changed = history.changed(path, *since, zxid);
            ensure!(
                changed.is_none(),
                "watch {key} of {path} since {since} is shown {zxid}, and not told of {changed:x?}"
            );
        }
        Ok(())
    }

    /// The engine wants something that concerns nobody else.
    ///
    /// # Errors
    /// When it is not what it must be.
    pub fn told(&mut self, effect: Effect) -> Checked {
        match effect {
            Effect::Complete { token, result } => self.complete(token, &result),
            Effect::Event { watch, event } => self.event(watch, event),
            Effect::State(State::Lost) => {
                self.counts.lost += 1;
                self.armed.clear();
                Ok(())
            }
            Effect::State(State::Connected) => {
                self.counts.connections += 1;
                Ok(())
            }
            Effect::State(_) => Ok(()),
            Effect::Probe { .. } | Effect::Connect { .. } | Effect::Disconnect { .. } => {
                Err(Violation("not for its owner".into()))
            }
        }
    }

    fn complete(&mut self, token: Token, result: &Result<Reply, Failure>) -> Checked {
        let Some(op) = self.asked.remove(&token) else {
            return Err(Violation(format!("request {token} ends, which is not under way")));
        };
        self.counts.ended += 1;
        let arming = self.arming.remove(&token);
        match result {
            Ok(reply) => {
                if let (Some((key, path)), Some(shown)) = (arming, self.shown) {
                    self.armed.insert(key, (path, shown.zxid));
                }
                let _ = reply;
            }
            Err(failure) => {
                self.counts.unknown += u64::from(failure.outcome_unknown);
                ensure!(is_fair(op, failure), "request {token} ({op:?}) ends with {failure:?}");
            }
        }
        Ok(())
    }

    fn event(&mut self, watch: WatchKey, event: Notice) -> Checked {
        self.counts.events += 1;
        let known = self.armed.remove(&watch);
        match event {
            Notice::Changed { path, .. } => {
                let Some((watched, _)) = known else {
                    return Err(Violation(format!("watch {watch} is told of {path} once more")));
                };
                ensure!(watched == path, "watch {watch} of {watched} is told of {path}");
            }
            Notice::Missed => {
                return Err(Violation("a one-shot watch has missed something".into()));
            }
            Notice::Ended(_) => {}
        }
        Ok(())
    }
}

/// Whether a request may end like this.
fn is_fair(op: OpCode, failure: &Failure) -> bool {
    use ErrorCode::{
        BadVersion, Closing, ConnectionLoss, NoChildrenForEphemerals, NoNode, NodeExists,
        SessionExpired,
    };
    let codes = BTreeSet::from([
        BadVersion.code(),
        Closing.code(),
        ConnectionLoss.code(),
        NoChildrenForEphemerals.code(),
        NoNode.code(),
        NodeExists.code(),
        SessionExpired.code(),
        ErrorCode::NotEmpty.code(),
    ]);
    let reads = matches!(op, OpCode::GetData | OpCode::Exists | OpCode::GetChildren2);
    codes.contains(&failure.code.code()) && !(reads && failure.outcome_unknown)
}

fn path(random: &mut Random) -> String {
    let first = random.of("/a", &["/b", "/c", "/d"]);
    let second = random.of("", &["", "", "/x", "/y"]);
    format!("{first}{second}")
}
