//! Several queues in place of one: items are put into any of them and done once, and no queue is made before the others are full.

use super::work::{Items, check_items, complete, do_it, new_item};
use super::{enough, enough_in_all, is_of_the_world, leaves_nothing, perform};
use quorate::client::{CreateMode, Error, ErrorCode, Result, Task, within};
use quorate::recipes::queue::{Layout, Order, QueueSharder, ShardedQueue};
use quorate_tests::sim::env::{Checked, Violation};
use quorate_tests::sim::history::History;
use quorate_tests::sim::model::Kind;
use quorate_tests::sim::stage::{Part, Play};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Processes take part in the queues for a while, put items and do them.
#[derive(Default)]
struct Sharding {
    items: Items,
    done: Arc<AtomicU64>,
    /// Processes that have put everything they want to.
    finished: Arc<AtomicUsize>,
    /// Whether everything was done in the end.
    emptied: Arc<AtomicBool>,
    /// Queues there were in the end.
    queues: Mutex<usize>,
}

impl Play for Sharding {
    fn processes(&self) -> usize {
        3
    }

    fn part(&self, part: Part) -> Task {
        let (items, done) = (Arc::clone(&self.items), Arc::clone(&self.done));
        let (finished, emptied) = (Arc::clone(&self.finished), Arc::clone(&self.emptied));
        Box::pin(async move {
            let mut sharder = None;
            while !part.is_over() {
                let polls = if part.below(3) == 0 { part.below(40) } else { u64::MAX };
                let _ = part.client.create("/done", b"", CreateMode::Persistent).await;
                let result = match sharder.take() {
                    None => match part.cut_short(polls, queues(&part).start()).await {
                        Some(Ok(begun)) => {
                            sharder = Some(begun);
                            Ok(())
                        }
                        other => other.transpose().map(drop),
                    },
                    Some(taking_part) => {
                        let used = act(&part, &taking_part, &items, &done);
                        let result = part.cut_short(polls, used).await.unwrap_or(Ok(()));
                        match part.below(12) {
                            0 => taking_part.stop().await,
                            1 => drop(taking_part),
                            _ => sharder = Some(taking_part),
                        }
                        result
                    }
                };
                check(&part, result);
                part.client.sleep(Duration::from_millis(part.below(100))).await;
            }
            let sharder = loop {
                match sharder.take() {
                    Some(sharder) => break sharder,
                    None => match queues(&part).start().await {
                        Ok(begun) => sharder = Some(begun),
                        other => check(&part, other.map(drop)),
                    },
                }
            };
            finish(&part, &sharder, &items, &done, &finished, &emptied).await;
            sharder.stop().await;
            leaves_nothing(&part).await;
        })
    }

    fn check(&self, history: &History) -> Checked {
        let queues = check_queues(history)?;
        *self.queues.lock().unwrap() = queues;
        check_items(&self.items, history)
    }
}

fn queues(part: &Part) -> ShardedQueue {
    let queues = ShardedQueue::new(&part.client, QUEUE, Layout::Curator);
    queues.threshold(FULL).max_queues(MOST).interval(Duration::from_millis(200))
}

fn check(part: &Part, result: Result<()>) {
    if let Err(error) = result
        && !may_come(&error)
    {
        part.fail(error.to_string());
    }
}

/// Whether an error of a put or of work is one that may come.
fn may_come(error: &Error) -> bool {
    // Without its mark an item is another's: it was lost.
    is_of_the_world(error) || error.outcome_unknown() || error.code() == ErrorCode::NoNode
}

/// Puts an item, or does one, of those that are there or that is waited for.
async fn act(part: &Part, sharder: &QueueSharder, items: &Items, done: &AtomicU64) -> Result<()> {
    match part.below(8) {
        0..4 => put(part, sharder, items).await,
        4 => {
            let environment = part.client.environment();
            let limit = Duration::from_millis(part.below(2_000));
            match within(&**environment, limit, sharder.hold()).await.transpose()? {
                Some(holding) => do_it(part, holding, done).await,
                None => Ok(()),
            }
        }
        _ => match sharder.try_hold().await? {
            Some(holding) => do_it(part, holding, done).await,
            None => Ok(()),
        },
    }
}

