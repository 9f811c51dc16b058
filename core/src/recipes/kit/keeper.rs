//! [`Keeper`]: keeps a node of one's own in existence, session after session.
//!
//! A registration must outlast the session that made it. After a new session the node is created again; one that an earlier
//! session still owns is deleted first, because it is about to vanish. Compare
//! `org.apache.curator.framework.recipes.nodes.PersistentNode`.

use super::backoff::Backoff;
use super::patience::{delete_if_there, ensure_as, join, name_of, patiently};
use super::race::{First, first};
use crate::client::{Client, CreateMode, Error, ErrorCode, Lifetime, Result};
use quorate_wire::path::parent;
use tokio::sync::watch;

/// A node that exists as long as this does. Dropping it removes an ephemeral node in the background; [`remove`](Self::remove)
/// waits for that, and removes a persistent one, too. The client's session stays open meanwhile.
#[derive(Debug)]
pub struct Keeper {
    wanted: watch::Sender<Wanted>,
    placed: watch::Receiver<Placed>,
}

/// What is to be kept.
#[derive(Clone, Debug)]
pub struct Spec {
    /// The node; with a sequential mode, what its name begins with.
    pub path: String,
    /// How it is created.
    pub mode: CreateMode,
    /// How missing parents are created.
    pub parents: CreateMode,
}

/// Where a kept node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its path, with the sequence suffix if it has one.
    pub path: String,
    /// The zxid of its creation: another one after every new session.
    pub token: i64,
}

#[derive(Clone, Debug)]
struct Wanted {
    data: Vec<u8>,
    revision: u64,
    remove: bool,
}

#[derive(Clone, Debug, Default)]
struct Placed {
    place: Option<Place>,
    /// The revision of the data that is there.
    revision: u64,
    /// What stands in the way.
    error: Option<Error>,
}

impl Keeper {
    /// Begins to keep a node, in the background.
    #[must_use]
    pub fn start(client: &Client, spec: Spec, data: Vec<u8>) -> Self {
        let (wanted, wishes) = watch::channel(Wanted { data, revision: 1, remove: false });
        let (report, placed) = watch::channel(Placed::default());
        let work = Work { client: client.clone(), spec, wishes, report };
        client.environment().spawn(Box::pin(work.run()));
        Self { wanted, placed }
    }

    /// Waits until the node is there with the newest data.
    ///
    /// # Errors
    /// What the server refuses, or the end of the client. After a refusal it is tried again in the background.
    pub async fn placed(&self) -> Result<Place> {
        let revision = self.wanted.borrow().revision;
        let mut placed = self.placed.clone();
        let done = |placed: &Placed| {
            placed.error.is_some() || (placed.place.is_some() && placed.revision >= revision)
        };
        let placed = placed.wait_for(done).await.map(|placed| placed.clone()).unwrap_or_default();
        match (placed.place, placed.error) {
            (_, Some(error)) => Err(error),
            (Some(place), None) => Ok(place),
            (None, None) => Err(Error::new(ErrorCode::Closing, "keep", "")),
        }
    }

    /// Where the node was seen last; `None` while it is not there as far as is known.
    #[must_use]
    pub fn place(&self) -> Option<Place> {
        self.placed.borrow().place.clone()
    }

    /// Changes the node's data, and waits until that is done.
    ///
    /// # Errors
    /// As for [`placed`](Self::placed).
    pub async fn update(&self, data: Vec<u8>) -> Result<Place> {
        self.wanted.send_modify(|wanted| {
            wanted.data = data;
            wanted.revision += 1;
        });
        self.placed().await
    }

    /// Removes the node, and waits until it is gone.
    pub async fn remove(self) {
        let Self { wanted, mut placed } = self;
        wanted.send_modify(|wanted| wanted.remove = true);
        drop(wanted);
        while placed.changed().await.is_ok() {}
    }
}

/// The task's own.
struct Work {
    client: Client,
    spec: Spec,
    wishes: watch::Receiver<Wanted>,
    report: watch::Sender<Placed>,
}

impl Work {
    async fn run(mut self) {
        let mut backoff = Backoff::default();
        loop {
            let lifetime = self.client.lifetime();
            let wanted = self.wishes.borrow_and_update().clone();
            match self.place(&wanted.data, &lifetime).await {
                Ok(place) => {
                    backoff = Backoff::default();
                    let revision = wanted.revision;
                    self.report.send_replace(Placed { place: Some(place), revision, error: None });
                    match first(self.wishes.changed(), lifetime.ended()).await {
                        First::Left(changed) if changed.is_err() || self.is_over() => break,
                        First::Left(_) => {}
                        First::Right(()) => self.report.send_modify(|placed| placed.place = None),
                    }
                }
                Err(error) if error.code() == ErrorCode::SessionExpired => {
                    if self.client.connected().await.is_err() {
                        break;
                    }
                }
                Err(error) => {
                    let over = error.is_session_end();
                    self.report.send_modify(|placed| placed.error = Some(error));
                    if over {
                        break;
                    }
                    let pause = backoff.pause(&self.client);
                    let changed = first(self.wishes.changed(), pause).await;
                    if self.is_over() || matches!(changed, First::Left(Err(_))) {
                        break;
                    }
                    self.report.send_modify(|placed| placed.error = None);
                }
            }
        }
        if self.is_ephemeral() || self.is_over() {
            self.clear().await;
        }
    }

