//! What a client leaves behind and what it must not wait for: last handles, lent runtimes, long answers, slow owners of
//! inboxes.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use quorate::client::blocking::wait;
use quorate::client::{
    Client, Completion, CreateMode, ErrorCode, Inbox, Notice, Request, WatchEvent, within,
};
use quorate::recipes::lock::Lock;
use service::Server;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

#[path = "support/service.rs"]
mod service;

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Long enough for anything that has to happen.
const PATIENCE: Duration = Duration::from_secs(60);

/// The tests of this file run one by one: one of them needs to hold the only client of the process.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A host's runtime, on a thread of its own.
struct Lent {
    handle: Handle,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Lent {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || drop(runtime.block_on(stopped)));
        Self { handle, stop, thread }
    }

    fn end(self) {
        drop(self.stop);
        self.thread.join().unwrap();
    }
}

#[test]
fn the_last_handle_of_the_last_client_ends_its_session() -> Outcome {
    let _alone = alone();
    let server = Server::start();
    let lent = Lent::new();
    let other = wait(server.client().runtime(lent.handle.clone()).connect())?;
    let timeout = Duration::from_secs(30);
    let servers = server.address().unwrap().to_string();
    for _ in 0..50 {
        let client = wait(Client::builder().servers(&servers).session_timeout(timeout).connect())?;
        wait(client.create("/mine", b"", CreateMode::Ephemeral))?;
        drop(client);
        let end = Instant::now() + PATIENCE;
        while wait(other.exists("/mine"))?.is_some() {
            assert!(Instant::now() < end, "the session was not closed");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    Ok(())
}

#[test]
fn a_client_ends_with_the_runtime_that_was_lent() -> Outcome {
    let _alone = alone();
    let server = Server::start();
    let lent = Lent::new();
    let client = wait(server.client().runtime(lent.handle.clone()).connect())?;
    let (_, watch) = wait(client.exists_and_watch("/a"))?;
    lent.end();
    assert_eq!(wait(watch).unwrap_err().code(), ErrorCode::Closing);
    assert_eq!(wait(client.exists("/a")).unwrap_err().code(), ErrorCode::Closing);
    Ok(())
}

/// Waits on a thread of its own, so that a panic there or a wait without end is seen.
fn ends(nap: impl Future<Output = ()> + Send + 'static) {
    let (over, done) = std::sync::mpsc::channel();
    let waiting = std::thread::spawn(move || {
        wait(nap);
        over.send(()).unwrap();
    });
    done.recv_timeout(PATIENCE).unwrap();
    waiting.join().unwrap();
}

#[test]
fn a_timer_that_outlives_its_runtime_is_over() -> Outcome {
    let _alone = alone();
    let server = Server::start();
    let hour = Duration::from_secs(3600);
    for lend in [false, true] {
        let lent = Lent::new();
        let builder = server.client();
        let builder = if lend { builder.runtime(lent.handle.clone()) } else { builder };
        let client = wait(builder.connect())?;
        let (untouched, awaited) = (client.sleep(hour), client.sleep(hour));
        let waiting = std::thread::spawn(move || wait(awaited));
        drop(client);
        lent.end();
        ends(async move { waiting.join().unwrap() });
        ends(untouched);
    }
    Ok(())
}

#[test]
fn an_answer_longer_than_the_pipe_within_the_process_comes_at_once() -> Outcome {
    let _alone = alone();
    let server = Server::start();
    let timeout = Duration::from_secs(60);
    let client = wait(server.client().session_timeout(timeout).connect())?;
    let data = vec![7; 900_000];
    for path in ["/a", "/b", "/c"] {
        wait(client.create(path, &data, CreateMode::Persistent))?;
    }
    for _ in 0..10 {
        let begin = Instant::now();
        let batch = client.read_many().get("/a").get("/b").get("/c");
        assert_eq!(wait(batch.fetch())?.len(), 3);
        // A ping would move it on, but only after 10 seconds.
        assert!(begin.elapsed() < Duration::from_secs(8), "the answer got stuck");
    }
    Ok(())
}

/// As a binding does whose interpreter has one lock: it is held while submitting, and needed by the call.
#[test]
fn an_inbox_may_wait_for_a_lock_that_is_held_while_submitting() -> Outcome {
    let _alone = alone();
    let server = Server::start();
    let servers = server.address().unwrap().to_string();
    let client = wait(Client::connect(&servers))?;
    let interpreter = Arc::new(Mutex::new(0_u64));
    let (called, calls) = std::sync::mpsc::channel();
    let lock = Arc::clone(&interpreter);
    let inbox = Arc::new(Inbox::new(Some(Box::new(move || {
        called.send(()).unwrap();
        *lock.lock().unwrap() += 1;
    }))));
    let exists = Request::Exists { path: "/", watch: None };
    let held = interpreter.lock().unwrap();
    client.submit_to(&inbox, &exists, 1)?;
    calls.recv_timeout(PATIENCE)?;
    // The library's thread waits for the lock: that must not keep this one from going on.
    let (done, is_done) = std::sync::mpsc::channel();
    let (other, box_of_other) = (client.clone(), Arc::clone(&inbox));
    std::thread::spawn(move || {
        let exists = Request::Exists { path: "/", watch: None };
        done.send(other.submit_to(&box_of_other, &exists, 2).is_ok()).unwrap();
    });
    let submitted = is_done.recv_timeout(PATIENCE);
    drop(held);
    assert_eq!(submitted, Ok(true));
    Ok(())
}

#[test]
fn events_for_an_inbox_that_nobody_empties_are_bounded() -> Outcome {
    let _alone = alone();
    let server = Server::start();
    let client = wait(server.client().max_events(1).connect())?;
    let inbox = Arc::new(Inbox::new(None));
    // An inbox is for many watches.
    let bound = 64;
    let watch = client.watch_to(&inbox, 9);
    let add = Request::AddWatch { path: "/", recursive: true, watch };
    client.submit_to(&inbox, &add, 1)?;
    for round in 1..=2 {
        for n in 0..100 {
            wait(client.create(&format!("/{round}-{n}"), b"", CreateMode::Persistent))?;
        }
        let taken = inbox.take();
        assert!(taken.len() <= bound + 2, "{} completions wait", taken.len());
        let missed =
            |one: &&Completion| matches!(one, Completion::Event { notice: Notice::Missed, .. });
        assert_eq!(taken.iter().filter(missed).count(), 1, "told once that events are missing");
        assert!(matches!(
            taken.last(),
            Some(Completion::Event { token: 9, notice: Notice::Missed })
        ));
    }
    Ok(())
}

#[test]
fn a_stream_that_nobody_reads_is_bounded() -> Outcome {
    let _alone = alone();
    let server = Server::start();
    let client = wait(server.client().max_events(10).connect())?;
    let mut watcher = wait(client.watch("/", quorate::client::WatchMode::Recursive))?;
    for n in 0..50 {
        wait(client.create(&format!("/{n}"), b"", CreateMode::Persistent))?;
    }
    let mut events = Vec::new();
    while events.last() != Some(&WatchEvent::Missed) {
        events.push(wait(watcher.next())?);
    }
    assert_eq!(events.len(), 11);
    Ok(())
}

/// Who waits for requests to be answered again, as every recipe does, would wait for ever.
#[test]
fn a_client_that_is_not_to_renew_says_that_its_session_is_over() -> Outcome {
    let _alone = alone();
    let server = Server::start();
    let other = wait(server.client().connect())?;
    let held = wait(Lock::new(&other, "/lock").acquire())?;
    let client = wait(server.client().renew(false).connect())?;
    let (sender, acquired) = std::sync::mpsc::channel();
    let lock = Lock::new(&client, "/lock");
    client.environment().spawn(Box::pin(async move {
        let _ = sender.send(lock.acquire().await.map(drop));
    }));
    while wait(other.children("/lock"))?.0.len() < 2 {
        wait(other.sleep(Duration::from_millis(1)));
    }
    let twin = wait(server.client().resume(client.identity().unwrap()).connect())?;
    wait(twin.close())?;
    let error = acquired.recv_timeout(PATIENCE)?.unwrap_err();
    assert_eq!(error.code(), ErrorCode::SessionExpired);
    let connected = within(&**client.environment(), PATIENCE, client.connected());
    assert_eq!(wait(connected).unwrap().unwrap_err().code(), ErrorCode::SessionExpired);
    wait(held.release())?;
    Ok(())
}
