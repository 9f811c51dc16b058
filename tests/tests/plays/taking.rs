//! Queues whose items are removed before they are worked on: at most once, in the layouts of several clients.

use super::work::{Items, new_item};
use super::{enough, is_of_the_world, leaves_nothing, perform};
use quorate::client::{Result, Task};
use quorate::recipes::queue::{Layout, Order, WorkQueue};
use quorate_tests::sim::env::{Checked, Violation};
use quorate_tests::sim::history::History;
use quorate_tests::sim::stage::{Part, Play};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Processes put items and take them.
#[derive(Default)]
struct Taking<const LAYOUT: usize> {
    items: Items,
    ledger: Arc<Mutex<Ledger>>,
}

#[derive(Default)]
struct Ledger {
    /// Items that somebody was given, and the nodes that they were.
    taken: BTreeMap<String, Node>,
    /// Those that somebody else was given as well, as another node or as the same.
    twice: Vec<(String, [Node; 2])>,
}

/// The name of a node, and the transaction that has created it.
type Node = (String, i64);

const LAYOUTS: [Layout; 4] = [Layout::Curator, Layout::Simple, Layout::Kazoo, Layout::Priority];

impl<const LAYOUT: usize> Play for Taking<LAYOUT> {
    fn processes(&self) -> usize {
        3
    }

    fn part(&self, part: Part) -> Task {
        let (items, ledger) = (Arc::clone(&self.items), Arc::clone(&self.ledger));
        Box::pin(async move {
            let queue = WorkQueue::new(&part.client, "/queue", LAYOUTS[LAYOUT]);
            while !part.is_over() {
                let polls = if part.below(3) == 0 { part.below(20) } else { u64::MAX };
                let result = if part.below(2) == 0 {
                    part.cut_short(polls, put(&part, &queue, &items)).await
                } else {
                    part.cut_short(polls, take(&queue, &ledger)).await
                };
                if let Some(Err(error)) = result
                    && !is_of_the_world(&error)
                    && !error.outcome_unknown()
                {
                    part.fail(error.to_string());
                }
                part.client.sleep(Duration::from_millis(part.below(100))).await;
            }
            leaves_nothing(&part).await;
        })
    }

    fn check(&self, history: &History) -> Checked {
        let ledger = self.ledger.lock().unwrap();
        if !ledger.twice.is_empty() {
            let told = ledger.twice.iter().map(|(item, nodes)| {
                let nodes = nodes.each_ref().map(|(name, czxid)| {
                    format!("{czxid:#x} {}", history.about(&format!("/queue/{name}")))
                });
                format!("{item} ({})", nodes.join("; "))
            });
            return Err(Violation(format!("taken twice: {}", told.collect::<Vec<_>>().join("; "))));
        }
        let all: Vec<_> = history.model.all(history.durable()).collect();
        let is_there = |item: &str| {
            let mark = format!("#{item}#");
            let has = |data: &[u8]| data.windows(mark.len()).any(|part| part == mark.as_bytes());
            all.iter().any(|(path, node)| {
                path.starts_with("/queue/") && has(node.data.as_deref().unwrap_or_default())
            })
        };
        if let Some(item) = ledger.taken.keys().find(|item| is_there(item)) {
            return Err(Violation(format!("{item} was taken and is still there")));
        }
        Ok(())
    }
}

async fn put(part: &Part, queue: &WorkQueue, items: &Items) -> Result<()> {
    let (item, data) = new_item(part, items);
    let order = match queue.layout() {
        Layout::Kazoo | Layout::Priority => Order::Priority(i32::try_from(part.below(3)).unwrap()),
        _ => Order::End,
    };
    queue.put_once(order, &[data.as_bytes()]).await?;
    items.lock().unwrap().insert(item, true);
    Ok(())
}

async fn take(queue: &WorkQueue, ledger: &Mutex<Ledger>) -> Result<()> {
    if let Some(item) = queue.try_take().await? {
        let name = String::from_utf8_lossy(item.data()).trim_matches('#').to_owned();
        let node = (item.name, item.stat.czxid);
        let mut ledger = ledger.lock().unwrap();
        if let Some(before) = ledger.taken.insert(name.clone(), node.clone()) {
            ledger.twice.push((name, [before, node]));
        }
    }
    Ok(())
}

fn perform_takes<const LAYOUT: usize>() {
    let plays = perform::<Taking<LAYOUT>>(16).unwrap_or_else(|failure| panic!("{failure}"));
    let taken: usize = plays.iter().map(|play| play.ledger.lock().unwrap().taken.len()).sum();
    enough("taken", taken.try_into().unwrap(), 100);
}

#[test]
fn an_item_of_curators_queue_is_taken_once() {
    perform_takes::<0>();
}

#[test]
fn an_item_of_the_simple_queue_is_taken_once() {
    perform_takes::<1>();
}

#[test]
fn an_item_of_kazoos_queue_is_taken_once() {
    perform_takes::<2>();
}

#[test]
fn an_item_of_a_queue_with_priorities_is_taken_once() {
    perform_takes::<3>();
}
