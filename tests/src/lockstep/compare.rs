//! Holds what the clients of both servers saw in one step against each other.

use super::known;
use super::normalise::{Normal, normalise};
use super::side::{Item, Side};
use crate::messages::ReplyBody;
use quorate_wire::event::WatcherEvent;
use quorate_wire::frame::RequestHeader;
use quorate_wire::op::multi_result::MultiResult;
use quorate_wire::{Jute, OpCode};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// What was met how often.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Each known difference.
    pub known: BTreeMap<&'static str, usize>,
    /// Each operation with each of its outcomes, as Apache sees it; the barrier's pings too.
    pub outcomes: BTreeMap<(&'static str, i32), usize>,
    /// Notifications, by their type.
    pub events: BTreeMap<i32, usize>,
}

/// What differs between the two streams of one client, as text; `None` if nothing does.
///
/// `unordered` says that the order of adjacent notifications is nobody's promise.
pub(super) fn difference(
    apache: (&mut Side, &[Item]),
    ours: (&mut Side, &[Item]),
    unordered: bool,
    tally: &mut Tally,
) -> Option<String> {
    let release = apache.0.release();
    let theirs = normalised(apache.0, apache.1, unordered);
    let own = normalised(ours.0, ours.1, unordered);
    theirs.iter().for_each(|item| tally.count(item));
    let mut equal = theirs.len() == own.len();
    for (at, (a, b)) in theirs.iter().zip(&own).enumerate() {
        if a == b {
            continue;
        }
        match known::accepted(release, theirs.get(..at).unwrap_or_default(), a, b) {
            Some(what) => *tally.known.entry(what).or_default() += 1,
            None => equal = false,
        }
    }
    if equal { None } else { Some(told(&theirs, &own)) }
}

impl Tally {
    fn count(&mut self, item: &Normal<'_>) {
        match item {
            Normal::Reply(request, reply, _) => {
                let op = RequestHeader::from_bytes(request).map_or(0, |h| h.op);
                let name = OpCode::from_code(op).map_or("unknown", OpCode::name);
                let failed = match &reply.body {
                    ReplyBody::Multi(r) => r.results.iter().find_map(|part| match part {
                        MultiResult::Error(code) if *code != 0 => Some(*code),
                        _ => None,
                    }),
                    _ => None,
                };
                let err = failed.unwrap_or(reply.header.err);
                *self.outcomes.entry((name, err)).or_default() += 1;
            }
            Normal::Event(reply) => {
                if let ReplyBody::Event(event) = &reply.body {
                    *self.events.entry(event.kind).or_default() += 1;
                }
            }
            Normal::Strange(_) | Normal::Other(_) => {}
        }
    }
}

fn normalised<'a>(side: &mut Side, items: &'a [Item], unordered: bool) -> Vec<Normal<'a>> {
    let mut all: Vec<Normal<'a>> = items.iter().map(|item| normalise(side, item)).collect();
    if unordered {
        let events = |a: &Normal<'_>, b: &Normal<'_>| event(a).is_some() && event(b).is_some();
        for run in all.chunk_by_mut(events) {
            run.sort_by_key(event);
        }
    }
    all
}

fn event(item: &Normal<'_>) -> Option<(String, i32)> {
    match item {
        Normal::Event(reply) => match &reply.body {
            ReplyBody::Event(WatcherEvent { kind, path, .. }) => {
                Some((path.clone().into_owned(), *kind))
            }
            _ => None,
        },
        _ => None,
    }
}

fn told(apache: &[Normal<'_>], ours: &[Normal<'_>]) -> String {
    let mut text = String::new();
    let mut line = |who: &str, item: Option<&Normal<'_>>| {
        let shown = item.map_or_else(|| "nothing".to_owned(), ToString::to_string);
        // Writing to a string cannot fail.
        let _ = writeln!(text, "    {who}{shown}");
    };
    for at in 0..apache.len().max(ours.len()) {
        let (a, b) = (apache.get(at), ours.get(at));
        if a == b {
            line("both:   ", a);
        } else {
            line("apache: ", a);
            line("ours:   ", b);
        }
    }
    text
}
