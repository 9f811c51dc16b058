//! What tests of recipes share: clients, deadlines, sessions that expire while their client lives. Include it with
//! `#[path = "support/recipes.rs"] mod recipes;`.
#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use quorate::client::blocking::wait;
use quorate::client::{Client, ErrorCode, Result, within};
use std::sync::Arc;
use std::time::Duration;

#[path = "service.rs"]
mod service;

pub(crate) use service::Server;

/// Long enough for anything that has to happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn server() -> Server {
    Server::start()
}

pub(crate) fn clients<const N: usize>(server: &Server) -> [Client; N] {
    std::array::from_fn(|_| wait(server.client().connect()).unwrap())
}

/// Waits for a future that has to end.
pub(crate) async fn soon<T>(client: &Client, future: impl Future<Output = T>) -> T {
    within(&**client.environment(), PATIENCE, future).await.expect("it should have happened")
}

/// Waits until a condition holds that has to hold some time.
pub(crate) async fn until(client: &Client, mut condition: impl AsyncFnMut() -> Result<bool>) {
    soon(client, async {
        while !condition().await.unwrap() {
            client.sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

/// The names below a node, sorted; none if it is missing.
pub(crate) async fn names(client: &Client, path: &str) -> Vec<String> {
    match client.children(path).await {
        Ok((mut names, _)) => {
            names.sort();
            names
        }
        Err(error) if error.code() == ErrorCode::NoNode => Vec::new(),
        Err(error) => panic!("{error}"),
    }
}

/// Ends the session of a client on the server, as if it had expired; the client learns it and begins another.
pub(crate) async fn expire(server: &Server, client: &Client) {
    let identity = client.identity().unwrap();
    let twin = server.client().resume(identity).connect().await.unwrap();
    twin.close().await.unwrap();
}

/// Runs a future beside the test, on the client's own executor.
pub(crate) fn spawn<T: Send + 'static>(
    client: &Client,
    future: impl Future<Output = T> + Send + 'static,
) -> Running<T> {
    let (send, receive) = std::sync::mpsc::channel();
    Arc::clone(client.environment()).spawn(Box::pin(async move {
        let _ = send.send(future.await);
    }));
    Running(receive)
}

/// A future that runs beside the test.
pub(crate) struct Running<T>(std::sync::mpsc::Receiver<T>);

impl<T> Running<T> {
    /// Its result.
    pub(crate) fn join(self) -> T {
        self.0.recv_timeout(PATIENCE).expect("it should have ended")
    }

    /// Whether it has not ended.
    pub(crate) fn is_running(&self) -> bool {
        matches!(self.0.try_recv(), Err(std::sync::mpsc::TryRecvError::Empty))
    }
}
