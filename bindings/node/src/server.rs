//! [`NativeServer`]: a server in this process.

use crate::completion::Answer;
use crate::hub::Shared;
use napi_derive::napi;
use quorate::client::{Error, ErrorCode};
use quorate::config::ConfigBuilder;
use quorate::server::Server;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

/// How to start a server; see `ServerOptions` in `node/src/types.ts`.
#[napi(object, object_to_js = false)]
pub struct ServerArguments {
    /// Where its data lies; in memory if absent.
    pub data_dir: Option<String>,
    /// 0 for a free one; none if absent.
    pub port: Option<u16>,
    /// Address to listen on.
    pub host: Option<String>,
    /// Keys of `zoo.cfg`.
    pub settings: Option<HashMap<String, String>>,
}

impl ServerArguments {
    /// Starts it. An error is a sentence for a person.
    pub(crate) fn start(self) -> Result<Server, String> {
        let mut config = ConfigBuilder::new();
        for (key, value) in self.settings.iter().flatten() {
            config.set("settings", key, value).map_err(|error| error.to_string())?;
        }
        let (config, warnings) = config.build().map_err(|error| error.to_string())?;
        for warning in warnings {
            tracing::warn!("{warning}");
        }
        let mut builder = Server::builder().config(config).no_port();
        if let Some(port) = self.port {
            let host = match self.host {
                None => IpAddr::V4(Ipv4Addr::LOCALHOST),
                Some(host) => host.parse().map_err(|_| format!("{host:?} is no IP address"))?,
            };
            builder = builder.listen(SocketAddr::new(host, port));
        }
        builder = match self.data_dir {
            Some(dir) => builder.data_dir(dir),
            None => builder.volatile(),
        };
        builder.start().map_err(|error| error.to_string())
    }
}

/// A server that runs until it is stopped. See `node/src/server.ts`.
#[napi]
pub struct NativeServer {
    shared: Arc<Shared>,
    /// Absent once it is being stopped.
    server: Option<Server>,
}

impl NativeServer {
    pub(crate) const fn new(shared: Arc<Shared>, server: Server) -> Self {
        Self { shared, server: Some(server) }
    }

    pub(crate) fn running(&self) -> Result<&Server, Error> {
        self.server.as_ref().ok_or_else(|| {
            Error::new(ErrorCode::InvalidState, "connect", "")
                .with_detail("the server has been stopped")
        })
    }
}

#[napi]
impl NativeServer {
    /// Where it listens: host and port.
    #[napi(getter, catch_unwind)]
    pub fn address(&self) -> Option<String> {
        self.server.as_ref().and_then(Server::address).map(|address| address.to_string())
    }

    /// Stops it. False when that has been done already, and nothing completes.
    #[napi(catch_unwind)]
    pub fn stop(&mut self, call: u32) -> bool {
        let Some(server) = self.server.take() else { return false };
        self.shared.block(
            call,
            move || server.stop(),
            |stopped| match stopped {
                Ok(()) => Answer::Done,
                Err(error) => Answer::ServerFailed(error.to_string()),
            },
        );
        true
    }
}

impl Drop for NativeServer {
    /// Stopping joins threads, for which the event loop must not wait.
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            let stopping = std::thread::Builder::new().name(STOPPING.to_owned());
            if let Err(error) = stopping.spawn(move || drop(server)) {
                tracing::warn!(%error, "a server is stopped by the event loop's thread");
            }
        }
    }
}

const STOPPING: &str = "quorate-stopping";
