//! The first bytes of a connection: a four-letter word or a handshake.
//!
//! Source: `NIOServerCnxn#readLength`, `ZooKeeperServer#processConnectRequest`.

use super::conn::{Conn, ConnKey, State};
use super::{Shard, ShardConfig, Submission, Submit, index};
use crate::tree::Tree;
use quorate_wire::four_letter::{self, FirstBytes};
use quorate_wire::frame::write_frame;
use quorate_wire::op::connect::{ConnectRequest, ConnectResponse};
use quorate_wire::{Jute, Zxid, password};

impl Shard {
    /// Looks for a four-letter word at the very start of a connection. Returns whether there was one.
    pub(super) fn hears_word(
        &mut self,
        key: ConnKey,
        bytes: &[u8],
        core: &mut impl Submit,
    ) -> bool {
        let Some((word, rest)) = bytes.split_first_chunk::<4>() else { return false };
        match four_letter::classify(*word) {
            FirstBytes::Length(_) => return false,
            FirstBytes::TelnetInterrupt => self.hang_up(key),
            FirstBytes::Word(word) => {
                if let Some(conn) = self.conn_mut(key) {
                    conn.state = State::Connecting;
                }
                core.submit(key, Submission::FourLetter { word, rest });
            }
        }
        true
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
        if Zxid(request.last_zxid_seen) > tree.last_zxid() {
            return self.hang_up(key);
        }
        let timeout = granted_timeout(&self.config, request.timeout);
        conn.timeout = timeout;
        conn.knows_read_only = request.read_only.is_some();
        conn.state = State::Connecting;
        let submission = match request.session_id {
            0 => Submission::NewSession { timeout },
            session => Submission::Resume {
                session,
                password: request.password.unwrap_or_default(),
                timeout,
            },
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
            read_only: conn.knows_read_only.then_some(false),
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
