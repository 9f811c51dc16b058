//! Apache Dubbo's registry: providers and consumers of interfaces, mappings, instances of applications.
//!
//! Layout (see [`layout::dubbo`](super::layout::dubbo)): `<root>/<interface>/{providers,consumers,routers,configurators}/<encoded URL>`.
//! The name of a node is the entry. Source: `org.apache.dubbo.registry.zookeeper.ZookeeperRegistry`.

pub use super::layout::dubbo::registry::{
    CATEGORIES, CONFIGURATORS, CONSUMERS, PROVIDERS, ROUTERS,
};
pub use super::layout::dubbo::url::{Url, UrlError};

use super::cache::{Cache, Changes};
use super::discovery::{Discovery, Registration as Instance};
use super::kit::{Backoff, Form, Keeper, Live, Presence, Rival, Spec, ensure_as, patiently};
use super::layout::dubbo::{application, paths, registry};
use crate::client::address::Address;
use crate::client::{Client, CreateMode, Error, ErrorCode, Result};
use futures_core::Stream as _;
use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A registry below a root.
///
/// ```
/// # use quorate::{client::Client, server::Server};
/// use quorate::recipes::dubbo::{Registry, Url};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = Server::builder().volatile().no_port().start()?;
/// # let client = Client::builder().in_process(&server).connect_blocking()?;
/// # client.run(async |client| {
/// let registry = Registry::new(client, "/dubbo");
/// let provider = Url::parse("dubbo://10.0.0.1:20880/org.example.Greeter?version=1")?;
/// let registration = registry.register(&provider).await?;
///
/// let consumer = Url::parse("consumer://10.0.0.2/org.example.Greeter?version=1")?;
/// let mut subscription = registry.subscribe(&consumer).await?;
/// let notice = subscription.next().await?;
/// assert_eq!(notice.urls, [provider]);
/// registration.unregister().await;
/// // Nobody is left: a URL that says so.
/// assert_eq!(subscription.next().await?.urls[0].protocol.as_deref(), Some("empty"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Registry {
    client: Client,
    root: String,
}

/// An entry that is registered: again after every new session, and when somebody deletes it. Dropping it removes it in the background if it is dynamic. It keeps the
/// client's session open.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::dubbo::{Registry, Url};
///
/// let registry = Registry::new(&client, "/dubbo");
/// let url = Url::parse("dubbo://10.0.0.1:20880/org.shop.Orders").unwrap();
/// let registration = registry.register(&url).await?;
/// assert!(registration.path().unwrap().starts_with("/dubbo/org.shop.Orders/providers/"));
/// registration.unregister().await;
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct Registration {
    keeper: Keeper,
}

/// What a subscriber is told: the whole content of one category.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::dubbo::{Registry, Url};
///
/// let registry = Registry::new(&client, "/dubbo");
/// let consumer = Url::parse("consumer://10.0.0.2/org.shop.Orders").unwrap();
/// let mut subscription = registry.subscribe(&consumer).await?;
/// let notice = subscription.next().await?;
/// // Nobody is there, and that is told as a URL.
/// assert_eq!(notice.urls[0].protocol.as_deref(), Some("empty"));
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The category's directory.
    pub path: String,
    /// The entries that are meant for the subscriber, in the order of their names. One URL with the protocol `empty` when there are
    /// none, as Dubbo has it.
    pub urls: Vec<Url>,
}

/// The categories that a subscriber follows. Dropping it ends the subscription.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::dubbo::{Registry, Url};
///
/// let registry = Registry::new(&client, "/dubbo");
/// let consumer = Url::parse("consumer://10.0.0.2/org.shop.Orders").unwrap();
/// let mut subscription = registry.subscribe(&consumer).await?;
/// assert!(subscription.next().await?.path.starts_with("/dubbo/org.shop.Orders/"));
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct Subscription {
    consumer: Url,
    categories: Vec<Category>,
}

#[derive(Debug)]
struct Category {
    cache: Cache,
    changes: Changes,
    told: Option<Vec<Url>>,
    /// Whether the cache has to be looked at.
    dirty: bool,
}

