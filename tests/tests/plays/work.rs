//! Work: queues whose items are done exactly once, and positions that are handed over.

use super::{is_of_the_world, leaves_nothing, perform};
use quorate::client::{CreateMode, ErrorCode, Result, Task};
use quorate::recipes::queue::{Layout, Order, WorkQueue};
use quorate::recipes::standby::{Duty, HotStandby};
use quorate_tests::sim::env::{Checked, Violation};
use quorate_tests::sim::history::History;
use quorate_tests::sim::stage::{Part, Play};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Processes put items and do them.
#[derive(Default)]
struct Working<const LAYOUT: usize> {
    /// The items, and whether they are known to have been put.
    items: Arc<Mutex<BTreeMap<String, bool>>>,
    done: Arc<AtomicU64>,
}

const LAYOUTS: [Layout; 2] = [Layout::Curator, Layout::KazooLocking];

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
        let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (path, node) in history.model.all(history.durable()) {
            let data = node.data.clone().unwrap_or_default();
            let text = String::from_utf8_lossy(&data);
            let item = text.split('#').nth(1);
            if let Some(item) =
                item.filter(|_| path.starts_with("/queue") || path.starts_with("/done"))
            {
                found.entry(item.to_owned()).or_default().push(path.to_owned());
            }
        }
        for (item, &sure) in self.items.lock().unwrap().iter() {
            let there = found.get(item).map_or(0, Vec::len);
            if there > 1 || (sure && there == 0) {
                return Err(Violation(format!("item {item}, put {sure}: {:?}", found.get(item))));
            }
        }
        Ok(())
    }
}

async fn put(part: &Part, queue: &WorkQueue, items: &Mutex<BTreeMap<String, bool>>) -> Result<()> {
    let item = {
        let mut items = items.lock().unwrap();
        let item = format!("{}-{}", part.number, items.len());
        items.insert(item.clone(), false);
        item
    };
    let data = format!("#{item}#");
    queue.put_once(Order::End, &[data.as_bytes()]).await?;
    items.lock().unwrap().insert(item, true);
    Ok(())
}

async fn work(part: &Part, queue: &WorkQueue, done: &AtomicU64) -> Result<()> {
    let Some(holding) = queue.try_hold().await? else { return Ok(()) };
    part.client.sleep(Duration::from_millis(part.below(1_500))).await;
    match part.below(6) {
        0 => return holding.release().await,
        1 => return Ok(()),
        _ => {}
    }
    let data = holding.data().to_vec();
    let mode = CreateMode::PersistentSequential;
    holding.complete_with(|multi| multi.create("/done/d", data.as_slice(), mode)).await?;
    done.fetch_add(1, Relaxed);
    Ok(())
}

/// Instances take over from each other, each going on where the last one stopped.
#[derive(Default)]
struct Standing {
    track: Arc<Track>,
}

#[derive(Default)]
struct Track {
    /// The last position that was acknowledged, and the last that was tried.
    sure: AtomicU64,
    tried: AtomicU64,
    duties: AtomicU64,
}

impl Play for Standing {
    fn processes(&self) -> usize {
        3
    }

    fn part(&self, part: Part) -> Task {
        let track = Arc::clone(&self.track);
        Box::pin(async move {
            let host = format!("host{}", part.number);
            let standby = HotStandby::new(&part.client, "/tasks", "copy", &host);
            while !part.is_over() {
                let polls = part.below(40);
                let limit = Duration::from_millis(part.below(3_000));
                let duty = async {
                    let environment = part.client.environment();
                    quorate::client::within(&**environment, limit, standby.stand_by()).await
                };
                let polls = if part.below(3) == 0 { polls } else { u64::MAX };
                let result = match part.cut_short(polls, duty).await.flatten() {
                    Some(Ok(duty)) => serve(&part, &track, duty).await,
                    Some(Err(error)) => Err(error),
                    None => Ok(()),
                };
                if let Err(error) = result
                    && !is_of_the_world(&error)
                    && !(error.code() == ErrorCode::NoNode && error.part() == Some(0))
                {
                    part.fail(error.to_string());
                }
                part.client.sleep(Duration::from_millis(1 + part.below(50))).await;
            }
            leaves_nothing(&part).await;
        })
    }

    fn check(&self, history: &History) -> Checked {
        let (mut last, path) = (0, "/tasks/copy/position");
        for zxid in 1..=history.durable() {
            let now = position(history.model.at(path, zxid).and_then(|node| node.data.as_deref()));
            if now < last {
                return Err(Violation(format!("the position went from {last} to {now}")));
            }
            last = now;
        }
        let sure = self.track.sure.load(Relaxed);
        if last < sure {
            return Err(Violation(format!("the position is {last}, recorded was {sure}")));
        }
        Ok(())
    }
}

fn position(data: Option<&[u8]>) -> u64 {
    data.and_then(|data| std::str::from_utf8(data).ok()?.parse().ok()).unwrap_or(0)
}

async fn serve(part: &Part, track: &Track, mut duty: Duty) -> Result<()> {
    let mut at = position(duty.position());
    let sure = track.sure.load(Relaxed);
    if duty.is_held() && at < sure {
        part.fail(format!("{at} was taken over, {sure} was recorded"));
    }
    track.duties.fetch_add(1, Relaxed);
    for _ in 0..part.below(8) {
        part.client.sleep(Duration::from_millis(part.below(500))).await;
        at += 1;
        track.tried.fetch_max(at, Relaxed);
        duty.record(at.to_string().as_bytes()).await?;
        track.sure.fetch_max(at, Relaxed);
    }
    if part.below(3) > 0 { duty.end().await } else { Ok(()) }
}

#[test]
fn every_item_of_curators_queue_is_done_once() {
    let plays = perform::<Working<0>>(24).unwrap_or_else(|failure| panic!("{failure}"));
    let done: u64 = plays.iter().map(|play| play.done.load(Relaxed)).sum();
    assert!(done > 100, "{done}");
}

#[test]
fn every_item_of_kazoos_queue_is_done_once() {
    let plays = perform::<Working<1>>(24).unwrap_or_else(|failure| panic!("{failure}"));
    let done: u64 = plays.iter().map(|play| play.done.load(Relaxed)).sum();
    assert!(done > 100, "{done}");
}

#[test]
fn a_position_is_never_lost_and_never_taken_back() {
    let plays = perform::<Standing>(24).unwrap_or_else(|failure| panic!("{failure}"));
    let duties: u64 = plays.iter().map(|play| play.track.duties.load(Relaxed)).sum();
    assert!(duties > 50, "{duties}");
}
