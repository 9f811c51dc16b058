//! The learner's end: one connection to a leader, from the search for it to its end.

use super::link::Link;
use super::search::{Found, Search, TOKENS};
use super::{Limits, Loss};
use crate::ensemble::tls::Security;
use mio::event::Event;
use mio::{Registry, Token, Waker};
use quorate_engine::tree::{TreeConfig, TreeReceiver};
use quorate_engine::zab::{ToLeader, ToLearner};
use quorate_wire::quorum::address::HostPort;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

/// What has happened at the connection to a leader.
#[derive(Debug)]
pub(crate) enum LeaderReport {
    /// It is there.
    Connected(SocketAddr),
    /// The leader says something. Behind [`ToLearner::Snap`] its tree follows, then more messages.
    Message(ToLearner),
    /// The tree has come, whole.
    Tree(Box<TreeReceiver>),
    /// The connection is lost, or was never made. Nothing follows.
    Gone(Loss),
}

/// What a [`LeaderLink`] is made with.
#[derive(Debug)]
pub(crate) struct LeaderSettings {
    /// Where the leader listens, or may be about to.
    pub(crate) addresses: Vec<HostPort>,
    /// The first of [`LeaderLink::TOKENS`] poll tokens.
    pub(crate) base: usize,
    /// When the search is given up, ms.
    pub(crate) search_ends: i64,
    /// What may be held.
    pub(crate) limits: Limits,
    /// How a received tree is made.
    pub(crate) tree: TreeConfig,
    /// How the members talk to each other.
    pub(crate) security: Arc<Security>,
}

/// A connection to a leader.
#[derive(Debug)]
pub(crate) struct LeaderLink {
    base: usize,
    limits: Limits,
    tree: TreeConfig,
    token: Token,
    state: State,
    /// A tree that is coming.
    receiver: Option<Box<TreeReceiver>>,
    /// Why the connection is lost, if that has not been reported.
    lost: Option<Loss>,
    /// For the data of packets.
    room: Vec<u8>,
    /// Its end is nothing new.
    hushed: bool,
}

#[derive(Debug)]
enum State {
    Searching(Box<Search>),
    Connected(Box<Link>),
    Over,
}

impl LeaderLink {
    /// Poll tokens that it takes.
    pub(crate) const TOKENS: usize = TOKENS;

    /// Lets its end be of no interest to those who read the log.
    pub(crate) const fn hush(&mut self) {
        self.hushed = true;
    }

    /// Begins to look for the leader. The waker wakes the poll of the registry when a name has been looked up.
    pub(crate) fn new(
        settings: LeaderSettings,
        registry: &Registry,
        waker: &Arc<Waker>,
        now: i64,
    ) -> io::Result<Self> {
        let LeaderSettings { addresses, base, search_ends, limits, tree, security } = settings;
        let registry = registry.try_clone()?;
        let waker = Arc::clone(waker);
        let search = Search::new(&addresses, base, registry, waker, security, now, search_ends);
        Ok(Self {
            base,
            limits,
            tree,
            token: Token(base),
            state: State::Searching(Box::new(search)),
            receiver: None,
            lost: None,
            room: Vec::new(),
            hushed: false,
        })
    }

    /// Takes an event of the poll; false if it is not for this link.
    pub(crate) fn ready(&mut self, event: &Event) -> bool {
        let Token(token) = event.token();
        if token.checked_sub(self.base).is_none_or(|n| n >= Self::TOKENS) {
            return false;
        }
        match &mut self.state {
            State::Searching(search) => search.ready(event),
            State::Connected(link) if self.token == event.token() => link.note(event),
            State::Connected(_) | State::Over => {}
        }
        true
    }

