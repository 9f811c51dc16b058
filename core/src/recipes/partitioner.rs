//! The set partitioner: members of a group share a set of items, each item with one member at a time.
//!
//! Members are counted when the group has been quiet for a while; each then takes the locks of its share, and gives them back when the
//! group changes. Layout: kazoo's, `<path>/party/<hex>-<identifier>` and `<path>/locks/<item>/<hex>__lock__N10`.
//! A persistent child of `party` with another name is foreign, and gets no share. Source: `kazoo.recipe.partitioner.SetPartitioner`.

use super::kit::{
    Backoff, Claim, First, Held, Kind, changed, delete_if_there, ensure, first, fresh_id, join,
    only_members, patiently,
};
use super::layout::lock::Mode;
use super::layout::member::{is_shallow, shallow, shallow_identifier};
use super::layout::partition::{self, LOCKS, PARTY};
use super::lock::Lock;
use crate::client::{Client, Error, ErrorCode, Result, Transaction, Watch};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

/// A set of items to share. It is only a description; all members must give the same items.
///
/// ```
/// # use quorate::{client::Client, recipes::partitioner::Partitioner, server::Server};
/// # use std::time::Duration;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = Server::builder().volatile().no_port().start()?;
/// # let client = Client::builder().in_process(&server).connect_blocking()?;
/// # client.run(async |client| {
/// let shards = Partitioner::new(client, "/shards", ["a", "b", "c"])?.quiet(Duration::from_millis(5));
/// let mut member = shards.join().await?;
/// let mut share = member.acquire().await?;
/// assert_eq!(share.items().collect::<Vec<_>>(), ["a", "b", "c"]);
/// # let done = true;
/// # if !done {
/// share.changed().await; // somebody comes or goes
/// # }
/// share.release().await?; // and the share is acquired again
/// member.leave().await?;
/// # Ok::<(), quorate::client::Error>(())
/// # })?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Partitioner {
    client: Client,
    path: String,
    items: Vec<String>,
    identifier: String,
    quiet: Duration,
    past: Arc<Mutex<Past>>,
}

/// What this process knows of the members with one identifier that it has had.
#[derive(Debug, Default)]
struct Past {
    /// The nodes they may have made. One that is not the present member's is on its way out, however long that takes.
    names: VecDeque<String>,
    member: Weak<()>,
}

/// One's membership. Dropping it leaves the group.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::partitioner::Partitioner;
///
/// let member = Partitioner::new(&client, "/shards", ["a"])?.identifier("host-1")?.join().await?;
/// assert_eq!(member.identifier(), "host-1");
/// member.leave().await?;
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct Member {
    set: Partitioner,
    claim: Option<Claim>,
    /// As long as this is there nobody else can be the same member.
    _only: Arc<()>,
}

/// The items that are one's own: until [`changed`](Self::changed) says that they have to be given back. Dropping it does that.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::partitioner::Partitioner;
/// use std::time::Duration;
///
/// let shards = Partitioner::new(&client, "/shards", ["a", "b"])?.quiet(Duration::from_millis(5));
/// let mut member = shards.join().await?;
/// let share = member.acquire().await?;
/// assert!(share.is_held() && share.held("a").is_some() && share.guarded("c").is_none());
/// share.release().await?;
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct Share {
    items: Vec<(String, Held)>,
    watch: Watch,
    change: Option<Change>,
}

/// Why a share has to be given back.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::partitioner::{Change, Partitioner};
/// use std::time::Duration;
///
/// let shards = Partitioner::new(&client, "/shards", ["a", "b"])?.quiet(Duration::from_millis(5));
/// let mut member = shards.clone().identifier("host-1")?.join().await?;
/// let mut share = member.acquire().await?;
/// let other = shards.identifier("host-2")?.join().await?;
/// assert_eq!(share.changed().await, Change::Group);
/// share.release().await?;
/// other.leave().await?;
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// Somebody has come or gone: give back soon, others wait for it.
    Group,
    /// The session is over, and others may have the items already.
    Lost,
}

