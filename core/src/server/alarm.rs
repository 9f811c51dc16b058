//! When a thread looks after deadlines: sessions that end, strangers that never shook hands.
//!
//! An alarm that rings much too late says that the process itself was away (stopped, swapped out, its machine
//! paused), and then silence proves nothing about the clients: what they sent lies unread in the sockets, or they
//! are connecting anew. So the first late alarm is put off once, until they have been heard. Used by both drivers.

/// The time of the next look at deadlines, ms of the monotonic clock.
#[derive(Debug)]
pub(super) struct Alarm {
    at: i64,
    /// Until when it is put off.
    not_before: i64,
    /// Whether it has been put off since it rang last.
    forgiven: bool,
}

impl Alarm {
    /// Rings at once.
    pub(super) const fn new() -> Self {
        Self { at: 0, not_before: 0, forgiven: false }
    }

    /// When it rings.
    pub(super) fn at(&self) -> i64 {
        self.at.max(self.not_before)
    }

    /// Whether it is time to look after deadlines; afterwards [`set`](Self::set) it anew.
    pub(super) fn rings(&mut self, now: i64) -> bool {
        if now < self.at() {
            return false;
        }
        if !self.forgiven && now.saturating_sub(self.at()) > TOO_LATE {
            self.forgiven = true;
            self.not_before = now.saturating_add(HEARING);
            return false;
        }
        self.forgiven = false;
        true
    }

    /// Sets it for later.
    pub(super) fn set(&mut self, at: i64) {
        self.at = at;
    }

    /// Lets it ring at this time unless it does so earlier.
    pub(super) fn advance(&mut self, at: Option<i64>) {
        self.at = at.map_or(self.at, |at| at.min(self.at));
    }
}

/// A thread that is this late was not running, ms.
const TOO_LATE: i64 = 1000;
/// How long clients are listened to before deadlines count again, ms.
const HEARING: i64 = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rings_when_it_is_time_and_at_the_earliest_of_what_was_asked() {
        let mut alarm = Alarm::new();
        assert!(alarm.rings(5));
        alarm.set(1000);
        alarm.advance(Some(700));
        alarm.advance(Some(900));
        alarm.advance(None);
        assert!(!alarm.rings(699));
        assert!(alarm.rings(700 + TOO_LATE), "a busy round is no absence");
    }

    #[test]
    fn after_an_absence_clients_are_heard_first_but_only_once() {
        let mut alarm = Alarm::new();
        alarm.set(500);
        assert!(!alarm.rings(9000));
        alarm.advance(Some(400));
        assert!(!alarm.rings(9000 + HEARING - 1), "an old deadline does not cut the hearing short");
        assert_eq!(alarm.at(), 9000 + HEARING);
        assert!(alarm.rings(99_000), "whoever is always late must not put it off for ever");
        alarm.set(100_000);
        assert!(!alarm.rings(110_000), "the next absence is another");
    }
}
