//! The caches against a server in this process.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/cutting.rs"]
mod cutting;
#[path = "support/gate.rs"]
mod gate;
#[path = "support/tasks.rs"]
mod tasks;

use cutting::Proxy;
use gate::Gate;
use quorate::client::blocking::wait;
use quorate::client::{Client, CreateMode, ErrorCode, within};
use quorate::recipes::cache::{Builder, Cache, Change, Changes, Entry};
use quorate_wire::OpCode;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tasks::Server;

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Long enough for anything that has to happen.
const PATIENCE: Duration = Duration::from_secs(60);

fn connect(server: &Server) -> Client {
    wait(server.client().connect()).unwrap()
}

fn put(client: &Client, path: &str, data: &[u8]) {
    wait(client.create(path, data, CreateMode::Persistent)).unwrap();
}

/// Lasting watches, and one-shot ones.
fn both(builder: impl Fn() -> Builder) -> [Builder; 2] {
    [builder(), builder().one_shot()]
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "in time: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Others have filled the client's queue: that is no reason to end.
#[test]
fn a_cache_waits_for_room_for_its_requests() -> Outcome {
    let server = Server::start();
    let other = connect(&server);
    put(&other, "/full", b"data");
    let proxy = Proxy::start(server.address().unwrap());
    for one_shot in [false, true] {
        // A client of its own: what an earlier cache gives back when it goes needs room, too.
        let builder = Client::builder().servers(&proxy.servers()).max_in_flight(2, 1 << 20);
        let client = wait(builder.session_timeout(PATIENCE).connect())?;
        let builder = Cache::tree(&client, "/full");
        let builder = if one_shot { builder.one_shot() } else { builder };
        proxy.hold(OpCode::Sync);
        let syncs = [client.sync("/"), client.sync("/")];
        let cache = builder.start()?;
        // Tasks have their turns in order: the cache has tried.
        wait(tasks::spawn(&client, async {}).join(&other));
        assert_eq!(wait(client.sync("/")).unwrap_err().code(), ErrorCode::ThrottledOp);
        proxy.let_go();
        syncs.into_iter().try_for_each(wait)?;
        wait(tasks::soon(&other, cache.ready()))?;
        assert_eq!(contents(&cache), truth(&other, "/full"));
    }
    Ok(())
}

fn next(client: &Client, changes: &mut Changes) -> Change {
    wait(within(&**client.environment(), PATIENCE, changes.next())).unwrap().unwrap()
}

/// Paths and data.
fn contents(cache: &Cache) -> BTreeMap<String, Vec<u8>> {
    let data = |entry: Entry| (entry.path, entry.data.unwrap_or_default().to_vec());
    cache.entries().into_iter().map(data).collect()
}

/// What the server has, read node by node.
fn truth(client: &Client, root: &str) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(path) = open.pop() {
        if let Ok((data, _)) = wait(client.get(&path)) {
            let (names, _) = wait(client.children(&path)).unwrap();
            open.extend(names.iter().map(|name| format!("{path}/{name}")));
            found.insert(path, data);
        }
    }
    found
}

