//! `queue.*`: work queues.
//!
//! | verb | does |
//! |---|---|
//! | `put` | puts `item`, with `priority`, `until` (epoch ms) or `key` if given |
//! | `take` | takes `count` items; answers them in order |
//! | `hold` | holds one item under `as`; answers it |
//! | `complete`, `release` | what is held |
//!
//! `kind` is `plain`, `priority`, `delay`, `id`, `simple`, `kazoo` or `locking`.

use super::call::Call;
use super::shelf::Shelf;
use anyhow::bail;
use quorate::client::Client;
use quorate::recipes::queue::{Holding, Layout, Order, WorkQueue};
use serde_json::{Value, json};

#[derive(Debug)]
pub(super) struct Queues {
    client: Client,
    held: Shelf<Holding>,
}

impl Queues {
    pub(super) fn new(client: &Client) -> Self {
        Self { client: client.clone(), held: Shelf::default() }
    }

    pub(super) async fn answer(&self, verb: &str, call: &Call) -> anyhow::Result<Value> {
        Ok(match verb {
            "put" => {
                let item = call.text("item")?.as_bytes();
                json!(self.queue(call)?.put_in(order(call)?, &[item]).await?)
            }
            "take" => {
                let queue = self.queue(call)?;
                let mut items = Vec::new();
                while items.len() < call.number::<usize>("count")? {
                    // Several to a node is Curator's way only.
                    items.extend(queue.take().await?.parts.iter().map(|part| text(part)));
                }
                json!(items)
            }
            "hold" => {
                let held = self.queue(call)?.hold().await?;
                let item = text(held.data());
                self.held.put(call.name()?, held)?;
                json!(item)
            }
            "complete" => json!(self.held.take(call.name()?)?.complete().await?),
            "release" => json!(self.held.take(call.name()?)?.release().await?),
            _ => return Err(call.unknown()),
        })
    }

    fn queue(&self, call: &Call) -> anyhow::Result<WorkQueue> {
        let layout = match call.text("kind")? {
            "plain" => Layout::Curator,
            "priority" => Layout::Priority,
            "delay" => Layout::Delay,
            "id" => Layout::Id,
            "simple" => Layout::Simple,
            "kazoo" => Layout::Kazoo,
            "locking" => Layout::KazooLocking,
            other => bail!("there is no kind {other:?}"),
        };
        let queue = WorkQueue::new(&self.client, call.path()?, layout);
        Ok(match call.maybe_text("locks") {
            Some(path) => queue.lock_path(path),
            None => queue,
        })
    }
}

fn order(call: &Call) -> anyhow::Result<Order<'_>> {
    Ok(if call.has("priority") {
        Order::Priority(call.number("priority")?)
    } else if call.has("until") {
        Order::At(call.number("until")?)
    } else {
        call.maybe_text("key").map_or(Order::End, Order::Id)
    })
}

fn text(data: &[u8]) -> String {
    String::from_utf8_lossy(data).into_owned()
}
