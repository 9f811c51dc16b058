//! The disk of an ensemble's member, for the one thread that holds its state.
//!
//! Appending is asynchronous, as at a server that is alone: what is durable is told later, through a mailbox that wakes the thread. Everything
//! else is rare and blocks. Whatever reads, cuts or replaces the history ends the log thread first, after all that it was given, and starts
//! another one behind what is there then. Each has a mailbox of its own, so nothing that an earlier one has said counts later.
//!
//! **No room.** A refused transaction leaves a gap that nothing may follow. So from a refusal on nothing more goes to the log until the history was read
//! again ([`drain`](Archive::drain)), which then ends before what was refused: a role does not outlive a refusal.
//!
//! **The end of the history** is remembered as it was given to the log, for the next role: to read it again takes a tenth of a second for 32 MB, in which nobody
//! leads. It counts only if it ends where the log says that it ended, and whatever changes the history in another way than by appending reads it again.
//!
//! **Snapshots.** One that is under way when the history is to change is given up, or waited for if all of it was handed over already. Written later,
//! it would bring back what was cut (the way of ZOOKEEPER-1549); so the change sees it, and removes it.
//!
//! **Failures.** A change of the history that fails leaves more than was to be kept, never less ([`Storage::cut`]), or the old history or
//! the new one ([`Storage::replace`]). Which it is only the disk knows, so until [`reload`](Archive::reload) nothing else is done. A failed log is final.

use crate::config::AutoPurge;
use crate::server::journal::{Journal, Mailbox, News};
use crate::server::purger::Purger;
use crate::server::snapshotter::Snapshotter;
use crate::storage::{Epochs, LogFailure, Storage, StorageConfig, StorageError};
use quorate_engine::segment::Segment;
use quorate_engine::tree::Tree;
use quorate_engine::zab::{Durable, Entry, Epoch, History};
use quorate_wire::Zxid;
use quorate_wire::disk::names::VERSION_DIR;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// An open data directory with its log and its snapshots.
pub(crate) struct Archive {
    /// Before `storage`, which holds the lock of the directory.
    journal: Option<Journal>,
    snapshotter: Snapshotter,
    purger: Option<Purger>,
    storage: Arc<Storage>,
    wake: Arc<dyn Fn() + Send + Sync>,
    /// `version-2` of `dataDir`, for messages.
    dir: PathBuf,
    /// How many bytes of transactions a history has, about.
    memory: usize,
    condition: Condition,
    /// What was reported and not asked for yet.
    unheard: Vec<News>,
    /// The last transaction that was given to the log. Invariant: `synced <= given`, and both are the storage's last one when nothing was given to this
    /// log thread.
    given: Zxid,
    /// The last one that is durable, as far as the reports were read.
    synced: Zxid,
    /// The end of what the log was given, as far back as [`Durable::history`] is to go. Invariant: it ends with `given`, unless something was refused.
    recent: History,
}

/// What can be done with the history.
enum Condition {
    Sound,
    /// Something was refused: what would follow it is dropped.
    Refused,
    /// A change has begun and not ended: it has to be loaded again.
    Unfinished,
    /// For good.
    Failed(LogFailure),
}

