//! [`Provider`]: the live list of a service's instances, and the choice from it.

use super::{ServiceInstance, weight};
use crate::client::{Client, Environment, Result};
use crate::recipes::cache::{Cache, Changes};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How to choose among instances that take calls.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::discovery::{Discovery, Strategy};
///
/// let provider = Discovery::new(&client, "/discovery").provider("search", Strategy::Sticky)?;
/// provider.ready().await?;
/// assert!(provider.choose().is_none());
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Strategy {
    /// One after the other.
    #[default]
    RoundRobin,
    /// By chance.
    Random,
    /// One, chosen by chance, as long as it takes calls.
    Sticky,
    /// By chance, in proportion to [`weight`]. An instance of weight 0 is chosen only if all have it.
    Weighted,
}

/// The instances of a service, kept up to date. An instance whose process died leaves the list when its session ends. Asking costs
/// no request; while the connection is away the last list is used.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::discovery::{Discovery, Strategy};
///
/// let discovery = Discovery::new(&client, "/discovery");
/// let registration = discovery.register(discovery.instance("search")).await?;
/// let provider = discovery.provider("search", Strategy::Random)?;
/// provider.ready().await?;
/// let chosen = provider.choose().unwrap();
/// assert_eq!(chosen.id, registration.instance().id);
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct Provider {
    cache: Cache,
    environment: Arc<dyn Environment>,
    strategy: Strategy,
    threshold: u32,
    window: i64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The cache's revision that `live` was made of.
    revision: Option<u64>,
    live: Vec<Live>,
    /// Errors by instance.
    errors: BTreeMap<String, Errors>,
    turn: usize,
    /// The instance that [`Strategy::Sticky`] stays with.
    chosen: Option<String>,
}

#[derive(Clone, Debug)]
struct Live {
    /// The node's name: unlike the id it differs for sequential instances.
    node: String,
    /// The node's creation and last change.
    version: (i64, i64),
    instance: Arc<ServiceInstance>,
}

#[derive(Clone, Copy, Debug)]
struct Errors {
    count: u32,
    /// The time of the first, ms.
    since: i64,
}

impl Provider {
    pub(super) fn start(client: &Client, path: &str, strategy: Strategy) -> Result<Self> {
        Ok(Self {
            cache: Cache::children(client, path).start()?,
            environment: Arc::clone(client.environment()),
            strategy,
            threshold: DOWN_THRESHOLD,
            window: DOWN_WINDOW,
            state: Mutex::default(),
        })
    }

    /// Keeps an instance out for `window` after its first error once it has had `threshold` errors in that time. Two, and 30 s,
    /// unless told otherwise. Source: `org.apache.curator.x.discovery.DownInstancePolicy`.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::discovery::{Discovery, Strategy};
    /// use std::time::Duration;
    ///
    /// let discovery = Discovery::new(&client, "/discovery");
    /// let registration = discovery.register(discovery.instance("search")).await?;
    /// let provider = discovery.provider("search", Strategy::Random)?.down_after(1, Duration::from_secs(30));
    /// provider.ready().await?;
    /// provider.report_error(registration.instance());
    /// // It is there, and takes no calls for a while.
    /// assert_eq!((provider.instances().len(), provider.available().len()), (1, 0));
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn down_after(mut self, threshold: u32, window: Duration) -> Self {
        self.threshold = threshold.max(1);
        self.window = i64::try_from(window.as_millis()).unwrap_or(i64::MAX);
        self
    }

    /// Waits until the list has been read.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::discovery::{Discovery, Strategy};
    ///
    /// let provider = Discovery::new(&client, "/discovery").provider("search", Strategy::Random)?;
    /// provider.ready().await?;
    /// // Now an empty list means that nobody is there.
    /// assert!(provider.instances().is_empty());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the client ends.
    pub async fn ready(&self) -> Result<()> {
        self.cache.ready().await
    }

    /// All instances, by the names of their nodes, also those that take no calls.
    #[must_use]
    pub fn instances(&self) -> Vec<Arc<ServiceInstance>> {
        let state = self.refreshed();
        state.live.iter().map(|live| Arc::clone(&live.instance)).collect()
    }

    /// The instances that take calls: enabled, and not down.
    #[must_use]
    pub fn available(&self) -> Vec<Arc<ServiceInstance>> {
        let state = self.refreshed();
        self.eligible(&state).map(|live| Arc::clone(&live.instance)).collect()
    }

    /// An instance to call; `None` when there is none that takes calls.
    #[must_use]
    pub fn choose(&self) -> Option<Arc<ServiceInstance>> {
        let mut state = self.refreshed();
        let eligible: Vec<&Live> = self.eligible(&state).collect();
        let chosen = match self.strategy {
            Strategy::RoundRobin => pick(&eligible, state.turn),
            Strategy::Random => pick(&eligible, self.random()),
            Strategy::Sticky => {
                let same = |live: &&&Live| Some(&live.node) == state.chosen.as_ref();
                eligible.iter().find(same).copied().or_else(|| pick(&eligible, self.random()))
            }
            Strategy::Weighted => self.weighted(&eligible),
        };
        let (node, instance) =
            chosen.map(|live| (live.node.clone(), Arc::clone(&live.instance)))?;
        state.turn = state.turn.wrapping_add(1);
        state.chosen = Some(node);
        Some(instance)
    }

