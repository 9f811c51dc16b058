//! The shell's own small client: one session, blocking calls, watches that survive a reconnect.
//!
//! Not a client library: no futures, no pool, no embedding; only the shell uses it, through
//! [`Connection`] and nothing else, so that the real library can take its place. One thread per session
//! connects, reads and pings ([`link`]); the caller's thread writes requests and waits.

mod error;
mod link;
mod ops;
mod target;
mod watches;

pub(crate) use error::{ClientError, keeper_message};
pub(crate) use ops::is_multi_done;
pub(crate) use target::{Target, TargetError};
pub(crate) use watches::{Event, WatchKind};

use crate::four_letter;
use crate::stop::Stop;
use link::{Inner, Pending, Shared, lock};
use quorate_wire::{ErrorCode, OpCode};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What a session is asked to be like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    /// Wanted session timeout, ms; the server may grant another.
    pub(crate) timeout_ms: i32,
    /// Whether a server without a quorum, serving reads only, will do.
    pub(crate) read_only: bool,
}

/// Where a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Looking for a server, for the first time or again.
    Connecting,
    /// In service.
    Connected,
    /// In service for reads only.
    ConnectedReadOnly,
    /// Ended by the user.
    Closed,
    /// Ended by the server; its ephemeral nodes are gone.
    Expired,
    /// Ended because an identity was refused.
    AuthFailed,
}

impl State {
    /// The name in zkCli's prompt.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Connecting => "CONNECTING",
            Self::Connected => "CONNECTED",
            Self::ConnectedReadOnly => "CONNECTEDREADONLY",
            Self::Closed | Self::Expired => "CLOSED",
            Self::AuthFailed => "AUTH_FAILED",
        }
    }

    /// Whether requests can be sent now.
    pub(crate) const fn is_serving(self) -> bool {
        matches!(self, Self::Connected | Self::ConnectedReadOnly)
    }

    /// Why nothing can be asked any more, if that is so.
    const fn ended(self) -> Option<&'static str> {
        match self {
            Self::Closed => Some("the session is closed"),
            Self::Expired => Some("the session has expired"),
            Self::AuthFailed => Some("authentication failed"),
            Self::Connecting | Self::Connected | Self::ConnectedReadOnly => None,
        }
    }
}

/// One session with a server. Clones share it.
#[derive(Clone)]
pub(crate) struct Connection {
    shared: Arc<Shared>,
    stop: Stop,
}

/// An answer on its way.
pub(crate) struct Answer {
    receiver: Receiver<Result<Vec<u8>, ClientError>>,
    patience: Duration,
    path: Option<String>,
    /// What ends the waiting early.
    stop: Stop,
}

impl Answer {
    /// Waits for the body of the reply.
    pub(crate) fn wait(self) -> Result<Vec<u8>, ClientError> {
        let deadline = Instant::now() + self.patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.receiver.recv_timeout(left.min(GLANCE)) {
                Ok(answer) => return answer,
                Err(RecvTimeoutError::Timeout) if self.stop.requested() => {
                    return Err(ClientError::Interrupted { sent: true });
                }
                Err(RecvTimeoutError::Timeout) if left > GLANCE => {}
                Err(RecvTimeoutError::Timeout) => {
                    let code = ErrorCode::OperationTimeout;
                    return Err(ClientError::Refused { code, path: self.path });
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(ClientError::NotConnected("the session ended"));
                }
            }
        }
    }
}

