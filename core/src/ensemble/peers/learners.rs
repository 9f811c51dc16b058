//! The leader's end: whoever connects to its quorum port.
//!
//! With SASL switched off, Apache's leaders ask nobody for a proof, and so it is here: the first thing that is said is
//! FOLLOWERINFO or OBSERVERINFO. A learner that insists on proving itself finds its connection closed.
//!
//! Of those who have not said who they are there are few at a time: the next one takes the place of the oldest, so that whoever keeps
//! connections and says nothing keeps no learner out. What is wrong with them is said once in a while.

use super::learner::{Heard, Learner};
use super::link::Link;
use super::ports::{MOST_PORTS, Ports};
use super::{Limits, Loss};
use crate::ensemble::catch_up::LogFeed;
use crate::ensemble::tls::Security;
use mio::event::Event;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use quorate_engine::tree::{FrozenHead, StreamId, Tree};
use quorate_engine::zab::{LearnerKey, Leaving, ToLeader, ToLearner};
use slab::Slab;
use std::collections::VecDeque;
use std::fmt::Display;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

/// What has happened at the quorum port.
#[derive(Debug)]
pub(crate) enum LearnerReport {
    /// Somebody has connected.
    Connected(LearnerKey, SocketAddr),
    /// A learner says something.
    Message(LearnerKey, ToLeader),
    /// A learner's connection is lost. Nothing more is said of it.
    Gone(LearnerKey, Loss),
}

/// The connections of a leader's learners.
///
/// A key has the place of its connection in its lower bits, and above them a number that is never used twice.
#[derive(Debug)]
pub(crate) struct LearnerLinks {
    ports: Ports,
    registry: Registry,
    security: Arc<Security>,
    base: usize,
    limits: Limits,
    learners: Slab<Learner>,
    connections: u64,
    reports: VecDeque<LearnerReport>,
    /// Who may have something to say in this round, and in the next.
    turn: VecDeque<LearnerKey>,
    later: Vec<LearnerKey>,
    /// To whom something can be written.
    dirty: Vec<LearnerKey>,
    /// Who is being given a part of the log.
    feeding: Vec<LearnerKey>,
    /// Trees whose learners are gone.
    given_up: Vec<StreamId>,
    /// For the data of packets.
    room: Vec<u8>,
    /// There may be more to accept, of which no event will tell.
    unaccepted: bool,
    /// ms.
    now: i64,
    /// What was said about those who never said who they are.
    strangers: Sparing,
    /// Why a learner was refused last, and how often that was said.
    refused: (String, Sparing),
    /// About learners whose connections have ended.
    learners_said: Said,
}

/// Something that is said now and then only.
#[derive(Debug, Default)]
struct Sparing {
    /// From when it may be said again, ms.
    again_at: i64,
    untold: u64,
}

impl Sparing {
    /// Whether it may be said now; and then what is to be said of the times when it might not.
    fn ask(&mut self, now: i64) -> Option<String> {
        if now < self.again_at {
            self.untold = self.untold.saturating_add(1);
            return None;
        }
        self.again_at = now.saturating_add(SAID_EVERY);
        Some(match std::mem::take(&mut self.untold) {
            0 => String::new(),
            n => format!(" ({n} times more since the like of this was last said)"),
        })
    }
}

/// A good number of lines in a while, and how many more there would have been. Whoever can connect can have a line written, and then the next.
#[derive(Debug)]
struct Said {
    most: u32,
    left: u32,
    /// From when on there are so many again, ms.
    again_at: i64,
    untold: u64,
}

impl Said {
    const fn new(most: u32) -> Self {
        Self { most, left: most, again_at: 0, untold: 0 }
    }

    /// Nothing if it may not be said; otherwise what is to be said of what was not.
    fn may_say(&mut self, now: i64) -> Option<String> {
        if now >= self.again_at {
            self.again_at = now.saturating_add(SAID_EVERY);
            self.left = self.most;
        }
        let Some(left) = self.left.checked_sub(1) else {
            self.untold = self.untold.saturating_add(1);
            return None;
        };
        self.left = left;
        Some(match std::mem::take(&mut self.untold) {
            0 => String::new(),
            n => format!(" ({n} times more since the like of this was last said)"),
        })
    }
}

