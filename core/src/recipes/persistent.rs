//! Nodes that are kept in existence: the persistent ephemeral node, and the node with a time to live.
//!
//! As `org.apache.curator.framework.recipes.nodes.PersistentNode` and `PersistentTtlNode`. The ephemeral one has a fixed
//! name; it is made again when it was deleted, and under each new session. A node that is there already counts only if this session
//! owns it: one of an expired session is about to vanish.

use super::kit::{
    Asked, Backoff, Claim, Companion, First, Kind, Live, Teller, ensure, first, join, live,
    name_of, parent_of, patiently,
};
use super::layout::member::TOUCH;
use crate::client::{Client, CreateMode, CreateOptions, Error, ErrorCode, Result};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// An ephemeral node that stays as long as the client does. Only a description: cheap to make, and to clone.
///
/// ```
/// # use quorate::{client::Client, recipes::persistent::PersistentNode, server::Server};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = Server::builder().volatile().no_port().start()?;
/// # let client = Client::builder().in_process(&server).connect_blocking()?;
/// # client.run(async |client| {
/// let kept = PersistentNode::new(client, "/hosts/host-1").data("up").keep();
/// let token = kept.there().await?;
/// kept.set("busy");
/// // Somebody deletes it: it comes back, with another token.
/// client.delete("/hosts/host-1", None).await?;
/// assert!(kept.newer_than(token).await? > token);
/// assert_eq!(client.get("/hosts/host-1").await?.0, b"busy");
/// kept.remove().await?;
/// # Ok::<(), quorate::client::Error>(())
/// # })?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct PersistentNode {
    client: Client,
    path: String,
    data: Vec<u8>,
}

/// Keeps a node in existence until it is dropped or [removed](Self::remove); then the node goes.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::persistent::PersistentNode;
///
/// let kept = PersistentNode::new(&client, "/host-1").keep();
/// assert!(kept.there().await? > 0);
/// kept.remove().await?;
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct Kept {
    presence: Live<Presence>,
    data: Teller<Vec<u8>>,
    companion: Companion,
    path: String,
}

/// Whether a kept node is there.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::persistent::{Presence, PersistentNode};
///
/// let kept = PersistentNode::new(&client, "/host-1").keep();
/// let token = kept.there().await?;
/// assert!(matches!(kept.presence(), Presence::There(seen) if seen == token));
/// kept.remove().await?;
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Not yet, or not at the moment.
    Absent,
    /// It is, with this token (`czxid`).
    There(i64),
    /// Another session owns a node of this name. It is waited for: it may be that of the process before, and expire soon.
    Taken(i64),
    /// It is kept no more: it was removed (`None`), or that failed.
    Ended(Option<Error>),
}

impl PersistentNode {
    /// The node at `path`. Missing parents are made as containers.
    #[must_use]
    pub fn new(client: &Client, path: &str) -> Self {
        Self { client: client.clone(), path: path.to_owned(), data: Vec::new() }
    }

    /// With this data at first.
    #[must_use]
    pub fn data(mut self, data: impl Into<Vec<u8>>) -> Self {
        self.data = data.into();
        self
    }

    /// Creates it, and keeps it from now on, in the background.
    #[must_use = "dropping what keeps the node removes it"]
    pub fn keep(&self) -> Kept {
        let (teller, presence) = live(Presence::Absent);
        let (data, wanted) = live(self.data.clone());
        let environment = Arc::clone(self.client.environment());
        let (client, path) = (self.client.clone(), self.path.clone());
        let keeper = Keeper { client, path, wanted, teller, sessions: VecDeque::new() };
        let companion = Companion::start(&environment, |asked| keeper.run(asked));
        Kept { presence, data, companion, path: self.path.clone() }
    }
}

impl Kept {
    /// Whether the node is there.
    #[must_use]
    pub fn presence(&self) -> Presence {
        self.presence.get()
    }

    /// The presence as a stream: the present one first.
    #[must_use]
    pub fn changes(&self) -> Live<Presence> {
        self.presence.clone()
    }

    /// Waits until the node is there, and answers its token.
    ///
    /// # Errors
    /// When it is kept no more: the client is closed, or the server refuses.
    pub async fn there(&self) -> Result<i64> {
        self.newer_than(0).await
    }

    /// Waits until the node is there with a greater token than this.
    ///
    /// # Errors
    /// As for [`there`](Self::there).
    pub async fn newer_than(&self, token: i64) -> Result<i64> {
        let wanted = |presence: &Presence| match presence {
            Presence::There(found) => *found > token,
            Presence::Ended(_) => true,
            _ => false,
        };
        match self.presence.until(wanted).await {
            Some(Presence::There(token)) => Ok(token),
            Some(Presence::Ended(Some(error))) => Err(error),
            _ => Err(Error::new(ErrorCode::Closing, "keep", self.path.as_str())),
        }
    }

