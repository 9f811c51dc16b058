//! Making a failure small: as little time and as few kinds of faults as it still needs.

use crate::run::{Failure, Run, run};
use std::fmt;
use std::str::FromStr;

/// What can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Processes end, alone or with their machines.
    Crash,
    /// Processes stand still.
    Pause,
    /// Servers do not reach each other.
    Partition,
    /// Connections break.
    Break,
    /// Disks are slow.
    Slow,
    /// Machines fail right when it hurts most.
    Aim,
    /// Disks tear records, fail to sync, keep half of a file, or come back empty or as they were.
    Disk,
}

impl Kind {
    /// All kinds, those with weights first and in the order of these.
    pub const ALL: [Self; 7] =
        [Self::Crash, Self::Pause, Self::Partition, Self::Break, Self::Slow, Self::Aim, Self::Disk];

    const fn bit(self) -> u8 {
        1 << match self {
            Self::Crash => 0,
            Self::Pause => 1,
            Self::Partition => 2,
            Self::Break => 3,
            Self::Slow => 4,
            Self::Aim => 5,
            Self::Disk => 6,
        }
    }
}

/// Kinds of faults that a world is spared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spared(u8);

impl Spared {
    /// None: everything goes wrong that the seed wants.
    pub const NONE: Self = Self(0);

    /// Whether this kind does not happen.
    #[must_use]
    pub const fn has(self, kind: Kind) -> bool {
        self.0 & kind.bit() != 0
    }

    /// These, and this kind.
    #[must_use]
    pub const fn and(self, kind: Kind) -> Self {
        Self(self.0 | kind.bit())
    }
}

impl fmt::Display for Spared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let spared = Kind::ALL.into_iter().filter(|&kind| self.has(kind));
        let names: Vec<String> = spared.map(|kind| format!("{kind:?}").to_lowercase()).collect();
        f.write_str(&names.join(","))
    }
}

impl FromStr for Spared {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.split(',').filter(|name| !name.is_empty()).try_fold(Self::NONE, |spared, name| {
            let mut kinds = Kind::ALL.into_iter();
            let kind = kinds.find(|kind| format!("{kind:?}").to_lowercase() == name);
            kind.map(|kind| spared.and(kind)).ok_or_else(|| format!("'{name}' is no kind of fault"))
        })
    }
}

/// The smallest failure that is found from one by leaving out kinds of faults, one after another, and time.
#[must_use]
pub fn shrink(failure: Box<Failure>) -> Box<Failure> {
    let mut smallest = failure;
    for kind in Kind::ALL {
        let now = smallest.run;
        if let Err(smaller) = run(Run { spared: now.spared.and(kind), ..now }, false) {
            smallest = smaller;
        }
    }
    // What comes after the failure is not needed; and it may come before the faults end, or only after.
    let until = smallest.at.1 / 1_000_000 + 1;
    for seconds in [until / 4, until / 2, until] {
        if seconds < smallest.run.seconds
            && let Err(smaller) = run(Run { seconds, ..smallest.run }, false)
        {
            return smaller;
        }
    }
    smallest
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_engine::zab::{Mistake, Mistakes};

    #[test]
    fn kinds_are_read_as_they_are_told() {
        for bits in 0..128 {
            assert_eq!(Spared(bits).to_string().parse(), Ok(Spared(bits)));
        }
        assert!("crash,tea".parse::<Spared>().is_err());
    }

    #[test]
    fn a_failure_becomes_smaller_and_stays_one() {
        let mistakes = Mistakes::only(Mistake::HalfIsEnough);
        let world = Run { seed: 1, seconds: 60, mistakes, spared: Spared::NONE, whole: false };
        let whole = (1..100).find_map(|seed| run(Run { seed, ..world }, false).err());
        let whole = whole.unwrap();
        let small = shrink(whole.clone());
        assert!(small.run.seconds < whole.run.seconds, "{small}");
        assert!(Kind::ALL.into_iter().any(|kind| small.run.spared.has(kind)), "{small}");
        assert_eq!(run(small.run, false).unwrap_err().what, small.what, "it can be had again");
    }
}
