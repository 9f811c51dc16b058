//! What every simulated world of these tests needs: chance that a seed determines, and a trace of what happened.

pub mod random;
pub mod trace;
