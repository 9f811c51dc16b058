//! The session's state and what its owner asks of it.

use super::auth::Credential;
use super::effect::{Effect, Failure, Refused, State, Token};
use super::ending::Closing;
use super::hosts::Hosts;
use super::pending::{Entry, Pending, Waiter};
use super::random::Random;
use super::request::{Request, WatchKey, below};
use super::sasl::Mechanism;
use super::spread::Spread;
use super::watches::{Unused, Watches};
use super::{link::Link, reply::Reply};
use quorate_wire::Jute;
use quorate_wire::frame::RequestHeader;
use std::collections::VecDeque;
use std::fmt;

/// What a session is opened with. Times are ms, sizes bytes.
///
/// ```
/// use quorate_engine::client::Settings;
///
/// let settings = Settings { servers: vec!["zoo1:2181".into()], renew: false, ..Settings::default() };
/// assert_eq!((settings.timeout, settings.spread), (10_000, 0));
/// ```
#[derive(Clone, Debug)]
pub struct Settings {
    /// Labels of the servers, in any order; the driver knows what they mean.
    pub servers: Vec<String>,
    /// The session timeout to ask for; the server has the last word.
    pub timeout: i32,
    /// Whether a server without a quorum will do, for reads.
    pub read_only: bool,
    /// A session to resume.
    pub resume: Option<Identity>,
    /// Whether a new session is opened when one is lost.
    pub renew: bool,
    /// Requests that may be without an answer, or whose results were not taken.
    pub max_pending: usize,
    /// Bytes of such requests and results.
    pub max_pending_bytes: usize,
    /// The longest request a server takes (its `jute.maxbuffer`).
    pub max_request: usize,
    /// The longest reply to accept.
    pub max_reply: usize,
    /// After a reconnect, persistent watches are told within so many ms that they may have missed something, each at its own
    /// time; 0 for at once.
    pub spread: i64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            timeout: 10_000,
            read_only: false,
            resume: None,
            renew: true,
            max_pending: 100_000,
            max_pending_bytes: 64 << 20,
            max_request: quorate_wire::frame::DEFAULT_MAX_FRAME,
            max_reply: 64 << 20,
            spread: 0,
        }
    }
}

/// What proves that a session is one's own.
///
/// ```
/// use quorate_engine::client::{Identity, Settings};
///
/// // What another process needs to go on with a session.
/// let identity = Identity { id: 0x1000_0000_0000_0001, password: [7; 16] };
/// let settings = Settings { resume: Some(identity), ..Settings::default() };
/// assert_eq!(settings.resume.unwrap().id, identity.id);
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// The session.
    pub id: i64,
    /// Its password.
    pub password: [u8; 16],
}

/// What a session has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Requests accepted.
    pub submitted: u64,
    /// Requests that ended, well or badly.
    pub completed: u64,
    /// Events told to watches.
    pub events: u64,
    /// Connections that were established.
    pub connections: u64,
    /// Attempts to connect.
    pub attempts: u64,
    /// Sessions lost.
    pub lost: u64,
}

/// One client session after another, on one connection after another.
pub struct ClientSession {
    pub(super) settings: Settings,
    pub(super) random: Random,
    pub(super) hosts: Hosts,
    pub(super) link: Link,
    pub(super) state: State,
    pub(super) identity: Option<Identity>,
    /// Whether the identity came from a server that takes writes.
    pub(super) established: bool,
    /// The timeout that was granted, ms; before that the one to ask for.
    pub(super) timeout: i64,
    /// When the last request that was answered had been sent: the session lives at least until `timeout` after this.
    pub(super) proof_at: Option<i64>,
    /// The newest state that was shown, by whatever came: no server behind it will do any more.
    pub(super) last_zxid: i64,
    /// The newest state up to which every watch was told what has happened: the last answer's.
    pub(super) told_zxid: i64,
    pub(super) next_xid: i32,
    pub(super) pending: Pending,
    pub(super) watches: Watches,
    pub(super) spread: Spread,
    /// Connections in a row that ended before the watches were set again.
    pub(super) failed_rearms: u32,
    /// Frames that go before all requests.
    pub(super) control: Vec<u8>,
    pub(super) credentials: Vec<Credential>,
    pub(super) sasl: Option<Box<dyn Mechanism>>,
    pub(super) close: Option<Closing>,
    pub(super) effects: VecDeque<Effect>,
    /// The beginning of a frame whose end has not come.
    pub(super) inbox: Vec<u8>,
    pub(super) counters: Counters,
}

