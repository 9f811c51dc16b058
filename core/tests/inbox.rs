//! Inboxes: what their owners' code may do, and how long their watches live.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use quorate::client::blocking::wait;
use quorate::client::{
    Call, Client, Completion, CreateMode, ErrorCode, EventType, Inbox, Notice, Part, Reply,
    Request, WatchKey,
};
use service::Server;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

#[path = "support/service.rs"]
mod service;

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Runs `test` with a client in the process, if the server is there, and with one over TCP.
fn on_both_ways(test: impl Fn(&Client) -> Outcome) -> Outcome {
    let server = Server::start();
    for builder in server.ways() {
        let client = wait(builder.connect())?;
        test(&client)?;
        wait(client.close())?;
    }
    server.stop()?;
    Ok(())
}

/// Takes completions until there are `count` of them.
fn collect(inbox: &Inbox, count: usize) -> Vec<Completion> {
    let end = Instant::now() + Duration::from_secs(30);
    let mut all = Vec::new();
    while all.len() < count && Instant::now() < end {
        all.extend(inbox.wait(Duration::from_secs(1)));
    }
    assert_eq!(all.len(), count, "{all:?}");
    all
}

/// Waits until nobody but this test has the inbox: no watch and no request of it is left in the client.
fn wait_until_forgotten(inbox: &Arc<Inbox>) {
    let end = Instant::now() + Duration::from_secs(30);
    while Arc::strong_count(inbox) > 1 {
        assert!(Instant::now() < end, "{} others have it", Arc::strong_count(inbox) - 1);
        std::thread::yield_now();
    }
}

fn watched_get(watch: WatchKey) -> Request<'static> {
    Request::Get { path: "/watched", watch: Some(watch) }
}

/// A payload that panics again when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("the payload panics too");
    }
}

/// Submits until it is refused for want of room, and answers how many were accepted.
fn fill(client: &Client, inbox: &Arc<Inbox>, request: &Request<'_>) -> usize {
    for accepted in 0..1_000 {
        if let Err(refused) = client.submit_to(inbox, request, 0) {
            assert_eq!(refused.code(), ErrorCode::ThrottledOp, "{refused}");
            return accepted;
        }
        // Answered before the next one: nothing is in flight.
        wait(client.sync("/")).unwrap();
    }
    panic!("nothing bounds it");
}

/// Runs `test` with a client that may have ten requests or a thousand bytes of them in flight.
fn with_little_room(test: impl Fn(&Client) -> Outcome) -> Outcome {
    let server = Server::start();
    for builder in server.ways() {
        let client = wait(builder.max_in_flight(10, 1_000).connect())?;
        test(&client)?;
        let _ = wait(client.delete("/large", None));
        wait(client.close())?;
    }
    server.stop()?;
    Ok(())
}

#[test]
fn who_never_takes_results_is_refused_more() -> Outcome {
    const EXISTS: Request<'_> = Request::Exists { path: "/", watch: None };
    with_little_room(|client| {
        let inbox = Arc::new(Inbox::new(None));
        for _ in 0..3 {
            assert_eq!(fill(client, &inbox, &EXISTS), 10);
            // Another inbox has room, and so has who awaits.
            let other = Arc::new(Inbox::new(None));
            client.submit_to(&other, &EXISTS, 1)?;
            collect(&other, 1);
            assert!(wait(client.exists("/"))?.is_some());
            assert!(!inbox.is_empty());
            assert_eq!(inbox.take().len(), 10);
            assert!(inbox.is_empty());
        }
        Ok(())
    })
}

#[test]
fn results_are_bounded_by_their_bytes_too() -> Outcome {
    with_little_room(|client| {
        wait(client.create("/large", &[0; 300], CreateMode::Persistent))?;
        let inbox = Arc::new(Inbox::new(None));
        let get = Request::Get { path: "/large", watch: None };
        for _ in 0..3 {
            // With the fourth the limit is passed.
            assert_eq!(fill(client, &inbox, &get), 4);
            assert_eq!(inbox.take().len(), 4);
        }
        let parts = [Part::Get { path: "/large" }, Part::Get { path: "/large" }];
        assert_eq!(fill(client, &inbox, &Request::MultiRead(&parts)), 2);
        Ok(())
    })
}

/// What one client leaves lying does not keep others from submitting.
#[test]
fn clients_that_share_an_inbox_have_room_of_their_own() -> Outcome {
    let exists = Request::Exists { path: "/", watch: None };
    let inbox = Arc::new(Inbox::new(None));
    let clients = AtomicUsize::new(0);
    with_little_room(|client| {
        clients.fetch_add(1, Ordering::SeqCst);
        assert_eq!(fill(client, &inbox, &exists), 10);
        Ok(())
    })?;
    assert_eq!(inbox.take().len(), 10 * clients.into_inner());
    Ok(())
}

#[test]
fn a_call_that_panics_harms_nobody() -> Outcome {
    on_both_ways(|client| {
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&calls);
        let call: Call = Box::new(move || match counted.fetch_add(1, Ordering::SeqCst) % 3 {
            0 => panic!("the owner's code fails"),
            1 => std::panic::panic_any(Bomb),
            _ => {}
        });
        let inbox = Arc::new(Inbox::new(Some(call)));
        for token in 0..6 {
            client.submit_to(&inbox, &Request::Exists { path: "/", watch: None }, token)?;
            let done = collect(&inbox, 1);
            let Some(Completion::Done { token: of, result }) = done.first() else { panic!() };
            assert_eq!((*of, matches!(result, Ok(Reply::Stat(_)))), (token, true));
        }
        // The same thread, the same client: everything goes on.
        assert!(wait(client.exists("/"))?.is_some());
        let end = Instant::now() + Duration::from_secs(30);
        while calls.load(Ordering::SeqCst) < 6 {
            assert!(Instant::now() < end, "it is called each time");
            std::thread::yield_now();
        }
        Ok(())
    })
}

