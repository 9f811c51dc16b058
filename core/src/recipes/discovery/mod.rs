//! Service registry and discovery, compatible with Curator's x-discovery.
//!
//! A service's instances are nodes `<base>/<service>/<id>` with a JSON description ([`ServiceInstance`]). [`Discovery`] registers and
//! lists them, a [`Provider`] holds the live list of one service and chooses from it.
//! Source: `org.apache.curator.x.discovery.details.ServiceDiscoveryImpl`.

mod provider;

pub use super::layout::discovery::{JAVA_MAP, Payload, ServiceInstance, ServiceType, UriSpec};
pub use provider::{Provider, Strategy};

use super::kit::{
    Form, Keeper, Live, Presence, Rival, Spec, children_or_none, fresh_id, get_or_none, join,
};
use crate::client::{Client, CreateMode, Error, ErrorCode, Result};
use serde_json::Value;

/// The services below a path.
///
/// ```
/// # use quorate::{client::Client, server::Server};
/// use quorate::recipes::discovery::{Discovery, ServiceInstance, Strategy};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = Server::builder().volatile().no_port().start()?;
/// # let client = Client::builder().in_process(&server).connect_blocking()?;
/// # client.run(async |client| {
/// let discovery = Discovery::new(client, "/discovery");
/// let instance = ServiceInstance {
///     address: Some("10.0.0.1".into()),
///     port: Some(8080),
///     ..discovery.instance("search")
/// };
/// let registration = discovery.register(instance).await?;
///
/// let provider = discovery.provider("search", Strategy::RoundRobin)?;
/// provider.ready().await?;
/// assert_eq!(provider.choose().unwrap().port, Some(8080));
/// registration.unregister().await;
/// # Ok::<(), quorate::client::Error>(())
/// # })?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Discovery {
    client: Client,
    base: String,
    always_enabled_field: bool,
}

/// An instance that is registered: again after every new session, and when somebody deletes its node. Dropping it removes the node of a dynamic instance in the background.
/// It keeps the client's session open.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::discovery::Discovery;
///
/// let discovery = Discovery::new(&client, "/discovery");
/// let mut registration = discovery.register(discovery.instance("search")).await?;
/// registration.drain().await?;
/// assert!(!discovery.instances("search").await?[0].enabled);
/// registration.unregister().await;
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct Registration {
    keeper: Keeper,
    instance: ServiceInstance,
    always_enabled_field: bool,
}

impl Discovery {
    /// The services below `base`, which need not exist.
    #[must_use]
    pub fn new(client: &Client, base: &str) -> Self {
        let client = client.clone();
        Self { client, base: base.to_owned(), always_enabled_field: false }
    }

    /// Writes the field `enabled` always, as Curator does outside of its compatible mode. Otherwise it is written for
    /// instances that are not enabled only.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::discovery::Discovery;
    ///
    /// let discovery = Discovery::new(&client, "/discovery").with_enabled_field();
    /// let registration = discovery.register(discovery.instance("search")).await?;
    /// let (data, _) = client.get(&registration.path().unwrap()).await?;
    /// assert!(data.ends_with(br#""enabled":true}"#));
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub const fn with_enabled_field(mut self) -> Self {
        self.always_enabled_field = true;
        self
    }

