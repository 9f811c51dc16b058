//! How long a leader that has promised beats may be silent before it is given up.
//!
//! A leader that is frozen keeps its connections: only its silence tells. `syncLimit` ticks are made for leaders that are heard every half
//! tick. One of ours [promises](crate::zab::ToLearner::LeaderInfo) to be heard many times a tick, and is given up when it is silent for several times as
//! long as it ever was lately. So patience grows by itself where the leader, its machine or the network is busy, and never beyond `syncLimit`.
//!
//! A learner that was itself away or starved must not blame its leader: what that has said lies unread in the socket. So when the time is up the learner
//! looks a few times more whether something has come, and each time that it is late for this it begins again.
//!
//! Nothing here is needed for safety: to leave a leader that lives costs an election, or only this learner's clients a connection.

/// Times are in ms.
#[derive(Debug, Default)]
pub(super) struct Patience {
    /// How often the leader is to be heard; nothing if it has not promised anything.
    beat: Option<i64>,
    /// When it was last heard, or this learner did not want to hear it.
    heard: i64,
    /// The last beat.
    beaten: Option<i64>,
    /// The longest time between two beats, in this period and in the one before.
    longest: (i64, i64),
    period_ends: i64,
    doubt: Option<Doubt>,
    /// Whether it was late for a look since the last beat.
    was_late: bool,
}

/// The time is up, and the learner looks whether that is its own fault.
#[derive(Clone, Copy, Debug)]
struct Doubt {
    /// How often it has looked.
    looks: u32,
    /// When it looks next.
    next: i64,
}

impl Patience {
    /// The leader has promised, or not.
    pub(super) fn promised(&mut self, beat: Option<i32>) {
        self.beat = beat.map(i64::from).filter(|&beat| beat > 0);
    }

    /// The learner is up to date: from now on there are beats.
    pub(super) fn begin(&mut self, now: i64) {
        let usual = self.beat.unwrap_or(0).saturating_mul(AT_FIRST);
        self.heard = now;
        self.longest = (0, usual);
        self.period_ends = now.saturating_add(FIRST_PERIOD);
    }

    /// The leader has said something.
    pub(super) fn heard(&mut self, now: i64) {
        self.heard = now;
        self.doubt = None;
    }

    /// It was a beat, or a ping, which is as good.
    pub(super) fn beaten(&mut self, now: i64) {
        let before = self.beaten.replace(now);
        let gap = before.map_or(0, |before| now.saturating_sub(before));
        // Who was away has not seen when the beats came. One that is always late is on a busy machine, and so may be its leader.
        let late = std::mem::take(&mut self.was_late) || now > self.deadline().saturating_add(LATE);
        let gap = if late { gap.min(self.longest().saturating_mul(2)) } else { gap };
        if now >= self.period_ends {
            self.longest = (0, self.longest.0);
            self.period_ends = now.saturating_add(PERIOD);
        }
        self.longest.0 = self.longest.0.max(gap);
        self.heard(now);
    }

    /// This learner does not listen, so that silence means nothing.
    pub(super) fn deaf(&mut self, now: i64) {
        self.heard(now);
    }

    /// When [`is_over`](Self::is_over) may find something, at the latest.
    pub(super) fn deadline(&self) -> i64 {
        let Some(beat) = self.beat else { return i64::MAX };
        if let Some(doubt) = self.doubt {
            return doubt.next;
        }
        self.heard.saturating_add(self.longest().max(beat).saturating_mul(TIMES))
    }

    fn longest(&self) -> i64 {
        self.longest.0.max(self.longest.1)
    }

    /// Whether the leader is to be given up. To be asked at [`deadline`](Self::deadline), after everything that had come was heard.
    pub(super) fn is_over(&mut self, now: i64) -> bool {
        let at = self.deadline();
        if now < at {
            return false;
        }
        let late = now > at.saturating_add(LATE);
        self.was_late |= late;
        let looks = self.doubt.filter(|_| !late).map_or(0, |doubt| doubt.looks.saturating_add(1));
        self.doubt = Some(Doubt { looks, next: now.saturating_add(LOOK) });
        looks >= LOOKS
    }
}

/// So many times as long as it ever was lately a leader may be silent.
const TIMES: i64 = 8;
/// So many beats are taken for the longest silence before there is experience.
const AT_FIRST: i64 = 4;
/// How long it takes to have some.
const FIRST_PERIOD: i64 = 1_000;
/// How long it lasts, at least.
const PERIOD: i64 = 60_000;
/// So often a learner in doubt looks again, ...
const LOOKS: u32 = 5;
/// ... after so long a pause each time, ...
const LOOK: i64 = 20;
/// ... of which it may be so late.
const LATE: i64 = 50;