/// The last completion takes the inbox with it, and whatever its owner has put into the call.
#[test]
fn what_a_call_holds_may_panic_when_it_goes() -> Outcome {
    on_both_ways(|client| {
        let bomb = Bomb;
        let call: Call = Box::new(move || {
            let _held = &bomb;
        });
        let inbox = Arc::new(Inbox::new(Some(call)));
        let gone = Arc::downgrade(&inbox);
        client.submit_to(&inbox, &Request::Sync { path: "/" }, 1)?;
        drop(inbox);
        let end = Instant::now() + Duration::from_secs(30);
        while gone.strong_count() > 0 {
            assert!(Instant::now() < end);
            std::thread::yield_now();
        }
        assert!(wait(client.exists("/"))?.is_some());
        Ok(())
    })
}

#[test]
fn a_watch_for_one_event_needs_no_removal() -> Outcome {
    on_both_ways(|client| {
        let _ = wait(client.delete("/watched", None));
        let inbox = Arc::new(Inbox::new(None));

        // Its registration fails.
        let key = client.watch_once_to(&inbox, 1);
        client.submit_to(&inbox, &watched_get(key), 1)?;
        collect(&inbox, 1);
        wait_until_forgotten(&inbox);

        // It fires.
        wait(client.create("/watched", b"", CreateMode::Persistent))?;
        let fired = client.watch_once_to(&inbox, 2);
        client.submit_to(&inbox, &watched_get(fired), 2)?;
        collect(&inbox, 1);
        wait(client.set("/watched", b"x", None))?;
        let events = collect(&inbox, 1);
        assert!(matches!(
            events.first(),
            Some(Completion::Event {
                token: 2,
                notice: Notice::Changed { kind: EventType::DataChanged, .. }
            })
        ));
        wait_until_forgotten(&inbox);

        // What is over means nothing any more: not the next watch, and no registration.
        let next = client.watch_once_to(&inbox, 3);
        client.submit_to(&inbox, &watched_get(next), 3)?;
        client.remove_watch(fired);
        let refused = client.submit_to(&inbox, &watched_get(fired), 4).unwrap_err();
        assert_eq!(refused.code(), ErrorCode::NoWatcher);
        wait(client.delete("/watched", None))?;
        let both = collect(&inbox, 2);
        assert!(matches!(both.last(), Some(Completion::Event { token: 3, .. })), "{both:?}");
        wait_until_forgotten(&inbox);
        assert_eq!(client.counters().watches, 0);
        Ok(())
    })
}

/// An event, the next registration and its event can come in one piece.
#[test]
fn a_lasting_key_is_registered_again_and_again() -> Outcome {
    on_both_ways(|client| {
        let _ = wait(client.delete("/watched", None));
        wait(client.create("/watched", b"", CreateMode::Persistent))?;
        let inbox = Arc::new(Inbox::new(None));
        let key = client.watch_to(&inbox, 1);
        let sets: Vec<_> = (0..10)
            .map(|round| {
                client.submit_to(&inbox, &watched_get(key), 2)?;
                Ok(client.set("/watched", &[round], None))
            })
            .collect::<quorate::client::Result<_>>()?;
        sets.into_iter().try_for_each(|set| wait(set).map(drop))?;
        let all = collect(&inbox, 20);
        let events = all.iter().filter(|one| matches!(one, Completion::Event { token: 1, .. }));
        assert_eq!(events.count(), 10);
        client.remove_watch(key);
        wait_until_forgotten(&inbox);
        Ok(())
    })
}

/// Two registrations of one key are on their way; that the first fails is not the end of it.
#[test]
fn a_watch_is_not_over_while_a_registration_is_on_its_way() -> Outcome {
    let server = Server::start();
    let address = server.address().unwrap().to_string();
    let client = wait(Client::builder().servers(&address).connect())?;
    wait(client.create("/watched", b"", CreateMode::Persistent))?;
    let inbox = Arc::new(Inbox::new(None));
    let key = client.watch_once_to(&inbox, 1);
    // The library's thread can answer nothing until both are submitted.
    let (go_on, held) = std::sync::mpsc::channel::<()>();
    client.environment().spawn(Box::pin(async move {
        let _ = held.recv();
    }));
    client.submit_to(&inbox, &Request::Get { path: "/none", watch: Some(key) }, 2)?;
    client.submit_to(&inbox, &watched_get(key), 3)?;
    drop(go_on);
    collect(&inbox, 2);
    wait(client.set("/watched", b"x", None))?;
    let events = collect(&inbox, 1);
    assert!(matches!(events.first(), Some(Completion::Event { token: 1, .. })), "{events:?}");
    wait_until_forgotten(&inbox);
    Ok(())
}

#[test]
fn the_end_of_a_session_ends_the_watches_of_inboxes() -> Outcome {
    let server = Server::start();
    let client = wait(server.client().connect())?;
    wait(client.create("/watched", b"", CreateMode::Persistent))?;
    let inbox = Arc::new(Inbox::new(None));
    let once = client.watch_once_to(&inbox, 1);
    let lasting = client.watch_to(&inbox, 2);
    client.submit_to(&inbox, &watched_get(once), 10)?;
    let add = Request::AddWatch { path: "/watched", recursive: false, watch: lasting };
    client.submit_to(&inbox, &add, 11)?;
    collect(&inbox, 2);
    client.abandon();
    let told = collect(&inbox, 2);
    let ended =
        |one: &Completion| matches!(one, Completion::Event { notice: Notice::Ended(_), .. });
    assert!(told.iter().all(ended), "{told:?}");
    wait_until_forgotten(&inbox);
    Ok(())
}
