//! A process that forks while it has clients and servers: the child is told so, and disturbs nobody.
//!
//! The children do what a careful program would not, use what they inherited, and end with `_exit`.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use quorate::client::blocking::wait;
use quorate::client::{
    Client, CreateMode, ErrorCode, EventType, Inbox, Request, State, WatchEvent, WatchMode,
};
use quorate::server::{Server, ServerError};
use quorate::storage::RealDisk;
use quorate::storage::disk::{Disk, Locked};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Runs `work` in a forked process, and waits for it.
#[allow(unsafe_code, reason = "nothing safe forks")]
fn in_child(work: impl FnOnce()) {
    // SAFETY: the child has this thread only. It uses its memory and the C library's allocator, which is made ready for forks, takes
    // no lock that another thread of this test may hold, and leaves by `_exit`.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let failed = catch_unwind(AssertUnwindSafe(work)).is_err();
        // SAFETY: it ends the process and does nothing before.
        unsafe { libc::_exit(failed.into()) };
    }
    let child = Pid::from_raw(pid).unwrap();
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some((_, status)) = waitpid(Some(child), WaitOptions::NOHANG).unwrap() {
            assert_eq!(status.exit_status(), Some(0), "the child failed: {status:?}");
            return;
        }
        if Instant::now() > end {
            let _ = kill_process(child, Signal::KILL);
            let _ = waitpid(Some(child), WaitOptions::empty());
            panic!("the child hangs");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// One test at a time: children are to be born while the threads of one test are at work, not of any.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn a_child_is_told_so_and_disturbs_nobody() -> Outcome {
    let _alone = alone();
    let server = Server::builder().volatile().free_port().start()?;
    let address = server.address().unwrap().to_string();
    for builder in [Client::builder().in_process(&server), Client::builder().servers(&address)] {
        let client = wait(builder.connect())?;
        let _ = wait(client.delete("/child", None));
        wait(client.create("/mine", b"", CreateMode::Ephemeral))?;
        let mut watcher = wait(client.watch("/mine", WatchMode::Node))?;
        let (lifetime, states, early) = (client.lifetime(), client.states(), client.get("/mine"));
        let inbox = Arc::new(Inbox::new(None));
        let key = client.watch_to(&inbox, 1);
        let (session, connections) = (client.session_id(), client.counters().session.connections);

        // What the child has is its own copy of all of it. It ends without looking at what is left.
        let inherited =
            AssertUnwindSafe((&client, &mut watcher, &lifetime, states, early, &server));
        in_child(|| {
            let AssertUnwindSafe((client, watcher, lifetime, mut states, early, server)) =
                inherited;
            assert!(client.is_after_fork());
            let error = wait(client.get("/mine")).unwrap_err();
            assert!(error.is_after_fork() && !error.outcome_unknown(), "{error}");
            assert_eq!((error.code(), error.path()), (ErrorCode::Closing, "/mine"));
            assert!(wait(early).unwrap_err().is_after_fork(), "also what was under way");
            assert!(wait(client.close()).unwrap_err().is_after_fork());
            assert!(wait(client.connected()).unwrap_err().is_after_fork());
            assert_eq!((client.state(), client.identity()), (State::Closed, None));
            assert_eq!(wait(states.next()), Some(State::Closed));
            assert!(!lifetime.is_alive());
            wait(lifetime.ended());
            assert_eq!(wait(watcher.next()).unwrap_err().code(), ErrorCode::Closing);
            let request = Request::Get { path: "/mine", watch: Some(key) };
            assert!(client.submit_to(&inbox, &request, 2).unwrap_err().is_after_fork());
            assert!(inbox.wait(Duration::from_millis(1)).is_empty());
            client.remove_watch(key);
            wait(client.ready(1));
            wait(client.sleep(Duration::from_secs(1_000)));
            client.abandon();
            // Copies of handles, as the child's language would drop them.
            drop(client.clone());
            assert!(
                Client::builder()
                    .in_process(server)
                    .patience(Duration::from_millis(50))
                    .connect_blocking()
                    .is_err()
            );
            // A client of its own works.
            let own = wait(Client::builder().servers(&address).connect()).unwrap();
            assert_ne!(own.session_id(), session);
            assert!(wait(own.exists("/mine")).unwrap().is_some());
            wait(own.create("/child", b"", CreateMode::Persistent)).unwrap();
            wait(own.close()).unwrap();
        });

        assert!(lifetime.is_alive() && !client.is_after_fork());
        assert_eq!((client.session_id(), client.state()), (session, State::Connected));
        assert!(wait(client.exists("/child"))?.is_some());
        wait(client.set("/mine", b"x", None))?;
        let WatchEvent::Changed(event) = wait(watcher.next())? else {
            panic!("nothing was missed")
        };
        assert_eq!(event.kind, EventType::DataChanged);
        assert_eq!(client.counters().session.connections, connections);
        wait(client.close())?;
    }
    server.stop()?;
    Ok(())
}

