//! Owners of read/write locks, holders that are asked to release, and those who watch who leads.

use super::turns::{Grant, Hold, Rite, Share, perform_turns};
use super::views::insist;
use super::{Later, enough, is_of_the_world, leaves_nothing, perform, watch_over, watch_over_term};
use quorate::client::{Result, Task, Transaction, within};
use quorate::recipes::kit::Held;
use quorate::recipes::latch::LeaderLatch;
use quorate::recipes::leader::Standing;
use quorate::recipes::lock::{Lock, Revocable as _};
use quorate::recipes::read_write::{EnteredReadWrite, ReadWriteLock, ReadWriteOwner};
use quorate_tests::sim::env::{Checked, Violation};
use quorate_tests::sim::history::History;
use quorate_tests::sim::stage::{Part, Play};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// An owner who reads, writes, and reads while it writes.
struct Owner(ReadWriteOwner);

struct Entered {
    first: EnteredReadWrite,
    again: Option<EnteredReadWrite>,
}

impl Rite for Owner {
    const ROOM: u32 = 1_000;

    fn new(part: &Part) -> Self {
        Self(ReadWriteLock::new(&part.client, "/rw").owner())
    }

    fn enter<'a>(&'a self, part: &'a Part, patience: Duration) -> Later<'a, Result<Option<Grant>>> {
        Box::pin(async move {
            let environment = part.client.environment();
            let writes = part.below(2) == 0;
            let entered = if writes {
                within(&**environment, patience, self.0.write()).await.transpose()?
            } else {
                within(&**environment, patience, self.0.read()).await.transpose()?
            };
            let Some(first) = entered else { return Ok(None) };
            // Whoever writes may read at once, and nobody waits for himself.
            let again = match part.below(2) {
                0 if first.is_held() => {
                    within(&**environment, patience, self.0.read()).await.transpose()?
                }
                _ => None,
            };
            let weight = if writes { Self::ROOM } else { 1 };
            let shares = vec![Share { thing: 0, weight, token: first.token() }];
            Ok(Some(Grant { hold: Box::new(Entered { first, again }), shares }))
        })
    }
}

impl Hold for Entered {
    fn watch_over(&self, part: &Part) {
        watch_over(part, &self.first);
    }

    fn is_held(&self) -> bool {
        self.first.is_held()
    }

    fn guarded(&self) -> Option<Transaction> {
        Some(self.first.guarded())
    }

    fn release(self: Box<Self>) -> Later<'static, Result<()>> {
        Box::pin(async move {
            if let Some(again) = self.again {
                again.release().await?;
            }
            self.first.release().await
        })
    }

    fn as_hold(self: Box<Self>) -> Box<dyn Hold> {
        self
    }
}

/// Holders work until they are asked to release; others ask.
#[derive(Default)]
struct Asking {
    /// Requests that were heard.
    heard: Arc<AtomicU64>,
}

impl Play for Asking {
    fn processes(&self) -> usize {
        3
    }

    fn part(&self, part: Part) -> Task {
        let heard = Arc::clone(&self.heard);
        Box::pin(async move {
            let lock = Lock::new(&part.client, "/lock").revocable();
            while !part.is_over() {
                let polls = if part.below(3) == 0 { part.below(40) } else { u64::MAX };
                let result = match part.below(2) {
                    0 => part.cut_short(polls, ask(&lock)).await,
                    _ => part.cut_short(polls, work(&part, &lock, &heard)).await,
                };
                if let Some(Err(error)) = result
                    && !is_of_the_world(&error)
                    // The lock was lost, or released before it was asked for.
                    && error.code() != quorate::client::ErrorCode::NoNode
                {
                    part.fail(error.to_string());
                }
                part.client.sleep(Duration::from_millis(part.below(100))).await;
            }
            leaves_nothing(&part).await;
        })
    }

    fn check(&self, history: &History) -> Checked {
        // A request is written on a node that is there; it makes none and takes none away.
        let holders = history.model.children("/lock", history.durable());
        if holders.is_empty() { Ok(()) } else { Err(Violation(format!("left: {holders:?}"))) }
    }
}

async fn ask(lock: &Lock) -> Result<()> {
    match lock.participants().await?.first() {
        Some(holder) => lock.revoke(holder).await,
        None => Ok(()),
    }
}