#[test]
fn a_tree_is_filled_and_followed() -> Outcome {
    let server = Server::start();
    let (own, other) = (connect(&server), connect(&server));
    for builder in both(|| Cache::tree(&own, "/t")) {
        for path in ["/t", "/t/a", "/t/a/b", "/t/a/b/c", "/t/z"] {
            put(&other, path, path.as_bytes());
        }
        let cache = builder.start()?;
        wait(cache.ready())?;
        assert_eq!(contents(&cache), truth(&other, "/t"));
        assert_eq!(cache.names("/t").unwrap(), ["a", "z"]);
        assert_eq!(cache.names("/t/none"), None);
        assert!(cache.is_current() && !cache.is_partial());
        let (all, mut changes) = cache.entries_and_changes(100);
        assert_eq!(all.len(), 5);

        put(&other, "/t/a/d", b"new");
        let Change::Added(entry) = next(&own, &mut changes) else { panic!("an addition") };
        assert_eq!((entry.path.as_str(), &*entry.data.unwrap()), ("/t/a/d", &b"new"[..]));
        wait(other.set("/t/a/d", b"newer", None))?;
        let Change::Changed { old, new } = next(&own, &mut changes) else { panic!("a change") };
        assert_eq!(&*old.data.unwrap(), b"new");
        assert_eq!((&*new.data.unwrap(), new.stat.version), (&b"newer"[..], 1));
        for path in ["/t/a/d", "/t/a/b/c", "/t/a/b", "/t/a", "/t/z", "/t"] {
            wait(other.delete(path, None))?;
            let gone = loop {
                match next(&own, &mut changes) {
                    Change::Removed(entry) => break entry,
                    Change::Current => {}
                    other => panic!("{other:?}"),
                }
            };
            assert_eq!(gone.path, path);
        }
        assert!(cache.is_empty() && cache.bytes() == 0);
        // The root may come back.
        put(&other, "/t", b"again");
        put(&other, "/t/x", b"");
        let end = truth(&other, "/t");
        eventually("it is back", || contents(&cache) == end);
        wait(other.delete("/t/x", None))?;
        wait(other.delete("/t", None))?;
    }
    Ok(())
}

#[test]
fn node_and_children_caches_keep_to_their_scope() -> Outcome {
    let server = Server::start();
    let (own, other) = (connect(&server), connect(&server));
    for path in ["/s", "/s/a", "/s/a/deep", "/s/b"] {
        put(&other, path, b"");
    }
    for one_shot in [false, true] {
        let start = |builder: Builder| if one_shot { builder.one_shot() } else { builder }.start();
        let node = start(Cache::node(&own, "/s"))?;
        let children = start(Cache::children(&own, "/s"))?;
        let bare = start(Cache::children(&own, "/s").without_data())?;
        for cache in [&node, &children, &bare] {
            wait(cache.ready())?;
        }
        assert_eq!(node.entries().len(), 1);
        assert_eq!(children.entries().len(), 3);
        assert_eq!(children.children_of("/s").len(), 2);
        assert!(bare.entries().iter().all(|entry| entry.data.is_none()));
        put(&other, "/s/a/deep/er", b"");
        wait(other.set("/s/b", b"data", None))?;
        put(&other, "/s/c", b"");
        eventually("the third child", || children.names("/s").unwrap().len() == 3);
        eventually("the data", || !children.get("/s/b").unwrap().data.unwrap().is_empty());
        eventually("the version", || {
            bare.get("/s/b").unwrap().stat.version == children.get("/s/b").unwrap().stat.version
        });
        assert_eq!((node.len(), children.len()), (1, 4));
        wait(other.delete("/s/c", None))?;
        wait(other.delete("/s/a/deep/er", None))?;
        wait(other.set("/s/b", b"", None))?;
        eventually("as before", || children.len() == 3);
    }
    Ok(())
}

#[test]
fn limits_are_kept_and_told() -> Outcome {
    let server = Server::start();
    let client = connect(&server);
    put(&client, "/m", b"");
    for n in 0..20 {
        put(&client, &format!("/m/{n:02}"), &[1; 100]);
    }
    for builder in both(|| Cache::tree(&client, "/m").max_nodes(10)) {
        let cache = builder.start()?;
        let error = wait(cache.ready()).unwrap_err();
        assert_eq!((error.code(), error.path()), (ErrorCode::QuotaExceeded, "/m/09"));
        assert!(cache.is_partial() && cache.len() == 10, "{}", cache.len());
    }
    let cache = Cache::tree(&client, "/m").max_bytes(1_000).start()?;
    assert_eq!(wait(cache.ready()).unwrap_err().code(), ErrorCode::QuotaExceeded);
    assert!(cache.bytes() <= 1_000 && cache.len() == 21);
    assert!(cache.get("/m/19").unwrap().data.is_none(), "no data rather than too much");
    // What is kept is followed all the same.
    wait(client.set("/m/00", b"x", None))?;
    eventually("the new data", || &*cache.get("/m/00").unwrap().data.unwrap() == b"x");
    Ok(())
}

