//! Watches that stay.

#![allow(unsafe_code, reason = "exported symbols")]

use super::{Hook, Life, Listener};
use crate::boundary;
use crate::fault::{Error, Fault};
use crate::handles::{ClientHandle, WatchHandle};
use crate::input::Out;
use quorate::client::Request;
use std::ffi::c_char;

/// A persistent watch on one node: its data, its creation and deletion, its children.
pub const QUORATE_WATCH_NODE: i32 = 0;
/// A persistent watch on a node and everything below it: data, creations, deletions.
pub const QUORATE_WATCH_RECURSIVE: i32 = 1;

fn is_recursive(mode: i32) -> Result<bool, Fault> {
    match mode {
        QUORATE_WATCH_NODE => Ok(false),
        QUORATE_WATCH_RECURSIVE => Ok(true),
        other => Err(Error::argument(format!("{other} is no mode of a watch"))),
    }
}

/// Watches a node or a subtree until the watch is closed: `mode` is QUORATE_WATCH_NODE or QUORATE_WATCH_RECURSIVE. Over a reconnect it is
/// kept, and QUORATE_EVENT_MISSED says that events may be missing. The node need not exist.
///
/// From any thread, also in a callback; blocks up to `timeout_ms` milliseconds, without limit for a negative number. The function
/// may be called before this returns. When it fails there is no watch, and user has been destroyed. QUORATE_NO_AUTH, and
/// what any operation may fail with (quorate_create).
#[unsafe(no_mangle)]
pub extern "C" fn quorate_watch(
    client: ClientHandle,
    path: *const c_char,
    mode: i32,
    watcher: *const Listener,
    timeout_ms: i64,
    watch: *mut WatchHandle,
) -> i32 {
    let hook = || Hook::read(watcher);
    boundary::on_node_given(client, ("addWatch", path), hook, |client, path, hook| {
        let place = Out::new(watch, 0, "the place for the watch")?;
        let recursive = is_recursive(mode)?;
        let request = |watch| Request::AddWatch { path, recursive, watch };
        place.set(client.watch_and_wait(hook, (path, Life::Lasting), timeout_ms, request)?.handle);
        Ok(())
    })
}

/// As quorate_watch, without waiting: the result has the watch as its `handle`. See quorate_create_async.
///
/// From any thread, also in a callback; does not block.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_watch_async(
    client: ClientHandle,
    path: *const c_char,
    mode: i32,
    watcher: *const Listener,
    token: u64,
) -> i32 {
    let hook = || Hook::read(watcher);
    boundary::on_node_given(client, ("addWatch", path), hook, |client, path, hook| {
        let recursive = is_recursive(mode)?;
        let request = |watch| Request::AddWatch { path, recursive, watch };
        client.watch_and_submit(hook, (path, Life::Lasting), token, request)
    })
}
