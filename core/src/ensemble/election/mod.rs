//! The election port: one thread that gives [`Election`] and [`Links`] their sockets, names and time.
//!
//! [`thread`] is the loop; [`listeners`] are the own addresses, [`dialer`] makes connections to the others' and [`sockets`] carries bytes over
//! those that are made. The engines decide who connects to whom, what is sent, and when something has taken too long.
//!
//! **Architecture Invariant:** the thread never waits for anything but news and deadlines. Names are looked up, and new addresses of this server are
//! bound, on threads of their own, which end when the system has answered.
//!
//! **Architecture Invariant:** nobody can make it use memory, descriptors, time or room in the log without limit: connections of strangers,
//! addresses tried at once, names looked up for others, bytes read from one connection and connections accepted in one
//! round, and lines written about the same thing all have one.

mod complaints;
mod dialer;
mod error;
mod inbox;
mod listeners;
mod names;
mod sockets;
#[cfg(test)]
mod tests;
mod thread;
mod wire;

pub use error::ElectionError;

use super::tls::Security;
use crate::fork::Origin;
use complaints::Complaints;
use inbox::{Inbox, Order};
use mio::{Poll, Waker};
use names::Lookup;
use quorate_engine::election::links::{LinkOptions, Links};
use quorate_engine::election::{Election, History, Options};
use quorate_engine::quorum::Quorums;
use quorate_wire::quorum::{Membership, ServerState, Vote};
use std::fmt;
use std::sync::Arc;
use std::thread::{self as threads, JoinHandle};
use thread::Driver;

/// What the election of a server goes by.
#[derive(Clone, Debug)]
pub(crate) struct ElectionConfig {
    /// The id of this server.
    pub(crate) me: i64,
    /// The committed configuration, with this server in it.
    pub(crate) membership: Membership,
    /// Times of the election.
    pub(crate) options: Options,
    /// Times and limits of the connections.
    pub(crate) links: LinkOptions,
    /// Listen on all addresses of the machine (`quorumListenOnAllIPs`), at the ports of the configured ones.
    pub(crate) listen_on_all: bool,
    /// Let the system see whether idle connections live (`tcpKeepAlive`).
    pub(crate) keep_alive: bool,
    /// How the members talk to each other.
    pub(crate) security: Arc<Security>,
}

/// What the thread tells its owner.
#[derive(Debug)]
pub(crate) enum ElectionReport {
    /// The election is over: take this role.
    Decided {
        /// What this server is from now on.
        state: ServerState,
        /// Who leads.
        leader: i64,
    },
    /// Voters that made this server the leader now vote for another. If it has no quorum of followers by now, it should look for a leader again.
    Withdrawn,
    /// A member has a newer committed configuration, and this server is looking for a leader. Where reconfiguration is enabled it is to be
    /// written to disk and given to [`ElectionThread::commit`].
    SawConfig {
        /// Who has it.
        from: i64,
        /// The configuration.
        membership: Membership,
    },
    /// The thread cannot go on; this is its last report.
    Failed(ElectionError),
}

/// A handle to the thread. Dropping it closes the port.
pub(crate) struct ElectionThread {
    inbox: Arc<Inbox>,
    thread: Option<JoinHandle<()>>,
    origin: Origin,
}

/// What the thread asks of the outside besides sockets and time; tests put something else here.
pub(crate) struct Outside {
    /// Looks up the addresses of a host. May take long.
    lookup: Lookup,
    /// Writes a line to the log.
    warn: Box<dyn Fn(&str) + Send>,
}

impl Outside {
    /// The system's resolver and the log of the process.
    fn system() -> Self {
        Self { lookup: names::system(), warn: Box::new(|line| tracing::warn!("{line}")) }
    }
}

impl ElectionThread {
    /// Listens on this server's election addresses and starts the thread. Others are answered from now on, but there is no election before
    /// [`look`](Self::look). `report` is called on the thread and must not block.
    ///
    /// # Errors
    /// An address cannot be listened on, this server is no member, or the system has no thread for us.
    pub(crate) fn start(
        config: ElectionConfig,
        report: impl Fn(ElectionReport) + Send + 'static,
    ) -> Result<Self, ElectionError> {
        Self::start_in(Outside::system(), config, Box::new(report))
    }

