//! The exclusive lock, and what is held.

#![allow(unsafe_code, reason = "structs from C, and exported symbols")]

use crate::answer::Answer;
use crate::boundary;
use crate::callback::{DestroyFn, LostFn};
use crate::calls::{self, Hook, lost_hook, tell_loss};
use crate::client::{Client, timed_out, wait};
use crate::fault::{Error, Fault};
use crate::handles::{CallHandle, ClientHandle, HeldHandle, MultiHandle};
use crate::input::{self, Out, WithSize};
use crate::multi::Multi;
use crate::objects;
use crate::status::{QUORATE_BUSY, QUORATE_CLOSED, QUORATE_LOST};
use quorate::recipes::kit::{self, Loss};
use quorate::recipes::layout::lock::Mode;
use quorate::recipes::lock::Lock;
use std::ffi::{c_char, c_void};
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Excludes Curator, go-zookeeper and our own; kazoo only if it has the extra pattern `-lock-`.
pub const QUORATE_LOCK_CURATOR: i32 = 0;
/// Excludes kazoo and go-zookeeper; Curator does not yield.
pub const QUORATE_LOCK_KAZOO: i32 = 1;
/// Two nodes: excludes all of them.
pub const QUORATE_LOCK_BRIDGE: i32 = 2;

/// Its session was lost or closed.
pub const QUORATE_LOST_SESSION: i32 = 1;
/// Somebody deleted its node.
pub const QUORATE_LOST_DELETED: i32 = 2;
/// A term is over: by the connection, the session, or the candidate's leaving.
pub const QUORATE_LOST_TERM: i32 = 3;

/// How a lock is taken. Zeros are defaults.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct LockOptions {
    /// sizeof(quorate_lock_options).
    pub size: usize,
    /// QUORATE_LOCK_CURATOR and so on: which other clients are excluded.
    pub layout: i32,
    /// Zero.
    pub reserved: i32,
    /// What stands in the node, for others to see who holds or waits. NULL for nothing.
    pub data: *const u8,
    /// Bytes of it.
    pub data_length: usize,
}

// SAFETY: `repr(C)`, begins with its size, zeros are valid.
unsafe impl WithSize for LockOptions {}

/// A lock that is held, under a handle.
pub(crate) struct Held {
    client: Arc<Client>,
    state: Mutex<State>,
    token: i64,
}

struct State {
    /// Absent when it was released.
    held: Option<kit::Held>,
    /// Who waits to be told of the loss.
    hooks: Vec<Hook>,
}

