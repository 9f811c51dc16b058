//! Work: queues whose items are done exactly once.

use super::{enough, ignore, is_of_the_world, leaves_nothing, perform};
use quorate::client::{CreateMode, ErrorCode, Result, Task};
use quorate::recipes::queue::{Holding, Layout, Order, WorkQueue};
use quorate_tests::sim::env::{Checked, Violation};
use quorate_tests::sim::history::History;
use quorate_tests::sim::stage::{Part, Play};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The items, and whether they are known to have been put.
pub(crate) type Items = Arc<Mutex<BTreeMap<String, bool>>>;

/// Processes put items and do them.
#[derive(Default)]
struct Working<const LAYOUT: usize> {
    items: Items,
    done: Arc<AtomicU64>,
}

const LAYOUTS: [Layout; 4] = [Layout::Curator, Layout::KazooLocking, Layout::Priority, Layout::Id];

impl<const LAYOUT: usize> Play for Working<LAYOUT> {
    fn processes(&self) -> usize {
        3
    }

    fn part(&self, part: Part) -> Task {
        let (items, done) = (Arc::clone(&self.items), Arc::clone(&self.done));
        Box::pin(async move {
            let queue = WorkQueue::new(&part.client, "/queue", LAYOUTS[LAYOUT]);
            while !part.is_over() {
                let polls = if part.below(3) == 0 { part.below(30) } else { u64::MAX };
                let _ = part.client.create("/done", b"", CreateMode::Persistent).await;
                let result = if part.below(5) < 2 {
                    part.cut_short(polls, put(&part, &queue, &items)).await
                } else {
                    part.cut_short(polls, work(&part, &queue, &done)).await
                };
                // Without its mark an item is another's: it was lost.
                if let Some(Err(error)) = result
                    && !is_of_the_world(&error)
                    && !error.outcome_unknown()
                    && error.code() != ErrorCode::NoNode
                {
                    part.fail(error.to_string());
                }
                part.client.sleep(Duration::from_millis(part.below(100))).await;
            }
            leaves_nothing(&part).await;
        })
    }

    fn check(&self, history: &History) -> Checked {
        check_items(&self.items, history)
    }
}

/// An item of which nobody knows yet whether it was put.
pub(crate) fn new_item(part: &Part, items: &Mutex<BTreeMap<String, bool>>) -> (String, String) {
    let mut items = items.lock().unwrap();
    // Not merely the length: an item that found no room is struck out again.
    let named = |number| format!("{}-{number}", part.number);
    let free = (items.len()..).map(named).find(|name| !items.contains_key(name));
    let item = free.unwrap();
    items.insert(item.clone(), false);
    let data = format!("#{item}#");
    (item, data)
}

/// Which item a node is.
pub(crate) fn item_of(data: Option<&[u8]>) -> Option<String> {
    let text = String::from_utf8_lossy(data?);
    text.split('#').nth(1).map(str::to_owned)
}

/// Each item is there once, waiting or done, if it was put; otherwise at most once.
pub(crate) fn check_items(items: &Mutex<BTreeMap<String, bool>>, history: &History) -> Checked {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (path, node) in history.model.all(history.durable()) {
        if !path.starts_with("/queue") && !path.starts_with("/done") {
            continue;
        }
        if let Some(item) = item_of(node.data.as_deref()) {
            found.entry(item).or_default().push(path.to_owned());
        }
    }
    for (item, &sure) in items.lock().unwrap().iter() {
        let there = found.get(item).map_or(0, Vec::len);
        if there > 1 || (sure && there == 0) {
            return Err(Violation(format!("item {item}, put {sure}: {:?}", found.get(item))));
        }
    }
    Ok(())
}

async fn put(part: &Part, queue: &WorkQueue, items: &Mutex<BTreeMap<String, bool>>) -> Result<()> {
    let (item, data) = new_item(part, items);
    let order = match queue.layout() {
        Layout::Priority => Order::Priority(i32::try_from(part.below(3)).unwrap()),
        Layout::Id => Order::Id(&item),
        _ => Order::End,
    };
    queue.put_once(order, &[data.as_bytes()]).await?;
    items.lock().unwrap().insert(item, true);
    Ok(())
}

/// Holds an item if there is one, and does it, gives it back, or drops it.
pub(crate) async fn work(part: &Part, queue: &WorkQueue, done: &AtomicU64) -> Result<()> {
    match queue.try_hold().await? {
        Some(holding) => do_it(part, holding, done).await,
        None => Ok(()),
    }
}

/// Does an item that is held, gives it back, or drops it.
pub(crate) async fn do_it(part: &Part, holding: Holding, done: &AtomicU64) -> Result<()> {
    part.watch_over("an item", || false, Some(Box::pin(ignore(holding.lost()))));
    part.client.sleep(Duration::from_millis(part.below(1_500))).await;
    match part.below(6) {
        0 => return holding.release().await,
        1 => return Ok(()),
        _ => {}
    }
    complete(holding, done).await
}

/// Does an item that is held.
pub(crate) async fn complete(holding: Holding, done: &AtomicU64) -> Result<()> {
    let data = holding.data().to_vec();
    let mode = CreateMode::PersistentSequential;
    holding.complete_with(|multi| multi.create("/done/d", data.as_slice(), mode)).await?;
    done.fetch_add(1, Relaxed);
    Ok(())
}

fn perform_work<const LAYOUT: usize>() {
    let plays = perform::<Working<LAYOUT>>(24).unwrap_or_else(|failure| panic!("{failure}"));
    let done: u64 = plays.iter().map(|play| play.done.load(Relaxed)).sum();
    enough("done", done, 100);
}

#[test]
fn every_item_of_curators_queue_is_done_once() {
    perform_work::<0>();
}

#[test]
fn every_item_of_kazoos_queue_is_done_once() {
    perform_work::<1>();
}

#[test]
fn every_item_of_a_queue_with_priorities_is_done_once() {
    perform_work::<2>();
}

#[test]
fn every_item_of_a_queue_with_ids_is_done_once() {
    perform_work::<3>();
}
