//! Watches side by side, removed by type, and over reconnects. All but the last run at any server that `QUORATE_TEST_SERVERS` names; what
//! servers before 3.9 do otherwise is looked for there.
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
    Client, CreateMode, ErrorCode, EventType, State, Watch, WatchEvent, WatchMode, Watcher,
    WatcherType, within,
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

/// The other way round: servers before 3.9 tell who has a recursive watch of each child, and nothing of "the children".
#[test]
fn a_one_shot_watch_on_children_outlives_a_recursive_one_beside_it() -> Outcome {
    let server = service::Server::start();
    let client = wait(server.client().connect())?;
    wait(client.create("/both", b"", CreateMode::Persistent))?;
    let (_, _, watch) = wait(client.children_and_watch("/both"))?;
    let mut watcher = wait(client.watch("/both", WatchMode::Recursive))?;
    // What the client asks behind it, and does then.
    wait(client.sync("/"))?;
    wait(client.sync("/"))?;
    wait(client.create("/both/child", b"", CreateMode::Ephemeral))?;
    assert_eq!(next(&client, &mut watcher), (EventType::Created, "/both/child".to_owned()));
    assert_eq!(once(&client, watch), EventType::ChildrenChanged);
    wait(client.close())?;
    server.stop()
}

/// Everything that a client can hold at one path, and what the server says it has.
struct Held {
    data: Watch,
    child: Watch,
    node: Watcher,
    tree: Watcher,
}

impl Held {
    fn at(client: &Client, path: &str) -> Result<Self, quorate::client::Error> {
        let data = wait(client.get_and_watch(path))?.2;
        let child = wait(client.children_and_watch(path))?.2;
        let node = wait(client.watch(path, WatchMode::Node))?;
        let tree = wait(client.watch(path, WatchMode::Recursive))?;
        Ok(Self { data, child, node, tree })
    }
}

/// Whether the server has watches of each type.
fn has(client: &Client, path: &str) -> Vec<bool> {
    TYPES.iter().map(|kind| wait(client.check_watches(path, *kind)).unwrap()).collect()
}

/// Whether the server tells the types apart, as those from 3.9 on do.
fn knows_types(client: &Client) -> bool {
    match wait(client.check_watches("/", WatcherType::Persistent)) {
        Ok(has) => !has,
        Err(error) => {
            assert_eq!(error.code(), ErrorCode::MarshallingError, "{error}");
            false
        }
    }
}

/// Its end, as whoever waits for it is told.
fn end<T: std::fmt::Debug>(
    client: &Client,
    waiting: impl Future<Output = Result<T, quorate::client::Error>>,
) -> ErrorCode {
    let environment = &**client.environment();
    let told = wait(within(environment, Duration::from_secs(20), waiting));
    told.expect("it is told in time").unwrap_err().code()
}

const TYPES: [WatcherType; 5] = [
    WatcherType::Data,
    WatcherType::Children,
    WatcherType::Persistent,
    WatcherType::PersistentRecursive,
    WatcherType::Any,
];

