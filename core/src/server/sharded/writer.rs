//! The thread that writes: judges what the shards submit, applies what the log has made durable.

use super::Shared;
use super::inbox::Mail;
use crate::server::alarm::Alarm;
use crate::server::clock::Clock;
use crate::server::handle::{Control, EndGuard, ServerError};
use crate::server::journal::{Journal, News, Refusals};
use crate::server::snapshotter::Snapshotter;
use crate::server::words::Words;
use mio::{Events, Poll};
use quorate_engine::limits::Load;
use quorate_engine::replica::{Now, Replica};
use quorate_engine::shard::Shard;
use quorate_engine::tree::Tree;
use std::io;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

/// The writer's thread.
pub(super) struct Writer {
    pub(super) shared: Arc<Shared>,
    pub(super) control: Arc<Control>,
    pub(super) poll: Poll,
    pub(super) clock: Clock,
    pub(super) journal: Journal,
    pub(super) refusals: Refusals,
    pub(super) snapshotter: Option<Snapshotter>,
    pub(super) replica: Replica,
    /// What the inbox believes this thread to have in flight.
    pub(super) known: Load,
    pub(super) words: Words,
}

impl Writer {
    pub(super) fn run(mut self) -> Result<(), ServerError> {
        let _end = EndGuard(Arc::clone(&self.control));
        let shared = Arc::clone(&self.shared);
        let result = self.serve(&shared);
        drop(self.snapshotter.take());
        let closed = self.journal.close();
        result.and(closed.map_err(ServerError::from))
    }

    fn serve(&mut self, shared: &Shared) -> Result<(), ServerError> {
        let mut events = Events::with_capacity(8);
        let mut alarm = Alarm::new();
        while !self.control.is_stopping() {
            let timeout = self.timeout(&alarm);
            match self.poll.poll(&mut events, timeout) {
                Err(e) if e.kind() != io::ErrorKind::Interrupted => {
                    return Err(ServerError::System { what: "poll", cause: e });
                }
                _ => {}
            }
            let now = self.clock.now();
            let mail = shared.inbox.take();
            if !mail.is_empty() {
                self.judge(shared, &mail, now);
            }
            if alarm.rings(now.mono) {
                let tree = shared.tree.read().unwrap_or_else(PoisonError::into_inner);
                let next = self.replica.tick(&tree, now);
                alarm.set(next.into_iter().fold(now.mono.saturating_add(LONGEST_NAP), i64::min));
            } else {
                alarm.advance(self.replica.next_deadline());
            }
            let durable = self.replica.seal().and_then(|segment| self.journal.append(segment));
            let news = durable.map(News::Synced).into_iter().chain(self.journal.news()).collect();
            self.write(shared, news, now)?;
            let mailed = mail.iter().map(Mail::load).fold(Load::default(), Load::plus);
            let before = std::mem::replace(&mut self.known, self.replica.load());
            if shared.inbox.settle(before.plus(mailed), self.known) {
                // Connections that were paused for the crowd cause no event by themselves.
                (0..shared.shards.len()).for_each(|number| shared.wake(number));
            }
        }
        Ok(())
    }

    fn timeout(&self, alarm: &Alarm) -> Option<Duration> {
        let walks = self.snapshotter.as_ref().is_some_and(Snapshotter::wants_to_walk);
        let busy = walks || self.replica.has_unsealed() || self.replica.has_ready();
        if busy || !self.journal.may_sleep() {
            return Some(Duration::ZERO);
        }
        let wait = alarm.at().saturating_sub(self.clock.now().mono).max(0);
        Some(Duration::from_millis(u64::try_from(wait).unwrap_or(0)))
    }

    fn judge(&mut self, shared: &Shared, mail: &[Mail], now: Now) {
        let tree = shared.tree.read().unwrap_or_else(PoisonError::into_inner);
        for mail in mail {
            self.replica.submit(mail.shard, mail.conn, mail.submission(), &tree, now);
        }
    }

    /// Everything that changes the tree or the shards, with all of them held.
    fn write(&mut self, shared: &Shared, news: Vec<News>, now: Now) -> Result<(), ServerError> {
        let due = self.snapshotter.as_ref().is_some_and(Snapshotter::is_busy);
        if news.is_empty() && !self.replica.has_ready() && !due {
            return Ok(());
        }
        let mut guards: Vec<_> =
            (0..shared.shards.len()).filter_map(|number| shared.shard(number)).collect();
        let mut shards: Vec<&mut Shard> = guards.iter_mut().map(|guard| &mut **guard).collect();
        let mut tree = shared.tree.write().unwrap_or_else(PoisonError::into_inner);
        // What is ready was submitted before anything that has become durable now.
        self.replica.deliver(&tree, &mut shards, now);
        for news in news {
            match news {
                News::Synced(zxid) => self.replica.synced(zxid, &mut tree, &mut shards, now)?,
                News::Refused(reason) => {
                    self.refusals.note(&reason, now.mono);
                    self.replica.refused(&tree, &mut shards, now);
                }
                News::Room => tracing::info!("there is room for transactions again"),
                News::Failed(failure) => return Err(failure.into()),
            }
        }
        for word in self.replica.take_words() {
            self.words.answer(&word, &tree, &self.replica, None, &mut shards, now);
        }
        self.snapshot(&mut tree);
        let waiting: Vec<bool> = shards.iter().map(|shard| shard.has_work()).collect();
        drop(tree);
        drop(guards);
        for (number, _) in waiting.into_iter().enumerate().filter(|&(_, waiting)| waiting) {
            shared.wake(number);
        }
        Ok(())
    }

    fn snapshot(&mut self, tree: &mut Tree) {
        let Some(snapshotter) = &mut self.snapshotter else { return };
        if !snapshotter.is_busy() && self.replica.snapshot_due(tree) {
            self.journal.roll();
            snapshotter.begin(tree);
        }
        snapshotter.step(tree);
    }
}

/// The thread looks after itself at least this often, ms.
const LONGEST_NAP: i64 = 1000;
