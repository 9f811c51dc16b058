//! [`Subscription`]: the configuration as a local copy.
//!
//! A task follows the pointer and reads the version that it names; the copy changes when all of it has been read.

use super::{Snapshot, StagedConfig};
use crate::client::{Error, ErrorCode, Result};
use crate::recipes::kit::Backoff;
use crate::recipes::value;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use tokio::sync::watch;

/// A local copy that follows the configuration until it is dropped. It outlives connections and sessions.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::staged::StagedConfig;
///
/// let config = StagedConfig::new(&client, "/config");
/// let subscription = config.subscribe().await?;
/// assert!(subscription.current().is_none());
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct Subscription {
    states: watch::Receiver<State>,
}

type State = (Option<Arc<Snapshot>>, Option<Error>);

impl Subscription {
    /// Begins to follow.
    pub(super) async fn start(config: &StagedConfig) -> Result<Self> {
        let pointer = config.pointer().subscribe().await?;
        let (sender, mut states) = watch::channel(State::default());
        let environment = Arc::clone(config.client.environment());
        environment.spawn(Box::pin(follow(config.clone(), pointer, sender)));
        if states.changed().await.is_err() {
            return Err(Error::new(ErrorCode::Closing, "subscribe", config.path.as_str()));
        }
        let end = states.borrow_and_update().1.clone();
        end.map_or(Ok(Self { states }), Err)
    }

    /// The newest configuration known here, without a request; `None` when nothing was published yet.
    #[must_use]
    pub fn current(&self) -> Option<Arc<Snapshot>> {
        self.states.borrow().0.clone()
    }

    /// Waits for a configuration newer than the one this has last returned. Nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// When no news will come any more: the client is closed, or the server refuses. The copy stays.
    pub async fn changed(&mut self) -> Result<Option<Arc<Snapshot>>> {
        if self.states.changed().await.is_err() {
            let end = self.states.borrow().1.clone();
            return Err(end.unwrap_or_else(|| Error::new(ErrorCode::Closing, "subscription", "")));
        }
        let (snapshot, end) = self.states.borrow_and_update().clone();
        end.map_or(Ok(snapshot), Err)
    }
}

/// Keeps the copy up to date until nobody wants it.
async fn follow(config: StagedConfig, pointer: value::Subscription, sender: watch::Sender<State>) {
    let mut closed = pin!(sender.closed());
    let mut work = pin!(keep_current(&config, pointer, &sender));
    poll_fn(|context| {
        if closed.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        work.as_mut().poll(context)
    })
    .await;
}

async fn keep_current(
    config: &StagedConfig,
    mut pointer: value::Subscription,
    sender: &watch::Sender<State>,
) {
    let (mut told, mut known): (bool, Option<Arc<Snapshot>>) = (false, None);
    let mut backoff = Backoff::default();
    loop {
        let end = match config.get().await {
            Ok(snapshot) => {
                let token = |snapshot: &Snapshot| snapshot.token;
                if !told || snapshot.as_ref().map(token) != known.as_deref().map(token) {
                    told = true;
                    known = snapshot.map(Arc::new);
                    sender.send_replace((known.clone(), None));
                }
                backoff = Backoff::default();
                pointer.changed().await.err()
            }
            Err(error) if error.code() == ErrorCode::SessionExpired => {
                config.client.connected().await.err()
            }
            // Somebody has deleted the current version by hand: it may be put right.
            Err(error) if error.code() == ErrorCode::NoNode => {
                backoff.pause(&config.client).await;
                None
            }
            Err(error) => Some(error),
        };
        if end.is_some() {
            sender.send_replace((known, end));
            return;
        }
    }
}
