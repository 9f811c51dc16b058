//! A run in which a property did not hold, told so that anybody can have it again.

use super::run::Run;
use std::fmt;

/// A run in which a property did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Which run.
    pub run: Run,
    /// After how many events.
    pub step: u64,
    /// What did not hold.
    pub what: String,
    /// The last that happened.
    pub trace: Vec<String>,
    /// Whether a play was performed.
    pub is_play: bool,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.trace {
            writeln!(f, "{line}")?;
        }
        let Self { run, step, what, is_play, .. } = self;
        writeln!(f, "seed {}, event {step}: {what}", run.seed)?;
        // Assertions of a debug build are properties, too.
        let release = if cfg!(debug_assertions) { "" } else { " --release" };
        if *is_play {
            // Its test knows the rest.
            let thread = std::thread::current();
            let test = thread.name().unwrap_or("and the name of this test");
            let seed = run.seed;
            return write!(
                f,
                "again with: QUORATE_SEED={seed} cargo test{release} -p quorate-tests --test plays {test}"
            );
        }
        write!(f, "again with: cargo run{release} -p quorate-tests --bin sim -- {run}")
    }
}
