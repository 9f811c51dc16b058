//! Names of hosts, looked up on threads of their own: the system's resolver can take half a minute to say no.

use super::inbox::{Inbox, Order};
use quorate_engine::election::links::Link;
use quorate_wire::quorum::membership::HostPort;
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::thread;

/// Finds the addresses of a host.
pub(super) type Lookup = Arc<dyn Fn(&HostPort) -> io::Result<Vec<SocketAddr>> + Send + Sync>;

/// The system's resolver.
pub(super) fn system() -> Lookup {
    Arc::new(|place| Ok((place.host.as_str(), place.port).to_socket_addrs()?.collect()))
}

/// The questions that are open.
pub(super) struct Names {
    lookup: Lookup,
    inbox: Arc<Inbox>,
    /// Each place is asked for once at a time, however many attempts want to know: attempts end sooner than a resolver may.
    open: BTreeMap<HostPort, Question>,
}

struct Question {
    waiting: Vec<Link>,
    /// Somebody else than the configuration has named the host.
    told: bool,
}

/// What can be said at once.
pub(super) enum Answer {
    /// That is an address already.
    Known(SocketAddr),
    /// [`Order::Found`] will bring it.
    Later,
    /// It will not be known.
    Never(io::Error),
}

impl Names {
    pub(super) const fn new(lookup: Lookup, inbox: Arc<Inbox>) -> Self {
        Self { lookup, inbox, open: BTreeMap::new() }
    }

    /// Asks for the address of a place on behalf of a connection.
    pub(super) fn ask(&mut self, link: Link, place: &HostPort, told: bool) -> Answer {
        if let Ok(ip) = place.host.parse::<IpAddr>() {
            return Answer::Known(SocketAddr::new(ip, place.port));
        }
        if let Some(question) = self.open.get_mut(place) {
            question.waiting.push(link);
            return Answer::Later;
        }
        if told && self.open.values().filter(|question| question.told).count() >= MAX_TOLD {
            return Answer::Never(io::Error::other("too many names are being looked up already"));
        }
        let (lookup, inbox, name) =
            (Arc::clone(&self.lookup), Arc::clone(&self.inbox), place.clone());
        let ask = move || {
            let found = lookup(&name);
            inbox.push(Order::Found(name, found));
        };
        match thread::Builder::new().name("quorate-name".into()).spawn(ask) {
            Ok(_) => {
                self.open.insert(place.clone(), Question { waiting: vec![link], told });
                Answer::Later
            }
            Err(error) => Answer::Never(error),
        }
    }

    /// Closes a question that was answered: who waited for it.
    pub(super) fn answered(&mut self, place: &HostPort) -> Vec<Link> {
        self.open.remove(place).map(|question| question.waiting).unwrap_or_default()
    }

    /// A connection does not wait any more.
    pub(super) fn forget(&mut self, link: Link) {
        for question in self.open.values_mut() {
            question.waiting.retain(|&waiting| waiting != link);
        }
    }
}

/// Names that others have told, looked up at the same time. Those of the configuration have no limit but its length.
const MAX_TOLD: usize = 8;