impl Archive {
    /// Opens a directory. `memory` is how many bytes of transactions [`Durable::history`] is to have, about; `wake` is called from other threads when
    /// there are [news](Self::news) or a snapshot [goes on](Self::step_snapshot), unless the caller is awake.
    ///
    /// Where there are no epoch files, the epoch is that of the last transaction, as in Apache. Files that cannot belong to the history are
    /// refused. A history that is ahead of `currentEpoch` is none of these if it was promised: the process has ended between the two.
    pub(crate) fn open(
        config: StorageConfig,
        memory: usize,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Result<(Self, Tree, Durable), StorageError> {
        let dir = config.data_dir.join(VERSION_DIR);
        let (storage, tree, _) = Storage::open(config)?;
        let (storage, wake) = (Arc::new(storage), Arc::new(wake));
        let woken = Arc::clone(&wake);
        let last = storage.last();
        let recent = storage.recent(memory)?;
        let mut archive = Self {
            journal: None,
            snapshotter: Snapshotter::new(Arc::clone(&storage), move || woken()),
            purger: None,
            storage,
            wake,
            dir,
            memory,
            condition: Condition::Sound,
            unheard: Vec::new(),
            given: last,
            synced: last,
            recent,
        };
        let durable = archive.durable()?;
        archive.resume()?;
        Ok((archive, tree, durable))
    }

    /// Gives a segment to the log, behind what was given before. Dropped after a refusal, a change that failed, or a failure.
    pub(crate) fn append(&mut self, segment: Arc<Segment>) {
        self.give(&segment, Entry::all_of(&segment));
    }

    /// The same for transactions of a leader.
    pub(crate) fn append_entries(&mut self, entries: Vec<Entry>) {
        self.give(&Entry::merged(&entries), entries);
    }

    fn give(&mut self, segment: &Arc<Segment>, entries: impl IntoIterator<Item = Entry>) {
        let (Condition::Sound, Some(journal)) = (&self.condition, &self.journal) else { return };
        let Some(last) = segment.last_zxid() else { return };
        debug_assert!(segment.records().iter().all(|r| r.zxid > self.given), "a log goes on");
        self.given = last;
        journal.append(Arc::clone(segment));
        entries.into_iter().for_each(|entry| self.recent.push(entry));
        self.recent.shrink(self.memory, self.synced);
    }

    /// What has become of what was appended. [`News::Refused`] stands for everything that was not called synced before: the role is to end.
    pub(crate) fn news(&mut self) -> Vec<News> {
        self.hear();
        std::mem::take(&mut self.unheard)
    }

    /// To be asked before the thread sleeps: whether there are no news. From then on the next ones wake it.
    pub(crate) fn may_sleep(&self) -> bool {
        self.unheard.is_empty() && self.journal.as_ref().is_none_or(Journal::may_sleep)
    }

    /// Bytes that wait for the log.
    pub(crate) fn queued(&self) -> usize {
        self.journal.as_ref().map_or(0, Journal::queued)
    }

    /// Writes `acceptedEpoch` durably. After an error the old value may or may not stand.
    pub(crate) fn write_accepted(&mut self, epoch: Epoch) -> Result<(), StorageError> {
        self.come_to_rest()?;
        self.storage.write_accepted_epoch(epoch)
    }

    /// Writes `currentEpoch` durably, behind everything that the log was given. After an error the old value may or may not stand.
    pub(crate) fn write_current(&mut self, epoch: Epoch) -> Result<(), StorageError> {
        self.come_to_rest()?;
        self.storage.write_current_epoch(epoch)
    }

    /// Takes back every transaction after `at` ([`Storage::cut`]). Gives the tree and the history as they are then; the log goes on there. Nothing if the
    /// disk cannot be brought to that point: then nothing was changed, but for a snapshot that was given up.
    pub(crate) fn truncate(&mut self, at: Zxid) -> Result<Option<(Tree, History)>, StorageError> {
        let before = self.begin_change()?;
        let Some(tree) = self.storage.cut(at)? else {
            // What was refused before is still to be told.
            self.condition = before;
            self.resume()?;
            return Ok(None);
        };
        self.recent = self.storage.recent(self.memory)?;
        self.end_change()?;
        Ok(Some((tree, self.recent.clone())))
    }

    /// Makes a leader's tree the whole history, up to `zxid`, which must not be before the last transaction of either. The log goes on behind it.
    ///
    /// A tree on the wire names living sessions only, so what `old` remembers of the newest id goes over into it: none may be given out again.
    pub(crate) fn install(
        &mut self,
        tree: &mut Tree,
        old: &Tree,
        zxid: Zxid,
    ) -> Result<(), StorageError> {
        if zxid < tree.last_zxid() {
            let reason = format!("its tree is of {} already, after {zxid}", tree.last_zxid());
            let error = io::Error::new(io::ErrorKind::InvalidInput, reason);
            return Err(StorageError::io("replace", &self.dir)(error));
        }
        tree.stands_for(zxid);
        tree.remember_session(old.newest_session());
        self.begin_change()?;
        self.storage.replace(tree)?;
        self.recent = History::after(self.storage.last());
        self.end_change()
    }

    /// Ends what a role has begun: everything that the log was given and has not refused is durable, and what the disk holds is returned. The
    /// caller's tree lags behind it at most, unless a [`reload`](Self::reload) is due; then this is an error.
    pub(crate) fn drain(&mut self) -> Result<Durable, StorageError> {
        self.check()?;
        if !self.is_untouched() {
            self.end_log()?;
            self.end_change()?;
        }
        self.durable()
    }

    /// Builds the tree once more from the disk, as a start does.
    pub(crate) fn reload(&mut self) -> Result<(Tree, Durable), StorageError> {
        if !matches!(self.condition, Condition::Unfinished) {
            self.begin_change()?;
        }
        let tree = self.storage.reload()?;
        self.recent = self.storage.recent(self.memory)?;
        let durable = self.durable()?;
        self.end_change()?;
        Ok((tree, durable))
    }

    /// Begins a new file of the log with what is appended next.
    pub(crate) fn roll(&self) {
        if let Some(journal) = &self.journal {
            journal.roll();
        }
    }

    /// Freezes the tree and begins to write it as a snapshot, and a new file of the log with it. What it holds must be durable.
    pub(crate) fn begin_snapshot(&mut self, tree: &mut Tree) {
        if matches!(self.condition, Condition::Sound) {
            self.roll();
            self.snapshotter.begin(tree);
        }
    }

    /// Lets the snapshot that is under way go on, and be gone from the tree if it was given up.
    pub(crate) fn step_snapshot(&mut self, tree: &mut Tree) {
        if self.snapshotter.is_busy() {
            self.snapshotter.step(tree);
        } else if tree.is_walking() {
            tree.abandon_walk();
        }
    }

    /// Whether a snapshot is under way.
    pub(crate) const fn is_snapshotting(&self) -> bool {
        self.snapshotter.is_busy()
    }

    /// Whether [`step_snapshot`](Self::step_snapshot) has something to do now.
    pub(crate) fn wants_to_walk(&self) -> bool {
        self.snapshotter.wants_to_walk()
    }

    /// Starts the thread that removes old files now and then.
    pub(crate) fn start_purging(&mut self, config: &AutoPurge) -> io::Result<()> {
        self.purger = Purger::start(Arc::clone(&self.storage), config)?;
        Ok(())
    }

    /// The directory itself, for those who only ask.
    pub(crate) const fn storage(&self) -> &Arc<Storage> {
        &self.storage
    }

    /// Makes durable what the log was given, and ends everything. A snapshot that is under way is given up.
    pub(crate) fn close(mut self) -> Result<(), StorageError> {
        self.snapshotter.give_up();
        self.end_log()
    }

    /// Whether this log thread was given nothing and so has nothing to say.
    fn is_untouched(&self) -> bool {
        let sound = matches!(self.condition, Condition::Sound) && self.journal.is_some();
        sound && self.given == self.storage.last()
    }

    /// Fails if nothing can be done with the history.
    fn check(&self) -> Result<(), StorageError> {
        match &self.condition {
            Condition::Sound | Condition::Refused => Ok(()),
            Condition::Unfinished => Err(StorageError::Unfinished { dir: self.dir.clone() }),
            Condition::Failed(failure) => Err(failure.clone().into()),
        }
    }

    /// Reads the reports of the log.
    fn hear(&mut self) {
        let news = self.journal.as_mut().map(Journal::news).unwrap_or_default();
        self.note(news);
    }

    fn note(&mut self, news: Vec<News>) {
        for news in news {
            match &news {
                News::Synced(zxid) => self.synced = *zxid,
                News::Refused(_) => self.condition = Condition::Refused,
                News::Failed(failure) => self.condition = Condition::Failed(failure.clone()),
                News::Room => {}
            }
            self.unheard.push(news);
        }
    }

    /// Waits until everything that the log was given is durable, or refused. What it reports is kept.
    fn come_to_rest(&mut self) -> Result<(), StorageError> {
        self.hear();
        self.check()?;
        if self.given == self.synced {
            return Ok(());
        }
        self.end_log()?;
        self.resume()
    }

    /// Ends the log thread after everything that it was given. What it has reported is kept.
    fn end_log(&mut self) -> Result<(), StorageError> {
        let Some(journal) = self.journal.take() else { return self.check() };
        let (news, ended) = journal.end();
        self.note(news);
        self.storage.goes_on_after(self.synced);
        if let Err(failure) = ended {
            self.condition = Condition::Failed(failure);
        }
        self.check()
    }

    /// Starts a log thread behind what the disk holds.
    fn resume(&mut self) -> Result<(), StorageError> {
        let mailbox = Arc::new(Mailbox::default());
        let (reports, wake) = (Arc::clone(&mailbox), Arc::clone(&self.wake));
        let started = self.storage.start_log(move |report| {
            if reports.post(report) {
                wake();
            }
        });
        let log = started.map_err(|error| {
            self.condition = Condition::Unfinished;
            StorageError::io("start a thread for", &self.dir)(error)
        })?;
        self.journal = Some(Journal::durable(log, mailbox));
        self.given = self.storage.last();
        self.synced = self.given;
        Ok(())
    }

    /// Stops everything that writes. Gives the condition until then; until the change has ended, it is unfinished.
    fn begin_change(&mut self) -> Result<Condition, StorageError> {
        self.check()?;
        self.snapshotter.give_up();
        self.end_log()?;
        Ok(std::mem::replace(&mut self.condition, Condition::Unfinished))
    }

    /// The history is what the disk holds: what was reported of another one is forgotten.
    fn end_change(&mut self) -> Result<(), StorageError> {
        self.unheard.clear();
        self.condition = Condition::Sound;
        self.resume()
    }

    /// What the disk holds, as far as the log has been ended.
    fn durable(&mut self) -> Result<Durable, StorageError> {
        let (accepted_epoch, current_epoch) = self.epochs()?;
        if self.recent.last() != self.storage.last() {
            self.recent = self.storage.recent(self.memory)?;
        }
        let history = self.recent.clone();
        Ok(Durable { accepted_epoch, current_epoch, history, ..Durable::default() })
    }

    /// The epoch that was promised, and that of the history.
    fn epochs(&self) -> Result<(Epoch, Epoch), StorageError> {
        let found = self.storage.epochs()?;
        let last = self.storage.last();
        let accepted = found.accepted.unwrap_or_else(|| last.epoch());
        let mut current = found.current.unwrap_or_else(|| last.epoch());
        if found.accepted.is_some_and(|accepted| accepted >= last.epoch()) {
            // See `Durable::settled`: it holds what comes before its last epoch, and had promised that one.
            current = current.max(last.epoch());
        }
        let counted = Epochs { accepted: Some(accepted), current: Some(current) };
        let Some(mut reason) = counted.conflict(last) else { return Ok((accepted, current)) };
        if found.accepted.is_none() {
            reason.push_str(" (there is no acceptedEpoch, so it is that of the last transaction)");
        }
        Err(StorageError::Epochs { dir: self.dir.clone(), reason })
    }
}

#[cfg(test)]
pub(crate) mod tests;
