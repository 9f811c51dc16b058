//! What a reconfiguration changes at this server: its files, its part in elections, and the ports at which it is found.

use super::super::handle::Control;
use super::super::listener::Listener;
use super::thread::State;
use crate::config::{ListenAddress, ServerConfig};
use mio::Registry;
use quorate_engine::member::Effect;
use quorate_engine::replica::Now;
use quorate_engine::zab::Leaving;
use quorate_wire::quorum::Membership;
use quorate_wire::quorum::membership::HostPort;
use std::io;
use std::sync::Arc;

/// What could not be written down of the configurations, and is tried again. Apache's servers go on without, and may begin again with members
/// of whom some are no more.
#[derive(Debug, Default)]
pub(super) struct Unwritten {
    /// The committed one. Until it is written the file of the proposed one stays, so a server that begins again knows both.
    committed: bool,
    /// That none is proposed any more, which does no harm either; or one that is. Without it nothing more of its role is done.
    proposed: bool,
    /// The role in which a proposed one could not be written is ending.
    role_ends: bool,
}

impl Unwritten {
    /// Whether an effect is of no use any more: the configuration that it follows is not on the disk.
    pub(super) const fn stops(&self, effect: &Effect) -> bool {
        let goes_on = matches!(
            effect,
            Effect::SawConfig(_)
                | Effect::Reconfigure(_)
                | Effect::CloseLearner(..)
                | Effect::Rest(_)
        );
        self.role_ends && !goes_on
    }

    pub(super) const fn role_ended(&mut self) {
        self.role_ends = false;
    }
}

impl State {
    /// A configuration is proposed, or none is any more. What follows is done when it is on the disk; if that cannot be, the role ends, as
    /// it does without room for transactions.
    pub(super) fn saw_config(&mut self, pending: Option<&Membership>, now: Now) {
        match self.roster.propose(pending) {
            Ok(()) => self.unwritten.proposed = false,
            Err(error) => {
                tracing::error!("{error}; it is tried again");
                self.unwritten.proposed = true;
                if pending.is_some() {
                    self.unwritten.role_ends = true;
                    self.pause.begin(now.mono);
                    self.member.unable(Leaving::NoConfig);
                }
            }
        }
        self.settings.trust(self.member.quorums());
        self.election.see(self.member.quorums().last_seen().clone());
    }

    /// Tries again to write down what could not be written. Whether a role may begin: nothing is left that a quorum must know.
    pub(super) fn write_configs(&mut self) -> bool {
        let quorums = self.member.quorums();
        if self.unwritten.committed && self.roster.commit(quorums.committed()).is_ok() {
            self.unwritten.committed = false;
            tracing::info!("the ensemble's configuration is written down");
        }
        if self.unwritten.proposed && self.roster.propose(quorums.pending()).is_ok() {
            self.unwritten.proposed = false;
        }
        !self.unwritten.proposed || self.member.quorums().pending().is_none()
    }

    /// A configuration is the committed one.
    pub(super) fn reconfigure(&mut self, membership: &Membership) {
        self.unwritten.committed = false;
        if let Err(error) = self.roster.commit(membership) {
            tracing::error!("{error}; it is tried again");
            self.unwritten.committed = true;
        }
        tracing::info!("the ensemble's configuration is version {:x} now", membership.version);
        self.election.commit(membership.clone());
        self.settings.follow(self.member.quorums());
        let own = membership.servers.get(&self.settings.me);
        match own {
            None => tracing::warn!(
                "this server is no member of the ensemble any more, and follows without a vote"
            ),
            Some(own) => {
                if let Some(client) = &own.client {
                    self.door.move_to(client, &self.registry);
                }
            }
        }
    }
}

/// Where clients come in.
pub(in crate::server) struct Door {
    pub(in crate::server) listener: Option<Listener>,
    pub(in crate::server) config: ServerConfig,
    pub(in crate::server) control: Arc<Control>,
    /// Where it is to listen, and cannot yet.
    pub(in crate::server) wanted: Option<HostPort>,
}

impl Door {
    /// Listens elsewhere, if that is elsewhere. Connections that are there stay. A server that cannot be reached by new clients still has its
    /// part in the ensemble, so this is no reason to stop.
    fn move_to(&mut self, client: &HostPort, registry: &Registry) {
        let address = ListenAddress::of(client);
        let is_there = self.config.client_port == Some(client.port)
            && self.config.client_port_address == address;
        // Without a listener that it waits for, clients were never to be served here.
        if is_there || (self.listener.is_none() && self.wanted.is_none()) {
            return;
        }
        let listens_on = self.listener.as_ref().and_then(|listener| listener.address().ok());
        if listens_on.is_some_and(|address| address.port() == client.port) {
            // Two sockets may not have one port.
            self.listener = None;
        }
        self.config.client_port = Some(client.port);
        self.config.client_port_address = address;
        self.wanted = None;
        if let Err(cause) = self.try_at(client, registry) {
            tracing::error!("cannot serve clients at {client}, which is tried again: {cause}");
            self.wanted = Some(client.clone());
        }
    }

    /// Tries again what was not possible.
    pub(super) fn tick(&mut self, registry: &Registry) {
        if let Some(client) = self.wanted.take()
            && self.try_at(&client, registry).is_err()
        {
            self.wanted = Some(client);
        }
    }

    fn try_at(&mut self, client: &HostPort, registry: &Registry) -> io::Result<()> {
        let listener = self.open(client.port, registry)?;
        tracing::info!("clients are served at {client} now");
        self.control.listens_on(listener.address().ok());
        self.listener = Some(listener);
        Ok(())
    }

    fn open(&self, port: u16, registry: &Registry) -> io::Result<Listener> {
        let mut listener = Listener::open(&self.config, port)?;
        listener.register(registry)?;
        Ok(listener)
    }
}