    /// Changes the data, in the background. Of changes in quick succession only the last one may be written.
    pub fn set(&self, data: impl Into<Vec<u8>>) {
        self.data.tell(data.into());
    }

    /// Removes the node. Returns when it is gone, or when the session is, which removes it too.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn remove(self) -> Result<()> {
        self.companion.finish().await;
        match self.presence.get() {
            Presence::Ended(Some(error)) if !error.is_session_end() => Err(error),
            _ => Ok(()),
        }
    }
}

/// The background task.
struct Keeper {
    client: Client,
    path: String,
    wanted: Live<Vec<u8>>,
    teller: Teller<Presence>,
    /// Earlier sessions of this client: what they own may be deleted.
    sessions: VecDeque<i64>,
}

impl Keeper {
    async fn run(mut self, mut asked: Asked) {
        let mut backoff = Backoff::default();
        let outcome = loop {
            let round = self.round(&mut asked).await;
            self.teller.tell_if_new(Presence::Absent);
            let pause = match round {
                Ok(true) => break None,
                Ok(false) => first(&mut asked, backoff.pause(&self.client)).await,
                Err(error) if error.code() == ErrorCode::SessionExpired => {
                    match first(&mut asked, self.client.connected()).await {
                        First::Left(()) => First::Left(()),
                        First::Right(Ok(())) => First::Right(()),
                        First::Right(Err(error)) => break Some(error),
                    }
                }
                // The connection is away, or the server cannot write at the moment: neither is a refusal.
                Err(error)
                    if error.is_connection_loss() || error.code() == ErrorCode::SystemError =>
                {
                    first(&mut asked, backoff.pause(&self.client)).await
                }
                Err(error) => break Some(error),
            };
            if pause == First::Left(()) {
                break None;
            }
        };
        self.teller.tell(Presence::Ended(outcome));
    }

    /// Creates the node and stays with it until it is gone; true when it was removed because the owner has asked.
    async fn round(&mut self, asked: &mut Asked) -> Result<bool> {
        let Some(claim) = self.create(asked).await? else { return Ok(false) };
        self.teller.tell(Presence::There(claim.token()));
        loop {
            let look = self.client.exists_and_watch(&self.path).await;
            let watch = match look {
                Err(error) if error.is_connection_loss() => continue,
                Err(error) => return Err(error),
                Ok((stat, watch)) => {
                    if stat.is_none_or(|stat| stat.czxid != claim.token()) {
                        return Ok(false);
                    }
                    watch
                }
            };
            // Only what has changed since the creation or the last write.
            let changed = first(self.wanted.next(), watch);
            match first(&mut *asked, changed).await {
                First::Left(()) => {
                    claim.remove().await?;
                    return Ok(true);
                }
                First::Right(First::Right(event)) => drop(event?),
                First::Right(First::Left(Some(data))) => {
                    match patiently(|| self.client.set(&self.path, &data, None)).await {
                        Err(error) if error.code() == ErrorCode::NoNode => return Ok(false),
                        other => drop(other?),
                    }
                }
                // The owner is gone: this task is about to be dropped.
                First::Right(First::Left(None)) => return Ok(false),
            }
        }
    }

    /// `None` when the name was taken by another session, and may be free now.
    async fn create(&mut self, asked: &mut Asked) -> Result<Option<Claim>> {
        self.remember_session();
        let (directory, name) = (parent_of(&self.path).to_owned(), name_of(&self.path));
        let data = self.wanted.next_or_present();
        let stems = |_| vec![name.to_owned()];
        match Claim::create(&self.client, &directory, stems, &data, Kind::PlainOwned).await {
            Err(error) if error.code() == ErrorCode::NodeExists => {}
            claim => return claim.map(Some),
        }
        let (stat, watch) = self.client.exists_and_watch(&self.path).await?;
        let Some(stat) = stat else { return Ok(None) };
        if stat.ephemeral_owner == self.client.session_id() {
            let claim = Claim::adopt(&self.client, &self.path, &stat);
            return match patiently(|| self.client.set(&self.path, &data, None)).await {
                Ok(_) => Ok(Some(claim)),
                // It was on its way out: one that was dropped just before, under the same name.
                Err(error) if error.code() == ErrorCode::NoNode => Ok(None),
                Err(error) => Err(error),
            };
        }
        if self.sessions.contains(&stat.ephemeral_owner) {
            // Nobody but this client can have meant it, and it would vanish soon.
            match patiently(|| self.client.delete(&self.path, Some(stat.version))).await {
                Err(error) if matches!(error.code(), ErrorCode::NoNode | ErrorCode::BadVersion) => {
                }
                other => other?,
            }
            return Ok(None);
        }
        self.teller.tell_if_new(Presence::Taken(stat.ephemeral_owner));
        if let First::Right(event) = first(&mut *asked, watch).await {
            event?;
            return Ok(None);
        }
        Ok(None)
    }