    /// A dynamic instance of a service with an id that nobody else has.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::discovery::Discovery;
    ///
    /// let discovery = Discovery::new(&client, "/discovery");
    /// let (one, two) = (discovery.instance("search"), discovery.instance("search"));
    /// assert!(one.name == "search" && one.id != two.id && one.enabled);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn instance(&self, service: &str) -> ServiceInstance {
        ServiceInstance::new(service, fresh_id(&self.client).to_string())
    }

    /// Registers an instance: an ephemeral node for a dynamic one, a persistent one for the others. A node of the same id that another
    /// session owns is replaced, once in each session; whoever has lost the name waits for it.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::discovery::Discovery;
    ///
    /// let discovery = Discovery::new(&client, "/discovery");
    /// let registration = discovery.register(discovery.instance("search")).await?;
    /// let node = registration.path().unwrap();
    /// assert_eq!(node, format!("/discovery/search/{}", registration.instance().id));
    /// assert_eq!(client.exists(&node).await?.unwrap().ephemeral_owner, client.session_id());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// `BadArguments` for a name or id that cannot be part of a path; what the server refuses.
    pub async fn register(&self, instance: ServiceInstance) -> Result<Registration> {
        check(&instance)?;
        let form = match instance.service_type {
            ServiceType::Dynamic => Form::Ephemeral,
            ServiceType::DynamicSequential => Form::EphemeralSequential,
            ServiceType::Static | ServiceType::Permanent => Form::Persistent,
        };
        let path = join(&self.service_path(&instance.name), &instance.id);
        let (parents, rival) = (CreateMode::Container, Rival::Replace);
        let spec = Spec { path, form, parents, rival };
        let data = encode(&instance, self.always_enabled_field)?;
        let keeper = Keeper::start(&self.client, spec, data);
        keeper.written(1).await?;
        Ok(Registration { keeper, instance, always_enabled_field: self.always_enabled_field })
    }

    /// The names of the services.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::discovery::Discovery;
    ///
    /// let discovery = Discovery::new(&client, "/discovery");
    /// let registration = discovery.register(discovery.instance("search")).await?;
    /// assert_eq!(discovery.services().await?, ["search"]);
    /// # drop(registration);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn services(&self) -> Result<Vec<String>> {
        let mut names = children_or_none(&self.client, &self.base).await?;
        names.sort();
        Ok(names)
    }

    /// The instances of a service as the server has them now, by id. What cannot be understood is left out.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::discovery::Discovery;
    ///
    /// let discovery = Discovery::new(&client, "/discovery");
    /// assert!(discovery.instances("search").await?.is_empty());
    /// let registration = discovery.register(discovery.instance("search")).await?;
    /// assert_eq!(discovery.instances("search").await?[0].id, registration.instance().id);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn instances(&self, service: &str) -> Result<Vec<ServiceInstance>> {
        let path = self.service_path(service);
        let mut ids = children_or_none(&self.client, &path).await?;
        ids.sort();
        let mut instances = Vec::new();
        for id in ids {
            let node = join(&path, &id);
            if let Some((data, _)) = get_or_none(&self.client, &node).await? {
                instances.extend(ServiceInstance::from_json(&data));
            }
        }
        Ok(instances)
    }

    /// A live list of a service's instances, to choose from.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::discovery::{Discovery, Strategy};
    ///
    /// let discovery = Discovery::new(&client, "/discovery");
    /// let registration = discovery.register(discovery.instance("search")).await?;
    /// let provider = discovery.provider("search", Strategy::RoundRobin)?;
    /// provider.ready().await?;
    /// assert!(provider.choose().is_some());
    /// assert!(discovery.provider("..", Strategy::RoundRobin).is_err());
    /// # drop(registration);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// `BadArguments` for a name that cannot be part of a path.
    pub fn provider(&self, service: &str, strategy: Strategy) -> Result<Provider> {
        Provider::start(&self.client, &self.service_path(service), strategy)
    }

    fn service_path(&self, service: &str) -> String {
        join(&self.base, service)
    }
}

impl Registration {
    /// The instance as it was registered last.
    #[must_use]
    pub const fn instance(&self) -> &ServiceInstance {
        &self.instance
    }

    /// Its node; `None` while it is not there, between two sessions.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::discovery::Discovery;
    ///
    /// let discovery = Discovery::new(&client, "/discovery");
    /// let registration = discovery.register(discovery.instance("search")).await?;
    /// assert!(registration.path().unwrap().starts_with("/discovery/search/"));
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
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
    /// use quorate::recipes::discovery::Discovery;
    /// use quorate::recipes::persistent::Presence;
    ///
    /// let discovery = Discovery::new(&client, "/discovery");
    /// let registration = discovery.register(discovery.instance("search")).await?;
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

    /// Changes what is registered; name, id and type stay.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::discovery::Discovery;
    ///
    /// let discovery = Discovery::new(&client, "/discovery");
    /// let mut registration = discovery.register(discovery.instance("search")).await?;
    /// registration.update(|instance| instance.port = Some(8080)).await?;
    /// assert_eq!(discovery.instances("search").await?[0].port, Some(8080));
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the server refuses; it is tried again in the background.
    pub async fn update(&mut self, change: impl FnOnce(&mut ServiceInstance)) -> Result<()> {
        let mut instance = self.instance.clone();
        change(&mut instance);
        instance.name.clone_from(&self.instance.name);
        instance.id.clone_from(&self.instance.id);
        instance.service_type = self.instance.service_type;
        let data = encode(&instance, self.always_enabled_field)?;
        self.instance = instance;
        let change = self.keeper.set(data);
        self.keeper.written(change).await
    }

