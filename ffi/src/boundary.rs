//! The gate between C and Rust. Every exported function goes through one of these.
//!
//! **Architecture Invariant:** no panic passes. It becomes `QUORATE_PANICKED`, and whatever handle was worked on can only be closed
//! any more.

use crate::client::Client;
use crate::fault::{Error, Fault, remember};
use crate::input;
use crate::objects::{self, Handled};
use crate::status::{QUORATE_CLOSED, QUORATE_CLOSING, QUORATE_OK, QUORATE_PANICKED};
use quorate_bridge::guarded;
use std::ffi::c_char;
use std::sync::Arc;

/// A call that has no handle to work on.
pub(crate) fn call(work: impl FnOnce() -> Result<(), Fault>) -> i32 {
    finish(guarded(work), || {})
}

/// A call that works on a handle.
pub(crate) fn on<H: Handled>(handle: u64, work: impl FnOnce(&Arc<H>) -> Result<(), Fault>) -> i32 {
    on_given(handle, || Ok(()), |object, ()| work(object))
}

/// A call that works on a node by way of a client. One that is closed answers as every client does: `QUORATE_CLOSING`.
pub(crate) fn on_node(
    client: u64,
    node: (&str, *const c_char),
    work: impl FnOnce(&Arc<Client>, &str) -> Result<(), Fault>,
) -> i32 {
    on_node_given(client, node, || Ok(()), |client, path, ()| work(client, path))
}

/// The same, with something that was handed over and must be taken care of whatever the rest is.
pub(crate) fn on_node_given<G>(
    client: u64,
    (operation, path): (&str, *const c_char),
    given: impl FnOnce() -> Result<G, Fault>,
    work: impl FnOnce(&Arc<Client>, &str, G) -> Result<(), Fault>,
) -> i32 {
    let work = || {
        let given = given()?;
        let path = input::text(path, "the path")?;
        match objects::get::<Client>(client) {
            Ok(client) => work(&client, path, given),
            Err(fault) if fault.status == QUORATE_CLOSED => {
                let text = "the client is closed";
                Err(Error::during(QUORATE_CLOSING, operation, path, text))
            }
            Err(fault) => Err(fault),
        }
    };
    finish(guarded(work), || objects::poison::<Client>(client))
}

/// A call that works on a handle, with something that was handed over and must be taken care of even if the handle means nothing.
pub(crate) fn on_given<H: Handled, G>(
    handle: u64,
    given: impl FnOnce() -> Result<G, Fault>,
    work: impl FnOnce(&Arc<H>, G) -> Result<(), Fault>,
) -> i32 {
    let work = || {
        let given = given()?;
        objects::get::<H>(handle).and_then(|object| work(&object, given))
    };
    finish(guarded(work), || objects::poison::<H>(handle))
}

/// A call that ends a handle: it means nothing any more, whatever the call's outcome is.
pub(crate) fn end<H: Handled>(handle: u64, work: impl FnOnce(Arc<H>) -> Result<(), Fault>) -> i32 {
    finish(guarded(|| objects::remove::<H>(handle).and_then(work)), || {})
}

/// A call that closes a handle in its own way; also one on which another call has panicked.
pub(crate) fn closing<H: Handled>(
    handle: u64,
    work: impl FnOnce(&Arc<H>) -> Result<(), Fault>,
) -> i32 {
    let work = || objects::get_poisoned::<H>(handle).and_then(|object| work(&object));
    finish(guarded(work), || objects::poison::<H>(handle))
}

/// A call that has no status, with its answer in case of a panic.
pub(crate) fn plain<T>(fallback: T, work: impl FnOnce() -> T) -> T {
    guarded(work).unwrap_or(fallback)
}

fn finish(outcome: Result<Result<(), Fault>, String>, poison: impl FnOnce()) -> i32 {
    match outcome {
        Ok(Ok(())) => QUORATE_OK,
        Ok(Err(fault)) => remember(fault),
        Err(panic) => {
            poison();
            remember(Error::new(QUORATE_PANICKED, format!("a defect of this library: {panic}")))
        }
    }
}