impl Registry {
    /// Connects to an address as Dubbo writes it, such as
    /// `zookeeper://h1:2181?backup=h2:2181,h3:2181&group=dubbo`, with user and password if there are any.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// use quorate::recipes::dubbo::Registry;
    /// use quorate::server::Server;
    ///
    /// let server = Server::builder().volatile().free_port().start().unwrap();
    /// let address = format!("zookeeper://{}?group=shop", server.address().unwrap());
    /// let registry = Registry::connect(&address).await?;
    /// assert!(registry.client().state().is_connected());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`Builder::connect`](crate::client::Builder::connect).
    pub async fn connect(address: &str) -> Result<Self> {
        let group = address.parse::<Address>().ok().and_then(|address| address.group);
        let client = Client::connect(address).await?;
        Ok(Self::new(&client, &group.unwrap_or_else(|| DEFAULT_ROOT.to_owned())))
    }

    /// The registry below `root`; Dubbo's own is `/dubbo`.
    #[must_use]
    pub fn new(client: &Client, root: &str) -> Self {
        Self { client: client.clone(), root: root.to_owned() }
    }

    /// The client.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// Registers a provider, a consumer or a rule, as its `category` says: an ephemeral node unless `dynamic=false`. A node of this
    /// name that another session owns is replaced.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::dubbo::{Registry, Url};
    ///
    /// let registry = Registry::new(&client, "/dubbo");
    /// let url = Url::parse("dubbo://10.0.0.1:20880/org.shop.Orders").unwrap();
    /// let registration = registry.register(&url).await?;
    /// let consumer = Url::parse("consumer://10.0.0.2/org.shop.Orders").unwrap();
    /// assert_eq!(registry.lookup(&consumer).await?, [url]);
    /// # drop(registration);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// `BadArguments` for a URL without an interface; what the server refuses.
    pub async fn register(&self, url: &Url) -> Result<Registration> {
        let path = registry::entry_path(&self.root, url).ok_or_else(no_interface)?;
        let form = match registry::is_ephemeral(url) {
            true => Form::Ephemeral,
            false => Form::Persistent,
        };
        let (parents, rival) = (CreateMode::Persistent, Rival::Replace);
        let spec = Spec { path, form, parents, rival };
        let keeper = Keeper::start(&self.client, spec, Vec::new());
        keeper.written(1).await?;
        Ok(Registration { keeper })
    }

    /// The entries that are meant for a consumer, as the server has them now.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::dubbo::{Registry, Url};
    ///
    /// let registry = Registry::new(&client, "/dubbo");
    /// let version_1 = Url::parse("dubbo://10.0.0.1:20880/org.shop.Orders?version=1").unwrap();
    /// let registration = registry.register(&version_1).await?;
    /// let consumer = |version| Url::parse(&format!("consumer://10.0.0.2/org.shop.Orders?version={version}"));
    /// assert_eq!(registry.lookup(&consumer(1).unwrap()).await?, [version_1]);
    /// assert!(!registry.lookup(&consumer(2).unwrap()).await?.iter().any(|url| url.port == 20880));
    /// # drop(registration);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// `BadArguments` for a URL without an interface; what the server refuses.
    pub async fn lookup(&self, consumer: &Url) -> Result<Vec<Url>> {
        let mut urls = Vec::new();
        for path in registry::category_paths(&self.root, consumer).ok_or_else(no_interface)? {
            match patiently(|| self.client.children(&path)).await {
                Ok((mut names, _)) => {
                    names.sort();
                    urls.extend(registry::matching(consumer, &names));
                }
                Err(error) if error.code() == ErrorCode::NoNode => {}
                Err(error) => return Err(error),
            }
        }
        Ok(urls)
    }

    /// Follows the categories of a consumer (`category`, all four for `*`). Their directories are created, as Dubbo does.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::dubbo::{Registry, Url};
    ///
    /// let registry = Registry::new(&client, "/dubbo");
    /// let consumer = Url::parse("consumer://10.0.0.2/org.shop.Orders").unwrap();
    /// let mut subscription = registry.subscribe(&consumer).await?;
    /// assert_eq!(subscription.next().await?.urls[0].protocol.as_deref(), Some("empty"));
    /// let provider = Url::parse("dubbo://10.0.0.1:20880/org.shop.Orders").unwrap();
    /// let registration = registry.register(&provider).await?;
    /// assert_eq!(subscription.next().await?.urls, [provider]);
    /// # drop(registration);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// `BadArguments` for a URL without an interface; what the server refuses.
    pub async fn subscribe(&self, consumer: &Url) -> Result<Subscription> {
        let mut categories = Vec::new();
        for path in registry::category_paths(&self.root, consumer).ok_or_else(no_interface)? {
            ensure_as(&self.client, &path, CreateMode::Persistent).await?;
            let cache = Cache::children(&self.client, &path).without_data().start()?;
            let changes = cache.changes();
            categories.push(Category { cache, changes, told: None, dirty: true });
        }
        Ok(Subscription { consumer: consumer.clone(), categories })
    }

