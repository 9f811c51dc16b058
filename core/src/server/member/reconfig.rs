//! What a reconfiguration changes at this server: its files, its part in elections, and the ports at which it is found.

use super::super::handle::Control;
use super::super::listener::Listener;
use super::thread::State;
use crate::config::{ListenAddress, ServerConfig};
use crate::server::ServerError;
use mio::Registry;
use quorate_wire::quorum::Membership;
use quorate_wire::quorum::membership::HostPort;
use std::io;
use std::sync::Arc;

impl State {
    /// A configuration is proposed, or none is any more. What follows is done when it is on the disk.
    pub(super) fn saw_config(&self, pending: Option<&Membership>) -> Result<(), ServerError> {
        self.roster.propose(pending)?;
        self.settings.trust(self.member.quorums());
        self.election.see(self.member.quorums().last_seen().clone());
        Ok(())
    }

    /// A configuration is the committed one.
    pub(super) fn reconfigure(&mut self, membership: &Membership) -> Result<(), ServerError> {
        self.roster.commit(membership)?;
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
        Ok(())
    }
}

/// Where clients come in.
pub(in crate::server) struct Door {
    pub(in crate::server) listener: Option<Listener>,
    pub(in crate::server) config: ServerConfig,
    pub(in crate::server) control: Arc<Control>,
}

impl Door {
    /// Listens elsewhere, if that is elsewhere. Connections that are there stay. A server that cannot be reached by new clients still has its
    /// part in the ensemble, so this is no reason to stop.
    fn move_to(&mut self, client: &HostPort, registry: &Registry) {
        let address = ListenAddress::of(client);
        let is_there = self.config.client_port == Some(client.port)
            && self.config.client_port_address == address;
        if is_there || self.listener.is_none() {
            return;
        }
        if self.config.client_port == Some(client.port) {
            // Two sockets may not have one port.
            self.listener = None;
        }
        self.config.client_port = Some(client.port);
        self.config.client_port_address = address;
        match self.open(client.port, registry) {
            Ok(listener) => {
                tracing::info!("clients are served at {client} now");
                self.control.listens_on(listener.address().ok());
                self.listener = Some(listener);
            }
            Err(cause) => tracing::error!("cannot serve clients at {client}: {cause}"),
        }
    }

    fn open(&self, port: u16, registry: &Registry) -> io::Result<Listener> {
        let mut listener = Listener::open(&self.config, port)?;
        listener.register(registry)?;
        Ok(listener)
    }
}
