//! [`Claim`]: ephemeral nodes by which a client takes part in a recipe.
//!
//! An answer can be lost after the server has created the node. A second try would leave a node that nobody owns and
//! everybody waits for. So each claim has an id in its names: after a loss, the directory is searched for it, and what is
//! found is taken if this session owns it, and removed otherwise. Source: `org.apache.curator.framework.imps.ProtectedMode`.

use super::super::layout::protected::Id;
use super::super::layout::sequence::Sequence;
use super::patience::{
    delete_if_there, ensure, exhausted, fresh_id, join, name_of, parent_of, patiently,
};
use super::removal::{in_background, surely};
use crate::client::{
    Client, CreateMode, CreateOptions, Error, ErrorCode, Lifetime, PartResult, Result, Stat,
};

/// How the nodes of a claim are named.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::kit::{Claim, Kind};
///
/// let stems = |id: quorate::recipes::layout::protected::Id| vec![format!("{}-", id.hex())];
/// let claim = Claim::create(&client, "/places", stems, b"", Kind::Sequential).await?;
/// assert_eq!(client.children("/places").await?.0, claim.names());
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The server appends a number.
    Sequential,
    /// The name is as given.
    Plain,
    /// The server appends a number; the names have no room for the id, so it stands at the beginning of the data.
    SequentialMarked,
    /// The name is as given, and the id stands at the beginning of the data.
    PlainMarked,
    /// The server appends a number; neither names nor data have room for the id, so the session has to tell: one claim of a session in a
    /// directory. A second one is not harmed for good: when an answer is lost it may lose its node, notices, and makes another.
    SequentialOwned,
    /// The name is as given, and the session tells whose it is.
    PlainOwned,
}

impl Kind {
    const fn mode(self) -> CreateMode {
        match self {
            Self::Sequential | Self::SequentialMarked | Self::SequentialOwned => {
                CreateMode::EphemeralSequential
            }
            Self::Plain | Self::PlainMarked | Self::PlainOwned => CreateMode::Ephemeral,
        }
    }

    const fn is_sequential(self) -> bool {
        matches!(self, Self::Sequential | Self::SequentialMarked | Self::SequentialOwned)
    }

    const fn is_marked(self) -> bool {
        matches!(self, Self::SequentialMarked | Self::PlainMarked)
    }
}

/// Nodes of one's own in a directory: created together, removed together. Dropping a claim removes them in the background,
/// however long that takes, unless the session ends first and does it.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::kit::{Claim, Kind};
///
/// let stems = |id: quorate::recipes::layout::protected::Id| vec![format!("{}-", id.hex())];
/// let claim = Claim::create(&client, "/places", stems, b"", Kind::Sequential).await?;
/// assert!(claim.token() > 0 && claim.path().starts_with("/places/"));
/// claim.remove().await?;
/// assert!(client.children("/places").await?.0.is_empty());
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct Claim {
    client: Client,
    lifetime: Lifetime,
    directory: String,
    id: Id,
    /// What the names begin with, if the id stands in the data instead.
    marked: Option<Vec<String>>,
    /// What tells the nodes if there is no id.
    owned: Option<Owned>,
    names: Vec<String>,
    token: i64,
    /// Whether there may be nodes to remove.
    live: bool,
}

/// How nodes without an id are told from others'.
#[derive(Clone, Debug)]
struct Owned {
    stems: Vec<String>,
    numbered: bool,
    /// Numbered ones are younger than this.
    since: i64,
}

impl Owned {
    fn new(client: &Client, kind: Kind, stems: &[String]) -> Option<Self> {
        let numbered = match kind {
            Kind::SequentialOwned => true,
            Kind::PlainOwned => false,
            _ => return None,
        };
        Some(Self { stems: stems.to_vec(), numbered, since: client.last_zxid() })
    }

    fn matches(&self, name: &str) -> bool {
        self.stems.iter().any(|stem| match name.strip_prefix(stem.as_str()) {
            Some(rest) if self.numbered => Sequence::parse(rest).is_some(),
            rest => rest == Some(""),
        })
    }

    const fn includes(&self, stat: &Stat, session: i64) -> bool {
        stat.ephemeral_owner == session && (!self.numbered || stat.czxid > self.since)
    }
}

