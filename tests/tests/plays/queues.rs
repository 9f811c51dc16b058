//! Queues with a rule of their own: no more than so many items, or nothing before its time.

use super::work::{Items, check_items, item_of, new_item, work};
use super::{enough, enough_in_all, is_of_the_world, leaves_nothing, perform};
use quorate::client::{CreateMode, ErrorCode, Result, Task, within};
use quorate::recipes::queue::{BoundedQueue, Layout, Order, WorkQueue};
use quorate_tests::sim::env::{Checked, Violation};
use quorate_tests::sim::history::History;
use quorate_tests::sim::model::Kind;
use quorate_tests::sim::stage::{Part, Play};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Whether an error of a put or of work is one that may come.
fn may_come(error: &quorate::client::Error) -> bool {
    // Without its mark an item is another's: it was lost.
    is_of_the_world(error) || error.outcome_unknown() || error.code() == ErrorCode::NoNode
}

/// Processes put items where there is room, and do them.
#[derive(Default)]
struct Bounding {
    items: Items,
    done: Arc<AtomicU64>,
    /// Puts that found no room.
    full: Arc<AtomicU64>,
    /// Processes that have put everything they want to.
    finished: Arc<AtomicUsize>,
}

impl Play for Bounding {
    fn processes(&self) -> usize {
        3
    }

    fn part(&self, part: Part) -> Task {
        let (items, done) = (Arc::clone(&self.items), Arc::clone(&self.done));
        let (full, finished) = (Arc::clone(&self.full), Arc::clone(&self.finished));
        Box::pin(async move {
            let queue = WorkQueue::new(&part.client, QUEUE, Layout::Curator).bounded(LIMIT);
            while !part.is_over() {
                let polls = if part.below(3) == 0 { part.below(30) } else { u64::MAX };
                let _ = part.client.create("/done", b"", CreateMode::Persistent).await;
                let result = if part.below(5) < 3 {
                    part.cut_short(polls, put(&part, &queue, &items, &full)).await
                } else {
                    part.cut_short(polls, work(&part, queue.queue(), &done)).await
                };
                if let Some(Err(error)) = result
                    && !may_come(&error)
                {
                    part.fail(error.to_string());
                }
                part.client.sleep(Duration::from_millis(part.below(100))).await;
            }
            // Whoever waits for room gets it, as long as somebody makes some.
            if part.number > 0 {
                for _ in 0..2 * LIMIT {
                    let (item, data) = new_item(&part, &items);
                    match queue.put(data.as_bytes()).await {
                        Ok(()) => _ = items.lock().unwrap().insert(item, true),
                        Err(error) if may_come(&error) => {}
                        Err(error) => part.fail(error.to_string()),
                    }
                }
                finished.fetch_add(1, Relaxed);
            } else {
                while finished.load(Relaxed) < 2
                    || !matches!(queue.queue().is_empty().await, Ok(true))
                {
                    if let Err(error) = work(&part, queue.queue(), &done).await
                        && !may_come(&error)
                    {
                        part.fail(error.to_string());
                    }
                    part.client.sleep(Duration::from_millis(10)).await;
                }
            }
            leaves_nothing(&part).await;
        })
    }

    fn check(&self, history: &History) -> Checked {
        let mut there = 0_usize;
        for zxid in history.zxids() {
            for change in history.changes(zxid) {
                if change.path.starts_with("/queue/") {
                    match change.kind {
                        Kind::Created => there += 1,
                        Kind::Deleted => there -= 1,
                        Kind::Changed => {}
                    }
                }
            }
            if there > LIMIT {
                return Err(Violation(format!("{there} items at {zxid:#x}, of {LIMIT}")));
            }
        }
        check_items(&self.items, history)
    }
}

/// Puts an item if there is room, or waits for it for a while.
async fn put(part: &Part, queue: &BoundedQueue, items: &Items, full: &AtomicU64) -> Result<()> {
    let (item, data) = new_item(part, items);
    let is_in = if part.below(2) == 0 {
        queue.try_put(data.as_bytes()).await?
    } else {
        let limit = Duration::from_millis(part.below(2_000));
        let put = queue.put(data.as_bytes());
        match within(&**part.client.environment(), limit, put).await {
            Some(put) => put.map(|()| true)?,
            // It may be on its way.
            None => return Ok(()),
        }
    };
    if is_in {
        items.lock().unwrap().insert(item, true);
    } else {
        items.lock().unwrap().remove(&item);
        full.fetch_add(1, Relaxed);
    }
    Ok(())
}

