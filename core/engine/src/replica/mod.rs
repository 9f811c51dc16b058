//! The one writer: judges requests, hands their transactions to the log, applies what the log has made durable
//! and answers.
//!
//! In an ensemble the leader's does the same, also for the clients of others, and applies what a quorum has made durable
//! (`leading`). That of a learner judges nothing: it passes requests on and applies what is committed (`learning`).
//!
//! It is pure. The driver carries its sealed segments to the log and brings back how far the log is
//! ([`Replica::synced`]), or that it had no room ([`Replica::refused`]). **An answer that stands for a transaction is
//! given only in `synced`**, so nothing is acknowledged that is not durable. Replay of the log and
//! live operation apply the same bytes with the same function.

mod admission;
mod answering;
mod leading;
mod learning;
mod local;
mod pending;
mod place;
mod read_only;
mod reaper;
mod reply;
mod snapshots;

pub use local::LocalSessions;
pub use reaper::ReaperConfig;
pub use snapshots::SnapshotConfig;

use crate::limits::blue::Blue;
use crate::limits::throttle::Throttle;
use crate::limits::{LimitFigures, Limits, Load};
use crate::prep::{Ask, Prep, PrepConfig, Request};
use crate::segment::Segment;
use crate::session::{ConnRef, SessionNumber, Tracker};
use crate::shard::{ConnKey, Submission};
use crate::tree::Tree;
use pending::{Inflight, Pending, Purpose};
use place::{Asking, Locals, Place};
use quorate_wire::four_letter::FourLetterWord;
use quorate_wire::{DecodeError, OpCode, Zxid, password};
use reaper::Reaper;
use snapshots::SnapshotClock;
use std::collections::VecDeque;
use std::sync::Arc;

/// Rules of a replica; all times in ms.
#[derive(Clone, Debug)]
pub struct ReplicaConfig {
    /// How requests are judged.
    pub prep: PrepConfig,
    /// Session deadlines are multiples of this.
    pub tick: i32,
    /// When containers and TTL nodes are looked at.
    pub reaper: ReaperConfig,
    /// When a snapshot is due.
    pub snapshot: SnapshotConfig,
    /// The first byte of the ids of new sessions.
    pub server: u8,
    /// Requests in flight above which the server is crowded (`globalOutstandingLimit`).
    pub outstanding_limit: usize,
    /// Further limits, off by default.
    pub limits: Limits,
    /// Whether there are sessions of this server alone; only in ensembles.
    pub local_sessions: LocalSessions,
}

/// Now, by both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Monotonic, ms: decides about timeouts.
    pub mono: i64,
    /// Wall clock, ms since 1970: becomes part of transactions.
    pub wall: i64,
}

/// A transaction of the replica's own making could not be read back: a defect, after which it must stop.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("transaction {zxid} cannot be applied: {cause}; the server must stop")]
pub struct ApplyError {
    /// The transaction.
    pub zxid: Zxid,
    /// What is wrong with it.
    pub cause: DecodeError,
}

/// A four-letter word that somebody said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// Who said it.
    pub conn: ConnRef,
    /// The word.
    pub word: FourLetterWord,
    /// What followed it.
    pub rest: Vec<u8>,
}

/// The writer of one server.
#[derive(Debug)]
pub struct Replica {
    config: ReplicaConfig,
    place: Place,
    prep: Prep,
    sessions: Tracker,
    /// Sessions of this server alone.
    locals: Tracker,
    next_session: SessionNumber,
    /// Records judged since the last seal.
    open: Segment,
    inflight: Inflight,
    pending: VecDeque<Pending>,
    /// Whether there may be markers among them.
    has_markers: bool,
    /// Answers that wait for nothing but the shards' attention.
    ready: Vec<Ready>,
    words: Vec<Word>,
    reaper: Reaper,
    snapshots: SnapshotClock,
    digest_mismatches: u64,
    sessions_throttle: Blue,
    throttle: Throttle,
    figures: LimitFigures,
}

#[derive(Debug)]
enum Ready {
    Connected(ConnRef, i64),
    Gone(ConnRef),
    HangUp(ConnRef),
    Synced {
        conn: ConnRef,
        xid: i32,
        body: Box<[u8]>,
    },
    /// An answer without a body.
    Bare {
        conn: ConnRef,
        xid: i32,
        err: i32,
    },
}

impl Replica {
    /// A replica over a recovered (or fresh) tree. Sessions of the tree get their full timeout from now on.
    /// `replayed` are the transactions since the last snapshot.
    #[must_use]
    pub fn new(config: ReplicaConfig, tree: &Tree, replayed: u64, now: Now) -> Self {
        Self::at(Place::Alone, tree.last_zxid(), config, tree, replayed, now)
    }