#[cfg(test)]
mod tests {
    use super::*;

    /// A learner that has heard these gaps between beats, the last beat at the time that is returned.
    fn used_to(gaps: impl IntoIterator<Item = i64>) -> (Patience, i64) {
        let mut patience = Patience::default();
        patience.promised(Some(50));
        patience.begin(0);
        let mut now = 0;
        patience.beaten(now);
        for gap in gaps {
            now += gap;
            assert!(!patience.is_over(now), "at {now}");
            patience.beaten(now);
        }
        (patience, now)
    }

    /// How long after the last beat it gives up, if it looks so late each time; nothing if it does not in a minute.
    fn bears((mut patience, last): (Patience, i64), late: i64) -> Option<i64> {
        loop {
            let now = patience.deadline() + late;
            if now > last + 60_000 {
                return None;
            }
            if patience.is_over(now) {
                return Some(now - last);
            }
        }
    }

    fn gaps(gap: i64, for_so_long: i64) -> impl Iterator<Item = i64> {
        std::iter::repeat_n(gap, usize::try_from(for_so_long / gap).unwrap())
    }

    const LOOKING: i64 = 5 * 20;

    #[test]
    fn a_leader_may_be_silent_for_eight_times_as_long_as_it_was_lately() {
        for (used, bears_it_for) in [
            (gaps(50, 5_000), 400),
            (gaps(60, 5_000), 480),
            (gaps(300, 5_000), 2_400),
            // Promised is promised.
            (gaps(1, 5_000), 400),
        ] {
            assert_eq!(bears(used_to(used), 0), Some(bears_it_for + LOOKING));
        }
    }

    #[test]
    fn one_long_silence_is_remembered_for_a_period_and_then_no_more() {
        let after = |ms| used_to(gaps(50, 5_000).chain([390]).chain(gaps(50, ms)));
        assert_eq!(bears(after(0), 0), Some(8 * 390 + LOOKING));
        assert_eq!(bears(after(PERIOD), 0), Some(8 * 390 + LOOKING));
        assert_eq!(bears(after(2 * PERIOD + 1_000), 0), Some(400 + LOOKING));
    }

    #[test]
    fn without_experience_more_is_borne() {
        assert_eq!(bears(used_to([]), 0), Some(8 * 200 + LOOKING));
        assert_eq!(bears(used_to(gaps(50, FIRST_PERIOD - 50)), 0), Some(8 * 200 + LOOKING));
    }

    #[test]
    fn a_learner_that_is_starved_itself_does_not_blame_its_leader() {
        assert_eq!(bears(used_to(gaps(50, 5_000)), LATE), Some(400 + LOOKING + 6 * LATE));
        assert_eq!(bears(used_to(gaps(50, 5_000)), LATE + 1), None);
        // As soon as it is in time again it counts from the beginning.
        let (mut patience, last) = used_to(gaps(50, 5_000));
        let mut now = last;
        for late in [0, 0, 0, 0, 0, LATE + 1] {
            now = patience.deadline() + late;
            assert!(!patience.is_over(now), "at {now}");
        }
        assert_eq!(bears((patience, now), 0), Some(LOOKING));
    }

    #[test]
    fn anything_that_is_heard_ends_the_doubt() {
        let (mut patience, last) = used_to(gaps(50, 5_000));
        assert!(!patience.is_over(patience.deadline()) && patience.deadline() == last + 420);
        patience.heard(last + 430);
        assert_eq!(bears((patience, last + 430), 0), Some(400 + LOOKING));
        let (mut patience, last) = used_to(gaps(50, 5_000));
        assert!(!patience.is_over(patience.deadline()));
        patience.deaf(last + 430);
        assert_eq!(bears((patience, last + 430), 0), Some(400 + LOOKING), "who does not listen");
    }

    #[test]
    fn an_absence_says_little_about_the_leader() {
        for looks_first in [false, true] {
            let (mut patience, mut last) = used_to(gaps(50, 5_000));
            for times in [2, 4, 8] {
                last += 60_000;
                assert!(!looks_first || !patience.is_over(last - 1));
                patience.beaten(last);
                assert_eq!(patience.deadline(), last + times * 400);
            }
            patience.beaten(last + 50);
            assert_eq!(bears((patience, last + 50), 0), Some(8 * 400 + LOOKING));
        }
    }

    #[test]
    fn of_a_leader_that_has_promised_nothing_nothing_is_expected() {
        for promise in [None, Some(0), Some(-5)] {
            let mut patience = Patience::default();
            patience.promised(promise);
            patience.begin(0);
            (0..9_000).step_by(1_000).for_each(|now| patience.beaten(now));
            assert_eq!((patience.deadline(), patience.is_over(99_999)), (i64::MAX, false));
        }
    }
}
