//! [`Claim`]: ephemeral nodes by which a client takes part in a recipe.
//!
//! An answer can be lost after the server has created the node. A second try would leave a node that nobody owns and
//! everybody waits for. So each claim has an id in its names: after a loss, the directory is searched for it, and what is
//! found is taken if this session owns it, and removed otherwise. Source: `org.apache.curator.framework.imps.ProtectedMode`.

mod kind;
mod search;
mod sign;

pub use kind::Kind;
pub use sign::unmarked;

use super::super::layout::protected::Id;
use super::patience::{
    delete_if_there, ensure, ensure_as, exhausted, fresh_id, join, name_of, parent_of, patiently,
};
use super::removal::{in_background, is_starting, surely};
use crate::client::{
    Client, CreateMode, CreateOptions, Error, ErrorCode, Lifetime, PartResult, Result, Stat,
};
use sign::{Sign, mark};

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
    /// Whether the directory is to outlast its nodes.
    stays: bool,
    id: Id,
    sign: Sign,
    names: Vec<String>,
    token: i64,
    /// Whether there may be nodes to remove.
    live: bool,
}

impl Claim {
    /// Takes over an ephemeral node of one's own session that is there already.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::CreateMode;
    /// use quorate::recipes::kit::Claim;
    ///
    /// let created = client.create("/mine", b"", CreateMode::Ephemeral).await?;
    /// let claim = Claim::adopt(&client, &created.path, &created.stat);
    /// assert_eq!(claim.token(), created.stat.czxid);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn adopt(client: &Client, path: &str, stat: &Stat) -> Self {
        let name = name_of(path).to_owned();
        Self {
            client: client.clone(),
            lifetime: client.lifetime(),
            directory: parent_of(path).to_owned(),
            stays: false,
            id: fresh_id(client),
            sign: Sign::of_own(&name),
            names: vec![name],
            token: stat.czxid,
            live: true,
        }
    }

    /// Creates the nodes in a directory, which is created as a container if it is missing. `stems` makes their names from an id;
    /// several nodes are created in one transaction.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::kit::{Claim, Kind};
    ///
    /// let stems = |_| vec!["room-".to_owned(), "bed-".to_owned()];
    /// // Both nodes or none.
    /// let claim = Claim::create(&client, "/hotel", stems, b"ann", Kind::SequentialOwned).await?;
    /// assert_eq!(claim.names(), ["room-0000000000", "bed-0000000001"]);
    /// assert_eq!((claim.directory(), claim.path().as_str()), ("/hotel", "/hotel/room-0000000000"));
    /// assert!(claim.lifetime().is_alive());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
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

    /// The same in a directory that is made to stay, where its numbers must not begin again.
    pub(crate) async fn create_for_good(
        client: &Client,
        directory: &str,
        stems: impl Fn(Id) -> Vec<String>,
        kind: Kind,
    ) -> Result<Self> {
        let mut claim = Self::none(client, directory);
        claim.stays = true;
        claim.begin(stems, b"", kind, |_| std::future::ready(())).await.map(|(claim, ())| claim)
    }

    /// The same, and submits one more request right behind the creation, so that both answers come in one round trip.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::kit::{Claim, Kind};
    ///
    /// let stems = |_| vec!["room-".to_owned()];
    /// let list = |client: &quorate::client::Client| client.children("/hotel");
    /// let (claim, list) =
    ///     Claim::create_before(&client, "/hotel", stems, b"", Kind::SequentialOwned, list).await?;
    /// assert_eq!(list?.0, claim.names());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
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
        Self::none(client, directory).begin(stems, data, kind, next).await
    }

    /// Nothing yet.
    fn none(client: &Client, directory: &str) -> Self {
        Self {
            client: client.clone(),
            lifetime: client.lifetime(),
            directory: directory.to_owned(),
            stays: false,
            id: fresh_id(client),
            sign: Sign::Name,
            names: Vec::new(),
            token: 0,
            live: false,
        }
    }

    async fn begin<T, F: Future<Output = T>>(
        self,
        stems: impl Fn(Id) -> Vec<String>,
        data: &[u8],
        kind: Kind,
        next: impl Fn(&Client) -> F,
    ) -> Result<(Self, T)> {
        let mut claim = self;
        let client = claim.client.clone();
        loop {
            claim.live = true;
            claim.lifetime = client.lifetime();
            let stems = stems(claim.id);
            claim.sign = Sign::new(&client, kind, &stems);
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
                    claim.make_directory().await?;
                }
                Err(error) if error.is_connection_loss() => {
                    if claim.recover(stems.len()).await? && claim.lifetime.is_alive() {
                        return Ok((claim, next(&client).await));
                    }
                    claim.id = fresh_id(&client);
                }
                // With an id in the name it cannot be there: it is the number that there is no more of.
                Err(error) if kind.is_sequential() && error.code() == ErrorCode::NodeExists => {
                    claim.live = false;
                    return Err(exhausted(&claim.directory));
                }
                Err(error) => {
                    claim.live = error.outcome_unknown();
                    return Err(error);
                }
            }
        }
    }

    async fn make_directory(&self) -> Result<()> {
        if !self.stays {
            return ensure(&self.client, &self.directory).await;
        }
        ensure(&self.client, parent_of(&self.directory)).await?;
        ensure_as(&self.client, &self.directory, CreateMode::Persistent).await
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
            let path = join(&self.directory, stem);
            let (create, next) =
                self.client.together(|client| (client.create(&path, data, mode), next(client)));
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
        let (commit, next) = self.client.together(|client| (transaction.commit(), next(client)));
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

    /// Removes the nodes. Returns when they are gone, or when the session is, which removes them too.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::kit::{Claim, Kind};
    ///
    /// let stems = |_| vec!["room".to_owned()];
    /// let claim = Claim::create(&client, "/hotel", stems, b"", Kind::PlainOwned).await?;
    /// claim.remove().await?;
    /// assert!(client.exists("/hotel/room").await?.is_none());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the server refuses, for want of permission.
    pub async fn remove(mut self) -> Result<()> {
        self.remove_now().await
    }

    /// Does nothing about the nodes any more: they are known to be gone.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::kit::{Claim, Kind};
    ///
    /// let stems = |_| vec!["room".to_owned()];
    /// let claim = Claim::create(&client, "/hotel", stems, b"", Kind::PlainOwned).await?;
    /// // Removed in a transaction together with something else.
    /// client.multi().delete(claim.path(), None).set("/", b"free", None).commit().await?;
    /// claim.forget();
    /// assert!(client.children("/hotel").await?.0.is_empty());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
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
        let by_name = self.sign.is_name_unique();
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
        if self.sign.is_name_unique() {
            return delete_if_there(&self.client, &path).await;
        }
        let lifetime = self.client.lifetime();
        match self.client.multi().under(&lifetime).delete(path, None).commit().await {
            Err(error) if error.code() == ErrorCode::NoNode => Ok(()),
            other => other.map(drop),
        }
    }

    /// One claim for each node, to be removed one by one. They have the same token. Only where the names carry the id
    /// ([`Kind::Sequential`], [`Kind::Plain`]): marks and owners do not tell the parts from each other.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::kit::{Claim, Kind};
    ///
    /// let stems = |id: quorate::recipes::layout::protected::Id| {
    ///     vec![format!("{}-room-", id.hex()), format!("{}-bed-", id.hex())]
    /// };
    /// let both = Claim::create(&client, "/hotel", stems, b"", Kind::Sequential).await?;
    /// let mut single = both.split();
    /// single.pop().unwrap().remove().await?;
    /// assert_eq!(client.children("/hotel").await?.0, single[0].names());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
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
            stays: self.stays,
            id: self.id,
            sign: self.sign.clone(),
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
        if !self.live || is_starting() || !self.lifetime.is_alive() {
            return;
        }
        let names = std::mem::take(&mut self.names);
        let mut rest = self.take(names);
        self.live = false;
        in_background(&self.client, "a claim", async move { rest.remove_now().await });
    }
}
