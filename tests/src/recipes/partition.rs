//! `partition.*`: a set that members share, as kazoo's `SetPartitioner`.
//!
//! | verb | does |
//! |---|---|
//! | `join` | takes part in sharing `items` at `path` as `as`, quiet for `quiet` ms; takes its share, and again after each change |
//! | `share` | what it has, with the number of the share; null between two |
//! | `leave` | gives back its share, and leaves |

use super::call::Call;
use super::shelf::Shelf;
use quorate::client::Client;
use quorate::client::blocking::wait;
use quorate::recipes::partitioner::{Member, Partitioner};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Partitions {
    client: Client,
    taking_part: Shelf<Part>,
}

#[derive(Debug)]
struct Part {
    share: Arc<Mutex<State>>,
    thread: JoinHandle<anyhow::Result<()>>,
}

/// What somebody has right now.
#[derive(Debug, Default)]
struct State {
    number: u64,
    items: Option<Vec<String>>,
    is_over: bool,
}

impl Partitions {
    pub(super) fn new(client: &Client) -> Self {
        Self { client: client.clone(), taking_part: Shelf::default() }
    }

    pub(super) async fn answer(&self, verb: &str, call: &Call) -> anyhow::Result<Value> {
        Ok(match verb {
            "join" => json!(self.taking_part.put(call.name()?, self.join(call).await?)?),
            "share" => self.taking_part.with(call.name()?, |part| {
                with(&part.share, |it| json!(it.items.as_ref().map(|items| (it.number, items))))
            })?,
            "leave" => {
                let part = self.taking_part.take(call.name()?)?;
                with(&part.share, |it| it.is_over = true);
                let joined = part.thread.join();
                json!(joined.map_err(|_| anyhow::anyhow!("the member panicked"))??)
            }
            _ => return Err(call.unknown()),
        })
    }

    async fn join(&self, call: &Call) -> anyhow::Result<Part> {
        let items: Vec<String> = serde_json::from_value(call.value("items").clone())?;
        let quiet = Duration::from_millis(call.number("quiet")?);
        let set = Partitioner::new(&self.client, call.path()?, items)?.quiet(quiet);
        let member = set.identifier(call.name()?)?.join().await?;
        let share = Arc::default();
        let (client, told) = (self.client.clone(), Arc::clone(&share));
        let thread =
            thread::Builder::new().spawn(move || wait(take_part(&client, member, &told)))?;
        Ok(Part { share, thread })
    }
}

/// Has its share until told that it is over.
async fn take_part(client: &Client, mut member: Member, told: &Mutex<State>) -> anyhow::Result<()> {
    let over = async {
        while !with(told, |it| it.is_over) {
            client.sleep(PAUSE).await;
        }
    };
    let sharing = async {
        loop {
            let mut share = member.acquire().await?;
            with(told, |it| {
                it.number += 1;
                it.items = Some(share.items().map(str::to_owned).collect());
            });
            share.changed().await;
            with(told, |it| it.items = None);
            share.release().await?;
        }
    };
    let ended: Option<anyhow::Result<()>> = race(over, sharing).await;
    with(told, |it| it.items = None);
    ended.transpose()?;
    Ok(member.leave().await?)
}

/// `work`, unless `over` ends first.
async fn race<T>(over: impl Future<Output = ()>, work: impl Future<Output = T>) -> Option<T> {
    let (mut over, mut work) = (std::pin::pin!(over), std::pin::pin!(work));
    std::future::poll_fn(|context| {
        if over.as_mut().poll(context).is_ready() {
            return std::task::Poll::Ready(None);
        }
        work.as_mut().poll(context).map(Some)
    })
    .await
}

fn with<R>(state: &Mutex<State>, look: impl FnOnce(&mut State) -> R) -> R {
    look(&mut state.lock().unwrap_or_else(PoisonError::into_inner))
}

const PAUSE: Duration = Duration::from_millis(5);
