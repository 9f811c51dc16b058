//! The exclusive lock: no two processes believe that they hold it, and what a sleeper does too late does not happen.

use super::{enough, enough_in_all, is_of_the_world, leaves_nothing, perform, watch_over};
use quorate::client::{CreateMode, Task};
use quorate::recipes::kit::Held;
use quorate::recipes::lock::Lock;
use quorate_tests::sim::env::{Checked, Violation};
use quorate_tests::sim::history::History;
use quorate_tests::sim::stage::{Part, Play};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Processes take turns with a lock, and write their tokens into a register while they have it.
#[derive(Default)]
struct Locking {
    ledger: Arc<Ledger>,
}

#[derive(Debug, Default)]
struct Ledger {
    /// The greatest token of anybody.
    newest: AtomicI64,
    turns: AtomicU64,
    /// A register outside of everything, which takes no smaller token than it has seen.
    register: AtomicI64,
    /// What came too late and was refused there.
    fenced: AtomicU64,
    /// Turns that ended because the session did.
    lost: AtomicU64,
    /// Waits that were given up at some await.
    cut: AtomicU64,
}

impl Play for Locking {
    fn processes(&self) -> usize {
        3
    }

    fn part(&self, part: Part) -> Task {
        let ledger = Arc::clone(&self.ledger);
        Box::pin(async move {
            let lock = Lock::new(&part.client, "/lock");
            while !part.is_over() {
                let _ = part.client.create(REGISTER, b"0", CreateMode::Persistent).await;
                let patience = Duration::from_millis(part.below(3_000));
                let polls = if part.below(3) == 0 { part.below(40) } else { u64::MAX };
                match part.cut_short(polls, lock.acquire_within(patience)).await {
                    None => _ = ledger.cut.fetch_add(1, Relaxed),
                    Some(Ok(None)) => {}
                    Some(Ok(Some(held))) => hold(&part, &ledger, held).await,
                    Some(Err(error)) if is_of_the_world(&error) => {}
                    Some(Err(error)) => part.fail(format!("{error}")),
                }
                part.client.sleep(Duration::from_millis(1 + part.below(50))).await;
            }
            leaves_nothing(&part).await;
        })
    }

    fn check(&self, history: &History) -> Checked {
        let mut newest = 0;
        for zxid in history.zxids() {
            let here = history.changes(zxid).iter().any(|change| change.path == REGISTER);
            let Some(node) = history.model.at(REGISTER, zxid).filter(|_| here) else { continue };
            let text = String::from_utf8(node.data.clone().unwrap_or_default()).unwrap_or_default();
            let token = text.parse::<i64>().unwrap_or(-1);
            if token < newest {
                return Err(Violation(format!("{token:#x} was written after {newest:#x}")));
            }
            newest = token;
        }
        match history.model.children("/lock", history.durable()).as_slice() {
            [] => Ok(()),
            left => Err(Violation(format!("left in the queue: {left:?}"))),
        }
    }
}

/// Has the lock for a while.
async fn hold(part: &Part, ledger: &Ledger, held: Held) {
    watch_over(part, &held);
    let token = held.token();
    let before = ledger.newest.fetch_max(token, Relaxed);
    ledger.turns.fetch_add(1, Relaxed);
    if before >= token {
        part.fail(format!("the token {token:#x} follows {before:#x}"));
    }
    for _ in 0..part.below(6) {
        if ledger.register.fetch_max(token, Relaxed) > token {
            ledger.fenced.fetch_add(1, Relaxed);
        }
        let write = held.guarded().set(REGISTER, token.to_string().as_bytes(), None).commit();
        // Whether it has happened does not matter: it must not when the lock is another's.
        let _ = write.await;
        part.client.sleep(Duration::from_millis(part.below(1_000))).await;
        // Every other time it does not look, as one does who believes in a lock.
        if part.below(2) > 0 {
            continue;
        }
        if !held.is_held() {
            ledger.lost.fetch_add(1, Relaxed);
            return;
        }
        let newest = ledger.newest.load(Relaxed);
        if newest != token {
            part.fail(format!("{token:#x} is held, and so is {newest:#x}"));
        }
    }
    if part.below(4) > 0
        && let Err(error) = held.release().await
        && !is_of_the_world(&error)
    {
        part.fail(format!("released: {error}"));
    }
}

#[test]
fn a_lock_has_one_holder_at_a_time() {
    let plays = perform::<Locking>(60).unwrap_or_else(|failure| panic!("{failure}"));
    let sum = |of: fn(&Ledger) -> &AtomicU64| -> u64 {
        plays.iter().map(|play| of(&play.ledger).load(Relaxed)).sum()
    };
    let turns = sum(|ledger| &ledger.turns);
    let (lost, fenced, cut) =
        (sum(|ledger| &ledger.lost), sum(|ledger| &ledger.fenced), sum(|ledger| &ledger.cut));
    enough("turns", turns, 200);
    enough_in_all("lost", lost, 3);
    enough_in_all("fenced", fenced, 0);
    enough_in_all("cut short", cut, 25);
}

const REGISTER: &str = "/register";
