//! Submissions on their way from a shard's thread to the writer's.

use super::sockets::Core;
use quorate_engine::access::Identities;
use quorate_engine::replica::{Now, Replica};
use quorate_engine::shard::{ConnKey, Submission, Submit};
use quorate_engine::tree::Tree;
use quorate_wire::OpCode;

/// A submission with bytes of its own.
#[derive(Debug)]
pub(super) struct Mail {
    shard: usize,
    conn: ConnKey,
    letter: Letter,
}

#[derive(Debug)]
enum Letter {
    Write { session: i64, xid: i32, op: OpCode, body: Vec<u8>, identities: Identities },
    Sync { xid: i32, body: Vec<u8> },
    NewSession { timeout: i32 },
    Resume { session: i64, password: Vec<u8>, timeout: i32 },
    Touch { session: i64, timeout: i32 },
}

impl Mail {
    /// Hands it to the replica.
    pub(super) fn deliver(&self, replica: &mut Replica, tree: &Tree, now: Now) {
        let submission = match &self.letter {
            Letter::Write { session, xid, op, body, identities } => {
                Submission::Write { session: *session, xid: *xid, op: *op, body, identities }
            }
            Letter::Sync { xid, body } => Submission::Sync { xid: *xid, body },
            Letter::NewSession { timeout } => Submission::NewSession { timeout: *timeout },
            Letter::Resume { session, password, timeout } => {
                Submission::Resume { session: *session, password, timeout: *timeout }
            }
            Letter::Touch { session, timeout } => {
                Submission::Touch { session: *session, timeout: *timeout }
            }
        };
        replica.submit(self.shard, self.conn, submission, tree, now);
    }
}

/// The writer's mailbox, from a shard's side.
pub(super) struct Outgoing<'a> {
    pub(super) shard: usize,
    pub(super) batch: &'a mut Vec<Mail>,
    pub(super) crowded: bool,
}

impl Submit for Outgoing<'_> {
    fn submit(&mut self, conn: ConnKey, submission: Submission<'_>) {
        let letter = match submission {
            Submission::Write { session, xid, op, body, identities } => {
                let (body, identities) = (body.to_vec(), identities.clone());
                Letter::Write { session, xid, op, body, identities }
            }
            Submission::Sync { xid, body } => Letter::Sync { xid, body: body.to_vec() },
            Submission::NewSession { timeout } => Letter::NewSession { timeout },
            Submission::Resume { session, password, timeout } => {
                Letter::Resume { session, password: password.to_vec(), timeout }
            }
            Submission::Touch { session, timeout } => Letter::Touch { session, timeout },
            // No client of the world says one.
            Submission::FourLetter { .. } => return,
        };
        self.batch.push(Mail { shard: self.shard, conn, letter });
    }
}

impl Core for Outgoing<'_> {
    fn is_crowded(&self) -> bool {
        self.crowded
    }
}

/// Submissions that go straight to the replica.
pub(super) struct Direct<'a> {
    pub(super) replica: &'a mut Replica,
    pub(super) tree: &'a Tree,
    pub(super) now: Now,
}

impl Submit for Direct<'_> {
    fn submit(&mut self, conn: ConnKey, submission: Submission<'_>) {
        self.replica.submit(0, conn, submission, self.tree, self.now);
    }
}

impl Core for Direct<'_> {
    fn is_crowded(&self) -> bool {
        self.replica.is_crowded()
    }
}
