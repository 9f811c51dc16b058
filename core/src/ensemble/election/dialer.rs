//! Connections to others in the making.
//!
//! A server may have several addresses, and each name several more. They are tried in order, each as soon as the one before it has failed or has
//! kept silent for a moment, and the first that answers is taken. The engine says when all this has taken too long.

use super::names::{Answer, Names};
use super::wire::Wire;
use crate::ensemble::tls::Security;
use mio::{Registry, Token};
use quorate_engine::election::links::Link;
use quorate_wire::quorum::membership::HostPort;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

/// All attempts.
pub(super) struct Dialer {
    registry: Registry,
    names: Names,
    keep_alive: bool,
    security: Arc<Security>,
    attempts: BTreeMap<Link, Attempt>,
    outcomes: VecDeque<Outcome>,
}

/// How an attempt has ended.
pub(super) enum Outcome {
    Made { link: Link, wire: Wire, remote: SocketAddr },
    Failed { link: Link, failure: Failure },
}

/// Why there is no connection.
pub(super) struct Failure {
    /// To whom.
    pub(super) to: i64,
    /// The host is there, and nobody listens: no address answered, and one of them said so.
    pub(super) refused: bool,
    /// What was tried, and what came of it.
    pub(super) why: String,
}

/// Where a server may be.
pub(super) struct Place {
    pub(super) at: HostPort,
    /// It was told, by whoever says to be that server.
    pub(super) told: bool,
}

struct Attempt {
    to: i64,
    /// Names that are being looked up.
    asked: usize,
    /// Numbers of addresses to try.
    rest: VecDeque<usize>,
    /// Addresses that were tried or will be, and whose they are. The connection to each has the number at which it stands here.
    all: Vec<(SocketAddr, String)>,
    under_way: BTreeMap<usize, Wire>,
    /// When the next address is tried although the one before has not failed, ms.
    next_at: i64,
    refused: bool,
    why: Vec<String>,
}

impl Dialer {
    pub(super) fn new(
        registry: Registry,
        names: Names,
        keep_alive: bool,
        security: Arc<Security>,
    ) -> Self {
        let (attempts, outcomes) = (BTreeMap::new(), VecDeque::new());
        Self { registry, names, keep_alive, security, attempts, outcomes }
    }

    /// Begins to connect to a server.
    pub(super) fn begin(&mut self, now: i64, link: Link, to: i64, places: &[Place]) {
        let mut attempt = Attempt {
            to,
            asked: 0,
            rest: VecDeque::new(),
            all: Vec::new(),
            under_way: BTreeMap::new(),
            next_at: now,
            refused: false,
            why: Vec::new(),
        };
        for place in places {
            match self.names.ask(link, &place.at, place.told) {
                Answer::Known(address) => attempt.add(address, &place.at.host),
                Answer::Later => attempt.asked = attempt.asked.saturating_add(1),
                Answer::Never(error) => attempt.note(&place.at, &error),
            }
        }
        if places.is_empty() {
            attempt.why.push("it has no address".to_owned());
        }
        self.attempts.insert(link, attempt);
        self.go_on(now, link);
    }

    /// The addresses of a name are known, or will not be.
    pub(super) fn found(
        &mut self,
        now: i64,
        place: &HostPort,
        found: &io::Result<Vec<SocketAddr>>,
    ) {
        for link in self.names.answered(place) {
            let Some(attempt) = self.attempts.get_mut(&link) else { continue };
            attempt.asked = attempt.asked.saturating_sub(1);
            match found {
                Ok(addresses) => {
                    addresses.iter().for_each(|&address| attempt.add(address, &place.host))
                }
                Err(error) => attempt.note(place, error),
            }
            self.go_on(now, link);
        }
    }

    /// A connection in the making may have news.
    pub(super) fn ready(&mut self, now: i64, token: Token) {
        let Some((link, number)) = link_of(token) else { return };
        let Some(attempt) = self.attempts.get_mut(&link) else { return };
        let Some(wire) = attempt.under_way.get_mut(&number) else { return };
        let made = match wire.is_made() {
            Ok(false) => return,
            Ok(true) => Ok(()),
            Err(error) => Err(error),
        };
        let Some(wire) = attempt.under_way.remove(&number) else { return };
        let Some(&(remote, _)) = attempt.all.get(number) else { return };
        match made {
            Ok(()) => {
                self.end(link);
                self.outcomes.push_back(Outcome::Made { link, wire, remote });
            }
            Err(error) => {
                attempt.note(&remote, &error);
                self.go_on(now, link);
            }
        }
    }

