//! What there is between this server and another one.

use super::Link;

/// Another server.
#[derive(Clone, Debug, Default)]
pub(super) struct Peer {
    /// The connection in use.
    pub(super) link: Option<Link>,
    /// One that is being made.
    pub(super) attempt: Option<Link>,
    /// The newest message that was not written.
    pub(super) waiting: Option<Vec<u8>>,
    /// The last one that was written, which the other side may not have got.
    last: Option<Vec<u8>>,
    /// A message is being written.
    pub(super) busy: bool,
    /// When a connection that broke was last made again for that alone, ms.
    missed_at: Option<i64>,
    /// When a connection in use was last replaced, ms, and how many times that was in a row.
    replaced: Option<(i64, u32)>,
}

impl Peer {
    /// Takes a connection into use; gives the one before it.
    pub(super) fn open(&mut self, link: Link) -> Option<Link> {
        self.busy = false;
        if self.waiting.is_none() {
            self.waiting = self.last.take();
        }
        self.link.replace(link)
    }

    /// The next message to write, and where.
    pub(super) fn next(&mut self) -> Option<(Link, Vec<u8>)> {
        let link = self.link.filter(|_| !self.busy)?;
        let bytes = self.waiting.take()?;
        self.busy = true;
        self.last = Some(bytes.clone());
        Some((link, bytes))
    }

    /// What was said is true no more, and nothing else is said yet.
    pub(super) fn forget(&mut self) {
        self.waiting = None;
        self.last = None;
    }

    /// Whether a connection that has broken is to be made again just because it is missed: not if that was done a moment ago.
    pub(super) fn may_be_missed(&mut self, now: i64) -> bool {
        let soon = self.missed_at.is_some_and(|at| now < at.saturating_add(MOMENT));
        if !soon {
            self.missed_at = Some(now);
        }
        !soon
    }

    /// Notes that a connection in use is replaced; whether that happens too often for one server.
    pub(super) fn is_replaced_often(&mut self, now: i64) -> bool {
        let before = self.replaced.filter(|(at, _)| now < at.saturating_add(IN_A_ROW));
        let times = before.map_or(1, |(_, times)| times.saturating_add(1));
        self.replaced = Some((now, times));
        times >= OFTEN
    }
}

/// Between two connections that are made because one is missed, ms.
const MOMENT: i64 = 200;
/// Replacements that follow each other sooner than this are in a row, ms.
const IN_A_ROW: i64 = 10_000;
/// So many times in a row are too many for one server.
const OFTEN: u32 = 3;
