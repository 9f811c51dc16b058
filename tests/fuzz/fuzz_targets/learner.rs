//! libFuzzer's entry to `quorate_tests::fuzz::learner`, which says what is tested.
//!
//! Run by `cargo fuzz run learner`; see `docs/testing.md`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| quorate_tests::fuzz::learner(data));
