//! What learners are given from a leader's log: looked for, and read, by threads of their own, so that the one that holds the state waits for
//! no disk.
//!
//! A thread looks for one learner's part ([`CatchUps::search`]); another one makes its packets ([`CatchUps::send`]), a few pieces ahead of
//! the connection, which takes them when it has room. All of them end with the role, which waits for that: they hold the data directory.

use crate::storage::LogPart;
use crate::storage::Storage;
use quorate_engine::member::LogRange;
use quorate_engine::zab::LearnerKey;
use quorate_engine::zab::codec::write_committed;
use quorate_wire::Zxid;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

/// The threads of a role.
pub(crate) struct CatchUps {
    storage: Arc<Storage>,
    wake: Arc<dyn Fn() + Send + Sync>,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    ended: AtomicBool,
    searched: Mutex<Vec<Searched>>,
}

/// What a search has found, if the log is of use.
pub(crate) type Searched = (LearnerKey, Option<LogPart>);

/// The packets of a part of the log, as they are made.
#[derive(Debug)]
pub(crate) struct LogFeed {
    pieces: Receiver<Piece>,
    next: Option<Piece>,
}

/// What comes next of a part.
#[derive(Debug)]
pub(crate) enum Piece {
    /// Packets.
    Bytes(Vec<u8>),
    /// Everything has come.
    End,
    /// The log could not be read to the end of the part, for this reason.
    Failed(String),
}

impl CatchUps {
    /// `wake` is called from the threads when there is something to take.
    pub(crate) fn new(storage: Arc<Storage>, wake: Arc<dyn Fn() + Send + Sync>) -> Self {
        Self { storage, wake, shared: Arc::default(), threads: Vec::new() }
    }

    /// Looks for what a learner lacks. The answer is among what was [`searched`](Self::searched) later.
    pub(crate) fn search(&mut self, key: LearnerKey, range: LogRange) {
        let (storage, wake) = (Arc::clone(&self.storage), Arc::clone(&self.wake));
        let shared = Arc::clone(&self.shared);
        let started = self.start("quorate-search", move || {
            let part = look(&storage, range, || !shared.ended.load(Ordering::Relaxed));
            shared.post((key, part));
            wake();
        });
        if let Err(error) = started {
            tracing::warn!("no thread to look into the log with: {error}");
            self.shared.post((key, None));
            (self.wake)();
        }
    }

    /// What was found since this was last asked.
    pub(crate) fn searched(&self) -> Vec<Searched> {
        std::mem::take(&mut *self.shared.searched.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Begins to read a part, up to this transaction.
    pub(crate) fn send(&mut self, part: LogPart, upto: Zxid) -> LogFeed {
        let wake = Arc::clone(&self.wake);
        let (sender, pieces) = sync_channel(AHEAD);
        let failed = sender.clone();
        let started = self.start("quorate-catch-up", move || feed(&part, upto, &sender, &*wake));
        if let Err(error) = started {
            // There is room for it: nothing else was sent.
            let _ = failed.try_send(Piece::Failed(error.to_string()));
        }
        LogFeed { pieces, next: None }
    }

    /// Ends all searches and waits for every thread. Feeds must have been dropped, or their threads wait to be rid of what they have.
    pub(crate) fn end(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A panic there has been reported by the panic hook, and its learner has been given up.
            let _ = thread.join();
        }
        self.shared = Arc::default();
    }

    fn start(&mut self, name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
        self.threads.retain(|thread| !thread.is_finished());
        self.threads.push(thread::Builder::new().name(name.into()).spawn(work)?);
        Ok(())
    }
}

impl Drop for CatchUps {
    fn drop(&mut self) {
        self.end();
    }
}

impl Shared {
    fn post(&self, searched: Searched) {
        self.searched.lock().unwrap_or_else(PoisonError::into_inner).push(searched);
    }
}

impl LogFeed {
    /// Whether something can be taken.
    pub(crate) const fn is_ready(&self) -> bool {
        self.next.is_some()
    }

    /// Looks whether something has come.
    pub(crate) fn look(&mut self) {
        if self.next.is_none() {
            self.next = match self.pieces.try_recv() {
                Ok(piece) => Some(piece),
                Err(TryRecvError::Empty) => None,
                Err(TryRecvError::Disconnected) => {
                    Some(Piece::Failed("the thread that reads it has ended".into()))
                }
            };
        }
    }

    /// Takes what comes next, if it is there.
    pub(crate) fn take(&mut self) -> Option<Piece> {
        self.look();
        self.next.take()
    }
}

fn look(storage: &Arc<Storage>, range: LogRange, goes_on: impl Fn() -> bool) -> Option<LogPart> {
    let LogRange { at, upto, limit } = range;
    match LogPart::find(storage, at, upto, limit, goes_on) {
        Ok(Ok(part)) => return Some(part),
        Ok(Err(why)) => {
            tracing::info!("the log is of no use for a learner that is at {at}: {why}");
        }
        Err(error) => tracing::warn!("the log is of no use for a learner that is at {at}: {error}"),
    }
    None
}

/// Makes the packets of a part, and says how it ended.
fn feed(part: &LogPart, upto: Zxid, pieces: &SyncSender<Piece>, wake: &dyn Fn()) {
    let mut bytes = Vec::new();
    let hand_over = |bytes: &mut Vec<u8>| {
        let wanted = pieces.send(Piece::Bytes(std::mem::take(bytes))).is_ok();
        wake();
        wanted
    };
    let read = part.read(upto, |zxid, payload| {
        write_committed(zxid, payload, &mut bytes);
        bytes.len() < PIECE || hand_over(&mut bytes)
    });
    if bytes.is_empty() || hand_over(&mut bytes) {
        let end = read.map_or_else(|error| Piece::Failed(error.to_string()), |()| Piece::End);
        // Whoever does not want it any more has closed the connection.
        let _ = pieces.send(end);
        wake();
    }
}

/// Bytes of packets that are handed over at once, and one transaction more.
const PIECE: usize = 128 << 10;
/// Pieces that wait.
const AHEAD: usize = 2;
