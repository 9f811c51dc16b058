//! The driver's side of a session: what a driver takes out of it and hands in.

use super::Client;
use super::environment::Environment;
use super::shared::{Command, Shared};
use quorate_engine::client::{Mechanism, Settings};
use std::sync::Arc;

/// A session without its connection. The library's driver holds one; a simulator, or a transport of one's own, can hold
/// another.
///
/// Whoever drives it calls [`turn`](Self::turn) after everything that happens and when its deadline has passed, and sends what
/// it gives. `Environment::wake` says that a user has submitted something meanwhile.
///
/// ```
/// use quorate::client::{Command, Environment, Port, Settings, Task};
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// /// A world in which no time passes.
/// #[derive(Debug)]
/// struct Still;
///
/// impl Environment for Still {
///     fn now(&self) -> i64 { 0 }
///     fn wake(&self) {}
///     fn sleep(&self, _: Duration) -> Task { Box::pin(std::future::pending()) }
///     fn spawn(&self, _: Task) {}
///     fn random(&self) -> u64 { 4 }
/// }
///
/// let settings = Settings { servers: vec!["a".into()], ..Settings::default() };
/// let (client, port) = Port::open(settings, None, "", 100, Arc::new(Still));
/// let turn = port.turn();
/// assert_eq!(turn.commands, [Command::Connect { attempt: 1, server: 0 }]);
/// // The connection stands: the first bytes are the session's greeting.
/// port.connected(1);
/// let mut out = Vec::new();
/// port.output(&mut out, usize::MAX);
/// assert_eq!(out.len(), 49);
/// client.abandon();
/// assert!(port.turn().over);
/// ```
#[derive(Clone, Debug)]
pub struct Port {
    shared: Arc<Shared>,
}

/// What is to be done now.
///
/// ```
/// let nothing = quorate::client::Turn::default();
/// assert!(nothing.commands.is_empty() && nothing.deadline.is_none() && !nothing.over);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// To be carried out in this order.
    pub commands: Vec<Command>,
    /// When the next turn is due at the latest, in the environment's time.
    pub deadline: Option<i64>,
    /// Whether the session is over for good.
    pub over: bool,
}

impl Port {
    /// A client whose connection is driven by the caller. Events beyond `watch_limit` that a watch's owner has not taken are
    /// replaced by a notice that some are missing.
    ///
    /// ```
    /// # #[derive(Debug)]
    /// # struct Still;
    /// # impl quorate::client::Environment for Still {
    /// #     fn now(&self) -> i64 { 0 }
    /// #     fn wake(&self) {}
    /// #     fn sleep(&self, _: std::time::Duration) -> quorate::client::Task { Box::pin(std::future::pending()) }
    /// #     fn spawn(&self, _: quorate::client::Task) {}
    /// #     fn random(&self) -> u64 { 4 }
    /// # }
    /// use quorate::client::{Port, Settings, State};
    /// use std::sync::Arc;
    ///
    /// // `Still` is the environment of the example above.
    /// let (client, _port) = Port::open(Settings::default(), None, "/app", 100, Arc::new(Still));
    /// assert_eq!((client.state(), client.root()), (State::Connecting, "/app"));
    /// ```
    #[must_use]
    pub fn open(
        settings: Settings,
        sasl: Option<Box<dyn Mechanism>>,
        root: &str,
        watch_limit: usize,
        environment: Arc<dyn Environment>,
    ) -> (Client, Self) {
        let shared = Shared::new(settings, sasl, watch_limit, environment);
        (Client::new(Arc::clone(&shared), root, None), Self { shared })
    }

    pub(super) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Lets time pass, and says what is to be done.
    #[must_use]
    pub fn turn(&self) -> Turn {
        let now = self.shared.environment.now();
        self.shared.with_driver(|core| core.session.tick(now));
        self.shared.with_driver(|core| Turn {
            commands: core.commands.drain(..).collect(),
            deadline: core.session.deadline(),
            over: core.session.deadline().is_none(),
        })
    }

