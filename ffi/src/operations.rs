//! The operations on nodes, blocking.

#![allow(unsafe_code, reason = "structs from C, and exported symbols")]

use crate::answer::{Answer, Outcome, Place};
use crate::boundary;
use crate::client::access::{Entry, acl};
use crate::client::wait_for;
use crate::fault::{Error, Fault};
use crate::handles::ClientHandle;
use crate::input::{self, WithSize};
use quorate::client::{CreateMode, CreateOptions};
use std::ffi::c_char;
use std::future::Future;
use std::time::Duration;

/// Stays until it is deleted.
pub const QUORATE_PERSISTENT: i32 = 0;
/// Ends with its session.
pub const QUORATE_EPHEMERAL: i32 = 1;
/// Persistent; the server appends a number to the name.
pub const QUORATE_PERSISTENT_SEQUENTIAL: i32 = 2;
/// Ephemeral; the server appends a number to the name.
pub const QUORATE_EPHEMERAL_SEQUENTIAL: i32 = 3;
/// Removed by the server some time after its last child.
pub const QUORATE_CONTAINER: i32 = 4;
/// Removed by the server when it has no children and was not changed for its time to live.
pub const QUORATE_PERSISTENT_TTL: i32 = 5;
/// The same; the server appends a number to the name.
pub const QUORATE_PERSISTENT_SEQUENTIAL_TTL: i32 = 6;

/// As a version: any will do.
pub const QUORATE_ANY_VERSION: i32 = -1;
/// As a time limit: none.
pub const QUORATE_NO_LIMIT: i64 = -1;

/// What a node is created with. Zeros are defaults: a persistent node, open to everybody.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct NodeOptions {
    /// sizeof(quorate_create_options).
    pub size: usize,
    /// QUORATE_PERSISTENT and so on.
    pub mode: i32,
    /// Zero.
    pub reserved: i32,
    /// Time to live, ms; for the modes that have one.
    pub ttl_ms: i64,
    /// Who may do what. NULL for everybody, everything.
    pub acl: *const Entry,
    /// How many entries; 0 for everybody, everything.
    pub acl_count: usize,
}

// SAFETY: `repr(C)`, begins with its size, zeros are valid.
unsafe impl WithSize for NodeOptions {}

/// What the options say.
pub(crate) fn create_options(options: *const NodeOptions) -> Result<CreateOptions, Fault> {
    let options = input::options(options, "the options")?;
    input::zero(options.reserved)?;
    let mode = match options.mode {
        QUORATE_PERSISTENT => CreateMode::Persistent,
        QUORATE_EPHEMERAL => CreateMode::Ephemeral,
        QUORATE_PERSISTENT_SEQUENTIAL => CreateMode::PersistentSequential,
        QUORATE_EPHEMERAL_SEQUENTIAL => CreateMode::EphemeralSequential,
        QUORATE_CONTAINER => CreateMode::Container,
        QUORATE_PERSISTENT_TTL => CreateMode::PersistentWithTtl,
        QUORATE_PERSISTENT_SEQUENTIAL_TTL => CreateMode::PersistentSequentialWithTtl,
        other => return Err(Error::argument(format!("{other} is no mode of a node"))),
    };
    let ttl = u64::try_from(options.ttl_ms)
        .map_err(|_| Error::argument("the time to live is negative"))?;
    let made = CreateOptions::new(mode).ttl(Duration::from_millis(ttl));
    Ok(match acl(options.acl, options.acl_count)? {
        Some(acl) => made.acl(acl),
        None => made,
    })
}

/// An expected version; `None` for any.
pub(crate) fn version(version: i32) -> Option<i32> {
    (version != QUORATE_ANY_VERSION).then_some(version)
}

/// Runs a blocking operation on a node, and leaves its result.
fn operate<T: Into<Answer>, F: Future<Output = quorate::client::Result<T>>>(
    client: u64,
    (operation, writes): (&str, bool),
    path: *const c_char,
    timeout_ms: i64,
    result: *mut Outcome,
    start: impl FnOnce(&quorate::client::Client, &str) -> Result<F, Fault>,
) -> i32 {
    boundary::on_node(client, (operation, path), |client, path| {
        let place = Place::new(result)?;
        let started = start(&client.core, path);
        place.leave(started.and_then(|it| wait_for(timeout_ms, (operation, path, writes), it)))
    })
}

