//! What several processes have at a time: read/write locks, semaphores.

use super::Later;
use super::turns::{Grant, Hold, Rite, Share, perform_turns};
use super::watch_over;
use quorate::client::{Result, Transaction};
use quorate::recipes::kit::Held;
use quorate::recipes::layout::read_write::Mode;
use quorate::recipes::layout::semaphore::Kind;
use quorate::recipes::read_write::ReadWriteLock;
use quorate::recipes::semaphore::Semaphore;
use quorate_tests::sim::env::{Checked, Violation};
use quorate_tests::sim::history::History;
use quorate_tests::sim::stage::Part;
use std::time::Duration;

/// Readers together, a writer alone, in one of the modes.
struct ReadWrite<const MODE: usize>(ReadWriteLock);

const MODES: [Mode; 5] =
    [Mode::Curator, Mode::Kazoo, Mode::Bridge, Mode::Documentation, Mode::Textbook(String::new())];
/// So much is everything: more readers than there ever are.
const ALL: u32 = 1_000;

struct Entered {
    lock: ReadWriteLock,
    held: Held,
    writes: bool,
}

impl Entered {
    fn granted(lock: &ReadWriteLock, held: Held, writes: bool) -> Grant {
        let weight = if writes { ALL } else { 1 };
        let shares = vec![Share { thing: 0, weight, token: held.token() }];
        Grant { hold: Box::new(Self { lock: lock.clone(), held, writes }), shares }
    }
}

impl<const MODE: usize> Rite for ReadWrite<MODE> {
    const ROOM: u32 = ALL;

    fn new(part: &Part) -> Self {
        let mode = match MODES[MODE].clone() {
            Mode::Textbook(_) => Mode::Textbook(format!("host{}", part.number)),
            other => other,
        };
        Self(ReadWriteLock::new(&part.client, "/rw").mode(mode))
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
    fn watch_over(&self, part: &Part) {
        watch_over(part, &self.held);
    }

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

/// One or two of three leases, in one of the [`Limit`]s.
struct Leases<const LIMIT: usize>(Semaphore);

/// Where it is said how many leases there are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Limit {
    Agreed,
    InTheNode,
    /// In a count that is set to two or three now and then.
    Adjustable,
}

const LIMITS: [Limit; 3] = [Limit::Agreed, Limit::InTheNode, Limit::Adjustable];

impl<const LIMIT: usize> Rite for Leases<LIMIT> {
    const ROOM: u32 = 3;

    fn new(part: &Part) -> Self {
        let fixed = Semaphore::new(&part.client, "/semaphore", Self::ROOM);
        Self(match LIMITS[LIMIT] {
            Limit::Agreed => fixed,
            Limit::InTheNode => fixed.kind(Kind::Kazoo),
            Limit::Adjustable => {
                Semaphore::adjustable(&part.client, "/semaphore", "/count", Self::ROOM)
            }
        })
    }

    fn enter<'a>(&'a self, part: &'a Part, patience: Duration) -> Later<'a, Result<Option<Grant>>> {
        Box::pin(async move {
            if LIMITS[LIMIT] == Limit::Adjustable && part.below(4) == 0 {
                self.0.set_limit(2 + u32::try_from(part.below(2)).unwrap()).await?;
            }
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
        for zxid in history.zxids() {
            let directory = match LIMITS[LIMIT] {
                Limit::InTheNode => "/semaphore",
                _ => "/semaphore/leases",
            };
            let leases = history.model.children(directory, zxid);
            if leases.len() > 3 {
                return Err(Violation(format!("leases at {zxid:#x}: {leases:?}")));
            }
        }
        Ok(())
    }
}

struct Several(Vec<Held>);

impl Hold for Several {
    fn watch_over(&self, part: &Part) {
        self.0.iter().for_each(|held| watch_over(part, held));
    }

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
    perform_turns::<ReadWrite<0>>(24);
}

#[test]
fn readers_and_writers_of_kazoo_exclude_each_other() {
    perform_turns::<ReadWrite<1>>(24);
}

#[test]
fn readers_and_writers_exclude_each_other_across_a_bridge() {
    perform_turns::<ReadWrite<2>>(24);
}

#[test]
fn readers_and_writers_of_the_documentation_exclude_each_other() {
    perform_turns::<ReadWrite<3>>(24);
}

#[test]
fn readers_and_writers_of_the_textbook_exclude_each_other() {
    perform_turns::<ReadWrite<4>>(24);
}

#[test]
fn a_semaphore_has_no_more_leases_than_its_limit() {
    perform_turns::<Leases<0>>(24);
}

#[test]
fn kazoos_semaphore_has_no_more_leases_than_its_limit() {
    perform_turns::<Leases<1>>(24);
}

#[test]
fn a_semaphore_whose_limit_changes_never_has_more_leases_than_the_greatest() {
    perform_turns::<Leases<2>>(24);
}