    /// Adds an application to those that offer an interface. Others may do the same at the same time.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::dubbo::Registry;
    ///
    /// let registry = Registry::new(&client, "/dubbo");
    /// registry.map("org.shop.Orders", "shop").await?;
    /// registry.map("org.shop.Orders", "stock").await?;
    /// assert_eq!(registry.mapped("org.shop.Orders").await?.len(), 2);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// What the server refuses; `BadArguments` for data that is no text.
    pub async fn map(&self, interface: &str, application: &str) -> Result<()> {
        let path = paths::mapping(&self.root, interface);
        let mut backoff = Backoff::default();
        let mut unknown = false;
        loop {
            let answer = match patiently(|| self.client.get(&path)).await {
                Ok((data, stat)) => {
                    let Some(data) =
                        application::with_application(text(&data, &path)?, application)
                    else {
                        return Ok(());
                    };
                    self.client.set(&path, data.as_bytes(), Some(stat.version)).await.map(drop)
                }
                Err(error) if error.code() == ErrorCode::NoNode => {
                    ensure_as(
                        &self.client,
                        quorate_wire::path::parent(&path),
                        CreateMode::Persistent,
                    )
                    .await?;
                    let data = application.as_bytes();
                    self.client.create(&path, data, CreateMode::Persistent).await.map(drop)
                }
                Err(error) => Err(error),
            };
            // What was said twice stands there once: with the outcome unknown, looking again is enough.
            match answer {
                Err(error) if error.is_connection_loss() => unknown |= error.outcome_unknown(),
                Err(error)
                    if matches!(
                        error.code(),
                        ErrorCode::BadVersion | ErrorCode::NodeExists | ErrorCode::NoNode
                    ) => {}
                Err(error) if unknown => return Err(error.with_outcome_unknown()),
                other => return other,
            }
            backoff.pause(&self.client).await;
        }
    }

    /// The applications that offer an interface.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::dubbo::Registry;
    ///
    /// let registry = Registry::new(&client, "/dubbo");
    /// assert!(registry.mapped("org.shop.Orders").await?.is_empty());
    /// registry.map("org.shop.Orders", "shop").await?;
    /// assert!(registry.mapped("org.shop.Orders").await?.contains("shop"));
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// What the server refuses; `BadArguments` for data that is no text.
    pub async fn mapped(&self, interface: &str) -> Result<BTreeSet<String>> {
        let path = paths::mapping(&self.root, interface);
        match patiently(|| self.client.get(&path)).await {
            Ok((data, _)) => {
                let names = application::applications(text(&data, &path)?);
                Ok(names.into_iter().map(str::to_owned).collect())
            }
            Err(error) if error.code() == ErrorCode::NoNode => Ok(BTreeSet::new()),
            Err(error) => Err(error),
        }
    }

    /// The instances of applications, at Dubbo's own place, `/services`.
    #[must_use]
    pub fn applications(&self) -> Discovery {
        Discovery::new(&self.client, application::BASE)
    }

    /// Registers an instance of an application with its metadata (revision, protocols, …), as it is at `registered_ms` after
    /// 1970.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::dubbo::Registry;
    /// use std::collections::BTreeMap;
    ///
    /// let registry = Registry::new(&client, "/dubbo");
    /// let metadata = BTreeMap::from([("dubbo.metadata.revision".to_owned(), "1".to_owned())]);
    /// let instance = registry.register_application("shop", "10.0.0.1", 20880, &metadata, 0).await?;
    /// let instances = registry.applications().instances("shop").await?;
    /// assert_eq!((instances[0].id.as_str(), instances[0].port), ("10.0.0.1:20880", Some(20880)));
    /// # drop(instance);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// What the server refuses.
    pub async fn register_application(
        &self,
        name: &str,
        host: &str,
        port: u16,
        metadata: &BTreeMap<String, String>,
        registered_ms: i64,
    ) -> Result<Instance> {
        let instance = application::instance(name, host, port, metadata, registered_ms);
        self.applications().register(instance).await
    }
}

