//! Numbers and names that are given out: nothing is lost, nothing is given twice.

use super::{Later, enough, is_of_the_world, leaves_nothing, perform};
use quorate::client::{CreateMode, ErrorCode, Result, RetryPolicy, Task};
use quorate::recipes::counter::{BlockCounter, Counter};
use quorate::recipes::naming::Naming;
use quorate_tests::sim::env::{Checked, Violation};
use quorate_tests::sim::history::History;
use quorate_tests::sim::stage::{Part, Play};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Does the same again and again, cut short now and then.
async fn repeat<T>(part: &Part, mut one: impl for<'a> FnMut(&'a Part) -> Later<'a, Result<T>>) {
    while !part.is_over() {
        let polls = if part.below(3) == 0 { part.below(12) } else { u64::MAX };
        match part.cut_short(polls, one(part)).await {
            Some(Err(error)) if !is_of_the_world(&error) && !error.outcome_unknown() => {
                part.fail(error.to_string());
            }
            _ => {}
        }
        part.client.sleep(Duration::from_millis(part.below(200))).await;
    }
    leaves_nothing(part).await;
}

/// Several processes add to a counter: known additions ≤ value ≤ known and unknown ones.
#[derive(Default)]
struct Adding<const EXACT: bool> {
    sums: Arc<Sums>,
}

#[derive(Debug, Default)]
struct Sums {
    sure: AtomicU64,
    unsure: AtomicU64,
    /// Unknown though nobody died, cancelled or lost a session.
    unknown: AtomicU64,
}

impl<const EXACT: bool> Play for Adding<EXACT> {
    fn processes(&self) -> usize {
        3
    }

    fn part(&self, part: Part) -> Task {
        let sums = Arc::clone(&self.sums);
        Box::pin(async move {
            repeat(&part, |part| Box::pin(add::<EXACT>(part, Arc::clone(&sums)))).await;
        })
    }

    fn check(&self, history: &History) -> Checked {
        let node = history.model.get("/counter").and_then(|node| node.data.clone());
        let bytes = node.and_then(|data| <[u8; 8]>::try_from(data).ok()).unwrap_or_default();
        let value = u64::from_be_bytes(bytes);
        let (sure, unsure) = (self.sums.sure.load(Relaxed), self.sums.unsure.load(Relaxed));
        if (sure..=sure + unsure).contains(&value) {
            return Ok(());
        }
        Err(Violation(format!("the counter is {value}, added were {sure}, perhaps {unsure}")))
    }
}

async fn add<const EXACT: bool>(part: &Part, sums: Arc<Sums>) -> Result<()> {
    let counter = Counter::long(&part.client, "/counter");
    let counter = if EXACT { counter.exact() } else { counter };
    let amount = 1 + part.below(3);
    let lifetime = part.client.lifetime();
    sums.unsure.fetch_add(amount, Relaxed);
    let added = counter.add(i64::try_from(amount).unwrap()).await;
    if !added.as_ref().is_err_and(quorate::client::Error::outcome_unknown) {
        sums.unsure.fetch_sub(amount, Relaxed);
    } else if lifetime.is_alive() {
        sums.unknown.fetch_add(1, Relaxed);
        if EXACT {
            part.fail(format!("{}", added.as_ref().unwrap_err()));
        }
    }
    added?;
    sums.sure.fetch_add(amount, Relaxed);
    Ok(())
}

/// Numbers from blocks, and both kinds of names: each once, and later ones are greater where that is promised.
#[derive(Default)]
struct Giving {
    given: Arc<Given>,
}

#[derive(Default)]
struct Given {
    /// What was given out, by kind.
    all: [Mutex<BTreeMap<String, usize>>; 3],
}

impl Given {
    fn last(&self, kind: usize) -> Option<String> {
        self.all[kind].lock().unwrap().last_key_value().map(|(id, _)| id.clone())
    }

    /// `before` was the last when this was asked for.
    fn take(&self, part: &Part, kind: usize, id: String, before: Option<String>) {
        if kind > 0 && before.as_ref() >= Some(&id) {
            part.fail(format!("{id} was given after {before:?}"));
        }
        if let Some(other) = self.all[kind].lock().unwrap().insert(id.clone(), part.number) {
            part.fail(format!("{id} was given to {other}, too"));
        }
    }
}

