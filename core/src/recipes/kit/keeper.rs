//! [`Keeper`]: keeps a node in existence, session after session.
//!
//! A registration outlasts the session that made it: under the next one the node is created again, and one that an earlier session of this
//! client still owns is deleted first, because it is about to vanish. It outlasts a third party's mistake, too: a node that somebody deletes is
//! created again. The data is written when it changes; what others write over it is left alone until then. Compare
//! `org.apache.curator.framework.recipes.nodes.PersistentNode`.

mod work;

use super::companion::Companion;
use super::live::{Live, Teller, live};
use crate::client::{Client, CreateMode, Error, ErrorCode, Result};
use work::Work;

/// Keeps a node until it is dropped. Then an ephemeral node goes, in the background; [`remove`](Self::remove) waits for that, and removes a
/// persistent one, too. The client's session stays open meanwhile.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::client::CreateMode;
/// use quorate::recipes::kit::{Form, Keeper, Rival, Spec};
///
/// let (form, rival) = (Form::Persistent, Rival::Wait);
/// let spec = Spec { path: "/kept".into(), form, parents: CreateMode::Container, rival };
/// let keeper = Keeper::start(&client, spec, b"1".to_vec());
/// keeper.written(keeper.set(b"2".to_vec())).await?;
/// assert_eq!(client.get("/kept").await?.0, b"2");
/// keeper.remove().await?;
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct Keeper {
    state: Live<State>,
    presence: Live<Presence>,
    data: Teller<Vec<u8>>,
    companion: Companion,
    path: String,
}

/// What is to be kept.
///
/// ```
/// use quorate::client::CreateMode;
/// use quorate::recipes::kit::{Form, Rival, Spec};
///
/// let spec = Spec {
///     path: "/hosts/host-1".into(),
///     form: Form::Ephemeral,
///     parents: CreateMode::Container,
///     rival: Rival::Wait,
/// };
/// assert_eq!(spec.form, Form::Ephemeral);
/// ```
#[derive(Clone, Debug)]
pub struct Spec {
    /// The node; if it is sequential, what its name begins with.
    pub path: String,
    /// What kind of node it is.
    pub form: Form,
    /// How missing parents are created.
    pub parents: CreateMode,
    /// What is done about another session's node of this name.
    pub rival: Rival,
}

/// A kind of node that can be kept.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::client::CreateMode;
/// use quorate::recipes::kit::{Form, Keeper, Rival, Spec};
///
/// let (form, rival) = (Form::EphemeralSequential, Rival::Wait);
/// let spec = Spec { path: "/host-".into(), form, parents: CreateMode::Container, rival };
/// let keeper = Keeper::start(&client, spec, Vec::new());
/// keeper.newer_than(0).await?;
/// assert_eq!(keeper.path().as_deref(), Some("/host-0000000000"));
/// # Ok::<(), quorate::client::Error>(()) }).unwrap();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Ephemeral, with a fixed name.
    Ephemeral,
    /// Ephemeral, with a number at the end of its name: another one each time it is created.
    EphemeralSequential,
    /// Persistent: what is there already is taken over.
    Persistent,
}

/// What is done about a node of the same name that another client's session owns.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::client::{Client, CreateMode};
/// use quorate::recipes::kit::{Form, Keeper, Rival, Spec};
///
/// let other = Client::builder().in_process(&server).connect().await?;
/// other.create("/name", b"theirs", CreateMode::Ephemeral).await?;
/// let (form, rival) = (Form::Ephemeral, Rival::Replace);
/// let spec = Spec { path: "/name".into(), form, parents: CreateMode::Container, rival };
/// let keeper = Keeper::start(&client, spec, b"mine".to_vec());
/// keeper.newer_than(0).await?;
/// assert_eq!(other.get("/name").await?.0, b"mine");
/// # Ok::<(), quorate::client::Error>(()) }).unwrap();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rival {
    /// It is waited for: it may be that of the process before, and expire soon.
    Wait,
    /// It is deleted, once in each session: who comes last has the name. Who has lost it waits.
    Replace,
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
    /// The server refuses to create it. That is tried again, with growing pauses.
    Refused(Error),
    /// It is kept no more: it was removed (`None`), or the client has ended, or the removal was refused.
    Ended(Option<Error>),
}

/// What the task tells.
#[derive(Clone, Debug)]
struct State {
    presence: Presence,
    path: String,
    /// The revision of the data that is there, or that was refused.
    revision: u64,
    /// What the server refuses.
    error: Option<Error>,
}

impl Keeper {
    /// Begins to keep a node, in the background.
    #[must_use = "dropping what keeps the node removes it"]
    pub fn start(client: &Client, spec: Spec, data: Vec<u8>) -> Self {
        let path = spec.path.clone();
        let first =
            State { presence: Presence::Absent, path: String::new(), revision: 0, error: None };
        let ((tell_state, state), (tell_presence, presence)) =
            (live(first), live(Presence::Absent));
        let (data, wanted) = live(data);
        let work = Work::new(client, spec, wanted, tell_state, tell_presence);
        let companion = Companion::start(client.environment(), |asked| work.run(asked));
        Self { state, presence, data, companion, path }
    }

    /// Whether the node is there.
    #[must_use]
    pub fn presence(&self) -> Presence {
        self.state.get().presence
    }

    /// The presence as a stream: the present one first.
    #[must_use]
    pub fn changes(&self) -> Live<Presence> {
        self.presence.clone()
    }

