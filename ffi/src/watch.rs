//! Watches: functions that are called with events.

#![allow(unsafe_code, reason = "structs from C, and exported symbols")]

use crate::answer::{Answer, Outcome, Place};
use crate::boundary;
use crate::callback::{DestroyFn, Event, EventFn, User};
use crate::client::{Client, timed_out, wait};
use crate::fault::{Error, Fault};
use crate::handles::{ClientHandle, WatchHandle};
use crate::input::{self, Out, WithSize, text_of};
use crate::objects;
use crate::status::QUORATE_OK;
use quorate::client::{EventType, Notice, Request, WatchKey};
use std::collections::HashMap;
use std::ffi::{CString, c_char, c_void};
use std::sync::atomic::{AtomicU64, Ordering};
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

/// A persistent watch on one node: its data, its creation and deletion, its children.
pub const QUORATE_WATCH_NODE: i32 = 0;
/// A persistent watch on a node and everything below it: data, creations, deletions.
pub const QUORATE_WATCH_RECURSIVE: i32 = 1;

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

/// A watch under a handle.
pub(crate) struct Watch {
    client: Weak<Client>,
    token: u64,
    key: WatchKey,
    path: CString,
    /// Whether it is over with one event.
    once: bool,
    function: unsafe extern "C" fn(*mut c_void, *const Event),
    user: User,
    handle: OnceLock<u64>,
}

impl Watch {
    fn is_last(&self, notice: &Notice) -> bool {
        self.once || matches!(notice, Notice::Ended(_))
    }

