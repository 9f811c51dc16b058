//! The only source of chance in the world: SplitMix64, so that a seed is a whole run.
//!
//! Each part of the world has a fork of its own, so that a change in one does not shift the choices of another.

/// A stream of numbers that a seed determines.
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
}

impl Random {
    /// The stream of a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// A stream that is independent of what this one gives from now on.
    pub fn fork(&mut self) -> Self {
        Self::new(self.number())
    }

    /// Any number.
    pub const fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `n`; 0 when there is none.
    pub const fn below(&mut self, n: u64) -> u64 {
        if n == 0 { 0 } else { self.number() % n }
    }

    /// A number from `low` to `high`, both included.
    pub const fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low).saturating_add(1))
    }

    /// As [`between`](Self::between), small numbers more often: each doubling is as likely as the others.
    pub fn skewed(&mut self, low: u64, high: u64) -> u64 {
        let span = high.saturating_sub(low).max(1);
        let bits = self.below(u64::from(u64::BITS - span.leading_zeros()) + 1);
        low + self.below((1 << bits.min(62)) + 1).min(high.saturating_sub(low))
    }

    /// A place in something of length `len`.
    pub fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(u64::try_from(len).unwrap_or(u64::MAX))).unwrap_or(0)
    }

    /// True so many times in a thousand.
    pub const fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }

    /// One of several things.
    pub fn pick<'a, T>(&mut self, things: &'a [T]) -> Option<&'a T> {
        things.get(self.index(things.len()))
    }

    /// One of several values, the first when there is nothing to choose from.
    pub fn of<T: Copy>(&mut self, first: T, others: &[T]) -> T {
        let at = self.index(others.len() + 1);
        at.checked_sub(1).and_then(|at| others.get(at)).copied().unwrap_or(first)
    }
}
