//! [`SessionNumber`]: which ids sessions get, so that none is given out twice.
//!
//! A session's id is that of its server in the first byte and a number in the other seven. The password follows from the id, as
//! in Apache, so whoever was given an id could resume its next owner's session. Like Apache, a server begins with the time of
//! its start, ms times 2^16, and counts up. Unlike there, it never begins at or before the newest number that its database has
//! seen, wherever the wall clock stands: the [tree](crate::tree::Tree::newest_session) keeps that number, and so do our snapshots.
//!
//! The time goes around these numbers once in 34.8 years, in 2039 the next time. So the first sixteenth of them comes after the
//! last one, and everything else is in order.

/// The number in a session's id; never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionNumber(u64);

impl SessionNumber {
    /// The number in an id, or what a snapshot keeps of one; `None` for 0.
    #[must_use]
    pub const fn of(id: i64) -> Option<Self> {
        match id.cast_unsigned() & MASK {
            0 => None,
            number => Some(Self(number)),
        }
    }

    /// The first number of a server that starts now: the wall clock's (ms since 1970), or the one after `newest` if the clock stands behind it.
    /// Source: `SessionTrackerImpl#initializeNextSessionId`.
    #[must_use]
    pub const fn first(wall_ms: i64, newest: Option<Self>) -> Self {
        let wall_ms = if wall_ms < 0 { 0 } else { wall_ms };
        let clock = match Self::of(wall_ms << 16) {
            None => Self(1),
            Some(clock) => clock,
        };
        match newest {
            Some(newest) if !clock.is_after(newest) => newest.next(),
            _ => clock,
        }
    }

    /// The one after it.
    #[must_use]
    pub const fn next(self) -> Self {
        match (self.0 + 1) & MASK {
            0 => Self(1),
            next => Self(next),
        }
    }

    /// Whether it is given out after `other`.
    #[must_use]
    pub const fn is_after(self, other: Self) -> bool {
        match (self.0 / SIXTEENTH, other.0 / SIXTEENTH) {
            (0, 15) => true,
            (15, 0) => false,
            _ => self.0 > other.0,
        }
    }

    /// The id of a session of this server.
    #[must_use]
    pub const fn id(self, server: u8) -> i64 {
        (self.0 | ((server as u64) << 56)).cast_signed()
    }

    /// As a number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

const MASK: u64 = (1 << 56) - 1;
/// The numbers of 2.2 years.
const SIXTEENTH: u64 = 1 << 52;

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-29.
    const TODAY: i64 = 1_795_910_400_000;

    fn number(id: u64) -> SessionNumber {
        SessionNumber::of(id.cast_signed()).unwrap()
    }

    #[test]
    fn a_server_begins_as_apache_does() {
        // `((ms << 24) >>> 8) | (server << 56)`
        let id = SessionNumber::first(TODAY, None).id(1);
        assert_eq!(id, (((TODAY << 24).cast_unsigned() >> 8) | 1 << 56).cast_signed());
        assert_eq!(SessionNumber::of(id).map(SessionNumber::get), Some(id.cast_unsigned() & MASK));
        assert_eq!(SessionNumber::first(0, None).id(0), 1, "0 is no session");
    }

    #[test]
    fn the_clock_counts_only_when_it_is_ahead() {
        let newest = SessionNumber::first(TODAY, None).next().next();
        for wall in [TODAY, TODAY - 1, TODAY - 86_400_000, 0, -1] {
            assert_eq!(SessionNumber::first(wall, Some(newest)), newest.next(), "{wall}");
        }
        let later = SessionNumber::first(TODAY + 1, Some(newest));
        assert_eq!(later, SessionNumber::first(TODAY + 1, None));
        assert!(later.is_after(newest) && !newest.is_after(later) && !later.is_after(later));
    }

    #[test]
    fn the_numbers_go_around() {
        let around = 2_i64 << 40;
        let (before, after) = (around - 86_400_000, around + 86_400_000);
        let before = SessionNumber::first(before, None);
        let next = SessionNumber::first(after, Some(before));
        assert!(next.is_after(before) && !before.is_after(next) && next.get() < before.get());
        assert_eq!(SessionNumber::first(around - 1, Some(next)), next.next());
        assert_eq!(number(MASK).next(), number(1), "the server's byte is not touched");
        assert!(number(1).is_after(number(MASK)));
        assert_eq!(number(MASK).id(7) >> 56, 7);
        assert_eq!(number(1).id(0xFE) >> 56, -2);
    }
}
