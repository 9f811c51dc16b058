//! Processes that gather at a counting barrier, whose size one of them says again and again.

use super::{enough, is_of_the_world, leaves_nothing, perform, watch_over};
use quorate::client::{ErrorCode, Task};
use quorate::recipes::counting_barrier::CountingBarrier;
use quorate_tests::sim::env::{Checked, Violation};
use quorate_tests::sim::history::History;
use quorate_tests::sim::model::{Change, Kind};
use quorate_tests::sim::stage::{Part, Play};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Two have to arrive, of three.
#[derive(Default)]
struct Gathering {
    /// From the zxid at which a process arrived to one behind the moment at which it went on.
    went_on: Arc<Mutex<Vec<(i64, i64)>>>,
}

impl Play for Gathering {
    fn processes(&self) -> usize {
        3
    }

    fn part(&self, part: Part) -> Task {
        let went_on = Arc::clone(&self.went_on);
        Box::pin(async move {
            let barrier = CountingBarrier::new(&part.client, BARRIER);
            while !part.is_over() {
                let polls = if part.below(4) == 0 { part.below(30) } else { u64::MAX };
                let result = if part.number == 0 && part.below(3) == 0 {
                    part.cut_short(polls, barrier.prepare(SIZE)).await.unwrap_or(Ok(()))
                } else {
                    let patience = Duration::from_millis(part.below(5_000));
                    match part.cut_short(polls, barrier.arrive_within(b"", patience)).await {
                        Some(Ok(Some(held))) => {
                            watch_over(&part, &held);
                            // A notification says no zxid: an answer does, and that of a sync none from before, whoever gives it.
                            if part.client.sync("/").await.is_ok() {
                                let span = (held.token(), part.client.last_zxid());
                                went_on.lock().unwrap().push(span);
                            }
                            part.client.sleep(Duration::from_millis(part.below(500))).await;
                            if part.below(4) > 0 {
                                held.release().await
                            } else {
                                drop(held);
                                Ok(())
                            }
                        }
                        Some(Err(error)) => Err(error),
                        _ => Ok(()),
                    }
                };
                // Nobody has said yet how many have to come.
                if let Err(error) = result
                    && !is_of_the_world(&error)
                    && error.code() != ErrorCode::NoNode
                    && error.code() != ErrorCode::BadArguments
                {
                    part.fail(error.to_string());
                }
                part.client.sleep(Duration::from_millis(part.below(100))).await;
            }
            leaves_nothing(&part).await;
        })
    }

    fn check(&self, history: &History) -> Checked {
        let members = |zxid| {
            let names = history.model.children(BARRIER, zxid);
            names.iter().filter(|name| *name != "ready").count()
        };
        let is_open = |zxid| {
            members(zxid) >= SIZE || history.model.at(&format!("{BARRIER}/ready"), zxid).is_some()
        };
        for zxid in history.zxids() {
            let opens =
                |change: &Change| change.path.ends_with("/ready") && change.kind == Kind::Created;
            if history.changes(zxid).iter().any(opens) && members(zxid) < SIZE {
                return Err(Violation(format!(
                    "opened at {zxid:#x} for {} of {SIZE}",
                    members(zxid)
                )));
            }
        }
        for &(from, to) in self.went_on.lock().unwrap().iter() {
            if !history.states(from, to).any(is_open) {
                return Err(Violation(format!("went on alone, from {from:#x} to {to:#x}")));
            }
        }
        Ok(())
    }
}

#[test]
fn nobody_goes_on_at_a_counting_barrier_before_enough_are_there() {
    let plays = perform::<Gathering>(24).unwrap_or_else(|failure| panic!("{failure}"));
    let went_on: usize = plays.iter().map(|play| play.went_on.lock().unwrap().len()).sum();
    enough("went on", went_on.try_into().unwrap(), 100);
}

const BARRIER: &str = "/counting";
const SIZE: usize = 2;
