//! Every fuzz target on a fixed number of seeded mutations, within bounded memory, in seconds.
//!
//! The corpus is whole: each input also runs as it is, and cut at every byte. A failure prints the target, the seed and
//! the input; long runs with libFuzzer are described in `docs/testing.md`.

#![expect(unsafe_code, reason = "an allocator that counts can only be written with unsafe")]
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "the helpers of a test fail as the test does"
)]

use quorate_tests::fuzz::mutate::{Random, mutate};
use quorate_tests::fuzz::{TARGETS, Target};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

#[test]
fn connect() {
    fuzz("connect", 60_000);
}

#[test]
fn request() {
    fuzz("request", 120_000);
}

#[test]
fn reply() {
    fuzz("reply", 120_000);
}

#[test]
fn txn() {
    fuzz("txn", 120_000);
}

#[test]
fn log() {
    fuzz("log", 6_000);
}

#[test]
fn snapshot() {
    fuzz("snapshot", 6_000);
}

#[test]
fn snappy() {
    fuzz("snappy", 20_000);
}

#[test]
fn sidecar() {
    fuzz("sidecar", 6_000);
}

#[test]
fn election() {
    fuzz("election", 60_000);
}

#[test]
fn membership() {
    fuzz("membership", 30_000);
}

#[test]
fn learner() {
    fuzz("learner", 40_000);
}

#[test]
fn roles() {
    fuzz("roles", 20_000);
}

#[test]
fn snap_stream() {
    fuzz("snap_stream", 3_000);
}

#[test]
fn config() {
    fuzz("config", 1_500);
}

#[test]
fn every_target_is_run() {
    let source = include_str!("fuzz_bounded.rs");
    for target in TARGETS {
        assert!(source.contains(&format!("fuzz(\"{}\"", target.name)), "{}", target.name);
    }
}

fn fuzz(name: &str, runs: u64) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("a known target");
    let corpus = (target.corpus)();
    assert!(!corpus.is_empty());
    for input in &corpus {
        run(target, input, "the corpus");
        let step = input.len() / 512 + 1;
        for cut in (0..input.len()).step_by(step) {
            run(target, &input[..cut], "the corpus, cut");
        }
    }
    for seed in 0..runs {
        let random = &mut Random::new(seed);
        let mut input = corpus[random.below(corpus.len())].clone();
        let other = &corpus[random.below(corpus.len())];
        mutate(&mut input, other, random);
        run(target, &input, &format!("seed {seed}"));
    }
}

fn run(target: &Target, input: &[u8], origin: &str) {
    let (before, _) = measure_from_here();
    let outcome = catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    let held = HELD.get().1.saturating_sub(before);
    if let Err(panic) = outcome {
        eprintln!("{} breaks on {origin}: {}", target.name, hex(input));
        resume_unwind(panic);
    }
    let allowed = target.memory(input.len());
    assert!(
        held <= allowed,
        "{} holds {held} bytes, not {allowed}, on {origin}: {}",
        target.name,
        hex(input)
    );
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Counts what this thread holds, now and at most.
struct Counting;

thread_local! {
    /// Bytes held, and the most that was held since the last measurement began.
    static HELD: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
}

fn measure_from_here() -> (usize, usize) {
    let (now, _) = HELD.get();
    HELD.set((now, now));
    (now, now)
}

fn count(taken: usize, given: usize) {
    // A thread that is ending has no counter any more, and nothing is measured there.
    let _ = HELD.try_with(|held| {
        let (now, most) = held.get();
        let now = now.saturating_add(taken).saturating_sub(given);
        held.set((now, most.max(now)));
    });
}

// SAFETY: every call goes to the system's allocator as it came; counting does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: the caller's promises about `layout` are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(0, layout.size());
        // SAFETY: the caller's promises about both are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both blocks may exist while the bytes are copied.
        count(size, 0);
        count(0, layout.size());
        // SAFETY: the caller's promises about all three are passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;
