//! Our recipes, driven by lines of JSON: what `tests/peers` puts beside other clients on one path.
//!
//! A request is `{"id": 7, "do": "lock.acquire", "path": "/l", "as": "a", …}`; the answer `{"id": 7, "value": …}` or
//! `{"id": 7, "error": "…"}`. Requests run beside one another and are answered when they are done, so a waiting contender is a
//! request without an answer. What is held stays under the name given by `as`. The programs for other clients in
//! `tests/peers` understand the same requests; bytes are text in all of them. Each role has a module here.

mod barrier;
mod call;
mod count;
mod discovery;
mod dubbo;
mod fenced;
mod group;
mod leader;
mod lease;
mod lock;
mod naming;
mod node;
mod partition;
mod persistent;
mod queue;
mod read_write;
mod semaphore;
mod session;
mod sharder;
mod shelf;

use call::Call;
use quorate::client::blocking::wait;
use quorate::client::{Client, Result as Answer};
use serde_json::{Value, json};
use std::io::{self, BufRead, Write};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// Connects, says `{"ready": <session>}`, and answers requests until the input ends.
///
/// # Errors
/// When no server answers, or the input or output fails.
pub fn serve(servers: &str, timeout: Duration, requests: impl BufRead) -> anyhow::Result<()> {
    let client = wait(Client::builder().servers(servers).session_timeout(timeout).connect())?;
    say(&json!({ "ready": client.session_id() }))?;
    let peer = Arc::new(Peer::new(&client));
    for line in requests.lines() {
        let call: Call = serde_json::from_str(&line?)?;
        let peer = Arc::clone(&peer);
        // A thread for each, because each may wait.
        thread::Builder::new().spawn(move || {
            let answer = match wait(peer.answer(&call)) {
                Ok(value) => json!({ "id": call.id, "value": value }),
                Err(error) => json!({ "id": call.id, "error": format!("{error:#}") }),
            };
            // Nobody is left to tell when the output is gone.
            let _ = say(&answer);
        })?;
    }
    let closed: Answer<()> = wait(client.close());
    Ok(closed?)
}

fn say(answer: &Value) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{answer}")?;
    out.flush()
}

/// Everything that takes part under one session.
#[derive(Debug)]
struct Peer {
    barrier: barrier::Barriers,
    count: count::Counters,
    discovery: discovery::Services,
    dubbo: dubbo::Registries,
    fenced: fenced::Fenced,
    group: group::Groups,
    leader: leader::Leaders,
    lease: lease::Leases,
    lock: lock::Locks,
    naming: naming::Names,
    node: node::Nodes,
    partition: partition::Partitions,
    persistent: persistent::Persistent,
    queue: queue::Queues,
    read_write: read_write::ReadWrite,
    semaphore: semaphore::Semaphores,
    session: session::Session,
    sharder: sharder::Sharders,
}

impl Peer {
    fn new(client: &Client) -> Self {
        Self {
            barrier: barrier::Barriers::new(client),
            count: count::Counters::new(client),
            discovery: discovery::Services::new(client),
            dubbo: dubbo::Registries::new(client),
            fenced: fenced::Fenced::new(client),
            group: group::Groups::new(client),
            leader: leader::Leaders::new(client),
            lease: lease::Leases::new(client),
            lock: lock::Locks::new(client),
            naming: naming::Names::new(client),
            node: node::Nodes::new(client),
            partition: partition::Partitions::new(client),
            persistent: persistent::Persistent::new(client),
            queue: queue::Queues::new(client),
            read_write: read_write::ReadWrite::new(client),
            semaphore: semaphore::Semaphores::new(client),
            session: session::Session::new(client),
            sharder: sharder::Sharders::new(client),
        }
    }

    async fn answer(&self, call: &Call) -> anyhow::Result<Value> {
        let (role, verb) = call.verb.split_once('.').unwrap_or(("", &call.verb));
        match role {
            "barrier" => self.barrier.answer(verb, call).await,
            "count" => self.count.answer(verb, call).await,
            "discovery" => self.discovery.answer(verb, call).await,
            "dubbo" => self.dubbo.answer(verb, call).await,
            "fenced" => self.fenced.answer(verb, call).await,
            "group" | "party" => self.group.answer(role, verb, call).await,
            "latch" | "selector" | "election" | "offer" => {
                self.leader.answer(role, verb, call).await
            }
            "lease" => self.lease.answer(verb, call).await,
            "lock" => self.lock.answer(verb, call).await,
            "naming" => self.naming.answer(verb, call).await,
            "node" => self.node.answer(verb, call).await,
            "partition" => self.partition.answer(verb, call).await,
            "persistent" => self.persistent.answer(verb, call).await,
            "queue" => self.queue.answer(verb, call).await,
            "rw" => self.read_write.answer(verb, call).await,
            "semaphore" => self.semaphore.answer(verb, call).await,
            "session" => self.session.answer(verb, call).await,
            "sharder" => self.sharder.answer(verb, call).await,
            _ => Err(call.unknown()),
        }
    }
}
