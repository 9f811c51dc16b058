//! One I/O shard: the connections of one thread, from bytes to replies.
//!
//! A shard owns its connections and their watches. It reads the tree but never changes it; writes go to the
//! replica through [`Submit`] and come back through [`Shard::reply`]. It is pure: the driver
//! hands it received bytes and takes bytes to send.
//!
//! **Order.** A connection's replies leave in the order of its requests: what follows a write
//! waits in the connection's queue until [`Shard::reply`] has answered it. Events are put into a connection's output by
//! [`Shard::notify`] while the tree is exclusively the writer's, and reads happen only afterwards, so that nobody reads a new
//! state before the event of it.

mod conn;
mod dispatch;
mod effort;
mod handshake;
mod letter;
mod output;
mod read;
mod stats;

pub use conn::{Conn, ConnKey, State};
pub use letter::Letter;
pub use output::Flush;
pub use stats::{ConnStats, Latency, ShardStats, Sizes};

use crate::access::{AccessConfig, Identities};
use crate::limits::large::LargeRequests;
use crate::tree::{Tree, TreeEvent};
use crate::watch::{Slot, WatchTable};
use conn::Waiting;
use quorate_wire::acl::READ;
use quorate_wire::event::{EventType, write_notification};
use quorate_wire::four_letter::FourLetterWord;
use quorate_wire::{Acl, OpCode, Zxid};
use slab::Slab;
use std::collections::VecDeque;
use std::net::SocketAddr;

/// What a shard asks of the replica. The replica answers later, in order per connection.
#[derive(Clone, Copy, Debug)]
pub enum Submission<'a> {
    /// A request that changes something: judged, logged, applied, answered by [`Shard::reply`].
    Write {
        /// The client's session.
        session: i64,
        /// The request's number.
        xid: i32,
        /// The operation.
        op: OpCode,
        /// The request's body.
        body: &'a [u8],
        /// Who asks.
        identities: &'a Identities,
    },
    /// sync: answered when everything submitted before it has been applied.
    Sync {
        /// The request's number.
        xid: i32,
        /// The request's body, echoed.
        body: &'a [u8],
    },
    /// A client without a session; answered by [`Shard::connected`].
    NewSession {
        /// The granted timeout, ms.
        timeout: i32,
    },
    /// A client that comes back; answered by [`Shard::connected`] or [`Shard::session_gone`].
    Resume {
        /// The session.
        session: i64,
        /// The password the client sent.
        password: &'a [u8],
        /// The granted timeout, ms.
        timeout: i32,
    },
    /// A sign of life.
    Touch {
        /// The session.
        session: i64,
        /// Its timeout on this connection, ms.
        timeout: i32,
    },
    /// A four-letter word; answered by [`Shard::say`].
    FourLetter {
        /// The word.
        word: FourLetterWord,
        /// What followed it in the same segment (the mask of `stmk`).
        rest: &'a [u8],
    },
}

