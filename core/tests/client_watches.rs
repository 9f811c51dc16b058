//! Watches side by side and over reconnects. The first test runs at any server that `QUORATE_TEST_SERVERS` names, and is meant for
//! servers before 3.9.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "support/service.rs"]
mod service;

use quorate::client::blocking::wait;
use quorate::client::{
    Client, CreateMode, EventType, State, Watch, WatchEvent, WatchMode, Watcher, within,
};
use std::time::Duration;

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// The next change that is told; what may be missing is passed over.
fn next(client: &Client, watcher: &mut Watcher) -> (EventType, String) {
    let changed = async {
        loop {
            if let WatchEvent::Changed(event) = watcher.next().await.unwrap() {
                return (event.kind, event.path);
            }
        }
    };
    let environment = &**client.environment();
    wait(within(environment, Duration::from_secs(20), changed)).expect("it is told in time")
}

/// The event of a one-shot watch.
fn once(client: &Client, watch: Watch) -> EventType {
    let environment = &**client.environment();
    let event = wait(within(environment, Duration::from_secs(20), watch));
    event.expect("it is told in time").unwrap().kind
}

/// Servers before 3.9 forget the lasting watch with the first event after the read (ZOOKEEPER-4466).
#[test]
fn a_lasting_watch_outlives_a_one_shot_read_beside_it() -> Outcome {
    let server = service::Server::start();
    let client = wait(server.client().connect())?;
    let changed = |path: &str| (EventType::DataChanged, path.to_owned());
    for mode in [WatchMode::Node, WatchMode::Recursive] {
        wait(client.create("/both", b"", CreateMode::Persistent))?;
        let mut watcher = wait(client.watch("/both", mode))?;
        for _ in 0..2 {
            let (_, _, watch) = wait(client.get_and_watch("/both"))?;
            // What the client asks behind it, and does then.
            wait(client.sync("/"))?;
            wait(client.sync("/"))?;
            for round in 0..3 {
                wait(client.set("/both", &[round], None))?;
                assert_eq!(next(&client, &mut watcher), changed("/both"));
            }
            assert_eq!(once(&client, watch), EventType::DataChanged);
        }
        let (_, _, watch) = wait(client.children_and_watch("/both"))?;
        wait(client.sync("/"))?;
        wait(client.sync("/"))?;
        let told = match mode {
            WatchMode::Node => (EventType::ChildrenChanged, "/both".to_owned()),
            WatchMode::Recursive => (EventType::Created, "/both/child".to_owned()),
        };
        for _ in 0..2 {
            wait(client.create("/both/child", b"", CreateMode::Persistent))?;
            assert_eq!(next(&client, &mut watcher), told);
            wait(client.delete("/both/child", None))?;
            let gone = next(&client, &mut watcher);
            assert!(matches!(gone.0, EventType::ChildrenChanged | EventType::Deleted), "{gone:?}");
        }
        assert_eq!(once(&client, watch), EventType::ChildrenChanged);
        drop(watcher);
        wait(client.delete("/both", None))?;
    }
    assert_eq!(client.counters().watches, 0);
    wait(client.close())?;
    server.stop()
}

/// With an hour to spread it over, nobody is told within the moments of a test; events come as ever.
#[test]
fn what_may_be_missing_is_told_later_and_events_at_once() -> Outcome {
    let directory = tempfile::tempdir()?;
    let start = |port: u16| {
        let builder = quorate::server::Server::builder().data_dir(directory.path());
        builder.listen(([127, 0, 0, 1], port).into()).start()
    };
    let server = start(0)?;
    let address = server.address().unwrap();
    let connect = |spread| {
        let builder = Client::builder().servers(&address.to_string()).spread(spread);
        wait(builder.connect())
    };
    let [calm, prompt] = [connect(Duration::from_secs(3_600))?, connect(Duration::ZERO)?];
    wait(calm.create("/node", b"", CreateMode::Persistent))?;
    let mut watchers =
        [&calm, &prompt].map(|client| wait(client.watch("/node", WatchMode::Node)).unwrap());
    let mut states = [&calm, &prompt].map(|client| client.states());
    server.stop()?;
    let server = start(address.port())?;
    for states in &mut states {
        while states.current() != State::Suspended {
            wait(states.next());
        }
        while states.current() != State::Connected {
            wait(states.next());
        }
    }
    let [calm_watcher, prompt_watcher] = &mut watchers;
    assert_eq!(wait(prompt_watcher.next())?, WatchEvent::Missed);
    wait(calm.sync("/node"))?;
    wait(calm.set("/node", b"x", None))?;
    for watcher in [calm_watcher, prompt_watcher] {
        assert!(matches!(wait(watcher.next())?, WatchEvent::Changed(_)));
    }
    for client in [calm, prompt] {
        wait(client.close())?;
    }
    server.stop()?;
    Ok(())
}
