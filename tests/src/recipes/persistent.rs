//! `persistent.*`: a node that is kept in existence.
//!
//! | verb | does |
//! |---|---|
//! | `keep` | keeps the node `path` with `data`, as `as`, in the background |
//! | `presence` | `absent`, `there`, `taken` or `ended` |
//! | `remove` | removes it |

use super::call::Call;
use super::shelf::Shelf;
use quorate::client::Client;
use quorate::recipes::persistent::{Kept, PersistentNode, Presence};
use serde_json::{Value, json};

#[derive(Debug)]
pub(super) struct Persistent {
    client: Client,
    kept: Shelf<Kept>,
}

impl Persistent {
    pub(super) fn new(client: &Client) -> Self {
        Self { client: client.clone(), kept: Shelf::default() }
    }

    pub(super) async fn answer(&self, verb: &str, call: &Call) -> anyhow::Result<Value> {
        Ok(match verb {
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
            "remove" => json!(self.kept.take(call.name()?)?.remove().await?),
            _ => return Err(call.unknown()),
        })
    }
}
