//! Connecting to a leader that may have several addresses, and may not have opened its port yet.
//!
//! All addresses are tried at once, and the first that answers is taken. One that refuses is tried again after a quarter
//! of the time that the search has taken so far: a leader that is a few milliseconds late is found a few milliseconds later, and one that
//! does not come costs little. With TLS an answer is a handshake that has ended well. A name is looked up again each time. Who refuses at all addresses for a second is no leader any more: it has
//! died after its election, or has left its role. Apache's learners wait half as long.

use super::names::{Question, literal};
use crate::ensemble::tls::{Refusal, Security, Stream};
use mio::event::Event;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token, Waker};
use quorate_wire::quorum::address::HostPort;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

/// A search under way; times in ms.
#[derive(Debug)]
pub(super) struct Search {
    base: usize,
    registry: Registry,
    waker: Arc<Waker>,
    security: Arc<Security>,
    began: i64,
    ends: i64,
    targets: Vec<Target>,
    last: io::Error,
}

/// One of the leader's addresses.
#[derive(Debug)]
struct Target {
    address: HostPort,
    step: Step,
    /// Nobody listened there when that was last tried.
    refuses: bool,
}

#[derive(Debug)]
enum Step {
    /// Is tried again at this time.
    Resting(i64),
    /// Is being looked up.
    Asking(Question),
    /// Is being connected to, until this time.
    Trying(Vec<Attempt>, i64),
}

#[derive(Debug)]
struct Attempt {
    stream: Stream,
    remote: SocketAddr,
    token: Token,
    news: bool,
}

/// How a search stands.
#[derive(Debug)]
pub(super) enum Found {
    /// Not yet.
    Nothing,
    /// This connection, with this token.
    Connection(Stream, SocketAddr, Token),
    /// Time is up; the last thing that went wrong.
    Failure(io::Error),
}

impl Search {
    /// Begins at `now`, and ends at the latest at `ends`.
    pub(super) fn new(
        addresses: &[HostPort],
        base: usize,
        registry: Registry,
        waker: Arc<Waker>,
        security: Arc<Security>,
        now: i64,
        ends: i64,
    ) -> Self {
        let targets = addresses.iter().take(MOST_TARGETS).map(|address| Target {
            address: address.clone(),
            step: Step::Resting(now),
            refuses: false,
        });
        let last = io::Error::new(io::ErrorKind::TimedOut, "nothing was heard in time");
        let targets = targets.collect();
        let mut search = Self { base, registry, waker, security, began: now, ends, targets, last };
        for n in 0..search.targets.len() {
            // Nothing is connected before an event has said so.
            search.advance_target(n, now);
        }
        search
    }

    /// Notes an event; only those for tokens from `base` on.
    pub(super) fn ready(&mut self, event: &Event) {
        for target in &mut self.targets {
            if let Step::Trying(attempts, _) = &mut target.step {
                let concerned = attempts.iter_mut().find(|attempt| attempt.token == event.token());
                if let Some(attempt) = concerned {
                    attempt.news = true;
                }
            }
        }
    }

    /// Goes as far as is possible now.
    pub(super) fn advance(&mut self, now: i64) -> Found {
        for n in 0..self.targets.len() {
            if let Some((stream, remote, token)) = self.advance_target(n, now) {
                return Found::Connection(stream, remote, token);
            }
        }
        let refused = now.saturating_sub(self.began) >= REFUSED
            && self.targets.iter().all(|target| target.refuses);
        if refused || now >= self.ends {
            let last = std::mem::replace(&mut self.last, io::ErrorKind::TimedOut.into());
            return Found::Failure(last);
        }
        Found::Nothing
    }

    /// When [`advance`](Self::advance) has something to do without an event.
    pub(super) fn deadline(&self) -> i64 {
        let times = self.targets.iter().filter_map(|target| match target.step {
            Step::Resting(until) | Step::Trying(_, until) => Some(until),
            Step::Asking(_) => None,
        });
        times.fold(self.ends, i64::min)
    }

