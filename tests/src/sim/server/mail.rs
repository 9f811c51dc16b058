//! Submissions on their way from a shard's thread to the writer's.

use super::sockets::Core;
use quorate_engine::limits::Load;
use quorate_engine::replica::{Now, Replica};
use quorate_engine::shard::{ConnKey, Letter, Submission, Submit};
use quorate_engine::tree::Tree;

/// A submission with bytes of its own.
#[derive(Debug)]
pub(super) struct Mail {
    shard: usize,
    conn: ConnKey,
    letter: Letter,
}

impl Mail {
    /// Hands it to the replica.
    pub(super) fn deliver(&self, replica: &mut Replica, tree: &Tree, now: Now) {
        replica.submit(self.shard, self.conn, self.letter.submission(), tree, now);
    }

    /// Whose it is.
    pub(super) const fn sender(&self) -> (usize, ConnKey) {
        (self.shard, self.conn)
    }

    /// What it adds to what is in flight.
    pub(super) const fn load(&self) -> Load {
        self.letter.load()
    }
}

/// The writer's mailbox, from a shard's side.
pub(super) struct Outgoing<'a> {
    pub(super) shard: usize,
    pub(super) batch: &'a mut Vec<Mail>,
    /// What is in flight, also of other shards, and what may be.
    pub(super) load: &'a mut Load,
    pub(super) limit: Load,
}

impl Submit for Outgoing<'_> {
    fn submit(&mut self, conn: ConnKey, submission: Submission<'_>) {
        let mail = Mail { shard: self.shard, conn, letter: submission.into() };
        *self.load = self.load.plus(mail.load());
        self.batch.push(mail);
    }
}

impl Core for Outgoing<'_> {
    fn is_crowded(&self) -> bool {
        self.load.exceeds(self.limit)
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
