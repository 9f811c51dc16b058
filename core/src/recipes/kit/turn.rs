//! [`Line`]: standing in a queue of sequential nodes until it is one's turn.
//!
//! What locks of all kinds share. Who waits for whom is the layout's business; here is only the waiting: one node is watched, the
//! nearest that blocks, and everything that may end a wait leads to another look at the directory.

use super::super::layout::Position;
use super::super::layout::protected::Id;
use super::claim::{Claim, Kind};
use super::held::Held;
use super::patience::{changed, exhausted, join, patiently};
use crate::client::{Client, ErrorCode, Result};
use tracing::{Instrument as _, Span};

/// A queue in a directory.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::kit::{Kind, Line};
/// use quorate::recipes::layout::lock::Mode;
///
/// let line = Line { client: &client, directory: "/line", data: b"", kind: Kind::Sequential };
/// let mode = Mode::Curator;
/// let held = line.acquire(|id| mode.stems(id), |all, mine| mode.position(all, mine)).await?;
/// assert!(held.is_held());
/// held.release().await?;
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// The client that stands in it.
    pub client: &'a Client,
    /// The directory; created if it is missing.
    pub directory: &'a str,
    /// What to write into the nodes.
    pub data: &'a [u8],
    /// How they are created.
    pub kind: Kind,
}

impl Line<'_> {
    /// Waits until it is one's turn. When the session is lost meanwhile, a new place is taken under the next one. Dropping the
    /// future gives up the place.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::kit::{Kind, Line};
    /// use quorate::recipes::layout::lock::Mode;
    ///
    /// let line = Line { client: &client, directory: "/line", data: b"", kind: Kind::Sequential };
    /// let mode = Mode::Curator;
    /// let first = line.acquire(|id| mode.stems(id), |all, mine| mode.position(all, mine)).await?;
    /// first.release().await?;
    /// let second = line.acquire(|id| mode.stems(id), |all, mine| mode.position(all, mine)).await?;
    /// assert!(second.is_held());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the client is closed, or the server refuses; `QuotaExceeded` when the directory has no numbers left.
    pub async fn acquire<P>(&self, stems: impl Fn(Id) -> Vec<String>, position: P) -> Result<Held>
    where
        P: for<'c> Fn(&'c [String], &[&str]) -> Position<'c>,
    {
        let stood = async {
            loop {
                match self.stand(true, &stems, &position).await {
                    Ok(Some(held)) => return Ok(held),
                    Ok(None) => {}
                    Err(error) if error.code() == ErrorCode::SessionExpired => {
                        self.client.connected().await?;
                    }
                    Err(error) => return Err(error),
                }
            }
        };
        stood.instrument(self.span()).await
    }

    /// Takes a place, and keeps it only if it is one's turn at once.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::kit::{Kind, Line};
    /// use quorate::recipes::layout::lock::Mode;
    ///
    /// let line = Line { client: &client, directory: "/line", data: b"", kind: Kind::Sequential };
    /// let mode = Mode::Curator;
    /// let first = line.try_acquire(|id| mode.stems(id), |all, mine| mode.position(all, mine)).await?;
    /// assert!(first.is_some());
    /// let second = line.try_acquire(|id| mode.stems(id), |all, mine| mode.position(all, mine)).await?;
    /// assert!(second.is_none());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`acquire`](Self::acquire), and when the session ends meanwhile.
    pub async fn try_acquire<P>(
        &self,
        stems: impl Fn(Id) -> Vec<String>,
        position: P,
    ) -> Result<Option<Held>>
    where
        P: for<'c> Fn(&'c [String], &[&str]) -> Position<'c>,
    {
        self.stand(false, &stems, &position).instrument(self.span()).await
    }

    /// The wait, for who traces it.
    fn span(&self) -> Span {
        tracing::debug_span!(target: "quorate::recipes", "acquire", path = self.directory)
    }

    /// `None` when the place was lost, or not to be waited in.
    async fn stand<P>(
        &self,
        wait: bool,
        stems: &impl Fn(Id) -> Vec<String>,
        position: &P,
    ) -> Result<Option<Held>>
    where
        P: for<'c> Fn(&'c [String], &[&str]) -> Position<'c>,
    {
        let list = |client: &Client| client.children(self.directory);
        let (claim, mut listed) =
            Claim::create_before(self.client, self.directory, stems, self.data, self.kind, list)
                .await?;
        loop {
            if matches!(&listed, Err(error) if error.is_connection_loss()) {
                listed = patiently(|| self.client.children(self.directory)).await;
            }
            let children = match listed {
                Ok((children, _)) => children,
                // Somebody has deleted the whole directory, and the place with it.
                Err(error) if error.code() == ErrorCode::NoNode => return Ok(None),
                Err(error) => return Err(error),
            };
            match position(&children, &claim.names()) {
                Position::Held if claim.lifetime().is_alive() => return Ok(Some(Held::new(claim))),
                Position::Wait(before) if wait => {
                    changed(self.client, &join(self.directory, before)).await?;
                }
                Position::Exhausted => {
                    claim.remove().await?;
                    return Err(exhausted(self.directory));
                }
                // The node is gone, or the session: from the start.
                Position::Held | Position::Missing if wait => return Ok(None),
                _ => {
                    claim.remove().await?;
                    return Ok(None);
                }
            }
            listed = self.client.children(self.directory).await;
        }
    }
}
