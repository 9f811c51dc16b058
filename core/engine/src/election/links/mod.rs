//! The connections between servers on their election ports: who connects, which connection stays, what is sent when.
//!
//! Between two servers there is one connection, which the one with the larger id has made. One with a smaller id connects too, says who
//! it is, and hangs up; the other connects back. A newer connection replaces an older one, since only one side may have noticed that
//! that one is dead. For each peer one message waits at most, the newest: they tell a state and are no log. On a new connection the last one is
//! repeated. [`Links`] decides this; its driver owns the sockets, looks up the addresses of the members, and encrypts.
//! Source: `org.apache.zookeeper.server.quorum.QuorumCnxManager`.
//!
//! Other than in Apache a connection on which something was heard is missed when it breaks. The larger id makes it again; the smaller one only knocks,
//! and hangs up without a word, since a greeting would replace the connection that the other may be making. If the host refuses, the
//! process has died, and the next election need not wait for it. Where two servers have one id, each replaces the connection of the other, and misses
//! its own: so one that breaks soon after it was made again is not made once more until there is something to say. Servers that are no members are
//! listened to as well, up to a number, beyond which the newcomer takes the place of the oldest: whoever keeps connections and says nothing keeps nobody
//! out. Whoever says nothing in time is hung up on.

mod peer;
#[cfg(test)]
mod tests;

use peer::Peer;
use quorate_wire::frame::Split;
use quorate_wire::quorum::InitialMessage;
use quorate_wire::quorum::address::HostPort;
use quorate_wire::quorum::election::{InitialError, split_notification};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The name of a connection, given here; never used again.
pub type Link = u64;

/// One thing to do, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Connect to a server, and report [`Links::connected`] or [`Links::failed`].
    Connect {
        /// The name of the connection.
        link: Link,
        /// The server.
        to: i64,
        /// Where it said that it can be reached; if empty, its configured addresses.
        at: Vec<HostPort>,
    },
    /// Write this with one call, and report [`Links::written`] when nothing is left to be written.
    Write {
        /// The connection.
        link: Link,
        /// What to write.
        bytes: Vec<u8>,
    },
    /// Close the connection when everything is written. Nothing of it counts any more.
    Close {
        /// The connection.
        link: Link,
    },
    /// A server sent a notification: decode it, and give it to the election.
    Heard {
        /// The server; a negative one has no id of its own.
        from: i64,
        /// The payload of the frame.
        payload: Vec<u8>,
    },
    /// There is a connection to this server.
    Reachable(i64),
    /// The host of this server refuses connections.
    Unreachable(i64),
    /// Something that should be logged; what must be done about it is another command.
    Problem {
        /// The connection; it is closed by the next command.
        link: Link,
        /// What is wrong with it.
        problem: Problem,
    },
}

/// What is wrong with a connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// It does not begin as it must.
    #[error("a connection to the election port is closed: {0}")]
    Greeting(#[from] InitialError),
    /// Nobody said who it is.
    #[error("a connection to the election port is closed: nothing was said in time")]
    Silent,
    /// Another server has this one's id.
    #[error("a server with our own id {0} has connected: two servers have the same myid")]
    OwnId(i64),
    /// A frame has an impossible length.
    #[error("the election connection of server {0} is closed: a frame of {1} bytes")]
    Frame(i64, i32),
    /// Too many connections of nobody in particular: this is the oldest.
    #[error(
        "a connection to the election port is closed: there are {0} of strangers, and another one has come"
    )]
    Crowd(usize),
    /// A server connects again and again while its last connection is in use.
    #[error(
        "server {0} connects again and again, though its last connection is in use: two servers may have the myid {0}"
    )]
    Twins(i64),
}

/// Times and limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkOptions {
    /// How long a connection may take to be made, ms. `zookeeper.cnxTimeout`.
    pub connect_timeout: i64,
    /// How long the initial message may take, ms. `quorumCnxnTimeoutMs`, or `tickTime * syncLimit`.
    pub greeting_timeout: i64,
    /// How many connections there may be whose servers are not known, or are no members.
    pub strangers: usize,
}

