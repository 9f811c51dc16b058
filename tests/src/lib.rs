//! What the tests of quorate share: golden vectors, typed messages of either direction, and the harness
//! functions that fuzzers and bounded test runs call alike.
//!
//! Nothing here is a test by itself (those are in `tests/tests`), and nothing of the product depends on it.

pub mod fuzz;
pub mod lockstep;
pub mod messages;
pub mod recipes;
pub mod replay;
pub mod sim;
pub mod tour;
pub mod vectors;
