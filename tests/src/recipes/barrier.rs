//! `barrier.*`: `close`, `open` and `wait` for the barrier; `enter` (with `count` members, as `as`) and `leave` for the double barrier.

use super::call::Call;
use super::shelf::Shelf;
use quorate::client::Client;
use quorate::recipes::barrier::{Barrier, DoubleBarrier, Inside};
use serde_json::{Value, json};

#[derive(Debug)]
pub(super) struct Barriers {
    client: Client,
    inside: Shelf<Inside>,
}

impl Barriers {
    pub(super) fn new(client: &Client) -> Self {
        Self { client: client.clone(), inside: Shelf::default() }
    }

    pub(super) async fn answer(&self, verb: &str, call: &Call) -> anyhow::Result<Value> {
        let gate = || call.path().map(|path| Barrier::new(&self.client, path));
        Ok(match verb {
            "close" => json!(gate()?.close().await?),
            "open" => json!(gate()?.open().await?),
            "wait" => match call.limit() {
                Some(limit) => json!(gate()?.wait_within(limit).await?),
                None => {
                    gate()?.wait().await?;
                    json!(true)
                }
            },
            "enter" => {
                let size = call.number("count")?;
                let inside = DoubleBarrier::new(&self.client, call.path()?, size).enter().await?;
                self.inside.put(call.name()?, inside)?;
                json!(true)
            }
            "leave" => {
                self.inside.take(call.name()?)?.leave().await?;
                json!(true)
            }
            _ => return Err(call.unknown()),
        })
    }
}
