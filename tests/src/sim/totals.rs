//! How much went wrong in many runs, and what came of it: what a long one tells in the end.

use super::Summary;
use std::fmt;

/// How often what was to go wrong. A server that is down already does not die again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Strikes([u64; Strike::ALL.len()]);

/// What may go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strike {
    /// A server's process ends.
    Kill,
    /// Its machine does, or soon will, in the middle of what its disk does.
    Power,
    /// It is stopped in good order.
    Stop,
    /// It dies between two effects of a round.
    Cut,
    /// Its disk is full for a while.
    Full,
    /// Its disk fails to sync for a while.
    SyncError,
    /// Its disk is slow for a while.
    SlowDisk,
    /// A bit on its disk flips.
    Flip,
    /// A connection ends.
    HangUp,
    /// A connection swallows what is sent, in one direction or both.
    HalfOpen,
    /// A client does not read for a while.
    Deaf,
    /// A client does not write for a while.
    Silent,
    /// A client sleeps for about as long as its session lives.
    Pause,
    /// A client's process ends.
    Death,
    /// The wall clock jumps.
    Wall,
}

impl Strike {
    const ALL: [(Self, &'static str); 15] = [
        (Self::Kill, "server killed"),
        (Self::Power, "power failed"),
        (Self::Stop, "server stopped"),
        (Self::Cut, "server killed in a round"),
        (Self::Full, "disk full"),
        (Self::SyncError, "syncs failing"),
        (Self::SlowDisk, "disk slow"),
        (Self::Flip, "bit flipped"),
        (Self::HangUp, "connection closed"),
        (Self::HalfOpen, "connection half-open"),
        (Self::Deaf, "client not reading"),
        (Self::Silent, "client not writing"),
        (Self::Pause, "client asleep"),
        (Self::Death, "client killed"),
        (Self::Wall, "wall clock moved"),
    ];
}

impl Strikes {
    /// One more.
    pub fn count(&mut self, strike: Strike) {
        let places = Strike::ALL.iter().zip(&mut self.0);
        for (_, number) in places.filter(|((kind, _), _)| *kind == strike) {
            *number += 1;
        }
    }

    fn add(&mut self, other: &Self) {
        for (number, more) in self.0.iter_mut().zip(other.0) {
            *number += more;
        }
    }
}

impl fmt::Display for Strikes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: u64 = self.0.iter().sum();
        write!(f, "{all} faults")?;
        let kinds = Strike::ALL.iter().zip(self.0).filter(|(_, number)| *number > 0);
        for (at, ((_, name), number)) in kinds.enumerate() {
            write!(f, "{} {name} {number}", if at == 0 { ":" } else { "," })?;
        }
        Ok(())
    }
}

/// The sum of many runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Runs.
    pub runs: u64,
    sum: Summary,
}

impl Totals {
    /// Adds a run.
    pub fn add(&mut self, run: &Summary) {
        self.runs += 1;
        let sum = &mut self.sum;
        sum.strikes.add(&run.strikes);
        for (number, more) in [
            (&mut sum.steps, run.steps),
            (&mut sum.time, run.time),
            (&mut sum.transactions, run.transactions),
            (&mut sum.starts, run.starts),
            (&mut sum.crashes, run.crashes),
            (&mut sum.expired, run.expired),
            (&mut sum.connections, run.connections),
            (&mut sum.ended, run.ended),
            (&mut sum.unknown, run.unknown),
            (&mut sum.events, run.events),
            (&mut sum.missed, run.missed),
            (&mut sum.lost, run.lost),
        ] {
            *number += more;
        }
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { runs, sum } = self;
        let hours = sum.time / 3_600_000_000;
        writeln!(f, "{runs} worlds, {} events, {hours} virtual hours", sum.steps)?;
        writeln!(f, "  {}", sum.strikes)?;
        write!(
            f,
            "  {} starts and {} deaths of servers, {} connections, {} transactions, {} sessions expired",
            sum.starts, sum.crashes, sum.connections, sum.transactions, sum.expired
        )?;
        let Summary { ended, unknown, events, missed, lost, .. } = sum;
        write!(f, "\n  clients: {ended} requests ended, {lost} sessions lost")?;
        // Of the processes of plays these are not counted.
        if *events > 0 {
            write!(
                f,
                ", {unknown} unknown outcomes, {events} events, {missed} notices of missing ones"
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_sums_of_all_that_is_told() {
        let mut run = Summary { steps: 5, connections: 2, lost: 1, ended: 4, ..Summary::default() };
        for (kind, _) in Strike::ALL {
            run.strikes.count(kind);
        }
        run.strikes.count(Strike::HangUp);
        let mut totals = Totals::default();
        totals.add(&run);
        totals.add(&run);
        let told = totals.to_string();
        for part in [
            "2 worlds, 10 events",
            "32 faults",
            "closed 4,",
            "moved 2\n",
            " 4 connections",
            "8 requests",
            "2 sessions lost",
        ] {
            assert!(told.contains(part), "{part:?} in {told}");
        }
    }
}
