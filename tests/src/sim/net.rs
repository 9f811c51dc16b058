//! The network: links between clients and a server, each a stream of bytes either way.
//!
//! Bytes of one direction arrive in order, cut into chunks of any size, after any delay. A link ends by either side
//! closing it, by losing its peer's machine, or not at all: a half-open one swallows everything in silence. What
//! the receiver does not take up stays with the sender once the buffers between them are full.

use super::random::Random;
use quorate_engine::shard::ConnKey;
use std::collections::{BTreeMap, VecDeque};

/// Names a link; never reused.
pub type LinkId = u64;

/// One of the two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// Where the connection was asked for.
    Client,
    /// Where it was accepted.
    Server,
}

/// Something that arrives at an end of a link.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The link.
    pub link: LinkId,
    /// Who receives it.
    pub to: End,
    /// The bytes; none for the end of the stream.
    pub bytes: Option<Vec<u8>>,
}

/// What taking from a stream gave.
#[derive(Debug)]
pub enum Taken {
    /// Bytes, at least one.
    Bytes(Vec<u8>),
    /// Nothing yet.
    Nothing,
    /// The other end has closed, or the link is gone.
    End,
}

/// How the network behaves.
#[derive(Clone, Debug)]
pub struct Weather {
    /// Usual delay of a chunk, us.
    pub delay: (u64, u64),
    /// How often (in a thousand) a chunk takes a hundred times as long.
    pub slow_per_mille: u64,
    /// Largest chunk, bytes.
    pub chunk: u64,
    /// Bytes that fit between a sender and its receiver.
    pub buffer: usize,
}

/// A link.
#[derive(Debug)]
pub struct Link {
    /// Its client.
    pub client: usize,
    /// The session that the client has or wants, 0 for a new one.
    pub session: i64,
    /// The server's connection, when it has been accepted: shard and key.
    pub conn: Option<(usize, ConnKey)>,
    /// Offsets, in the client's stream, at which its requests end.
    pub requests: VecDeque<u64>,
    /// Bytes that the server has taken.
    pub taken: u64,
    up: Stream,
    down: Stream,
}

#[derive(Debug, Default)]
struct Stream {
    arrived: Vec<u8>,
    in_flight: usize,
    sent: u64,
    last_arrival: u64,
    /// The sender has closed; with `ended` the receiver knows.
    closed: bool,
    ended: bool,
    /// The receiver has closed.
    refused: bool,
    /// Bytes vanish.
    broken: bool,
}

/// All links.
#[derive(Debug)]
pub struct Links {
    links: BTreeMap<LinkId, Link>,
    next: LinkId,
    random: Random,
    /// How the network behaves.
    pub weather: Weather,
}

impl Links {
    /// No links yet.
    #[must_use]
    pub const fn new(random: Random, weather: Weather) -> Self {
        Self { links: BTreeMap::new(), next: 1, random, weather }
    }

    /// A new link of a client.
    pub fn open(&mut self, client: usize, session: i64) -> LinkId {
        let id = self.next;
        self.next += 1;
        let link = Link {
            client,
            session,
            conn: None,
            requests: VecDeque::new(),
            taken: 0,
            up: Stream::default(),
            down: Stream::default(),
        };
        self.links.insert(id, link);
        id
    }

    /// How many there have been.
    #[must_use]
    pub const fn opened(&self) -> u64 {
        self.next - 1
    }

    /// The link, while either end holds it.
    #[must_use]
    pub fn get(&self, id: LinkId) -> Option<&Link> {
        self.links.get(&id)
    }

    /// As [`get`](Self::get).
    pub fn get_mut(&mut self, id: LinkId) -> Option<&mut Link> {
        self.links.get_mut(&id)
    }

    /// All of them.
    pub fn ids(&self) -> impl Iterator<Item = LinkId> {
        self.links.keys().copied()
    }

    /// Sends bytes from an end. Returns how many were taken (`None`: the other end is gone) and when which chunks
    /// arrive.
    pub fn send(
        &mut self,
        id: LinkId,
        from: End,
        bytes: &[u8],
        now: u64,
    ) -> (Option<usize>, Vec<(u64, Arrival)>) {
        let Some(link) = self.links.get_mut(&id) else { return (None, Vec::new()) };
        let (stream, to) = link.outgoing(from);
        if stream.refused {
            return (None, Vec::new());
        }
        // Clients are given all the room they want; it is the server that must bear a full buffer.
        let used = stream.in_flight + stream.arrived.len();
        let room = if from == End::Client { usize::MAX } else { self.weather.buffer };
        let taken = bytes.len().min(room.saturating_sub(used));
        stream.sent += to_u64(taken);
        if stream.broken {
            return (Some(taken), Vec::new());
        }
        stream.in_flight += taken;
        let mut rest = bytes.get(..taken).unwrap_or_default();
        let mut arrivals = Vec::new();
        while !rest.is_empty() {
            let size = usize::try_from(self.random.skewed(1, self.weather.chunk)).unwrap_or(1);
            let (chunk, after) = rest.split_at(size.clamp(1, rest.len()));
            rest = after;
            let at = stream.arrival(now, &self.weather, &mut self.random);
            arrivals.push((at, Arrival { link: id, to, bytes: Some(chunk.to_vec()) }));
        }
        (Some(taken), arrivals)
    }