    /// Moves what may be sent to `out`, until it holds `limit` bytes.
    ///
    /// ```
    /// # #[derive(Debug)] struct Still;
    /// # impl quorate::client::Environment for Still {
    /// #     fn now(&self) -> i64 { 0 } fn wake(&self) {} fn random(&self) -> u64 { 4 } fn spawn(&self, _: quorate::client::Task) {}
    /// #     fn sleep(&self, _: std::time::Duration) -> quorate::client::Task { Box::pin(std::future::pending()) }
    /// # }
    /// # use std::sync::Arc;
    /// use quorate::client::{Port, Settings};
    ///
    /// // `Still` is the environment of the type's example.
    /// let settings = Settings { servers: vec!["a".into()], ..Settings::default() };
    /// let (client, port) = Port::open(settings, None, "", 100, Arc::new(Still));
    /// let _ = port.turn();
    /// port.connected(1);
    /// let (mut first, mut second) = (Vec::new(), Vec::new());
    /// port.output(&mut first, usize::MAX);
    /// port.output(&mut second, usize::MAX);
    /// // The greeting goes once; requests wait until it is answered.
    /// let _read = client.get("/");
    /// assert_eq!((first.len(), second.len()), (49, 0));
    /// ```
    pub fn output(&self, out: &mut Vec<u8>, limit: usize) {
        let now = self.shared.environment.now();
        self.shared.with_driver(|core| core.session.output(now, out, limit));
    }

    /// The connection stands.
    ///
    /// ```
    /// # #[derive(Debug)] struct Still;
    /// # impl quorate::client::Environment for Still {
    /// #     fn now(&self) -> i64 { 0 } fn wake(&self) {} fn random(&self) -> u64 { 4 } fn spawn(&self, _: quorate::client::Task) {}
    /// #     fn sleep(&self, _: std::time::Duration) -> quorate::client::Task { Box::pin(std::future::pending()) }
    /// # }
    /// # use std::sync::Arc;
    /// use quorate::client::{Command, Port, Settings};
    ///
    /// // `Still` is the environment of the type's example.
    /// let settings = Settings { servers: vec!["a".into()], ..Settings::default() };
    /// let (_client, port) = Port::open(settings, None, "", 100, Arc::new(Still));
    /// assert_eq!(port.turn().commands, [Command::Connect { attempt: 1, server: 0 }]);
    /// let mut out = Vec::new();
    /// port.output(&mut out, usize::MAX);
    /// assert!(out.is_empty());
    /// port.connected(1);
    /// port.output(&mut out, usize::MAX);
    /// assert!(!out.is_empty());
    /// ```
    pub fn connected(&self, attempt: u64) {
        let now = self.shared.environment.now();
        self.shared.with_driver(|core| core.session.connected(attempt, now));
    }

    /// The connection failed or was closed.
    ///
    /// ```
    /// # #[derive(Debug)] struct Still;
    /// # impl quorate::client::Environment for Still {
    /// #     fn now(&self) -> i64 { 0 } fn wake(&self) {} fn random(&self) -> u64 { 4 } fn spawn(&self, _: quorate::client::Task) {}
    /// #     fn sleep(&self, _: std::time::Duration) -> quorate::client::Task { Box::pin(std::future::pending()) }
    /// # }
    /// # use std::sync::Arc;
    /// use quorate::client::{Port, Settings, State};
    ///
    /// // `Still` is the environment of the type's example.
    /// let settings = Settings { servers: vec!["a".into()], ..Settings::default() };
    /// let (client, port) = Port::open(settings, None, "", 100, Arc::new(Still));
    /// let _ = port.turn();
    /// port.connected(1);
    /// // Nobody answered on it. The session has not begun, so nothing is lost.
    /// port.disconnected(1);
    /// assert_eq!(client.state(), State::Connecting);
    /// ```
    pub fn disconnected(&self, attempt: u64) {
        let now = self.shared.environment.now();
        self.shared.with_driver(|core| core.session.disconnected(attempt, now));
    }

    /// Bytes came.
    ///
    /// ```
    /// # #[derive(Debug)] struct Still;
    /// # impl quorate::client::Environment for Still {
    /// #     fn now(&self) -> i64 { 0 } fn wake(&self) {} fn random(&self) -> u64 { 4 } fn spawn(&self, _: quorate::client::Task) {}
    /// #     fn sleep(&self, _: std::time::Duration) -> quorate::client::Task { Box::pin(std::future::pending()) }
    /// # }
    /// # use std::sync::Arc;
    /// use quorate::client::{Port, Settings, State};
    ///
    /// // `Still` is the environment of the type's example.
    /// let settings = Settings { servers: vec!["a".into()], ..Settings::default() };
    /// let (client, port) = Port::open(settings, None, "", 100, Arc::new(Still));
    /// let _ = port.turn();
    /// port.connected(1);
    /// // The answer to the greeting: length, protocol, timeout, session, password.
    /// let mut answer = [0; 4 + 4 + 4 + 8 + 4 + 16];
    /// answer[3] = 36;
    /// answer[10..12].copy_from_slice(&10_000_u16.to_be_bytes());
    /// answer[19] = 7;
    /// answer[23] = 16;
    /// port.received(1, &answer);
    /// assert_eq!((client.state(), client.session_id()), (State::Connected, 7));
    /// ```
    pub fn received(&self, attempt: u64, bytes: &[u8]) {
        let now = self.shared.environment.now();
        self.shared.with_driver(|core| core.session.received(attempt, bytes, now));
    }

