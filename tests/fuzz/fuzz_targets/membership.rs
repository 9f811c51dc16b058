//! libFuzzer's entry to `quorate_tests::fuzz::membership`, which says what is tested.
//!
//! Run by `cargo fuzz run membership`; see `docs/testing.md`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| quorate_tests::fuzz::membership(data));
