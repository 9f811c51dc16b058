//! Faults that other clients are known for, each put to ours under the name it has there. `docs/known-faults.md` lists all of them, also those
//! whose test stands elsewhere.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "support/cutting.rs"]
mod cutting;
#[path = "support/raw.rs"]
mod raw;
#[path = "support/tasks.rs"]
mod tasks;

use cutting::Proxy;
use quorate::client::blocking::wait;
use quorate::client::{
    Client, CreateMode, ErrorCode, EventType, Inbox, Request, Result, State, WatchEvent, WatchMode,
    within,
};
use quorate::recipes::cache::Cache;
use quorate::recipes::kit::{Held, Loss};
use quorate::recipes::latch::LeaderLatch;
use quorate::recipes::layout::lock::Mode;
use quorate::recipes::layout::read_write::Mode as SharedMode;
use quorate::recipes::lock::Lock;
use quorate::recipes::queue::{Layout, WorkQueue};
use quorate::recipes::read_write::ReadWriteLock;
use quorate::recipes::value::SharedValue;
use quorate_wire::OpCode;
use raw::{eventually, figure};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;
use tasks::{
    PATIENCE, Server, children, client, client_of, clients, count, server, soon, spawn, until,
};

/// Short enough for what must not happen.
const SHORT: Duration = Duration::from_millis(20);

/// A client through a proxy, which does not wait for its session.
fn opened(proxy: &Proxy) -> Client {
    Client::builder().servers(&proxy.servers()).session_timeout(PATIENCE).open().unwrap()
}

/// Ends the session of a client on the server; the client learns it and begins another.
async fn expire(server: &Server, client: &Client) {
    let twin = server.client().resume(client.identity().unwrap()).connect().await.unwrap();
    twin.close().await.unwrap();
}

/// kazoo #83 (and #132, #482): a lock that is asked for before there is a connection hung without a word, and so it did on a closed client.
#[test]
fn kazoo_83_a_lock_asked_for_before_there_is_a_connection() {
    let server = server();
    let watching = client(&server);
    let proxy = Proxy::start(server.address().unwrap());
    proxy.close();
    wait(async {
        let early = opened(&proxy);
        let lock = Lock::new(&early, "/lock");
        // Bounded, if one wants.
        assert!(lock.acquire_within(SHORT).await?.is_none());
        let waiting = spawn(&early, {
            let lock = lock.clone();
            async move { lock.acquire().await }
        });
        // Who never gets a connection is told when the client is closed.
        let never = opened(&proxy);
        let hopeless = spawn(&never, {
            let lock = Lock::new(&never, "/lock");
            async move { lock.acquire().await }
        });
        let _nobody_told = soon(&watching, never.close()).await;
        assert!(hopeless.join(&watching).await.unwrap_err().is_session_end());
        let late = Lock::new(&never, "/lock");
        assert_eq!(soon(&watching, late.acquire()).await.unwrap_err().code(), ErrorCode::Closing);
        proxy.open();
        let held = waiting.join(&watching).await?;
        assert!(held.is_held());
        // The one that was given up is not in the way.
        children(&watching, "/lock", 1).await;
        held.release().await
    })
    .unwrap();
}

/// kazoo #175: every wait with a limit at an empty queue left a watch.
#[test]
fn kazoo_175_waits_with_a_limit_leave_nothing() {
    let server = server();
    let address = server.address().unwrap();
    let client = client(&server);
    wait(async {
        for layout in [Layout::Kazoo, Layout::KazooLocking, Layout::Curator] {
            let queue = WorkQueue::new(&client, &format!("/{layout:?}"), layout);
            queue.put(b"makes the directories").await?;
            queue.take().await?;
            for _ in 0..100 {
                let limit = Duration::from_micros(300);
                assert!(within(&**client.environment(), limit, queue.take()).await.is_none());
                assert!(within(&**client.environment(), limit, queue.hold()).await.is_none());
                let counters = client.counters();
                assert!(counters.watches < 10, "{layout:?}: {counters:?}");
            }
        }
        until(&client, || async { client.counters().watches == 0 }).await;
        Result::Ok(())
    })
    .unwrap();
    eventually((0, 0), || (client.counters().in_flight, client.counters().watches));
    eventually(0.0, || figure(address, "zk_watch_count"));
}