    /// The node's path, with the number if it has one; `None` while it is not there as far as is known.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::CreateMode;
    /// use quorate::recipes::kit::{Form, Keeper, Rival, Spec};
    ///
    /// let (form, rival) = (Form::EphemeralSequential, Rival::Wait);
    /// let spec = Spec { path: "/host-".into(), form, parents: CreateMode::Container, rival };
    /// let keeper = Keeper::start(&client, spec, Vec::new());
    /// let token = keeper.newer_than(0).await?;
    /// client.delete("/host-0000000000", None).await?;
    /// // Another number each time it is created.
    /// keeper.newer_than(token).await?;
    /// assert_eq!(keeper.path().as_deref(), Some("/host-0000000001"));
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn path(&self) -> Option<String> {
        let State { presence, path, .. } = self.state.get();
        matches!(presence, Presence::There(_)).then_some(path)
    }

    /// Waits until the node is there with a greater token than this.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::CreateMode;
    /// use quorate::recipes::kit::{Form, Keeper, Presence, Rival, Spec};
    ///
    /// let (form, rival) = (Form::Ephemeral, Rival::Wait);
    /// let spec = Spec { path: "/kept".into(), form, parents: CreateMode::Container, rival };
    /// let keeper = Keeper::start(&client, spec, Vec::new());
    /// let token = keeper.newer_than(0).await?;
    /// // Somebody deletes it, and it comes back with a greater token.
    /// client.delete("/kept", None).await?;
    /// assert!(keeper.newer_than(token).await? > token);
    /// assert!(matches!(keeper.presence(), Presence::There(_)));
    /// assert!(!keeper.changes().is_over());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// What the server refuses, though that is tried again in the background; or when the node is kept no more.
    pub async fn newer_than(&self, token: i64) -> Result<i64> {
        let newer = |state: &State| matches!(state.presence, Presence::There(it) if it > token);
        match self.reached(|state| newer(state) || state.error.is_some()).await? {
            State { presence: Presence::There(found), .. } if found > token => Ok(found),
            state => Err(self.explain(state)),
        }
    }

    /// Changes the data, in the background. Of changes in quick succession only the last one may be written. Answers the number of the
    /// change.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::CreateMode;
    /// use quorate::recipes::kit::{Form, Keeper, Rival, Spec};
    ///
    /// let (form, rival) = (Form::Ephemeral, Rival::Wait);
    /// let spec = Spec { path: "/kept".into(), form, parents: CreateMode::Container, rival };
    /// let keeper = Keeper::start(&client, spec, b"1".to_vec());
    /// // The data at the beginning was change 1.
    /// assert_eq!((keeper.set(b"2".to_vec()), keeper.set(b"3".to_vec())), (2, 3));
    /// keeper.written(3).await?;
    /// assert_eq!(client.get("/kept").await?.0, b"3");
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub fn set(&self, data: Vec<u8>) -> u64 {
        self.data.tell(data)
    }

    /// Waits until the node is there with the data of this change, or a later one. The data at the beginning is change 1.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::CreateMode;
    /// use quorate::recipes::kit::{Form, Keeper, Rival, Spec};
    ///
    /// let (form, rival) = (Form::Ephemeral, Rival::Wait);
    /// let spec = Spec { path: "/kept".into(), form, parents: CreateMode::Container, rival };
    /// let keeper = Keeper::start(&client, spec, b"1".to_vec());
    /// keeper.written(1).await?;
    /// assert_eq!(client.get("/kept").await?.0, b"1");
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`newer_than`](Self::newer_than).
    pub async fn written(&self, change: u64) -> Result<()> {
        let written = |state: &State| {
            let there = matches!(state.presence, Presence::There(_));
            state.revision >= change && (there || state.error.is_some())
        };
        match self.reached(written).await? {
            State { presence: Presence::There(_), error: None, .. } => Ok(()),
            state => Err(self.explain(state)),
        }
    }

    /// Waits for a state of which the condition holds, or the last one.
    async fn reached(&self, condition: impl Fn(&State) -> bool) -> Result<State> {
        let ended = |state: &State| matches!(state.presence, Presence::Ended(_));
        let state = self.state.until(|state| ended(state) || condition(state)).await;
        state.ok_or_else(|| Error::new(ErrorCode::Closing, "keep", self.path.as_str()))
    }

    fn explain(&self, state: State) -> Error {
        let closing = || Error::new(ErrorCode::Closing, "keep", self.path.as_str());
        state.error.unwrap_or_else(closing)
    }

    /// Removes the node. Returns when it is gone, or when the session is, which removes an ephemeral one too.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::CreateMode;
    /// use quorate::recipes::kit::{Form, Keeper, Rival, Spec};
    ///
    /// let (form, rival) = (Form::Persistent, Rival::Wait);
    /// let spec = Spec { path: "/kept".into(), form, parents: CreateMode::Container, rival };
    /// let keeper = Keeper::start(&client, spec, Vec::new());
    /// keeper.newer_than(0).await?;
    /// keeper.remove().await?;
    /// assert!(client.exists("/kept").await?.is_none());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn remove(self) -> Result<()> {
        self.companion.finish().await;
        match self.state.get().presence {
            Presence::Ended(Some(error)) if !error.is_session_end() => Err(error),
            _ => Ok(()),
        }
    }
}
