//! The replica of a server that has no leader, for clients that would rather read something old than nothing.
//!
//! Nothing changes and nothing is promised: no transaction, no sync. The sessions are this server's alone and end with the replica, or when nothing is
//! heard of them. Whoever wants to go on with another session is turned away without a word, for whether it lives is not known here.
//! Source: `ReadOnlyZooKeeperServer`, `ReadOnlyRequestProcessor`. Apache's refuses sessions unless `localSessionsEnabled` is set, in a way that no client
//! understands; here they need no such setting.

use super::place::Place;
use super::{Now, Ready, Replica, ReplicaConfig};
use crate::session::{ConnRef, Tracker};
use crate::shard::Submission;
use crate::tree::Tree;
use quorate_wire::{ErrorCode, OpCode, password};

impl Replica {
    /// The replica of a server without a leader, over what it has.
    #[must_use]
    pub fn read_only(config: ReplicaConfig, tree: &Tree, now: Now) -> Self {
        let sessions = Tracker::new(config.tick);
        Self { sessions, ..Self::at(Place::ReadOnly, tree.last_zxid(), config, tree, 0, now) }
    }

    /// Takes a submission of a client that only reads.
    pub(super) fn read_only_submission(
        &mut self,
        conn: ConnRef,
        submission: Submission<'_>,
        now: Now,
    ) {
        match submission {
            Submission::Write { session, xid, op: OpCode::CloseSession, .. } => {
                self.sessions.remove(session);
                self.ready.push(Ready::Bare { conn, xid, err: 0 });
            }
            Submission::Write { xid, .. } | Submission::Sync { xid, .. } => {
                let err = ErrorCode::NotReadOnly.code();
                self.ready.push(Ready::Bare { conn, xid, err });
            }
            Submission::NewSession { timeout } => {
                let session = self.next_session.id(self.config.server);
                self.next_session = self.next_session.next();
                self.sessions.add(session, timeout, Some(conn), now.mono);
                self.ready.push(Ready::Connected(conn, session));
            }
            Submission::Resume { session, password, timeout } => {
                let knows = password::matches(session, password)
                    && self.sessions.touch(session, timeout, now.mono);
                if knows {
                    self.attach(session, conn);
                } else {
                    self.ready.push(Ready::HangUp(conn));
                }
            }
            Submission::Touch { session, timeout } => {
                self.sessions.touch(session, timeout, now.mono);
            }
            Submission::FourLetter { .. } => {}
        }
    }

    /// Ends sessions whose time has come.
    pub(super) fn forget_readers(&mut self, now: Now) {
        for session in self.sessions.expire(now.mono) {
            if let Some(conn) = self.sessions.remove(session) {
                self.ready.push(Ready::HangUp(conn));
            }
        }
    }
}
