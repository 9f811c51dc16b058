//! What the tests of recipes share: clients of a server, tasks beside the test, and patience.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "each test binary uses its part")]

use quorate::client::blocking::wait;
use quorate::client::{Client, within};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

#[path = "service.rs"]
mod service;

pub(crate) use service::Server;

/// Long enough for anything that has to happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// How long a session lasts that has to end within a test. Nothing may stand still for so long before that, be it a thread or the
/// disk of the server.
pub(crate) const SHORT_LIFE: Duration = Duration::from_millis(1_500);

/// A server with nothing in it.
pub(crate) fn server() -> Server {
    Server::start()
}

/// Clients inside the process.
pub(crate) fn clients<const N: usize>(server: &Server) -> [Client; N] {
    std::array::from_fn(|_| client(server))
}

/// A client inside the process.
pub(crate) fn client(server: &Server) -> Client {
    wait(server.client().session_timeout(PATIENCE).connect()).unwrap()
}

/// A client whose session does not last long without it.
pub(crate) fn mortal(server: &Server) -> Client {
    wait(server.client().session_timeout(SHORT_LIFE).connect()).unwrap()
}

/// A client over a connection string.
pub(crate) fn client_of(servers: &str) -> Client {
    wait(Client::builder().servers(servers).session_timeout(PATIENCE).connect()).unwrap()
}

/// A task on the client's own executor.
pub(crate) struct Running<T>(oneshot::Receiver<T>);

pub(crate) fn spawn<T: Send + 'static>(
    client: &Client,
    work: impl Future<Output = T> + Send + 'static,
) -> Running<T> {
    let (send, receive) = oneshot::channel();
    let environment = Arc::clone(client.environment());
    environment.spawn(Box::pin(async move {
        let _ = send.send(work.await);
    }));
    Running(receive)
}

impl<T> Running<T> {
    /// Its result.
    pub(crate) async fn join(self, client: &Client) -> T {
        soon(client, self.0).await.unwrap()
    }

    /// Whether it has ended.
    pub(crate) fn is_done(&mut self) -> bool {
        !matches!(self.0.try_recv(), Err(oneshot::error::TryRecvError::Empty))
    }
}

/// Waits for what has to happen.
pub(crate) async fn soon<T>(client: &Client, future: impl Future<Output = T>) -> T {
    within(&**client.environment(), PATIENCE, future).await.expect("it takes too long")
}

/// Asks until the answer is yes.
pub(crate) async fn until<F: Future<Output = bool>>(client: &Client, mut ask: impl FnMut() -> F) {
    soon(client, async {
        while !ask().await {
            client.sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}

/// Waits until a directory has so many children.
pub(crate) async fn children(client: &Client, path: &str, wanted: usize) {
    until(client, || async { count(client, path).await == wanted }).await;
}

/// How many children there are.
pub(crate) async fn count(client: &Client, path: &str) -> usize {
    client.children(path).await.map_or(0, |(names, _)| names.len())
}

/// Looks at a future once.
pub(crate) async fn poll_once<T>(future: &mut (impl Future<Output = T> + Unpin)) -> Option<T> {
    std::future::poll_fn(|context| {
        std::task::Poll::Ready(match std::pin::Pin::new(&mut *future).poll(context) {
            std::task::Poll::Ready(result) => Some(result),
            std::task::Poll::Pending => None,
        })
    })
    .await
}

/// Lets a future be woken so many times, as long as that does not take for ever, and drops it: what a caller does who gives up.
pub(crate) async fn poll_times<T>(
    client: &Client,
    times: usize,
    future: impl Future<Output = T>,
) -> Option<T> {
    let mut future = std::pin::pin!(future);
    let mut left = times;
    let polls = std::future::poll_fn(|context| {
        if let std::task::Poll::Ready(result) = future.as_mut().poll(context) {
            return std::task::Poll::Ready(Some(result));
        }
        if left == 0 {
            return std::task::Poll::Ready(None);
        }
        left -= 1;
        std::task::Poll::Pending
    });
    within(&**client.environment(), Duration::from_millis(5), polls).await.flatten()
}
