//! How fast it is. Nothing is asserted:
//! `cargo test --release -p quorate --lib -- ensemble::peers::tests::speed --ignored --nocapture`.

use super::LIMITS;
use super::party::Party;
use std::time::Instant;

/// Leader and both followers on one thread, so that the whole work of all three is measured.
#[test]
#[ignore = "a measurement"]
fn proposals_with_two_followers() {
    let mut party = Party::new(0, 0, LIMITS);
    [2, 3].into_iter().for_each(|sid| party.join(sid));
    party.until("broadcast", |party| party.members.iter().all(|member| member.is_serving()));
    for batch in [1, 10, 100, 1000] {
        let (began, cpu, count) = (Instant::now(), cpu_time(), 50_000.min(batch * 5_000));
        for _ in 0..count / batch {
            party.propose(batch, 100);
            while !party.is_even() {
                party.round();
            }
        }
        let (took, cpu) = (began.elapsed().as_secs_f64(), cpu_time() - cpu);
        let each = cpu * 1e6 / f64::from(u32::try_from(count).unwrap());
        let rate = f64::from(u32::try_from(count).unwrap()) / took;
        println!("{batch} at once: {rate:.0} proposals/s, {each:.2} us of CPU for each");
    }
}

#[test]
#[ignore = "a measurement"]
fn a_tree_of_100_mb() {
    let mut party = Party::new(100_000, 1000, LIMITS);
    let began = Instant::now();
    party.join(2);
    party.until("the tree is there", |party| party.members[0].is_serving());
    println!("{:.0} ms for 100,000 nodes of 1 kB", began.elapsed().as_secs_f64() * 1e3);
}

/// Of this thread, in seconds.
fn cpu_time() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
