//! Each call gives exactly one completion, whatever becomes of it.

mod support;

use quorate::client::blocking::wait;
use quorate::client::{Client, CreateMode};
use quorate::recipes::lock::Lock;
use quorate::server::Server;
use quorate_bridge::{Calls, Started};
use std::time::{Duration, Instant};
use support::{answer, collect, remote};

#[test]
fn a_server_in_the_process_answers_at_once() {
    let server = Server::builder().volatile().no_port().start().expect("a server");
    let client = wait(Client::builder().in_process(&server).connect()).expect("a client");
    let calls = Calls::new(None);
    let environment = &**client.environment();
    // At once if nobody else is working for this client, which is so as soon as its session has settled.
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        match calls.submit(environment, client.exists("/none"), answer(1)) {
            Started::Ready(answer) => break assert_eq!(answer, (1, "Done(Ok(None))".to_owned())),
            Started::Running(_) => drop(collect(&calls, 1)),
        }
        assert!(Instant::now() < deadline, "never at once");
    }
    assert!(calls.queue().is_empty());
}

#[test]
fn completions_come_in_order_and_once() {
    let (_server, client) = remote();
    let calls = Calls::new(None);
    let mut at_once = Vec::new();
    for token in 0..100 {
        let create = client.create("/node-", b"", CreateMode::PersistentSequential);
        match calls.submit(&**client.environment(), create, answer(token)) {
            Started::Ready(answer) => at_once.push(answer),
            Started::Running(_) => {}
        }
        // Nothing comes at once behind what is under way.
        at_once.extend(calls.queue().take());
    }
    let left = 100 - at_once.len();
    let answers: Vec<_> = at_once.into_iter().chain(collect(&calls, left)).collect();
    assert!(answers.iter().map(|(token, _)| *token).eq(0..100), "{answers:?}");
}

#[test]
fn a_cancelled_wait_gives_up_its_place() {
    let (_server, client) = remote();
    let lock = Lock::new(&client, "/lock");
    let held = wait(lock.acquire()).expect("the lock");
    let calls = Calls::new(None);
    let wanted = lock.clone();
    let waiting =
        calls.spawn(&**client.environment(), async move { wanted.acquire().await }, answer(7));
    let two = || wait(client.children("/lock")).expect("children").0.len() == 2;
    let deadline = Instant::now() + Duration::from_secs(30);
    while !two() {
        assert!(Instant::now() < deadline, "nobody waits");
    }
    waiting.cancel();
    assert_eq!(collect(&calls, 1), [(7, "Cancelled".to_owned())]);
    while two() {
        assert!(Instant::now() < deadline, "the place is still taken");
    }
    waiting.cancel();
    assert!(held.is_held());
    assert!(calls.queue().is_empty());
}

#[test]
fn a_panic_is_an_outcome() {
    let (_server, client) = remote();
    let calls = Calls::new(None);
    let environment = &**client.environment();
    calls.spawn(environment, async { std::panic::panic_any("thrown") }, answer::<()>(1));
    assert_eq!(collect(&calls, 1), [(1, "Panicked(\"thrown\")".to_owned())]);
    calls.block(|| std::panic::panic_any("blocked"), answer::<()>(2)).expect("a thread");
    assert_eq!(collect(&calls, 1), [(2, "Panicked(\"blocked\")".to_owned())]);
    // The thread that served them lives on.
    assert_eq!(wait(client.exists("/none")).expect("an answer"), None);
}
