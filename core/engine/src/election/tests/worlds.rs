//! Whole ensembles: whatever happened before, when it becomes calm everybody has one leader.

use super::world::{Random, Role, World};
use super::*;
use std::collections::BTreeMap;

const SHAPES: [(i64, &str); 6] = [
    (3, ""),
    (5, ""),
    (7, ""),
    (5, "server.6=h6:1:2:observer\nserver.7=h7:1:2:observer"),
    (6, "group.1=1:2:3\ngroup.2=4:5:6\nweight.3=0\nserver.7=h7:1:2:observer"),
    (7, "group.1=1:2:3\ngroup.2=4:5\ngroup.3=6:7\nweight.4=2\nweight.7=0"),
];

/// Histories of a few epochs and transactions: many of them equal.
fn histories(seed: u64, membership: &Membership) -> BTreeMap<i64, History> {
    let mut random = Random::new(seed);
    let mut one = |&sid: &i64| {
        let epoch = random.between(0, 2);
        // An epoch may begin without a transaction: then the zxid is of an earlier one.
        let zxid = (random.between(0, epoch) << 32) + random.between(0, 3);
        (sid, history(zxid, epoch))
    };
    membership.servers.keys().map(&mut one).collect()
}

/// When all come up together, the best of all leads, although each message takes its time and connections are replaced.
#[test]
fn the_newest_history_and_then_the_largest_id_wins() {
    for seed in 0..50 {
        for (n, more) in SHAPES {
            let membership = membership(n, more);
            let histories = histories(seed, &membership);
            let mut world = World::new(seed, &membership, &histories);
            world.delay = (0, 15);
            // Otherwise who comes first does not wait for who is not there yet.
            world.refuses = false;
            for &sid in membership.servers.keys() {
                let at = world.random.between(0, 30);
                world.boot(at, sid);
            }
            for _ in 0..10 {
                let (a, b) = (world.random.between(1, n), world.random.between(1, n));
                let pause = world.random.between(1, 20);
                world.run_until(world.now + pause);
                if a != b {
                    world.churn(a, b);
                }
            }
            world.run_until(8000);
            let quorums = Quorums::new(membership);
            let best = quorums.voters().filter(|&sid| quorums.may_lead(sid));
            let best = best.max_by_key(|sid| (histories[sid].epoch, histories[sid].zxid, *sid));
            world.check(world.agreed() == best, &format!("{best:?} should lead {n} {more}"));
        }
    }
}

/// Servers come and go, connections break, parts are cut off, while the leader writes.
#[test]
fn when_it_becomes_calm_everybody_has_one_leader() {
    for seed in 0..25 {
        for (n, more) in SHAPES {
            let membership = membership(n, more);
            let mut world = World::new(seed, &membership, &histories(seed, &membership));
            let sids: Vec<i64> = membership.servers.keys().copied().collect();
            sids.iter().for_each(|&sid| world.boot(0, sid));
            world.delay = (0, world.random.between(1, 60));
            let last = i64::try_from(sids.len()).unwrap();
            for _ in 0..60 {
                let pause = world.random.between(1, 300);
                world.run_until(world.now + pause);
                let (a, b) = (world.random.between(1, last), world.random.between(1, last));
                disturb(&mut world, a, b, &sids);
            }
            world.cut.clear();
            world.delay = (0, 3);
            sids.iter().for_each(|&sid| world.boot(world.now, sid));
            world.run_until(world.now + 15_000);
            world.check(world.agreed().is_some(), &format!("no agreement of {n} {more}"));
            let leader = world.agreed().unwrap();
            for &sid in &sids {
                let ballot = world.nodes[&sid].election.ballot();
                world.check(ballot.vote.leader == leader, "an election says otherwise");
            }
        }
    }
}

fn disturb(world: &mut World, a: i64, b: i64, sids: &[i64]) {
    match world.random.between(1, 13) {
        1 | 2 if world.node(a).up => {
            world.kill(a);
            let at = world.now + world.random.between(0, 2000);
            world.boot(at, a);
        }
        3 | 4 if a != b => world.churn(a, b),
        5 if a != b => world.cut_off(a, b),
        6 => sids.iter().filter(|&&sid| sid != a).for_each(|&sid| world.cut_off(a, sid)),
        7 => sids.iter().filter(|&&sid| sid < a).for_each(|&low| {
            sids.iter().filter(|&&sid| sid >= a).for_each(|&high| world.cut_off(low, high));
        }),
        8 | 9 => world.cut.clear(),
        10 if a != b => world.misreport(a, b),
        _ => world.write(),
    }
}

/// A leader whose process ends is followed by the next one within a few messages: nobody waits for the dead.
#[test]
fn a_dead_leader_is_replaced_at_once() {
    for seed in 0..30 {
        for (n, more) in SHAPES {
            let membership = membership(n, more);
            let mut world = World::new(seed, &membership, &BTreeMap::new());
            membership.servers.keys().for_each(|&sid| world.boot(0, sid));
            world.run_until(3000);
            let old = world.agreed();
            world.check(old.is_some(), "no leader at all");
            for _ in 0..5 {
                world.write();
            }
            // Without it there must be a quorum still.
            let old = old.unwrap();
            if Quorums::new(membership).margin(|sid| sid != old).is_none() {
                continue;
            }
            let killed = world.now;
            world.kill(old);
            let new = world.run_until_established(killed + 2000);
            world.check(new.is_some_and(|new| new != old), "no new leader");
            world.check(world.now - killed <= 30, &format!("a gap of {} ms", world.now - killed));
            // It comes back and follows.
            world.boot(world.now + 500, old);
            world.run_until(world.now + 3000);
            world.check(world.agreed() == new, "the old leader does not follow");
        }
    }
}

/// A leader that is cut off is missed after the timeout, and replaced after the wait.
#[test]
fn a_silent_leader_is_replaced_after_the_wait() {
    for seed in 0..50 {
        let membership = membership(3, "");
        let mut world = World::new(seed, &membership, &BTreeMap::new());
        (1..=3).for_each(|sid| world.boot(0, sid));
        world.run_until(3000);
        let old = world.agreed().unwrap();
        let since = world.now;
        (1..=3).filter(|&sid| sid != old).for_each(|sid| world.cut_off(old, sid));
        let new = world.run_until_established(since + 5000);
        world.check(new.is_some_and(|new| new != old), "no new leader");
        world.check(world.now - since <= 600 + 200 + 30, "it took too long");
        world.run_until(since + 4000);
        world.check(world.nodes[&old].role == Role::Looking, "the old one still leads");
        world.cut.clear();
        world.run_until(since + 9000);
        world.check(world.agreed() == new, "the old leader does not follow");
    }
}

/// The same seed, the same world.
#[test]
fn worlds_repeat() {
    let run = || {
        let membership = membership(5, "");
        let mut world = World::new(7, &membership, &BTreeMap::new());
        (1..=5).for_each(|sid| world.boot(sid, sid));
        world.run_until(100);
        disturb(&mut world, 5, 1, &[1, 2, 3, 4, 5]);
        world.run_until(9000);
        (
            world.established.clone(),
            world.nodes.values().map(|node| node.history).collect::<Vec<_>>(),
        )
    };
    assert_eq!(run(), run());
}
