//! A pause of a member whose disk has no room, or whose leader has sent what cannot be. It would find its leader again at once, be sent the
//! same, and refuse it again, as fast as the other servers bear it. The same holds for one that is refused by every leader that it finds.

use quorate_engine::election::History;

/// When a server looks for a leader.
#[derive(Debug, Default)]
pub(super) struct Pause {
    /// Until when it does not, ms.
    until: i64,
    /// With what it will.
    waiting: Option<History>,
    /// Roles that have ended in a row before anybody was served in them.
    in_vain: u32,
}

impl Pause {
    /// Something was refused.
    pub(super) const fn begin(&mut self, now: i64) {
        self.until = now.saturating_add(LENGTH);
    }

    /// A role has ended. An election or two may go wrong, and nobody is to wait then.
    pub(super) const fn left(&mut self, now: i64) {
        self.in_vain = self.in_vain.saturating_add(1);
        if self.in_vain > MANY {
            self.begin(now);
        }
    }

    /// Clients are served.
    pub(super) const fn served(&mut self) {
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

/// How long it is, ms. Room does not come back sooner, and other servers are not asked for more than one history in this time.
const LENGTH: i64 = 1_000;

/// So many roles may end in vain before there is a pause.
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
        pause.left(10);
        assert_eq!(pause.look(HELD, 10), None);
        pause.served();
        pause.left(20 + LENGTH);
        assert_eq!(pause.look(HELD, 20 + LENGTH), Some(HELD));
    }
}
