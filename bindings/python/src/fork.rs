//! What a forked process has of its parent's handles: nothing that may be touched. Their threads exist only in the parent, and any of their
//! locks may be held by one of them for ever. Handles made in the child are its own and work.

use pyo3::exceptions::PyRuntimeError;
use pyo3::{PyResult, pyfunction};
use std::sync::atomic::{AtomicU32, Ordering};

/// How many forks lie between the first process and this one.
static FORKS: AtomicU32 = AtomicU32::new(0);

/// Called in the child of a fork.
#[pyfunction]
pub(crate) fn forked() {
    FORKS.fetch_add(1, Ordering::AcqRel);
}

/// Something with threads or locks behind it. In a process that was forked from its own it cannot be reached, and is never dropped.
#[derive(Debug)]
pub(crate) struct Kept<T> {
    value: Option<T>,
    forks: u32,
}

impl<T> Kept<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { value: Some(value), forks: FORKS.load(Ordering::Acquire) }
    }

    pub(crate) fn get(&self) -> PyResult<&T> {
        match &self.value {
            Some(value) if !self.is_inherited() => Ok(value),
            _ => Err(PyRuntimeError::new_err(
                "this belongs to the process that this one was forked from: open another here",
            )),
        }
    }

    fn is_inherited(&self) -> bool {
        self.forks != FORKS.load(Ordering::Acquire)
    }
}

impl<T> Drop for Kept<T> {
    fn drop(&mut self) {
        if self.is_inherited() {
            std::mem::forget(self.value.take());
        }
    }
}