impl LearnerLinks {
    /// Poll tokens that they take.
    pub(crate) const TOKENS: usize = MOST_PORTS + MOST_LEARNERS;

    /// Listens at those addresses where it is possible, which must be one at least. Tokens count up from `base`.
    pub(crate) fn open(
        addresses: &[SocketAddr],
        base: usize,
        limits: Limits,
        security: &Arc<Security>,
        registry: &Registry,
    ) -> io::Result<Self> {
        Ok(Self {
            ports: Ports::open(addresses, base, registry)?,
            registry: registry.try_clone()?,
            security: Arc::clone(security),
            base,
            limits,
            learners: Slab::new(),
            connections: 0,
            reports: VecDeque::new(),
            turn: VecDeque::new(),
            later: Vec::new(),
            dirty: Vec::new(),
            feeding: Vec::new(),
            given_up: Vec::new(),
            room: Vec::new(),
            unaccepted: false,
            now: 0,
            strangers: Sparing::default(),
            refused: Default::default(),
            learners_said: Said::new(LEARNERS_SAID),
        })
    }

    /// Where it listens.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.ports.addresses()
    }

    /// Takes an event of the poll; false if it is not for these links.
    pub(crate) fn ready(&mut self, event: &Event) -> bool {
        let Token(token) = event.token();
        let Some(n) = token.checked_sub(self.base).filter(|&n| n < Self::TOKENS) else {
            return false;
        };
        let Some(place) = n.checked_sub(MOST_PORTS) else {
            self.accept();
            return true;
        };
        // A late event of a predecessor at the same place only has a socket looked at in vain.
        let Some(learner) = self.learners.get_mut(place) else { return true };
        learner.link.note(event);
        let (key, readable) = (learner.key, learner.link.readable);
        if readable && !std::mem::replace(&mut learner.listed, true) {
            learner.link.begin_round();
            self.turn.push_back(key);
        }
        self.mark(key);
        true
    }

    /// Looks after connections that could not be accepted for want of descriptors, which cause no second event.
    pub(crate) fn tick(&mut self, now: i64) {
        self.now = now;
        self.accept();
    }

    /// The next thing that has happened. `crowded`: there are too many requests already, so that those which come are put aside,
    /// and links with many of them are not read. What else the learners say, they say.
    pub(crate) fn next(&mut self, crowded: bool) -> Option<LearnerReport> {
        loop {
            if let Some(report) = self.reports.pop_front() {
                return Some(report);
            }
            let key = *self.turn.front()?;
            let limits = self.limits;
            let heard = self.get(key).map(|learner| learner.hear(crowded, limits));
            match heard {
                Some(Ok(Heard::Message(message))) => {
                    return Some(LearnerReport::Message(key, message));
                }
                Some(Ok(Heard::Later)) => self.later.push(key),
                Some(Ok(Heard::Nothing)) => {
                    if let Some(learner) = self.get(key) {
                        learner.listed = false;
                    }
                }
                Some(Err(loss)) => self.lose(key, loss),
                None => {}
            }
            self.turn.pop_front();
        }
    }

    /// Sends something behind what was sent to this learner before. Whoever has too much waiting is lost by it.
    pub(crate) fn send(&mut self, key: LearnerKey, message: &ToLearner) {
        let limit = self.limits.queue;
        let mut room = std::mem::take(&mut self.room);
        let queued = self.get(key).map(|learner| {
            learner.send(message, &mut room);
            learner.queued()
        });
        self.room = room;
        match queued {
            Some(queued) if queued > limit => self.lose(key, Loss::Behind { queued, limit }),
            Some(_) => self.mark(key),
            None => {}
        }
    }

    /// Sends the tree as it is now, behind SNAP; what is sent later comes behind it. Several may be on their way at once.
    pub(crate) fn send_tree(&mut self, key: LearnerKey, tree: &mut Tree) -> Option<FrozenHead> {
        let frozen = self.get(key)?.send_tree(tree);
        self.mark(key);
        Some(frozen)
    }

    /// Sends a part of the log; what is sent later comes behind it.
    pub(crate) fn send_log(&mut self, key: LearnerKey, feed: LogFeed) {
        if let Some(learner) = self.get(key) {
            learner.send_log(feed);
            self.feeding.push(key);
        }
    }

    /// Ends a connection, about which nothing more is reported, and says why.
    pub(crate) fn close(&mut self, key: LearnerKey, why: &Leaving) {
        if let Some(learner) = self.forget(key) {
            self.refuse(&learner, why);
        }
        self.reports.retain(|report| match report {
            LearnerReport::Connected(of, _)
            | LearnerReport::Message(of, _)
            | LearnerReport::Gone(of, _) => *of != key,
        });
    }

    /// Writes what can be written. A new round begins.
    pub(crate) fn flush(&mut self, tree: &mut Tree) {
        for key in std::mem::take(&mut self.feeding) {
            if self.get(key).is_some_and(Learner::look_at_log) {
                self.feeding.push(key);
                self.mark(key);
            }
        }
        for key in std::mem::take(&mut self.dirty) {
            let Some(learner) = self.get(key) else { continue };
            learner.dirty = false;
            match learner.write(tree) {
                Ok(()) => self.mark(key),
                Err(loss) => self.lose(key, loss),
            }
        }
        self.drop_the_slow(tree);
        if self.unaccepted {
            self.accept();
        }
        self.given_up.drain(..).for_each(|id| tree.abandon_stream(id));
        self.turn.extend(self.later.drain(..));
        for &key in &self.turn {
            if let Some(learner) = find(&mut self.learners, key) {
                learner.link.begin_round();
            }
        }
    }

    /// Whether there is something to do for which no event will come.
    pub(crate) fn has_work(&self, crowded: bool) -> bool {
        !self.reports.is_empty()
            || self.unaccepted
            || !self.dirty.is_empty()
            || self.turn.iter().chain(&self.later).any(|&key| {
                let learner = self.learners.get(place(key)).filter(|learner| learner.key == key);
                learner.is_some_and(|learner| learner.may_be_heard(crowded, self.limits))
            })
    }

    /// Ends everything.
    pub(crate) fn shutdown(mut self, tree: &mut Tree) {
        let streams = self.learners.iter().filter_map(|(_, learner)| learner.stream());
        streams.chain(self.given_up.drain(..)).for_each(|id| tree.abandon_stream(id));
    }

    /// Lets in whoever has connected; in one round not so many that who is among them has no time to say who it is.
    fn accept(&mut self) {
        self.unaccepted = true;
        for _ in 0..ACCEPTED_AT_ONCE {
            let Some((socket, remote)) = self.ports.accept() else {
                self.unaccepted = false;
                return;
            };
            self.make_room();
            if self.learners.len() >= MOST_LEARNERS {
                tracing::warn!("too many learners: the connection from {remote} is closed");
            } else if let Err(error) = self.admit(socket, remote) {
                tracing::warn!("connection from {remote} dropped: {error}");
            }
        }
    }

    /// One who has not said who it is makes room for the next, if there are many of them.
    fn make_room(&mut self) {
        let silent = self.learners.iter().filter(|(_, learner)| !learner.has_spoken());
        let (count, oldest) = silent.fold((0_usize, None), |(count, oldest), (_, learner)| {
            (count.saturating_add(1), oldest.into_iter().chain([learner.key]).min())
        });
        if let Some(oldest) = oldest.filter(|_| count >= MOST_STRANGERS) {
            self.lose(oldest, Loss::Crowd(count));
        }
    }

    fn admit(&mut self, mut socket: TcpStream, remote: SocketAddr) -> io::Result<()> {
        let entry = self.learners.vacant_entry();
        let token = Token(self.base.saturating_add(MOST_PORTS).saturating_add(entry.key()));
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.registry.register(&mut socket, token, interest)?;
        self.connections = self.connections.saturating_add(1);
        let place = u64::try_from(entry.key()).unwrap_or(u64::MAX);
        let key = LearnerKey(self.connections << PLACE_BITS | place);
        let mut learner =
            Learner::new(key, Link::new(self.security.accept(socket, remote), remote));
        learner.listed = true;
        entry.insert(learner);
        self.turn.push_back(key);
        self.reports.push_back(LearnerReport::Connected(key, remote));
        Ok(())
    }

    fn get(&mut self, key: LearnerKey) -> Option<&mut Learner> {
        find(&mut self.learners, key)
    }

    /// Lists it for writing, if that makes sense.
    fn mark(&mut self, key: LearnerKey) {
        if let Some(learner) = self.get(key)
            && learner.can_write()
            && !std::mem::replace(&mut learner.dirty, true)
        {
            self.dirty.push(key);
        }
    }

    /// A tree that is not read costs a copy of every node that changes meanwhile: that counts, too.
    fn drop_the_slow(&mut self, tree: &Tree) {
        let limit = self.limits.queue;
        let slow = self.learners.iter().filter_map(|(_, learner)| {
            let backlog = tree.stream_backlog(learner.stream()?);
            let queued = learner.queued().saturating_add(backlog);
            (queued > limit).then_some((learner.key, queued))
        });
        for (key, queued) in slow.collect::<Vec<_>>() {
            self.lose(key, Loss::Behind { queued, limit });
        }
    }

    fn lose(&mut self, key: LearnerKey, loss: Loss) {
        let Some(learner) = self.forget(key) else { return };
        if learner.has_spoken() || !matches!(loss, Loss::Ended) {
            self.complain(&learner, &loss);
        } else {
            // One that has found another address of this server sooner.
            tracing::debug!("connection from {}: {loss}", learner.link.remote);
        }
        self.reports.push_back(LearnerReport::Gone(key, loss));
    }

    /// Says why this server closes a connection. One that is refused comes again at once, and is refused for the same reason; one that has
    /// come to nothing by itself is news each time.
    fn refuse(&mut self, learner: &Learner, why: &Leaving) {
        if !learner.has_spoken() || matches!(why, Leaving::Silent | Leaving::Slow) {
            return self.complain(learner, why);
        }
        let text = why.to_string();
        let (before, sparing) = &mut self.refused;
        if *before != text {
            before.clone_from(&text);
            *sparing = Sparing::default();
        }
        match sparing.ask(self.now) {
            None => tracing::debug!("learner at {}: {text}", learner.link.remote),
            Some(more) => self.complain(learner, &format_args!("{text}{more}")),
        }
    }

    /// Says why a connection has ended: of learners a good number of times, of strangers now and then.
    fn complain(&mut self, learner: &Learner, why: &impl Display) {
        let remote = learner.link.remote;
        if learner.has_spoken() {
            return match self.learners_said.may_say(self.now) {
                None => tracing::debug!("learner at {remote}: {why}"),
                Some(more) => tracing::warn!("learner at {remote}: {why}{more}"),
            };
        }
        match self.strangers.ask(self.now) {
            None => tracing::debug!("connection from {remote}: {why}"),
            Some(more) => tracing::warn!(
                "a connection to the quorum port from {remote}: {why}; only members of the ensemble should connect there{more}"
            ),
        }
    }

    fn forget(&mut self, key: LearnerKey) -> Option<Learner> {
        self.get(key)?;
        let learner = self.learners.try_remove(place(key))?;
        self.given_up.extend(learner.stream());
        Some(learner)
    }
}

