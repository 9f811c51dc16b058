//! A budget for the bytes of large requests in progress, common to all shards of a server.
//!
//! A request is large above a threshold. Its bytes are taken from the budget when it has arrived and given back when it has
//! been answered or its connection is gone: the reservation does so when it is dropped. What does not fit closes its
//! connection. Source: `ZooKeeperServer#checkRequestSizeWhenReceivingMessage`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The rule, and the budget behind it. Clones share the budget.
#[derive(Clone, Debug)]
pub struct LargeRequests {
    threshold: usize,
    budget: Arc<Budget>,
}

#[derive(Debug)]
struct Budget {
    most: u64,
    used: AtomicU64,
    rejected: AtomicU64,
}

/// Bytes taken from the budget until this is dropped.
#[derive(Debug)]
pub struct Reserved {
    budget: Arc<Budget>,
    bytes: u64,
}

/// A request did not fit: its connection has to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge;

impl LargeRequests {
    /// Requests longer than `threshold` bytes are large; all in progress together have at most `most`.
    #[must_use]
    pub fn new(threshold: usize, most: u64) -> Self {
        let budget = Budget { most, used: AtomicU64::new(0), rejected: AtomicU64::new(0) };
        Self { threshold, budget: Arc::new(budget) }
    }

    /// Nothing is large.
    #[must_use]
    pub fn unlimited() -> Self {
        Self::new(usize::MAX, u64::MAX)
    }

    /// Whether a request of this length that is about to arrive would fit.
    ///
    /// # Errors
    /// [`TooLarge`] when it would not.
    #[inline]
    pub fn check(&self, length: usize) -> Result<(), TooLarge> {
        if length <= self.threshold { Ok(()) } else { self.check_large(length) }
    }

    #[cold]
    fn check_large(&self, length: usize) -> Result<(), TooLarge> {
        let bytes = u64::try_from(length).unwrap_or(u64::MAX);
        if self.budget.has_room(bytes, self.in_progress()) {
            return Ok(());
        }
        self.budget.rejected.fetch_add(1, Ordering::Relaxed);
        Err(TooLarge)
    }

    /// Takes the bytes of a request that has arrived; `None` for one that is not large.
    ///
    /// # Errors
    /// [`TooLarge`] when it does not fit.
    #[inline]
    pub fn admit(&self, length: usize) -> Result<Option<Reserved>, TooLarge> {
        if length <= self.threshold { Ok(None) } else { self.reserve(length).map(Some) }
    }

    #[cold]
    fn reserve(&self, length: usize) -> Result<Reserved, TooLarge> {
        let bytes = u64::try_from(length).unwrap_or(u64::MAX);
        let budget = &self.budget;
        let take = |used| budget.has_room(bytes, used).then(|| used.saturating_add(bytes));
        match budget.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take) {
            Ok(_) => Ok(Reserved { budget: Arc::clone(budget), bytes }),
            Err(_) => {
                budget.rejected.fetch_add(1, Ordering::Relaxed);
                Err(TooLarge)
            }
        }
    }

    /// Requests that did not fit.
    #[must_use]
    pub fn rejected(&self) -> u64 {
        self.budget.rejected.load(Ordering::Relaxed)
    }

    /// Bytes of large requests in progress.
    #[must_use]
    pub fn in_progress(&self) -> u64 {
        self.budget.used.load(Ordering::Relaxed)
    }
}

impl Budget {
    fn has_room(&self, bytes: u64, used: u64) -> bool {
        used.checked_add(bytes).is_some_and(|sum| sum <= self.most)
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_large_ones_count_and_answers_give_back() {
        let rule = LargeRequests::new(100, 250);
        let twin = rule.clone();
        assert!(rule.admit(100).unwrap().is_none() && rule.in_progress() == 0);
        let first = rule.admit(150).unwrap();
        let second = twin.admit(100 + 1);
        assert_eq!((second.err(), twin.rejected()), (Some(TooLarge), 1));
        assert!(rule.admit(100).unwrap().is_none(), "small ones always fit");
        drop(first);
        assert_eq!(rule.in_progress(), 0);
        let _all = rule.admit(250).unwrap();
        assert_eq!((rule.in_progress(), rule.check(101)), (250, Err(TooLarge)));
    }

    #[test]
    fn without_a_rule_nothing_is_large() {
        assert!(LargeRequests::unlimited().admit(usize::MAX).unwrap().is_none());
    }
}