async fn work(part: &Part, lock: &Lock, heard: &AtomicU64) -> Result<()> {
    let environment = part.client.environment();
    let patience = Duration::from_millis(part.below(3_000));
    let Some(held) = lock.acquire_within(patience).await? else { return Ok(()) };
    watch_over(part, &held);
    let limit = Duration::from_millis(part.below(4_000));
    let asked = within(&**environment, limit, held.revoked()).await.transpose();
    if asked.as_ref().is_ok_and(Option::is_some) {
        heard.fetch_add(1, Relaxed);
    }
    Held::release(held).await?;
    asked.map(drop)
}

/// A leader's data, and a zxid behind the moment at which they were seen.
type Sighting = (Vec<u8>, i64);

/// Some lead; everybody watches who does.
#[derive(Default)]
struct Observing {
    /// Data of leaders, by token, as their observers saw them, and as the leaders say.
    seen: Arc<Mutex<BTreeMap<i64, Sighting>>>,
    led: Arc<Mutex<BTreeMap<i64, Vec<u8>>>>,
}

impl Play for Observing {
    fn processes(&self) -> usize {
        3
    }

    fn part(&self, part: Part) -> Task {
        let (seen, led) = (Arc::clone(&self.seen), Arc::clone(&self.led));
        Box::pin(async move {
            let id = format!("host{}", part.number).into_bytes();
            let latch = LeaderLatch::new(&part.client, "/latch").id(id.clone());
            let Some(observer) = insist(&part, || latch.observe()).await else { return };
            let mut candidate = latch.join();
            let mut newest = 0;
            while !part.is_over() {
                if part.below(4) == 0 || matches!(candidate.standing(), Standing::Ended(_)) {
                    candidate = latch.join();
                }
                if let Standing::Leading(term) = candidate.standing()
                    && led.lock().unwrap().insert(term.token(), id.clone()).is_none()
                {
                    watch_over_term(&part, &term);
                }
                let limit = Duration::from_millis(part.below(500));
                let environment = part.client.environment();
                let newer = within(&**environment, limit, observer.newer_than(newest)).await;
                if let Some(leader) = newer.flatten() {
                    newest = leader.token;
                    // A notification says no zxid: an answer does, and that of a sync none from before, whoever gives it.
                    if part.client.sync("/").await.is_ok() {
                        let at = part.client.last_zxid();
                        seen.lock().unwrap().insert(leader.token, (leader.data, at));
                    }
                }
            }
            // In a calm world everybody sees who leads.
            let limit = Duration::from_secs(60);
            let environment = Arc::clone(part.client.environment());
            let led_now = within(&*environment, limit, observer.newer_than(0)).await.flatten();
            if led_now.is_none() {
                part.fail("nobody leads, as far as can be seen");
            }
            // Others look as well.
            part.settle(Duration::from_secs(60)).await;
            drop((candidate, observer));
            leaves_nothing(&part).await;
        })
    }

    fn check(&self, history: &History) -> Checked {
        let first_in_line = |zxid| {
            let names = history.model.children("/latch", zxid);
            let first = names.iter().min_by_key(|name| name.rsplit('-').next())?;
            history.model.at(&format!("/latch/{first}"), zxid).map(|node| node.wire().czxid)
        };
        let led = self.led.lock().unwrap();
        for (token, (data, at)) in self.seen.lock().unwrap().iter() {
            if led.get(token).is_some_and(|leader| leader != data) {
                return Err(Violation(format!("{token:#x} was led by another than {data:?}")));
            }
            if !history.states(*token, *at).any(|zxid| first_in_line(zxid) == Some(*token)) {
                return Err(Violation(format!("{token:#x} was never first in line")));
            }
        }
        Ok(())
    }
}

#[test]
fn an_owner_reads_while_it_writes_and_nobody_else() {
    perform_turns::<Owner>(24);
}

#[test]
fn a_holder_hears_that_it_is_asked_to_release() {
    let plays = perform::<Asking>(24).unwrap_or_else(|failure| panic!("{failure}"));
    let heard: u64 = plays.iter().map(|play| play.heard.load(Relaxed)).sum();
    enough("heard", heard, 20);
}

#[test]
fn an_observer_sees_who_leads() {
    let plays = perform::<Observing>(24).unwrap_or_else(|failure| panic!("{failure}"));
    let known = |play: &Observing| {
        let led = play.led.lock().unwrap();
        play.seen.lock().unwrap().keys().filter(|token| led.contains_key(token)).count()
    };
    let known: usize = plays.iter().map(|play| known(play)).sum();
    enough("leaders seen", known.try_into().unwrap(), 40);
}