#[test]
fn a_listener_that_is_behind_is_told() -> Outcome {
    let server = Server::start();
    let client = connect(&server);
    put(&client, "/l", b"");
    let cache = Cache::tree(&client, "/l").start()?;
    wait(cache.ready())?;
    let (_, mut changes) = cache.entries_and_changes(4);
    for n in 0..10 {
        put(&client, &format!("/l/{n}"), b"");
    }
    eventually("all", || cache.len() == 11);
    eventually("read", || cache.names("/l").unwrap().len() == 10);
    assert_eq!(next(&client, &mut changes), Change::Missed);
    let Change::Added(entry) = next(&client, &mut changes) else { panic!("an addition") };
    assert_eq!(entry.path, "/l/8");
    Ok(())
}

/// kazoo #257, bonifaido/rust-zookeeper #98: events lost over a suspension.
#[test]
fn after_a_reconnect_only_what_changed_is_read() -> Outcome {
    let server = Server::start();
    let gate = Gate::start(server.address().unwrap());
    let other = connect(&server);
    for builder in both_ways() {
        let own = wait(Client::builder().servers(&gate.address()).connect())?;
        put(&other, "/r", b"");
        for n in 0..50 {
            put(&other, &format!("/r/{n:02}"), &[1; 10_000]);
            put(&other, &format!("/r/{n:02}/child"), b"");
        }
        let cache = builder(&own).start()?;
        wait(cache.ready())?;
        let first = gate.downstream();
        let (_, mut changes) = cache.entries_and_changes(1_000);
        gate.block();
        wait(other.set("/r/07", b"changed", None))?;
        wait(other.delete("/r/08/child", None))?;
        wait(other.delete("/r/08", None))?;
        put(&other, "/r/09/second", b"new");
        wait(other.delete("/r/10/child", None))?;
        put(&other, "/r/10/child", b"recreated");
        gate.unblock();
        let end = truth(&other, "/r");
        eventually("caught up", || contents(&cache) == end);
        let again = gate.downstream() - first;
        assert!(again < 60_000, "{again} bytes for five changes");
        let mut told = Vec::new();
        while told.len() < 5 {
            match next(&own, &mut changes) {
                Change::Added(entry) | Change::Changed { new: entry, .. } => told.push(entry.path),
                Change::Removed(entry) => told.push(entry.path),
                Change::Current => {}
                change => panic!("{change:?}"),
            }
        }
        told.sort();
        told.dedup();
        assert_eq!(told, ["/r/07", "/r/08", "/r/08/child", "/r/09/second", "/r/10/child"]);
        assert_eq!(own.counters().session.lost, 0);
        for path in truth(&other, "/r").into_keys().rev() {
            wait(other.delete(&path, None))?;
        }
    }
    Ok(())
}

fn both_ways() -> [fn(&Client) -> Builder; 2] {
    [
        |client| Cache::tree(client, "/r"),
        |client| Cache::tree(client, "/r").one_shot().spread(Duration::from_millis(20)),
    ]
}

