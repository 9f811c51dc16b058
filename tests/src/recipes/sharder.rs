//! `sharder.*`: several queues as one, as Curator's `QueueSharder`, over plain queues.
//!
//! | verb | does |
//! |---|---|
//! | `start` | takes part as `as` at `path`, with the leader at `leader`, `threshold` and `max` queues |
//! | `put` | puts `item` |
//! | `take` | takes `count` items, from whichever queue |
//! | `shards` | the paths of the queues it knows |
//! | `stop` | takes part no more |

use super::call::Call;
use super::shelf::Shelf;
use quorate::client::Client;
use quorate::recipes::queue::{Layout, QueueSharder, ShardedQueue};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Sharders {
    client: Client,
    taking_part: Shelf<Arc<QueueSharder>>,
}

impl Sharders {
    pub(super) fn new(client: &Client) -> Self {
        Self { client: client.clone(), taking_part: Shelf::default() }
    }

    pub(super) async fn answer(&self, verb: &str, call: &Call) -> anyhow::Result<Value> {
        let part = || self.taking_part.with(call.name()?, Arc::clone);
        Ok(match verb {
            "start" => {
                let description = ShardedQueue::new(&self.client, call.path()?, Layout::Curator)
                    .leader_path(call.text("leader")?)
                    .threshold(call.number("threshold")?)
                    .max_queues(call.number("max")?)
                    .interval(CHECK);
                json!(self.taking_part.put(call.name()?, Arc::new(description.start().await?))?)
            }
            "put" => json!(part()?.put(call.text("item")?.as_bytes()).await?),
            "take" => {
                let (sharder, mut items) = (part()?, Vec::new());
                while items.len() < call.number::<usize>("count")? {
                    let item = sharder.take().await?;
                    let texts = item.parts.iter().map(|part| String::from_utf8_lossy(part));
                    items.extend(texts.map(|text| text.into_owned()));
                }
                json!(items)
            }
            "shards" => {
                let queues = part()?.queues();
                let mut paths: Vec<&str> = queues.iter().map(|queue| queue.path()).collect();
                paths.sort_unstable();
                json!(paths)
            }
            "stop" => match Arc::into_inner(self.taking_part.take(call.name()?)?) {
                Some(sharder) => json!(sharder.stop().await),
                None => anyhow::bail!("it is still in use"),
            },
            _ => return Err(call.unknown()),
        })
    }
}

const CHECK: Duration = Duration::from_millis(100);
