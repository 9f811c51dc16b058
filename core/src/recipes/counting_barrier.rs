//! The counting barrier: a node says how many have to arrive; then all go on.
//!
//! Layout, the textbook's: the data of `<path>` is the number, in decimal digits; each member is an ephemeral child, `<uuid>`
//! by us and anything by others; persistent children with other names are foreign, and do not count. We add the
//! child `ready`, made in one transaction with a check of all members that were counted: it keeps the barrier open when
//! the first of them go on and vanish before the last one has looked, which the textbook's form gets wrong.

use super::barrier::{create_if_missing, gather, members};
use super::kit::{Backoff, Claim, Held, Kind, delete_if_there, join, patiently};
use super::layout::barrier::{self, READY, Style};
use crate::client::{Client, Error, ErrorCode, Result, within};
use std::time::Duration;

/// A counting barrier at a path. Only a description: cheap to make, and to clone.
///
/// ```
/// # use quorate::{client::Client, recipes::counting_barrier::CountingBarrier, server::Server};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = Server::builder().volatile().no_port().start()?;
/// # let client = Client::builder().in_process(&server).connect_blocking()?;
/// # client.run(async |client| {
/// let barrier = CountingBarrier::new(client, "/queue_barrier");
/// barrier.prepare(1).await?;
/// let arrived = barrier.arrive(b"host-1").await?;
/// arrived.release().await?;
/// # Ok::<(), quorate::client::Error>(())
/// # })?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct CountingBarrier {
    client: Client,
    path: String,
}

impl CountingBarrier {
    /// The barrier at `path`.
    #[must_use]
    pub fn new(client: &Client, path: &str) -> Self {
        Self { client: client.clone(), path: path.to_owned() }
    }

    /// Says how many have to arrive, and closes the barrier if an earlier round has left it open. Members that are still there count for the
    /// new round.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::ErrorCode;
    /// use quorate::recipes::counting_barrier::CountingBarrier;
    ///
    /// let barrier = CountingBarrier::new(&client, "/start");
    /// let early = barrier.arrive(b"host-1").await;
    /// assert_eq!(early.unwrap_err().code(), ErrorCode::NoNode);
    /// barrier.prepare(1).await?;
    /// barrier.arrive(b"host-1").await?.release().await?;
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn prepare(&self, members: usize) -> Result<()> {
        create_if_missing(&self.client, &self.path).await?;
        let number = members.max(1).to_string();
        patiently(|| self.client.set(&self.path, number.as_bytes(), None)).await?;
        delete_if_there(&self.client, &join(&self.path, READY)).await
    }

    /// Arrives, and waits until all the others have. The member counts until what this answers is released or dropped. Who comes when the
    /// barrier is open goes on at once. When the session is lost while waiting, the member arrives anew under the next
    /// one.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::counting_barrier::CountingBarrier;
    ///
    /// let barrier = CountingBarrier::new(&client, "/start");
    /// barrier.prepare(2).await?;
    /// let other = barrier.clone();
    /// let thread = std::thread::spawn(move || quorate::client::blocking::wait(other.arrive(b"host-2")).is_ok());
    /// let arrived = barrier.arrive(b"host-1").await?;
    /// assert!(arrived.is_held() && thread.join().unwrap());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// `NoNode` when nobody has [prepared](Self::prepare) the barrier, `BadArguments` when its data is no number; when the client is closed, or
    /// the server refuses.
    pub async fn arrive(&self, data: &[u8]) -> Result<Held> {
        let mut backoff = Backoff::default();
        loop {
            match self.try_arrive(data).await {
                Ok(Some(held)) => return Ok(held),
                Ok(None) => backoff.pause(&self.client).await,
                Err(error) if error.code() == ErrorCode::SessionExpired => {
                    self.client.connected().await?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Arrives and waits, but not longer than `limit`; `None` when the time is over.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::counting_barrier::CountingBarrier;
    /// use std::time::Duration;
    ///
    /// let barrier = CountingBarrier::new(&client, "/start");
    /// barrier.prepare(2).await?;
    /// assert!(barrier.arrive_within(b"host-1", Duration::from_millis(20)).await?.is_none());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`arrive`](Self::arrive).
    pub async fn arrive_within(&self, data: &[u8], limit: Duration) -> Result<Option<Held>> {
        within(&**self.client.environment(), limit, self.arrive(data)).await.transpose()
    }

    async fn try_arrive(&self, data: &[u8]) -> Result<Option<Held>> {
        let (text, _) = patiently(|| self.client.get(&self.path)).await?;
        let size = std::str::from_utf8(&text).ok().and_then(|text| text.trim().parse().ok());
        let size: usize = size.filter(|size| *size > 0).ok_or_else(|| {
            Error::new(ErrorCode::BadArguments, "arrive", self.path.as_str())
                .with_detail("the node's data is not the number of members")
        })?;
        let stems = |id| vec![barrier::member(Style::Curator, id)];
        let claim = Claim::create(&self.client, &self.path, stems, data, Kind::Plain).await?;
        let all_here = gather(&self.client, &self.path, &claim, size).await?;
        Ok(all_here.then(|| Held::new(claim)))
    }

    /// How many have arrived and are still there.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::counting_barrier::CountingBarrier;
    ///
    /// let barrier = CountingBarrier::new(&client, "/start");
    /// barrier.prepare(1).await?;
    /// let member = barrier.arrive(b"host-1").await?;
    /// assert_eq!(barrier.arrived().await?, 1);
    /// member.release().await?;
    /// assert_eq!(barrier.arrived().await?, 0);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn arrived(&self) -> Result<usize> {
        Ok(members(&self.client, &self.path).await?.len())
    }
}
