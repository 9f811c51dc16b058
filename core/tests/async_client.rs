//! The asynchronous client against a server in this process, over the inside of the process and over TCP, or against one elsewhere.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use quorate::client::blocking::wait;
use quorate::client::{
    Client, CreateMode, ErrorCode, EventType, Inbox, Request, State, WatchEvent, WatchMode, within,
};
use quorate::server;
use service::Server;
use std::sync::Arc;
use std::time::Duration;

#[path = "support/service.rs"]
mod service;

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Runs `test` with a client in the process, if the server is there, and with one over TCP.
fn on_both_ways(test: impl AsyncFn(&Client) -> quorate::client::Result<()>) -> Outcome {
    let server = Server::start();
    for builder in server.ways() {
        let client = wait(builder.connect())?;
        wait(test(&client))?;
        wait(client.close())?;
        assert_eq!(client.state(), State::Closed);
    }
    server.stop()?;
    Ok(())
}

async fn clean(client: &Client, path: &str) {
    let _ = client.delete(path, None).await;
}

#[test]
fn nodes_are_created_read_written_and_deleted() -> Outcome {
    on_both_ways(async |client| {
        clean(client, "/a").await;
        let created = client.create("/a", b"one", CreateMode::Persistent).await?;
        assert_eq!(created.path, "/a");
        let (data, stat) = client.get("/a").await?;
        assert_eq!(
            (data.as_slice(), stat.version, stat.czxid),
            (&b"one"[..], 0, created.stat.czxid)
        );
        assert_eq!(client.set("/a", b"two", Some(0)).await?.version, 1);
        let error = client.set("/a", b"three", Some(0)).await.unwrap_err();
        assert_eq!(
            (error.code(), error.path(), error.outcome_unknown()),
            (ErrorCode::BadVersion, "/a", false)
        );
        assert_eq!(client.exists("/none").await?, None);
        let (names, _) = client.children("/").await?;
        assert!(names.contains(&"a".to_owned()));
        client.delete("/a", Some(1)).await?;
        assert_eq!(client.get("/a").await.unwrap_err().code(), ErrorCode::NoNode);
        Ok(())
    })
}

#[test]
fn requests_are_ordered_by_the_calls_not_by_the_awaits() -> Outcome {
    on_both_ways(async |client| {
        clean(client, "/order").await;
        let create = client.create("/order", b"", CreateMode::Persistent);
        let sets: Vec<_> =
            (0..1000).map(|n: i32| client.set("/order", &n.to_be_bytes(), Some(n))).collect();
        let get = client.get("/order");
        let (data, stat) = get.await?;
        assert_eq!((data, stat.version), (999_i32.to_be_bytes().to_vec(), 1000));
        for set in sets.into_iter().rev() {
            set.await?;
        }
        create.await?;
        Ok(())
    })
}

/// Who brakes with `ready` is never refused: there is room for another request when it returns, by number and by bytes.
#[test]
fn ready_waits_for_room_in_bytes_too() -> Outcome {
    let server = Server::start();
    let address = server.address().unwrap().to_string();
    for limit in [usize::MAX, 50, 1] {
        let builder = Client::builder().servers(&address).max_in_flight(40, 2_000);
        let client = wait(builder.connect())?;
        wait(async {
            let mut sets = Vec::new();
            for size in (0..2_000).map(|n| if n % 100 < 50 { 700 } else { 1 }) {
                client.ready(limit).await;
                sets.push(client.set("/", &vec![0; size], None));
            }
            for set in sets {
                set.await?;
            }
            client.close().await
        })?;
    }
    server.stop()?;
    Ok(())
}

