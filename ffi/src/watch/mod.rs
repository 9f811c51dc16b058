//! Watches: functions that are called with events. `persistent` has those that stay, `once` those that fire once.

#![allow(unsafe_code, reason = "structs from C, and exported symbols")]

pub mod once;
pub mod persistent;

use crate::answer::Answer;
use crate::boundary;
use crate::callback::{DestroyFn, Event, EventFn, User};
use crate::client::{Client, timed_out, wait};
use crate::fault::{Error, Fault};
use crate::handles::WatchHandle;
use crate::input::{self, WithSize, text_of};
use crate::objects;
use crate::status::QUORATE_OK;
use quorate::client::{EventType, Notice, Request, WatchKey};
use std::collections::HashMap;
use std::ffi::{CString, c_void};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, MutexGuard, OnceLock, PoisonError, Weak};

/// The node was created.
pub const QUORATE_EVENT_CREATED: i32 = 1;
/// The node was deleted.
pub const QUORATE_EVENT_DELETED: i32 = 2;
/// The node's data was set.
pub const QUORATE_EVENT_CHANGED: i32 = 3;
/// A child of the node came or went.
pub const QUORATE_EVENT_CHILDREN: i32 = 4;
/// Events may be missing here, because the connection was away or because too many waited: read the state again.
pub const QUORATE_EVENT_MISSED: i32 = 5;
/// The watch is over, with its session or its client; the event's status says why. Nothing follows.
pub const QUORATE_EVENT_ENDED: i32 = 6;

/// Who is told of events. Needed only during the call that it is given to.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Listener {
    /// sizeof(quorate_watcher).
    pub size: usize,
    /// Takes the events.
    pub event: EventFn,
    /// What it is given.
    pub user: *mut c_void,
    /// Destroys user, once: when the watch is over and no callback runs any more, also when it cannot be made, unless it is size that is wrong.
    /// May be NULL.
    pub destroy: DestroyFn,
}

// SAFETY: `repr(C)`, begins with its size, zeros are valid.
unsafe impl WithSize for Listener {}

/// The function and the user pointer of a watcher.
struct Hook {
    function: unsafe extern "C" fn(*mut c_void, *const Event),
    user: User,
}

impl Hook {
    /// What the caller hands over. From here on the user pointer is destroyed whatever happens, so this comes first.
    fn read(listener: *const Listener) -> Result<Self, Fault> {
        if listener.is_null() {
            return Err(Error::argument("the watcher is NULL"));
        }
        let listener = input::options(listener, "the watcher")?;
        let user = User::new(listener.user, listener.destroy);
        let function =
            listener.event.ok_or_else(|| Error::argument("the watcher has no function"))?;
        Ok(Self { function, user })
    }
}

/// How long a watch lasts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Life {
    /// It is over with one event.
    Once,
    /// Until it is closed.
    Lasting,
}

/// A watch under a handle.
pub(crate) struct Watch {
    client: Weak<Client>,
    token: u64,
    key: WatchKey,
    path: CString,
    life: Life,
    hook: Hook,
    handle: OnceLock<u64>,
    /// Its owner has closed it, or was told that there is none: what is still on the way is not for anybody.
    closed: AtomicBool,
}

impl Watch {
    fn is_last(&self, notice: &Notice) -> bool {
        self.life == Life::Once || matches!(notice, Notice::Ended(_))
    }

    fn handle(&self) -> u64 {
        self.handle.get().copied().unwrap_or(0)
    }

    /// Calls its owner.
    pub(crate) fn tell(&self, notice: &Notice) {
        if self.closed.load(Ordering::Acquire) {
            return;
        }
        let told = |kind, status, path: &CString, zxid| {
            let event = Event { kind, status, path: path.as_ptr(), zxid, watch: self.handle() };
            self.hook.user.event(self.hook.function, &event);
        };
        match notice {
            Notice::Changed { kind, path, zxid } => {
                let kind = match kind {
                    EventType::Created => QUORATE_EVENT_CREATED,
                    EventType::Deleted => QUORATE_EVENT_DELETED,
                    EventType::DataChanged => QUORATE_EVENT_CHANGED,
                    EventType::ChildrenChanged => QUORATE_EVENT_CHILDREN,
                };
                told(kind, QUORATE_OK, &text_of(path), zxid.unwrap_or(0));
            }
            Notice::Missed => told(QUORATE_EVENT_MISSED, QUORATE_OK, &self.path, 0),
            Notice::Ended(code) => told(QUORATE_EVENT_ENDED, code.code(), &self.path, 0),
        }
    }
}

