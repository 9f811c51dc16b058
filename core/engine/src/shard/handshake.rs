//! The first bytes of a connection: a four-letter word or a handshake.
//!
//! Source: `NIOServerCnxn#readLength`, `ZooKeeperServer#processConnectRequest`.

use super::conn::{Conn, ConnKey, State};
use super::{Shard, ShardConfig, Submission, Submit, index};
use crate::tree::Tree;
use quorate_wire::four_letter::{self, FirstBytes, FourLetterWord};
use quorate_wire::frame::write_frame;
use quorate_wire::op::connect::{ConnectRequest, ConnectResponse};
use quorate_wire::{Jute, Zxid, password};

/// What the first bytes of a connection are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// A word: all bytes are done with.
    Word,
    /// A word whose argument has not arrived.
    Part,
    /// A frame, or too little to tell.
    Frame,
}

impl Shard {
    /// Looks for a four-letter word at the very start of a connection.
    pub(super) fn hear(&mut self, key: ConnKey, bytes: &[u8], core: &mut impl Submit) -> Heard {
        let Some((word, rest)) = bytes.split_first_chunk::<4>() else { return Heard::Frame };
        match four_letter::classify(*word) {
            FirstBytes::Length(_) => return Heard::Frame,
            FirstBytes::TelnetInterrupt => self.hang_up(key),
            FirstBytes::Word(FourLetterWord::Stmk)
                if self.config.trace_mask && rest.len() < MASK =>
            {
                return Heard::Part;
            }
            FirstBytes::Word(word) => {
                if let Some(conn) = self.conns.get_mut(index(key.slot)) {
                    conn.state = State::Asking;
                    self.stats.received(conn);
                }
                let rest = rest.get(..rest.len().min(MASK)).unwrap_or_default();
                core.submit(key, Submission::FourLetter { word, rest });
            }
        }
        Heard::Word
    }

    /// Takes the first frame. A bad one closes the connection without a reply, as do a zxid from the
    /// future and whatever else makes another server the better choice.
    pub(super) fn shake_hands(
        &mut self,
        key: ConnKey,
        payload: &[u8],
        tree: &Tree,
        core: &mut impl Submit,
    ) {
        let Some(conn) = self.conns.get_mut(index(key.slot)) else { return };
        self.stats.received(conn);
        let Ok(request) = ConnectRequest::from_bytes(payload) else {
            return self.hang_up(key);
        };
        if self.read_only && request.read_only != Some(true) {
            return self.hang_up(key);
        }
        if Zxid(request.last_zxid_seen) > tree.last_zxid().max(self.epoch) {
            return self.hang_up(key);
        }
        let timeout = granted_timeout(&self.config, request.timeout);
        conn.timeout = timeout;
        conn.read_only = request.read_only;
        conn.state = State::Connecting;
        self.stats.handshakes += 1;
        let submission = match request.session_id {
            0 => Submission::NewSession { timeout },
            session => {
                self.stats.resumed += 1;
                let password = request.password.unwrap_or_default();
                Submission::Resume { session, password, timeout }
            }
        };
        core.submit(key, submission);
    }

    /// The connection has its session; what it sent meanwhile goes on with the next [`resume`](Self::resume).
    /// Returns false when the connection is gone.
    pub fn connected(&mut self, key: ConnKey, session: i64) -> bool {
        let Some(conn) = self.conns.get_mut(index(key.slot)).filter(|c| c.key == key) else {
            return false;
        };
        conn.state = State::Open;
        conn.session = session;
        let timeout = conn.timeout;
        self.answer_handshake(key, timeout, session, &password::of_session(session));
        self.resumable.push(key);
        true
    }

    /// The session that the connection asked for has been created; otherwise as [`connected`](Self::connected).
    pub fn session_began(&mut self, key: ConnKey, session: i64, zxid: Zxid, now: i64) -> bool {
        let is_there = self.connected(key, session);
        if let Some(conn) = self.conn_mut(key) {
            conn.stats.session_began(zxid, now);
        }
        is_there
    }

    /// The session that the connection wanted to resume does not exist (any more).
    pub fn session_gone(&mut self, key: ConnKey) {
        self.answer_handshake(key, 0, 0, &[0; 16]);
        self.hang_up(key);
    }

    fn answer_handshake(&mut self, key: ConnKey, timeout: i32, session: i64, password: &[u8]) {
        let Some(conn) = self.conns.get_mut(index(key.slot)).filter(|c| c.key == key) else {
            return;
        };
        let response = ConnectResponse {
            protocol_version: 0,
            timeout,
            session_id: session,
            password: Some(password),
            read_only: conn.read_only.map(|_| self.read_only),
        };
        write_frame(self.output.of(conn), |out| response.write(out));
        self.stats.notified(conn);
        self.output.mark_replied(conn);
    }

    /// Tells the replica that the session lives, once per tick.
    pub(super) fn touch(config: &ShardConfig, conn: &mut Conn, now: i64, core: &mut impl Submit) {
        let tick = crate::session::deadline(now, conn.timeout, i64::from(config.tick.max(1)));
        if tick > conn.touched {
            conn.touched = tick;
            let (session, timeout) = (conn.session, conn.timeout);
            core.submit(conn.key, Submission::Touch { session, timeout });
        }
    }
}

fn granted_timeout(config: &ShardConfig, asked: i32) -> i32 {
    asked.min(config.max_session_timeout).max(config.min_session_timeout)
}

/// Bytes of the mask behind `stmk`.
const MASK: usize = 8;