/// kazoo #207: a watch on data that was begun when the servers were gone could not be bounded in time.
#[test]
fn kazoo_207_following_begun_without_a_server_can_be_given_up() {
    let server = server();
    let other = client(&server);
    let proxy = Proxy::start(server.address().unwrap());
    let client = client_of(&proxy.servers());
    wait(async {
        other.create("/value", b"1", CreateMode::Persistent).await?;
        let (value, mut states) = (SharedValue::new(&client, "/value"), client.states());
        proxy.close();
        assert_eq!(soon(&other, states.next()).await, Some(State::Suspended));
        let bounded = within(&**client.environment(), SHORT, value.subscribe()).await;
        assert!(bounded.is_none());
        let cache = Cache::tree(&client, "/value").start()?;
        assert!(within(&**client.environment(), SHORT, cache.ready()).await.is_none());
        drop(cache);
        // One that nobody gives up goes on by itself.
        let patient = spawn(&client, {
            let value = value.clone();
            async move { value.subscribe().await }
        });
        other.set("/value", b"2", None).await?;
        proxy.open();
        let subscription = patient.join(&other).await?;
        assert_eq!(subscription.current().unwrap().data, b"2");
        // Of those that were given up nothing is left.
        until(&other, || async {
            (client.counters().in_flight, client.counters().watches) == (0, 1)
        })
        .await;
        Result::Ok(())
    })
    .unwrap();
}

/// kazoo #381, #405, #356, #208: who called the client from a listener, or took part in an election from a watch, waited for ever.
#[test]
fn kazoo_208_356_381_405_listeners_may_use_the_client() {
    let server = server();
    let other = client(&server);
    let proxy = Proxy::start(server.address().unwrap());
    let client = client_of(&proxy.servers());
    wait(async {
        other.create("/trigger", b"", CreateMode::Persistent).await?;
        // A listener that releases and takes a lock, and reads, at each connection.
        let mut held = Lock::new(&client, "/lock").acquire().await?;
        let (mut states, listener) = (client.states(), client.clone());
        let (tell, told) = mpsc::channel();
        let listening = spawn(&client, async move {
            for _ in 0..2 {
                while states.next().await != Some(State::Connected) {}
                held.release().await?;
                held = Lock::new(&listener, "/lock").acquire().await?;
                let (names, _) = listener.children("/").await?;
                tell.send(names.len()).unwrap();
            }
            held.release().await
        });
        // A watch whose owner leads, while more events come.
        let mut watcher = client.watch("/trigger", WatchMode::Node).await?;
        let leading = spawn(&client, {
            let client = client.clone();
            async move {
                let mut terms = 0;
                while terms < 3 {
                    if matches!(watcher.next().await?, WatchEvent::Changed(_)) {
                        let candidate = LeaderLatch::new(&client, "/election").join();
                        candidate.leads().await?;
                        candidate.leave().await?;
                        terms += 1;
                    }
                }
                Result::Ok(())
            }
        });
        for n in 0..20_u8 {
            other.set("/trigger", &[n], None).await?;
        }
        leading.join(&other).await?;
        for _ in 0..2 {
            proxy.close();
            proxy.open();
            assert!(told.recv_timeout(PATIENCE).unwrap() >= 3);
        }
        listening.join(&other).await
    })
    .unwrap();
}

/// The same for the call of an inbox, which runs on the library's thread or within a submission: it may submit, as often as it likes.
#[test]
fn kazoo_405_the_call_of_an_inbox_may_submit() {
    // In a thread that may be left behind: one that waits for itself would keep the test from its end.
    let (end, has_ended) = mpsc::channel();
    std::thread::spawn(move || {
        let server = server();
        let address = server.address().unwrap().to_string();
        for builder in [server.client(), Client::builder().servers(&address)] {
            submit_in_calls(&wait(builder.connect()).unwrap());
        }
        end.send(()).unwrap();
    });
    has_ended.recv_timeout(PATIENCE).unwrap();
}

