//! Seeded mutations of well-formed inputs: the same seed gives the same input on every machine.

/// A small generator (`splitmix64`); good enough to choose where to break something.
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
}

impl Random {
    /// Starts the sequence of `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next number.
    pub const fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `limit`; 0 if there is none.
    pub fn below(&mut self, limit: usize) -> usize {
        let limit = u64::try_from(limit).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.next_u64() % limit).unwrap_or_default()
    }

    /// Any byte.
    pub fn byte(&mut self) -> u8 {
        self.next_u64().to_le_bytes()[0]
    }
}

/// Changes `input` in one to four places.
pub fn mutate(input: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    for _ in 0..=random.below(4) {
        change(input, other, random);
    }
}

fn change(input: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let at = random.below(input.len() + 1);
    match random.below(8) {
        0 => {
            if let Some(byte) = input.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
        }
        1 => {
            if let Some(byte) = input.get_mut(at) {
                *byte = random.byte();
            }
        }
        2 | 3 => {
            // A number where a length, a count or a type may stand.
            let number =
                INTERESTING.get(random.below(INTERESTING.len())).copied().unwrap_or_default();
            if let Some(slot) = input.get_mut(at..).and_then(|rest| rest.first_chunk_mut::<4>()) {
                *slot = number.to_be_bytes();
            }
        }
        4 => input.truncate(at),
        5 => {
            let end = at + random.below(16).min(input.len() - at);
            input.drain(at..end);
        }
        6 => {
            let bytes: Vec<u8> = (0..random.below(16)).map(|_| random.byte()).collect();
            input.splice(at..at, bytes);
        }
        _ => {
            // The end of another input behind the beginning of this one.
            input.truncate(at);
            input.extend_from_slice(other.get(random.below(other.len())..).unwrap_or_default());
        }
    }
}

const INTERESTING: [i32; 14] =
    [-1, -2, 0, 1, 2, 3, 4, 14, 127, 255, 65_536, 0xF_FFFF, i32::MAX, i32::MIN];
