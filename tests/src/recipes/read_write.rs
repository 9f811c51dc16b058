//! `rw.*`: the read/write lock.
//!
//! | verb | does |
//! |---|---|
//! | `read`, `write` | waits, `wait` seconds or for ever; answers the token, or null when the time is over |
//! | `downgrade` | makes the write lock `as` a read lock |
//! | `release` | releases `side` of `as` |
//!
//! `mode` is `curator` (as if absent), `kazoo` or `bridge`.

use super::call::Call;
use super::shelf::Shelf;
use anyhow::bail;
use quorate::client::Client;
use quorate::recipes::kit::Held;
use quorate::recipes::layout::read_write::Mode;
use quorate::recipes::read_write::ReadWriteLock;
use serde_json::{Value, json};

#[derive(Debug)]
pub(super) struct ReadWrite {
    client: Client,
    held: Shelf<Held>,
}

impl ReadWrite {
    pub(super) fn new(client: &Client) -> Self {
        Self { client: client.clone(), held: Shelf::default() }
    }

    pub(super) async fn answer(&self, verb: &str, call: &Call) -> anyhow::Result<Value> {
        let lock = || self.lock(call);
        Ok(match (verb, call.limit()) {
            ("read", None) => self.keep(call, "read", Some(lock()?.read().await?))?,
            ("read", Some(limit)) => self.keep(call, "read", lock()?.read_within(limit).await?)?,
            ("write", None) => self.keep(call, "write", Some(lock()?.write().await?))?,
            ("write", Some(limit)) => {
                self.keep(call, "write", lock()?.write_within(limit).await?)?
            }
            ("downgrade", _) => {
                let write = self.held.take(&name(call, "write")?)?;
                self.keep(call, "read", Some(lock()?.downgrade(write).await?))?
            }
            ("release", _) => {
                json!(self.held.take(&name(call, call.text("side")?)?)?.release().await?)
            }
            _ => return Err(call.unknown()),
        })
    }

    fn lock(&self, call: &Call) -> anyhow::Result<ReadWriteLock> {
        let mode = match call.maybe_text("mode") {
            None | Some("curator") => Mode::Curator,
            Some("kazoo") => Mode::Kazoo,
            Some("bridge") => Mode::Bridge,
            Some(other) => bail!("there is no mode {other:?}"),
        };
        Ok(ReadWriteLock::new(&self.client, call.path()?).mode(mode))
    }

    fn keep(&self, call: &Call, side: &str, held: Option<Held>) -> anyhow::Result<Value> {
        let Some(held) = held else { return Ok(Value::Null) };
        let token = held.token();
        self.held.put(&name(call, side)?, held)?;
        Ok(json!(token))
    }
}

fn name(call: &Call, side: &str) -> anyhow::Result<String> {
    Ok(format!("{}/{side}", call.name()?))
}
