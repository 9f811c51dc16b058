//! Standby: tasks of which each is run by one at a time, and positions that are handed over.

use super::turns::{Ledger, Share};
use super::{enough, ignore, is_of_the_world, leaves_nothing, perform};
use quorate::client::{CreateMode, Error, ErrorCode, Result, Task, within};
use quorate::recipes::standby::{ColdStandby, Duty, HotStandby};
use quorate_tests::sim::env::{Checked, Violation};
use quorate_tests::sim::history::History;
use quorate_tests::sim::stage::{Part, Play};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Instances take over from each other, each going on where the last one stopped: in the line of one task, or looking for any that
/// nobody runs.
#[derive(Default)]
struct Standing<const COLD: bool> {
    tracks: Arc<[Track; 2]>,
    ledger: Arc<Ledger>,
}

#[derive(Default)]
struct Track {
    /// The last position that was acknowledged.
    sure: AtomicU64,
    duties: AtomicU64,
}

/// What a process has to do with.
struct Instance {
    part: Part,
    hot: HotStandby,
    cold: ColdStandby,
    tracks: Arc<[Track; 2]>,
    ledger: Arc<Ledger>,
}

impl<const COLD: bool> Play for Standing<COLD> {
    fn processes(&self) -> usize {
        3
    }

    fn part(&self, part: Part) -> Task {
        let host = format!("host{}", part.number);
        let instance = Instance {
            hot: HotStandby::new(&part.client, ROOT, TASKS[0], &host),
            cold: ColdStandby::new(&part.client, ROOT, &host),
            tracks: Arc::clone(&self.tracks),
            ledger: Arc::clone(&self.ledger),
            part,
        };
        Box::pin(async move {
            let part = &instance.part;
            loop {
                // In a calm world everybody has a turn once more.
                let over = part.is_over();
                let short = !over && part.below(3) == 0;
                let polls = if short { part.below(40) } else { u64::MAX };
                let found = part.cut_short(polls, instance.find::<COLD>(over)).await.flatten();
                let served = found.is_some();
                let result = match found {
                    Some(Ok(duty)) => instance.serve(duty).await,
                    Some(Err(error)) => Err(error),
                    None => Ok(()),
                };
                match result {
                    Ok(()) if over && served => break,
                    Ok(()) => {}
                    Err(error) if is_of_the_world(&error) || is_replaced(&error) => {}
                    Err(error) => return part.fail(error.to_string()),
                }
                part.client.sleep(Duration::from_millis(1 + part.below(50))).await;
            }
            leaves_nothing(part).await;
        })
    }

    fn check(&self, history: &History) -> Checked {
        self.ledger.check(1)?;
        for (task, track) in TASKS.iter().zip(self.tracks.iter()) {
            let (mut last, path) = (0, format!("{ROOT}/{task}/position"));
            for zxid in history.zxids() {
                let node = history.model.at(&path, zxid);
                let now = position(node.and_then(|node| node.data.as_deref()));
                if now < last {
                    return Err(Violation(format!("the position went from {last} to {now}")));
                }
                last = now;
            }
            let sure = track.sure.load(Relaxed);
            if last < sure {
                return Err(Violation(format!("the position is {last}, recorded was {sure}")));
            }
        }
        Ok(())
    }
}

impl Instance {
    /// Waits for a while, or for as long as it takes, for something to run.
    async fn find<const COLD: bool>(&self, over: bool) -> Option<Result<Duty>> {
        let part = &self.part;
        let limit = Duration::from_millis(if over { 600_000 } else { part.below(3_000) });
        if !COLD {
            let environment = part.client.environment();
            return within(&**environment, limit, self.hot.stand_by()).await;
        }
        for path in [ROOT.to_owned()].into_iter().chain(TASKS.map(|task| format!("{ROOT}/{task}")))
        {
            let _ = part.client.create(&path, b"", CreateMode::Persistent).await;
        }
        if !over && part.below(2) == 0 {
            return self.cold.scan().await.transpose();
        }
        let interval = Duration::from_millis(1 + part.below(500));
        within(&**part.client.environment(), limit, self.cold.find(interval)).await
    }

    async fn serve(&self, mut duty: Duty) -> Result<()> {
        let part = &self.part;
        let Some(thing) = TASKS.iter().position(|task| *task == duty.task()) else {
            part.fail(format!("there is no task {}", duty.task()));
            return Ok(());
        };
        let track = &self.tracks[thing];
        let mut at = position(duty.position());
        let sure = track.sure.load(Relaxed);
        part.watch_over("a duty", || false, Some(Box::pin(ignore(duty.lost()))));
        if duty.is_held() {
            if at < sure {
                part.fail(format!("{at} was taken over, {sure} was recorded"));
            }
            let share = Share { thing, weight: 1, token: duty.token() };
            let spans = self.ledger.begin(part.number, &[share]);
            track.duties.fetch_add(1, Relaxed);
            for _ in 0..part.below(8) {
                part.client.sleep(Duration::from_millis(part.below(500))).await;
                if duty.is_held() {
                    self.ledger.see(&spans);
                }
                at += 1;
                duty.record(at.to_string().as_bytes()).await?;
                track.sure.fetch_max(at, Relaxed);
            }
        }
        if part.below(3) > 0 { duty.end().await } else { Ok(()) }
    }
}

/// Whether the task has passed to another.
fn is_replaced(error: &Error) -> bool {
    (error.code(), error.part()) == (ErrorCode::NoNode, Some(0))
}

fn position(data: Option<&[u8]>) -> u64 {
    data.and_then(|data| std::str::from_utf8(data).ok()?.parse().ok()).unwrap_or(0)
}

fn duties<const COLD: bool>(plays: &[std::rc::Rc<Standing<COLD>>], task: usize) -> u64 {
    plays.iter().map(|play| play.tracks[task].duties.load(Relaxed)).sum()
}

#[test]
fn a_position_is_never_lost_and_never_taken_back() {
    let plays = perform::<Standing<false>>(24).unwrap_or_else(|failure| panic!("{failure}"));
    let duties = duties(&plays, 0);
    enough("duties", duties, 50);
}

#[test]
fn whoever_looks_for_a_task_runs_it_alone() {
    let plays = perform::<Standing<true>>(24).unwrap_or_else(|failure| panic!("{failure}"));
    for task in 0..TASKS.len() {
        let duties = duties(&plays, task);
        enough("duties", duties, 50);
    }
}

const ROOT: &str = "/tasks";
const TASKS: [&str; 2] = ["copy", "move"];