#[test]
fn a_new_session_goes_on_with_what_is_known() -> Outcome {
    let server = Server::start();
    let gate = Gate::start(server.address().unwrap());
    let other = connect(&server);
    put(&other, "/r", b"");
    for n in 0..20 {
        put(&other, &format!("/r/{n:02}"), &[1; 10_000]);
    }
    for builder in both_ways() {
        let own = Client::builder().servers(&gate.address()).session_timeout(tasks::SHORT_LIFE);
        let own = wait(own.connect())?;
        let cache = builder(&own).start()?;
        wait(cache.ready())?;
        let first = gate.downstream();
        gate.block();
        eventually("the session is lost", || own.counters().session.lost == 1);
        wait(other.set("/r/03", &[2; 10_000], None))?;
        gate.unblock();
        let end = truth(&other, "/r");
        eventually("caught up", || contents(&cache) == end);
        assert!(gate.downstream() - first < 60_000);
        // The new session's watches work.
        wait(other.set("/r/04", b"", None))?;
        eventually("followed", || cache.get("/r/04").unwrap().data.unwrap().is_empty());
        wait(other.set("/r/04", &[1; 10_000], None))?;
        wait(own.close())?;
    }
    Ok(())
}

#[test]
fn nothing_is_left_when_the_last_handle_goes() -> Outcome {
    let server = Server::start();
    let client = connect(&server);
    put(&client, "/d", b"");
    for builder in both(|| Cache::tree(&client, "/d")) {
        let cache = builder.start()?;
        wait(cache.ready())?;
        assert!(client.counters().watches > 0);
        let clone = cache.clone();
        drop(cache);
        put(&client, "/d/x", b"");
        eventually("followed", || clone.get("/d/x").is_some());
        drop(clone);
        eventually("no watch", || client.counters().watches == 0);
        wait(client.delete("/d/x", None))?;
    }
    // A closed client ends the cache, and says so.
    let cache = Cache::tree(&client, "/d").start()?;
    wait(cache.ready())?;
    let mut changes = cache.changes();
    wait(client.close())?;
    let Some(Change::Ended(error)) = wait(changes.next()) else { panic!("the end") };
    assert_eq!(error.code(), ErrorCode::Closing);
    assert_eq!(wait(changes.next()), None);
    assert_eq!(wait(cache.current()).unwrap_err().code(), ErrorCode::Closing);
    Ok(())
}

/// Whatever is done, and however often the connection is lost: in the end the cache has what the server has.
#[test]
fn random_histories_end_alike() -> Outcome {
    let server = Server::start();
    let gate = Gate::start(server.address().unwrap());
    let other = connect(&server);
    for (round, one_shot) in [(1_u64, false), (2, false), (3, true), (4, false), (5, true)] {
        let root = format!("/h{round}");
        let own = wait(Client::builder().servers(&gate.address()).connect())?;
        let builder = Cache::tree(&own, &root);
        let cache = if one_shot { builder.one_shot() } else { builder }.start()?;
        let mut seed = round;
        let mut random = move |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % below
        };
        let mut ops = Vec::new();
        for step in 0..600 {
            let mut path = root.clone();
            for _ in 0..random(4) {
                path += &format!("/{}", random(3));
            }
            match random(5) {
                0 | 1 => ops.push(tokio_free(other.create(&path, &[1; 3], CreateMode::Persistent))),
                2 => ops.push(tokio_free(other.set(&path, &random(9).to_be_bytes(), None))),
                _ => ops.push(tokio_free(other.delete(&path, None))),
            }
            if step % 100 == 50 {
                gate.cut();
            }
            if random(20) == 0 {
                ops.drain(..).for_each(wait);
            }
        }
        ops.drain(..).for_each(wait);
        let end = truth(&other, &root);
        eventually(&format!("round {round}"), || contents(&cache) == end);
        wait(cache.current())?;
        assert_eq!(contents(&cache), end);
        let sum: usize = end
            .iter()
            .map(|(path, data)| data.len() + path.rsplit('/').next().unwrap().len())
            .sum();
        let own_name = if end.is_empty() { 0 } else { root.len() - 1 };
        assert_eq!((cache.len(), cache.bytes()), (end.len(), sum - own_name));
    }
    Ok(())
}

/// An operation whose outcome does not matter.
fn tokio_free<T: Send + Unpin + 'static>(
    op: quorate::client::Op<T>,
) -> std::pin::Pin<Box<dyn Future<Output = ()>>> {
    Box::pin(async move {
        let _ = op.await;
    })
}