impl Connection {
    /// Begins to connect and returns at once. `on_event` is called on the session's own thread,
    /// for each event before any later answer is handed out. Whoever waits for an answer waits no longer than until `stop`.
    pub(crate) fn open(
        target: Target,
        options: Options,
        stop: Stop,
        on_event: impl Fn(&Event) + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::new(target, options, Box::new(on_event)));
        let theirs = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("quorate-shell-link".to_owned())
            .spawn(move || link::run(&theirs))?;
        Ok(Self { shared, stop })
    }

    /// Where the session stands.
    pub(crate) fn state(&self) -> State {
        lock(&self.shared.inner).state
    }

    /// Where it connects.
    pub(crate) fn target(&self) -> &Target {
        &self.shared.target
    }

    /// Waits until the session is in service, through one round of all addresses at most and not
    /// longer than `patience`.
    pub(crate) fn settle(&self, patience: Duration) -> Result<(), ClientError> {
        self.wait_until_serving(None, patience).map(drop)
    }

    /// Ends the session: its ephemeral nodes go. Harmless when it has ended already.
    pub(crate) fn close(&self) {
        let mut inner = lock(&self.shared.inner);
        if inner.state.ended().is_some() {
            return;
        }
        inner.closing = true;
        if inner.state.is_serving() {
            let mut answer = self.send(inner, OpCode::CloseSession, None, None, |_| ());
            // A server that has gone away must not keep the user from leaving; and after a Ctrl-C this has to be done as well.
            answer.patience = answer.patience.min(CLOSE_PATIENCE);
            answer.stop = Stop::default();
            let _ = answer.wait();
        } else {
            drop(inner);
        }
        self.shared.end(State::Closed, "Closed");
    }

    /// Asks a server a four-letter word, on a connection of its own and without a session.
    pub(crate) fn four_letter_word(&self, word: &str) -> std::io::Result<String> {
        let mut failure = std::io::Error::other("no server");
        for host in &self.shared.target.hosts {
            match four_letter::ask(host, word, link::MAX_CONNECT) {
                Ok(text) => return Ok(text),
                Err(e) => failure = std::io::Error::new(e.kind(), format!("{host}: {e}")),
            }
        }
        Err(failure)
    }

    /// Sends a request and waits for the body of its reply.
    fn call(
        &self,
        op: OpCode,
        path: Option<&str>,
        watch: Option<WatchKind>,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<Vec<u8>, ClientError> {
        self.submit(op, path, watch, write)?.wait()
    }

    /// Sends a request. `path` is the user's path, for errors and for the watch.
    fn submit(
        &self,
        op: OpCode,
        path: Option<&str>,
        watch: Option<WatchKind>,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<Answer, ClientError> {
        let inner = self.wait_until_serving(path, Duration::MAX)?;
        Ok(self.send(inner, op, path, watch, write))
    }

    /// Sends a request on the connection that there is.
    fn send(
        &self,
        mut inner: MutexGuard<'_, Inner>,
        op: OpCode,
        path: Option<&str>,
        watch: Option<WatchKind>,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Answer {
        let path = path.map(str::to_owned);
        let (sender, receiver) = sync_channel(1);
        let watch =
            watch.zip(path.as_deref()).map(|(kind, p)| (kind, self.shared.target.to_server(p)));
        let pending = Pending { xid: inner.take_xid(), path: path.clone(), watch, answer: sender };
        inner.send(op, pending, write);
        let patience = inner.timeout.max(MIN_PATIENCE);
        Answer { receiver, patience, path, stop: self.stop.clone() }
    }

    /// Waits through one round of all addresses at most, and not longer than the session timeout.
    /// A round that has failed without any request being told counts.
    fn wait_until_serving(
        &self,
        path: Option<&str>,
        patience: Duration,
    ) -> Result<MutexGuard<'_, Inner>, ClientError> {
        let mut inner = lock(&self.shared.inner);
        let deadline = Instant::now() + inner.timeout.min(patience);
        loop {
            if let Some(why) = inner.state.ended() {
                return Err(ClientError::NotConnected(why));
            }
            if self.stop.requested() {
                return Err(ClientError::Interrupted { sent: false });
            }
            if inner.state.is_serving() {
                inner.reported_rounds = inner.failed_rounds;
                return Ok(inner);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if inner.failed_rounds > inner.reported_rounds || left.is_zero() {
                inner.reported_rounds = inner.failed_rounds;
                let path = path.map(str::to_owned);
                return Err(ClientError::ConnectionLoss {
                    path,
                    detail: inner.last_failure.clone(),
                });
            }
            inner = self
                .shared
                .changed
                .wait_timeout(inner, left.min(GLANCE))
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}

/// How often whoever waits looks for Ctrl-C.
const GLANCE: Duration = Duration::from_millis(50);
/// How long the answer to closeSession is waited for.
const CLOSE_PATIENCE: Duration = Duration::from_secs(5);
/// How long any other answer is waited for at least.
const MIN_PATIENCE: Duration = Duration::from_secs(30);
