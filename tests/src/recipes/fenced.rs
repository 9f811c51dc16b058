//! `fenced.run`: counts up under the lock with guarded writes, while servers die, until `fenced.stop`.
//!
//! Each step is one transaction behind the check of the lock's node: the counter is written without a condition on its
//! version, so that a second holder would make it wrong, and a mark is made in `<path>/marks`. In the end there must be as
//! many marks as the counter says. The mark also tells the outcome of a step whose answer was lost. If it is not there, the
//! step may still be on its way: then the lock is released, after which it cannot happen. `run` answers
//! `{"steps": …, "lost": …, "unknown": …, "locks": …, "refused": …}`: there must be at least `steps` marks in all, and at most
//! `unknown` more; `lost` counts the answers that were lost.

use super::call::Call;
use super::lock::mode;
use quorate::client::{Client, CreateMode, ErrorCode};
use quorate::recipes::kit::{Held, ensure, patiently};
use quorate::recipes::layout::lock::Mode;
use quorate::recipes::lock::Lock;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Fenced {
    client: Client,
    stopped: AtomicBool,
    steps: AtomicU64,
}

#[derive(Default)]
struct Tally {
    tries: u64,
    steps: u64,
    lost: u64,
    unknown: u64,
    locks: u64,
    refused: u64,
}

impl Fenced {
    pub(super) fn new(client: &Client) -> Self {
        Self { client: client.clone(), stopped: AtomicBool::new(false), steps: AtomicU64::new(0) }
    }

    pub(super) async fn answer(&self, verb: &str, call: &Call) -> anyhow::Result<Value> {
        match verb {
            "run" => self.run(call).await,
            "stop" => Ok(json!(self.stopped.store(true, Ordering::Relaxed))),
            // How far it has come, for those who wait for progress.
            "steps" => Ok(json!(self.steps.load(Ordering::Relaxed))),
            _ => Err(call.unknown()),
        }
    }

    async fn run(&self, call: &Call) -> anyhow::Result<Value> {
        let (path, me, mode) = (call.path()?, call.name()?, mode(call)?);
        let mut tally = Tally::default();
        ensure(&self.client, &format!("{path}/marks")).await?;
        while !self.stopped.load(Ordering::Relaxed) {
            if let Err(error) = self.turn(path, me, mode, &mut tally).await {
                // A session that ended is followed by the next one; everything else is a failure.
                anyhow::ensure!(error.code() == ErrorCode::SessionExpired, "{error}");
                self.client.connected().await?;
            }
        }
        Ok(json!({
            "steps": tally.steps,
            "lost": tally.lost,
            "unknown": tally.unknown,
            "locks": tally.locks,
            "refused": tally.refused,
        }))
    }

    /// One turn as the holder: some steps, then the lock goes on.
    async fn turn(
        &self,
        path: &str,
        me: &str,
        mode: Mode,
        tally: &mut Tally,
    ) -> quorate::client::Result<()> {
        let lock = Lock::new(&self.client, &format!("{path}/lock")).mode(mode);
        let Some(held) = lock.acquire_within(TURN).await? else { return Ok(()) };
        tally.locks += 1;
        for _ in 0..STEPS_PER_TURN {
            if !self.step(&held, path, me, tally).await? {
                break;
            }
            self.steps.fetch_add(1, Ordering::Relaxed);
        }
        held.release().await
    }

    /// One step; false if it did not happen.
    async fn step(
        &self,
        held: &Held,
        path: &str,
        me: &str,
        tally: &mut Tally,
    ) -> quorate::client::Result<bool> {
        let counter = format!("{path}/counter");
        let mark = format!("{path}/marks/{me}-{}", tally.tries);
        tally.tries += 1;
        // What an earlier holder wrote may not have come to this member yet.
        patiently(|| self.client.sync(&counter)).await?;
        let (data, _) = patiently(|| self.client.get(&counter)).await?;
        let count: u64 = String::from_utf8_lossy(&data).parse().unwrap_or(0);
        let next = (count + 1).to_string();
        let step = held
            .guarded()
            .set(&counter, next, None)
            .create(&mark, b"", CreateMode::Persistent)
            .commit()
            .await;
        let done = match step {
            Ok(_) => true,
            Err(error) if error.outcome_unknown() => {
                tally.lost += 1;
                let done = self.has_happened(&mark).await?;
                tally.unknown += u64::from(!done);
                done
            }
            // The first part is the check of the lock.
            Err(error) if error.part() == Some(0) => {
                tally.refused += 1;
                false
            }
            Err(error) if error.is_connection_loss() => false,
            Err(error) => return Err(error),
        };
        tally.steps += u64::from(done);
        Ok(done)
    }

    async fn has_happened(&self, mark: &str) -> quorate::client::Result<bool> {
        loop {
            let looked = async {
                patiently(|| self.client.sync(mark)).await?;
                patiently(|| self.client.exists(mark)).await
            };
            match looked.await {
                Ok(found) => return Ok(found.is_some()),
                Err(error) if error.code() == ErrorCode::SessionExpired => {
                    self.client.connected().await?
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// So long a wait for the lock is cut and begun again: giving up is tested too.
const TURN: Duration = Duration::from_secs(5);
const STEPS_PER_TURN: usize = 5;
