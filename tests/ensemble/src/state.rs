//! What is replicated: a list of numbers.

use quorate_engine::zab::Entry;
use quorate_tests_kit::random::Random;
use quorate_wire::Zxid;

/// What a snapshot holds, and a log goes on from.
pub trait Kept: Clone + Default {
    /// Applies a transaction, unless it is there already.
    fn apply(&mut self, entry: &Entry);

    /// What there is of it in a file that was not written to its end, and whether that is all the same everything.
    fn cut(&self, random: &mut Random) -> (Self, bool);
}

/// A transaction that was applied: its place and the number that somebody proposed.
pub type Applied = (Zxid, u64);

/// Everything that was applied, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State(pub Vec<Applied>);

impl State {
    /// The last transaction.
    #[must_use]
    pub fn last(&self) -> Zxid {
        self.0.last().map_or(Zxid::ZERO, |&(zxid, _)| zxid)
    }
}

impl Kept for State {
    fn apply(&mut self, entry: &Entry) {
        if entry.zxid() > self.last() {
            self.0.push((entry.zxid(), value_of(entry)));
        }
    }

    fn cut(&self, random: &mut Random) -> (Self, bool) {
        let some = random.index(self.0.len() + 1);
        (Self(self.0.iter().take(some).copied().collect()), some == self.0.len())
    }
}

/// A transaction that carries a number.
#[must_use]
pub fn entry(zxid: Zxid, value: u64) -> Entry {
    Entry::from_payload(zxid, &value.to_be_bytes())
}

/// The number that a transaction carries.
#[must_use]
pub fn value_of(entry: &Entry) -> u64 {
    let bytes = entry.payload().first_chunk::<8>().copied().unwrap_or_default();
    u64::from_be_bytes(bytes)
}