/// The connections of one server.
#[derive(Clone, Debug)]
pub struct Links {
    me: i64,
    options: LinkOptions,
    /// What this server says first.
    greeting: Vec<u8>,
    members: BTreeSet<i64>,
    peers: BTreeMap<i64, Peer>,
    sockets: BTreeMap<Link, Socket>,
    next_link: Link,
    /// The id of the next server without one.
    next_nameless: i64,
    commands: VecDeque<Command>,
}

/// What is known of a connection.
#[derive(Clone, Debug)]
enum Socket {
    /// Being made. A knock is only to see whether somebody is there.
    Connecting { to: i64, deadline: i64, knock: bool },
    /// Accepted, and nobody has said who it is.
    Greeting { buffer: Vec<u8>, deadline: i64 },
    /// In use.
    Open { sid: i64, buffer: Vec<u8>, heard: bool },
}

impl Links {
    /// The connections of server `me`, which introduces itself with `greeting`.
    #[must_use]
    pub fn new(me: i64, greeting: &InitialMessage, options: LinkOptions) -> Self {
        Self {
            me,
            options,
            greeting: written(greeting),
            members: BTreeSet::new(),
            peers: BTreeMap::new(),
            sockets: BTreeMap::new(),
            next_link: 0,
            next_nameless: -1,
            commands: VecDeque::new(),
        }
    }

