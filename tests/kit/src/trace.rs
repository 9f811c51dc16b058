//! What happened: the last lines for a person, a hash of all of them for the question whether two runs are the same.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A shared log of the run.
#[derive(Clone, Debug)]
pub struct Trace(Arc<Mutex<Lines>>);

#[derive(Debug)]
struct Lines {
    now: u64,
    ring: VecDeque<String>,
    hash: u64,
    echo: bool,
}

impl Trace {
    /// An empty one; with `echo` every line goes to standard error as well.
    #[must_use]
    pub fn new(echo: bool) -> Self {
        let lines = Lines { now: 0, ring: VecDeque::new(), hash: FNV_OFFSET, echo };
        Self(Arc::new(Mutex::new(lines)))
    }

    /// Sets the time that lines are marked with, us.
    pub fn at(&self, now: u64) {
        self.lock().now = now;
    }

    /// Adds a line.
    pub fn note(&self, line: fmt::Arguments<'_>) {
        let mut lines = self.lock();
        let now = lines.now;
        let text = format!("{:>6}.{:06} {line}", now / 1_000_000, now % 1_000_000);
        for byte in text.bytes() {
            lines.hash = (lines.hash ^ u64::from(byte)).wrapping_mul(FNV_PRIME);
        }
        if lines.echo {
            eprintln!("{text}");
        }
        if lines.ring.len() == RING {
            lines.ring.pop_front();
        }
        lines.ring.push_back(text);
    }

    /// The hash of all lines.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.lock().hash
    }

    /// The last lines.
    #[must_use]
    pub fn tail(&self) -> Vec<String> {
        self.lock().ring.iter().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub use crate::note;

/// Adds a line to a trace.
#[macro_export]
macro_rules! note {
    ($trace:expr, $($arg:tt)*) => { $trace.note(format_args!($($arg)*)) };
}

const RING: usize = 200;
const FNV_OFFSET: u64 = 0xCBF2_9CE4_8422_2325;
const FNV_PRIME: u64 = 0x0100_0000_01B3;
