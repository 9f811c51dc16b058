//! Several locks at once, of which a thief takes one away now and then: what is written under all of them happens only while each is held.

use super::{enough, enough_in_all, is_of_the_world, leaves_nothing, perform};
use quorate::client::{CreateMode, Result, Task};
use quorate::recipes::lock::Lock;
use quorate::recipes::multi_lock::MultiLock;
use quorate_tests::sim::env::{Checked, Violation};
use quorate_tests::sim::history::History;
use quorate_tests::sim::stage::{Part, Play};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Two hold the locks in turn and write both tokens; the third steals nodes.
#[derive(Default)]
struct Guarding {
    written: Arc<AtomicU64>,
    refused: Arc<AtomicU64>,
}

impl Play for Guarding {
    fn processes(&self) -> usize {
        3
    }

    fn part(&self, part: Part) -> Task {
        let (written, refused) = (Arc::clone(&self.written), Arc::clone(&self.refused));
        Box::pin(async move {
            let _ = part.client.create(REGISTER, b"", CreateMode::Persistent).await;
            while !part.is_over() {
                let result = match part.number {
                    2 => steal(&part).await,
                    _ => hold(&part, &written, &refused).await,
                };
                if let Err(error) = result
                    && !is_of_the_world(&error)
                {
                    part.fail(error.to_string());
                }
                part.client.sleep(Duration::from_millis(1 + part.below(100))).await;
            }
            leaves_nothing(&part).await;
        })
    }

    /// Both locks were there when something was written under them.
    fn check(&self, history: &History) -> Checked {
        for zxid in history.zxids() {
            let here = history.changes(zxid).iter().any(|change| change.path == REGISTER);
            let Some(node) = history.model.at(REGISTER, zxid).filter(|_| here) else { continue };
            let text = String::from_utf8(node.data.clone().unwrap_or_default()).unwrap_or_default();
            for (lock, token) in LOCKS.iter().zip(text.split(' ').filter(|_| !text.is_empty())) {
                let is_there = |name: &String| {
                    let node = history.model.at(&format!("{lock}/{name}"), zxid);
                    node.is_some_and(|node| node.wire().czxid.to_string() == token)
                };
                if !history.model.children(lock, zxid).iter().any(is_there) {
                    return Err(Violation(format!("{text} was written, and {lock} was not held")));
                }
            }
        }
        Ok(())
    }
}

async fn hold(part: &Part, written: &AtomicU64, refused: &AtomicU64) -> Result<()> {
    let locks = MultiLock::new(LOCKS.map(|path| Lock::new(&part.client, path)))?;
    let patience = Duration::from_millis(part.below(3_000));
    let Some(held) = locks.acquire_within(patience).await? else { return Ok(()) };
    let tokens: Vec<String> = held.tokens().iter().map(ToString::to_string).collect();
    for _ in 0..part.below(6) {
        let wrote = held.guarded()?.set(REGISTER, tokens.join(" ").as_bytes(), None).commit().await;
        (if wrote.is_ok() { written } else { refused }).fetch_add(1, Relaxed);
        part.client.sleep(Duration::from_millis(part.below(300))).await;
    }
    held.release().await
}

async fn steal(part: &Part) -> Result<()> {
    let lock = LOCKS[usize::try_from(part.below(2)).unwrap()];
    if let Ok((names, _)) = part.client.children(lock).await
        && let Some(first) = names.iter().min_by_key(|name| name.rsplit('-').next())
    {
        // Another may have been faster.
        let _ = part.client.delete(&format!("{lock}/{first}"), None).await;
    }
    part.client.sleep(Duration::from_millis(part.below(500))).await;
    Ok(())
}

#[test]
fn what_is_written_under_several_locks_happens_under_each() {
    let plays = perform::<Guarding>(24).unwrap_or_else(|failure| panic!("{failure}"));
    let sum = |of: fn(&Guarding) -> &AtomicU64| -> u64 {
        plays.iter().map(|play| of(play).load(Relaxed)).sum()
    };
    enough("written", sum(|play| &play.written), 100);
    enough_in_all("refused", sum(|play| &play.refused), 100);
}

const REGISTER: &str = "/register";
const LOCKS: [&str; 2] = ["/one", "/two"];
