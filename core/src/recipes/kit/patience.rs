//! Operations that outlast the loss of a connection, for reads and for writes that may be repeated.

use super::super::layout::protected::Id;
use crate::client::{Client, CreateMode, Error, ErrorCode, Result};
use quorate_wire::path;

/// Repeats an operation until it is answered. Only for what may happen twice: reads, and writes that say the same again. It ends,
/// because requests wait for the next connection, and fail when the session ends.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// // Again and again while the connection is lost: for what may happen twice.
/// let (root, _) = quorate::recipes::kit::patiently(|| client.get("/")).await?;
/// assert!(root.is_empty());
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
///
/// # Errors
/// Whatever the operation answers but the loss of a connection. When the session ends after an answer to a write was lost, the outcome is
/// unknown.
pub async fn patiently<T, F: Future<Output = Result<T>>>(
    mut operation: impl FnMut() -> F,
) -> Result<T> {
    let mut unknown = false;
    loop {
        match operation().await {
            Err(error) if error.is_connection_loss() => unknown |= error.outcome_unknown(),
            Err(error) if unknown && error.is_session_end() => {
                return Err(error.with_outcome_unknown());
            }
            answer => return answer,
        }
    }
}

/// Creates a node and its missing parents as containers, which the server removes when they have been empty for a while. That it
/// exists already is fine.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// quorate::recipes::kit::ensure(&client, "/a/b/c").await?;
/// assert!(client.exists("/a/b/c").await?.is_some());
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
///
/// # Errors
/// When it cannot exist.
pub async fn ensure(client: &Client, node: &str) -> Result<()> {
    ensure_as(client, node, CreateMode::Container).await
}

/// The same with nodes of another kind.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::client::CreateMode;
///
/// quorate::recipes::kit::ensure_as(&client, "/locks", CreateMode::Container).await?;
/// assert!(client.exists("/locks").await?.is_some());
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
///
/// # Errors
/// When it cannot exist.
pub async fn ensure_as(client: &Client, node: &str, mode: CreateMode) -> Result<()> {
    let mut missing = vec![node];
    while let Some(&next) = missing.last() {
        if matches!(next, "" | "/") {
            missing.pop();
            continue;
        }
        match patiently(|| client.create(next, b"", mode)).await {
            Ok(_) => {
                missing.pop();
            }
            Err(error) if error.code() == ErrorCode::NodeExists => {
                missing.pop();
            }
            Err(error) if error.code() == ErrorCode::NoNode && missing.len() <= MAX_DEPTH => {
                let parent = path::parent(next);
                if matches!(parent, "" | "/") {
                    return Err(error.with_detail("the root of the client's view does not exist"));
                }
                missing.push(parent);
            }
            // Servers before 3.5.1 know no containers.
            Err(error) if error.code() == ErrorCode::Unimplemented => {
                let plain = || client.create(next, b"", CreateMode::Persistent);
                match patiently(plain).await {
                    Err(error) if error.code() != ErrorCode::NodeExists => return Err(error),
                    _ => missing.pop(),
                };
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Deletes a node; that it is gone already is fine.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// quorate::recipes::kit::delete_if_there(&client, "/nothing").await?;
/// assert!(client.exists("/nothing").await?.is_none());
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
///
/// # Errors
/// When it is there and cannot be deleted.
pub async fn delete_if_there(client: &Client, node: &str) -> Result<()> {
    match patiently(|| client.delete(node, None)).await {
        Err(error) if error.code() == ErrorCode::NoNode => Ok(()),
        other => other,
    }
}

/// Waits until a node changes or goes. Returns at once when it is gone already, and when the connection is lost before it is watched: then
/// is the time to look again. Reading it rather than asking for its existence leaves no watch behind.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::client::CreateMode;
///
/// client.create("/before", b"", CreateMode::Persistent).await?;
/// let gone = client.delete("/before", None);
/// // Returns at once when the node is gone already.
/// quorate::recipes::kit::changed(&client, "/before").await?;
/// gone.await?;
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
///
/// # Errors
/// When the session ends, or the server refuses.
pub async fn changed(client: &Client, node: &str) -> Result<()> {
    let watch = match client.get_and_watch(node).await {
        Ok((_, _, watch)) => watch,
        // Not everybody lets others read the data of a lock.
        Err(error) if error.code() == ErrorCode::NoAuth => {
            match client.exists_and_watch(node).await {
                Ok((Some(_), watch)) => watch,
                Ok((None, _)) => return Ok(()),
                Err(error) if error.is_connection_loss() => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Err(error) if error.code() == ErrorCode::NoNode || error.is_connection_loss() => {
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    watch.await.map(drop)
}

/// That a directory has no sequence numbers left, see [`layout::sequence`](super::super::layout::sequence).
///
/// ```
/// use quorate::client::ErrorCode;
///
/// let error = quorate::recipes::kit::exhausted("/queue");
/// assert_eq!((error.code(), error.path()), (ErrorCode::QuotaExceeded, "/queue"));
/// ```
#[must_use]
pub fn exhausted(directory: &str) -> Error {
    Error::new(ErrorCode::QuotaExceeded, "create", directory).with_detail(
        "this node has given out all its sequence numbers: delete it once it is empty, or use another",
    )
}

/// An id that nobody else has.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::kit::fresh_id;
///
/// assert_ne!(fresh_id(&client), fresh_id(&client));
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[must_use]
pub fn fresh_id(client: &Client) -> Id {
    let environment = client.environment();
    Id((u128::from(environment.random()) << 64) | u128::from(environment.random()))
}

/// The path of a child.
///
/// ```
/// use quorate::recipes::kit::join;
///
/// assert_eq!((join("/", "a"), join("/a", "b")), ("/a".to_owned(), "/a/b".to_owned()));
/// ```
#[must_use]
pub fn join(parent: &str, name: &str) -> String {
    let parent = if parent == "/" { "" } else { parent };
    [parent, "/", name].concat()
}

/// The parent of a node; the root for one directly below it.
///
/// ```
/// assert_eq!(quorate::recipes::kit::parent_of("/a/b"), "/a");
/// ```
#[must_use]
pub fn parent_of(node: &str) -> &str {
    match path::parent(node) {
        "" => "/",
        parent => parent,
    }
}

/// The last component of a path.
///
/// ```
/// assert_eq!(quorate::recipes::kit::name_of("/a/b"), "b");
/// ```
#[must_use]
pub fn name_of(node: &str) -> &str {
    path::name(node)
}

/// Levels of parents that may be missing: a bound on the repairs of a path that somebody keeps deleting.
const MAX_DEPTH: usize = 1_000;