/// Submits a request in the call that tells of the one before, many times.
fn submit_in_calls(client: &Client) {
    const ROUNDS: u64 = 3_000;
    let (done, is_done) = mpsc::channel();
    let chain = Arc::new(Mutex::new(None::<Arc<Inbox>>));
    let (links, caller) = (Arc::clone(&chain), client.clone());
    let inbox = Arc::new(Inbox::new(Some(Box::new(move || {
        let Some(inbox) = links.lock().unwrap().clone() else { return };
        for completion in inbox.take() {
            let quorate::client::Completion::Done { token, .. } = completion else { continue };
            if token == ROUNDS {
                done.send(()).unwrap();
            } else {
                let exists = Request::Exists { path: "/", watch: None };
                caller.submit_to(&inbox, &exists, token + 1).unwrap();
            }
        }
    }))));
    *chain.lock().unwrap() = Some(Arc::clone(&inbox));
    client.submit_to(&inbox, &Request::Exists { path: "/", watch: None }, 1).unwrap();
    is_done.recv().unwrap();
    chain.lock().unwrap().take();
}

/// apache/zookeeper PR 24, apache/incubator-heron #2907: a client that was closed within a callback crashed, or waited for itself.
#[test]
fn zookeeper_pr_24_heron_2907_a_call_may_end_its_client() {
    type End = fn(Client);
    let ends: [End; 3] = [drop, |client| drop(client.close()), |client| client.abandon()];
    let server = server();
    let address = server.address().unwrap().to_string();
    for end in ends {
        for builder in [server.client(), Client::builder().servers(&address)] {
            let client = wait(builder.connect()).unwrap();
            let owned = Arc::new(Mutex::new(Some(client.clone())));
            let (ended, has_ended) = mpsc::channel();
            let inbox = Arc::new(Inbox::new(Some(Box::new(move || {
                let last = owned.lock().unwrap().take();
                if let Some(last) = last {
                    end(last);
                    ended.send(()).unwrap();
                }
            }))));
            let inboxes: Vec<_> = (0..10).map(|_| Arc::clone(&inbox)).collect();
            for inbox in &inboxes {
                // After the first answer the client may have ended: then nothing more is accepted.
                let exists = Request::Exists { path: "/", watch: None };
                let _accepted = client.submit_to(inbox, &exists, 1);
            }
            // From now on the only handle is the call's, or was.
            drop(client);
            has_ended.recv_timeout(PATIENCE).unwrap();
        }
    }
    // The library is none the worse for it.
    assert!(wait(client(&server).exists("/")).unwrap().is_some());
}

/// kazoo #217: a process that ended with an open client died in the client's threads.
#[test]
fn kazoo_217_a_process_may_end_with_open_clients() {
    const SERVERS: &str = "KNOWN_FAULTS_LEAVE_OPEN";
    if let Ok(servers) = std::env::var(SERVERS) {
        leave_open(&servers);
    }
    let server = server();
    let address = server.address().unwrap().to_string();
    let name = "kazoo_217_a_process_may_end_with_open_clients";
    for _ in 0..10 {
        let ended = std::process::Command::new(std::env::current_exe().unwrap())
            .args([name, "--exact", "--nocapture"])
            .env(SERVERS, &address)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!((ended.status.code(), said.as_ref()), (Some(ENDED), ""));
    }
}

/// Ends the process while requests are under way, watches wait, a client is being closed and another is just connecting.
fn leave_open(servers: &str) -> ! {
    static KEPT: Mutex<Vec<Client>> = Mutex::new(Vec::new());
    let client = client_of(servers);
    let value = SharedValue::new(&client, "/value");
    drop(spawn(&client, async move { value.subscribe().await?.changed().await.map(drop) }));
    let last = client_of(servers);
    drop(last.create("/mine", b"", CreateMode::Ephemeral));
    drop(last);
    for _ in 0..100 {
        drop(client.get("/"));
    }
    let connecting = Client::builder().servers(servers).open().unwrap();
    KEPT.lock().unwrap().extend([client, connecting]);
    std::process::exit(ENDED);
}

/// No code that a failing test ends with.
const ENDED: i32 = 42;

