//! Reads that leave a one-shot watch.

#![allow(unsafe_code, reason = "exported symbols")]

use super::{Hook, Life, Listener};
use crate::answer::{Outcome, Place};
use crate::boundary;
use crate::handles::ClientHandle;
use quorate::client::{Request, WatchKey};
use std::ffi::c_char;

/// A read: ZooKeeper's name for it, and its request.
struct Read {
    operation: &'static str,
    request: for<'a> fn(&'a str, WatchKey) -> Request<'a>,
}

const GET: Read =
    Read { operation: "getData", request: |path, watch| Request::Get { path, watch: Some(watch) } };
const EXISTS: Read = Read {
    operation: "exists",
    request: |path, watch| Request::Exists { path, watch: Some(watch) },
};
const CHILDREN: Read = Read {
    operation: "getChildren2",
    request: |path, watch| Request::Children { path, watch: Some(watch) },
};

/// Reads, and waits for the result.
fn read_and_watch(
    client: u64,
    path: *const c_char,
    watcher: *const Listener,
    timeout_ms: i64,
    result: *mut Outcome,
    read: &Read,
) -> i32 {
    let hook = || Hook::read(watcher);
    boundary::on_node_given(client, (read.operation, path), hook, |client, path, hook| {
        let place = Place::new(result)?;
        let request = |watch| (read.request)(path, watch);
        place.leave(client.watch_and_wait(hook, (path, Life::Once), timeout_ms, request))
    })
}

/// Reads, without waiting.
fn submit_and_watch(
    client: u64,
    path: *const c_char,
    watcher: *const Listener,
    token: u64,
    read: &Read,
) -> i32 {
    let hook = || Hook::read(watcher);
    boundary::on_node_given(client, (read.operation, path), hook, |client, path, hook| {
        let request = |watch| (read.request)(path, watch);
        client.watch_and_submit(hook, (path, Life::Once), token, request)
    })
}

/// As quorate_get, leaving a one-shot watch: it fires once, for the node's change or deletion, and is over. The result has it as its
/// `handle`, too.
///
/// From any thread, also in a callback; blocks up to `timeout_ms` milliseconds, without limit for a negative number. The function
/// may be called before this returns. When it fails there is no watch, and user has been destroyed.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_get_and_watch(
    client: ClientHandle,
    path: *const c_char,
    watcher: *const Listener,
    timeout_ms: i64,
    result: *mut Outcome,
) -> i32 {
    read_and_watch(client, path, watcher, timeout_ms, result, &GET)
}

/// As quorate_get_and_watch, without waiting. See quorate_create_async.
///
/// From any thread, also in a callback; does not block.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_get_and_watch_async(
    client: ClientHandle,
    path: *const c_char,
    watcher: *const Listener,
    token: u64,
) -> i32 {
    submit_and_watch(client, path, watcher, token, &GET)
}

/// As quorate_exists, leaving a one-shot watch: it fires once, for the node's creation, change or deletion, and is over. The result has
/// it as its `handle`, too.
///
/// From any thread, also in a callback; blocks up to `timeout_ms` milliseconds, without limit for a negative number. The function
/// may be called before this returns. When it fails there is no watch, and user has been destroyed.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_exists_and_watch(
    client: ClientHandle,
    path: *const c_char,
    watcher: *const Listener,
    timeout_ms: i64,
    result: *mut Outcome,
) -> i32 {
    read_and_watch(client, path, watcher, timeout_ms, result, &EXISTS)
}

/// As quorate_exists_and_watch, without waiting. See quorate_create_async.
///
/// From any thread, also in a callback; does not block.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_exists_and_watch_async(
    client: ClientHandle,
    path: *const c_char,
    watcher: *const Listener,
    token: u64,
) -> i32 {
    submit_and_watch(client, path, watcher, token, &EXISTS)
}

/// As quorate_children, leaving a one-shot watch: it fires once, for a child that comes or goes, or the node's deletion, and is over. The
/// result has it as its `handle`, too.
///
/// From any thread, also in a callback; blocks up to `timeout_ms` milliseconds, without limit for a negative number. The function
/// may be called before this returns. When it fails there is no watch, and user has been destroyed.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_children_and_watch(
    client: ClientHandle,
    path: *const c_char,
    watcher: *const Listener,
    timeout_ms: i64,
    result: *mut Outcome,
) -> i32 {
    read_and_watch(client, path, watcher, timeout_ms, result, &CHILDREN)
}

/// As quorate_children_and_watch, without waiting. See quorate_create_async.
///
/// From any thread, also in a callback; does not block.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_children_and_watch_async(
    client: ClientHandle,
    path: *const c_char,
    watcher: *const Listener,
    token: u64,
) -> i32 {
    submit_and_watch(client, path, watcher, token, &CHILDREN)
}