    /// Tries further addresses whose time has come.
    pub(super) fn tick(&mut self, now: i64) {
        let due =
            |(&link, attempt): (&Link, &Attempt)| (attempt.deadline()? <= now).then_some(link);
        let due: Vec<Link> = self.attempts.iter().filter_map(due).collect();
        due.into_iter().for_each(|link| self.go_on(now, link));
    }

    pub(super) fn next_deadline(&self) -> Option<i64> {
        self.attempts.values().filter_map(Attempt::deadline).min()
    }

    pub(super) fn next_outcome(&mut self) -> Option<Outcome> {
        self.outcomes.pop_front()
    }

    /// Gives up. If it was still going on: what came of it so far.
    pub(super) fn end(&mut self, link: Link) -> Option<Failure> {
        self.names.forget(link);
        let mut attempt = self.attempts.remove(&link)?;
        let silent = attempt.under_way.keys().filter_map(|&number| attempt.all.get(number));
        let mut why: Vec<String> =
            silent.map(|(address, _)| format!("{address}: no answer")).collect();
        if attempt.asked > 0 {
            why.push("a name was not looked up in time".to_owned());
        }
        attempt.why.append(&mut why);
        Some(attempt.failure())
    }

    /// Gives up those to servers of which this is true, without a word: which they were.
    pub(super) fn end_those(&mut self, to: impl Fn(i64) -> bool) -> Vec<Link> {
        let those = |(&link, attempt): (&Link, &Attempt)| to(attempt.to).then_some(link);
        let those: Vec<Link> = self.attempts.iter().filter_map(those).collect();
        for &link in &those {
            self.end(link);
        }
        those
    }

    /// Tries the next addresses if it is time, or ends the attempt if there is nothing left.
    fn go_on(&mut self, now: i64, link: Link) {
        let Some(attempt) = self.attempts.get_mut(&link) else { return };
        while (attempt.under_way.is_empty() || attempt.next_at <= now)
            && let Some(number) = attempt.rest.pop_front()
        {
            attempt.next_at = now.saturating_add(MOMENT);
            let (Some((address, host)), Some(token)) =
                (attempt.all.get(number), token(link, number))
            else {
                continue;
            };
            let address = *address;
            let made = Wire::connect(address, host, self.keep_alive, &self.security).and_then(
                |mut wire| {
                    wire.register(&self.registry, token)?;
                    Ok(wire)
                },
            );
            match made {
                Ok(wire) => drop(attempt.under_way.insert(number, wire)),
                Err(error) => attempt.note(&address, &error),
            }
        }
        if attempt.under_way.is_empty() && attempt.rest.is_empty() && attempt.asked == 0 {
            self.names.forget(link);
            if let Some(attempt) = self.attempts.remove(&link) {
                let failure = attempt.failure();
                self.outcomes.push_back(Outcome::Failed { link, failure });
            }
        }
    }
}

impl Attempt {
    fn add(&mut self, address: SocketAddr, host: &str) {
        let is_known = self.all.iter().any(|(known, _)| *known == address);
        if self.all.len() < MAX_ADDRESSES && !is_known {
            self.rest.push_back(self.all.len());
            self.all.push((address, host.to_owned()));
        }
    }

    fn note(&mut self, place: &impl ToString, error: &io::Error) {
        self.refused |= error.kind() == io::ErrorKind::ConnectionRefused;
        if self.why.len() < MAX_REASONS {
            self.why.push(format!("{}: {error}", place.to_string()));
        }
    }

    fn deadline(&self) -> Option<i64> {
        (!self.rest.is_empty()).then_some(self.next_at)
    }

    fn failure(self) -> Failure {
        Failure { to: self.to, refused: self.refused, why: self.why.join(", ") }
    }
}

/// The poll token of the connection of this number, of those that are tried for a link.
pub(super) fn token(link: Link, number: usize) -> Option<Token> {
    let link = usize::try_from(link).ok()?.checked_mul(NUMBERS)?;
    Some(Token(link.checked_add(number)?))
}

/// What the poll token of a connection stands for.
pub(super) fn link_of(token: Token) -> Option<(Link, usize)> {
    Some((Link::try_from(token.0.checked_div(NUMBERS)?).ok()?, token.0.checked_rem(NUMBERS)?))
}

/// How long an address is waited for before the next one is tried as well, ms.
const MOMENT: i64 = 100;
/// Addresses tried for one connection.
const MAX_ADDRESSES: usize = 32;
/// Reasons named in one line of the log.
const MAX_REASONS: usize = 4;
/// Tokens of a link. Link 0 does not exist: its tokens are those of the listeners.
const NUMBERS: usize = super::listeners::LISTENER_TOKENS;