fn find(learners: &mut Slab<Learner>, key: LearnerKey) -> Option<&mut Learner> {
    learners.get_mut(place(key)).filter(|learner| learner.key == key)
}

fn place(key: LearnerKey) -> usize {
    usize::try_from(key.0 & ((1 << PLACE_BITS) - 1)).unwrap_or(usize::MAX)
}

/// Connections at once.
const MOST_LEARNERS: usize = 1 << PLACE_BITS;
const PLACE_BITS: u32 = 12;
/// Connections at once of those who have not said who they are.
const MOST_STRANGERS: usize = 64;
/// Connections accepted in one round.
const ACCEPTED_AT_ONCE: usize = 32;
/// Of learners so many lines are said in a while: all that happens to the members of an ensemble, and not what happens again and again.
const LEARNERS_SAID: u32 = 20;
/// How long a while is, ms.
const SAID_EVERY: i64 = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_again_and_again_is_said_a_few_times_and_then_counted() {
        for most in [1, LEARNERS_SAID] {
            let mut said = Said::new(most);
            for _ in 0..most {
                assert_eq!(said.may_say(5), Some(String::new()));
            }
            (0..3).for_each(|_| assert_eq!(said.may_say(4 + SAID_EVERY), None));
            let more = said.may_say(5 + SAID_EVERY).unwrap();
            assert!(more.contains("3 times more"), "{more}");
        }
    }
}