impl Claim {
    /// Takes over an ephemeral node of one's own session that is there already.
    #[must_use]
    pub fn adopt(client: &Client, path: &str, stat: &Stat) -> Self {
        let name = name_of(path).to_owned();
        Self {
            client: client.clone(),
            lifetime: client.lifetime(),
            directory: parent_of(path).to_owned(),
            id: fresh_id(client),
            marked: None,
            owned: Some(Owned { stems: vec![name.clone()], numbered: false, since: 0 }),
            names: vec![name],
            token: stat.czxid,
            live: true,
        }
    }

    /// Creates the nodes in a directory, which is created as a container if it is missing. `stems` makes their names from an id;
    /// several nodes are created in one transaction.
    ///
    /// # Errors
    /// When the session ends meanwhile, or the server refuses.
    pub async fn create(
        client: &Client,
        directory: &str,
        stems: impl Fn(Id) -> Vec<String>,
        data: &[u8],
        kind: Kind,
    ) -> Result<Self> {
        Self::create_before(client, directory, stems, data, kind, |_| std::future::ready(()))
            .await
            .map(|(claim, ())| claim)
    }

    /// The same, and submits one more request right behind the creation, so that both answers come in one round trip.
    ///
    /// # Errors
    /// As for [`create`](Self::create).
    pub async fn create_before<T, F: Future<Output = T>>(
        client: &Client,
        directory: &str,
        stems: impl Fn(Id) -> Vec<String>,
        data: &[u8],
        kind: Kind,
        next: impl Fn(&Client) -> F,
    ) -> Result<(Self, T)> {
        let mut claim = Self {
            client: client.clone(),
            lifetime: client.lifetime(),
            directory: directory.to_owned(),
            id: fresh_id(client),
            marked: None,
            owned: None,
            names: Vec::new(),
            token: 0,
            live: false,
        };
        loop {
            claim.live = true;
            claim.lifetime = client.lifetime();
            let stems = stems(claim.id);
            claim.marked = kind.is_marked().then(|| stems.clone());
            claim.owned = Owned::new(client, kind, &stems);
            let (created, after) = claim.try_create(&stems, data, kind, &next).await;
            match created {
                Ok(()) if claim.lifetime.is_alive() => return Ok((claim, after)),
                Ok(()) => {
                    // The session changed under way: whose the nodes are is not known, so they have to go.
                    claim.lifetime = client.lifetime();
                    return Err(Error::new(
                        ErrorCode::SessionExpired,
                        "create",
                        claim.directory.as_str(),
                    ));
                }
                Err(error) if error.code() == ErrorCode::NoNode => {
                    claim.live = false;
                    ensure(client, directory).await?;
                }
                Err(error) if error.is_connection_loss() => {
                    if claim.recover(stems.len()).await? && claim.lifetime.is_alive() {
                        return Ok((claim, next(client).await));
                    }
                    claim.id = fresh_id(client);
                }
                // With an id in the name it cannot be there: it is the number that there is no more of.
                Err(error) if kind.is_sequential() && error.code() == ErrorCode::NodeExists => {
                    claim.live = false;
                    return Err(exhausted(directory));
                }
                Err(error) => {
                    claim.live = error.outcome_unknown();
                    return Err(error);
                }
            }
        }
    }

    async fn try_create<T, F: Future<Output = T>>(
        &mut self,
        stems: &[String],
        data: &[u8],
        kind: Kind,
        next: &impl Fn(&Client) -> F,
    ) -> (Result<()>, T) {
        let mode = kind.mode();
        let data = if kind.is_marked() { &mark(self.id, data) } else { data };
        if let [stem] = stems {
            let create = self.client.create(&join(&self.directory, stem), data, mode);
            let next = next(&self.client);
            let created = create.await.map(|created| {
                self.token = created.stat.czxid;
                self.names = vec![name_of(&created.path).to_owned()];
            });
            return (created, next.await);
        }
        let mut transaction = self.client.multi();
        for stem in stems {
            transaction =
                transaction.create(join(&self.directory, stem), data, CreateOptions::new(mode));
        }
        let commit = transaction.commit();
        let next = next(&self.client);
        let created = match commit.await {
            Ok(results) => self.adopt_results(&results).await,
            Err(error) => Err(error),
        };
        (created, next.await)
    }