/// Where submissions go: the replica itself, or a queue towards its thread.
pub trait Submit {
    /// Takes a submission of a connection of the shard.
    fn submit(&mut self, conn: ConnKey, submission: Submission<'_>);
}

/// Limits and rules of a shard; all sizes in bytes, all times in ms.
#[derive(Clone, Debug)]
pub struct ShardConfig {
    /// Longest frame that is read (`jute.maxbuffer`).
    pub max_frame: usize,
    /// Session deadlines are multiples of this.
    pub tick: i32,
    /// Shortest session timeout granted.
    pub min_session_timeout: i32,
    /// Longest session timeout granted.
    pub max_session_timeout: i32,
    /// How long a connection may stay without a handshake.
    pub handshake_timeout: i64,
    /// Whether ACLs are ignored.
    pub skip_acl: bool,
    /// How identities are proven.
    pub access: AccessConfig,
    /// When not empty, requests are refused until an identity of one of these schemes is there.
    pub required_schemes: Vec<String>,
    /// Output of one connection above which no more of its requests are read or answered.
    pub output_pause: usize,
    /// Output of one connection above which it is closed.
    pub output_limit: usize,
    /// Events in the outputs of all connections above which those with many of them are closed.
    pub events_limit: usize,
    /// Which requests are large, and how much of them there may be.
    pub large: LargeRequests,
    /// Whether `stmk` is answered, so that it is worth waiting for the mask behind it.
    pub trace_mask: bool,
    /// Requests of one connection that may wait behind its writes.
    pub queue_limit: usize,
    /// Bytes of such requests.
    pub queue_bytes: usize,
    /// Nodes that a read may look at before others of its kind have to wait for the next round.
    pub long_read: usize,
    /// Seed of the watch index.
    pub hash_seed: u64,
}

impl Default for ShardConfig {
    fn default() -> Self {
        Self {
            max_frame: quorate_wire::frame::DEFAULT_MAX_FRAME,
            tick: 2000,
            min_session_timeout: 4000,
            max_session_timeout: 40_000,
            handshake_timeout: 10_000,
            skip_acl: false,
            access: AccessConfig::default(),
            required_schemes: Vec::new(),
            output_pause: 1 << 20,
            output_limit: 64 << 20,
            events_limit: 256 << 20,
            large: LargeRequests::unlimited(),
            trace_mask: false,
            queue_limit: 4096,
            queue_bytes: 1 << 20,
            long_read: 10_000,
            hash_seed: 0,
        }
    }
}

/// The connections of one I/O thread.
#[derive(Debug)]
pub struct Shard {
    config: ShardConfig,
    /// Only clients that make do with reading are welcome.
    read_only: bool,
    /// Where the last epoch begins in which this server has served.
    epoch: Zxid,
    conns: Slab<Conn>,
    generation: u32,
    watches: WatchTable,
    /// Connections that wait for a handshake, by the time they are given up.
    strangers: VecDeque<(i64, ConnKey)>,
    /// Connections that have been hung up since the last tick.
    parting: Vec<ConnKey>,
    /// Those before, by the time their peers must have taken what is left for them.
    parted: VecDeque<(i64, ConnKey)>,
    /// Connections whose queue or input can go on.
    resumable: Vec<ConnKey>,
    output: output::Outputs,
    turns: effort::Turns,
    stats: ShardStats,
}

impl Shard {
    /// A shard without connections.
    #[must_use]
    pub fn new(config: ShardConfig) -> Self {
        let watches = WatchTable::new(config.hash_seed);
        Self {
            config,
            read_only: false,
            epoch: Zxid::ZERO,
            conns: Slab::new(),
            generation: 0,
            watches,
            strangers: VecDeque::new(),
            parting: Vec::new(),
            parted: VecDeque::new(),
            resumable: Vec::new(),
            output: output::Outputs::default(),
            turns: effort::Turns::default(),
            stats: ShardStats::default(),
        }
    }

    /// From now on only clients are welcome that make do with reading, which are told so; or all again.
    pub const fn set_read_only(&mut self, read_only: bool) {
        self.read_only = read_only;
    }

    /// From now on the server serves in an epoch that begins here.
    ///
    /// Servers of Apache's, and those that were sent a tree, show this zxid until the first transaction of the epoch. So a client may have seen
    /// it, and be welcome here as well: it is no transaction, and a server serves in an epoch only when its tree holds
    /// everything that precedes it. That stays true whatever becomes of the role.
    pub fn serves_since(&mut self, epoch: Zxid) {
        self.epoch = self.epoch.max(epoch);
    }

    /// Takes up a connection. `remote` is `None` for one within the process.
    pub fn open(&mut self, remote: Option<SocketAddr>, now: i64) -> ConnKey {
        self.generation = self.generation.wrapping_add(1);
        let entry = self.conns.vacant_entry();
        let slot = Slot::try_from(entry.key()).unwrap_or(Slot::MAX);
        let key = ConnKey { slot, generation: self.generation };
        entry.insert(Conn::new(key, remote, now));
        self.strangers.push_back((now.saturating_add(self.config.handshake_timeout), key));
        key
    }

    /// Forgets a connection: its watches go with it, its session stays. Watches take their time to be removed; they
    /// fire and count no more. See [`end_round`](Self::end_round).
    pub fn close(&mut self, key: ConnKey) {
        if self.conn(key).is_some() {
            let mut conn = self.conns.remove(index(key.slot));
            self.output.forget_events(&mut conn);
            self.output.recycle(conn.out);
            self.watches.remove_slot(key.slot);
        }
    }

