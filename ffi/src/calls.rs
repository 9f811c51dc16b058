//! Calls that run for a while, and their handles.

#![allow(unsafe_code, reason = "exported symbols")]

use crate::answer::Answer;
use crate::boundary;
use crate::callback::{DestroyFn, LostFn, User};
use crate::client::{Client, What, duration, timed_out};
use crate::fault::{Error, Fault};
use crate::handles::CallHandle;
use crate::input::Out;
use crate::objects;
use quorate::client::within;
use quorate_bridge::Outcome;
use std::ffi::c_void;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

/// A call that can be cancelled, under a handle that ends with it.
#[derive(Default)]
pub(crate) struct Call(OnceLock<quorate_bridge::Call>);

/// Ends the handle of a call together with the call.
struct Ending {
    client: Arc<Client>,
    handle: u64,
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.client.disown(self.handle);
        objects::discard(self.handle);
    }
}

/// Runs a call until its time limit. `place` gets its handle, if somebody wants it.
pub(crate) fn start(
    client: &Arc<Client>,
    token: u64,
    (limit, operation, path): (i64, &str, &str),
    place: *mut u64,
    future: impl Future<Output = Result<Answer, Fault>> + Send + 'static,
) -> Result<(), Fault> {
    let wanted = !place.is_null();
    let place = Out::optional(place);
    place.set(0);
    let environment = Arc::clone(client.core.environment());
    let late = timed_out(limit, operation, path);
    let limited = async move {
        match duration(limit) {
            Some(limit) => within(&*environment, limit, future).await.unwrap_or(Err(late)),
            None => future.await,
        }
    };
    if !wanted {
        return client.run(token, limited).map(drop);
    }
    let call = Arc::new(Call::default());
    let ending = Ending { handle: client.adopt(Arc::clone(&call))?, client: Arc::clone(client) };
    let handle = ending.handle;
    let running = client.run(token, async move {
        // Dropped with the future, which is before the result is told.
        let _ending = ending;
        limited.await
    })?;
    call.0.get_or_init(|| running);
    place.set(handle);
    Ok(())
}

/// Somebody who waits to be told of a loss.
pub(crate) struct Hook {
    call: quorate_bridge::Call,
    silent: Arc<AtomicBool>,
}

impl Hook {
    /// Nothing is told from now on.
    pub(crate) fn silence(&self) {
        // The call may be over already, on its way to be told.
        self.silent.store(true, Ordering::Release);
        self.call.cancel();
    }
}

/// Tells somebody, once, when something is lost; or when that can happen no more, by destroying the user pointer only.
pub(crate) fn tell_loss(
    client: &Arc<Client>,
    (function, user): (unsafe extern "C" fn(*mut c_void, i32), User),
    loss: impl Future<Output = i32> + Send + 'static,
) -> Result<Hook, Fault> {
    let silent = Arc::new(AtomicBool::new(false));
    let is_silent = Arc::clone(&silent);
    let call = client.run_told(loss, move |outcome| {
        What::Callback(Box::new(move || {
            if let Outcome::Done(reason) = outcome
                && !is_silent.load(Ordering::Acquire)
            {
                user.tell(function, reason);
            }
            drop(user);
        }))
    })?;
    Ok(Hook { call, silent })
}

/// What a caller hands over to be told of a loss.
pub(crate) fn lost_hook(
    function: LostFn,
    user: *mut c_void,
    destroy: DestroyFn,
) -> Result<(unsafe extern "C" fn(*mut c_void, i32), User), Fault> {
    let user = User::new(user, destroy);
    let function = function.ok_or_else(|| Error::argument("the function is NULL"))?;
    Ok((function, user))
}

/// Cancels a call: what it was after is given up, a place in a queue for example. Its result comes all the same: QUORATE_CANCELLED, or what it
/// was when this came too late.
///
/// From any thread, also in a callback; does not block. QUORATE_CLOSED when the call is over.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_call_cancel(call: CallHandle) -> i32 {
    boundary::on::<Call>(call, |call| {
        if let Some(running) = call.0.get() {
            running.cancel();
        }
        Ok(())
    })
}
