//! Counters: shared counts and atomic numbers, changed by compare-and-set, and blocks of numbers handed out locally.
//!
//! The node holds the number; a change is a versioned set that is tried again when another was faster. After a lost answer the node
//! is read: a change that did not happen is tried again, one whose outcome cannot be told is reported, and never repeated blindly.
//! Sources: `org.apache.curator.framework.recipes.atomic`, `…shared.SharedCount`, `kazoo.recipe.counter`.

use super::kit::{Backoff, Receipt, ensure, patiently};
use super::layout::counter::{
    Text, decode_i32, decode_i64, decode_text, encode_i32, encode_i64, encode_text,
};
use crate::client::{Client, CreateMode, Error, ErrorCode, PartResult, Result, Stat};
use quorate_wire::path;
use std::ops::Range;
use std::sync::Arc;
use tokio::sync::Mutex;

/// How the number stands in the node, and so with whom it can be shared.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::counter::{Counter, Format};
///
/// Counter::new(&client, "/n", Format::Text).add(7).await?;
/// assert_eq!(client.get("/n").await?.0, b"7");
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// 64 bits, big endian: Curator's `DistributedAtomicLong`.
    Long,
    /// 32 bits, big endian: Curator's `SharedCount` and `DistributedAtomicInteger`, kazoo's `Counter(support_curator=True)`.
    Int,
    /// Decimal text: kazoo's `Counter`. Its floats are refused.
    Text,
}

/// A number at a path. It is only a description: cheap to make, and to clone. A missing or empty node counts as 0.
///
/// ```
/// # use quorate::{client::Client, recipes::counter::Counter, server::Server};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = Server::builder().volatile().no_port().start()?;
/// # let client = Client::builder().in_process(&server).connect_blocking()?;
/// # client.run(async |client| {
/// let visits = Counter::long(client, "/visits");
/// let change = visits.add(5).await?;
/// assert_eq!((change.before, change.after), (0, 5));
/// assert!(visits.compare_and_set(4, 0).await?.is_none());
/// assert_eq!(visits.get().await?, 5);
/// # Ok::<(), quorate::client::Error>(())
/// # })?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Counter {
    client: Client,
    path: String,
    format: Format,
    exact: bool,
}

/// A change that has happened.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::counter::Counter;
///
/// let change = Counter::long(&client, "/n").add(7).await?;
/// assert_eq!((change.before, change.after), (0, 7));
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The number before.
    pub before: i64,
    /// The number after.
    pub after: i64,
    /// The version of the node after the change.
    pub version: i32,
}

impl Counter {
    /// A 64-bit number, as Curator's `DistributedAtomicLong`.
    #[must_use]
    pub fn long(client: &Client, path: &str) -> Self {
        Self::new(client, path, Format::Long)
    }

