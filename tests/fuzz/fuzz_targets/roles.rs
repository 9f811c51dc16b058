//! libFuzzer's entry to `quorate_tests::fuzz::roles`, which says what is tested.
//!
//! Run by `cargo fuzz run roles`; see `docs/testing.md`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| quorate_tests::fuzz::roles(data));
