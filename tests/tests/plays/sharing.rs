//! What several processes have at a time: read/write locks, semaphores.

use super::Later;
use super::turns::{Grant, Hold, Rite, Share, perform_turns};
use quorate::client::{Result, Transaction};
use quorate::recipes::kit::Held;
use quorate::recipes::read_write::ReadWriteLock;
use quorate::recipes::semaphore::Semaphore;
use quorate_tests::sim::env::{Checked, Violation};
use quorate_tests::sim::history::History;
use quorate_tests::sim::stage::Part;
use std::time::Duration;

/// Readers together, a writer alone.
struct ReadWrite(ReadWriteLock);

struct Entered {
    lock: ReadWriteLock,
    held: Held,
    writes: bool,
}

impl Entered {
    fn granted(lock: &ReadWriteLock, held: Held, writes: bool) -> Grant {
        let weight = if writes { ReadWrite::ROOM } else { 1 };
        let shares = vec![Share { thing: 0, weight, token: held.token() }];
        Grant { hold: Box::new(Self { lock: lock.clone(), held, writes }), shares }
    }
}

impl Rite for ReadWrite {
    const ROOM: u32 = 1_000;

    fn new(part: &Part) -> Self {
        Self(ReadWriteLock::new(&part.client, "/rw"))
    }

    fn enter<'a>(&'a self, part: &'a Part, patience: Duration) -> Later<'a, Result<Option<Grant>>> {
        Box::pin(async move {
            let (lock, writes) = (&self.0, part.below(3) == 0);
            let held = if writes {
                lock.write_within(patience).await?
            } else {
                lock.read_within(patience).await?
            };
            Ok(held.map(|held| Entered::granted(lock, held, writes)))
        })
    }
}

impl Hold for Entered {
    fn is_held(&self) -> bool {
        self.held.is_held()
    }

    fn guarded(&self) -> Option<Transaction> {
        self.writes.then(|| self.held.guarded())
    }

    fn release(self: Box<Self>) -> Later<'static, Result<()>> {
        Box::pin(self.held.release())
    }

    /// A writer goes on as a reader.
    fn weaken(self: Box<Self>, shares: Vec<Share>) -> Later<'static, Result<Grant>> {
        Box::pin(async move {
            if !self.writes {
                return Ok(Grant { hold: self, shares });
            }
            let Self { lock, held, .. } = *self;
            let held = lock.downgrade(held).await?;
            Ok(Self::granted(&lock, held, false))
        })
    }

    fn as_hold(self: Box<Self>) -> Box<dyn Hold> {
        self
    }
}

/// One or two of three leases.
struct Leases(Semaphore);

impl Rite for Leases {
    const ROOM: u32 = 3;

    fn new(part: &Part) -> Self {
        Self(Semaphore::new(&part.client, "/semaphore", Self::ROOM))
    }

    fn enter<'a>(&'a self, part: &'a Part, patience: Duration) -> Later<'a, Result<Option<Grant>>> {
        Box::pin(async move {
            let weight = 1 + u32::try_from(part.below(2)).unwrap();
            let leases = self.0.acquire_many_within(weight, patience).await?;
            Ok(leases.map(|leases| {
                let token = leases.first().map_or(0, Held::token);
                if leases.len() != usize::try_from(weight).unwrap() {
                    part.fail(format!("{} leases for {weight}", leases.len()));
                }
                let shares = vec![Share { thing: 0, weight, token }];
                Grant { hold: Box::new(Several(leases)), shares }
            }))
        })
    }

    fn check(history: &History) -> Checked {
        for zxid in 1..=history.durable() {
            let leases = history.model.children("/semaphore/leases", zxid);
            if leases.len() > 3 {
                return Err(Violation(format!("leases at {zxid:#x}: {leases:?}")));
            }
        }
        Ok(())
    }
}

struct Several(Vec<Held>);

impl Hold for Several {
    fn is_held(&self) -> bool {
        self.0.iter().all(Held::is_held)
    }

    fn guarded(&self) -> Option<Transaction> {
        None
    }

    fn release(self: Box<Self>) -> Later<'static, Result<()>> {
        Box::pin(async move {
            for held in self.0 {
                held.release().await?;
            }
            Ok(())
        })
    }

    fn as_hold(self: Box<Self>) -> Box<dyn Hold> {
        self
    }
}

#[test]
fn readers_read_together_and_a_writer_writes_alone() {
    perform_turns::<ReadWrite>(24);
}

#[test]
fn a_semaphore_has_no_more_leases_than_its_limit() {
    perform_turns::<Leases>(24);
}
