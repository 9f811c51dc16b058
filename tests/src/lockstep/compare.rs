//! Holds what the clients of both servers saw in one step against each other.

use super::known;
use super::normalise::{Normal, normalise};
use super::side::{Item, Side};
use quorate_wire::event::WatcherEvent;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// How often each known difference was met.
pub type Tally = BTreeMap<&'static str, usize>;

/// What differs between the two streams of one client, as text; `None` if nothing does.
///
/// `unordered` says that the order of adjacent notifications is nobody's promise.
pub(super) fn difference(
    apache: (&mut Side, &[Item]),
    ours: (&mut Side, &[Item]),
    unordered: bool,
    tally: &mut Tally,
) -> Option<String> {
    let theirs = normalised(apache.0, apache.1, unordered);
    let own = normalised(ours.0, ours.1, unordered);
    let mut equal = theirs.len() == own.len();
    for (at, (a, b)) in theirs.iter().zip(&own).enumerate() {
        if a == b {
            continue;
        }
        match known::accepted(theirs.get(..at).unwrap_or_default(), a, b) {
            Some(what) => *tally.entry(what).or_default() += 1,
            None => equal = false,
        }
    }
    if equal { None } else { Some(told(&theirs, &own)) }
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
            crate::messages::ReplyBody::Event(WatcherEvent { kind, path, .. }) => {
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
