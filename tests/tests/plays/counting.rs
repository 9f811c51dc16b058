//! Compare and set: nothing that was added is lost, or added twice.

use super::{STEPS, enough, enough_in_all, perform};
use quorate::client::{Client, CreateMode, ErrorCode, Task};
use quorate_tests::sim;
use quorate_tests::sim::env::{Checked, Violation};
use quorate_tests::sim::history::History;
use quorate_tests::sim::stage::{Part, Play};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Processes add to one number with compare and set.
#[derive(Default)]
struct Counting {
    ledger: Arc<Ledger>,
}

/// What the processes have done, as far as they know.
#[derive(Debug, Default)]
struct Ledger {
    /// Additions that were acknowledged.
    sure: AtomicU64,
    /// Additions of which nobody knows, those of dead processes among them.
    unsure: AtomicU64,
}

impl Play for Counting {
    fn processes(&self) -> usize {
        2
    }

    fn part(&self, part: Part) -> Task {
        let ledger = Arc::clone(&self.ledger);
        Box::pin(async move {
            let mut seen = 0;
            while !part.is_over() {
                if let Err(error) = add(&part, &ledger, &mut seen).await {
                    let expected = [ErrorCode::NodeExists, ErrorCode::BadVersion];
                    if !super::is_of_the_world(&error) && !expected.contains(&error.code()) {
                        part.fail(format!("{error}"));
                    }
                }
                part.client.sleep(Duration::from_millis(part.below(50))).await;
            }
        })
    }

    fn check(&self, history: &History) -> Checked {
        let node = history.model.get(COUNTER);
        let text = node.and_then(|node| String::from_utf8(node.data.clone()?).ok());
        let value = text.and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
        let (sure, unsure) = (self.ledger.sure.load(Relaxed), self.ledger.unsure.load(Relaxed));
        if (sure..=sure + unsure).contains(&value) {
            return Ok(());
        }
        Err(Violation(format!("the number is {value}, added were {sure}, and perhaps {unsure}")))
    }
}

async fn add(part: &Part, ledger: &Ledger, seen: &mut u64) -> quorate::client::Result<()> {
    let client: &Client = &part.client;
    let (data, stat) = match client.get(COUNTER).await {
        Err(error) if error.code() == ErrorCode::NoNode => {
            client.create(COUNTER, b"0", CreateMode::Persistent).await?;
            return Ok(());
        }
        other => other?,
    };
    let Ok(value) = String::from_utf8_lossy(&data).parse::<u64>() else {
        part.fail(format!("the number is {data:?}"));
        return Ok(());
    };
    if value < *seen {
        part.fail(format!("the number was {seen} and is {value}"));
    }
    ledger.unsure.fetch_add(1, Relaxed);
    let set = client.set(COUNTER, (value + 1).to_string().as_bytes(), Some(stat.version)).await;
    if !set.as_ref().is_err_and(quorate::client::Error::outcome_unknown) {
        ledger.unsure.fetch_sub(1, Relaxed);
    }
    set?;
    ledger.sure.fetch_add(1, Relaxed);
    *seen = value + 1;
    Ok(())
}

#[test]
fn nothing_that_was_added_is_lost_or_added_twice() {
    let plays = perform::<Counting>(40).unwrap_or_else(|failure| panic!("{failure}"));
    let sum = |of: fn(&Ledger) -> &AtomicU64| -> u64 {
        plays.iter().map(|play| of(&play.ledger).load(Relaxed)).sum()
    };
    enough("added", sum(|ledger| &ledger.sure), 1_000);
    enough_in_all("perhaps added", sum(|ledger| &ledger.unsure), 20);
}

#[test]
fn a_seed_is_a_performance() {
    for seed in 1..4 {
        let run = || sim::perform(seed, STEPS, false, Rc::new(Counting::default()));
        let (one, two) = (run().unwrap(), run().unwrap());
        assert_eq!(one, two);
    }
}

const COUNTER: &str = "/counter";