impl Partitioner {
    /// These items, shared at `path`. Unless told otherwise the member's identifier is a random one, and the group has to be quiet for 30
    /// seconds.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::ErrorCode;
    /// use quorate::recipes::partitioner::Partitioner;
    ///
    /// assert!(Partitioner::new(&client, "/shards", ["a", "b"]).is_ok());
    /// let twice = Partitioner::new(&client, "/shards", ["a", "a"]);
    /// assert_eq!(twice.unwrap_err().code(), ErrorCode::BadArguments);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// `BadArguments` when an item cannot be the name of a node, or stands there twice.
    pub fn new<S: Into<String>>(
        client: &Client,
        path: &str,
        items: impl IntoIterator<Item = S>,
    ) -> Result<Self> {
        let mut items: Vec<String> = items.into_iter().map(Into::into).collect();
        items.sort_unstable();
        let twice = items.windows(2).any(|pair| matches!(pair, [a, b] if a == b));
        let set = Self {
            client: client.clone(),
            path: path.to_owned(),
            identifier: fresh_id(client).hex(),
            quiet: DEFAULT_QUIET,
            past: Arc::default(),
            items,
        };
        match set.items.iter().find(|item| !is_name(item)) {
            Some(item) => Err(bad(format!("the item {item:?} cannot be the name of a node"))),
            None if twice => Err(bad("an item stands there twice".to_owned())),
            None => Ok(set),
        }
    }

    /// With this identifier; every member needs one of its own.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::partitioner::Partitioner;
    ///
    /// let shards = Partitioner::new(&client, "/shards", ["a"])?;
    /// assert!(shards.clone().identifier("a/b").is_err());
    /// assert_eq!(shards.identifier("host-1")?.join().await?.identifier(), "host-1");
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// `BadArguments` when it cannot be part of a node's name.
    pub fn identifier(mut self, identifier: &str) -> Result<Self> {
        if !is_name(identifier) {
            return Err(bad(format!("{identifier:?} cannot be part of a node's name")));
        }
        self.identifier = identifier.to_owned();
        self.past = Arc::default();
        Ok(self)
    }

    /// Items are shared out when nobody has come or gone for so long: a group that starts does it once rather than once per
    /// member.
    #[must_use]
    pub const fn quiet(mut self, quiet: Duration) -> Self {
        self.quiet = quiet;
        self
    }

    /// Becomes a member.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::partitioner::Partitioner;
    ///
    /// let shards = Partitioner::new(&client, "/shards", ["a", "b"])?;
    /// let member = shards.join().await?;
    /// // Nobody is two members.
    /// assert!(shards.join().await.is_err());
    /// member.leave().await?;
    /// shards.join().await?.leave().await?;
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the session ends meanwhile, or the server refuses; `BadArguments` while an earlier member of this description or of a clone
    /// of it is there.
    pub async fn join(&self) -> Result<Member> {
        let only = self.only()?;
        let claim = self.enter().await?;
        Ok(Member { set: self.clone(), claim: Some(claim), _only: only })
    }

    fn only(&self) -> Result<Arc<()>> {
        let mut past = self.past();
        if past.member.upgrade().is_some() {
            return Err(self.namesake());
        }
        let only = Arc::new(());
        past.member = Arc::downgrade(&only);
        Ok(only)
    }

    async fn enter(&self) -> Result<Claim> {
        let stems = |id| {
            let name = shallow(id, &self.identifier);
            self.past().remember(&name);
            vec![name]
        };
        let data = self.identifier.as_bytes();
        Claim::create(&self.client, &self.party(), stems, data, Kind::Plain).await
    }

    fn past(&self) -> MutexGuard<'_, Past> {
        self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn namesake(&self) -> Error {
        bad(format!("another member is called {}", self.identifier))
    }

    fn party(&self) -> String {
        join(&self.path, PARTY)
    }

    fn lock(&self, item: &str) -> Lock {
        Lock::new(&self.client, &join(&join(&self.path, LOCKS), item))
            .mode(Mode::Kazoo { yields_to_curator: false })
            .data(self.identifier.as_bytes())
    }
}

