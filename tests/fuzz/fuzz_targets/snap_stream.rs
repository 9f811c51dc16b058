//! libFuzzer's entry to `quorate_tests::fuzz::snap_stream`, which says what is tested.
//!
//! Run by `cargo fuzz run snap_stream`; see `docs/testing.md`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| quorate_tests::fuzz::snap_stream(data));