#[test]
fn watches_are_values() -> Outcome {
    on_both_ways(async |client| {
        clean(client, "/w").await;
        let (none, created) = client.exists_and_watch("/w").await?;
        assert_eq!(none, None);
        let mut all = client.watch("/", WatchMode::Recursive).await?;
        client.create("/w", b"", CreateMode::Persistent).await?;
        assert_eq!(created.await?.kind, EventType::Created);
        let (_, _, changed) = client.get_and_watch("/w").await?;
        client.set("/w", b"x", None).await?;
        assert_eq!(changed.await?.kind, EventType::DataChanged);
        for kind in [EventType::Created, EventType::DataChanged] {
            let WatchEvent::Changed(event) = all.next().await? else {
                panic!("nothing was missed")
            };
            assert_eq!((event.kind, event.path.as_str()), (kind, "/w"));
        }
        Ok(())
    })
}

#[test]
fn a_dropped_watch_is_removed_on_the_server() -> Outcome {
    let server = Server::start();
    let client = wait(server.client().connect())?;
    wait(async {
        let watcher = client.watch("/", WatchMode::Node).await?;
        assert_eq!(client.counters().watches, 1);
        drop(watcher);
        client.sync("/").await?;
        assert_eq!(client.counters().watches, 0);
        let inbox = Arc::new(Inbox::new(None));
        use quorate_wire::op::remove_watches::WatcherType;
        client.submit_to(
            &inbox,
            &Request::CheckWatches { path: "/", kind: WatcherType::Any },
            7,
        )?;
        let done = inbox.wait(Duration::from_secs(10));
        let text = format!("{done:?}");
        assert!(text.contains("NoWatcher") && text.contains("token: 7"), "{text}");
        quorate::client::Result::Ok(())
    })?;
    Ok(())
}

#[test]
fn views_see_a_part_of_the_tree() -> Outcome {
    on_both_ways(async |client| {
        for path in ["/app/x", "/app"] {
            clean(client, path).await;
        }
        client.create("/app", b"", CreateMode::Persistent).await?;
        let view = client.view("/app")?;
        let created = view.create("/x", b"1", CreateMode::Persistent).await?;
        assert_eq!(created.path, "/x");
        assert_eq!(client.get("/app/x").await?.0, b"1");
        assert_eq!(view.children("/").await?.0, ["x"]);
        let (_, _, watch) = view.get_and_watch("/x").await?;
        client.set("/app/x", b"2", None).await?;
        assert_eq!(watch.await?.path, "/x");
        assert_eq!(view.get("/y").await.unwrap_err().path(), "/y");
        Ok(())
    })
}

#[test]
fn a_session_outlives_its_connection_and_its_process() -> Outcome {
    let directory = tempfile::tempdir()?;
    let start = |port: u16| {
        server::Server::builder()
            .data_dir(directory.path())
            .listen(([127, 0, 0, 1], port).into())
            .start()
    };
    let server = start(0)?;
    let address = server.address().unwrap();
    let client = wait(Client::builder().servers(&address.to_string()).connect())?;
    wait(client.create("/mine", b"", CreateMode::Ephemeral))?;
    let session = client.session_id();
    let lifetime = client.lifetime();
    let mut states = client.states();
    server.stop()?;
    assert_eq!(wait(states.next()), Some(State::Suspended));
    // Submitted while there is no connection: it waits for one.
    let waiting = client.get("/mine");
    let server = start(address.port())?;
    wait(waiting)?;
    assert_eq!((client.session_id(), lifetime.is_alive()), (session, true));

    let identity = client.identity().unwrap();
    client.abandon();
    let heir = wait(Client::builder().servers(&address.to_string()).resume(identity).connect())?;
    assert_eq!(wait(heir.exists("/mine"))?.unwrap().ephemeral_owner, session);
    wait(heir.close())?;
    server.stop()?;
    Ok(())
}