impl Registration {
    /// The node; `None` while it is not there, between two sessions.
    #[must_use]
    pub fn path(&self) -> Option<String> {
        self.keeper.path()
    }

    /// Whether its node is there, and with which token (`czxid`): another one than before means that it was away in between.
    #[must_use]
    pub fn presence(&self) -> Presence {
        self.keeper.presence()
    }

    /// The presence as a stream, the present one first: it says when the entry is lost, and when it is back.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::dubbo::{Registry, Url};
    /// use quorate::recipes::persistent::Presence;
    ///
    /// let registry = Registry::new(&client, "/dubbo");
    /// let url = Url::parse("dubbo://10.0.0.1:20880/org.shop.Orders").unwrap();
    /// let registration = registry.register(&url).await?;
    /// let node = registration.path().unwrap();
    /// let token = client.exists(&node).await?.unwrap().czxid;
    /// assert_eq!(registration.presence(), Presence::There(token));
    /// let mut changes = registration.changes();
    /// // Somebody deletes it by mistake; it comes back with a greater token.
    /// client.delete(&node, None).await?;
    /// let newer = |presence: &Presence| matches!(presence, Presence::There(it) if *it > token);
    /// assert!(changes.until(newer).await.is_some());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn changes(&self) -> Live<Presence> {
        self.keeper.changes()
    }

    /// Removes the entry, a persistent one too, and waits until it is gone.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::dubbo::{Registry, Url};
    ///
    /// let registry = Registry::new(&client, "/dubbo");
    /// let url = Url::parse("dubbo://10.0.0.1:20880/org.shop.Orders").unwrap();
    /// let registration = registry.register(&url).await?;
    /// let node = registration.path().unwrap();
    /// registration.unregister().await;
    /// assert!(client.exists(&node).await?.is_none());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub async fn unregister(self) {
        if let Err(error) = self.keeper.remove().await {
            tracing::warn!(%error, "an entry could not be removed");
        }
    }
}

impl Subscription {
    /// Waits for the next notice: one for each category at first, later one for each category that is not what it was.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::dubbo::{Registry, Url};
    ///
    /// let registry = Registry::new(&client, "/dubbo");
    /// let consumer = Url::parse("consumer://10.0.0.2/org.shop.Orders?category=providers,routers").unwrap();
    /// let mut subscription = registry.subscribe(&consumer).await?;
    /// // One for each category at first.
    /// let (one, two) = (subscription.next().await?, subscription.next().await?);
    /// assert_ne!(one.path, two.path);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the client has ended.
    pub async fn next(&mut self) -> Result<Notice> {
        poll_fn(|context| self.poll(context)).await
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Notice>> {
        for category in &mut self.categories {
            loop {
                match Pin::new(&mut category.changes).poll_next(context) {
                    Poll::Pending => break,
                    Poll::Ready(Some(super::cache::Change::Ended(error))) => {
                        return Poll::Ready(Err(error));
                    }
                    Poll::Ready(None) => {
                        return Poll::Ready(Err(Error::new(ErrorCode::Closing, "subscribe", "")));
                    }
                    Poll::Ready(Some(_)) => category.dirty = true,
                }
            }
            // While it catches up it may show half of what there is; the end of that is told.
            if std::mem::take(&mut category.dirty)
                && category.cache.is_current()
                && let Some(notice) = category.notice(&self.consumer)
            {
                return Poll::Ready(Ok(notice));
            }
        }
        Poll::Pending
    }
}

impl Category {
    fn notice(&mut self, consumer: &Url) -> Option<Notice> {
        let path = self.cache.path();
        let names = self.cache.names(path).unwrap_or_default();
        let mut urls = registry::matching(consumer, &names);
        if urls.is_empty() {
            urls.push(registry::empty(consumer, path.rsplit('/').next().unwrap_or_default()));
        }
        if self.told.as_ref() == Some(&urls) {
            return None;
        }
        self.told = Some(urls.clone());
        Some(Notice { path: path.to_owned(), urls })
    }
}

fn text<'d>(data: &'d [u8], path: &str) -> Result<&'d str> {
    std::str::from_utf8(data).map_err(|error| {
        Error::new(ErrorCode::BadArguments, "mapping", path).with_detail(error.to_string())
    })
}

fn no_interface() -> Error {
    Error::new(ErrorCode::BadArguments, "dubbo", "")
        .with_detail("the URL names no interface, neither as a parameter nor as its path")
}

const DEFAULT_ROOT: &str = "/dubbo";
