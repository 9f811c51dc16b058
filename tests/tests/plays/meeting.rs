//! Where processes meet: barriers, and items that are shared out.

use super::turns::{Ledger, Share as Turn};
use super::{enough, enough_in_all, is_of_the_world, leaves_nothing, perform, watch_over};
use quorate::client::{CreateMode, ErrorCode, Result, Task, within};
use quorate::recipes::barrier::{Barrier, DoubleBarrier, Inside};
use quorate::recipes::kit::join;
use quorate::recipes::layout::barrier::Style;
use quorate::recipes::partitioner::Partitioner;
use quorate_tests::sim::env::{Checked, Violation};
use quorate_tests::sim::history::History;
use quorate_tests::sim::stage::{Part, Play};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// From one zxid to another.
type Spans = Arc<Mutex<Vec<(i64, i64)>>>;

/// One process closes and opens a barrier at which the others wait.
#[derive(Default)]
struct Waiting {
    /// In each of these the barrier must have been open once.
    passed: Spans,
}

impl Play for Waiting {
    fn processes(&self) -> usize {
        3
    }

    fn part(&self, part: Part) -> Task {
        let passed = Arc::clone(&self.passed);
        Box::pin(async move {
            let barrier = Barrier::new(&part.client, BARRIER);
            while !part.is_over() {
                let polls = if part.below(3) == 0 { part.below(8) } else { u64::MAX };
                let pause = part.below(if part.number == 0 { 2_000 } else { 100 });
                let result = if part.number == 0 {
                    match part.below(2) {
                        0 => part.cut_short(polls, barrier.close()).await,
                        _ => part.cut_short(polls, barrier.open()).await,
                    }
                } else {
                    let before = part.client.last_zxid();
                    let wait = barrier.wait_within(Duration::from_millis(part.below(4_000)));
                    let waited = part.cut_short(polls, wait).await;
                    // A new session begins at zero: an answer says where it is.
                    if let Some(Ok(true)) = waited
                        && part.client.sync("/").await.is_ok()
                    {
                        passed.lock().unwrap().push((before, part.client.last_zxid()));
                    }
                    waited.map(|waited| waited.map(drop))
                };
                if let Some(Err(error)) = result
                    && !is_of_the_world(&error)
                {
                    part.fail(error.to_string());
                }
                part.client.sleep(Duration::from_millis(pause)).await;
            }
            leaves_nothing(&part).await;
        })
    }

    fn check(&self, history: &History) -> Checked {
        let passed = self.passed.lock().unwrap();
        // Of a session that has just begun nothing is known.
        for &(from, to) in passed.iter().filter(|(from, to)| from <= to) {
            if history.states(from, to).all(|zxid| history.model.at(BARRIER, zxid).is_some()) {
                return Err(Violation(format!("passed while closed, from {from:#x} to {to:#x}")));
            }
        }
        Ok(())
    }
}

/// Three processes meet, or two of them with one who comes later; in some worlds beside a child that is none of theirs. Nobody waits
/// at the way out for longer than the others take. With `MIXED`, one of them is named as kazoo's members are.
#[derive(Default)]
struct Meeting<const MIXED: bool> {
    /// In each of these there were enough members once.
    entered: Spans,
    /// Whoever was a member at the first is none at the second: somebody has left in between.
    left: Spans,
    /// How many had a foreign child beside them.
    beside: AtomicU64,
}

impl<const MIXED: bool> Play for Meeting<MIXED> {
    fn processes(&self) -> usize {
        3
    }