    fn advance_target(&mut self, n: usize, now: i64) -> Option<(Stream, SocketAddr, Token)> {
        let mut target = self.targets.get_mut(n)?;
        if let Step::Resting(until) = target.step
            && now >= until
        {
            let next = match literal(&target.address) {
                Some(address) => self.attempt(n, vec![address], now),
                None => match Question::ask(&target.address, &self.waker) {
                    Ok(question) => Step::Asking(question),
                    Err(error) => self.rest(error, now),
                },
            };
            target = self.targets.get_mut(n)?;
            target.step = next;
        }
        if let Step::Asking(question) = &target.step
            && let Some(answer) = question.answer()
        {
            let next = match answer {
                Ok(addresses) => self.attempt(n, addresses, now),
                Err(error) => self.rest(error, now),
            };
            target = self.targets.get_mut(n)?;
            target.step = next;
        }
        let Step::Trying(attempts, until) = &mut target.step else { return None };
        let until = *until;
        let mut wrong = None;
        for at in (0..attempts.len()).rev() {
            if !attempts.get(at).is_some_and(|attempt| attempt.news) {
                continue;
            }
            match attempts.swap_remove(at).outcome() {
                Outcome::Connected(attempt) => {
                    return Some((attempt.stream, attempt.remote, attempt.token));
                }
                Outcome::Pending(attempt) => attempts.push(attempt),
                Outcome::Failed(error) => wrong = Some(error),
            }
        }
        let over = attempts.is_empty() || now >= until;
        target.refuses = match &wrong {
            // Who is not let in, or is somebody else, will not do better a moment later.
            Some(error) => {
                error.kind() == io::ErrorKind::ConnectionRefused || Refusal::of(error).is_some()
            }
            None => target.refuses && !over,
        };
        if let Some(error) = wrong {
            self.last = error;
        }
        if over {
            let until = self.next_time(now);
            self.targets.get_mut(n)?.step = Step::Resting(until);
        }
        None
    }

    /// Connects to all addresses of a target.
    fn attempt(&mut self, target: usize, addresses: Vec<SocketAddr>, now: i64) -> Step {
        let first = self.base.saturating_add(target.saturating_mul(MOST_ADDRESSES));
        let host = self.targets.get(target).map(|target| target.address.host.clone());
        let host = host.unwrap_or_default();
        let mut attempts = Vec::new();
        let mut wrong = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for (n, remote) in addresses.into_iter().take(MOST_ADDRESSES).enumerate() {
            let token = Token(first.saturating_add(n));
            let stream = TcpStream::connect(remote).and_then(|mut socket| {
                let interest = Interest::READABLE | Interest::WRITABLE;
                self.registry.register(&mut socket, token, interest)?;
                self.security.connect(socket, remote, &host)
            });
            match stream {
                Ok(stream) => attempts.push(Attempt { stream, remote, token, news: false }),
                Err(error) => wrong = error,
            }
        }
        if attempts.is_empty() {
            return self.rest(wrong, now);
        }
        Step::Trying(attempts, now.saturating_add(PATIENCE))
    }

    fn rest(&mut self, wrong: io::Error, now: i64) -> Step {
        self.last = wrong;
        Step::Resting(self.next_time(now))
    }

    fn next_time(&self, now: i64) -> i64 {
        now.saturating_add(pause_after(now.saturating_sub(self.began)))
    }
}

/// How long to wait until the next attempt, when the search has taken so long.
fn pause_after(elapsed: i64) -> i64 {
    (elapsed / 4).clamp(SHORTEST_REST, LONGEST_REST)
}

enum Outcome {
    Connected(Attempt),
    Pending(Attempt),
    Failed(io::Error),
}

impl Attempt {
    /// What an event has said of it.
    fn outcome(mut self) -> Outcome {
        match self.stream.is_made() {
            Ok(true) => Outcome::Connected(self),
            Ok(false) => Outcome::Pending(Self { news: false, ..self }),
            Err(error) => Outcome::Failed(error),
        }
    }
}

/// Addresses of a leader, and of each of them what its name stands for.
const MOST_TARGETS: usize = 16;
const MOST_ADDRESSES: usize = 8;
/// Tokens that a search takes.
pub(super) const TOKENS: usize = MOST_TARGETS * MOST_ADDRESSES;
/// How long one attempt may take, ms.
const PATIENCE: i64 = 1000;
/// How long a leader may refuse before it is given up, ms.
const REFUSED: i64 = 1_000;
/// Between two attempts, ms.
const SHORTEST_REST: i64 = 1;
const LONGEST_REST: i64 = 250;

#[cfg(test)]
mod tests {
    use super::pause_after;

    #[test]
    fn a_search_slows_down_as_it_takes_longer() {
        let pauses = [0, 3, 8, 100, 999, 1000, 100_000].map(pause_after);
        assert_eq!(pauses, [1, 1, 2, 25, 249, 250, 250]);
    }
}