async fn put(part: &Part, sharder: &QueueSharder, items: &Items) -> Result<()> {
    let (item, data) = new_item(part, items);
    sharder.queue().put_once(Order::End, &[data.as_bytes()]).await?;
    items.lock().unwrap().insert(item, true);
    Ok(())
}

/// Some put more items, and one does everything that is there: whoever waits at all queues gets an item of any.
async fn finish(
    part: &Part,
    sharder: &QueueSharder,
    items: &Items,
    done: &AtomicU64,
    finished: &AtomicUsize,
    emptied: &AtomicBool,
) {
    if part.number > 0 {
        for _ in 0..FULL {
            check(part, put(part, sharder, items).await);
        }
        finished.fetch_add(1, Relaxed);
        return;
    }
    let environment = part.client.environment();
    let calm = environment.now();
    while finished.load(Relaxed) < 2 || !is_empty(sharder).await {
        let held = within(&**environment, Duration::from_secs(10), sharder.hold()).await;
        if let Some(holding) = held {
            let work = async { complete(holding?, done).await };
            check(part, work.await);
        }
        // In a world so slow that sessions go on ending.
        if environment.now() - calm > 60_000 {
            return;
        }
    }
    emptied.store(true, Relaxed);
}

async fn is_empty(sharder: &QueueSharder) -> bool {
    for queue in sharder.queues() {
        if !matches!(queue.is_empty().await, Ok(true)) {
            return false;
        }
    }
    true
}

/// A queue is made when there is none, or when each of the others has been full. None goes, and there are not too many. Answers how many.
fn check_queues(history: &History) -> Checked<usize> {
    // How many items each has, and the most it has had.
    let mut queues = BTreeMap::<String, (usize, usize)>::new();
    for zxid in history.zxids() {
        for change in history.changes(zxid) {
            let Some(rest) = change.path.strip_prefix(QUEUE).and_then(|it| it.strip_prefix('/'))
            else {
                continue;
            };
            match (rest.split_once('/'), change.kind) {
                (None, Kind::Created) => {
                    if let Some((other, _)) = queues.iter().find(|(_, (_, most))| *most < FULL) {
                        let told =
                            format!("{rest} was made at {zxid:#x}, and {other} was not full");
                        return Err(Violation(told));
                    }
                    queues.insert(rest.to_owned(), (0, 0));
                }
                (None, Kind::Deleted) => {
                    return Err(Violation(format!("{rest} was removed at {zxid:#x}")));
                }
                (Some((queue, _)), Kind::Created) => {
                    let (now, most) = queues.entry(queue.to_owned()).or_default();
                    *now += 1;
                    *most = (*most).max(*now);
                }
                (Some((queue, _)), Kind::Deleted) => {
                    queues.entry(queue.to_owned()).or_default().0 -= 1;
                }
                (_, Kind::Changed) => {}
            }
        }
    }
    match queues.len() {
        number if number > MOST => Err(Violation(format!("{number} queues, of {MOST}"))),
        number => Ok(number),
    }
}

#[test]
fn every_item_of_several_queues_is_done_once() {
    let plays = perform::<Sharding>(24).unwrap_or_else(|failure| panic!("{failure}"));
    let done: u64 = plays.iter().map(|play| play.done.load(Relaxed)).sum();
    enough("done", done, 100);
    let several = plays.iter().filter(|play| *play.queues.lock().unwrap() > 1).count();
    let emptied = plays.iter().filter(|play| play.emptied.load(Relaxed)).count();
    assert!(10 * emptied >= 9 * plays.len(), "everything was done in {emptied} of {}", plays.len());
    enough_in_all("times several queues", several.try_into().unwrap(), 5);
}

/// Where `check_items` looks.
const QUEUE: &str = "/queue";
/// A queue with so many items is full.
const FULL: usize = 3;
const MOST: usize = 3;