    fn at(
        place: Place,
        last: Zxid,
        config: ReplicaConfig,
        tree: &Tree,
        replayed: u64,
        now: Now,
    ) -> Self {
        let mut sessions = Tracker::new(config.tick);
        for (id, timeout) in tree.sessions() {
            sessions.add(id, timeout, None, now.mono);
        }
        Self {
            place,
            prep: Prep::new(config.prep, last, tree.digest()),
            sessions,
            locals: Tracker::new(config.tick),
            next_session: SessionNumber::first(now.wall, tree.newest_session()),
            open: Segment::default(),
            inflight: Inflight::default(),
            pending: VecDeque::new(),
            has_markers: false,
            ready: Vec::new(),
            words: Vec::new(),
            reaper: Reaper::new(config.reaper, now.mono),
            snapshots: SnapshotClock::new(config.snapshot, tree.last_zxid(), replayed),
            digest_mismatches: 0,
            sessions_throttle: Blue::new(config.limits.sessions, now.mono),
            throttle: Throttle::new(config.limits.requests),
            figures: LimitFigures::default(),
            config,
        }
    }

    /// Takes a submission of a shard's connection.
    pub fn submit(
        &mut self,
        shard: usize,
        conn: ConnKey,
        submission: Submission<'_>,
        tree: &Tree,
        now: Now,
    ) {
        let conn = ConnRef { shard, conn };
        if self.admits(conn, &submission, now) {
            self.accept(conn, submission, tree, now);
        }
    }

    #[inline]
    fn accept(&mut self, conn: ConnRef, submission: Submission<'_>, tree: &Tree, now: Now) {
        if self.place.is_read_only() && !matches!(submission, Submission::FourLetter { .. }) {
            return self.read_only_submission(conn, submission, now);
        }
        if self.config.local_sessions != LocalSessions::Off
            && self.is_done_here(conn, &submission, tree, now)
        {
            return;
        }
        if self.place.passes_on(&submission) {
            return self.pass_on(conn, submission, now);
        }
        match submission {
            Submission::Write { session, xid, op, body, identities } => {
                let request =
                    Request { session, cxid: xid, identities, ask: Ask::Client { op, body } };
                let request = if op == OpCode::CloseSession {
                    Request { ask: Ask::CloseSession, ..request }
                } else {
                    request
                };
                let closes = matches!(request.ask, Ask::CloseSession);
                let purpose = Purpose::Request { xid, op, session };
                self.judge(tree, now, &request, Asking::Here(Some(conn)), purpose);
                if closes {
                    self.sessions.close(session);
                }
            }
            Submission::Sync { xid, body }
                if self.pending.is_empty() && self.place.syncs_at_once() =>
            {
                self.ready.push(Ready::Synced { conn, xid, body: body.into() });
            }
            Submission::Sync { xid, body } => {
                let number = self.place.ask_sync();
                let purpose = Purpose::Sync { xid, body: body.into(), number };
                self.pending.push_back(Pending {
                    zxid: None,
                    conn: Some(conn),
                    purpose,
                    create2_parts: Vec::new(),
                });
            }
            Submission::NewSession { timeout } => self.new_session(conn, timeout, tree, now),
            Submission::Resume { session, password, timeout } => {
                self.resume(conn, session, password, timeout, now);
            }
            Submission::Touch { session, timeout } => {
                self.sessions.touch(session, timeout, now.mono);
            }
            Submission::FourLetter { word, rest } => {
                self.words.push(Word { conn, word, rest: rest.into() });
            }
        }
    }

    fn new_session(&mut self, conn: ConnRef, timeout: i32, tree: &Tree, now: Now) {
        let session = self.next_session.id(self.config.server);
        self.next_session = self.next_session.next();
        self.sessions.add(session, timeout, Some(conn), now.mono);
        let identities = crate::access::Identities::none();
        let ask = Ask::CreateSession { timeout };
        let request = Request { session, cxid: 0, identities: &identities, ask };
        let purpose = Purpose::NewSession { session };
        self.judge(tree, now, &request, Asking::Here(Some(conn)), purpose);
    }

    fn resume(&mut self, conn: ConnRef, session: i64, word: &[u8], timeout: i32, now: Now) {
        if password::matches(session, word) && self.sessions.touch(session, timeout, now.mono) {
            self.place.comes_here(session);
            self.attach(session, conn);
        } else {
            self.ready.push(Ready::Gone(conn));
        }
    }

    fn attach(&mut self, session: i64, conn: ConnRef) {
        if let Some(before) = self.sessions.attach(session, conn)
            && before != conn
        {
            self.ready.push(Ready::HangUp(before));
        }
        self.ready.push(Ready::Connected(conn, session));
    }

