//! The places of watches: where events wait until their owners take them, or whose inbox they go to.
//!
//! A key names a place and who had it when: one that is used after its place was given to another watch names nothing.

use super::super::completion::Inbox;
use quorate_engine::client::{Notice, WatchKey};
use slab::Slab;
use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;

/// All places.
#[derive(Debug, Default)]
pub(super) struct Places {
    places: Slab<Place>,
    /// How many were given out so far, as far as that fits.
    given: u32,
}

/// One watch's.
#[derive(Debug)]
pub(super) struct Place {
    stamp: u32,
    pub(super) queue: VecDeque<Notice>,
    pub(super) missed: bool,
    pub(super) waker: Option<Waker>,
    pub(super) inbox: Option<Subscription>,
}

/// A watch whose events go to an inbox.
#[derive(Clone, Debug)]
pub(super) struct Subscription {
    pub(super) inbox: Arc<Inbox>,
    pub(super) token: u64,
    /// Whether it is over with the first event, or when its registration fails.
    pub(super) once: bool,
    /// When the inbox's owner was last told that events are missing.
    pub(super) told: Option<u64>,
}

impl Places {
    pub(super) fn insert(&mut self, inbox: Option<Subscription>) -> WatchKey {
        self.given = self.given.wrapping_add(1);
        let stamp = self.given;
        let place = Place { stamp, queue: VecDeque::new(), missed: false, waker: None, inbox };
        let index = u64::try_from(self.places.insert(place)).unwrap_or(u64::MAX);
        // There is no room in any machine for more than the lower half can tell apart.
        (u64::from(stamp) << 32) | (index & INDEX)
    }

    pub(super) fn get_mut(&mut self, key: WatchKey) -> Option<&mut Place> {
        let (index, stamp) = parts(key)?;
        self.places.get_mut(index).filter(|place| place.stamp == stamp)
    }

    pub(super) fn remove(&mut self, key: WatchKey) -> Option<Place> {
        let (index, _) = parts(key)?;
        self.get_mut(key)?;
        self.places.try_remove(index)
    }
}

impl Place {
    pub(super) fn is_once(&self) -> bool {
        self.inbox.as_ref().is_some_and(|subscription| subscription.once)
    }
}

fn parts(key: WatchKey) -> Option<(usize, u32)> {
    Some((usize::try_from(key & INDEX).ok()?, u32::try_from(key >> 32).ok()?))
}

const INDEX: u64 = 0xFFFF_FFFF;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_outlives_its_place_without_meaning_another() {
        let mut places = Places::default();
        let first = places.insert(None);
        assert!(places.get_mut(first).is_some());
        assert!(places.remove(first).is_some());
        let second = places.insert(None);
        assert_ne!(first, second);
        assert!(places.get_mut(first).is_none() && places.remove(first).is_none());
        assert!(places.get_mut(second).is_some());
        assert!(places.get_mut(u64::MAX).is_none());
    }
}
