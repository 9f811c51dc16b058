//! Transactions: several writes, all or nothing.

#![allow(unsafe_code, reason = "exported symbols")]

use crate::answer::{Answer, Outcome, Place};
use crate::boundary;
use crate::client::{Client, wait_for};
use crate::fault::{Error, Fault};
use crate::handles::{ClientHandle, MultiHandle};
use crate::input::{self, Out};
use crate::operations::{NodeOptions, create_options, version};
use crate::status::QUORATE_CLOSED;
use quorate::client::Transaction;
use std::ffi::c_char;
use std::sync::{Arc, Mutex, PoisonError};

/// A transaction that is being put together.
pub(crate) struct Multi {
    client: Arc<Client>,
    transaction: Mutex<Option<Transaction>>,
}

impl Multi {
    /// Gives a transaction a handle.
    pub(crate) fn open(client: &Arc<Client>, transaction: Transaction) -> Result<u64, Fault> {
        let transaction = Mutex::new(Some(transaction));
        client.adopt(Arc::new(Self { client: Arc::clone(client), transaction }))
    }

    fn take(&self) -> Result<Transaction, Fault> {
        let transaction = self.transaction.lock().unwrap_or_else(PoisonError::into_inner).take();
        transaction.ok_or_else(|| Error::new(QUORATE_CLOSED, "the multi was committed before"))
    }

    fn add(&self, add: impl FnOnce(Transaction) -> Transaction) -> Result<(), Fault> {
        let mut place = self.transaction.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = place.take();
        let transaction =
            transaction.ok_or_else(|| Error::new(QUORATE_CLOSED, "the multi was committed before"));
        *place = Some(add(transaction?));
        Ok(())
    }
}

/// Begins a transaction. It is put together by quorate_multi_create and so on, and happens when it is committed: all of it or nothing. Its
/// handle ends with quorate_multi_commit, quorate_multi_commit_async or quorate_multi_close.
///
/// From any thread, also in a callback; does not block.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_multi_open(client: ClientHandle, multi: *mut MultiHandle) -> i32 {
    boundary::on::<Client>(client, |client| {
        let place = Out::new(multi, 0, "the place for the multi")?;
        place.set(Multi::open(client, client.core.multi())?);
        Ok(())
    })
}

/// Adds a part that creates a node, as quorate_create. Path and data are copied.
///
/// From any thread, also in a callback; does not block.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_multi_create(
    multi: MultiHandle,
    path: *const c_char,
    data: *const u8,
    data_length: usize,
    options: *const NodeOptions,
) -> i32 {
    boundary::on::<Multi>(multi, |multi| {
        let path = input::text(path, "the path")?;
        let data = input::bytes(data, data_length, "the data")?;
        let options = create_options(options)?;
        multi.add(|transaction| transaction.create(path, data, options))
    })
}

/// Adds a part that writes a node's data, as quorate_set. Path and data are copied.
///
/// From any thread, also in a callback; does not block.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_multi_set(
    multi: MultiHandle,
    path: *const c_char,
    data: *const u8,
    data_length: usize,
    expected: i32,
) -> i32 {
    boundary::on::<Multi>(multi, |multi| {
        let path = input::text(path, "the path")?;
        let data = input::bytes(data, data_length, "the data")?;
        multi.add(|transaction| transaction.set(path, data, version(expected)))
    })
}

/// Adds a part that deletes a node, as quorate_delete. The path is copied.
///
/// From any thread, also in a callback; does not block.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_multi_delete(
    multi: MultiHandle,
    path: *const c_char,
    expected: i32,
) -> i32 {
    boundary::on::<Multi>(multi, |multi| {
        let path = input::text(path, "the path")?;
        multi.add(|transaction| transaction.delete(path, version(expected)))
    })
}

/// Adds a part that demands that a node exists, with the version `expected` unless that is QUORATE_ANY_VERSION. The path is copied.
///
/// From any thread, also in a callback; does not block.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_multi_check(
    multi: MultiHandle,
    path: *const c_char,
    expected: i32,
) -> i32 {
    boundary::on::<Multi>(multi, |multi| {
        let path = input::text(path, "the path")?;
        multi.add(|transaction| transaction.check(path, version(expected)))
    })
}

/// Carries the transaction out; its handle ends, whatever comes of it. The result, which may be NULL, has what each part did, in their order. When a
/// part fails nothing has happened, and quorate_error_part says which, quorate_error_path on what node.
///
/// From any thread, also in a callback; blocks up to `timeout_ms` milliseconds, without limit for a negative number. After
/// QUORATE_TIMED_OUT it may have happened or not. Fails as its parts do. Guarded by a lock or a leadership, it fails
/// with QUORATE_NO_NODE or QUORATE_SESSION_EXPIRED when that is lost.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_multi_commit(
    multi: MultiHandle,
    timeout_ms: i64,
    result: *mut Outcome,
) -> i32 {
    boundary::end::<Multi>(multi, |ended| {
        ended.client.disown(multi);
        let place = Place::new(result)?;
        let commit = ended.take()?.commit();
        place.leave(wait_for(timeout_ms, ("multi", "", true), commit))
    })
}

/// The same without waiting: the result comes with `token`, see quorate_create_async, though not in the order of other operations' results. It is
/// carried out in the order of the submissions.
///
/// From any thread, also in a callback; does not block.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_multi_commit_async(multi: MultiHandle, token: u64) -> i32 {
    boundary::end::<Multi>(multi, |ended| {
        ended.client.disown(multi);
        let commit = ended.take()?.commit();
        let result = async move { Ok(Answer::from(commit.await?)) };
        ended.client.run(token, result).map(drop)
    })
}

/// Ends a transaction that is not to happen.
///
/// From any thread, also in a callback; does not block.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_multi_close(multi: MultiHandle) -> i32 {
    boundary::end::<Multi>(multi, |ended| {
        ended.client.disown(multi);
        Ok(())
    })
}