#[test]
fn the_end_of_a_session_is_told_once() -> Outcome {
    let server = server::Server::builder().volatile().free_port().start()?;
    let address = server.address().unwrap().to_string();
    let timeout = Duration::from_secs(4);
    let client = wait(Client::builder().servers(&address).session_timeout(timeout).connect())?;
    let lifetime = client.lifetime();
    let watch = wait(client.exists_and_watch("/never"))?.1;
    let mut states = client.states();
    server.stop()?;
    let environment = Arc::clone(client.environment());
    let ended = wait(within(&*environment, Duration::from_secs(20), lifetime.ended()));
    assert!(ended.is_some(), "the client's own clock must tell the loss");
    assert!(!lifetime.is_alive());
    assert_eq!(wait(watch).unwrap_err().code(), ErrorCode::SessionExpired);
    assert_eq!(wait(states.next()), Some(State::Suspended));
    assert_eq!(wait(states.next()), Some(State::Lost));
    Ok(())
}

#[test]
fn threads_that_share_a_client_get_their_own_answers() -> Outcome {
    on_both_ways(async |client| {
        std::thread::scope(|scope| {
            let work = |number: usize| {
                let path = format!("/own-{number}");
                wait(client.create(&path, number.to_string().as_bytes(), CreateMode::Ephemeral))?;
                for _ in 0..2_000 {
                    let (data, _) = wait(client.get(&path))?;
                    assert_eq!(data, number.to_string().as_bytes());
                }
                wait(client.delete(&path, None))
            };
            let threads: Vec<_> = (0..4).map(|number| scope.spawn(move || work(number))).collect();
            threads.into_iter().try_for_each(|thread| thread.join().unwrap())
        })
    })
}

#[test]
fn nobody_there_is_an_error_in_time() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let builder = Client::builder()
        .servers(&format!("127.0.0.1:{port}"))
        .patience(Duration::from_millis(300));
    let error = wait(builder.connect()).unwrap_err();
    assert_eq!(error.code(), ErrorCode::ConnectionLoss);
    assert!(error.to_string().contains("no server answered"), "{error}");

    // A Dubbo address says it itself; the program has the last word.
    let address = format!("zookeeper://127.0.0.1:{port}?timeout=310");
    let builder = Client::builder().servers(&address);
    let error = wait(builder.connect()).unwrap_err();
    assert!(error.to_string().contains("within 310ms"), "{error}");
    let builder = Client::builder().servers(&address).patience(Duration::from_millis(320));
    let error = wait(builder.connect()).unwrap_err();
    assert!(error.to_string().contains("within 320ms"), "{error}");
}

/// Requests within the process can be answered before they are awaited: then awaiting them gives nobody else a turn by itself.
#[test]
fn a_task_that_never_waits_lets_the_others_run() -> Outcome {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    let server = server::Server::builder().volatile().no_port().start()?;
    let client = wait(Client::builder().in_process(&server).connect())?;
    let done = Arc::new(AtomicBool::new(false));
    let rounds = Arc::new(AtomicUsize::new(0));
    let (send, receive) = std::sync::mpsc::channel();
    let (busy, seen, counted) = (client.clone(), Arc::clone(&done), Arc::clone(&rounds));
    client.environment().spawn(Box::pin(async move {
        while !seen.load(Ordering::Relaxed) && busy.get("/").await.is_ok() {
            counted.fetch_add(1, Ordering::Relaxed);
        }
        let _ = send.send(());
    }));
    while rounds.load(Ordering::Relaxed) < 1_000 {
        std::thread::yield_now();
    }
    let (done_at, counted) = (Arc::new(AtomicUsize::new(0)), Arc::clone(&rounds));
    let noted = Arc::clone(&done_at);
    client.environment().spawn(Box::pin(async move {
        noted.store(counted.load(Ordering::Relaxed), Ordering::Relaxed);
        done.store(true, Ordering::Relaxed);
    }));
    let before = rounds.load(Ordering::Relaxed);
    let ended = receive.recv_timeout(Duration::from_secs(60));
    let waited = done_at.load(Ordering::Relaxed).saturating_sub(before);
    assert!(waited < 20_000, "the other had its turn after {waited} rounds");
    client.abandon();
    Ok(ended?)
}
