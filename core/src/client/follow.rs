//! The list of servers, changed at run time: by the caller, or by following the ensemble's configuration.
//!
//! Whether to move to another server is the session's decision: clients spread so that the load is even.
//! Compare `org.apache.zookeeper.ZooKeeper.updateServerList` and `server.util.ConfigUtils`.

use super::address::{Address, Server, Servers};
use super::driver::{Targets, lock};
use super::error::{Error, Result};
use super::handle::{Client, Handle};
use super::shared::Shared;
use super::transport::Target;
use quorate_wire::ErrorCode;
use std::collections::BTreeSet;
use std::sync::Weak;
use std::time::Duration;

impl Client {
    /// The servers in use now, as `host:port`, in no particular order; `this process` for one in it.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// use quorate::client::Client;
    ///
    /// let client = Client::builder().servers("zoo2,zoo1:2182/app").open()?;
    /// assert_eq!(client.servers(), ["zoo2:2181", "zoo1:2182"]);
    /// client.set_servers("zoo3:2181")?;
    /// assert_eq!(client.servers(), ["zoo3:2181"]);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn servers(&self) -> Vec<String> {
        self.shared().servers()
    }

    /// The server that this client is connected to; `None` while there is no connection.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// use quorate::client::Client;
    /// use quorate::server::Server;
    ///
    /// let server = Server::builder().volatile().free_port().start().unwrap();
    /// let address = server.address().unwrap().to_string();
    /// let client = Client::connect(&format!("{address},127.0.0.1:1")).await?;
    /// assert_eq!(client.server(), Some(address));
    /// client.close().await?;
    /// assert_eq!(client.server(), None);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn server(&self) -> Option<String> {
        self.shared().server()
    }

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
        replace(self.shared(), targets, list);
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
                replace(client.shared(), &targets, servers);
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

/// Gives the client another list of servers, if it is one, and answers whether it has any. None at all is no list.
pub(super) fn replace(shared: &Shared, targets: &Targets, mut servers: Vec<Server>) -> bool {
    servers.sort();
    servers.dedup();
    let list: Vec<Target> = servers.into_iter().map(Target::Remote).collect();
    let labels: Vec<String> = list.iter().map(Target::label).collect();
    let known: BTreeSet<String> = lock(targets).iter().map(Target::label).collect();
    if labels.is_empty() || known == labels.iter().cloned().collect() {
        return !known.is_empty();
    }
    tracing::debug!(servers = labels.join(","), "the list of servers changed");
    let now = shared.environment.now();
    shared.with(|core| {
        // Together, so that an index means the same server to the session and to its driver.
        *lock(targets) = list;
        core.session.set_servers(labels, now);
    });
    // There may be nothing to do yet but to look at the clock in time.
    shared.environment.wake();
    true
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
    use crate::client::environment::{Environment, Task};
    use crate::client::port::Port;
    use quorate_engine::client::Settings;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex};

    /// A world in which no time passes, and which counts how often the driver is woken.
    #[derive(Debug, Default)]
    struct Still(AtomicUsize);

    impl Environment for Still {
        fn now(&self) -> i64 {
            0
        }
        fn wake(&self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
        fn sleep(&self, _: Duration) -> Task {
            Box::pin(std::future::pending())
        }
        fn spawn(&self, _: Task) {}
        fn random(&self) -> u64 {
            4
        }
    }

    /// It sleeps until the session's deadline, which the first list brings forward without a command for the driver.
    #[test]
    fn the_driver_is_woken_for_a_new_list() {
        let world = Arc::new(Still::default());
        let settings = Settings::default();
        let (client, port) = Port::open(settings, None, "", 100, Arc::clone(&world) as _);
        let targets: Targets = Arc::new(Mutex::new(Vec::new()));
        assert!(port.turn().deadline.is_some_and(|deadline| deadline > 0) && port.rest(true));
        let server = |host: &str| Server { host: host.to_owned(), port: 2181 };
        assert!(replace(client.shared(), &targets, vec![server("b"), server("a"), server("b")]));
        assert_eq!(world.0.load(Ordering::Relaxed), 1);
        assert_eq!(port.turn().commands.len(), 1, "it connects at once");
        let labels: Vec<String> = lock(&targets).iter().map(Target::label).collect();
        assert_eq!(labels, ["a:2181", "b:2181"]);
        // The same list is no news.
        assert!(port.rest(true));
        assert!(replace(client.shared(), &targets, vec![server("a"), server("b")]));
        assert_eq!(world.0.load(Ordering::Relaxed), 1);
        // None at all is no list.
        assert!(replace(client.shared(), &targets, Vec::new()));
        assert_eq!((lock(&targets).len(), world.0.load(Ordering::Relaxed)), (2, 1));
    }

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