/// apache/curator #812 (CURATOR-292), yfinkelstein/node-zookeeper #80: after an expiry nobody began a new session.
#[test]
fn curator_812_node_80_a_new_session_follows_every_expired_one() {
    let server = server();
    let other = client(&server);
    let proxy = Proxy::start(server.address().unwrap());
    let client = client_of(&proxy.servers());
    wait(async {
        for round in 0..4_u64 {
            let (old, lifetime) = (client.session_id(), client.lifetime());
            // Expired while it is there, and while it is away with a request waiting.
            let waiting = if round % 2 == 0 {
                None
            } else {
                proxy.close();
                while client.state() == State::Connected {
                    client.sleep(Duration::from_millis(1)).await;
                }
                Some(client.get("/"))
            };
            expire(&server, &client).await;
            proxy.open();
            // Whoever says something hears of it at once.
            drop(client.exists("/"));
            soon(&other, lifetime.ended()).await;
            if let Some(waiting) = waiting {
                let error = soon(&other, waiting).await.unwrap_err();
                assert_eq!(error.code(), ErrorCode::SessionExpired);
            }
            soon(&other, client.connected()).await?;
            let path = format!("/round-{round}");
            let made = soon(&other, client.create(&path, b"", CreateMode::Ephemeral)).await?;
            assert_eq!(made.stat.ephemeral_owner, client.session_id());
            assert_ne!(client.session_id(), old);
            assert_eq!(client.counters().session.lost, round + 1);
        }
        Result::Ok(())
    })
    .unwrap();
}

/// apache/curator #827 (CURATOR-307): waiting and releasing failed with an index error when the whole directory was gone.
#[test]
fn curator_827_the_directory_may_go_under_holders_and_waiters() {
    let server = server();
    let [a, b, c] = clients(&server);
    for mode in [SharedMode::Curator, SharedMode::Kazoo, SharedMode::Bridge] {
        let lock = |client: &Client| ReadWriteLock::new(client, "/rw").mode(mode.clone());
        let nodes = if mode == SharedMode::Bridge { 2 } else { 1 };
        let (holder, reader, writer) = (lock(&a), lock(&b), lock(&c));
        wait(async {
            let held = holder.write().await?;
            let lost = held.lost();
            let read = spawn(&b, async move { reader.read().await?.release().await });
            children(&a, "/rw", 2 * nodes).await;
            let write = spawn(&c, async move { writer.write().await?.release().await });
            children(&a, "/rw", 3 * nodes).await;
            let mut everything = a.multi();
            for name in a.children("/rw").await?.0 {
                everything = everything.delete(format!("/rw/{name}"), None);
            }
            everything.delete("/rw", None).commit().await?;
            // Who waited takes a place anew. Nobody else has made the directory before.
            read.join(&a).await?;
            write.join(&a).await?;
            // The holder is told, what it does next is refused, and its release is no error.
            assert_eq!(soon(&a, lost).await, Loss::Deleted);
            let code = holder.read_beside(&held).await.unwrap_err().code();
            assert_eq!(code, ErrorCode::SessionExpired);
            held.release().await
        })
        .unwrap();
    }
}

/// apache/curator #864 (CURATOR-344): watchers that read again kept everybody from hearing that the connection was away.
#[test]
fn curator_864_reading_again_does_not_delay_the_news_of_a_suspension() {
    let server = server();
    let other = client(&server);
    let proxy = Proxy::start(server.address().unwrap());
    let client = client_of(&proxy.servers());
    wait(async {
        other.create("/value", b"0", CreateMode::Persistent).await?;
        let mut subscriptions = Vec::new();
        for _ in 0..20 {
            subscriptions.push(SharedValue::new(&client, "/value").subscribe().await?);
        }
        // In a thread: were the library's own held up, nobody could tell the time to this one.
        let (mut states, (tell, told)) = (client.states(), mpsc::channel());
        std::thread::spawn(move || tell.send(wait(states.next())));
        // They have heard of a change, and wait for what they read because of it.
        proxy.hold(OpCode::GetData);
        let before = proxy.requests(OpCode::GetData);
        other.set("/value", b"1", None).await?;
        until(&other, || async { proxy.requests(OpCode::GetData) > before }).await;
        proxy.close();
        proxy.let_go();
        assert_eq!(told.recv_timeout(PATIENCE), Ok(Some(State::Suspended)));
        assert!(client.lifetime().is_alive(), "long before the session is over");
        proxy.open();
        for subscription in &mut subscriptions {
            let value = soon(&other, subscription.changed()).await?.unwrap();
            assert_eq!(value.data, b"1");
        }
        Result::Ok(())
    })
    .unwrap();
}