    async fn adopt_results(&mut self, results: &[PartResult]) -> Result<()> {
        let mut token = None;
        self.names.clear();
        for result in results {
            if let PartResult::Created { path, stat } = result {
                token = token.or(stat.map(|stat| stat.czxid));
                self.names.push(name_of(path).to_owned());
            }
        }
        self.token = match token {
            Some(token) => token,
            // Servers before 3.8.2 do not say it.
            None => self.read_token().await?,
        };
        Ok(())
    }

    async fn read_token(&self) -> Result<i64> {
        let path = self.path();
        let (_, stat) = patiently(|| self.client.get(&path)).await?;
        Ok(stat.czxid)
    }

    /// Looks for the nodes after an answer was lost. What another session owns is about to vanish: it is removed, and
    /// does not count.
    async fn recover(&mut self, wanted: usize) -> Result<bool> {
        loop {
            match self.try_recover(wanted).await {
                Err(error) if error.is_connection_loss() => {}
                other => return other,
            }
        }
    }

    async fn try_recover(&mut self, wanted: usize) -> Result<bool> {
        let mut found = self.find().await?;
        found.sort_by_key(|(name, _)| name.clone());
        let session = self.client.session_id();
        let (mine, others): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|(_, stat)| stat.ephemeral_owner == session);
        for (name, _) in others {
            self.remove_node(&name).await?;
        }
        let ambiguous = self.owned.as_ref().is_some_and(|owned| owned.numbered);
        if mine.len() != wanted || ambiguous {
            for (name, _) in mine {
                self.remove_node(&name).await?;
            }
            return Ok(false);
        }
        self.token = mine.first().map_or(0, |(_, stat)| stat.czxid);
        // In the order of their creation: that of their numbers, as the caller named them.
        self.names = mine.into_iter().map(|(name, _)| name).collect();
        self.names.sort_by_key(|name| {
            name.len().checked_sub(10).and_then(|at| name.get(at..)).map(str::to_owned)
        });
        Ok(true)
    }

    /// The nodes with this id, with their stats. A `sync` before makes sure that the server knows what the leader knows; what
    /// was on its way on the old connection has been refused since, because the session has moved.
    async fn find(&self) -> Result<Vec<(String, Stat)>> {
        patiently(|| self.client.sync(&self.directory)).await?;
        let children = match patiently(|| self.client.children(&self.directory)).await {
            Ok((children, _)) => children,
            Err(error) if error.code() == ErrorCode::NoNode => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut found = Vec::new();
        if let Some(stems) = &self.marked {
            let candidates =
                children.into_iter().filter(|name| stems.iter().any(|stem| name.starts_with(stem)));
            for name in candidates {
                if let Some(stat) = self.marked_node(&name).await? {
                    found.push((name, stat));
                }
            }
            return Ok(found);
        }
        if let Some(owned) = &self.owned {
            let session = self.client.session_id();
            for name in children.into_iter().filter(|name| owned.matches(name)) {
                let stat = patiently(|| self.client.exists(&join(&self.directory, &name))).await?;
                if let Some(stat) = stat.filter(|stat| owned.includes(stat, session)) {
                    found.push((name, stat));
                }
            }
            return Ok(found);
        }
        for name in self.id.find(&children) {
            let path = join(&self.directory, name);
            if let Some(stat) = patiently(|| self.client.exists(&path)).await? {
                found.push((name.to_owned(), stat));
            }
        }
        Ok(found)
    }

    /// The stat of a node if its data has the mark of this claim. What cannot be read is somebody else's.
    async fn marked_node(&self, name: &str) -> Result<Option<Stat>> {
        let path = join(&self.directory, name);
        match patiently(|| self.client.get(&path)).await {
            Ok((data, stat)) => Ok(data.starts_with(&mark(self.id, b"")).then_some(stat)),
            Err(error) if matches!(error.code(), ErrorCode::NoNode | ErrorCode::NoAuth) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Removes the nodes. Returns when they are gone, or when the session is, which removes them too.
    ///
    /// # Errors
    /// When the server refuses, for want of permission.
    pub async fn remove(mut self) -> Result<()> {
        self.remove_now().await
    }

    /// Does nothing about the nodes any more: they are known to be gone.
    pub fn forget(mut self) {
        self.live = false;
    }

    async fn remove_now(&mut self) -> Result<()> {
        if !self.live {
            return Ok(());
        }
        let claim = &*self;
        let removed = surely(&claim.client, &claim.lifetime, || claim.remove_once()).await;
        self.live = false;
        removed
    }

    async fn remove_once(&self) -> Result<()> {
        let by_name = self.has_own_names();
        if let ([name], true) = (self.names.as_slice(), by_name) {
            return delete_if_there(&self.client, &join(&self.directory, name)).await;
        }
        // A plain name may have passed to somebody else, if a third party has deleted the node: then mark or owner tells.
        if !self.names.is_empty() && by_name {
            let mut transaction = self.client.multi();
            for name in &self.names {
                transaction = transaction.delete(join(&self.directory, name), None);
            }
            match transaction.commit().await {
                // Somebody has removed a part: go by what is there.
                Err(error) if error.code() == ErrorCode::NoNode => {}
                other => return other.map(drop),
            }
        }
        for (name, _) in self.find().await? {
            self.remove_node(&name).await?;
        }
        Ok(())
    }

    /// Removes a node that was found. A plain name may be another's by the time an answer is lost, or under the next session: then it has to be
    /// looked at again, not deleted again.
    async fn remove_node(&self, name: &str) -> Result<()> {
        let path = join(&self.directory, name);
        if self.has_own_names() {
            return delete_if_there(&self.client, &path).await;
        }
        let lifetime = self.client.lifetime();
        match self.client.multi().under(&lifetime).delete(path, None).commit().await {
            Err(error) if error.code() == ErrorCode::NoNode => Ok(()),
            other => other.map(drop),
        }
    }

    /// Whether nobody else's nodes can have the names of these.
    fn has_own_names(&self) -> bool {
        self.marked.is_none() && self.owned.as_ref().is_none_or(|owned| owned.numbered)
    }

    /// One claim for each node, to be removed one by one. They have the same token.
    #[must_use]
    pub fn split(mut self) -> Vec<Self> {
        let names = std::mem::take(&mut self.names);
        let parts = names.into_iter().map(|name| self.take(vec![name])).collect();
        self.live = false;
        parts
    }

    /// The rest of this claim, with these names, for another owner.
    fn take(&self, names: Vec<String>) -> Self {
        Self {
            client: self.client.clone(),
            lifetime: self.lifetime.clone(),
            directory: self.directory.clone(),
            id: self.id,
            marked: self.marked.clone(),
            owned: self.owned.clone(),
            names,
            token: self.token,
            live: self.live,
        }
    }

    /// The names, in the order of their stems.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        self.names.iter().map(String::as_str).collect()
    }

    /// The path of the first node.
    #[must_use]
    pub fn path(&self) -> String {
        join(&self.directory, self.names.first().map_or("", String::as_str))
    }

    /// The directory.
    #[must_use]
    pub fn directory(&self) -> &str {
        &self.directory
    }

    /// The fencing token: the zxid that created the nodes. It grows with every claim, also when the directory was deleted
    /// meanwhile.
    #[must_use]
    pub const fn token(&self) -> i64 {
        self.token
    }

    /// The session's life, on which the nodes depend.
    #[must_use]
    pub const fn lifetime(&self) -> &Lifetime {
        &self.lifetime
    }

    /// The client.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if !self.live || !self.lifetime.is_alive() {
            return;
        }
        let names = std::mem::take(&mut self.names);
        let mut rest = self.take(names);
        self.live = false;
        in_background(&self.client, "a claim", async move { rest.remove_now().await });
    }
}

/// The data of a node as its owner gave it, without the id that a marked one has before it.
///
/// ```
/// assert_eq!(quorate::recipes::kit::unmarked(b"plain data"), b"plain data");
/// ```
#[must_use]
pub fn unmarked(data: &[u8]) -> &[u8] {
    match data.split_at_checked(MARK_LENGTH) {
        Some((mark, rest)) if is_mark(mark) => rest,
        _ => data,
    }
}

fn is_mark(mark: &[u8]) -> bool {
    mark.split_last()
        .is_some_and(|(space, id)| *space == b' ' && id.iter().all(u8::is_ascii_hexdigit))
}

/// The data of a node whose name has no room for the id.
fn mark(id: Id, data: &[u8]) -> Vec<u8> {
    let mut marked = id.hex().into_bytes();
    marked.push(b' ');
    marked.extend_from_slice(data);
    marked
}

/// Bytes of an id and the space after it.
const MARK_LENGTH: usize = 33;