impl ClientSession {
    /// A session that begins to connect at once. `seed` decides the order of servers and the length of pauses.
    #[must_use]
    pub fn new(settings: Settings, sasl: Option<Box<dyn Mechanism>>, seed: u64, now: i64) -> Self {
        let mut random = Random::new(seed);
        let hosts = Hosts::new(settings.servers.clone(), &mut random);
        let identity = settings.resume;
        Self {
            random,
            hosts,
            link: Link::Down { retry_at: now },
            state: State::Connecting,
            identity,
            established: identity.is_some(),
            timeout: i64::from(settings.timeout.max(1)),
            proof_at: None,
            last_zxid: 0,
            told_zxid: 0,
            next_xid: 1,
            pending: Pending::default(),
            watches: Watches::default(),
            spread: Spread::default(),
            failed_rearms: 0,
            control: Vec::new(),
            credentials: Vec::new(),
            sasl,
            close: None,
            effects: VecDeque::new(),
            inbox: Vec::new(),
            counters: Counters::default(),
            settings,
        }
    }

    /// Hands in a request below `root` (the chroot of the caller's view, empty for none). It is encoded now, and answered
    /// after everything that was submitted before.
    ///
    /// # Errors
    /// Says why it was not accepted; then nothing happens.
    pub fn submit(
        &mut self,
        root: &str,
        request: &Request<'_>,
        token: Token,
    ) -> Result<(), Refused> {
        self.submit_beside((0, 0), root, request, token)
    }

    /// The same for a caller who has not taken the results of earlier requests: so many, and bytes of them, count as if they were without
    /// an answer.
    ///
    /// # Errors
    /// As for [`submit`](Self::submit).
    pub fn submit_beside(
        &mut self,
        untaken: (usize, usize),
        root: &str,
        request: &Request<'_>,
        token: Token,
    ) -> Result<(), Refused> {
        self.accepts()?;
        if request.bad_path().is_some() {
            return Err(Refused::BadPath);
        }
        if request.weight() > self.settings.max_request {
            return Err(Refused::TooLong);
        }
        if !self.has_room_beside(untaken) {
            return Err(Refused::Full);
        }
        self.enqueue(root, request, Waiter::Caller(token))?;
        self.counters.submitted += 1;
        Ok(())
    }

