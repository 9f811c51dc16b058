//! `semaphore.*`: `acquire` one of `leases` under `as`, waiting `wait` seconds or for ever, and `release`; `kind` is `curator` (as if
//! absent) or `kazoo`.

use super::call::Call;
use super::shelf::Shelf;
use quorate::client::Client;
use quorate::recipes::kit::Held;
use quorate::recipes::layout::semaphore::Kind;
use quorate::recipes::semaphore::Semaphore;
use serde_json::{Value, json};

#[derive(Debug)]
pub(super) struct Semaphores {
    client: Client,
    held: Shelf<Held>,
}

impl Semaphores {
    pub(super) fn new(client: &Client) -> Self {
        Self { client: client.clone(), held: Shelf::default() }
    }

    pub(super) async fn answer(&self, verb: &str, call: &Call) -> anyhow::Result<Value> {
        Ok(match verb {
            "acquire" => {
                let kind = match call.maybe_text("kind") {
                    Some("kazoo") => Kind::Kazoo,
                    _ => Kind::Curator,
                };
                let limit = call.number("leases")?;
                let semaphore = Semaphore::new(&self.client, call.path()?, limit).kind(kind);
                let held = match call.limit() {
                    Some(limit) => semaphore.acquire_within(limit).await?,
                    None => Some(semaphore.acquire().await?),
                };
                let Some(held) = held else { return Ok(Value::Null) };
                let token = held.token();
                self.held.put(call.name()?, held)?;
                json!(token)
            }
            "release" => json!(self.held.take(call.name()?)?.release().await?),
            _ => return Err(call.unknown()),
        })
    }
}