    fn part(&self, part: Part) -> Task {
        let (entered, left) = (Arc::clone(&self.entered), Arc::clone(&self.left));
        Box::pin(async move {
            let style = if MIXED && part.number == 1 { Style::Kazoo } else { Style::Curator };
            let barrier = DoubleBarrier::new(&part.client, DOUBLE, 2).style(style);
            if part.number == 0 && part.below(3) == 0 {
                // With luck: neither is needed.
                drop(part.client.create(DOUBLE, b"", CreateMode::Persistent).await);
                drop(part.client.create(&join(DOUBLE, FOREIGN), b"", CreateMode::Persistent).await);
            }
            while !part.is_over() {
                let polls = if part.below(4) == 0 { part.below(30) } else { u64::MAX };
                let patience = Duration::from_millis(part.below(5_000));
                let result = match part.cut_short(polls, barrier.enter_within(patience)).await {
                    Some(Ok(Some(inside))) => {
                        watch_over(&part, inside.held());
                        let from = inside.held().token();
                        if let Some(now) = newest(&part).await {
                            entered.lock().unwrap().push((from, now));
                        }
                        part.client.sleep(Duration::from_millis(part.below(500))).await;
                        leave(&part, inside, &left).await
                    }
                    Some(Err(error)) => Err(error),
                    _ => Ok(()),
                };
                if let Err(error) = result
                    && !is_of_the_world(&error)
                {
                    part.fail(error.to_string());
                }
                part.client.sleep(Duration::from_millis(part.below(100))).await;
            }
            leaves_nothing(&part).await;
        })
    }

    fn check(&self, history: &History) -> Checked {
        let members = |zxid| -> BTreeSet<String> {
            let names = history.model.children(DOUBLE, zxid).into_iter();
            names.filter(|name| !["ready", FOREIGN].contains(&name.as_str())).collect()
        };
        for &(from, to) in self.left.lock().unwrap().iter() {
            let still: Vec<String> = members(from).intersection(&members(to)).cloned().collect();
            if !still.is_empty() {
                return Err(Violation(format!("left at {to:#x} before {still:?}, of {from:#x}")));
            }
        }
        let foreign = join(DOUBLE, FOREIGN);
        for &(from, to) in self.entered.lock().unwrap().iter() {
            if history.states(from, to).all(|zxid| members(zxid).len() < 2) {
                return Err(Violation(format!("entered alone, from {from:#x} to {to:#x}")));
            }
            let beside = history.model.at(&foreign, to).is_some();
            self.beside.fetch_add(u64::from(beside), Relaxed);
        }
        Ok(())
    }
}

/// Where the servers are now. A notification says no zxid: an answer does, and that of a sync none from before, whoever gives it.
async fn newest(part: &Part) -> Option<i64> {
    part.client.sync("/").await.ok().map(|()| part.client.last_zxid())
}

/// Leaves with the others, or without a word. With the others it takes as long as they do, and has an end.
async fn leave(part: &Part, inside: Inside, left: &Mutex<Vec<(i64, i64)>>) -> Result<()> {
    let polls = match part.below(8) {
        0 | 1 => return Ok(()),
        2 => part.below(30),
        _ => u64::MAX,
    };
    let before = newest(part).await;
    let over = part.cut_short(polls, inside.leave()).await;
    if let (Some(before), Some(Ok(()))) = (before, &over)
        && let Some(now) = newest(part).await
    {
        left.lock().unwrap().push((before, now));
    }
    over.unwrap_or(Ok(()))
}

/// Processes share items; in the end each has an owner.
#[derive(Default)]
struct Sharing {
    ledger: Arc<Ledger>,
    shares: Arc<AtomicU64>,
    last: Arc<Mutex<[BTreeSet<String>; 3]>>,
}

impl Play for Sharing {
    fn processes(&self) -> usize {
        3
    }

    fn part(&self, part: Part) -> Task {
        let (ledger, shares) = (Arc::clone(&self.ledger), Arc::clone(&self.shares));
        let last = Arc::clone(&self.last);
        Box::pin(async move {
            let items = Partitioner::new(&part.client, "/parts", ITEMS).unwrap();
            let items = items.quiet(Duration::from_millis(300));
            let (mut over, mut calm) = (false, None);
            while !over {
                let polls =
                    if part.below(3) == 0 && !part.is_over() { part.below(60) } else { u64::MAX };
                over = match part
                    .cut_short(polls, own(&part, &items, &ledger, &shares, &last, &mut calm))
                    .await
                {
                    Some(Err(error)) if !is_of_the_world(&error) => {
                        part.fail(error.to_string());
                        true
                    }
                    Some(Ok(over)) => over,
                    _ => false,
                };
                part.client.sleep(Duration::from_millis(1 + part.below(50))).await;
            }
            leaves_nothing(&part).await;
        })
    }