    fn remember_session(&mut self) {
        let session = self.client.session_id();
        if session != 0 && self.sessions.back() != Some(&session) {
            self.sessions.push_back(session);
            if self.sessions.len() > MAX_SESSIONS {
                self.sessions.pop_front();
            }
        }
    }
}

/// A node that outlives its client by a while: it has a time to live, and a child `touch` that is written again at half of it. The server must
/// allow such nodes (`extendedTypesEnabled`).
///
/// ```
/// # use quorate::{client::Client, recipes::persistent::TtlNode, server::Server};
/// # use std::time::Duration;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = Server::builder().volatile().no_port().configure(|config| config.extended_types_enabled = true).start()?;
/// # let client = Client::builder().in_process(&server).connect_blocking()?;
/// # client.run(async |client| {
/// let node = TtlNode::new(client, "/seen/host-1", Duration::from_secs(60)).data("up");
/// let touching = node.keep().await?;
/// assert_eq!(client.get("/seen/host-1").await?.0, b"up");
/// // When this is dropped, or the process ends, the node goes a minute later.
/// drop(touching);
/// # Ok::<(), quorate::client::Error>(())
/// # })?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct TtlNode {
    client: Client,
    path: String,
    data: Vec<u8>,
    ttl: Duration,
}

/// Keeps a [`TtlNode`] from expiring until it is dropped.
#[derive(Debug)]
pub struct Touching {
    last: Live<Result<()>>,
    _companion: Companion,
}

impl TtlNode {
    /// The node at `path`, which goes when it has not been touched for `ttl`.
    #[must_use]
    pub fn new(client: &Client, path: &str, ttl: Duration) -> Self {
        Self { client: client.clone(), path: path.to_owned(), data: Vec::new(), ttl }
    }

    /// With this data.
    #[must_use]
    pub fn data(mut self, data: impl Into<Vec<u8>>) -> Self {
        self.data = data.into();
        self
    }

    /// Creates the node, or writes the data if it is there, and touches it from now on.
    ///
    /// # Errors
    /// `Unimplemented` when the server does not allow nodes with a time to live; or it refuses otherwise.
    pub async fn keep(&self) -> Result<Touching> {
        self.touch().await?;
        let (teller, last) = live(Ok(()));
        let node = self.clone();
        let companion = Companion::start(self.client.environment(), |_| async move {
            loop {
                node.client.sleep(node.ttl / 2).await;
                let outcome = node.touch().await;
                let over = outcome.as_ref().is_err_and(|error| {
                    error.is_session_end() && error.code() != ErrorCode::SessionExpired
                });
                teller.tell(outcome);
                if over {
                    return;
                }
            }
        });
        Ok(Touching { last, _companion: companion })
    }

    /// Writes the child, and whatever is missing.
    async fn touch(&self) -> Result<()> {
        let child = join(&self.path, TOUCH);
        let options = CreateOptions::new(CreateMode::PersistentWithTtl).ttl(self.ttl);
        for _ in 0..MAX_TRIES {
            match patiently(|| self.client.set(&child, b"", None)).await {
                Err(error) if error.code() == ErrorCode::NoNode => {}
                other => return other.map(drop),
            }
            match patiently(|| self.client.create(&self.path, &self.data, options.clone())).await {
                Err(error) if error.code() == ErrorCode::NodeExists => {
                    patiently(|| self.client.set(&self.path, &self.data, None)).await.map(drop)
                }
                Err(error) if error.code() == ErrorCode::NoNode => {
                    ensure(&self.client, parent_of(&self.path)).await
                }
                other => other.map(drop),
            }
            .or_else(ignore_absence)?;
            let made = patiently(|| self.client.create(&child, b"", options.clone())).await;
            match made {
                Err(error) if matches!(error.code(), ErrorCode::NodeExists | ErrorCode::NoNode) => {
                }
                other => return other.map(drop),
            }
        }
        Err(Error::new(ErrorCode::NoNode, "touch", child)
            .with_detail("somebody deletes it as fast as it is made"))
    }
}

impl Touching {
    /// How the last touch went, as a stream: the present answer first.
    #[must_use]
    pub fn outcomes(&self) -> Live<Result<()>> {
        self.last.clone()
    }
}

fn ignore_absence(error: Error) -> Result<()> {
    if error.code() == ErrorCode::NoNode { Ok(()) } else { Err(error) }
}

/// Earlier sessions that are remembered: more cannot be visible at the same time.
const MAX_SESSIONS: usize = 16;
/// How often something may vanish between its creation and its use.
const MAX_TRIES: usize = 20;