/// apache/curator #1024 (CURATOR-504): reconnects in quick succession left nodes of the latch that nobody owned.
#[test]
fn curator_1024_a_latch_has_one_node_however_often_the_connection_goes() {
    let server = server();
    let other = client(&server);
    let proxy = Proxy::start(server.address().unwrap());
    let [a, b] = [(); 2].map(|()| client_of(&proxy.servers()));
    wait(async {
        let first = LeaderLatch::new(&a, "/latch").id("a").join();
        soon(&other, first.leads()).await?;
        let second = LeaderLatch::new(&b, "/latch").id("b").join();
        children(&other, "/latch", 2).await;
        for round in 0..15 {
            proxy.close();
            proxy.open();
            // Sometimes in the middle of the next connection.
            if round % 3 == 0 {
                soon(&other, a.connected()).await?;
            }
            assert_eq!(count(&other, "/latch").await, 2);
        }
        // Also when it goes while a candidate looks for its place.
        for _ in 0..5 {
            proxy.lose_answer(OpCode::GetChildren2);
            let third = LeaderLatch::new(&b, "/latch").id("c").join();
            children(&other, "/latch", 3).await;
            third.leave().await?;
            children(&other, "/latch", 2).await;
        }
        let term = soon(&other, first.leads()).await?;
        assert!(term.holds() && !second.is_leader());
        assert_eq!(count(&other, "/latch").await, 2);
        first.leave().await?;
        assert!(soon(&other, second.leads()).await?.holds());
        children(&other, "/latch", 1).await;
        Result::Ok(())
    })
    .unwrap();
}

/// apache/curator #1121 (CURATOR-604): a lock was taken for held because of a node of the session before, which was about to vanish.
#[test]
fn curator_1121_a_node_of_another_session_is_not_the_own() {
    let server = server();
    let [other, before] = clients(&server);
    let proxy = Proxy::start(server.address().unwrap());
    let client = client_of(&proxy.servers());
    for mode in [Mode::Curator, Mode::Kazoo { yields_to_curator: true }, Mode::Bridge] {
        let lock = Lock::new(&client, "/lock").mode(mode);
        wait(async {
            lock.acquire().await?.release().await?;
            // The answer to the creation is lost. Before the client looks what has become of it, its node is that of another session.
            proxy.hold(OpCode::Sync);
            proxy.lose_answer(if mode == Mode::Bridge { OpCode::Multi } else { OpCode::Create2 });
            let acquiring = spawn(&client, async move { lock.acquire().await });
            children(&other, "/lock", mode.nodes()).await;
            let names = other.children("/lock").await?.0;
            for name in &names {
                other.delete(&format!("/lock/{name}"), None).await?;
                before.create(&format!("/lock/{name}"), b"", CreateMode::Ephemeral).await?;
            }
            proxy.let_go();
            let held = acquiring.join(&other).await?;
            let (_, stat) = other.get(&held.path()).await?;
            assert_eq!((stat.ephemeral_owner, stat.czxid), (client.session_id(), held.token()));
            assert!(names.iter().all(|name| !held.path().ends_with(name.as_str())));
            // What was not its own is out of the way: it would have blocked until its session ended.
            assert_eq!(count(&other, "/lock").await, mode.nodes());
            held.release().await
        })
        .unwrap();
    }
}

/// kragniz/python-etcd3 #1107, apache/curator #1046 (CURATOR-527): a release between the look at the predecessor and the watch on it was missed.
#[test]
fn python_etcd3_1107_a_release_between_looking_and_watching_is_seen() {
    let server = server();
    let holder = client(&server);
    let proxy = Proxy::start(server.address().unwrap());
    let waiter = client_of(&proxy.servers());
    let missed = |what: &str| format!("{what}: the release was missed");
    wait(async {
        for exclusive in [true, false] {
            let held = match exclusive {
                true => Lock::new(&holder, "/lock").acquire().await?,
                false => {
                    ReadWriteLock::new(&holder, "/lock").mode(SharedMode::Kazoo).write().await?
                }
            };
            proxy.hold(OpCode::GetData);
            let looks = proxy.requests(OpCode::GetData);
            let waiting = spawn(&waiter, {
                let waiter = waiter.clone();
                async move {
                    match exclusive {
                        true => Lock::new(&waiter, "/lock").acquire().await,
                        false => {
                            ReadWriteLock::new(&waiter, "/lock")
                                .mode(SharedMode::Kazoo)
                                .read()
                                .await
                        }
                    }
                }
            });
            // It has listed the directory and is about to watch.
            until(&holder, || async { proxy.requests(OpCode::GetData) > looks }).await;
            held.release().await?;
            proxy.let_go();
            let held = within(&**holder.environment(), PATIENCE, waiting.join(&holder)).await;
            held.unwrap_or_else(|| panic!("{}", missed("lock")))?.release().await?;
        }
        // The latch, whose candidates wait in the same way.
        let first = LeaderLatch::new(&holder, "/latch").join();
        soon(&holder, first.leads()).await?;
        proxy.hold(OpCode::GetData);
        let looks = proxy.requests(OpCode::GetData);
        let second = LeaderLatch::new(&waiter, "/latch").join();
        until(&holder, || async { proxy.requests(OpCode::GetData) > looks }).await;
        first.leave().await?;
        proxy.let_go();
        let term = within(&**holder.environment(), PATIENCE, second.leads()).await;
        assert!(term.unwrap_or_else(|| panic!("{}", missed("latch")))?.holds());
        Result::Ok(())
    })
    .unwrap();
}

