//! The tries of one call: how many are left, how long, and the pauses between them.

use super::super::{Error, Result, within};
use super::Retrying;
use quorate_wire::ErrorCode;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// The tries of one call.
pub(super) struct Tries<'a> {
    retrying: &'a Retrying,
    tries: u32,
    deadline: Option<i64>,
}

impl<'a> Tries<'a> {
    pub(super) fn new(retrying: &'a Retrying) -> Self {
        let limit = retrying.policy.limit.map(|limit| i64::try_from(limit.as_millis()));
        let now = retrying.client.environment().now();
        let deadline = limit.map(|limit| now.saturating_add(limit.unwrap_or(i64::MAX)));
        Self { retrying, tries: 1, deadline }
    }

    fn left(&self) -> Option<Duration> {
        let now = self.retrying.client.environment().now();
        let left = |deadline: i64| u64::try_from(deadline.saturating_sub(now)).unwrap_or(0);
        self.deadline.map(|deadline| Duration::from_millis(left(deadline)))
    }

    /// Waits for an answer until the deadline.
    pub(super) async fn limited<T>(
        &self,
        writes: bool,
        future: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let Some(left) = self.left() else { return future.await };
        let environment = self.retrying.client.environment();
        within(&**environment, left, future).await.unwrap_or_else(|| {
            let error = Error::new(ErrorCode::RequestTimeout, "retry", "")
                .with_detail("the time for it is over");
            Err(if writes { error.with_outcome_unknown() } else { error })
        })
    }

    /// Reads within the same deadline.
    pub(super) async fn repeat<T, F: Future<Output = Result<T>>>(
        &self,
        mut read: impl FnMut() -> F,
    ) -> Result<T> {
        loop {
            match read().await {
                Err(error) if error.is_connection_loss() => self.pause(1).await,
                answer => return answer,
            }
        }
    }

    /// Pauses before the next try, or gives up with this error.
    pub(super) async fn again(&mut self, error: Error) -> Result<()> {
        let spent = self.retrying.policy.tries.is_some_and(|tries| self.tries >= tries);
        if spent || self.left().is_some_and(|left| left.is_zero()) {
            return Err(error);
        }
        self.retrying.client.shared().retries.fetch_add(1, Ordering::Relaxed);
        self.pause(self.tries).await;
        self.tries = self.tries.saturating_add(1);
        Ok(())
    }

    async fn pause(&self, tries: u32) {
        let client = &self.retrying.client;
        let mut pause = self.retrying.policy.pause(tries, client.environment().random());
        if let Some(left) = self.left() {
            pause = pause.min(left);
        }
        client.sleep(pause).await;
    }
}
