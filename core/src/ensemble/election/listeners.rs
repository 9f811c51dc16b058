//! The addresses of this server on which the others connect.

use super::ElectionError;
use super::complaints::{About, Complaints};
use super::inbox::{Inbox, Order};
use super::names::Lookup;
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};
use quorate_wire::quorum::Membership;
use quorate_wire::quorum::membership::HostPort;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::thread;

/// A socket that listens, and which of the configured places that is.
#[derive(Debug)]
pub(super) struct Bound {
    place: HostPort,
    socket: std::net::TcpListener,
}

/// Where a server is to listen by a configuration; nothing if it is not in it.
pub(super) fn own_places(membership: &Membership, me: i64, all: bool) -> Option<Vec<HostPort>> {
    let own = membership.servers.get(&me)?.addresses.iter();
    let mut places: Vec<HostPort> = own
        .map(|address| match all {
            true => HostPort::new(EVERYWHERE, address.election_port),
            false => address.election(),
        })
        .collect();
    places.sort();
    places.dedup();
    Some(places)
}

/// Binds all of these, and tells what went wrong with one of the others. May take as long as looking up a name does.
pub(super) fn bind(
    me: i64,
    places: &[HostPort],
    lookup: &Lookup,
) -> (Vec<Bound>, Option<ElectionError>) {
    let (mut bound, mut failed) = (Vec::new(), None);
    for place in places {
        match bind_place(me, place, lookup) {
            Ok(sockets) => {
                bound.extend(
                    sockets.into_iter().map(|socket| Bound { place: place.clone(), socket }),
                );
            }
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    (bound, failed)
}

/// All addresses of a place: who connects may use any of them. Some may be of a kind that this machine does not have.
fn bind_place(
    me: i64,
    place: &HostPort,
    lookup: &Lookup,
) -> Result<Vec<std::net::TcpListener>, ElectionError> {
    if place.host == EVERYWHERE {
        let everywhere = [IpAddr::V6(Ipv6Addr::UNSPECIFIED), IpAddr::V4(Ipv4Addr::UNSPECIFIED)];
        return bind_first(me, everywhere.map(|ip| SocketAddr::new(ip, place.port)));
    }
    let failed = |cause| ElectionError::Lookup { me, place: place.clone(), cause };
    let mut addresses = match place.host.parse() {
        Ok(ip) => vec![SocketAddr::new(ip, place.port)],
        Err(_) => lookup(place).map_err(failed)?,
    };
    addresses.sort();
    addresses.dedup();
    let (mut sockets, mut missing) = (Vec::new(), None);
    for address in addresses {
        match bind_address(address) {
            Ok(socket) => sockets.push(socket),
            Err(cause) if cause.kind() == io::ErrorKind::AddrNotAvailable => {
                missing = Some(ElectionError::Bind { me, address, cause });
            }
            Err(cause) => return Err(ElectionError::Bind { me, address, cause }),
        }
    }
    match missing {
        Some(error) if sockets.is_empty() => Err(error),
        None if sockets.is_empty() => Err(failed(io::ErrorKind::NotFound.into())),
        _ => Ok(sockets),
    }
}

/// Only machines without IPv6 need the second one: the first takes in IPv4 too.
fn bind_first(
    me: i64,
    addresses: [SocketAddr; 2],
) -> Result<Vec<std::net::TcpListener>, ElectionError> {
    let [first, second] = addresses;
    match bind_address(first) {
        Ok(socket) => Ok(vec![socket]),
        Err(cause) if cause.kind() == io::ErrorKind::AddrInUse => {
            Err(ElectionError::Bind { me, address: first, cause })
        }
        Err(_) => match bind_address(second) {
            Ok(socket) => Ok(vec![socket]),
            Err(cause) => Err(ElectionError::Bind { me, address: second, cause }),
        },
    }
}

fn bind_address(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() && address.ip().is_unspecified() {
        socket.set_only_v6(false)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// The sockets that listen.
pub(super) struct Listeners {
    me: i64,
    registry: Registry,
    lookup: Lookup,
    inbox: Arc<Inbox>,
    wanted: Vec<HostPort>,
    open: Vec<Listener>,
    /// New addresses are being bound, on a thread of its own.
    binding: bool,
    /// When what could not be bound is tried again, ms.
    retry_at: Option<i64>,
    /// Until when nothing is accepted, ms: descriptors have run out.
    accept_at: i64,
}

struct Listener {
    place: HostPort,
    token: usize,
    socket: TcpListener,
    /// There may be somebody to accept.
    ready: bool,
}

impl Listeners {
    pub(super) const fn new(
        me: i64,
        registry: Registry,
        lookup: Lookup,
        inbox: Arc<Inbox>,
    ) -> Self {
        Self {
            me,
            registry,
            lookup,
            inbox,
            wanted: Vec::new(),
            open: Vec::new(),
            binding: false,
            retry_at: None,
            accept_at: 0,
        }
    }

    /// Begins with these places, and what was bound for them.
    pub(super) fn adopt(&mut self, wanted: Vec<HostPort>, bound: Vec<Bound>) -> io::Result<()> {
        self.wanted = wanted;
        bound.into_iter().try_for_each(|bound| self.add(bound))
    }

    /// Goes by other places. Sockets of the old ones are closed at once: a new address may be an old one in other words.
    pub(super) fn set(&mut self, wanted: Vec<HostPort>) {
        if self.wanted != wanted {
            self.open.retain(|listener| wanted.contains(&listener.place));
            self.wanted = wanted;
            self.bind();
        }
    }

    /// Takes what a thread has bound, which may be of no use any more.
    pub(super) fn bound(
        &mut self,
        now: i64,
        bound: Vec<Bound>,
        failed: Option<ElectionError>,
        complaints: &mut Complaints,
    ) {
        self.binding = false;
        for bound in bound {
            if self.wanted.contains(&bound.place)
                && let Err(error) = self.add(bound)
            {
                complaints.say(now, About::Listen, format_args!("an election port fails: {error}"));
            }
        }
        if self.missing().is_empty() {
            self.retry_at = None;
        } else if let Some(error) = failed {
            complaints.say(now, About::Listen, format_args!("{error}; it is tried again"));
            self.retry_at = Some(now.saturating_add(RETRY));
        } else {
            self.bind();
        }
    }

    pub(super) fn ready(&mut self, token: Token) {
        for listener in self.open.iter_mut().filter(|listener| listener.token == token.0) {
            listener.ready = true;
        }
    }

    /// The connections that are there, up to a number. After an error it is tried again a little later, whatever it was.
    pub(super) fn accept(
        &mut self,
        now: i64,
        complaints: &mut Complaints,
    ) -> Vec<(TcpStream, SocketAddr)> {
        let mut accepted = Vec::new();
        if now < self.accept_at {
            return accepted;
        }
        for listener in self.open.iter_mut().filter(|listener| listener.ready) {
            while accepted.len() < ACCEPTED_AT_ONCE {
                match listener.socket.accept() {
                    Ok((socket, remote)) => {
                        let remote = SocketAddr::new(remote.ip().to_canonical(), remote.port());
                        accepted.push((socket, remote));
                    }
                    Err(error) if is_of_one_connection(&error) => {}
                    Err(error) => {
                        listener.ready = error.kind() != io::ErrorKind::WouldBlock;
                        if listener.ready {
                            self.accept_at = now.saturating_add(PAUSE);
                            complaints.say(
                                now,
                                About::Accept,
                                format_args!(
                                    "connections to the election port {} cannot be accepted: {error}; it is tried again, and if this \
                                     goes on, the limit of open files is too low",
                                    listener.place
                                ),
                            );
                        }
                        break;
                    }
                }
            }
        }
        accepted
    }

    /// Tries again what is due.
    pub(super) fn tick(&mut self, now: i64) {
        if self.retry_at.is_some_and(|at| at <= now) {
            self.bind();
        }
    }

    /// When there is something to do without news, ms.
    pub(super) fn next_deadline(&self) -> Option<i64> {
        let accept = self.open.iter().any(|listener| listener.ready).then_some(self.accept_at);
        accept.into_iter().chain(self.retry_at).min()
    }

    fn missing(&self) -> Vec<HostPort> {
        let is_open = |place: &HostPort| self.open.iter().any(|listener| listener.place == *place);
        self.wanted.iter().filter(|place| !is_open(place)).cloned().collect()
    }

    /// Binds what is missing, elsewhere: names have to be looked up for it.
    fn bind(&mut self) {
        let missing = self.missing();
        self.retry_at = None;
        if self.binding || missing.is_empty() {
            return;
        }
        self.binding = true;
        let (me, lookup, inbox) = (self.me, Arc::clone(&self.lookup), Arc::clone(&self.inbox));
        let work = move || {
            let (bound, failed) = bind(me, &missing, &lookup);
            inbox.push(Order::Bound(bound, failed));
        };
        if let Err(cause) = thread::Builder::new().name("quorate-bind".into()).spawn(work) {
            let error = ElectionError::System { what: "a thread", cause };
            self.inbox.push(Order::Bound(Vec::new(), Some(error)));
        }
    }

    fn add(&mut self, bound: Bound) -> io::Result<()> {
        let taken = |token: &usize| self.open.iter().any(|listener| listener.token == *token);
        let token = (1..LISTENER_TOKENS).find(|token| !taken(token));
        let token = token.ok_or_else(|| io::Error::other("this server has too many addresses"))?;
        let mut socket = TcpListener::from_std(bound.socket);
        self.registry.register(&mut socket, Token(token), Interest::READABLE)?;
        self.open.push(Listener { place: bound.place, token, socket, ready: false });
        Ok(())
    }
}

/// Whether an error of `accept` is about the connection, so that the next one may be well.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted)
}

/// Poll tokens below this are the waker's and the listeners'.
pub(super) const LISTENER_TOKENS: usize = 256;
/// The host of a place that is all addresses of the machine. Not a literal, which means IPv6 alone.
const EVERYWHERE: &str = "*";
/// Connections that wait to be accepted.
const BACKLOG: i32 = 128;
/// Connections accepted in one round.
const ACCEPTED_AT_ONCE: usize = 64;
/// Time until the next try when nothing could be accepted, ms.
const PAUSE: i64 = 200;
/// Time until the next try when an address could not be bound, ms.
const RETRY: i64 = 1000;
