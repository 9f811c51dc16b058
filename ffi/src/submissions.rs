//! The operations on nodes, asynchronous: their results are told with the caller's token.

#![allow(unsafe_code, reason = "exported symbols")]

use crate::boundary;
use crate::handles::ClientHandle;
use crate::input;
use crate::operations::{NodeOptions, create_options};
use quorate::client::{Create, Request};
use std::ffi::c_char;

/// As quorate_create, without waiting: the result comes with `token`, in the order of the submissions, to the client's completion function or to
/// quorate_client_poll. Path and data are copied. Nothing can take an operation back that was submitted; when this fails, nothing
/// was, and no result follows.
///
/// From any thread, also in a callback; does not block. QUORATE_INVALID_ARGUMENT when the client has no way to tell results;
/// QUORATE_THROTTLED_OP when too many are under way; QUORATE_CLOSING, QUORATE_SESSION_EXPIRED, QUORATE_BAD_ARGUMENTS.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_create_async(
    client: ClientHandle,
    path: *const c_char,
    data: *const u8,
    data_length: usize,
    options: *const NodeOptions,
    token: u64,
) -> i32 {
    boundary::on_node(client, ("create2", path), |client, path| {
        let data = input::bytes(data, data_length, "the data")?;
        let options = create_options(options)?;
        let ttl = i64::try_from(options.ttl.as_millis()).unwrap_or(i64::MAX);
        let create = Create { path, data, acl: &options.acl, mode: options.mode, ttl };
        client.submit(token, None, &Request::Create(create))
    })
}

/// As quorate_get, without waiting. See quorate_create_async.
///
/// From any thread, also in a callback; does not block.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_get_async(client: ClientHandle, path: *const c_char, token: u64) -> i32 {
    boundary::on_node(client, ("getData", path), |client, path| {
        client.submit(token, None, &Request::Get { path, watch: None })
    })
}

/// As quorate_set, without waiting. See quorate_create_async.
///
/// From any thread, also in a callback; does not block.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_set_async(
    client: ClientHandle,
    path: *const c_char,
    data: *const u8,
    data_length: usize,
    expected: i32,
    token: u64,
) -> i32 {
    boundary::on_node(client, ("setData", path), |client, path| {
        let data = input::bytes(data, data_length, "the data")?;
        client.submit(token, None, &Request::Set { path, data, version: expected })
    })
}

/// As quorate_delete, without waiting. See quorate_create_async.
///
/// From any thread, also in a callback; does not block.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_delete_async(
    client: ClientHandle,
    path: *const c_char,
    expected: i32,
    token: u64,
) -> i32 {
    boundary::on_node(client, ("delete", path), |client, path| {
        client.submit(token, None, &Request::Delete { path, version: expected })
    })
}

/// As quorate_exists, without waiting. See quorate_create_async.
///
/// From any thread, also in a callback; does not block.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_exists_async(
    client: ClientHandle,
    path: *const c_char,
    token: u64,
) -> i32 {
    boundary::on_node(client, ("exists", path), |client, path| {
        client.submit(token, None, &Request::Exists { path, watch: None })
    })
}

/// As quorate_children, without waiting. See quorate_create_async.
///
/// From any thread, also in a callback; does not block.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_children_async(
    client: ClientHandle,
    path: *const c_char,
    token: u64,
) -> i32 {
    boundary::on_node(client, ("getChildren2", path), |client, path| {
        client.submit(token, None, &Request::Children { path, watch: None })
    })
}

/// As quorate_sync, without waiting. See quorate_create_async.
///
/// From any thread, also in a callback; does not block.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_sync_async(client: ClientHandle, path: *const c_char, token: u64) -> i32 {
    boundary::on_node(client, ("sync", path), |client, path| {
        client.submit(token, None, &Request::Sync { path })
    })
}
