//! [`Batch`]: how many nodes are asked for in one request.

/// Replies are kept small enough not to stand in the way of others, and large enough to be cheap.
#[derive(Debug)]
pub(super) struct Batch {
    size: usize,
    most: usize,
}

impl Batch {
    /// For servers and watches that take one at a time.
    pub(super) const fn single() -> Self {
        Self { size: 1, most: 1 }
    }

    pub(super) const fn size(&self) -> usize {
        self.size
    }

    /// A reply had so many bytes of data.
    pub(super) fn fit(&mut self, bytes: usize) {
        if bytes > LARGE_REPLY {
            self.halve();
        } else if bytes < LARGE_REPLY / 4 {
            self.size = (self.size * 2).min(self.most);
        }
    }

    /// A reply was, or may have been, too large.
    pub(super) fn halve(&mut self) {
        self.size = (self.size / 2).max(1);
    }
}

impl Default for Batch {
    fn default() -> Self {
        Self { size: FIRST, most: MOST }
    }
}

/// Nodes in one request, at first and at most.
const FIRST: usize = 8;
const MOST: usize = 64;
/// Bytes of data in one reply beyond which fewer nodes are asked for at once.
const LARGE_REPLY: usize = 256 * 1024;