    /// The next thing to do; in order.
    pub fn next_command(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    /// Introduces this server differently from now on: its own addresses have changed.
    pub fn set_greeting(&mut self, greeting: &InitialMessage) {
        self.greeting = written(greeting);
    }

    /// Goes by other members: all servers of the committed and of the proposed configuration. The connections of others end.
    pub fn set_members(&mut self, members: BTreeSet<i64>) {
        let gone: Vec<i64> = self.members.difference(&members).copied().collect();
        self.members = members;
        for sid in gone {
            if let Some(peer) = self.peers.remove(&sid) {
                peer.link.into_iter().chain(peer.attempt).for_each(|link| self.close(link));
            }
        }
    }

    /// Sends a frame: now, as soon as the one before it is written, or as soon as there is a connection, which is made if need be.
    /// A frame that comes later replaces it until then. To a server that is neither a member nor connected nothing is sent.
    pub fn send(&mut self, now: i64, to: i64, frame: Vec<u8>) {
        if to == self.me {
            return;
        }
        if self.members.contains(&to) {
            self.peers.entry(to).or_default();
        }
        let Some(peer) = self.peers.get_mut(&to) else { return };
        peer.waiting = Some(frame);
        if peer.link.is_some() {
            self.pump(to);
        } else if self.members.contains(&to) {
            self.connect(now, to, Vec::new());
        }
    }

    /// Repeats nothing of what was sent so far: what a server says while it looks for a leader, or has one, is not true any more when it rests.
    pub fn forget(&mut self) {
        self.peers.values_mut().for_each(Peer::forget);
    }

    /// Tells that somebody has connected; gives the connection's name.
    pub fn accepted(&mut self, now: i64) -> Link {
        let link = self.name();
        let (count, oldest) = (self.strangers().count(), self.strangers().next());
        if let Some(oldest) = oldest.filter(|_| count >= self.options.strangers) {
            self.fail(oldest, Problem::Crowd(count));
        }
        let deadline = now.saturating_add(self.options.greeting_timeout);
        self.sockets.insert(link, Socket::Greeting { buffer: Vec::new(), deadline });
        link
    }

    /// Tells that a connection was made.
    pub fn connected(&mut self, now: i64, link: Link) {
        let Some(&Socket::Connecting { to, knock, .. }) = self.sockets.get(&link) else { return };
        self.end_attempt(link, to);
        let waits = self.peers.get(&to).is_some_and(|peer| peer.waiting.is_some());
        if knock && !waits {
            return self.close(link);
        }
        self.commands.push_back(Command::Write { link, bytes: self.greeting.clone() });
        if to > self.me {
            // It connects back.
            self.close(link);
        } else {
            self.open(now, link, to, Vec::new());
        }
    }

    /// Tells that a connection could not be made, and whether the host refused it. The next message tries again.
    pub fn failed(&mut self, link: Link, refused: bool) {
        if let Some(&Socket::Connecting { to, .. }) = self.sockets.get(&link) {
            self.sockets.remove(&link);
            self.end_attempt(link, to);
            if refused && self.peers.get(&to).is_none_or(|peer| peer.link.is_none()) {
                self.commands.push_back(Command::Unreachable(to));
            }
        }
    }

    /// Tells that a connection was closed by the other side, or broke.
    pub fn closed(&mut self, now: i64, link: Link) {
        let (sid, heard) = match self.sockets.remove(&link) {
            Some(Socket::Open { sid, heard, .. }) => (sid, heard),
            Some(Socket::Connecting { to, .. }) => return self.end_attempt(link, to),
            Some(Socket::Greeting { .. }) | None => return,
        };
        let Some(peer) = self.peers.get_mut(&sid).filter(|peer| peer.link == Some(link)) else {
            return;
        };
        peer.link = None;
        if !self.members.contains(&sid) {
            self.peers.remove(&sid);
        } else if heard && peer.may_be_missed(now) {
            // One that never says anything is not worth it: it could be closed again and again.
            self.reach(now, sid, Vec::new(), sid > self.me);
        }
    }

    /// Tells that everything has been written to a connection.
    pub fn written(&mut self, link: Link) {
        let Some(&Socket::Open { sid, .. }) = self.sockets.get(&link) else { return };
        if let Some(peer) = self.peers.get_mut(&sid).filter(|peer| peer.link == Some(link)) {
            peer.busy = false;
            self.pump(sid);
        }
    }

    /// Takes what came in on a connection.
    pub fn received(&mut self, now: i64, link: Link, bytes: &[u8]) {
        match self.sockets.get_mut(&link) {
            Some(Socket::Greeting { buffer, .. }) => {
                buffer.extend_from_slice(bytes);
                match InitialMessage::split(buffer) {
                    Ok(Some((message, len))) => {
                        let rest = buffer.split_off(len);
                        self.introduce(now, link, message, rest);
                    }
                    Ok(None) => {}
                    Err(error) => self.fail(link, error.into()),
                }
            }
            Some(Socket::Open { buffer, .. }) => {
                buffer.extend_from_slice(bytes);
                self.split(link);
            }
            Some(Socket::Connecting { .. }) | None => {}
        }
    }

    /// Gives up on connections that take too long. To be called at [`Self::next_deadline`] at the latest.
    pub fn tick(&mut self, now: i64) {
        let late = |(&link, socket): (&Link, &Socket)| (socket.deadline()? <= now).then_some(link);
        let late: Vec<Link> = self.sockets.iter().filter_map(late).collect();
        for link in late {
            if let Some(Socket::Connecting { .. }) = self.sockets.get(&link) {
                self.close(link);
            } else {
                self.fail(link, Problem::Silent);
            }
        }
    }

    /// When [`Self::tick`] has something to do, ms.
    #[must_use]
    pub fn next_deadline(&self) -> Option<i64> {
        self.sockets.values().filter_map(Socket::deadline).min()
    }

    /// Somebody says who it is.
    fn introduce(&mut self, now: i64, link: Link, message: InitialMessage, rest: Vec<u8>) {
        let sid = match message.sid {
            // Observers of old have no id.
            i64::MIN | i64::MAX => self.nameless(),
            sid => sid,
        };
        if sid == self.me {
            self.fail(link, Problem::OwnId(sid));
        } else if sid > self.me || message.sid != sid {
            self.open(now, link, sid, rest);
        } else {
            // The own connection to it may be dead without anybody having noticed here.
            let peer = self.peers.entry(sid).or_default();
            let old = peer.link.take();
            self.part(now, sid, old);
            self.close(link);
            let at = message.addresses.into_iter().filter(|address| !address.is_wildcard());
            self.connect(now, sid, at.collect());
        }
    }

    fn nameless(&mut self) -> i64 {
        let sid = self.next_nameless;
        self.next_nameless = sid.checked_sub(1).unwrap_or(-1);
        sid
    }

    /// Takes a connection into use, instead of any other one of this server.
    fn open(&mut self, now: i64, link: Link, sid: i64, buffer: Vec<u8>) {
        let old = self.peers.entry(sid).or_default().open(link);
        self.part(now, sid, old);
        self.sockets.insert(link, Socket::Open { sid, buffer, heard: false });
        self.commands.push_back(Command::Reachable(sid));
        self.pump(sid);
        self.split(link);
    }

    /// Closes the connection that another one replaces. Once that may be because only the other side knows that it is dead.
    fn part(&mut self, now: i64, sid: i64, old: Option<Link>) {
        let Some(old) = old else { return };
        let used = matches!(self.sockets.get(&old), Some(Socket::Open { heard: true, .. }));
        if used && self.peers.get_mut(&sid).is_some_and(|peer| peer.is_replaced_often(now)) {
            self.fail(old, Problem::Twins(sid));
        } else {
            self.close(old);
        }
    }

    fn connect(&mut self, now: i64, to: i64, at: Vec<HostPort>) {
        self.reach(now, to, at, false);
    }

    /// Connects, unless that is being done already.
    fn reach(&mut self, now: i64, to: i64, at: Vec<HostPort>, knock: bool) {
        let link = self.name();
        let peer = self.peers.entry(to).or_default();
        if peer.attempt.is_some() {
            return;
        }
        peer.attempt = Some(link);
        let deadline = now.saturating_add(self.options.connect_timeout);
        self.sockets.insert(link, Socket::Connecting { to, deadline, knock });
        self.commands.push_back(Command::Connect { link, to, at });
    }

    /// Hands out the notifications that are there as a whole.
    fn split(&mut self, link: Link) {
        let Some(Socket::Open { sid, buffer, heard }) = self.sockets.get_mut(&link) else { return };
        let from = *sid;
        let mut taken = 0_usize;
        let illegal = loop {
            match split_notification(buffer.get(taken..).unwrap_or_default()) {
                Split::Frame { payload, consumed } => {
                    *heard = true;
                    let payload = payload.to_vec();
                    self.commands.push_back(Command::Heard { from, payload });
                    taken = taken.saturating_add(consumed);
                }
                Split::Incomplete(_) => break None,
                Split::Illegal(length) => break Some(length),
            }
        };
        buffer.drain(..taken);
        if let Some(length) = illegal {
            self.fail(link, Problem::Frame(from, length));
        }
    }

    /// Writes the message that waits, if nothing is being written.
    fn pump(&mut self, sid: i64) {
        if let Some((link, bytes)) = self.peers.get_mut(&sid).and_then(Peer::next) {
            self.commands.push_back(Command::Write { link, bytes });
        }
    }

    fn end_attempt(&mut self, link: Link, to: i64) {
        if let Some(peer) = self.peers.get_mut(&to) {
            peer.attempt.take_if(|attempt| *attempt == link);
            if !self.members.contains(&to) && peer.link.is_none() {
                self.peers.remove(&to);
            }
        }
    }

    /// Hangs up because of a problem.
    fn fail(&mut self, link: Link, problem: Problem) {
        self.commands.push_back(Command::Problem { link, problem });
        self.close(link);
    }

    fn close(&mut self, link: Link) {
        let Some(socket) = self.sockets.remove(&link) else { return };
        self.commands.push_back(Command::Close { link });
        if let Socket::Connecting { to, .. } = socket {
            self.end_attempt(link, to);
        }
        let Socket::Open { sid, .. } = socket else { return };
        let Some(peer) = self.peers.get_mut(&sid) else { return };
        peer.link.take_if(|current| *current == link);
        if !self.members.contains(&sid) && peer.link.is_none() && peer.attempt.is_none() {
            self.peers.remove(&sid);
        }
    }

    /// Connections of nobody in particular, oldest first.
    fn strangers(&self) -> impl Iterator<Item = Link> {
        let is_one = |socket: &Socket| match socket {
            Socket::Greeting { .. } => true,
            Socket::Connecting { to: sid, .. } | Socket::Open { sid, .. } => {
                !self.members.contains(sid)
            }
        };
        self.sockets.iter().filter(move |(_, socket)| is_one(socket)).map(|(&link, _)| link)
    }

    const fn name(&mut self) -> Link {
        self.next_link = self.next_link.wrapping_add(1);
        self.next_link
    }
}

impl Socket {
    const fn deadline(&self) -> Option<i64> {
        match self {
            Self::Connecting { deadline, .. } | Self::Greeting { deadline, .. } => Some(*deadline),
            Self::Open { .. } => None,
        }
    }
}

fn written(greeting: &InitialMessage) -> Vec<u8> {
    let mut bytes = Vec::new();
    greeting.write(&mut bytes);
    bytes
}