/// go-zookeeper/zk PR 101: events that nobody took held up the answers.
#[test]
fn go_zookeeper_pr_101_events_that_nobody_takes_hold_up_nothing() {
    let server = server();
    let other = client(&server);
    let proxy = Proxy::start(server.address().unwrap());
    let builder = Client::builder().servers(&proxy.servers()).session_timeout(PATIENCE);
    let client = wait(builder.max_events(1).connect()).unwrap();
    wait(async {
        let (mut watchers, mut once) = (Vec::new(), Vec::new());
        for _ in 0..20 {
            watchers.push(client.watch("/", WatchMode::Recursive).await?);
            once.push(client.exists_and_watch("/n0").await?.1);
        }
        let unheard = client.states();
        for n in 0..100 {
            let path = format!("/n{n}");
            other.create(&path, b"", CreateMode::Persistent).await?;
            // Again and again, because a connection may go under it.
            until(&other, || async { client.exists(&path).await.is_ok_and(|it| it.is_some()) })
                .await;
            if n % 25 == 24 {
                proxy.close();
                proxy.open();
            }
        }
        // What is there is told in order, and that there was more.
        for watcher in &mut watchers {
            let WatchEvent::Changed(event) = watcher.next().await? else { panic!("missed first") };
            assert_eq!((event.kind, event.path.as_str()), (EventType::Created, "/n0"));
            assert_eq!(watcher.next().await?, WatchEvent::Missed);
        }
        for watch in once {
            assert_eq!(watch.await?.path, "/n0");
        }
        drop((watchers, unheard));
        until(&other, || async { client.counters().watches == 0 }).await;
        Result::Ok(())
    })
    .unwrap();
}

/// Netflix/curator #31: a lock belonged to the thread that had taken it.
#[test]
fn netflix_curator_31_whoever_has_the_lock_may_release_it() {
    let server = server();
    let client = client(&server);
    let held: Held = wait(Lock::new(&client, "/lock").acquire()).unwrap();
    let owned = wait(Lock::new(&client, "/owned").owner().acquire()).unwrap();
    std::thread::spawn(move || {
        wait(held.release()).unwrap();
        wait(owned.release()).unwrap();
    })
    .join()
    .unwrap();
    assert_eq!((wait(count(&client, "/lock")), wait(count(&client, "/owned"))), (0, 0));
}

/// The document names tests that are there, and every test of this file.
#[test]
fn the_document_names_tests_that_exist() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let document = std::fs::read_to_string(root.join("docs/known-faults.md")).unwrap();
    let mut named = Vec::new();
    for quoted in document.split('`').skip(1).step_by(2) {
        let Some((file, test)) = quoted.split_once("::") else { continue };
        let text = std::fs::read_to_string(root.join(file)).unwrap_or_default();
        let is_there = ["fn ", "def "].iter().any(|word| text.contains(&format!("{word}{test}(")));
        assert!(is_there, "there is no {quoted}");
        named.push(test);
    }
    let here = include_str!("known_faults.rs");
    for test in here.split("#[test]\nfn ").skip(1).filter_map(|text| text.split('(').next()) {
        let about_itself = test == "the_document_names_tests_that_exist";
        assert!(about_itself || named.contains(&test), "{test} is not in the document");
    }
}
