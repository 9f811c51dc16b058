//! What is held between requests, by name.

use anyhow::{Context, ensure};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Things by the names that requests give them.
#[derive(Debug)]
pub(super) struct Shelf<T>(Mutex<HashMap<String, T>>);

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Shelf<T> {
    /// Keeps a thing.
    pub(super) fn put(&self, name: &str, thing: T) -> anyhow::Result<()> {
        let before = self.things().insert(name.to_owned(), thing);
        ensure!(before.is_none(), "there is already something named {name:?}");
        Ok(())
    }

    /// Hands a thing out for good.
    pub(super) fn take(&self, name: &str) -> anyhow::Result<T> {
        self.things().remove(name).with_context(|| format!("there is nothing named {name:?}"))
    }

    /// Looks at a thing.
    pub(super) fn with<R>(&self, name: &str, look: impl FnOnce(&T) -> R) -> anyhow::Result<R> {
        let things = self.things();
        let thing = things.get(name).with_context(|| format!("there is nothing named {name:?}"))?;
        Ok(look(thing))
    }

    fn things(&self) -> MutexGuard<'_, HashMap<String, T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