    /// Whether the node is to go.
    fn is_over(&self) -> bool {
        self.wishes.borrow().remove
    }

    /// Puts the node in its place, or brings its data up to date.
    async fn place(&self, data: &[u8], lifetime: &Lifetime) -> Result<Place> {
        let known = self.report.borrow().place.clone();
        if let Some(place) = known {
            match patiently(|| self.client.set(&place.path, data, None)).await {
                Ok(_) => return Ok(place),
                Err(error) if error.code() == ErrorCode::NoNode => {}
                Err(error) => return Err(error),
            }
        }
        loop {
            let session = self.client.session_id();
            let created = self.client.create(&self.spec.path, data, self.spec.mode).await;
            if !lifetime.is_alive() {
                // Whose it is is not known: the next session looks again.
                return Err(Error::new(ErrorCode::SessionExpired, "keep", self.spec.path.as_str()));
            }
            match created {
                Ok(created) => {
                    return Ok(Place { path: created.path, token: created.stat.czxid });
                }
                Err(error) if error.code() == ErrorCode::NoNode => {
                    let directory = parent(&self.spec.path);
                    ensure_as(&self.client, directory, self.spec.parents).await?;
                }
                Err(error) if error.code() == ErrorCode::NodeExists => {
                    if let Some(place) = self.own(&self.spec.path, session, data).await? {
                        return Ok(place);
                    }
                }
                Err(error) if error.is_connection_loss() => {
                    if let Some(place) = self.find(session, data).await? {
                        return Ok(place);
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes a node that is there already if it is what is wanted; removes it otherwise.
    async fn own(&self, path: &str, session: i64, data: &[u8]) -> Result<Option<Place>> {
        let Some(stat) = patiently(|| self.client.exists(path)).await? else { return Ok(None) };
        let owner = if self.is_ephemeral() { session } else { 0 };
        if stat.ephemeral_owner == owner {
            return match patiently(|| self.client.set(path, data, None)).await {
                Ok(stat) => Ok(Some(Place { path: path.to_owned(), token: stat.czxid })),
                Err(error) if error.code() == ErrorCode::NoNode => Ok(None),
                Err(error) => Err(error),
            };
        }
        delete_if_there(&self.client, path).await?;
        Ok(None)
    }

    /// After a lost answer: what was created, if it was.
    async fn find(&self, session: i64, data: &[u8]) -> Result<Option<Place>> {
        if !self.is_sequential() {
            return Ok(None);
        }
        let directory = parent(&self.spec.path);
        patiently(|| self.client.sync(directory)).await?;
        let names = match patiently(|| self.client.children(directory)).await {
            Ok((names, _)) => names,
            Err(error) if error.code() == ErrorCode::NoNode => return Ok(None),
            Err(error) => return Err(error),
        };
        let stem = name_of(&self.spec.path);
        let is_number = |rest: &str| rest.len() >= 10 && rest.parse::<i32>().is_ok();
        for name in names.iter().filter(|name| name.strip_prefix(stem).is_some_and(is_number)) {
            if let Some(place) = self.own(&join(directory, name), session, data).await? {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }

    /// Removes the node. The end of the session does that for an ephemeral one.
    async fn clear(&self) {
        let known = self.report.borrow().place.clone();
        let path = match known {
            Some(place) => place.path,
            None if self.is_sequential() => return,
            None => self.spec.path.clone(),
        };
        let session = self.client.session_id();
        let ours = match patiently(|| self.client.exists(&path)).await {
            Ok(Some(stat)) => !self.is_ephemeral() || stat.ephemeral_owner == session,
            _ => false,
        };
        if ours && let Err(error) = delete_if_there(&self.client, &path).await {
            tracing::warn!(%error, "a kept node could not be removed");
        }
    }

    const fn is_ephemeral(&self) -> bool {
        matches!(self.spec.mode, CreateMode::Ephemeral | CreateMode::EphemeralSequential)
    }

    const fn is_sequential(&self) -> bool {
        matches!(self.spec.mode, CreateMode::EphemeralSequential | CreateMode::PersistentSequential)
    }
}
