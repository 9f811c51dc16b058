//! `persistent.*`: a node that is kept in existence.
//!
//! | verb | does |
//! |---|---|
//! | `keep` | keeps the node `path` with `data`, as `as`, in the background; with `ttl` (ms) one with a time to live |
//! | `presence` | `absent`, `there`, `taken` or `ended` |
//! | `remove` | removes it; one with a time to live is only left alone |

use super::call::Call;
use super::shelf::Shelf;
use quorate::client::Client;
use quorate::recipes::persistent::{Kept, PersistentNode, Presence, Touching, TtlNode};
use serde_json::{Value, json};
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Persistent {
    client: Client,
    kept: Shelf<Kept>,
    touched: Shelf<Touching>,
}

impl Persistent {
    pub(super) fn new(client: &Client) -> Self {
        Self { client: client.clone(), kept: Shelf::default(), touched: Shelf::default() }
    }

    pub(super) async fn answer(&self, verb: &str, call: &Call) -> anyhow::Result<Value> {
        Ok(match verb {
            "keep" if call.has("ttl") => {
                let ttl = Duration::from_millis(call.number("ttl")?);
                let node = TtlNode::new(&self.client, call.path()?, ttl).data(call.text("data")?);
                json!(self.touched.put(call.name()?, node.keep().await?)?)
            }
            "keep" => {
                let node = PersistentNode::new(&self.client, call.path()?);
                json!(self.kept.put(call.name()?, node.data(call.text("data")?).keep())?)
            }
            "presence" => json!(match self.kept.with(call.name()?, Kept::presence)? {
                Presence::Absent => "absent",
                Presence::There(_) => "there",
                Presence::Taken(_) => "taken",
                Presence::Refused(_) => "refused",
                Presence::Ended(_) => "ended",
            }),
            "remove" if call.has("ttl") => json!(drop(self.touched.take(call.name()?)?)),
            "remove" => json!(self.kept.take(call.name()?)?.remove().await?),
            _ => return Err(call.unknown()),
        })
    }
}