/// Processes put items that are due some time later, and do them when they are.
#[derive(Default)]
struct Delaying {
    items: Items,
    done: Arc<AtomicU64>,
    /// The time before which nobody may have an item, ms since 1970.
    due: Arc<Mutex<BTreeMap<String, i64>>>,
}

impl Play for Delaying {
    fn needs_steady_clock(&self) -> bool {
        true
    }

    fn processes(&self) -> usize {
        3
    }

    fn part(&self, part: Part) -> Task {
        let (items, done) = (Arc::clone(&self.items), Arc::clone(&self.done));
        let due = Arc::clone(&self.due);
        Box::pin(async move {
            let queue = WorkQueue::new(&part.client, QUEUE, Layout::Delay);
            while !part.is_over() {
                let polls = if part.below(3) == 0 { part.below(40) } else { u64::MAX };
                let _ = part.client.create("/done", b"", CreateMode::Persistent).await;
                let result = if part.below(5) < 2 {
                    part.cut_short(polls, delay(&part, &queue, &items, &due)).await
                } else {
                    part.cut_short(polls, work(&part, &queue, &done)).await
                };
                if let Some(Err(error)) = result
                    && !may_come(&error)
                {
                    part.fail(error.to_string());
                }
                part.client.sleep(Duration::from_millis(part.below(100))).await;
            }
            // Whoever waits for an item gets it when it is due.
            while !matches!(queue.is_empty().await, Ok(true)) {
                let environment = part.client.environment();
                match within(&**environment, Duration::from_secs(10), queue.hold()).await {
                    Some(Ok(holding)) => {
                        let data = holding.data().to_vec();
                        let mode = CreateMode::PersistentSequential;
                        let write = holding
                            .complete_with(|multi| multi.create("/done/d", data.as_slice(), mode));
                        done.fetch_add(u64::from(write.await.is_ok()), Relaxed);
                    }
                    Some(Err(error)) if !may_come(&error) => part.fail(error.to_string()),
                    _ => {}
                }
            }
            leaves_nothing(&part).await;
        })
    }

    fn check(&self, history: &History) -> Checked {
        let due = self.due.lock().unwrap();
        for zxid in history.zxids() {
            for change in history.changes(zxid) {
                // Its mark is made, and it is had.
                let Some(name) = change.path.strip_prefix("/queue-locks/queue-") else { continue };
                if change.kind != Kind::Created {
                    continue;
                }
                let node = history.model.at(&format!("{QUEUE}/queue-{name}"), zxid);
                let item = node.and_then(|node| item_of(node.data.as_deref()));
                let (now, due) = (history.time(zxid), item.as_ref().and_then(|item| due.get(item)));
                let Some(&due) = due else {
                    return Err(Violation(format!("what was had at {zxid:#x}? {item:?}")));
                };
                if now < due {
                    return Err(Violation(format!("{item:?} was had at {now}, is due at {due}")));
                }
            }
        }
        check_items(&self.items, history)
    }
}

/// Puts an item for now, for later, or for a certain time.
async fn delay(
    part: &Part,
    queue: &WorkQueue,
    items: &Items,
    due: &Mutex<BTreeMap<String, i64>>,
) -> Result<()> {
    let (item, data) = new_item(part, items);
    let now = part.wall_clock();
    let later = part.below(4_000);
    let at = now + i64::try_from(later).unwrap_or(0);
    let (order, earliest) = match part.below(3) {
        0 => (Order::End, 0),
        1 => (Order::At(at), at),
        // By the server's clock, which may have been read a while ago, but never shows less than it can be.
        _ => (Order::After(Duration::from_millis(later)), at),
    };
    due.lock().unwrap().insert(item.clone(), earliest);
    queue.put_once(order, &[data.as_bytes()]).await?;
    items.lock().unwrap().insert(item, true);
    Ok(())
}

#[test]
fn a_bounded_queue_has_no_more_items_than_its_limit() {
    let plays = perform::<Bounding>(24).unwrap_or_else(|failure| panic!("{failure}"));
    let done: u64 = plays.iter().map(|play| play.done.load(Relaxed)).sum();
    let full: u64 = plays.iter().map(|play| play.full.load(Relaxed)).sum();
    enough("done", done, 100);
    enough_in_all("times full", full, 100);
}

#[test]
fn nobody_has_an_item_before_it_is_due() {
    let plays = perform::<Delaying>(24).unwrap_or_else(|failure| panic!("{failure}"));
    let done: u64 = plays.iter().map(|play| play.done.load(Relaxed)).sum();
    enough("done", done, 100);
}

const QUEUE: &str = "/queue";
const LIMIT: usize = 3;
