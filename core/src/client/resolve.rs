//! From names to socket addresses: the system's resolver for hosts, and SRV records over DNS.
//!
//! Hosts go through [`lookup`], which is `getaddrinfo` and so knows `/etc/hosts` and whatever else
//! the machine is set up with. It cannot ask for SRV records, so [`Resolver`] sends that one kind
//! of question itself, over UDP, and over TCP if the answer does not fit.
//!
//! Nothing is kept here. The driver asks for the addresses of hosts again at each attempt to connect, and `srv` for the records.

mod error;
mod message;
#[cfg(test)]
mod tests;

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::address::Server;
pub use error::{SrvError, SrvFailure};
use message::{Answer, Malformed, SrvRecord};

/// All addresses of a host, in the order the system prefers, each once; at least one.
///
/// Needs a tokio runtime; the question is asked on a thread of its blocking pool and stays there
/// until the system answers, even if this future is dropped.
///
/// ```
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
/// # runtime.block_on(async {
/// use quorate::client::resolve::lookup;
///
/// let addresses = lookup("127.0.0.1", 2181).await?;
/// assert_eq!(addresses, ["127.0.0.1:2181".parse().unwrap()]);
/// assert!(lookup("", 2181).await.is_err());
/// # std::io::Result::Ok(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// The system's, with the host named; `NotFound` if there is no address.
pub async fn lookup(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let found = tokio::net::lookup_host((host, port)).await.map_err(|error| {
        io::Error::new(error.kind(), format!("cannot find the address of `{host}`: {error}"))
    })?;
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for address in found {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() {
        let text = format!("the host `{host}` has no address");
        return Err(io::Error::new(io::ErrorKind::NotFound, text));
    }
    Ok(addresses)
}

/// Asks DNS servers for SRV records.
///
/// ```
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
/// # runtime.block_on(async {
/// use quorate::client::resolve::{Resolver, SrvError};
/// use std::time::Duration;
///
/// // Nobody listens there.
/// let resolver = Resolver::new(vec!["127.0.0.1:1".parse().unwrap()])
///     .with_timeout(Duration::from_millis(50))
///     .with_attempts(1);
/// let error = resolver.servers("_zookeeper._tcp.example.org").await.unwrap_err();
/// assert!(matches!(error, SrvError::NoAnswer { last: Some(_), .. }));
/// # });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolver {
    nameservers: Vec<SocketAddr>,
    timeout: Duration,
    attempts: u32,
}