    /// Takes bytes that a connection sent.
    pub fn receive(
        &mut self,
        key: ConnKey,
        bytes: &[u8],
        tree: &Tree,
        now: i64,
        core: &mut impl Submit,
    ) {
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.stats.bytes_received = self.stats.bytes_received.saturating_add(size);
        let Some(conn) = self.conn_mut(key) else { return };
        if conn.input.is_empty() {
            let consumed = self.process(key, bytes, tree, now, core);
            if let (Some(conn), Some(rest)) = (self.conn_mut(key), bytes.get(consumed..)) {
                conn.input.extend_from_slice(rest);
            }
        } else {
            conn.input.extend_from_slice(bytes);
            self.process_input(key, tree, now, core);
        }
    }

    /// Goes on with connections that waited for the replica. To be called after each delivery, while the tree
    /// may be read.
    pub fn resume(&mut self, tree: &Tree, now: i64, core: &mut impl Submit) {
        while let Some(key) = self.resumable.pop() {
            self.drain_queue(key, tree, now, true);
            self.process_input(key, tree, now, core);
        }
    }

    /// Whether [`resume`](Self::resume) has something to do.
    #[must_use]
    pub fn has_resumable(&self) -> bool {
        !self.resumable.is_empty()
    }

    /// Gives up connections without a handshake, and those that have been hung up and do not read what is left
    /// for them. Returns when to be called again.
    pub fn tick(&mut self, now: i64) -> Option<i64> {
        let until = now.saturating_add(self.config.handshake_timeout);
        self.parted.extend(self.parting.drain(..).map(|key| (until, key)));
        while let Some((_, key)) = self.parted.pop_front_if(|&mut (until, _)| until <= now) {
            if let Some(conn) = self.conns.get_mut(index(key.slot)).filter(|c| c.key == key) {
                self.output.cut_off(conn);
            }
        }
        let strangers = self.give_up_strangers(now);
        strangers.into_iter().chain(self.parted.front().map(|&(until, _)| until)).min()
    }

    fn give_up_strangers(&mut self, now: i64) -> Option<i64> {
        while let Some(&(deadline, key)) = self.strangers.front() {
            let waiting = self.conn(key).is_some_and(|conn| conn.state == State::Stranger);
            if waiting && deadline > now {
                return Some(deadline);
            }
            self.strangers.pop_front();
            if waiting {
                self.stats.strangers_expired += 1;
                self.hang_up(key);
            }
        }
        None
    }

    /// Answers the reads that no write is ahead of any more. To be called before each [`reply`](Self::reply)
    /// to that connection, and before the change it is about.
    pub fn catch_up(&mut self, key: ConnKey, tree: &Tree, now: i64) {
        self.drain_queue(key, tree, now, false);
    }

    /// Answers the oldest unanswered write (or sync) of a connection. `write` appends the body of the reply.
    pub fn reply(
        &mut self,
        key: ConnKey,
        xid: i32,
        zxid: Zxid,
        err: i32,
        now: i64,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        let Some(conn) = self.conns.get_mut(index(key.slot)).filter(|c| c.key == key) else {
            return;
        };
        let Some(Waiting::Write { xid: oldest, op, since, .. }) = conn.queue.pop_front() else {
            return;
        };
        debug_assert_eq!(oldest, xid, "replies come in the order of the requests");
        conn.writes = conn.writes.saturating_sub(1);
        let out = self.output.of(conn);
        let at = out.len();
        dispatch::write_reply(out, xid, zxid, err, write);
        self.stats.responded(out.len() - at, now);
        self.stats.answered(conn, op, xid, zxid, since, now);
        if op == OpCode::CloseSession {
            conn.state = State::Closing;
            self.parting.push(key);
        }
        self.output.mark_replied(conn);
        if !conn.queue.is_empty() || !conn.input.is_empty() {
            self.resumable.push(key);
        }
    }

    /// Tells everyone who watches of a change. To be called while the tree is exclusively the writer's, before the
    /// reply of the change.
    pub fn notify(&mut self, event: &TreeEvent<'_>, zxid: Zxid) {
        if self.watches.is_empty() {
            return;
        }
        let (conns, output, config) = (&mut self.conns, &mut self.output, &self.config);
        let stats = &mut self.stats;
        let mut frame = Vec::new();
        self.watches.fire(event, |kind, path, slots| {
            frame.clear();
            for &slot in slots {
                let Some(conn) = conns.get_mut(index(slot)) else { continue };
                if !may_see(config, &conn.identities, acl_of(event, kind)) {
                    continue;
                }
                if frame.is_empty() {
                    write_notification(kind, path, zxid.0, &mut frame);
                }
                output.push_event(conn, &frame, config.output_limit, config.events_limit);
                stats.notified(conn);
            }
        });
    }

