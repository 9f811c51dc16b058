//! [`Bytes`]: a queue of bytes in one piece.
//!
//! What is encoded goes straight to its end, and what goes out is one slice, or the whole buffer: a `VecDeque` would copy both ways. What has
//! gone leaves a gap at the front, which is closed when it is half of everything: each byte is moved once at most, on the average.

/// The queue.
#[derive(Debug, Default)]
pub(super) struct Bytes {
    all: Vec<u8>,
    /// Bytes at the front that have gone.
    gone: usize,
}

impl Bytes {
    pub(super) fn len(&self) -> usize {
        self.all.len().saturating_sub(self.gone)
    }

    pub(super) fn extend(&mut self, bytes: &[u8]) {
        self.all.extend_from_slice(bytes);
    }

    /// Has something written to the end; answers how many bytes it was.
    pub(super) fn write(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> usize {
        let before = self.all.len();
        write(&mut self.all);
        self.all.len().saturating_sub(before)
    }

    /// Takes the last bytes back.
    pub(super) fn drop_back(&mut self, n: usize) {
        let left = self.len().saturating_sub(n);
        self.all.truncate(self.gone.saturating_add(left));
    }

    /// The first bytes, as many of them as there are.
    pub(super) fn front(&self, n: usize) -> &[u8] {
        let rest = self.all.get(self.gone..).unwrap_or_default();
        rest.get(..n).unwrap_or(rest)
    }

    pub(super) fn drop_front(&mut self, n: usize) {
        self.gone = self.gone.saturating_add(n).min(self.all.len());
        if self.gone == self.all.len() {
            self.all.clear();
            self.gone = 0;
        } else if self.gone >= LARGE_GAP && self.gone >= self.len() {
            self.all.drain(..self.gone);
            self.gone = 0;
        }
    }

    /// Moves the first bytes to the end of `out`; without a copy if it is empty and gets everything.
    pub(super) fn move_front(&mut self, n: usize, out: &mut Vec<u8>) {
        if out.is_empty() && self.gone == 0 && n >= self.all.len() {
            std::mem::swap(out, &mut self.all);
        } else {
            out.extend_from_slice(self.front(n));
            self.drop_front(n);
        }
    }

    /// Gives back room beyond so many bytes, when it is empty.
    pub(super) fn shrink_to(&mut self, capacity: usize) {
        self.all.shrink_to(capacity);
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.all.capacity()
    }
}

/// Gaps below it are not worth a move.
const LARGE_GAP: usize = 4 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    #[test]
    fn it_is_a_queue_whatever_comes_and_goes() {
        let (mut bytes, mut model) = (Bytes::default(), VecDeque::new());
        let (mut out, mut expected) = (Vec::new(), Vec::new());
        let mut random = crate::client::random::Random::new(7);
        for round in 0..20_000_u32 {
            let n = usize::try_from(random.pause(3_000)).unwrap();
            let piece = vec![u8::try_from(round % 251).unwrap(); n];
            match random.pause(5) {
                0 => {
                    bytes.extend(&piece);
                    model.extend(piece);
                }
                1 => {
                    assert_eq!(bytes.write(|out| out.extend_from_slice(&piece)), n);
                    model.extend(piece);
                }
                2 => {
                    bytes.drop_back(n / 2);
                    model.truncate(model.len().saturating_sub(n / 2));
                }
                3 => {
                    bytes.drop_front(n);
                    model.drain(..n.min(model.len()));
                }
                _ => {
                    bytes.move_front(2 * n, &mut out);
                    expected.extend(model.drain(..(2 * n).min(model.len())));
                    assert!(out == expected, "round {round}");
                    if round % 2 == 0 {
                        out.clear();
                        expected.clear();
                    }
                }
            }
            assert_eq!(bytes.len(), model.len(), "round {round}");
            assert!(bytes.front(n).iter().eq(model.iter().take(n)), "round {round}");
            // What has gone never takes more room than what is there, but for a small gap.
            assert!(bytes.all.len() <= 2 * model.len() + LARGE_GAP, "round {round}");
        }
    }
}
