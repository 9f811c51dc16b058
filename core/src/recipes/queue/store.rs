//! The nodes of a queue: listing, reading, creating and removing them, waiting for more.

use super::clock::ServerClock;
use crate::client::{Client, CreateMode, ErrorCode, Result, Stat, Watch};
use crate::recipes::kit::{
    Backoff, Receipt, children_or_none, ensure, exhausted, join, name_of, patiently,
};
use crate::recipes::layout::frame;
use crate::recipes::layout::queue::Kind;
use std::collections::{HashSet, VecDeque};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

/// An item that was taken, or read.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::queue::{Layout, WorkQueue};
///
/// let queue = WorkQueue::new(&client, "/mail", Layout::Simple);
/// queue.put(b"hello").await?;
/// let item = queue.take().await?;
/// assert_eq!((item.data(), item.parts.len()), (&b"hello"[..], 1));
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The name of its node.
    pub name: String,
    /// Its contents. Curator's nodes can carry several; others have one.
    pub parts: Vec<Vec<u8>>,
    /// The node's stat. `czxid` tells items apart and grows with each.
    pub stat: Stat,
}

impl Item {
    /// The contents; of several the first.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        self.parts.first().map_or(&[], Vec::as_slice)
    }
}

/// Where the nodes are.
#[derive(Clone, Debug)]
pub(super) struct Store {
    pub(super) client: Client,
    /// Directory of the items.
    pub(super) entries: String,
    /// Directory of the marks.
    pub(super) marks: String,
    /// Directory of the receipts.
    pub(super) receipts: String,
    pub(super) kind: Kind,
    pub(super) clock: ServerClock,
    /// Names that were listed and not tried yet, where new items always come after them.
    shelf: Arc<Mutex<VecDeque<String>>>,
}

/// What there is to try, and what to wait for if nothing can be had.
pub(super) struct Listing {
    pub(super) names: VecDeque<String>,
    watches: Vec<Watch>,
    /// When the next delayed item is due.
    due_in: Option<Duration>,
}

impl Store {
    pub(super) fn new(client: &Client, entries: String, marks: String, kind: Kind) -> Self {
        let (client, shelf) = (client.clone(), Arc::default());
        let (receipts, clock) = (format!("{entries}-receipts"), ServerClock::default());
        Self { client, entries, marks, receipts, kind, clock, shelf }
    }

    /// Whether the data are Curator's frames.
    pub(super) const fn is_framed(&self) -> bool {
        !matches!(self.kind, Kind::Simple | Kind::Entry)
    }

    pub(super) fn entry(&self, name: &str) -> String {
        join(&self.entries, name)
    }

    pub(super) fn mark(&self, name: &str) -> String {
        join(&self.marks, name)
    }

    /// An item from its node's data; `None` if they are no frame: such a node is not ours to consume.
    pub(super) fn read(&self, name: &str, data: &[u8], stat: Stat) -> Option<Item> {
        let parts = if self.is_framed() {
            let parts = frame::decode(data)
                .inspect_err(|error| tracing::warn!(name, %error, "no item of this queue"));
            parts.ok()?.into_iter().map(<[u8]>::to_vec).collect()
        } else {
            vec![data.to_vec()]
        };
        Some(Item { name: name.to_owned(), parts, stat })
    }

