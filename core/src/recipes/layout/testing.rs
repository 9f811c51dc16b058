//! Random names and bytes for the tests of this folder: a fixed seed gives the same ones always.

/// A small generator (xorshift); good enough to find a reader that panics.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Random bytes, as many as the caller takes, at most eight.
    pub(super) fn array<const N: usize>(&mut self) -> [u8; N] {
        self.next().to_be_bytes()[..N].try_into().unwrap()
    }

    /// A number below `limit`.
    pub(super) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() >> 33).unwrap() % limit
    }

    /// Up to eight pieces: fragments that matter to the reader under test, and stray characters.
    pub(super) fn text(&mut self, fragments: &[&str]) -> String {
        let pieces = self.below(8);
        let mut text = String::new();
        for _ in 0..pieces {
            if self.below(3) == 0 {
                text.push(
                    ['a', '0', '9', '-', '_', '/', '%', '"', 'é', '\u{1F600}'][self.below(10)],
                );
            } else {
                text.push_str(fragments[self.below(fragments.len())]);
            }
        }
        text
    }

    /// Up to 24 bytes, small values preferred because lengths and opcodes are small.
    pub(super) fn bytes(&mut self) -> Vec<u8> {
        let length = self.below(24);
        (0..length)
            .map(|_| {
                let [byte] = self.array();
                if self.below(2) == 0 { byte } else { byte & 3 }
            })
            .collect()
    }
}
