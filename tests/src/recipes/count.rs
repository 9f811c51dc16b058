//! `count.*`: `get` and `add` (`by`, which may be negative) for the `kind`s `shared` and `int` (32 bits), `long` and `text`; both answer the number. `next`: the
//! next number of `as` from blocks of `block`. `read` and `write` (`value`) for a shared value.

use super::call::Call;
use super::shelf::Shelf;
use anyhow::bail;
use quorate::client::Client;
use quorate::recipes::counter::{BlockCounter, Counter, Format};
use quorate::recipes::value::SharedValue;
use serde_json::{Value, json};

#[derive(Debug)]
pub(super) struct Counters {
    client: Client,
    blocks: Shelf<BlockCounter>,
}

impl Counters {
    pub(super) fn new(client: &Client) -> Self {
        Self { client: client.clone(), blocks: Shelf::default() }
    }

    pub(super) async fn answer(&self, verb: &str, call: &Call) -> anyhow::Result<Value> {
        Ok(match verb {
            "get" => json!(self.counter(call)?.get().await?),
            "add" => json!(self.counter(call)?.add(call.number("by")?).await?.after),
            "next" => json!(self.block(call)?.next().await?),
            "read" => {
                let found = SharedValue::new(&self.client, call.path()?).get().await?;
                json!(found.map(|found| String::from_utf8_lossy(&found.data).into_owned()))
            }
            "write" => {
                let value = SharedValue::new(&self.client, call.path()?);
                value.set(call.text("value")?.as_bytes()).await?;
                json!(true)
            }
            _ => return Err(call.unknown()),
        })
    }

    /// That of `as`, made when it is asked for first.
    fn block(&self, call: &Call) -> anyhow::Result<BlockCounter> {
        let name = call.name()?;
        if let Ok(found) = self.blocks.with(name, BlockCounter::clone) {
            return Ok(found);
        }
        let counter = Counter::new(&self.client, call.path()?, Format::Long);
        let made = BlockCounter::new(counter, call.number("block")?);
        self.blocks.put(name, made.clone())?;
        Ok(made)
    }

    fn counter(&self, call: &Call) -> anyhow::Result<Counter> {
        let format = match call.text("kind")? {
            "shared" | "int" => Format::Int,
            "long" => Format::Long,
            "text" => Format::Text,
            other => bail!("there is no kind {other:?}"),
        };
        Ok(Counter::new(&self.client, call.path()?, format))
    }
}