    /// The next thing that has happened. `busy`: the learner can take no message now
    /// ([`is_busy`](quorate_engine::zab::learner::Learner::is_busy)); what is on its way stays there.
    pub(crate) fn next(&mut self, now: i64, busy: bool) -> Option<LeaderReport> {
        if let State::Searching(search) = &mut self.state {
            match search.advance(now) {
                Found::Nothing => return None,
                Found::Connection(stream, remote, token) => {
                    self.token = token;
                    self.state = State::Connected(Box::new(Link::new(stream, remote)));
                    return Some(LeaderReport::Connected(remote));
                }
                Found::Failure(error) => self.lost = Some(Loss::Unreachable(error)),
            }
        }
        if self.lost.is_none() && !busy {
            match self.receive() {
                Ok(report) => return report,
                Err(loss) => self.lost = Some(loss),
            }
        }
        self.lost.take().map(|loss| self.end(loss))
    }

    /// Sends something behind what was sent before. Nothing happens without a connection.
    pub(crate) fn send(&mut self, message: &ToLeader) {
        let State::Connected(link) = &mut self.state else { return };
        if self.lost.is_some() {
            return;
        }
        link.output.push(&message.packet(&mut self.room));
        let (queued, limit) = (link.output.counted(), self.limits.queue);
        if queued > limit {
            self.lost = Some(Loss::Behind { queued, limit });
        }
    }

    /// Writes what can be written. A new round begins.
    pub(crate) fn flush(&mut self) {
        let State::Connected(link) = &mut self.state else { return };
        link.begin_round();
        if self.lost.is_none()
            && let Err(loss) = link.write()
        {
            self.lost = Some(loss);
        }
    }

    /// Whether there is something to do for which no event will come.
    pub(crate) fn has_work(&self, busy: bool) -> bool {
        let State::Connected(link) = &self.state else { return false };
        let receives =
            !busy && (link.may_fill() || self.receiver.is_none() && link.input.may_hold_packet());
        self.lost.is_some() || receives || link.can_write()
    }

    /// When [`next`](Self::next) has something to do without an event, while the leader is being looked for, ms.
    pub(crate) fn deadline(&self) -> Option<i64> {
        match &self.state {
            State::Searching(search) => Some(search.deadline()),
            State::Connected(_) | State::Over => None,
        }
    }

    /// Bytes that the leader has sent so far and that were of use: with a large tree, the only sign of life for a while.
    pub(crate) fn received(&self) -> u64 {
        match &self.state {
            State::Connected(link) => link.input.passed(),
            State::Searching(_) | State::Over => 0,
        }
    }

    /// Bytes that wait to be sent.
    pub(crate) fn queued(&self) -> usize {
        match &self.state {
            State::Connected(link) => link.output.len(),
            State::Searching(_) | State::Over => 0,
        }
    }

    fn receive(&mut self) -> Result<Option<LeaderReport>, Loss> {
        let State::Connected(link) = &mut self.state else { return Ok(None) };
        loop {
            if let Some(receiver) = &mut self.receiver {
                link.input.feed(receiver)?;
                if receiver.is_complete() {
                    return Ok(self.receiver.take().map(LeaderReport::Tree));
                }
            } else if let Some(message) =
                link.input.next(self.limits.packet, ToLearner::from_packet)?
            {
                if let ToLearner::Snap(_) = message {
                    let receiver = TreeReceiver::new(self.tree, self.limits.packet);
                    self.receiver = Some(Box::new(receiver));
                }
                return Ok(Some(LeaderReport::Message(message)));
            }
            let filled = link.fill().map_err(|loss| match (loss, &self.receiver) {
                (Loss::Ended | Loss::Cut { .. }, Some(receiver)) => {
                    Loss::CutTree(receiver.received())
                }
                (loss, _) => loss,
            })?;
            if !filled {
                return Ok(None);
            }
        }
    }

    fn end(&mut self, loss: Loss) -> LeaderReport {
        let who = match &self.state {
            State::Connected(link) => format!("leader at {}:", link.remote),
            State::Searching(_) | State::Over => "leader".to_owned(),
        };
        if self.hushed {
            tracing::debug!("{who} {loss}");
        } else {
            tracing::warn!("{who} {loss}");
        }
        self.state = State::Over;
        self.receiver = None;
        LeaderReport::Gone(loss)
    }
}