impl Held {
    fn open(client: &Arc<Client>, held: kit::Held) -> Result<u64, Fault> {
        let token = held.token();
        let state = Mutex::new(State { held: Some(held), hooks: Vec::new() });
        objects::insert(Arc::new(Self { client: Arc::clone(client), state, token }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, work: impl FnOnce(&kit::Held) -> T) -> Result<T, Fault> {
        let state = self.state();
        let held = state.held.as_ref();
        held.map(work).ok_or_else(|| Error::new(QUORATE_CLOSED, "the lock was released before"))
    }

    /// Gives the lock up: nobody is told of its loss any more.
    fn take(&self) -> Result<kit::Held, Fault> {
        let mut state = self.state();
        state.hooks.drain(..).for_each(|hook| hook.silence());
        let held = state.held.take();
        held.ok_or_else(|| Error::new(QUORATE_CLOSED, "the lock was released before"))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.state().hooks.drain(..).for_each(|hook| hook.silence());
    }
}

fn lock(client: &Client, path: &str, options: *const LockOptions) -> Result<Lock, Fault> {
    let options = input::options(options, "the options")?;
    input::zero(options.reserved)?;
    let mode = match options.layout {
        QUORATE_LOCK_CURATOR => Mode::Curator,
        QUORATE_LOCK_KAZOO => Mode::Kazoo { yields_to_curator: false },
        QUORATE_LOCK_BRIDGE => Mode::Bridge,
        other => return Err(Error::argument(format!("{other} is no layout of a lock"))),
    };
    let data = input::bytes(options.data, options.data_length, "the data")?;
    Ok(Lock::new(&client.core, path).mode(mode).data(data))
}

const fn reason(loss: Loss) -> i32 {
    match loss {
        Loss::Session => QUORATE_LOST_SESSION,
        Loss::Deleted => QUORATE_LOST_DELETED,
    }
}

/// Takes the lock at `path`: waits in a fair queue until it is held, `timeout_ms` milliseconds at most, without limit for a negative number. Who
/// gives up leaves no place in the queue. The path is created when it is missing; `options` may be NULL. The lock is held until
/// quorate_held_release, or until it is lost with its session.
///
/// From any thread, also in a callback; blocks. QUORATE_TIMED_OUT, QUORATE_CLOSING, QUORATE_NO_AUTH.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_lock_acquire(
    client: ClientHandle,
    path: *const c_char,
    options: *const LockOptions,
    timeout_ms: i64,
    held: *mut HeldHandle,
) -> i32 {
    boundary::on_node(client, ("lock", path), |client, path| {
        let place = Out::new(held, 0, "the place for the lock")?;
        let lock = lock(client, path, options)?;
        let acquired = wait(timeout_ms, lock.acquire());
        let held = acquired.ok_or_else(|| timed_out(timeout_ms, "lock", path))??;
        place.set(Held::open(client, held)?);
        Ok(())
    })
}

/// Takes the lock if nobody holds it or waits for it: otherwise QUORATE_BUSY.
///
/// From any thread, also in a callback; blocks for the answers of the server, `timeout_ms` milliseconds at most. Otherwise as
/// quorate_lock_acquire.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_lock_try_acquire(
    client: ClientHandle,
    path: *const c_char,
    options: *const LockOptions,
    timeout_ms: i64,
    held: *mut HeldHandle,
) -> i32 {
    boundary::on_node(client, ("lock", path), |client, path| {
        let place = Out::new(held, 0, "the place for the lock")?;
        let lock = lock(client, path, options)?;
        let tried = wait(timeout_ms, lock.try_acquire());
        let held = tried.ok_or_else(|| timed_out(timeout_ms, "lock", path))??;
        let held = held.ok_or_else(|| {
            Error::during(QUORATE_BUSY, "lock", path, "somebody else holds it or waits for it")
        })?;
        place.set(Held::open(client, held)?);
        Ok(())
    })
}

/// As quorate_lock_acquire, without waiting: the result comes with `token` and has the held lock as its `handle`. `call`, which may be NULL,
/// gets a handle to cancel it with; it ends by itself.
///
/// From any thread, also in a callback; does not block.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_lock_acquire_async(
    client: ClientHandle,
    path: *const c_char,
    options: *const LockOptions,
    timeout_ms: i64,
    token: u64,
    call: *mut CallHandle,
) -> i32 {
    boundary::on_node(client, ("lock", path), |client, path| {
        let (lock, owner) = (lock(client, path, options)?, Arc::clone(client));
        calls::start(client, token, (timeout_ms, "lock", path), call, async move {
            Ok(Answer::of_handle(Held::open(&owner, lock.acquire().await?)?))
        })
    })
}

/// The fencing token: greater than that of every earlier holder. Hand it on with what is done under the lock, and let the receiver refuse a
/// smaller one than it has seen.
///
/// From any thread, also in a callback; does not block.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_held_token(held: HeldHandle, token: *mut i64) -> i32 {
    boundary::on::<Held>(held, |held| Out::new(token, held.token, "the token's place").map(drop))
}

/// Writes the path of the lock's node, with a NUL, into `buffer`, which has room for `capacity` bytes.
///
/// From any thread, also in a callback; does not block. QUORATE_INVALID_ARGUMENT when it does not fit.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_held_path(held: HeldHandle, buffer: *mut c_char, capacity: usize) -> i32 {
    boundary::on::<Held>(held, |held| {
        match input::copy_text(&held.with(kit::Held::path)?, buffer, capacity) {
            true => Ok(()),
            false => Err(Error::argument("the buffer is NULL or too small")),
        }
    })
}