    /// Says that a call to an instance failed.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::discovery::{Discovery, Strategy};
    ///
    /// let discovery = Discovery::new(&client, "/discovery");
    /// let registration = discovery.register(discovery.instance("search")).await?;
    /// let provider = discovery.provider("search", Strategy::Random)?;
    /// provider.ready().await?;
    /// // The second error within 30 s is one too many.
    /// provider.report_error(registration.instance());
    /// assert!(provider.choose().is_some());
    /// provider.report_error(registration.instance());
    /// assert!(provider.choose().is_none());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub fn report_error(&self, instance: &ServiceInstance) {
        let now = self.environment.now();
        let mut state = self.refreshed();
        state.errors.retain(|_, errors| now.saturating_sub(errors.since) < self.window);
        let is_it = |live: &&Live| *live.instance == *instance || live.instance.id == instance.id;
        let Some(node) = state.live.iter().find(is_it).map(|live| live.node.clone()) else {
            return;
        };
        let errors = state.errors.entry(node).or_insert(Errors { count: 0, since: now });
        errors.count = errors.count.saturating_add(1);
    }

    /// The changes of the list from now on, as nodes.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::{cache::Change, discovery::{Discovery, Strategy}};
    ///
    /// let discovery = Discovery::new(&client, "/discovery");
    /// let registration = discovery.register(discovery.instance("search")).await?;
    /// let provider = discovery.provider("search", Strategy::Random)?;
    /// provider.ready().await?;
    /// let mut changes = provider.changes();
    /// let node = registration.path().unwrap();
    /// registration.unregister().await;
    /// while let Some(change) = changes.next().await {
    ///     if matches!(change, Change::Removed(entry) if entry.path == node) {
    ///         break;
    ///     }
    /// }
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub fn changes(&self) -> Changes {
        self.cache.changes()
    }

    /// The list after looking whether the cache has another.
    fn refreshed(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let revision = self.cache.revision();
        if state.revision != Some(revision) {
            let old = std::mem::take(&mut state.live);
            state.live = self.read(&old);
            let State { live, errors, .. } = &mut *state;
            // Who registers anew begins anew.
            errors.retain(|node, _| {
                let created = |list: &[Live]| {
                    list.iter().find(|live| live.node == *node).map(|live| live.version.0)
                };
                created(live).is_some() && created(live) == created(&old)
            });
            state.revision = Some(revision);
        }
        state
    }

    /// What the cache has. What cannot be understood is left out.
    fn read(&self, old: &[Live]) -> Vec<Live> {
        let mut live = Vec::new();
        for entry in self.cache.children_of(self.cache.path()) {
            let node = entry.path.rsplit('/').next().unwrap_or_default().to_owned();
            let version = (entry.stat.czxid, entry.stat.mzxid);
            let place = old.binary_search_by(|other| other.node.cmp(&node)).ok();
            let known = place.and_then(|at| old.get(at)).filter(|live| live.version == version);
            let data = entry.data.unwrap_or_default();
            match known {
                Some(known) => live.push(known.clone()),
                None => match ServiceInstance::from_json(&data) {
                    Ok(instance) => live.push(Live { node, version, instance: Arc::new(instance) }),
                    Err(error) => tracing::debug!(path = entry.path, %error, "not an instance"),
                },
            }
        }
        live
    }

    fn eligible<'s>(&self, state: &'s State) -> impl Iterator<Item = &'s Live> {
        let (now, threshold, window) = (self.environment.now(), self.threshold, self.window);
        let is_down = move |node: &str| {
            state.errors.get(node).is_some_and(|errors| {
                errors.count >= threshold && now.saturating_sub(errors.since) < window
            })
        };
        state.live.iter().filter(move |live| live.instance.enabled && !is_down(&live.node))
    }

    fn weighted<'s>(&self, eligible: &[&'s Live]) -> Option<&'s Live> {
        let of = |live: &Live| u64::from(weight(&live.instance.payload));
        let total: u64 = eligible.iter().map(|live| of(live)).sum();
        let mut ticket = match self.environment.random().checked_rem(total) {
            Some(ticket) => ticket,
            None => return pick(eligible, self.random()),
        };
        eligible.iter().copied().find(|live| {
            let weight = of(live);
            let is_it = ticket < weight;
            ticket = ticket.saturating_sub(weight);
            is_it
        })
    }

    fn random(&self) -> usize {
        usize::try_from(self.environment.random() >> 33).unwrap_or(0)
    }
}

fn pick<'s>(eligible: &[&'s Live], number: usize) -> Option<&'s Live> {
    eligible.get(number.checked_rem(eligible.len())?).copied()
}

/// Errors that make an instance be down.
const DOWN_THRESHOLD: u32 = 2;
/// For how long, ms.
const DOWN_WINDOW: i64 = 30_000;