    /// Announces that this instance takes no new work: it stays in the lists, and nobody chooses it. `enabled` becomes false.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::discovery::Discovery;
    ///
    /// let discovery = Discovery::new(&client, "/discovery");
    /// let mut registration = discovery.register(discovery.instance("search")).await?;
    /// registration.drain().await?;
    /// assert!(!discovery.instances("search").await?[0].enabled);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`update`](Self::update).
    pub async fn drain(&mut self) -> Result<()> {
        self.update(|instance| instance.enabled = false).await
    }

    /// The opposite of [`drain`](Self::drain).
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::discovery::Discovery;
    ///
    /// let discovery = Discovery::new(&client, "/discovery");
    /// let mut registration = discovery.register(discovery.instance("search")).await?;
    /// registration.drain().await?;
    /// registration.resume().await?;
    /// assert!(discovery.instances("search").await?[0].enabled);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`update`](Self::update).
    pub async fn resume(&mut self) -> Result<()> {
        self.update(|instance| instance.enabled = true).await
    }

    /// Announces a weight, see [`set_weight`].
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::discovery::{Discovery, weight};
    ///
    /// let discovery = Discovery::new(&client, "/discovery");
    /// let mut registration = discovery.register(discovery.instance("search")).await?;
    /// registration.set_weight(5).await?;
    /// assert_eq!(weight(&discovery.instances("search").await?[0].payload), 5);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// `BadArguments` when the payload is no object; otherwise as for [`update`](Self::update).
    pub async fn set_weight(&mut self, weight: u32) -> Result<()> {
        let mut payload = self.instance.payload.clone();
        set_weight(&mut payload, weight)?;
        self.update(|instance| instance.payload = payload).await
    }

    /// Removes the node, a persistent one too, and waits until it is gone.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::discovery::Discovery;
    ///
    /// let discovery = Discovery::new(&client, "/discovery");
    /// let registration = discovery.register(discovery.instance("search")).await?;
    /// registration.unregister().await;
    /// assert!(discovery.instances("search").await?.is_empty());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub async fn unregister(self) {
        if let Err(error) = self.keeper.remove().await {
            tracing::warn!(%error, "an instance could not be removed");
        }
    }
}

/// Puts a weight into a payload: the field `weight` of an object. No payload becomes a Java map with this field.
///
/// ```
/// use quorate::recipes::discovery::{set_weight, weight};
/// use quorate::recipes::layout::discovery::Payload;
///
/// let mut payload = Payload::None;
/// set_weight(&mut payload, 5).unwrap();
/// assert_eq!(weight(&payload), 5);
/// ```
///
/// # Errors
/// `BadArguments` when the payload is something else.
pub fn set_weight(payload: &mut Payload, weight: u32) -> Result<()> {
    if *payload == Payload::None {
        *payload = Payload::Object { class: Some(JAVA_MAP.to_owned()), fields: Vec::new() };
    }
    let Payload::Object { fields, .. } = payload else {
        return Err(Error::new(ErrorCode::BadArguments, "discovery", "")
            .with_detail("a weight needs a payload that is an object"));
    };
    fields.retain(|(name, _)| name != WEIGHT);
    fields.push((WEIGHT.to_owned(), Value::from(weight)));
    Ok(())
}

/// The weight in a payload; 1 when there is none that makes sense.
///
/// ```
/// use quorate::recipes::layout::discovery::Payload;
///
/// assert_eq!(quorate::recipes::discovery::weight(&Payload::None), 1);
/// ```
#[must_use]
pub fn weight(payload: &Payload) -> u32 {
    let Payload::Object { fields, .. } = payload else { return 1 };
    let value = fields.iter().find(|(name, _)| name == WEIGHT).map(|(_, value)| value);
    let number = value.and_then(|value| match value {
        Value::String(text) => text.parse().ok(),
        value => value.as_u64(),
    });
    number.and_then(|number| u32::try_from(number).ok()).unwrap_or(1)
}

fn encode(instance: &ServiceInstance, always: bool) -> Result<Vec<u8>> {
    instance.to_json(always || !instance.enabled).map_err(|error| {
        Error::new(ErrorCode::BadArguments, "discovery", "").with_detail(error.to_string())
    })
}

fn check(instance: &ServiceInstance) -> Result<()> {
    let bad = |text: &str| text.is_empty() || text.contains('/') || matches!(text, "." | "..");
    if bad(&instance.name) || bad(&instance.id) {
        return Err(Error::new(ErrorCode::BadArguments, "discovery", "")
            .with_detail("the name and the id of an instance are names of nodes"));
    }
    Ok(())
}

/// The field of a payload.
const WEIGHT: &str = "weight";
