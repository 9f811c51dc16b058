//! The list of servers, as the SRV records of a name say it.
//!
//! They are asked for at each attempt to connect, as the addresses of hosts are, and once a minute besides. The question runs beside the
//! attempt: who can reach a server that is known does not wait for name servers. What the answer changes counts at once, so that an attempt
//! at a server that is listed no more is given up for one that is.

use super::address::Server;
use super::driver::Targets;
use super::follow::replace;
use super::resolve::{Resolver, SrvError};
use super::shared::Shared;
use std::sync::Weak;
use std::time::Duration;
use tokio::sync::watch::Receiver;
use tokio::time::{Instant, timeout_at};

/// Where the records are to be had.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) name: String,
    /// Whom to ask; the system's name servers unless told otherwise.
    pub(super) resolver: Option<Resolver>,
}

impl Question {
    async fn ask(&self) -> Result<Vec<Server>, SrvError> {
        match &self.resolver {
            Some(resolver) => resolver.servers(&self.name).await,
            None => Resolver::system()?.servers(&self.name).await,
        }
    }
}

/// Asks again and again. `attempts` changes with each attempt to connect, and is closed when the client is over.
pub(super) async fn follow_srv(
    question: Question,
    shared: Weak<Shared>,
    targets: Targets,
    mut attempts: Receiver<u64>,
) {
    loop {
        let answer = question.ask().await;
        let answered = Instant::now();
        let known = match (answer, shared.upgrade()) {
            (_, None) => return,
            (Ok(servers), Some(shared)) => replace(&shared, &targets, servers),
            // What was known still is.
            (Err(error), Some(_)) => {
                tracing::warn!("{error}");
                !super::driver::lock(&targets).is_empty()
            }
        };
        // For a second an answer is as good as new. Attempts that fall into that time ask nothing: there may be many.
        let fresh = timeout_at(answered + FRESH, closed(&mut attempts)).await;
        if fresh.is_ok() {
            return;
        }
        if known {
            attempts.borrow_and_update();
            if let Ok(Err(_over)) = timeout_at(answered + PAUSE, attempts.changed()).await {
                return;
            }
        }
    }
}

/// Waits until the client is over.
async fn closed(attempts: &mut Receiver<u64>) {
    while attempts.changed().await.is_ok() {}
}

/// How long an answer is not asked for again; and the pause after each question as long as there has been no answer.
const FRESH: Duration = Duration::from_secs(1);
/// How often the records are asked for by a client that is connected.
const PAUSE: Duration = Duration::from_secs(60);