    /// Closes an end. The other one learns of it after what is under way, unless the link is broken.
    pub fn close(&mut self, id: LinkId, from: End, now: u64) -> Option<(u64, Arrival)> {
        let link = self.links.get_mut(&id)?;
        let (stream, _) = link.incoming(from);
        stream.refused = true;
        stream.arrived = Vec::new();
        let (stream, to) = link.outgoing(from);
        let first = !std::mem::replace(&mut stream.closed, true);
        let arrival = (first && !stream.broken).then(|| {
            let at = stream.arrival(now, &self.weather, &mut self.random);
            (at, Arrival { link: id, to, bytes: None })
        });
        if link.up.closed && link.down.closed {
            self.links.remove(&id);
        }
        arrival
    }

    /// From now on nothing passes, in the given direction or both, and nobody is told.
    pub fn break_off(&mut self, id: LinkId, towards: Option<End>) {
        if let Some(link) = self.links.get_mut(&id) {
            link.up.broken |= towards != Some(End::Client);
            link.down.broken |= towards != Some(End::Server);
        }
    }

    /// Something arrives. Returns whether the receiver is still there to look.
    pub fn arrive(&mut self, arrival: Arrival) -> bool {
        let Some(link) = self.links.get_mut(&arrival.link) else { return false };
        let (stream, _) = link.incoming(arrival.to);
        match arrival.bytes {
            None => stream.ended = !stream.broken,
            Some(bytes) => {
                stream.in_flight = stream.in_flight.saturating_sub(bytes.len());
                if !stream.refused && !stream.broken {
                    stream.arrived.extend_from_slice(&bytes);
                }
            }
        }
        !stream.refused
    }

    /// Takes at most `most` bytes at an end.
    pub fn take(&mut self, id: LinkId, at: End, most: usize) -> Taken {
        let Some(link) = self.links.get_mut(&id) else { return Taken::End };
        let (stream, _) = link.incoming(at);
        if stream.arrived.is_empty() {
            return if stream.ended { Taken::End } else { Taken::Nothing };
        }
        let rest = stream.arrived.split_off(most.min(stream.arrived.len()));
        let bytes = std::mem::replace(&mut stream.arrived, rest);
        if at == End::Server {
            link.taken += to_u64(bytes.len());
        }
        Taken::Bytes(bytes)
    }
}

impl Link {
    /// Whether an end has something to take, be it the end of the stream.
    #[must_use]
    pub const fn has_news(&self, at: End) -> bool {
        let stream = match at {
            End::Client => &self.down,
            End::Server => &self.up,
        };
        !stream.arrived.is_empty() || stream.ended
    }

    /// Notes that a request ends where the client's stream ends now, plus `more`.
    pub fn request_ends(&mut self, more: usize) {
        self.requests.push_back(self.up.sent + to_u64(more));
    }

    /// Whether the server has taken the end of a request since the last call.
    pub fn took_request(&mut self) -> bool {
        let before = self.requests.len();
        while self.requests.front().is_some_and(|&end| end <= self.taken) {
            self.requests.pop_front();
        }
        self.requests.len() < before
    }

    const fn outgoing(&mut self, from: End) -> (&mut Stream, End) {
        match from {
            End::Client => (&mut self.up, End::Server),
            End::Server => (&mut self.down, End::Client),
        }
    }

    const fn incoming(&mut self, at: End) -> (&mut Stream, End) {
        match at {
            End::Client => (&mut self.down, End::Server),
            End::Server => (&mut self.up, End::Client),
        }
    }
}

impl Stream {
    /// When the next chunk arrives: always after the one before.
    fn arrival(&mut self, now: u64, weather: &Weather, random: &mut Random) -> u64 {
        let (low, high) = weather.delay;
        let slow = if random.chance(weather.slow_per_mille) { 100 } else { 1 };
        self.last_arrival = (self.last_arrival + 1).max(now + random.skewed(low, high) * slow);
        self.last_arrival
    }
}

fn to_u64(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}
