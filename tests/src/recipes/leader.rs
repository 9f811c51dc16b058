//! `latch.*`, `selector.*`, `election.*` and `offer.*`: leaders, in the ways of Curator's `LeaderLatch` and `LeaderSelector`, of kazoo's
//! `Election` and of ZooKeeper's `LeaderElectionSupport`.
//!
//! | verb | does |
//! |---|---|
//! | `join` | takes part as `as` |
//! | `await` | waits, `wait` seconds or for ever, until `as` leads; answers whether it does |
//! | `leads` | whether `as` leads |
//! | `leave` | takes part no more |
//! | `participants` | the ids, the leader's first |

use super::call::Call;
use super::shelf::Shelf;
use quorate::client::blocking::wait;
use quorate::client::{Client, within};
use quorate::recipes::election::{Election, Form};
use quorate::recipes::latch::LeaderLatch;
use quorate::recipes::leader::Candidate;
use quorate::recipes::selector::LeaderSelector;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Leaders {
    client: Client,
    taking_part: Shelf<Part>,
}

/// How somebody takes part.
#[derive(Debug)]
enum Part {
    Candidate(Candidate),
    /// A selector leads while its work goes on.
    Work {
        elected: Arc<AtomicBool>,
        over: Arc<AtomicBool>,
        thread: JoinHandle<anyhow::Result<()>>,
    },
}

impl Leaders {
    pub(super) fn new(client: &Client) -> Self {
        Self { client: client.clone(), taking_part: Shelf::default() }
    }

    pub(super) async fn answer(
        &self,
        role: &str,
        verb: &str,
        call: &Call,
    ) -> anyhow::Result<Value> {
        Ok(match verb {
            "join" => json!(self.taking_part.put(call.name()?, self.join(role, call)?)?),
            "await" => {
                let limit = call.limit().unwrap_or(FOR_EVER);
                let leads = self.until_leading(call.name()?);
                let result = within(&**self.client.environment(), limit, leads).await;
                result.transpose()?;
                json!(result_of(&self.taking_part, call.name()?)?)
            }
            "leads" => json!(result_of(&self.taking_part, call.name()?)?),
            "leave" => match self.taking_part.take(call.name()?)? {
                Part::Candidate(candidate) => json!(candidate.leave().await?),
                Part::Work { over, thread, .. } => {
                    over.store(true, Ordering::Relaxed);
                    let joined = thread.join();
                    json!(joined.map_err(|_| anyhow::anyhow!("the selector panicked"))??)
                }
            },
            "participants" => {
                let found = match role {
                    "latch" => LeaderLatch::new(&self.client, call.path()?).participants().await,
                    "selector" => self.selector(call)?.participants().await,
                    _ => self.election(role, call)?.participants().await,
                };
                found?.iter().map(|leader| String::from_utf8_lossy(&leader.data)).collect()
            }
            _ => return Err(call.unknown()),
        })
    }

    fn join(&self, role: &str, call: &Call) -> anyhow::Result<Part> {
        Ok(match role {
            "latch" => {
                let latch = LeaderLatch::new(&self.client, call.path()?).id(call.name()?);
                Part::Candidate(latch.join())
            }
            "selector" => work(self.client.clone(), self.selector(call)?.id(call.name()?))?,
            _ => Part::Candidate(self.election(role, call)?.id(call.name()?).join()),
        })
    }

    fn selector(&self, call: &Call) -> anyhow::Result<LeaderSelector> {
        Ok(LeaderSelector::new(&self.client, call.path()?))
    }

    fn election(&self, role: &str, call: &Call) -> anyhow::Result<Election> {
        let form = if role == "offer" { Form::Offer } else { Form::Kazoo };
        Ok(Election::new(&self.client, call.path()?, form))
    }

    async fn until_leading(&self, name: &str) -> anyhow::Result<()> {
        while !result_of(&self.taking_part, name)? {
            self.client.sleep(PAUSE).await;
        }
        Ok(())
    }
}

fn result_of(taking_part: &Shelf<Part>, name: &str) -> anyhow::Result<bool> {
    taking_part.with(name, |part| match part {
        Part::Candidate(candidate) => candidate.is_leader(),
        Part::Work { elected, .. } => elected.load(Ordering::Relaxed),
    })
}

/// Leads until told that it is over.
fn work(client: Client, selector: LeaderSelector) -> anyhow::Result<Part> {
    let (elected, over) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (tell, hear) = (Arc::clone(&elected), Arc::clone(&over));
    let thread = thread::Builder::new().spawn(move || {
        wait(selector.lead(|_| async move {
            tell.store(true, Ordering::Relaxed);
            while !hear.load(Ordering::Relaxed) {
                client.sleep(PAUSE).await;
            }
        }))?;
        Ok(())
    })?;
    Ok(Part::Work { elected, over, thread })
}

const PAUSE: Duration = Duration::from_millis(5);
const FOR_EVER: Duration = Duration::from_secs(86_400);
