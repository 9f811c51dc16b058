//! Removing what must not stay: asked for again and again until it is gone, or its session is, which removes it too.

use super::backoff::Backoff;
use super::patience::{delete_if_there, fresh_id, join};
use super::race::first;
use crate::client::{Client, ErrorCode, Lifetime, Result};
use std::cell::Cell;
use std::sync::Arc;

/// Repeats a removal until it has happened or the session is over. That the server cannot write for a while is no reason to give up:
/// others may wait for what is to go.
///
/// # Errors
/// When the server refuses, for want of permission.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::client::CreateMode;
///
/// client.create("/sign", b"", CreateMode::Ephemeral).await?;
/// let lifetime = client.lifetime();
/// quorate::recipes::kit::surely(&client, &lifetime, || client.delete("/sign", None)).await?;
/// assert!(client.exists("/sign").await?.is_none());
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
pub async fn surely<F: Future<Output = Result<()>>>(
    client: &Client,
    lifetime: &Lifetime,
    mut remove: impl FnMut() -> F,
) -> Result<()> {
    let mut backoff = Backoff::default();
    while lifetime.is_alive() {
        match remove().await {
            Err(error) if error.is_connection_loss() => {}
            Err(error) if error.code() == ErrorCode::SystemError => {
                first(lifetime.ended(), backoff.pause(client)).await;
            }
            Err(error) if error.is_session_end() => break,
            other => return other,
        }
    }
    Ok(())
}

/// Lets a removal go on when its owner is gone.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::client::CreateMode;
///
/// client.create("/sign", b"", CreateMode::Ephemeral).await?;
/// let removal = client.delete("/sign", None);
/// quorate::recipes::kit::in_background(&client, "the sign", removal);
/// // It was submitted before this.
/// assert!(client.exists("/sign").await?.is_none());
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
pub fn in_background(
    client: &Client,
    what: &'static str,
    removal: impl Future<Output = Result<()>> + Send + 'static,
) {
    let environment = Arc::clone(client.environment());
    let _starting = Starting::begin();
    environment.spawn(Box::pin(async move {
        if let Err(error) = removal.await {
            tracing::warn!(%error, "{what} could not be removed");
        }
    }));
}

/// Whether a removal is just being started on this thread. Who is dropped meanwhile belongs to it: nobody runs tasks any more, and another one would be
/// dropped just so, without end.
pub(crate) fn is_starting() -> bool {
    STARTING.try_with(Cell::get).unwrap_or(true)
}

struct Starting {
    before: bool,
}

impl Starting {
    fn begin() -> Self {
        Self { before: STARTING.try_with(|starting| starting.replace(true)).unwrap_or(true) }
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        let _ending = STARTING.try_with(|starting| starting.set(self.before));
    }
}

thread_local! {
    static STARTING: Cell<bool> = const { Cell::new(false) };
}

/// An ephemeral node that serves for a moment and that nobody waits for. Dropping this removes it in the background, whether it was created or
/// not.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::client::CreateMode;
/// use quorate::recipes::kit::Passing;
///
/// let node = Passing::new(&client, "/", "clock-");
/// let time = client.create(node.path(), b"", CreateMode::Ephemeral).await?.stat.ctime;
/// drop(node);
/// # assert!(time > 0);
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct Passing {
    client: Client,
    lifetime: Lifetime,
    path: String,
}

impl Passing {
    /// A node with a name that nobody else uses, of this session; it has not been created.
    #[must_use]
    pub fn new(client: &Client, directory: &str, stem: &str) -> Self {
        let path = join(directory, &format!("{stem}{}", fresh_id(client).hex()));
        Self::known(client, path)
    }

    /// A node that this session has created.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::{CreateMode, EventType};
    /// use quorate::recipes::kit::Passing;
    ///
    /// let created = client.create("/sign-", b"", CreateMode::EphemeralSequential).await?;
    /// let node = Passing::known(&client, created.path);
    /// assert!(node.lifetime().is_alive());
    /// let (_, watch) = client.exists_and_watch(node.path()).await?;
    /// drop(node);
    /// assert_eq!(watch.await?.kind, EventType::Deleted);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn known(client: &Client, path: String) -> Self {
        Self { client: client.clone(), lifetime: client.lifetime(), path }
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The session's life, on which it depends.
    #[must_use]
    pub const fn lifetime(&self) -> &Lifetime {
        &self.lifetime
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        if !self.lifetime.is_alive() {
            return;
        }
        let (client, lifetime) = (self.client.clone(), self.lifetime.clone());
        let path = std::mem::take(&mut self.path);
        in_background(&self.client, "a passing node", async move {
            surely(&client, &lifetime, || delete_if_there(&client, &path)).await
        });
    }
}