impl Resolver {
    /// The name servers of `/etc/resolv.conf`; the one on this machine if there is no such file, as
    /// the C library does. Read it again for each lookup, so that a change counts.
    ///
    /// ```
    /// use quorate::client::resolve::Resolver;
    ///
    /// // Read again for each lookup, so that a change of the file counts.
    /// let resolver = Resolver::system()?.with_attempts(1);
    /// assert_eq!(resolver, Resolver::system()?.with_attempts(1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`SrvError::Settings`] if the file is there and cannot be read.
    pub fn system() -> Result<Self, SrvError> {
        match fs::read_to_string(RESOLV_CONF) {
            Ok(text) => Ok(Self::from_resolv_conf(&text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::from_resolv_conf("")),
            Err(source) => Err(SrvError::Settings { path: RESOLV_CONF, source }),
        }
    }

    /// These name servers, asked in this order, each waited for 5 s, all of them twice.
    #[must_use]
    pub const fn new(nameservers: Vec<SocketAddr>) -> Self {
        Self { nameservers, timeout: TIMEOUT, attempts: ATTEMPTS }
    }

    /// Waits this long for each name server.
    #[must_use]
    pub const fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Asks all name servers this many times before giving up.
    #[must_use]
    pub const fn with_attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// The servers that the SRV records of `name` list, in the order in which RFC 2782 wants them
    /// tried: by priority, and at random by weight among equals; at least one.
    ///
    /// `name` is taken as complete: search domains are not tried. Needs a tokio runtime.
    ///
    /// ```
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    /// # runtime.block_on(async {
    /// use quorate::client::resolve::{Resolver, SrvError};
    ///
    /// let resolver = Resolver::new(vec!["127.0.0.1:1".parse().unwrap()]);
    /// // A label has at most 63 characters; nobody is asked for this.
    /// let error = resolver.servers(&"x".repeat(64)).await.unwrap_err();
    /// assert!(matches!(error, SrvError::Name(_)));
    /// # });
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// That the name is none, does not exist or has no records, or that no name server answered.
    pub async fn servers(&self, name: &str) -> Result<Vec<Server>, SrvError> {
        let named = || name.to_owned();
        let question = message::Question::new(name).ok_or_else(|| SrvError::Name(named()))?;
        let mut last = None;
        for _ in 0..self.attempts {
            for server in &self.nameservers {
                let asked = timeout(self.timeout, ask(*server, &question)).await;
                let failure = match asked {
                    Ok(Ok(Answer::Records(records))) => return choose(records, name),
                    Ok(Ok(Answer::NoSuchName)) => return Err(SrvError::NoSuchName(named())),
                    Ok(Ok(Answer::Refused(code))) => SrvFailure::Code(code),
                    Ok(Ok(Answer::Truncated)) => SrvFailure::Malformed,
                    Ok(Err(failure)) => failure,
                    Err(_) => SrvFailure::Timeout(self.timeout),
                };
                tracing::debug!(%server, name, %failure, "a name server gave no SRV records");
                last = Some((*server, failure));
            }
        }
        let last = last.map(Box::new);
        Err(SrvError::NoAnswer { name: named(), last })
    }

    /// Reads `nameserver`, and `timeout` and `attempts` of `options`; see `resolv.conf(5)`.
    fn from_resolv_conf(text: &str) -> Self {
        let mut resolver = Self::new(Vec::new());
        for line in text.lines() {
            let mut words = line.split_ascii_whitespace();
            match words.next() {
                Some("nameserver") => resolver.nameservers.extend(words.next().and_then(server_at)),
                Some("options") => words.for_each(|option| resolver.set(option)),
                _ => {}
            }
        }
        resolver.nameservers.truncate(MAX_NAMESERVERS);
        if resolver.nameservers.is_empty() {
            resolver.nameservers.push(SocketAddr::from((Ipv4Addr::LOCALHOST, PORT)));
        }
        resolver
    }

    fn set(&mut self, option: &str) {
        let Some((name, value)) = option.split_once(':') else { return };
        let Ok(value) = value.parse::<u32>() else { return };
        match name {
            "timeout" => self.timeout = Duration::from_secs(u64::from(value.clamp(1, 30))),
            "attempts" => self.attempts = value.clamp(1, 5),
            _ => {}
        }
    }
}

/// A name server of `resolv.conf`. A zone is given by number only: names of interfaces would need
/// a system call.
fn server_at(text: &str) -> Option<SocketAddr> {
    format!("[{text}]:{PORT}").parse().ok().or_else(|| {
        let address: IpAddr = text.parse().ok()?;
        Some(SocketAddr::new(address, PORT))
    })
}

/// One question to one name server.
async fn ask(server: SocketAddr, question: &message::Question) -> Result<Answer, SrvFailure> {
    let id = random_id();
    match ask_udp(server, question, id).await? {
        Answer::Truncated => ask_tcp(server, question, id).await,
        answer => Ok(answer),
    }
}

/// Waits for the answer to this question; other datagrams are late answers or forgeries.
async fn ask_udp(
    server: SocketAddr,
    question: &message::Question,
    id: u16,
) -> Result<Answer, SrvFailure> {
    let any = match server {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let socket = UdpSocket::bind((any, 0)).await?;
    // Connected: the system drops what others send, and reports a closed port at once.
    socket.connect(server).await?;
    socket.send(&question.message(id)).await?;
    let mut buffer = vec![0; MAX_DATAGRAM];
    loop {
        let size = socket.recv(&mut buffer).await?;
        match question.answer(id, buffer.get(..size).unwrap_or_default()) {
            Err(Malformed::NotOurs) => {}
            Err(Malformed::Broken) => return Err(SrvFailure::Malformed),
            Ok(answer) => return Ok(answer),
        }
    }
}

/// The same over TCP, where each message follows its length.
async fn ask_tcp(
    server: SocketAddr,
    question: &message::Question,
    id: u16,
) -> Result<Answer, SrvFailure> {
    let mut stream = TcpStream::connect(server).await?;
    let message = question.message(id);
    let size = u16::try_from(message.len()).map_err(|_| SrvFailure::Malformed)?;
    let mut framed = size.to_be_bytes().to_vec();
    framed.extend_from_slice(&message);
    stream.write_all(&framed).await?;
    let mut answer = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut answer).await?;
    question.answer(id, &answer).map_err(|_| SrvFailure::Malformed)
}

/// The records as servers, in the order to try them.
fn choose(records: Vec<SrvRecord>, name: &str) -> Result<Vec<Server>, SrvError> {
    if records.is_empty() {
        return Err(SrvError::NoRecords(name.to_owned()));
    }
    let mut servers: Vec<Server> = Vec::new();
    for SrvRecord { server, .. } in ordered(records, random_below) {
        // The root as target says that the service is decidedly not there.
        if !server.host.is_empty() && server.port != 0 && !servers.contains(&server) {
            servers.push(server);
        }
    }
    if servers.is_empty() { Err(SrvError::NotProvided(name.to_owned())) } else { Ok(servers) }
}

/// The order of RFC 2782. `random_below(n)` gives a number below `n`, which is at least 1.
fn ordered(
    mut records: Vec<SrvRecord>,
    mut random_below: impl FnMut(u64) -> u64,
) -> Vec<SrvRecord> {
    // Those of weight 0 first among equals, so that they are chosen if the number is 0.
    records.sort_by_key(|record| (record.priority, record.weight != 0));
    let mut order = Vec::with_capacity(records.len());
    while let Some(priority) = records.first().map(|record| record.priority) {
        let equals = records.partition_point(|record| record.priority == priority);
        let weights = records.iter().take(equals).map(|record| u64::from(record.weight));
        let chosen = random_below(weights.clone().sum::<u64>() + 1);
        let mut sum = 0;
        let index = weights.into_iter().position(|weight| {
            sum += weight;
            sum >= chosen
        });
        order.push(records.remove(index.unwrap_or(0)));
    }
    order
}

/// A number nobody can foretell: the hash of nothing under fresh keys, which come from the system.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

fn random_below(bound: u64) -> u64 {
    random().checked_rem(bound).unwrap_or(0)
}

fn random_id() -> u16 {
    let [high, low, ..] = random().to_be_bytes();
    u16::from_be_bytes([high, low])
}

const RESOLV_CONF: &str = "/etc/resolv.conf";
const PORT: u16 = 53;
const MAX_NAMESERVERS: usize = 3;
const TIMEOUT: Duration = Duration::from_secs(5);
const ATTEMPTS: u32 = 2;
const MAX_DATAGRAM: usize = 4096;