/// The last handle is dropped in the child, and everything else with it: no goodbye in the parent's name, no wait for its threads.
#[test]
fn a_child_may_drop_the_last_handle() -> Outcome {
    let _alone = alone();
    let server = Server::builder().volatile().free_port().start()?;
    let address = server.address().unwrap().to_string();
    let client = wait(Client::builder().servers(&address).connect())?;
    wait(client.create("/mine", b"", CreateMode::Ephemeral))?;
    let mut watcher = Some(wait(client.watch("/mine", WatchMode::Node))?);
    let mut both = Some((client, server));
    in_child(|| {
        drop(watcher.take());
        drop(both.take());
    });
    let (client, server) = both.unwrap();
    wait(client.set("/mine", b"x", None))?;
    assert!(matches!(wait(watcher.unwrap().next())?, WatchEvent::Changed(_)));
    assert_eq!(client.counters().session.connections, 1);
    wait(client.close())?;
    server.stop()?;
    Ok(())
}

/// Whatever the other threads of the parent are doing at that moment, locks included.
#[test]
fn a_fork_may_come_at_any_moment() -> Outcome {
    let _alone = alone();
    let server = Server::builder().volatile().free_port().start()?;
    let address = server.address().unwrap().to_string();
    let over_tcp = wait(Client::builder().servers(&address).connect())?;
    let within = wait(Client::builder().in_process(&server).connect())?;
    let inbox = Arc::new(Inbox::new(None));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for client in [&over_tcp, &within] {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let request = Request::Exists { path: "/", watch: None };
                    let queued = client.submit_to(&inbox, &request, 1);
                    let some: Vec<_> = (0..20).map(|_| client.exists("/")).collect();
                    some.into_iter().for_each(|one| assert!(wait(one).is_ok()));
                    assert!(queued.is_ok() && inbox.take().len() < 1_000_000);
                }
            });
        }
        for _ in 0..50 {
            in_child(|| {
                for client in [&over_tcp, &within] {
                    assert!(wait(client.exists("/")).unwrap_err().is_after_fork());
                    assert_eq!((client.state(), client.counters().in_flight), (State::Closed, 0));
                }
                assert!(inbox.take().is_empty());
                assert_eq!(server.connect().read(&mut [0]).unwrap(), 0);
                server.wait();
            });
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(over_tcp.counters().session.connections, 1);
    for client in [over_tcp, within] {
        wait(client.close())?;
    }
    server.stop()?;
    Ok(())
}

/// A host's runtime shares its poll with the child's copy of it.
#[test]
fn a_child_may_drop_the_runtime_it_inherited() -> Outcome {
    let _alone = alone();
    let server = Server::builder().volatile().free_port().start()?;
    let address = server.address().unwrap().to_string();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let builder = Client::builder().servers(&address).runtime(runtime.handle().clone());
    let client = runtime.block_on(builder.connect())?;
    let mut runtime = Some(runtime);
    in_child(|| drop(runtime.take()));
    let runtime = runtime.unwrap();
    assert!(runtime.block_on(client.exists("/"))?.is_some());
    assert_eq!(client.counters().session.connections, 1);
    runtime.block_on(client.close())?;
    server.stop()?;
    Ok(())
}

#[test]
fn a_child_leaves_the_server_and_its_directory_alone() -> Outcome {
    let _alone = alone();
    let directory = tempfile::tempdir()?;
    let server = Server::builder().data_dir(directory.path()).free_port().start()?;
    let client = wait(Client::builder().in_process(&server).connect())?;
    wait(client.create("/kept", b"", CreateMode::Persistent))?;
    let mut handle = Some(server);
    in_child(|| {
        let stopped = handle.take().unwrap().stop();
        assert!(matches!(stopped, Err(ServerError::AfterFork)), "{stopped:?}");
    });
    let server = handle.unwrap();
    assert!(wait(client.exists("/kept"))?.is_some());
    let second = Server::builder().data_dir(directory.path()).free_port().start();
    assert!(second.is_err(), "the directory is still the first one's");
    wait(client.close())?;
    server.stop()?;

    let file = directory.path().join("lock");
    let mut held = Some(RealDisk.lock(&file, "")?);
    assert!(matches!(held, Some(Locked::Here(_))));
    in_child(|| drop(held.take()));
    assert!(matches!(RealDisk.lock(&file, "")?, Locked::Elsewhere(_)));
    drop(held);
    Ok(())
}
