//! `count.*`: `get` and `add` (`by`, which may be negative) for the `kind`s `shared` and `int` (32 bits), `long` and `text`; both answer the number. `read` and
//! `write` (`value`) for a shared value.

use super::call::Call;
use anyhow::bail;
use quorate::client::Client;
use quorate::recipes::counter::{Counter, Format};
use quorate::recipes::value::SharedValue;
use serde_json::{Value, json};

#[derive(Debug)]
pub(super) struct Counters {
    client: Client,
}

impl Counters {
    pub(super) fn new(client: &Client) -> Self {
        Self { client: client.clone() }
    }

    pub(super) async fn answer(&self, verb: &str, call: &Call) -> anyhow::Result<Value> {
        Ok(match verb {
            "get" => json!(self.counter(call)?.get().await?),
            "add" => json!(self.counter(call)?.add(call.number("by")?).await?.after),
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