impl Member {
    /// Waits until the group is quiet and one's share is free, and takes it. It may be empty, when there are more members than items. After
    /// the loss of a session the membership is taken anew.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::partitioner::Partitioner;
    /// use std::time::Duration;
    ///
    /// let shards = Partitioner::new(&client, "/shards", ["a", "b"])?.quiet(Duration::from_millis(5));
    /// let mut one = shards.clone().identifier("host-1")?.join().await?;
    /// let mut two = shards.identifier("host-2")?.join().await?;
    /// let (first, second) = (one.acquire().await?, two.acquire().await?);
    /// assert_eq!(first.items().count() + second.items().count(), 2);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the client is closed, or the server refuses; `BadArguments` when a member with the same identifier has been there for twice the
    /// session timeout, all the while connected: then it is not what an earlier process has left behind.
    pub async fn acquire(&mut self) -> Result<Share> {
        loop {
            match self.try_acquire().await {
                Ok(Some(share)) => return Ok(share),
                Ok(None) => {}
                Err(error) if error.code() == ErrorCode::SessionExpired => {
                    self.set.client.connected().await?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Leaves the group. Shares that are still held have to be released by themselves.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::partitioner::Partitioner;
    ///
    /// let shards = Partitioner::new(&client, "/shards", ["a"])?.identifier("host-1")?;
    /// shards.join().await?.leave().await?;
    /// assert!(client.children("/shards/party").await?.0.is_empty());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the server refuses to delete the node.
    pub async fn leave(mut self) -> Result<()> {
        match self.claim.take() {
            Some(claim) => claim.remove().await,
            None => Ok(()),
        }
    }

    /// The identifier.
    #[must_use]
    pub fn identifier(&self) -> &str {
        &self.set.identifier
    }

    /// `None` when the group has changed meanwhile.
    async fn try_acquire(&mut self) -> Result<Option<Share>> {
        let (children, mut watch) = self.settled().await?;
        let children =
            only_members(&self.set.client, &self.set.party(), children, is_shallow).await?;
        let Some(claim) = &self.claim else {
            // An earlier call was cut short on its way back in.
            self.claim = Some(self.set.enter().await?);
            return Ok(None);
        };
        if !claim.names().iter().all(|mine| children.iter().any(|child| child == mine)) {
            // The node is gone, with its session or by somebody's hand.
            self.claim = None;
            self.claim = Some(self.set.enter().await?);
            return Ok(None);
        }
        let members: Vec<&str> = children.iter().map(|name| shallow_identifier(name)).collect();
        let me = self.set.identifier.as_str();
        if members.iter().filter(|member| **member == me).count() > 1 && claim.lifetime().is_alive()
        {
            return self.namesake(&children).await;
        }
        let items: Vec<&str> = self.set.items.iter().map(String::as_str).collect();
        let mut mine = Vec::new();
        for item in partition::share(&members, &items, me).unwrap_or_default() {
            let lock = self.set.lock(item);
            // Whoever had it gives it back when it hears of the change; if the group changes again, all begins anew.
            match first(lock.acquire(), &mut watch).await {
                First::Left(held) => mine.push((item.to_owned(), held?)),
                First::Right(event) => return event.map(|_| None),
            }
        }
        Ok(Some(Share { items: mine, watch, change: None }))
    }

    /// There is another node with the same identifier. One that this process has made goes; so does that of a process before, when its session
    /// ends.
    async fn namesake(&self, children: &[String]) -> Result<Option<Share>> {
        let client = &self.set.client;
        let mine = self.claim.as_ref().map(Claim::names).unwrap_or_default();
        let same = |name: &&String| shallow_identifier(name) == self.set.identifier;
        let others = children.iter().filter(same).filter(|name| !mine.contains(&name.as_str()));
        for name in others {
            let path = join(&self.set.party(), name);
            let is_past = self.set.past().names.contains(name);
            if is_past {
                // Whatever removes it already may have to wait until the server can write.
                match delete_if_there(client, &path).await {
                    Err(error) if error.code() == ErrorCode::SystemError => {
                        Backoff::default().pause(client).await;
                    }
                    gone => gone?,
                }
                continue;
            }
            // A session that nobody keeps up any more ends within twice its timeout, unless servers change meanwhile: then ours notices.
            let (mut states, limit) = (client.states(), client.session_timeout() * 2);
            let news = first(changed(client, &path), states.next());
            match first(news, client.sleep(limit)).await {
                First::Left(First::Left(gone)) => gone?,
                First::Left(First::Right(_)) => {}
                First::Right(()) => return Err(self.set.namesake()),
            }
        }
        Ok(None)
    }

    /// Waits until the group has been quiet. The watch tells of the next change.
    async fn settled(&self) -> Result<(Vec<String>, Watch)> {
        let party = self.set.party();
        loop {
            let listed = patiently(|| self.set.client.children_and_watch(&party)).await;
            let (children, mut watch) = match listed {
                Ok((children, _, watch)) => (children, watch),
                Err(error) if error.code() == ErrorCode::NoNode => {
                    ensure(&self.set.client, &party).await?;
                    continue;
                }
                Err(error) => return Err(error),
            };
            match first(&mut watch, self.set.client.sleep(self.set.quiet)).await {
                First::Left(event) => event.map(drop)?,
                First::Right(()) => return Ok((children, watch)),
            }
        }
    }
}

impl Past {
    fn remember(&mut self, name: &str) {
        if self.names.len() >= MAX_PAST {
            self.names.pop_front();
        }
        self.names.push_back(name.to_owned());
    }
}

impl Share {
    /// The items, sorted.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::partitioner::Partitioner;
    /// use std::time::Duration;
    ///
    /// let shards = Partitioner::new(&client, "/shards", ["b", "a"])?.quiet(Duration::from_millis(5));
    /// let mut member = shards.join().await?;
    /// let share = member.acquire().await?;
    /// assert_eq!(share.items().collect::<Vec<_>>(), ["a", "b"]);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub fn items(&self) -> impl Iterator<Item = &str> {
        self.items.iter().map(|(item, _)| item.as_str())
    }

    /// What stands for an item: its lock, with the token.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::partitioner::Partitioner;
    /// use std::time::Duration;
    ///
    /// let shards = Partitioner::new(&client, "/shards", ["a"])?.quiet(Duration::from_millis(5));
    /// let mut member = shards.join().await?;
    /// let share = member.acquire().await?;
    /// assert!(share.held("a").unwrap().token() > 0 && share.held("b").is_none());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn held(&self, item: &str) -> Option<&Held> {
        self.items.iter().find(|(name, _)| name == item).map(|(_, held)| held)
    }

    /// A transaction that happens only while an item is one's own; `None` if it is not.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::partitioner::Partitioner;
    /// use std::time::Duration;
    ///
    /// let shards = Partitioner::new(&client, "/shards", ["a"])?.quiet(Duration::from_millis(5));
    /// let mut member = shards.join().await?;
    /// let share = member.acquire().await?;
    /// if let Some(transaction) = share.guarded("a") {
    ///     transaction.set("/", b"by who has a", None).commit().await?;
    /// }
    /// assert_eq!(client.get("/").await?.0, b"by who has a");
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn guarded(&self, item: &str) -> Option<Transaction> {
        self.held(item).map(Held::guarded)
    }

    /// Whether the session lives, by the local clock.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.change != Some(Change::Lost) && self.items.iter().all(|(_, held)| held.is_held())
    }

    /// Waits until the share has to be given back. Then it says so at once, whenever it is asked.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::partitioner::{Change, Partitioner};
    /// use std::time::Duration;
    ///
    /// let shards = Partitioner::new(&client, "/shards", ["a"])?.quiet(Duration::from_millis(5));
    /// let mut member = shards.join().await?;
    /// let mut share = member.acquire().await?;
    /// client.abandon();
    /// assert_eq!(share.changed().await, Change::Lost);
    /// assert!(!share.is_held());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub async fn changed(&mut self) -> Change {
        if let Some(change) = self.change {
            return change;
        }
        let change = match (&mut self.watch).await {
            Ok(_) => Change::Group,
            Err(_) => Change::Lost,
        };
        *self.change.insert(change)
    }

    /// Gives the items back. Returns when the locks are gone.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::partitioner::Partitioner;
    /// use std::time::Duration;
    ///
    /// let shards = Partitioner::new(&client, "/shards", ["a"])?.quiet(Duration::from_millis(5));
    /// let mut member = shards.join().await?;
    /// member.acquire().await?.release().await?;
    /// // And again: the same, as nobody came or went.
    /// assert_eq!(member.acquire().await?.items().count(), 1);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// The first error; the others are released all the same.
    pub async fn release(mut self) -> Result<()> {
        let mut result = Ok(());
        for (_, held) in self.items.drain(..) {
            let released = held.release().await;
            result = result.and(released);
        }
        result
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.contains('/') && quorate_wire::path::is_valid(&format!("/{text}"))
}

fn bad(what: String) -> Error {
    Error::new(ErrorCode::BadArguments, "partition", "").with_detail(what)
}

/// As in kazoo.
const DEFAULT_QUIET: Duration = Duration::from_secs(30);
/// Nodes that are remembered: more of one process cannot be on their way out at the same time, because a server that creates one can remove
/// one.
const MAX_PAST: usize = 256;
