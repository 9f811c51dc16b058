//! The list of servers, changed at run time: by the caller, or by following the ensemble's configuration.
//!
//! Whether to move to another server is the session's decision: clients spread so that the load is even.
//! Compare `org.apache.zookeeper.ZooKeeper.updateServerList` and `server.util.ConfigUtils`.

use super::address::{Address, Server, Servers};
use super::driver::Targets;
use super::error::{Error, Result};
use super::handle::{Client, Handle};
use super::transport::Target;
use quorate_wire::ErrorCode;
use std::sync::{PoisonError, Weak};
use std::time::Duration;

impl Client {
    /// Changes the list of servers: a connection string with nothing but servers. The session goes on. It moves to another server
    /// when the present one is not in the list, or when the load asks for it, once what was sent has been answered.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// use quorate::client::Client;
    /// use quorate::server::Server;
    ///
    /// let server = Server::builder().volatile().free_port().start().unwrap();
    /// let port = server.address().unwrap().port();
    /// let client = Client::connect(&format!("127.0.0.1:{port}")).await?;
    /// let session = client.session_id();
    /// client.set_servers(&format!("localhost:{port},127.0.0.1:{port}"))?;
    /// client.exists("/").await?;
    /// assert_eq!(client.session_id(), session);
    /// assert!(client.set_servers("localhost:2181/app").is_err());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// `BadArguments` when the text cannot be understood or says more than servers; `Unimplemented` for a client that is driven
    /// from outside.
    pub fn set_servers(&self, servers: &str) -> Result<()> {
        let bad =
            |what: String| Error::new(ErrorCode::BadArguments, "set_servers", "").with_detail(what);
        let address: Address = servers.parse().map_err(|error| bad(format!("{error}")))?;
        let Servers::List(list) = address.servers.clone() else {
            return Err(bad("a list of servers is needed, not a name to look up".into()));
        };
        if address != Address::new(address.servers.clone()) {
            return Err(bad("only servers can be changed".into()));
        }
        if self.is_after_fork() {
            return Err(Error::after_fork("set_servers", ""));
        }
        let targets = self.targets().ok_or_else(|| {
            Error::new(ErrorCode::Unimplemented, "set_servers", "")
                .with_detail("whoever drives this client knows its servers")
        })?;
        replace(self, targets, list);
        Ok(())
    }
}

/// Follows `/zookeeper/config` as long as the client lives.
pub(super) async fn follow_config(handle: Weak<Handle>, targets: Targets) {
    let mut pause = FIRST_PAUSE;
    loop {
        // The task must not keep the session open: it holds the client for no longer than a call takes.
        let Some(client) = handle.upgrade().map(Client::at_root) else { return };
        let read = client.get_and_watch(CONFIG);
        let environment = std::sync::Arc::clone(client.environment());
        drop(client);
        match read.await {
            Ok((data, _, watch)) => {
                pause = FIRST_PAUSE;
                let servers = client_addresses(&String::from_utf8_lossy(&data));
                let Some(client) = handle.upgrade().map(Client::at_root) else { return };
                // A server by itself has no configuration.
                if !servers.is_empty() {
                    replace(&client, &targets, servers);
                }
                drop(client);
                let _changed_or_ended = watch.await;
            }
            Err(error) if error.is_connection_loss() => {}
            Err(error) if matches!(error.code(), ErrorCode::Closing | ErrorCode::AuthFailed) => {
                return;
            }
            Err(error) => {
                tracing::debug!(%error, "the ensemble's configuration cannot be read");
                environment.sleep(pause).await;
                pause = (pause * 2).min(LAST_PAUSE);
            }
        }
    }
}

fn replace(client: &Client, targets: &Targets, mut servers: Vec<Server>) {
    servers.sort();
    servers.dedup();
    let list: Vec<Target> = servers.into_iter().map(Target::Remote).collect();
    let labels: Vec<String> = list.iter().map(Target::label).collect();
    let mut targets = targets.lock().unwrap_or_else(PoisonError::into_inner);
    let known = targets.iter().map(Target::label);
    let same = known.collect::<std::collections::BTreeSet<_>>()
        == labels.iter().cloned().collect::<std::collections::BTreeSet<_>>();
    if same {
        return;
    }
    tracing::debug!(servers = labels.join(","), "the list of servers changed");
    *targets = list;
    drop(targets);
    let now = client.environment().now();
    client.shared().with(|core| core.session.set_servers(labels, now));
}

/// The client addresses in a configuration: what follows the semicolon of the lines `server.N=host:2888:3888[:role];[host:]port`.
/// An address that means all of a machine's is replaced by the host before. Lines of any other form are passed over.
fn client_addresses(config: &str) -> Vec<Server> {
    config.lines().filter_map(client_address).collect()
}

fn client_address(line: &str) -> Option<Server> {
    let (key, value) = line.trim().split_once('=')?;
    key.trim().strip_prefix("server.")?.parse::<u64>().ok()?;
    let (quorum, client) = value.split_once(';')?;
    let client = client.trim();
    // An address may have several hosts, of which any will do.
    let own_host = host_of(quorum.split('|').next()?.trim())?;
    let (host, port) = match client.rsplit_once(':') {
        Some((host, port)) => (host.trim_start_matches('[').trim_end_matches(']'), port),
        None => ("", client),
    };
    let port = port.parse().ok().filter(|port| *port != 0)?;
    let host =
        if matches!(host, "" | "0.0.0.0" | "::" | "0:0:0:0:0:0:0:0") { own_host } else { host };
    Some(Server { host: host.to_owned(), port })
}

/// The host of `host:2888:3888`, where an IPv6 address stands in brackets.
fn host_of(address: &str) -> Option<&str> {
    let host = match address.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.0,
        None => address.split(':').next()?,
    };
    (!host.is_empty()).then_some(host)
}

const CONFIG: &str = "/zookeeper/config";
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LAST_PAUSE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_addresses_of_a_configuration() {
        let config = "server.1=zoo1:2888:3888:participant;0.0.0.0:2181\n\
                      server.2=10.0.0.2:2888:3888:observer;2182\n\
                      server.3=[2001:db8::3]:2888:3888;[::]:2183\n\
                      server.4=zoo4:2888:3888|zoo5:2888:3888;clients.example:2184\n\
                      server.5=zoo6:2888:3888\n\
                      server.x=zoo7:1:2;2185\n\
                      server.6=;1\nserver.7=zoo8:1:2;0\nserver.8=zoo9:1:2;99999\n\
                      group.1=1:2;3\nversion=100000003";
        let found: Vec<String> = client_addresses(config).iter().map(ToString::to_string).collect();
        let expected = ["zoo1:2181", "10.0.0.2:2182", "[2001:db8::3]:2183", "clients.example:2184"];
        assert_eq!(found, expected);
        assert!(client_addresses("").is_empty());
    }
}