    /// Whether there is room for another request, or no answer to wait for that could make some.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.pending.len() == 0 || self.has_room_beside((0, 0))
    }

    fn has_room_beside(&self, (results, bytes): (usize, usize)) -> bool {
        self.pending.len().saturating_add(results) < self.settings.max_pending
            && self.pending.bytes().saturating_add(bytes) < self.settings.max_pending_bytes
    }

    /// Forgets a watch: no event for it follows. The server is told when nobody else wants it.
    pub fn unwatch(&mut self, watch: WatchKey) {
        let mut unused = Vec::new();
        self.watches.forget(watch, &mut unused);
        self.release(unused);
    }

    /// Takes a new list of servers and moves if the load asks for it, when what has been sent is answered.
    pub fn set_servers(&mut self, servers: Vec<String>, now: i64) {
        self.settings.servers.clone_from(&servers);
        let current = self.link.server();
        let was_empty = self.hosts.is_empty();
        let stays = self.hosts.replace(servers, current, &mut self.random);
        match (current, stays) {
            // The driver may not have looked up yet what the old index means.
            (Some(_), Some(server)) if matches!(self.link, Link::Opening { .. }) => {
                self.hosts.prefer(server);
                self.lose_connection(now, now);
            }
            (Some(_), Some(server)) => self.link.stay(server),
            (Some(_), None) => self.leave(now),
            (None, _) if was_empty => self.link = Link::Down { retry_at: now },
            (None, _) => {}
        }
    }

    /// The next thing to do. To be asked for until there is none, after everything that was handed in.
    pub fn next_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// Whether there is something to do.
    #[must_use]
    pub fn has_effect(&self) -> bool {
        !self.effects.is_empty()
    }

    /// Where the session stands.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// The session, once there is one: what another process needs to resume it.
    #[must_use]
    pub const fn identity(&self) -> Option<Identity> {
        self.identity
    }

    /// Labels of the servers, as they were given.
    #[must_use]
    pub fn servers(&self) -> &[String] {
        &self.settings.servers
    }

    /// The server that the session is in touch with.
    #[must_use]
    pub fn server(&self) -> Option<&str> {
        let Link::Up(live) = &self.link else { return None };
        self.settings.servers.get(live.server).map(String::as_str)
    }

    /// The session timeout in force, ms.
    #[must_use]
    pub const fn timeout(&self) -> i64 {
        self.timeout
    }

    /// The newest transaction that an answer or an event has shown.
    #[must_use]
    pub const fn last_zxid(&self) -> i64 {
        self.last_zxid
    }

    /// Requests without an answer.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.pending.len()
    }

    /// Whether a request has been sent whose answer has not come.
    #[must_use]
    pub const fn awaits_answer(&self) -> bool {
        self.pending.has_sent()
    }

    /// Watches that are registered.
    #[must_use]
    pub fn watch_count(&self) -> usize {
        self.watches.len()
    }

    /// Whether a watch is registered, or a request is on its way that may register it. If not, nothing is told of it any more.
    #[must_use]
    pub fn knows_watch(&self, watch: WatchKey) -> bool {
        self.watches.knows(watch)
    }

    /// What has happened so far.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    pub(super) fn accepts(&self) -> Result<(), Refused> {
        match self.state {
            State::AuthFailed => Err(Refused::AuthFailed),
            _ if self.close.is_some() || self.state == State::Closed => Err(Refused::Closed),
            State::Lost if !self.settings.renew => Err(Refused::Expired),
            _ => Ok(()),
        }
    }

    /// Bytes of buffers, whether in use or not.
    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        self.control.capacity() + self.inbox.capacity() + self.pending.memory()
    }

    fn enqueue(
        &mut self,
        root: &str,
        request: &Request<'_>,
        waiter: Waiter,
    ) -> Result<(), Refused> {
        let xid = self.next_xid;
        let op = request.op();
        let frame = self.pending.write(|out| {
            RequestHeader { xid, op: op.code() }.write(out);
            request.write(root, out);
        });
        if frame > self.settings.max_request.saturating_add(4) {
            self.pending.take_back(frame);
            return Err(Refused::TooLong);
        }
        self.take_xid();
        // Housekeeping has no watch of its own: it looks after those that are there.
        let housekeeping = !matches!(waiter, Waiter::Caller(_) | Waiter::Close);
        let path = request.path();
        let path = if path == "/" && !root.is_empty() { "" } else { path };
        let entry = Entry {
            xid,
            op,
            waiter,
            frame,
            path: root.len().saturating_add(path.len()),
            root: root.len(),
            sent_at: 0,
            watch: request.watch().filter(|_| !housekeeping),
            removes: request.removes().filter(|_| !housekeeping),
        };
        if let Some((key, _)) = entry.watch {
            self.watches.expect(key, &below(root, request.path()));
        }
        self.pending.push(entry, [root, path]);
        Ok(())
    }

    /// Java's order: 1 to the largest, then 1 again. What is not positive has a meaning of its own.
    pub(super) const fn take_xid(&mut self) -> i32 {
        let xid = self.next_xid;
        self.next_xid = if xid == i32::MAX { 1 } else { xid + 1 };
        xid
    }

    /// Tells the server which watches are not wanted any more. Without a connection it has none.
    pub(super) fn release(&mut self, unused: Vec<Unused>) {
        if !self.state.is_connected() || self.close.is_some() {
            return;
        }
        for (path, kind) in unused {
            // A refusal leaves a watch that nobody hears: harmless.
            self.keep_house(&Request::RemoveWatches { path: &path, kind }, Waiter::Nobody);
        }
    }

    /// Sends a request of the session's own.
    pub(super) fn keep_house(&mut self, request: &Request<'_>, waiter: Waiter) {
        if self.close.is_none() {
            // It is shorter than the one that gave rise to it.
            let _ = self.enqueue("", request, waiter);
        }
    }

    pub(super) fn complete(&mut self, token: Token, result: Result<Reply, Failure>) {
        self.counters.completed += 1;
        self.effects.push_back(Effect::Complete { token, result });
    }

    pub(super) fn enter(&mut self, state: State) {
        if self.state != state {
            self.state = state;
            self.effects.push_back(Effect::State(state));
        }
    }
}

impl fmt::Debug for ClientSession {
    /// Leaves out everything that may hold a secret: credentials, and what is on its way.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientSession")
            .field("state", &self.state)
            .field("identity", &self.identity)
            .field("link", &self.link)
            .field("timeout", &self.timeout)
            .field("in_flight", &self.pending.len())
            .field("watches", &self.watches.len())
            .field("counters", &self.counters)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Identity {
    /// Leaves the password out: sessions are printed into logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("id", &self.id).finish_non_exhaustive()
    }
}