/// Creates a node with `data_length` bytes of data. The result has its final path and its stat. `options` may be NULL; so may `data` when there
/// are none, and `result` when nobody wants it.
///
/// From any thread, also in a callback; blocks up to `timeout_ms` milliseconds, without limit for a negative number. After
/// QUORATE_TIMED_OUT the node may be there or not. QUORATE_NODE_EXISTS; QUORATE_NO_NODE for a missing parent;
/// QUORATE_NO_CHILDREN_FOR_EPHEMERALS, QUORATE_NO_AUTH, QUORATE_QUOTA_EXCEEDED, and what any operation may fail with:
/// QUORATE_CONNECTION_LOSS, QUORATE_SESSION_EXPIRED, QUORATE_CLOSING, QUORATE_THROTTLED_OP, QUORATE_BAD_ARGUMENTS.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_create(
    client: ClientHandle,
    path: *const c_char,
    data: *const u8,
    data_length: usize,
    options: *const NodeOptions,
    timeout_ms: i64,
    result: *mut Outcome,
) -> i32 {
    operate(client, ("create2", true), path, timeout_ms, result, |client, path| {
        let data = input::bytes(data, data_length, "the data")?;
        Ok(client.create(path, data, create_options(options)?))
    })
}

/// Reads a node. The result has its data and its stat.
///
/// From any thread, also in a callback; blocks up to `timeout_ms` milliseconds, without limit for a negative number.
/// QUORATE_NO_NODE, QUORATE_NO_AUTH, and what any operation may fail with (quorate_create).
#[unsafe(no_mangle)]
pub extern "C" fn quorate_get(
    client: ClientHandle,
    path: *const c_char,
    timeout_ms: i64,
    result: *mut Outcome,
) -> i32 {
    operate(client, ("getData", false), path, timeout_ms, result, |client, path| {
        Ok(client.get(path))
    })
}

/// Writes a node's data, if it has the version `version`; QUORATE_ANY_VERSION for any. The result, which may be NULL, has its stat.
///
/// From any thread, also in a callback; blocks up to `timeout_ms` milliseconds, without limit for a negative number. After
/// QUORATE_TIMED_OUT it may have happened or not. QUORATE_NO_NODE, QUORATE_BAD_VERSION, QUORATE_NO_AUTH,
/// QUORATE_QUOTA_EXCEEDED, and what any operation may fail with (quorate_create).
#[unsafe(no_mangle)]
pub extern "C" fn quorate_set(
    client: ClientHandle,
    path: *const c_char,
    data: *const u8,
    data_length: usize,
    expected: i32,
    timeout_ms: i64,
    result: *mut Outcome,
) -> i32 {
    operate(client, ("setData", true), path, timeout_ms, result, |client, path| {
        let data = input::bytes(data, data_length, "the data")?;
        Ok(client.set(path, data, version(expected)))
    })
}

/// Deletes a node without children, if it has the version `version`; QUORATE_ANY_VERSION for any.
///
/// From any thread, also in a callback; blocks up to `timeout_ms` milliseconds, without limit for a negative number. After
/// QUORATE_TIMED_OUT it may have happened or not. QUORATE_NO_NODE, QUORATE_BAD_VERSION, QUORATE_NOT_EMPTY, QUORATE_NO_AUTH, and what any
/// operation may fail with (quorate_create).
#[unsafe(no_mangle)]
pub extern "C" fn quorate_delete(
    client: ClientHandle,
    path: *const c_char,
    expected: i32,
    timeout_ms: i64,
) -> i32 {
    operate(client, ("delete", true), path, timeout_ms, std::ptr::null_mut(), |client, path| {
        Ok(client.delete(path, version(expected)))
    })
}

/// Asks whether a node exists. That it does not is no error: the result has `exists`, and the stat if there is one.
///
/// From any thread, also in a callback; blocks up to `timeout_ms` milliseconds, without limit for a negative number. Fails as any
/// operation may (quorate_create).
#[unsafe(no_mangle)]
pub extern "C" fn quorate_exists(
    client: ClientHandle,
    path: *const c_char,
    timeout_ms: i64,
    result: *mut Outcome,
) -> i32 {
    operate(client, ("exists", false), path, timeout_ms, result, |client, path| {
        Ok(client.exists(path))
    })
}

/// Lists a node's children. The result has their names and the node's stat.
///
/// From any thread, also in a callback; blocks up to `timeout_ms` milliseconds, without limit for a negative number.
/// QUORATE_NO_NODE, QUORATE_NO_AUTH, and what any operation may fail with (quorate_create).
#[unsafe(no_mangle)]
pub extern "C" fn quorate_children(
    client: ClientHandle,
    path: *const c_char,
    timeout_ms: i64,
    result: *mut Outcome,
) -> i32 {
    operate(client, ("getChildren2", false), path, timeout_ms, result, |client, path| {
        Ok(client.children(path))
    })
}

/// Waits until the server has caught up with its leader: a read that follows sees everything that was written anywhere before.
///
/// From any thread, also in a callback; blocks up to `timeout_ms` milliseconds, without limit for a negative number. Fails as any
/// operation may (quorate_create).
#[unsafe(no_mangle)]
pub extern "C" fn quorate_sync(client: ClientHandle, path: *const c_char, timeout_ms: i64) -> i32 {
    operate(client, ("sync", false), path, timeout_ms, std::ptr::null_mut(), |client, path| {
        Ok(client.sync(path))
    })
}
