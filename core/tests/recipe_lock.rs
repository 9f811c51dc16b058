//! The exclusive lock against a server in this process.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/tasks.rs"]
mod tasks;

use quorate::client::blocking::wait;
use quorate::client::{Client, ErrorCode};
use quorate::recipes::kit::Loss;
use quorate::recipes::layout::lock::Mode;
use quorate::recipes::lock::{Lock, Revocable as _};
use std::time::Duration;
use tasks::Server;

type Outcome = Result<(), Box<dyn std::error::Error>>;

const MODES: [Mode; 3] = [Mode::Curator, Mode::Kazoo { yields_to_curator: true }, Mode::Bridge];
/// Long enough for anything that has to happen.
const PATIENCE: Duration = Duration::from_secs(60);

fn clients<const N: usize>(server: &Server) -> [Client; N] {
    std::array::from_fn(|_| wait(server.client().connect()).unwrap())
}

#[test]
fn one_holds_and_the_others_wait_in_order() -> Outcome {
    let server = Server::start();
    for mode in MODES {
        let [a, b, c] = clients(&server).map(|client| Lock::new(&client, "/locks/one").mode(mode));
        wait(async {
            let first = a.acquire().await?;
            assert!(b.try_acquire().await?.is_none());
            assert!(c.acquire_within(Duration::from_millis(50)).await?.is_none());
            // Nobody who gave up is left in the queue.
            while a.participants().await?.len() != mode.nodes() {}

            let second = background::acquire(b.clone());
            while a.participants().await?.len() != 2 * mode.nodes() {}
            let third = background::acquire(c.clone());
            while a.participants().await?.len() != 3 * mode.nodes() {}
            assert!(first.is_held());
            let token = first.token();
            first.release().await?;
            let second = second.recv().await;
            assert!(second.token() > token, "tokens grow");
            let token = second.token();
            drop(second);
            assert!(third.recv().await.token() > token);
            quorate::client::Result::Ok(())
        })?;
    }
    server.stop()?;
    Ok(())
}

#[test]
fn a_lost_session_is_told_and_the_next_one_gets_the_lock() -> Outcome {
    let server = Server::start();
    let [a, b] = clients(&server);
    wait(async {
        let held = Lock::new(&a, "/lock").acquire().await?;
        let lost = held.lost();
        let (lock, guarded) = (Lock::new(&b, "/lock"), held.guarded());
        a.close().await?;
        assert_eq!(lost.await, Loss::Session);
        assert!(!held.is_held());
        let next = lock.acquire_within(PATIENCE).await?.unwrap();
        assert!(next.token() > held.token());
        assert!(guarded.commit().await.unwrap_err().is_session_end());
        quorate::client::Result::Ok(())
    })?;
    Ok(())
}

#[test]
fn writes_are_guarded_by_the_lock() -> Outcome {
    let server = Server::start();
    let [a, b] = clients(&server);
    wait(async {
        a.create("/value", b"", quorate::client::CreateMode::Persistent).await?;
        let held = Lock::new(&a, "/lock").acquire().await?;
        held.guarded().set("/value", b"mine", None).commit().await?;
        let lost = held.lost();
        b.delete(&held.path(), None).await?;
        assert_eq!(lost.await, Loss::Deleted);
        let error = held.guarded().set("/value", b"late", None).commit().await.unwrap_err();
        assert_eq!((error.code(), error.part()), (ErrorCode::NoNode, Some(0)));
        assert_eq!(a.get("/value").await?.0, b"mine");
        quorate::client::Result::Ok(())
    })?;
    Ok(())
}

#[test]
fn a_holder_can_be_asked_to_release() -> Outcome {
    let server = Server::start();
    let [a, b] = clients(&server);
    wait(async {
        let held = Lock::new(&a, "/lock").acquire().await?;
        let other = Lock::new(&b, "/lock");
        let holder = &other.participants().await?[0];
        assert_eq!(holder.session, a.session_id());
        other.revoke(holder).await?;
        held.revoked().await?;
        held.release().await?;
        assert!(other.try_acquire().await?.is_some());
        quorate::client::Result::Ok(())
    })?;
    Ok(())
}

/// Waiting for a lock in the background, on the client's own executor.
mod background {
    use super::*;
    use std::sync::mpsc;

    pub(super) struct Waiting(mpsc::Receiver<quorate::recipes::kit::Held>);

    pub(super) fn acquire(lock: Lock) -> Waiting {
        let (send, receive) = mpsc::channel();
        let environment = std::sync::Arc::clone(lock.client().environment());
        environment.spawn(Box::pin(async move {
            let _ = send.send(lock.acquire().await.unwrap());
        }));
        Waiting(receive)
    }

    impl Waiting {
        pub(super) async fn recv(self) -> quorate::recipes::kit::Held {
            self.0.recv_timeout(PATIENCE).unwrap()
        }
    }
}