    fn check(&self, _: &History) -> Checked {
        self.ledger.check(1)
    }
}

/// Has shares for a while; true when everybody is content in the end.
async fn own(
    part: &Part,
    items: &Partitioner,
    ledger: &Ledger,
    shares: &AtomicU64,
    last: &Mutex<[BTreeSet<String>; 3]>,
    calm: &mut Option<i64>,
) -> Result<bool> {
    let mut member = match items.join().await {
        Err(error) if error.code() == ErrorCode::SessionExpired => return Ok(false),
        other => other?,
    };
    loop {
        let environment = Arc::clone(part.client.environment());
        let acquired = within(&*environment, Duration::from_secs(10), member.acquire()).await;
        if part.is_over() && environment.now() - *calm.get_or_insert(environment.now()) > 60_000 {
            // In a world so slow that sessions go on ending.
            return Ok(true);
        }
        let Some(mut share) = acquired.transpose()? else { continue };
        shares.fetch_add(1, Relaxed);
        ITEMS.iter().filter_map(|item| share.held(item)).for_each(|held| watch_over(part, held));
        let of = |(thing, item): (usize, &&str)| {
            let token = share.held(item)?.token();
            Some(Turn { thing, weight: 1, token })
        };
        let turns: Vec<Turn> = ITEMS.iter().enumerate().filter_map(of).collect();
        let spans = ledger.begin(part.number, &turns);
        loop {
            let limit = Duration::from_millis(1 + part.below(1_000));
            let changed = within(&*environment, limit, share.changed()).await;
            if changed.is_some() || !share.is_held() {
                break;
            }
            ledger.see(&spans);
            if !part.is_over() {
                if part.below(8) == 0 {
                    return Ok(false);
                }
                continue;
            }
            last.lock().unwrap()[part.number] = share.items().map(str::to_owned).collect();
            let now = last.lock().unwrap().iter().flatten().collect::<BTreeSet<_>>().len();
            if now == ITEMS.len() {
                return Ok(true);
            }
        }
        last.lock().unwrap()[part.number].clear();
        share.release().await?;
    }
}

#[test]
fn nobody_passes_a_closed_barrier() {
    let plays = perform::<Waiting>(24).unwrap_or_else(|failure| panic!("{failure}"));
    let passed: usize = plays.iter().map(|play| play.passed.lock().unwrap().len()).sum();
    enough("passed", passed.try_into().unwrap(), 100);
}

fn perform_meeting<const MIXED: bool>() {
    let plays = perform::<Meeting<MIXED>>(24).unwrap_or_else(|failure| panic!("{failure}"));
    let all = |spans: fn(&Meeting<MIXED>) -> &Spans| -> u64 {
        let counted = plays.iter().map(|play| spans(play).lock().unwrap().len());
        counted.sum::<usize>().try_into().unwrap()
    };
    enough("entered", all(|play| &play.entered), 100);
    enough("left", all(|play| &play.left), 50);
    let beside = plays.iter().map(|play| play.beside.load(Relaxed)).sum();
    enough_in_all("entered beside a foreign child", beside, 20);
}

#[test]
fn nobody_enters_a_double_barrier_alone() {
    perform_meeting::<false>();
}

#[test]
fn nobody_enters_a_double_barrier_of_both_kinds_alone() {
    perform_meeting::<true>();
}

#[test]
fn an_item_has_one_owner() {
    let plays = perform::<Sharing>(24).unwrap_or_else(|failure| panic!("{failure}"));
    let shares: u64 = plays.iter().map(|play| play.shares.load(Relaxed)).sum();
    enough("shares", shares, 50);
    let all = |play: &Sharing| play.last.lock().unwrap().iter().flatten().count() >= ITEMS.len();
    let settled = plays.iter().filter(|play| all(play)).count();
    // Not in worlds so slow that sessions go on ending.
    let told = format!("everything has an owner in {settled} of {}", plays.len());
    assert!(10 * settled >= 9 * plays.len(), "{told}");
}

const BARRIER: &str = "/barrier";
const DOUBLE: &str = "/double";
const FOREIGN: &str = "foreign";
const ITEMS: [&str; 4] = ["a", "b", "c", "d"];