    fn start_in(
        outside: Outside,
        config: ElectionConfig,
        report: Box<dyn Fn(ElectionReport) + Send>,
    ) -> Result<Self, ElectionError> {
        let me = config.me;
        let own = listeners::own_places(&config.membership, me, config.listen_on_all)
            .ok_or(ElectionError::NotAMember(me))?;
        let (bound, failed) = listeners::bind(me, &own, &outside.lookup);
        if let Some(error) = failed {
            return Err(error);
        }
        let system = |what| move |cause| ElectionError::System { what, cause };
        let poll = Poll::new().map_err(system("a poll"))?;
        let waker = Waker::new(poll.registry(), inbox::WAKER).map_err(system("a waker"))?;
        let inbox = Arc::new(Inbox::new(waker));
        let registry = || poll.registry().try_clone().map_err(system("a poll"));
        let dialer = dialer::Dialer::new(
            registry()?,
            names::Names::new(Arc::clone(&outside.lookup), Arc::clone(&inbox)),
            config.keep_alive,
            Arc::clone(&config.security),
        );
        let mut listeners =
            listeners::Listeners::new(me, registry()?, outside.lookup, Arc::clone(&inbox));
        listeners.adopt(own, bound).map_err(system("the poll of a listener"))?;
        let greeting = thread::greeting(&config.membership, me);
        let quorums = Quorums::new(config.membership);
        let mut links = Links::new(me, &greeting, config.links);
        links.set_members(thread::members(&quorums));
        let driver = Driver::new(
            poll,
            Arc::clone(&inbox),
            Election::new(me, quorums, config.options),
            links,
            me,
            thread::Parts {
                listeners,
                dialer,
                complaints: Complaints::new(outside.warn),
                report,
                listen_on_all: config.listen_on_all,
                keep_alive: config.keep_alive,
                security: config.security,
            },
        );
        let thread = threads::Builder::new()
            .name("quorate-elect".into())
            .spawn(move || driver.run())
            .map_err(system("a thread"))?;
        Ok(Self { inbox, thread: Some(thread), origin: Origin::here() })
    }

    /// Begins an election with what the log holds.
    pub(crate) fn look(&self, history: History) {
        self.order(Order::Look(history));
    }

    /// Is silent until the next [`look`](Self::look): the role has ended.
    pub(crate) fn rest(&self) {
        self.order(Order::Rest);
    }

    /// Tells that this server's leader was silent for too long: its vote is not to be waited for until it is heard.
    pub(crate) fn silent(&self, sid: i64) {
        self.order(Order::Silent(sid));
    }

    /// Tells that the role has begun in this epoch: servers that look for a leader are told of it.
    pub(crate) fn established(&self, epoch: i64) {
        self.order(Order::Established(epoch));
    }

    /// Takes a role without an election, as a reconfiguration with a suggested leader orders.
    pub(crate) fn assume(&self, state: ServerState, vote: Vote) {
        self.order(Order::Assume(state, vote));
    }

    /// Takes note of the newest configuration that was proposed; of none if this one is committed already.
    pub(crate) fn see(&self, membership: Membership) {
        self.order(Order::See(membership));
    }

    /// Goes by a newer committed configuration: connections of servers that are gone are closed, new addresses are used, also the own ones.
    pub(crate) fn commit(&self, membership: Membership) {
        self.order(Order::Commit(membership));
    }

    /// Closes the port and all connections, and ends the thread.
    #[cfg_attr(not(test), expect(dead_code, reason = "the owner drops it"))]
    pub(crate) fn close(mut self) {
        self.end();
    }

    fn order(&self, order: Order) {
        // A forked process has no such thread, and the waker is its parent's.
        if !self.origin.is_elsewhere() {
            self.inbox.push(order);
        }
    }

    fn end(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        if self.origin.is_elsewhere() {
            return std::mem::forget(thread);
        }
        self.inbox.push(Order::Close);
        if thread.thread().id() != threads::current().id() {
            // It reports its own panics.
            let _ = thread.join();
        }
    }
}

impl Drop for ElectionThread {
    fn drop(&mut self) {
        self.end();
    }
}

impl fmt::Debug for ElectionThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ElectionThread").finish_non_exhaustive()
    }
}
