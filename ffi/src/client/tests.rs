//! Panics where no program in C gets: in a call that runs beside the host, and on the thread that calls back.

#![allow(unsafe_code, reason = "a destructor as C has it")]

use super::close::{Ending, quorate_client_close};
use super::delivery::quorate_client_poll;
use super::open::{ClientOptions, quorate_client_open};
use super::session::quorate_client_state;
use super::{Client, Waiting, What};
use crate::answer::Outcome;
use crate::input;
use crate::objects;
use crate::status::{QUORATE_CLOSED, QUORATE_OK, QUORATE_PANICKED};
use std::ffi::c_void;
use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

/// Milliseconds; nothing here takes as long.
const LIMIT: i64 = 60_000;

extern "C" fn destroy(user: *mut c_void) {
    // SAFETY: what `open` has given.
    let destroyed = unsafe { &*user.cast::<AtomicUsize>() };
    destroyed.fetch_add(1, Ordering::SeqCst);
}

/// A client without a server, its handle, and how often its user pointer was destroyed.
fn open(polled: bool) -> (Arc<Client>, u64, &'static AtomicUsize) {
    let destroyed: &AtomicUsize = Box::leak(Box::default());
    let mut options = input::options::<ClientOptions>(std::ptr::null(), "").unwrap();
    options.size = size_of::<ClientOptions>();
    options.servers = c"127.0.0.1:1".as_ptr();
    options.polled = i32::from(polled);
    options.user = std::ptr::from_ref(destroyed).cast_mut().cast();
    options.destroy = Some(destroy);
    let mut handle = 0;
    assert_eq!(quorate_client_open(&raw const options, &raw mut handle), QUORATE_OK);
    (objects::get::<Client>(handle).unwrap(), handle, destroyed)
}

fn state(handle: u64) -> i32 {
    let mut state = 0;
    quorate_client_state(handle, &raw mut state)
}

/// Polls once: the status, and token and status of each result.
fn poll(handle: u64) -> (i32, Vec<(u64, i32)>) {
    let (mut taken, mut count) = ([std::ptr::null::<Outcome>(); 4], 0);
    let status =
        quorate_client_poll(handle, LIMIT, taken.as_mut_ptr(), taken.len(), &raw mut count);
    let results = taken[..count].iter().map(|result| {
        let result = input::borrowed(*result).unwrap();
        (result.token, result.status)
    });
    (status, results.collect())
}

#[test]
fn a_call_that_panics_is_told_and_poisons_its_client() {
    let (client, handle, destroyed) = open(true);
    client.run(7, async { panic!("on purpose") }).unwrap();
    assert_eq!(poll(handle), (QUORATE_OK, vec![(7, QUORATE_PANICKED)]));
    assert_eq!(state(handle), QUORATE_PANICKED);
    assert_eq!(poll(handle), (QUORATE_PANICKED, vec![]));
    assert_eq!(quorate_client_close(handle, LIMIT), QUORATE_OK);
    assert_eq!(poll(handle), (QUORATE_CLOSED, vec![]));
    assert_eq!(destroyed.load(Ordering::SeqCst), 1);
}

#[test]
fn a_panic_on_the_thread_that_calls_back_leaves_the_rest_to_be_told() {
    let (client, handle, destroyed) = open(false);
    let (told, tell) = channel();
    let panics = |_| What::Callback(Box::new(|| panic!("on purpose")));
    client.run_told(ready(()), panics).unwrap();
    let tells = |_| What::Callback(Box::new(move || told.send(()).unwrap()));
    client.run_told(ready(()), tells).unwrap();
    tell.recv_timeout(Duration::from_secs(60)).unwrap();
    assert_eq!(state(handle), QUORATE_PANICKED);
    assert_eq!(quorate_client_close(handle, LIMIT), QUORATE_OK);
    assert_eq!(destroyed.load(Ordering::SeqCst), 1);
}

#[test]
fn who_closes_does_not_wait_for_an_operation_that_was_refused() {
    let (client, handle, destroyed) = open(false);
    client.will_tell().unwrap();
    // It was listed before the client was closed, and is refused because it is.
    let key = client.lock().waiting.insert(Waiting { token: 7, watch: None });
    let closing = std::thread::spawn(move || quorate_client_close(handle, LIMIT));
    let desk = client.lock();
    let desk = client.cleared.wait_while(desk, |desk| !desk.ended).unwrap();
    assert!(!desk.released);
    drop(desk);
    client.strike_out(key);
    assert_eq!(closing.join().unwrap(), QUORATE_OK);
    assert_eq!(destroyed.load(Ordering::SeqCst), 1);
}

#[test]
fn a_client_is_over_when_the_task_that_closes_it_ends_with_its_runtime() {
    let (client, ..) = open(false);
    assert!(!client.is_over());
    drop(Ending(Arc::clone(&client)));
    assert!(client.is_over());
}
