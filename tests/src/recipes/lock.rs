//! `lock.*`: the exclusive lock.
//!
//! | verb | does |
//! |---|---|
//! | `acquire` | waits, `wait` seconds or for ever; answers the token, or null when the time is over |
//! | `try` | the same without waiting |
//! | `release` | releases `as` |
//! | `token`, `held` | of `as` |
//! | `lost` | answers when `as` is lost: `Session` or `Deleted` |
//! | `participants` | the data of the holder and of those who wait, in order |
//! | `revoke`, `revoked` | asks the holder to release; waits until `as` is asked to |
//!
//! `mode` is `curator` (as if absent), `kazoo`, `kazoo-patterns` or `bridge`.

use super::call::Call;
use super::shelf::Shelf;
use anyhow::{Context, bail};
use quorate::client::Client;
use quorate::recipes::kit::Held;
use quorate::recipes::layout::lock::Mode;
use quorate::recipes::lock::{Lock, Revocable as _};
use serde_json::{Value, json};

#[derive(Debug)]
pub(super) struct Locks {
    client: Client,
    held: Shelf<Held>,
}

impl Locks {
    pub(super) fn new(client: &Client) -> Self {
        Self { client: client.clone(), held: Shelf::default() }
    }

    pub(super) async fn answer(&self, verb: &str, call: &Call) -> anyhow::Result<Value> {
        Ok(match verb {
            "acquire" => {
                let lock = self.lock(call)?;
                let held = match call.limit() {
                    Some(limit) => lock.acquire_within(limit).await?,
                    None => Some(lock.acquire().await?),
                };
                self.keep(call, held)?
            }
            "try" => {
                let held = self.lock(call)?.try_acquire().await?;
                self.keep(call, held)?
            }
            "release" => json!(self.held.take(call.name()?)?.release().await?),
            "token" => json!(self.held.with(call.name()?, Held::token)?),
            "held" => json!(self.held.with(call.name()?, Held::is_held)?),
            "lost" => {
                let lost = self.held.with(call.name()?, Held::lost)?;
                json!(format!("{:?}", lost.await))
            }
            "participants" => {
                let found = self.lock(call)?.participants().await?;
                let text = |data| String::from_utf8_lossy(data).into_owned();
                found.iter().map(|participant| text(&participant.data)).collect()
            }
            "revoke" => {
                let lock = self.lock(call)?;
                let participants = lock.participants().await?;
                let holder = participants.first().context("nobody holds the lock")?;
                json!(lock.revoke(holder).await?)
            }
            "revoked" => {
                let held = self.held.take(call.name()?)?;
                held.revoked().await?;
                json!(self.held.put(call.name()?, held)?)
            }
            _ => return Err(call.unknown()),
        })
    }

    fn lock(&self, call: &Call) -> anyhow::Result<Lock> {
        let lock = Lock::new(&self.client, call.path()?).mode(mode(call)?);
        Ok(lock.data(call.maybe_text("data").unwrap_or("")))
    }

    fn keep(&self, call: &Call, held: Option<Held>) -> anyhow::Result<Value> {
        let Some(held) = held else { return Ok(Value::Null) };
        let token = held.token();
        self.held.put(call.name()?, held)?;
        Ok(json!(token))
    }
}

/// The mode that a request asks for.
pub(super) fn mode(call: &Call) -> anyhow::Result<Mode> {
    Ok(match call.maybe_text("mode") {
        None | Some("curator") => Mode::Curator,
        Some("kazoo") => Mode::Kazoo { yields_to_curator: false },
        Some("kazoo-patterns") => Mode::Kazoo { yields_to_curator: true },
        Some("bridge") => Mode::Bridge,
        Some(other) => bail!("there is no mode {other:?}"),
    })
}