impl Play for Giving {
    fn processes(&self) -> usize {
        3
    }

    fn part(&self, part: Part) -> Task {
        let given = Arc::clone(&self.given);
        Box::pin(async move {
            let blocks = BlockCounter::new(Counter::int(&part.client, "/blocks"), 7);
            let naming = Naming::new(&part.client, "/names", "job-");
            repeat(&part, |part| {
                let (blocks, naming, given) = (blocks.clone(), naming.clone(), Arc::clone(&given));
                Box::pin(async move {
                    let kind = usize::try_from(part.below(3)).unwrap();
                    let before = given.last(kind);
                    let id = match kind {
                        0 => format!("{:010}", blocks.next().await?),
                        1 => naming.unique().await?,
                        _ => naming.sortable().await?,
                    };
                    given.take(part, kind, id, before);
                    Ok(())
                })
            })
            .await;
        })
    }

    fn check(&self, _: &History) -> Checked {
        Ok(())
    }
}

/// Protected nodes: each that was acknowledged is there once, and no other is.
#[derive(Default)]
struct Protected {
    asked: Arc<Mutex<BTreeMap<String, Vec<String>>>>,
}

impl Play for Protected {
    fn processes(&self) -> usize {
        2
    }

    fn part(&self, part: Part) -> Task {
        let asked = Arc::clone(&self.asked);
        Box::pin(async move {
            let _ = part.client.create("/protected", b"", CreateMode::Persistent).await;
            repeat(&part, |part| Box::pin(create(part, Arc::clone(&asked)))).await;
        })
    }

    fn check(&self, history: &History) -> Checked {
        let asked = self.asked.lock().unwrap();
        let mut found: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for (path, node) in history.model.all(history.durable()) {
            if path.starts_with("/protected/") {
                let data = String::from_utf8(node.data.clone().unwrap_or_default()).unwrap();
                found.entry(data).or_default().push(path);
            }
        }
        for (data, paths) in asked.iter() {
            let there = found.get(data).map_or(0, Vec::len);
            // Who was cut short, or died, may have left one.
            let right = if paths.is_empty() { there <= 1 } else { there == 1 };
            if !right {
                return Err(Violation(format!(
                    "{data}: told {paths:?}, found {:?}",
                    found.get(data)
                )));
            }
        }
        Ok(())
    }
}

async fn create(part: &Part, asked: Arc<Mutex<BTreeMap<String, Vec<String>>>>) -> Result<()> {
    let data = {
        let mut asked = asked.lock().unwrap();
        let data = format!("{}-{}", part.number, asked.len());
        asked.insert(data.clone(), Vec::new());
        data
    };
    let policy = RetryPolicy::tries(8).and_until(Duration::from_secs(20));
    let mode = CreateMode::PersistentSequential;
    let patient = part.client.retrying(policy);
    match patient.create_protected("/protected/n-", data.as_bytes(), mode).await {
        Err(error) if error.code() == ErrorCode::NoNode => {
            part.client.create("/protected", b"", CreateMode::Persistent).await?;
        }
        created => {
            let path = created?.path;
            asked.lock().unwrap().entry(data).or_default().push(path);
        }
    }
    Ok(())
}

#[test]
fn a_counter_loses_nothing_that_is_known_to_have_been_added() {
    let plays = perform::<Adding<false>>(80).unwrap_or_else(|failure| panic!("{failure}"));
    let sure: u64 = plays.iter().map(|play| play.sums.sure.load(Relaxed)).sum();
    enough("added", sure, 1_000);
}

#[test]
fn an_exact_counter_knows_what_was_added() {
    let plays = perform::<Adding<true>>(24).unwrap_or_else(|failure| panic!("{failure}"));
    let sure: u64 = plays.iter().map(|play| play.sums.sure.load(Relaxed)).sum();
    enough("added", sure, 500);
}

#[test]
fn no_number_and_no_name_is_given_twice() {
    let plays = perform::<Giving>(24).unwrap_or_else(|failure| panic!("{failure}"));
    for kind in 0..3 {
        let given: usize =
            plays.iter().map(|play| play.given.all[kind].lock().unwrap().len()).sum();
        enough("given", given.try_into().unwrap(), 200);
    }
}

#[test]
fn a_protected_node_is_created_once() {
    perform::<Protected>(24).unwrap_or_else(|failure| panic!("{failure}"));
}