    /// A server has answered whether it takes writes.
    ///
    /// ```
    /// # #[derive(Debug)] struct Still;
    /// # impl quorate::client::Environment for Still {
    /// #     fn now(&self) -> i64 { 0 } fn wake(&self) {} fn random(&self) -> u64 { 4 } fn spawn(&self, _: quorate::client::Task) {}
    /// #     fn sleep(&self, _: std::time::Duration) -> quorate::client::Task { Box::pin(std::future::pending()) }
    /// # }
    /// # use std::sync::Arc;
    /// use quorate::client::{Port, Settings, State};
    ///
    /// // `Still` is the environment of the type's example.
    /// let settings = Settings { servers: vec!["a".into()], ..Settings::default() };
    /// let (client, port) = Port::open(settings, None, "", 100, Arc::new(Still));
    /// let _ = port.turn();
    /// // Nobody had asked: it changes nothing.
    /// port.probed(0, true);
    /// assert_eq!(client.state(), State::Connecting);
    /// ```
    pub fn probed(&self, server: usize, writable: bool) {
        let now = self.shared.environment.now();
        self.shared.with_driver(|core| core.session.probed(server, writable, now));
    }

    /// The list of servers changed.
    ///
    /// ```
    /// # #[derive(Debug)] struct Still;
    /// # impl quorate::client::Environment for Still {
    /// #     fn now(&self) -> i64 { 0 } fn wake(&self) {} fn random(&self) -> u64 { 4 } fn spawn(&self, _: quorate::client::Task) {}
    /// #     fn sleep(&self, _: std::time::Duration) -> quorate::client::Task { Box::pin(std::future::pending()) }
    /// # }
    /// # use std::sync::Arc;
    /// use quorate::client::{Command, Port, Settings};
    ///
    /// // `Still` is the environment of the type's example.
    /// let settings = Settings { servers: vec!["a".into()], ..Settings::default() };
    /// let (_client, port) = Port::open(settings, None, "", 100, Arc::new(Still));
    /// port.set_servers(vec!["b".into(), "c".into()]);
    /// assert!(matches!(port.turn().commands[..], [Command::Connect { .. }, ..]));
    /// ```
    pub fn set_servers(&self, labels: Vec<String>) {
        let now = self.shared.environment.now();
        self.shared.with_driver(|core| core.session.set_servers(labels, now));
    }

    /// The driver is gone: whatever is not over ends now, without a word to the server.
    pub(super) fn abandon(&self) {
        self.shared.with_driver(|core| {
            if core.session.deadline().is_some() {
                core.session.abandon();
            }
        });
    }

    /// Says that the driver will now sleep until its deadline or until it is woken. False when there is something to do
    /// first. While the connection takes no more bytes, it will call the driver by itself, and output is no reason to stay awake.
    ///
    /// ```
    /// # #[derive(Debug)] struct Still;
    /// # impl quorate::client::Environment for Still {
    /// #     fn now(&self) -> i64 { 0 } fn wake(&self) {} fn random(&self) -> u64 { 4 } fn spawn(&self, _: quorate::client::Task) {}
    /// #     fn sleep(&self, _: std::time::Duration) -> quorate::client::Task { Box::pin(std::future::pending()) }
    /// # }
    /// # use std::sync::Arc;
    /// use quorate::client::{Port, Settings};
    ///
    /// // `Still` is the environment of the type's example.
    /// let settings = Settings { servers: vec!["a".into()], ..Settings::default() };
    /// let (_client, port) = Port::open(settings, None, "", 100, Arc::new(Still));
    /// let _ = port.turn();
    /// assert!(port.rest(true));
    /// port.connected(1);
    /// // The greeting has to go first, unless the connection takes nothing.
    /// assert!(!port.rest(true) && port.rest(false));
    /// ```
    #[must_use]
    pub fn rest(&self, takes_output: bool) -> bool {
        self.shared.rest(takes_output)
    }
}