    /// Creates an item; repeated only if it was certainly not created.
    pub(super) async fn put(&self, stem: &str, data: &[u8]) -> Result<Item> {
        let path = self.entry(stem);
        loop {
            match self.client.create(&path, data, CreateMode::PersistentSequential).await {
                Ok(created) => {
                    let name = name_of(&created.path).to_owned();
                    return Ok(Item { name, parts: vec![], stat: created.stat });
                }
                Err(error) if error.code() == ErrorCode::NoNode => {
                    ensure(&self.client, &self.entries).await?;
                }
                Err(error) if error.is_connection_loss() && !error.outcome_unknown() => {}
                Err(error) if error.code() == ErrorCode::NodeExists => {
                    return Err(exhausted(&self.entries));
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Creates an item together with a receipt.
    pub(super) async fn put_once(&self, stem: &str, data: &[u8]) -> Result<()> {
        let receipt = Receipt::new(&self.client, &self.receipts);
        let path = self.entry(stem);
        let put = || {
            let mode = CreateMode::PersistentSequential;
            self.client.multi().create(path.as_str(), data, mode)
        };
        loop {
            match receipt.carry_out(put).await {
                Err(error) if error.code() == ErrorCode::NoNode => {
                    ensure(&self.client, &self.entries).await?;
                }
                Err(error) if (error.code(), error.part()) == (ErrorCode::NodeExists, Some(0)) => {
                    return Err(exhausted(&self.entries));
                }
                outcome => return outcome.map(drop),
            }
        }
    }

    /// All names, foreign ones included.
    pub(super) async fn names(&self) -> Result<Vec<String>> {
        children_or_none(&self.client, &self.entries).await
    }

    /// Tries items in order until `attempt` gets one. With `wait` it waits once for a change when there is none, and may
    /// answer `None` after that: to be called again.
    pub(super) async fn next<T, F: Future<Output = Result<Option<T>>>>(
        &self,
        wait: bool,
        marks: bool,
        attempt: impl Fn(String) -> F,
    ) -> Result<Option<T>> {
        // Where new items come last, what was listed before is still in order.
        let keeps = matches!(self.kind, Kind::Plain | Kind::Simple | Kind::Id) && !marks;
        while !marks && let Some(name) = self.unshelve() {
            if let Some(got) = attempt(name).await? {
                return Ok(Some(got));
            }
        }
        // Only who finds nothing leaves a watch, and looks again behind it.
        for armed in [false, true] {
            let mut listing = self.list(armed, marks).await?;
            while let Some(name) = listing.names.pop_front() {
                let got = attempt(name).await?;
                if got.is_some() {
                    if keeps {
                        *self.shelf() = listing.names;
                    }
                    return Ok(got);
                }
            }
            if !wait {
                return Ok(None);
            }
            if armed {
                self.wait(listing).await?;
            }
        }
        Ok(None)
    }

    /// What there is to try; with `armed` also what to wait for.
    pub(super) async fn list(&self, armed: bool, marks: bool) -> Result<Listing> {
        let (mut names, mut watches) = self.children(&self.entries, armed).await?;
        if marks || names.iter().any(|name| self.is_ambiguous(name)) {
            let (taken, watch) = self.children(&self.marks, armed).await?;
            let taken: HashSet<String> = taken.into_iter().collect();
            names.retain(|name| !taken.contains(name));
            watches.extend(watch);
        }
        let mut items = self.kind.in_order(&names);
        let mut due_in = None;
        if self.kind == Kind::Delay && !items.is_empty() {
            let now = self.clock.read(&self.client, &self.marks).await?.at_least;
            let later = items.iter().map(|item| item.due_in(now)).find(|due| *due > 0);
            due_in = later.map(Duration::from_millis);
            items.retain(|item| item.due_in(now) == 0);
        }
        let names = items.into_iter().map(|item| item.name.to_owned()).collect();
        Ok(Listing { names, watches, due_in })
    }

    /// The children; with `armed` also a watch for more of them.
    async fn children(&self, directory: &str, armed: bool) -> Result<(Vec<String>, Vec<Watch>)> {
        loop {
            let listed = if armed {
                let listed = patiently(|| self.client.children_and_watch(directory)).await;
                listed.map(|(names, _, watch)| (names, vec![watch]))
            } else {
                let listed = patiently(|| self.client.children(directory)).await;
                listed.map(|(names, _)| (names, Vec::new()))
            };
            match listed {
                Err(error) if error.code() == ErrorCode::NoNode && armed => {
                    ensure(&self.client, directory).await?;
                }
                Err(error) if error.code() == ErrorCode::NoNode => return Ok(Default::default()),
                listed => return listed,
            }
        }
    }

    /// Waits until something changes or an item is due.
    pub(super) async fn wait(&self, listing: Listing) -> Result<()> {
        let Listing { mut watches, due_in, .. } = listing;
        let mut timer = due_in.map(|due| self.client.environment().sleep(due));
        poll_fn(|context| {
            for watch in &mut watches {
                if let Poll::Ready(event) = Pin::new(watch).poll(context) {
                    return Poll::Ready(event.map(drop));
                }
            }
            match &mut timer {
                Some(timer) => timer.as_mut().poll(context).map(Ok),
                None => Poll::Pending,
            }
        })
        .await
    }

    /// Reads and removes an item; `None` when another was faster.
    pub(super) async fn take(&self, name: String) -> Result<Option<Item>> {
        if self.is_ambiguous(&name) {
            return self.take_marked(name).await;
        }
        let path = self.entry(&name);
        let (data, stat) = match patiently(|| self.client.get(&path)).await {
            Ok(found) => found,
            Err(error) if error.code() == ErrorCode::NoNode => return Ok(None),
            Err(error) => return Err(error),
        };
        let Some(item) = self.read(&name, &data, stat) else { return Ok(None) };
        loop {
            let lifetime = self.client.lifetime();
            match self.client.delete(&path, Some(stat.version)).await {
                Ok(()) => return Ok(Some(item)),
                Err(error) if matches!(error.code(), ErrorCode::NoNode | ErrorCode::BadVersion) => {
                    return Ok(None);
                }
                Err(error) if error.is_connection_loss() => {
                    let there = self.is_there(&path).await;
                    // When the session has ended meanwhile, what it had sent may still be on its way.
                    let is_left = matches!(there, Ok(Some(czxid)) if czxid == stat.czxid);
                    if error.outcome_unknown() && !(is_left && lifetime.is_alive()) {
                        return Err(error.with_detail("this consumer or another took the item"));
                    }
                    // Another item may have the name by now, in a directory that was made anew.
                    if there? != Some(stat.czxid) {
                        return Ok(None);
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether the name says nothing about which item it is: the server gives the last number to one item after another. Between
    /// the reading and the removal of such an item it may have become another's, so both are done under a mark.
    pub(super) fn is_ambiguous(&self, name: &str) -> bool {
        self.kind.parse(name).is_some_and(|item| !item.number.orders())
    }

    /// As [`take`](Self::take), for an item of which there may be another with the same name.
    async fn take_marked(&self, name: String) -> Result<Option<Item>> {
        let Some(held) = self.hold(name).await? else { return Ok(None) };
        let item = held.item().clone();
        match held.complete().await {
            Ok(()) => Ok(Some(item)),
            Err(error) if error.code() == ErrorCode::NoNode && !error.outcome_unknown() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The transaction that has created a node, if it is there.
    async fn is_there(&self, path: &str) -> Result<Option<i64>> {
        patiently(|| self.client.sync(path)).await?;
        let found = patiently(|| self.client.exists(path)).await?;
        Ok(found.map(|found| found.czxid))
    }

    /// Removes an item unless somebody holds it: a mark is set and removed in the same transaction.
    pub(super) async fn remove(&self, name: &str) -> Result<bool> {
        let mut backoff = Backoff::default();
        let mut unknown = false;
        loop {
            let remove = self.client.multi().create(self.mark(name), b"", CreateMode::Ephemeral);
            let remove = remove.delete(self.entry(name), None).delete(self.mark(name), None);
            match remove.commit().await {
                Ok(_) => return Ok(true),
                Err(error) if error.code() == ErrorCode::NodeExists => return Ok(false),
                Err(error) if error.code() == ErrorCode::NoNode && error.part() == Some(0) => {
                    ensure(&self.client, &self.marks).await?;
                }
                // After a lost answer it may have been this very transaction; gone it is.
                Err(error) if error.code() == ErrorCode::NoNode => return Ok(unknown),
                Err(error) if error.is_connection_loss() => {
                    unknown |= error.outcome_unknown();
                    backoff.pause(&self.client).await;
                }
                Err(error) if unknown => return Err(error.with_outcome_unknown()),
                Err(error) => return Err(error),
            }
        }
    }

    fn unshelve(&self) -> Option<String> {
        self.shelf().pop_front()
    }

    fn shelf(&self) -> std::sync::MutexGuard<'_, VecDeque<String>> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