/// A watch that is forgotten again unless it is kept.
struct Unregistered {
    client: Arc<Client>,
    watch: Arc<Watch>,
    kept: bool,
}

impl Unregistered {
    /// Lets it be; answers its handle.
    fn keep(mut self) -> u64 {
        self.kept = true;
        self.watch.handle()
    }
}

impl Drop for Unregistered {
    fn drop(&mut self) {
        if !self.kept {
            self.client.forget_watch(self.watch.token);
        }
    }
}

impl Client {
    /// Makes a watch, which a request is to register.
    fn new_watch(
        self: &Arc<Self>,
        hook: Hook,
        path: &str,
        life: Life,
    ) -> Result<Unregistered, Fault> {
        static TOKENS: AtomicU64 = AtomicU64::new(1);
        self.will_tell()?;
        let token = TOKENS.fetch_add(1, Ordering::Relaxed);
        let key = match life {
            Life::Once => self.core.watch_once_to(&self.inbox, token),
            Life::Lasting => self.core.watch_to(&self.inbox, token),
        };
        let watch = Arc::new(Watch {
            client: Arc::downgrade(self),
            token,
            key,
            path: text_of(path),
            life,
            hook,
            handle: OnceLock::new(),
            closed: AtomicBool::new(false),
        });
        self.all_watches().insert(token, Arc::clone(&watch));
        let made = Unregistered { client: Arc::clone(self), watch, kept: false };
        let handle = self.adopt(Arc::clone(&made.watch))?;
        made.watch.handle.get_or_init(|| handle);
        Ok(made)
    }

    fn all_watches(&self) -> MutexGuard<'_, HashMap<u64, Arc<Watch>>> {
        self.watches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The watch that a notice is for; with its last notice it is over.
    pub(crate) fn watch_of(&self, token: u64, notice: &Notice) -> Option<Arc<Watch>> {
        let watch = Arc::clone(self.all_watches().get(&token)?);
        if watch.is_last(notice) {
            self.all_watches().remove(&token);
            self.end_handle(&watch);
        }
        Some(watch)
    }

    /// The handle of a watch.
    pub(crate) fn watch_handle(&self, token: u64) -> u64 {
        self.all_watches().get(&token).map_or(0, |watch| watch.handle())
    }

    /// Ends a watch that is wanted no more, or could not be registered.
    pub(crate) fn forget_watch(&self, token: u64) {
        let watch = self.all_watches().remove(&token);
        if let Some(watch) = watch {
            watch.closed.store(true, Ordering::Release);
            self.core.remove_watch(watch.key);
            self.end_handle(&watch);
        }
    }

    fn end_handle(&self, watch: &Watch) {
        if let Some(handle) = watch.handle.get() {
            self.disown(*handle);
            objects::discard(*handle);
        }
    }

    /// Makes a watch, registers it and waits for the answer.
    fn watch_and_wait<'a>(
        self: &Arc<Self>,
        hook: Hook,
        (path, life): (&'a str, Life),
        limit: i64,
        request: impl FnOnce(WatchKey) -> Request<'a>,
    ) -> Result<Answer, Fault> {
        let made = self.new_watch(hook, path, life)?;
        let request = request(made.watch.key);
        let reply = self.registrar.register(self, &request)?;
        let reply = wait(limit, reply);
        let reply = reply.ok_or_else(|| timed_out(limit, request.op().name(), path))?;
        let mut answer = Answer::from(reply?);
        answer.handle = made.keep();
        Ok(answer)
    }

    /// Makes a watch and submits its registration.
    fn watch_and_submit<'a>(
        self: &Arc<Self>,
        hook: Hook,
        (path, life): (&'a str, Life),
        token: u64,
        request: impl FnOnce(WatchKey) -> Request<'a>,
    ) -> Result<(), Fault> {
        let made = self.new_watch(hook, path, life)?;
        self.submit(token, Some(made.watch.token), &request(made.watch.key))?;
        made.keep();
        Ok(())
    }
}

/// Ends a watch, on the server too. Its user pointer is destroyed when no callback runs any more: at once, or, when one is running
/// on another thread or this is called in it, when that has returned. A one-shot watch that has fired is closed already.
///
/// From any thread, also in a callback; does not block.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_watch_close(watch: WatchHandle) -> i32 {
    boundary::end::<Watch>(watch, |watch| {
        if let Some(client) = watch.client.upgrade() {
            client.forget_watch(watch.token);
        }
        Ok(())
    })
}