    /// Ends sessions whose time has come and nodes that nobody needs. Returns when to be called again.
    pub fn tick(&mut self, tree: &Tree, now: Now) -> Option<i64> {
        self.expire_locals(now);
        if self.place.is_learning() {
            self.throttle.tick(now.mono);
            return self.next_deadline();
        }
        if self.place.is_read_only() {
            self.forget_readers(now);
            self.throttle.tick(now.mono);
            return self.next_deadline();
        }
        let identities = crate::access::Identities::none();
        for session in self.sessions.expire(now.mono) {
            let request =
                Request { session, cxid: 0, identities: &identities, ask: Ask::CloseSession };
            let purpose = Purpose::Expiry { session };
            self.judge(tree, now, &request, Asking::Here(None), purpose);
        }
        for path in self.reaper.due(tree, now) {
            let ask = Ask::DeleteContainer { path: &path };
            let request = Request { session: 0, cxid: 0, identities: &identities, ask };
            self.judge(tree, now, &request, Asking::Here(None), Purpose::Reap);
        }
        self.throttle.tick(now.mono);
        self.next_deadline().into_iter().chain(self.reaper.next()).min()
    }

    fn judge(
        &mut self,
        tree: &Tree,
        now: Now,
        request: &Request<'_>,
        asking: Asking,
        purpose: Purpose,
    ) {
        let zxid = self.prep.last_zxid().next();
        let has_locals = self.config.local_sessions != LocalSessions::Off;
        let server = has_locals.then_some(self.config.server);
        let locals = Locals { own: &self.locals, server };
        let sessions = self.place.view(&self.sessions, locals, asking);
        let prep = &mut self.prep;
        self.open.push(zxid, |out| {
            let judged = prep.judge(tree, &sessions, now.wall, request, out);
            debug_assert_eq!(judged.zxid, zxid, "one request, one transaction");
        });
        let create2_parts = self.prep.take_create2_parts();
        let conn = asking.conn();
        self.pending.push_back(Pending { zxid: Some(zxid), conn, purpose, create2_parts });
    }

    /// Something is to be answered behind everything that was submitted before it.
    fn mark(&mut self, conn: ConnRef, purpose: Purpose) {
        self.has_markers = true;
        let (conn, create2_parts) = (Some(conn), Vec::new());
        self.pending.push_back(Pending { zxid: None, conn, purpose, create2_parts });
    }

    /// Everything judged since the last call, to be made durable. `None` when there is nothing.
    pub fn seal(&mut self) -> Option<Arc<Segment>> {
        if self.open.is_empty() {
            return None;
        }
        let next = self.open.another();
        let segment = Arc::new(std::mem::replace(&mut self.open, next));
        self.inflight.push(Arc::clone(&segment));
        Some(segment)
    }

    /// Whether connections with requests in flight should not be read: there are too many requests, or too many bytes.
    #[must_use]
    pub fn is_crowded(&self) -> bool {
        self.load().exceeds(self.load_limit())
    }

    /// What is in flight: requests that have not been answered, and bytes of transactions.
    #[must_use]
    pub fn load(&self) -> Load {
        let bytes = self.inflight.bytes().saturating_add(self.open.bytes().len());
        Load { requests: self.outstanding(), bytes }
    }

    /// What may be in flight before [`is_crowded`](Self::is_crowded) says so.
    #[must_use]
    pub const fn load_limit(&self) -> Load {
        Load { requests: self.config.outstanding_limit, bytes: INFLIGHT_BYTES }
    }

    /// Requests that have not been answered.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        self.pending.len().saturating_add(self.throttle.len())
    }

    /// Whose requests have not been answered, one by one; `None` for what the server itself wants.
    pub fn asking(&self) -> impl Iterator<Item = Option<ConnRef>> {
        self.pending.iter().map(|pending| pending.conn).chain(self.throttle.waiting().map(Some))
    }

    /// Whether it is time for a snapshot; the clock starts again when this says so.
    pub fn snapshot_due(&mut self, tree: &Tree) -> bool {
        self.snapshots.due(tree.last_zxid())
    }

    /// The words said since the last call.
    pub fn take_words(&mut self) -> Vec<Word> {
        std::mem::take(&mut self.words)
    }

    /// Whether anything waits for [`deliver`](Self::deliver) or [`take_words`](Self::take_words).
    #[must_use]
    pub fn has_ready(&self) -> bool {
        !self.ready.is_empty()
            || !self.words.is_empty()
            || self.throttle.is_ready(self.pending.len())
    }

    /// The sessions and their deadlines.
    #[must_use]
    pub const fn sessions(&self) -> &Tracker {
        &self.sessions
    }

    /// When a session ends or a waiting request is looked at, unless something happens before.
    #[must_use]
    pub fn next_deadline(&self) -> Option<i64> {
        let sessions = self.sessions.next_deadline().filter(|_| !self.place.is_learning());
        let locals = self.locals.next_deadline();
        sessions.into_iter().chain(locals).chain(self.throttle.next_deadline()).min()
    }

    /// Whether something judged has not been sealed.
    #[must_use]
    pub fn has_unsealed(&self) -> bool {
        !self.open.is_empty()
    }

    /// Transactions after which the tree's digest was not the predicted one. Anything but 0 is a defect.
    #[must_use]
    pub const fn digest_mismatches(&self) -> u64 {
        self.digest_mismatches
    }
}

/// Bytes of transactions in flight above which the server is crowded, however few they are.
const INFLIGHT_BYTES: usize = 64 << 20;