#[test]
fn watches_of_one_type_are_removed_and_the_others_stay() -> Outcome {
    let server = service::Server::start();
    let client = wait(server.client().connect())?;
    if !knows_types(&client) {
        return server.stop();
    }
    let path = "/typed";
    wait(client.create(path, b"", CreateMode::Persistent))?;
    assert_eq!(has(&client, path), [false; 5]);
    for (at, kind) in TYPES.into_iter().enumerate() {
        let mut held = Held::at(&client, path)?;
        // Others of the same session count as much, whatever their view.
        let view = client.view(path)?;
        let twin = wait(view.get_and_watch("/"))?.2;
        assert_eq!(has(&client, path), [true; 5]);
        assert_eq!(has(&view, "/"), [true; 5]);
        wait(client.remove_watches(path, kind))?;
        let all = kind == WatcherType::Any;
        let left: Vec<bool> = (0..5).map(|other| !all && other != at).collect();
        assert_eq!(has(&client, path), left, "{kind:?} removed");
        assert_eq!(
            client.counters().watches,
            left[..4].iter().filter(|left| **left).count() + usize::from(left[0])
        );
        let again = wait(client.remove_watches(path, kind)).unwrap_err();
        assert_eq!(again.code(), ErrorCode::NoWatcher, "{kind:?}");

        // Who was meant has ended; the others are told what happens.
        wait(client.set(path, b"x", None))?;
        wait(client.create("/typed/child", b"", CreateMode::Ephemeral))?;
        let changed = (EventType::DataChanged, path.to_owned());
        if left[0] {
            assert_eq!(once(&client, held.data), EventType::DataChanged);
            assert_eq!(once(&client, twin), EventType::DataChanged);
        } else {
            assert_eq!(end(&client, held.data), ErrorCode::NoWatcher);
            assert_eq!(end(&client, twin), ErrorCode::NoWatcher);
        }
        if left[1] {
            assert_eq!(once(&client, held.child), EventType::ChildrenChanged);
        } else {
            assert_eq!(end(&client, held.child), ErrorCode::NoWatcher);
        }
        for (watcher, left) in [(&mut held.node, left[2]), (&mut held.tree, left[3])] {
            if left {
                assert_eq!(next(&client, watcher), changed);
            } else {
                assert_eq!(end(&client, watcher.next()), ErrorCode::NoWatcher);
                assert_eq!(end(&client, watcher.next()), ErrorCode::NoWatcher);
            }
        }
        drop((held.node, held.tree));
        wait(client.delete("/typed/child", None))?;
        assert_eq!(client.counters().watches, 0);
    }
    // A removal follows the registrations that were submitted before it.
    let registering = client.get_and_watch(path);
    wait(client.remove_watches(path, WatcherType::Data))?;
    assert_eq!(end(&client, wait(registering)?.2), ErrorCode::NoWatcher);
    // A path without a node can be watched, and the watch removed.
    let (_, absent) = wait(client.exists_and_watch("/typed/absent"))?;
    wait(client.remove_watches("/typed/absent", WatcherType::Data))?;
    assert_eq!(end(&client, absent), ErrorCode::NoWatcher);
    let bad = wait(client.remove_watches("typed", WatcherType::Any)).unwrap_err();
    assert_eq!(bad.code(), ErrorCode::BadArguments);
    wait(client.close())?;
    server.stop()
}

/// Servers before 3.9 know one-shot watches and no types: asked to remove one-shot watches, they take half of the lasting one beside them
/// with it, which the client sets again.
#[test]
fn a_lasting_watch_outlives_the_removal_of_one_shot_watches() -> Outcome {
    let server = service::Server::start();
    let client = wait(server.client().connect())?;
    let path = "/typed";
    wait(client.create(path, b"", CreateMode::Persistent))?;
    for mode in [WatchMode::Node, WatchMode::Recursive] {
        let mut lasting = wait(client.watch(path, mode))?;
        let data = wait(client.get_and_watch(path))?.2;
        wait(client.sync("/"))?;
        assert!(wait(client.check_watches(path, WatcherType::Data))?);
        wait(client.remove_watches(path, WatcherType::Data))?;
        assert_eq!(end(&client, data), ErrorCode::NoWatcher);
        // What the client asks behind it, and does then.
        wait(client.sync("/"))?;
        wait(client.sync("/"))?;
        for round in 0..3 {
            wait(client.set(path, &[round], None))?;
            assert_eq!(next(&client, &mut lasting), (EventType::DataChanged, path.to_owned()));
        }
        wait(client.remove_watches(path, WatcherType::Any))?;
        assert_eq!(end(&client, lasting.next()), ErrorCode::NoWatcher);
        assert!(!wait(client.check_watches(path, WatcherType::Any))?);
        assert_eq!(client.counters().watches, 0);
    }
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
