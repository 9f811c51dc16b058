//! The server's wall clock, read from the stat of a node that is created for it.
//!
//! Recipes have no wall clock of their own, and those of different clients disagree. All clients of one server (of one
//! leader) read the same clock here, to within the time that an answer takes.

use crate::client::{Client, CreateMode, ErrorCode, Result};
use crate::recipes::kit::{Passing, ensure};
use std::sync::{Arc, Mutex, PoisonError};

/// A clock that remembers its last reading for a while.
#[derive(Clone, Debug, Default)]
pub(super) struct ServerClock {
    last: Arc<Mutex<Option<Reading>>>,
}

/// What the server's clock shows, ms since 1970: between the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Time {
    pub(super) at_least: i64,
    pub(super) at_most: i64,
}

#[derive(Clone, Copy, Debug)]
struct Reading {
    asked: i64,
    answered: i64,
    time: i64,
}

impl ServerClock {
    /// Reads the clock; `directory` is where the node is created when the last reading is too old.
    pub(super) async fn read(&self, client: &Client, directory: &str) -> Result<Time> {
        let known = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let now = client.environment().now();
        let fresh = |reading: &Reading| now.saturating_sub(reading.answered) < MAX_AGE;
        let reading = match known.filter(fresh) {
            Some(reading) => reading,
            None => {
                let reading = Self::ask(client, directory).await?;
                *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(reading);
                reading
            }
        };
        let now = client.environment().now();
        Ok(Time {
            at_least: reading.time.saturating_add(now.saturating_sub(reading.answered)),
            at_most: reading.time.saturating_add(now.saturating_sub(reading.asked)),
        })
    }

    async fn ask(client: &Client, directory: &str) -> Result<Reading> {
        loop {
            // A name of its own, so that a lost answer does no harm; and nothing is left, whatever happens.
            let node = Passing::new(client, directory, CLOCK);
            let asked = client.environment().now();
            let created = client.create(node.path(), b"", CreateMode::Ephemeral).await;
            let answered = client.environment().now();
            match created {
                Ok(created) => return Ok(Reading { asked, answered, time: created.stat.ctime }),
                Err(error) if error.code() == ErrorCode::NoNode => {
                    ensure(client, directory).await?;
                }
                Err(error) if error.is_connection_loss() => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Name of the nodes.
const CLOCK: &str = "clock-";
/// How long a reading is used, ms: another leader has another clock, and quartzes drift.
const MAX_AGE: i64 = 10_000;