/// QUORATE_OK while the lock is held, QUORATE_LOST when it is lost, by the local clock: right at once, also after a pause of the whole
/// process.
///
/// From any thread, also in a callback; does not block, and costs no request.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_held_check(held: HeldHandle) -> i32 {
    boundary::on::<Held>(held, |held| match held.with(kit::Held::is_held)? {
        true => Ok(()),
        false => Err(Error::new(QUORATE_LOST, "the lock is lost")),
    })
}

/// Begins a transaction that happens only while the lock is held: see quorate_multi_open.
///
/// From any thread, also in a callback; does not block.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_held_guarded(held: HeldHandle, multi: *mut MultiHandle) -> i32 {
    boundary::on::<Held>(held, |held| {
        let place = Out::new(multi, 0, "the place for the multi")?;
        place.set(Multi::open(&held.client, held.with(kit::Held::guarded)?)?);
        Ok(())
    })
}

/// Has `lost` called once when the lock is lost: no later than the session timeout, by the local clock, after the last contact with a server. When
/// it is released nothing is called. In any case `user` is destroyed in the end, also when this fails.
///
/// From any thread, also in a callback; does not block.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_held_on_lost(
    held: HeldHandle,
    lost: LostFn,
    user: *mut c_void,
    destroy: DestroyFn,
) -> i32 {
    boundary::on_given::<Held, _>(
        held,
        || lost_hook(lost, user, destroy),
        |held, hook| {
            let loss = held.with(kit::Held::lost)?;
            let hook = tell_loss(&held.client, hook, async move { reason(loss.await) })?;
            let mut state = held.state();
            match state.held {
                Some(_) => state.hooks.push(hook),
                // Released meanwhile.
                None => hook.silence(),
            }
            Ok(())
        },
    )
}

/// Waits until the lock is lost, and says why: QUORATE_OK and `QUORATE_LOST_…` in `reason`, which may be NULL. QUORATE_TIMED_OUT when it
/// is still held after `timeout_ms` milliseconds.
///
/// From any thread, also in a callback; blocks, without limit for a negative number.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_held_wait_lost(held: HeldHandle, timeout_ms: i64, why: *mut i32) -> i32 {
    boundary::on::<Held>(held, |held| {
        let loss = held.with(kit::Held::lost)?;
        wait_lost(timeout_ms, why, async move { reason(loss.await) })
    })
}

pub(crate) fn wait_lost(
    limit: i64,
    why: *mut i32,
    loss: impl Future<Output = i32>,
) -> Result<(), Fault> {
    let reason = wait(limit, loss).ok_or_else(|| timed_out(limit, "lost", ""))?;
    Out::optional(why).set(reason);
    Ok(())
}

/// Releases the lock, and waits until its node is gone or its session is. The handle ends in any case; what could not be done in time is done in the
/// background.
///
/// From any thread, also in a callback; blocks up to `timeout_ms` milliseconds, without limit for a negative number. QUORATE_TIMED_OUT,
/// QUORATE_NO_AUTH.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_held_release(held: HeldHandle, timeout_ms: i64) -> i32 {
    boundary::end::<Held>(held, |ended| {
        let release = ended.take()?.release();
        Ok(wait(timeout_ms, release).ok_or_else(|| timed_out(timeout_ms, "release", ""))??)
    })
}

/// The same without waiting: the result comes with `token`.
///
/// From any thread, also in a callback; does not block.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_held_release_async(held: HeldHandle, token: u64) -> i32 {
    boundary::end::<Held>(held, |ended| {
        let release = ended.take()?.release();
        ended.client.run(token, async move { Ok(release.await?.into()) }).map(drop)
    })
}