    /// Calls its owner.
    pub(crate) fn tell(&self, notice: &Notice) {
        let watch = self.handle.get().copied().unwrap_or(0);
        let told = |kind, status, path: &CString, zxid| {
            let event = Event { kind, status, path: path.as_ptr(), zxid, watch };
            self.user.event(self.function, &event);
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

impl Client {
    /// Makes a watch, which a request is to register.
    fn new_watch(
        self: &Arc<Self>,
        Hook { function, user }: Hook,
        path: &str,
        once: bool,
    ) -> Result<Arc<Watch>, Fault> {
        static TOKENS: AtomicU64 = AtomicU64::new(1);
        self.will_tell()?;
        let token = TOKENS.fetch_add(1, Ordering::Relaxed);
        let key = match once {
            true => self.core.watch_once_to(&self.inbox, token),
            false => self.core.watch_to(&self.inbox, token),
        };
        let watch = Arc::new(Watch {
            client: Arc::downgrade(self),
            token,
            key,
            path: text_of(path),
            once,
            function,
            user,
            handle: OnceLock::new(),
        });
        self.all_watches().insert(token, Arc::clone(&watch));
        match self.adopt(Arc::clone(&watch)) {
            Ok(handle) => {
                watch.handle.get_or_init(|| handle);
                Ok(watch)
            }
            Err(fault) => {
                self.forget_watch(token);
                Err(fault)
            }
        }
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
        self.all_watches().get(&token).and_then(|watch| watch.handle.get().copied()).unwrap_or(0)
    }

    /// Ends a watch that is wanted no more, or could not be registered.
    pub(crate) fn forget_watch(&self, token: u64) {
        let watch = self.all_watches().remove(&token);
        if let Some(watch) = watch {
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
        (path, once): (&'a str, bool),
        limit: i64,
        request: impl FnOnce(WatchKey) -> Request<'a>,
    ) -> Result<Answer, Fault> {
        let watch = self.new_watch(hook, path, once)?;
        let request = request(watch.key);
        let operation = request.op().name();
        let registered = self.registrar.register(self, &request).map(|reply| wait(limit, reply));
        let result = match registered {
            Ok(Some(Ok(reply))) => Ok(Answer::from(reply)),
            Ok(Some(Err(error))) | Err(error) => Err(error.into()),
            Ok(None) => Err(timed_out(limit, operation, path)),
        };
        match result {
            Ok(mut answer) => {
                answer.handle = watch.handle.get().copied().unwrap_or(0);
                Ok(answer)
            }
            Err(fault) => {
                self.forget_watch(watch.token);
                Err(fault)
            }
        }
    }

    /// Makes a watch and submits its registration.
    fn watch_and_submit<'a>(
        self: &Arc<Self>,
        hook: Hook,
        (path, once): (&'a str, bool),
        token: u64,
        request: impl FnOnce(WatchKey) -> Request<'a>,
    ) -> Result<(), Fault> {
        let watch = self.new_watch(hook, path, once)?;
        let submitted = self.submit(token, Some(watch.token), &request(watch.key));
        submitted.inspect_err(|_| self.forget_watch(watch.token))
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
    boundary::on_given::<Client, _>(
        client,
        || Hook::read(watcher),
        |client, hook| {
            let place = Out::new(watch, 0, "the place for the watch")?;
            let (path, recursive) = (input::text(path, "the path")?, is_recursive(mode)?);
            let request = |watch| Request::AddWatch { path, recursive, watch };
            place.set(client.watch_and_wait(hook, (path, false), timeout_ms, request)?.handle);
            Ok(())
        },
    )
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
    boundary::on_given::<Client, _>(
        client,
        || Hook::read(watcher),
        |client, hook| {
            let (path, recursive) = (input::text(path, "the path")?, is_recursive(mode)?);
            let request = |watch| Request::AddWatch { path, recursive, watch };
            client.watch_and_submit(hook, (path, false), token, request)
        },
    )
}

fn is_recursive(mode: i32) -> Result<bool, Fault> {
    match mode {
        QUORATE_WATCH_NODE => Ok(false),
        QUORATE_WATCH_RECURSIVE => Ok(true),
        other => Err(Error::argument(format!("{other} is no mode of a watch"))),
    }
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
    boundary::on_given::<Client, _>(
        client,
        || Hook::read(watcher),
        |client, hook| {
            let place = Place::new(result)?;
            let path = input::text(path, "the path")?;
            let request = |watch| Request::Get { path, watch: Some(watch) };
            place.leave(client.watch_and_wait(hook, (path, true), timeout_ms, request))
        },
    )
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
    boundary::on_given::<Client, _>(
        client,
        || Hook::read(watcher),
        |client, hook| {
            let path = input::text(path, "the path")?;
            let request = |watch| Request::Get { path, watch: Some(watch) };
            client.watch_and_submit(hook, (path, true), token, request)
        },
    )
}

/// As quorate_exists, leaving a one-shot watch: it fires once, for the node's creation, change or deletion, and is over. The result has it as its
/// `handle`, too.
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
    boundary::on_given::<Client, _>(
        client,
        || Hook::read(watcher),
        |client, hook| {
            let place = Place::new(result)?;
            let path = input::text(path, "the path")?;
            let request = |watch| Request::Exists { path, watch: Some(watch) };
            place.leave(client.watch_and_wait(hook, (path, true), timeout_ms, request))
        },
    )
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
    boundary::on_given::<Client, _>(
        client,
        || Hook::read(watcher),
        |client, hook| {
            let path = input::text(path, "the path")?;
            let request = |watch| Request::Exists { path, watch: Some(watch) };
            client.watch_and_submit(hook, (path, true), token, request)
        },
    )
}

/// As quorate_children, leaving a one-shot watch: it fires once, for a child that comes or goes, or the node's deletion, and is over. The result has it as its
/// `handle`, too.
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
    boundary::on_given::<Client, _>(
        client,
        || Hook::read(watcher),
        |client, hook| {
            let place = Place::new(result)?;
            let path = input::text(path, "the path")?;
            let request = |watch| Request::Children { path, watch: Some(watch) };
            place.leave(client.watch_and_wait(hook, (path, true), timeout_ms, request))
        },
    )
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
    boundary::on_given::<Client, _>(
        client,
        || Hook::read(watcher),
        |client, hook| {
            let path = input::text(path, "the path")?;
            let request = |watch| Request::Children { path, watch: Some(watch) };
            client.watch_and_submit(hook, (path, true), token, request)
        },
    )
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
