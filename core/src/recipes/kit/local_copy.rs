//! [`LocalCopy`]: something of the servers as it was last seen here, kept up to date by a task.
//!
//! The task ends when nobody reads the copy any more, or when it cannot go on: then the copy stays, and says why.

use super::race::{First, first};
use crate::client::{Client, Error, ErrorCode, Result};
use std::future::Future;
use std::sync::Arc;
use tokio::sync::watch;

/// The reading end. Clones have a position of their own.
#[derive(Clone, Debug)]
pub(crate) struct LocalCopy<T> {
    states: watch::Receiver<State<T>>,
}

/// The writing end.
#[derive(Debug)]
pub(crate) struct Copyist<T> {
    states: watch::Sender<State<T>>,
}

#[derive(Debug)]
struct State<T> {
    /// Whether the servers have been asked at all.
    is_known: bool,
    value: Option<Arc<T>>,
    /// Why there will be no more.
    end: Option<Error>,
}

impl<T: Send + Sync + 'static> LocalCopy<T> {
    /// Starts the task: `work` tells what it sees, and ends with the reason why it cannot go on. Returns when it has told something.
    pub(crate) async fn start<F>(
        client: &Client,
        path: &str,
        work: impl FnOnce(Arc<Copyist<T>>) -> F,
    ) -> Result<Self>
    where
        F: Future<Output = Error> + Send + 'static,
    {
        let (sender, states) = watch::channel(State { is_known: false, value: None, end: None });
        let copyist = Arc::new(Copyist { states: sender });
        let work = work(Arc::clone(&copyist));
        client.environment().spawn(Box::pin(async move {
            if let First::Right(end) = first(copyist.states.closed(), work).await {
                copyist.states.send_modify(|state| state.end = Some(end));
            }
        }));
        let mut copy = Self { states };
        // The first reading is not news.
        copy.news("subscribe", path).await?;
        Ok(copy)
    }

    /// The newest value known here; `None` when there is none.
    pub(crate) fn current(&self) -> Option<Arc<T>> {
        self.states.borrow().value.clone()
    }

    /// Waits for a value other than the one this has last returned.
    pub(crate) async fn changed(&mut self) -> Result<Option<Arc<T>>> {
        self.news("subscription", "").await
    }

    async fn news(&mut self, operation: &'static str, path: &str) -> Result<Option<Arc<T>>> {
        if self.states.changed().await.is_err() {
            let end = self.states.borrow().end.clone();
            return Err(end.unwrap_or_else(|| Error::new(ErrorCode::Closing, operation, path)));
        }
        let state = self.states.borrow_and_update();
        state.end.clone().map_or_else(|| Ok(state.value.clone()), Err)
    }
}

impl<T> Copyist<T> {
    /// Passes on what was seen if it is the first, or came or went, or `is_newer` says so of the last value and this.
    pub(crate) fn tell(&self, value: Option<T>, is_newer: impl FnOnce(&T, &T) -> bool) {
        self.states.send_if_modified(|state| {
            let is_news = !state.is_known
                || match (state.value.as_deref(), &value) {
                    (Some(old), Some(new)) => is_newer(old, new),
                    (None, None) => false,
                    _ => true,
                };
            if is_news {
                *state = State { is_known: true, value: value.map(Arc::new), end: None };
            }
            is_news
        });
    }
}