    /// Closes a connection once its output has been sent.
    pub fn hang_up(&mut self, key: ConnKey) {
        if let Some(conn) = self.conns.get_mut(index(key.slot)).filter(|c| c.key == key) {
            conn.state = State::Closing;
            conn.queue.clear();
            self.output.mark_replied(conn);
            self.parting.push(key);
        }
    }

    /// Answers a four-letter word and closes.
    pub fn say(&mut self, key: ConnKey, text: &str) {
        if let Some(conn) = self.conns.get_mut(index(key.slot)).filter(|c| c.key == key) {
            self.output.of(conn).extend_from_slice(text.as_bytes());
            self.stats.notified(conn);
            self.hang_up(key);
        }
    }

    /// The connection, if it is still that one.
    #[must_use]
    pub fn conn(&self, key: ConnKey) -> Option<&Conn> {
        self.conns.get(index(key.slot)).filter(|conn| conn.key == key)
    }

    fn conn_mut(&mut self, key: ConnKey) -> Option<&mut Conn> {
        self.conns.get_mut(index(key.slot)).filter(|conn| conn.key == key)
    }

    /// All connections, by slot.
    pub fn conns(&self) -> impl Iterator<Item = &Conn> {
        self.conns.iter().map(|(_, conn)| conn)
    }

    /// The connection in a slot.
    #[must_use]
    pub fn in_slot(&self, slot: Slot) -> Option<&Conn> {
        self.conns.get(index(slot))
    }

    /// The watches of the shard's connections.
    #[must_use]
    pub const fn watches(&self) -> &WatchTable {
        &self.watches
    }

    /// What the shard has counted.
    #[must_use]
    pub const fn stats(&self) -> &ShardStats {
        &self.stats
    }

    /// Forgets what was counted, of the whole shard and of each connection.
    pub fn reset_stats(&mut self, connections: bool) {
        if connections {
            for (_, conn) in &mut self.conns {
                conn.stats = ConnStats::new(conn.stats.established);
            }
        } else {
            self.stats = ShardStats::default();
        }
    }

    /// The limit for large requests, with its figures.
    #[must_use]
    pub const fn large_requests(&self) -> &LargeRequests {
        &self.config.large
    }

    /// Whether the driver should go on reading from the connection. `crowded` says that the server has more
    /// requests in flight than it wants.
    #[must_use]
    pub fn wants_input(&self, key: ConnKey, crowded: bool) -> bool {
        self.conn(key).is_some_and(|conn| {
            !matches!(conn.state, State::Asking | State::Closing)
                && conn.out.len() < self.config.output_pause
                && conn.queue.len() < self.config.queue_limit
                && conn.queued < self.config.queue_bytes
                && conn.input.len() <= self.config.max_frame.saturating_add(4)
                && !(crowded && conn.writes > 0)
                && !conn.postponed
        })
    }
}

/// Whether an event may be told to someone with these identities: events follow READ (3.9.2).
fn may_see(config: &ShardConfig, identities: &Identities, acl: &[Acl<'static>]) -> bool {
    acl.is_empty() || crate::access::check(identities, acl, READ, config.skip_acl)
}

/// The ACL that guards an event: the parent's for its child list, else the node's own.
const fn acl_of<'a>(event: &TreeEvent<'a>, kind: EventType) -> &'a [Acl<'static>] {
    match (event, kind) {
        (
            TreeEvent::Created { parent_acl, .. } | TreeEvent::Deleted { parent_acl, .. },
            EventType::ChildrenChanged,
        ) => parent_acl,
        (
            TreeEvent::Created { acl, .. }
            | TreeEvent::Deleted { acl, .. }
            | TreeEvent::DataChanged { acl, .. },
            _,
        ) => acl,
    }
}

/// Connections whose notifications a driver sends in one round: everybody else's requests wait for so long.
pub const EVENT_SLICE: usize = 16;
/// Watches of closed connections that a driver removes in one round: about a tenth of a millisecond.
pub const WATCH_SLICE: usize = 256;

fn index(slot: Slot) -> usize {
    usize::try_from(slot).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