    /// A 32-bit number, as Curator's `SharedCount`.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::ErrorCode;
    /// use quorate::recipes::counter::Counter;
    ///
    /// let count = Counter::int(&client, "/count");
    /// count.set(i64::from(i32::MAX)).await?;
    /// assert_eq!(count.add(1).await.unwrap_err().code(), ErrorCode::BadArguments);
    /// assert_eq!(client.get("/count").await?.0, i32::MAX.to_be_bytes());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn int(client: &Client, path: &str) -> Self {
        Self::new(client, path, Format::Int)
    }

    /// A number in decimal text, as kazoo's `Counter`.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::counter::Counter;
    ///
    /// let count = Counter::text(&client, "/count");
    /// count.add(-5).await?;
    /// assert_eq!(client.get("/count").await?.0, b"-5");
    /// assert_eq!((count.path(), count.client().root()), ("/count", ""));
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn text(client: &Client, path: &str) -> Self {
        Self::new(client, path, Format::Text)
    }

    /// A number in this format.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::counter::{Counter, Format};
    ///
    /// let count = Counter::new(&client, "/count", Format::Int);
    /// count.add(3).await?;
    /// assert_eq!(Counter::int(&client, "/count").get().await?, 3);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn new(client: &Client, path: &str, format: Format) -> Self {
        Self { client: client.clone(), path: path.to_owned(), format, exact: false }
    }

    /// With receipts: each change creates an ephemeral node in `<path>-receipts` and removes it in the background, so that its outcome is known after every
    /// lost answer within the session. Without, it is unknown when others have changed the number meanwhile.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::counter::Counter;
    ///
    /// let count = Counter::long(&client, "/count").exact();
    /// // Once, over any number of lost connections, as long as the session lives.
    /// assert_eq!(count.add(5).await?.after, 5);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub const fn exact(mut self) -> Self {
        self.exact = true;
        self
    }

    /// Reads the number.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::{CreateMode, ErrorCode};
    /// use quorate::recipes::counter::Counter;
    ///
    /// // A missing node counts as 0; one that holds something else is an error.
    /// assert_eq!(Counter::long(&client, "/count").get().await?, 0);
    /// client.create("/text", b"many", CreateMode::Persistent).await?;
    /// let error = Counter::long(&client, "/text").get().await.unwrap_err();
    /// assert_eq!(error.code(), ErrorCode::DataInconsistency);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// `DataInconsistency` when the node holds something else.
    pub async fn get(&self) -> Result<i64> {
        match patiently(|| self.client.get(&self.path)).await {
            Ok((data, _)) => self.decode(&data),
            Err(error) if error.code() == ErrorCode::NoNode => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// Adds to the number.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::counter::Counter;
    ///
    /// let count = Counter::long(&client, "/count");
    /// count.add(5).await?;
    /// let change = count.add(-2).await?;
    /// assert_eq!((change.before, change.after), (5, 3));
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`update`](Self::update); `BadArguments` when the sum does not fit the format: then nothing is changed.
    pub async fn add(&self, amount: i64) -> Result<Change> {
        self.sure(|before| before.checked_add(amount).ok_or(())).await
    }

    /// Sets the number, whatever it was.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::counter::Counter;
    ///
    /// let count = Counter::long(&client, "/count");
    /// count.add(5).await?;
    /// let change = count.set(100).await?;
    /// assert_eq!((change.before, change.after), (5, 100));
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`update`](Self::update).
    pub async fn set(&self, value: i64) -> Result<Change> {
        self.sure(|_| Ok(value)).await
    }

    /// Sets the number if it is the expected one; `None` if it is not.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::counter::Counter;
    ///
    /// let count = Counter::long(&client, "/count");
    /// assert!(count.compare_and_set(0, 7).await?.is_some());
    /// assert!(count.compare_and_set(0, 8).await?.is_none());
    /// assert_eq!(count.get().await?, 7);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`update`](Self::update).
    pub async fn compare_and_set(&self, expected: i64, value: i64) -> Result<Option<Change>> {
        self.update(|before| (before == expected).then_some(value)).await
    }

    /// Computes the number anew from the one before; `None` from the closure leaves it. The closure may be called several times. While
    /// others are faster it is tried again, with growing pauses.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::counter::Counter;
    ///
    /// let tickets = Counter::long(&client, "/tickets");
    /// tickets.set(1).await?;
    /// let take = |left| if left > 0 { Some(left - 1) } else { None };
    /// assert_eq!(tickets.update(take).await?.unwrap().after, 0);
    /// assert!(tickets.update(take).await?.is_none());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When an answer was lost and it cannot be told whether the change has happened, the error says so
    /// ([`Error::outcome_unknown`]) and tells what was tried and what was read afterwards.
    pub async fn update(&self, compute: impl Fn(i64) -> Option<i64>) -> Result<Option<Change>> {
        let mut backoff = Backoff::default();
        loop {
            let (before, stat) = self.read().await?;
            let Some(after) = compute(before) else { return Ok(None) };
            let data = self.encode(after)?;
            let changed = if self.exact {
                self.write_with_receipt(&data, stat).await
            } else {
                self.write(&data, stat).await
            };
            match changed {
                Ok(Some(version)) => return Ok(Some(Change { before, after, version })),
                Ok(None) => backoff.pause(&self.client).await,
                Err(error) if error.outcome_unknown() => {
                    let now = self.get().await.map(|now| format!("; now it is {now}"));
                    let now = now.unwrap_or_default();
                    return Err(error.with_detail(format!("changing {before} to {after}{now}")));
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn sure(&self, compute: impl Fn(i64) -> std::result::Result<i64, ()>) -> Result<Change> {
        let changed = self.update(|before| compute(before).ok()).await?;
        changed.ok_or_else(|| self.bad("the sum does not fit 64 bits".to_owned()))
    }

    /// The number and the node's stat; a missing node is created empty, which is 0 and may happen twice.
    async fn read(&self) -> Result<(i64, Stat)> {
        loop {
            match patiently(|| self.client.get(&self.path)).await {
                Ok((data, stat)) => return Ok((self.decode(&data)?, stat)),
                Err(error) if error.code() == ErrorCode::NoNode => {}
                Err(error) => return Err(error),
            }
            let create = || self.client.create(&self.path, b"", CreateMode::Persistent);
            match patiently(create).await {
                Err(error) if error.code() == ErrorCode::NoNode => {
                    ensure(&self.client, path::parent(&self.path)).await?;
                }
                Err(error) if error.code() != ErrorCode::NodeExists => return Err(error),
                _ => {}
            }
        }
    }

    /// Writes at this version. `None`: it did not happen, try again.
    async fn write(&self, data: &[u8], before: Stat) -> Result<Option<i32>> {
        let lifetime = self.client.lifetime();
        let error = match self.client.set(&self.path, data, Some(before.version)).await {
            Ok(stat) => return Ok(Some(stat.version)),
            Err(error) if is_conflict(&error) => return Ok(None),
            Err(error) if !error.is_connection_loss() => return Err(error),
            Err(error) if !error.outcome_unknown() => return Ok(None),
            Err(error) => error,
        };
        let looked = async {
            patiently(|| self.client.sync(&self.path)).await?;
            patiently(|| self.client.get(&self.path)).await
        };
        match looked.await {
            // What the session had sent may still be on its way.
            _ if !lifetime.is_alive() => Err(error),
            Ok((_, now)) if now.version == before.version && now.czxid == before.czxid => Ok(None),
            // One change came, and it was another's. With equal data it may be either's: two who add 1 write the same.
            Ok((found, now))
                if now.version == before.version.wrapping_add(1)
                    && now.czxid == before.czxid
                    && found != data =>
            {
                Ok(None)
            }
            _ => Err(error),
        }
    }

    async fn write_with_receipt(&self, data: &[u8], before: Stat) -> Result<Option<i32>> {
        let receipt = Receipt::new(&self.client, &format!("{}-receipts", self.path));
        let set = || self.client.multi().set(&*self.path, data, Some(before.version));
        match receipt.carry_out(set).await {
            Ok(results) => Ok(Some(match results.as_deref() {
                Some([PartResult::Set(stat), ..]) => stat.version,
                _ => before.version.wrapping_add(1),
            })),
            Err(error) if is_conflict(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn decode(&self, data: &[u8]) -> Result<i64> {
        let number = match self.format {
            Format::Long => decode_i64(data).map_err(|error| error.to_string()),
            Format::Int => {
                decode_i32(data).map(|n| n.map(i64::from)).map_err(|error| error.to_string())
            }
            Format::Text => match decode_text(data) {
                Ok(None) => Ok(None),
                Ok(Some(Text::Int(number))) => Ok(Some(number)),
                Ok(Some(Text::Float(number))) => Err(format!("{number:?} is a float")),
                Err(error) => Err(error.to_string()),
            },
        };
        number.map(Option::unwrap_or_default).map_err(|detail| {
            Error::new(ErrorCode::DataInconsistency, "counter", self.path.as_str())
                .with_detail(detail)
        })
    }

    fn encode(&self, number: i64) -> Result<Vec<u8>> {
        match self.format {
            Format::Long => Ok(encode_i64(number)),
            Format::Int => i32::try_from(number)
                .map(encode_i32)
                .map_err(|_| self.bad(format!("{number} does not fit 32 bits"))),
            Format::Text => Ok(encode_text(Text::Int(number))),
        }
    }

    fn bad(&self, detail: String) -> Error {
        Error::new(ErrorCode::BadArguments, "counter", self.path.as_str()).with_detail(detail)
    }

    /// The path.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The client.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }
}

/// Numbers that never repeat, reserved in blocks and handed out without a request in between: Curator's `CachedAtomicLong`. What is reserved
/// and not handed out is skipped. Clones share their blocks.
///
/// ```
/// # use quorate::{client::Client, recipes::counter::{BlockCounter, Counter}, server::Server};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = Server::builder().volatile().no_port().start()?;
/// # let client = Client::builder().in_process(&server).connect_blocking()?;
/// # client.run(async |client| {
/// let counter = Counter::long(client, "/orders");
/// let ids = BlockCounter::new(counter.clone(), 100);
/// assert_eq!((ids.next().await?, ids.next().await?), (0, 1));
/// assert_eq!(counter.get().await?, 100);
/// # Ok::<(), quorate::client::Error>(())
/// # })?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct BlockCounter {
    counter: Counter,
    block: u32,
    left: Arc<Mutex<Range<i64>>>,
}

impl BlockCounter {
    /// Numbers from this counter, `block` at a time (at least one).
    #[must_use]
    pub fn new(counter: Counter, block: u32) -> Self {
        Self { counter, block: block.max(1), left: Arc::new(Mutex::new(0..0)) }
    }

    /// The next number. After a lost answer another block is reserved: numbers may be skipped, never repeated.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::counter::{BlockCounter, Counter};
    ///
    /// let orders = Counter::long(&client, "/orders");
    /// let (here, there) = (BlockCounter::new(orders.clone(), 10), BlockCounter::new(orders, 10));
    /// // A block each: no number twice, and no request for the next nine.
    /// assert_eq!((here.next().await?, there.next().await?, here.next().await?), (0, 10, 1));
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When no block can be reserved; `BadArguments` when the numbers are used up.
    pub async fn next(&self) -> Result<i64> {
        let mut left = self.left.lock().await;
        let mut backoff = Backoff::default();
        loop {
            if let Some(number) = left.next() {
                return Ok(number);
            }
            match self.counter.add(i64::from(self.block)).await {
                Ok(change) => *left = change.before..change.after,
                Err(error) if error.outcome_unknown() && !error.is_session_end() => {
                    backoff.pause(&self.counter.client).await;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Whether somebody else was faster.
fn is_conflict(error: &Error) -> bool {
    matches!(error.code(), ErrorCode::BadVersion | ErrorCode::NoNode)
}
