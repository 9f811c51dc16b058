//! A pause of a member whose disk has no room, or whose leader has sent what cannot be. It would find its leader again at once, be sent the
//! same, and refuse it again, as fast as the other servers bear it; or it would be elected once more, and fail once more. So its pauses grow, and
//! the others have the time to do without it. One that is refused by every leader that it finds pauses, too, but not for so long: its leader may
//! just have failed, and then it is needed.

use quorate_engine::election::History;

/// When a server looks for a leader.
#[derive(Debug, Default)]
pub(super) struct Pause {
    /// Until when it does not, ms.
    until: i64,
    /// With what it will.
    waiting: Option<History>,
    /// Refusals in a row.
    refused: u32,
    /// Roles that have ended in a row before anybody was served in them.
    in_vain: u32,
}

impl Pause {
    /// Something was refused.
    pub(super) const fn begin(&mut self, now: i64) {
        self.until = now.saturating_add(LENGTH << self.refused);
        if self.refused < MOST_DOUBLINGS {
            self.refused += 1;
        }
    }

    /// A role has ended. An election or two may go wrong, and nobody is to wait then.
    pub(super) const fn left(&mut self, now: i64) {
        self.in_vain = self.in_vain.saturating_add(1);
        let until = now.saturating_add(SHORT);
        if self.is_in_vain() && until > self.until {
            self.until = until;
        }
    }

    /// Whether so many roles have ended in vain that there is a pause between them.
    pub(super) const fn is_in_vain(&self) -> bool {
        self.in_vain > MANY
    }

    /// Clients are served.
    pub(super) const fn served(&mut self) {
        self.refused = 0;
        self.in_vain = 0;
    }

    /// The server is to look for a leader: gives back with what if it may do so now, and keeps it otherwise.
    pub(super) const fn look(&mut self, history: History, now: i64) -> Option<History> {
        self.waiting = Some(history);
        self.end(now)
    }

    /// With what it looks now, after a pause.
    pub(super) const fn end(&mut self, now: i64) -> Option<History> {
        if now < self.until { None } else { self.waiting.take() }
    }

    /// When the pause is over, if somebody waits for that, ms.
    pub(super) fn deadline(&self) -> Option<i64> {
        self.waiting.map(|_| self.until)
    }
}

/// How long the first one is, ms. Room does not come back sooner, and other servers are not asked for more than one history in this time.
const LENGTH: i64 = 1_000;

/// So many times a pause is twice as long as the last one.
const MOST_DOUBLINGS: u32 = 3;
/// A pause of who was refused, ms: no longer than an election takes.
const SHORT: i64 = 200;
/// So many roles may end in vain before there is one.
const MANY: u32 = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_wire::Zxid;

    const HELD: History = History { zxid: Zxid(7), epoch: 1 };

    #[test]
    fn a_server_looks_at_once_unless_it_has_refused_something() {
        let mut pause = Pause::default();
        assert_eq!(pause.look(HELD, 5), Some(HELD));
        assert_eq!((pause.deadline(), pause.end(5)), (None, None), "once");
        pause.begin(10);
        assert_eq!(pause.look(HELD, 11), None);
        assert_eq!(pause.deadline(), Some(10 + LENGTH));
        assert_eq!(pause.end(9 + LENGTH), None);
        assert_eq!(pause.end(10 + LENGTH), Some(HELD));
        assert_eq!((pause.deadline(), pause.end(99_999)), (None, None), "once");
    }

    #[test]
    fn a_server_that_every_leader_refuses_asks_more_slowly() {
        let mut pause = Pause::default();
        for _ in 0..MANY {
            pause.left(10);
            assert_eq!(pause.look(HELD, 10), Some(HELD));
        }
        assert!(!pause.is_in_vain());
        pause.left(10);
        assert!(pause.is_in_vain());
        assert_eq!(pause.look(HELD, 9 + SHORT), None);
        assert_eq!(pause.end(10 + SHORT), Some(HELD));
        pause.served();
        assert!(!pause.is_in_vain());
        pause.left(20 + SHORT);
        assert_eq!(pause.look(HELD, 20 + SHORT), Some(HELD));
    }

    #[test]
    fn who_refuses_again_and_again_leaves_the_others_more_and_more_time() {
        let mut pause = Pause::default();
        for length in [1, 2, 4, 8, 8].map(|times| times * LENGTH) {
            pause.begin(0);
            (0..9).for_each(|_| pause.left(0));
            assert_eq!(pause.look(HELD, length - 1), None);
            assert_eq!(pause.end(length), Some(HELD));
        }
        pause.served();
        pause.begin(0);
        assert_eq!(pause.look(HELD, LENGTH), Some(HELD));
    }
}
