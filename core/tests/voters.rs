//! Ensembles of five and seven voters, and of groups and weights: who may decide, with real ports, disks and clients. And members that remove old
//! files.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use quorate::client::Client;
use quorate::client::CreateMode;
use quorate::client::blocking;
use quorate::config::AutoPurge;
use quorate::server::LocalEnsemble;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(30);

/// An ensemble, a client of all its members, and how often that has written.
struct Service {
    ensemble: LocalEnsemble,
    client: blocking::Client,
    written: u32,
}

impl Service {
    fn new(ensemble: LocalEnsemble) -> Self {
        ensemble.leader().unwrap();
        let builder =
            Client::builder().servers(&ensemble.servers()).session_timeout(Duration::from_secs(5));
        let client = blocking::Client::connect_with(builder).unwrap();
        client.create("/n", b"0", CreateMode::Persistent).unwrap();
        Self { ensemble, client, written: 0 }
    }

    /// Writes; until the members have found each other this may fail.
    fn takes_writes(&mut self) {
        // Requests wait for somebody who serves, however long that takes.
        self.ensemble.leader().unwrap();
        self.written += 1;
        let value = self.written.to_string();
        eventually("a write is acknowledged", || {
            self.client.set("/n", value.as_bytes(), None).is_ok()
        });
    }

    fn stop(&mut self, sids: &[i64]) {
        sids.iter().for_each(|&sid| self.ensemble.stop(sid).unwrap());
    }

    fn start(&mut self, sids: &[i64]) {
        sids.iter().for_each(|&sid| self.ensemble.restart(sid).unwrap());
    }

    /// Whoever leads is stopped; answers who that was.
    fn stop_leader(&mut self) -> i64 {
        let leader = self.ensemble.leader().unwrap();
        self.ensemble.stop(leader).unwrap();
        leader
    }

    /// Waits until nobody serves any more.
    fn falls_silent(&self) {
        eventually("all roles end", || {
            self.ensemble.running().all(|sid| self.ensemble.mode(sid).is_none())
        });
    }

    /// Waits until all serve, and looks whether each has what was written last.
    fn is_whole(&self) {
        self.ensemble.wait_until_all_serve().unwrap();
        for sid in self.ensemble.running() {
            let member = Client::builder().in_process(self.ensemble.member(sid).unwrap());
            let member = member.connect_blocking().unwrap();
            member.sync("/n").unwrap();
            assert_eq!(member.get("/n").unwrap().0, self.written.to_string().as_bytes(), "{sid}");
        }
    }
}

fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// As many leaders die, one after another, as the ensemble survives; one more is too many, and any of them makes it whole again.
fn survives(voters: u8, failures: usize) {
    let mut service = Service::new(LocalEnsemble::start(voters).unwrap());
    let mut dead = Vec::new();
    for _ in 0..failures {
        dead.push(service.stop_leader());
        service.takes_writes();
    }
    dead.push(service.stop_leader());
    service.falls_silent();
    service.start(&[dead.remove(0)]);
    service.takes_writes();
    service.start(&dead);
    service.is_whole();
}

#[test]
fn five_voters_survive_two_failures() {
    survives(5, 2);
}

#[test]
fn seven_voters_survive_three_failures() {
    survives(7, 3);
}

/// Seven voters in groups of three, three and one, of which the sixth has no weight.
fn in_groups() -> Service {
    let groups: BTreeMap<i64, BTreeSet<i64>> =
        [(1, 1..=3), (2, 4..=6), (3, 7..=7)].map(|(group, sids)| (group, sids.collect())).into();
    let weights: BTreeMap<i64, i64> = (1..=7).map(|sid| (sid, i64::from(sid != 6))).collect();
    let ensemble = LocalEnsemble::builder().voters(7).configure(move |_, config| {
        let membership = &mut config.ensemble.as_mut().unwrap().membership;
        membership.groups = groups.clone();
        membership.weights = weights.clone();
    });
    Service::new(ensemble.start().unwrap())
}

#[test]
fn groups_decide_and_not_the_number_of_servers() {
    let mut service = in_groups();
    // Two of the first group and the third one: three of seven servers are two of three groups.
    service.stop(&[1, 4, 5, 6]);
    service.takes_writes();
    // All of the first group and half the weight of the second: five of seven servers are one group.
    service.start(&[1, 4, 6]);
    service.stop(&[7]);
    service.falls_silent();
    service.start(&[5]);
    service.takes_writes();
    service.start(&[7]);
    service.is_whole();
}

#[test]
fn who_has_no_weight_follows_and_never_leads() {
    let mut service = in_groups();
    for _ in 0..2 {
        service.is_whole();
        // The first one to lead has the largest number. Then it would be the turn of the next, which has the same history as the others.
        let leader = service.stop_leader();
        service.takes_writes();
        service.is_whole();
        assert_ne!(leader, 6);
        assert_eq!(service.ensemble.mode(6).unwrap(), "follower");
        service.start(&[leader]);
    }
}

/// Names of the files that hold a member's history.
fn files(home: &Path, sid: i64) -> BTreeSet<String> {
    let entries = fs::read_dir(home.join(format!("{sid}/version-2"))).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with("log.") || name.starts_with("snapshot.")).collect()
}

/// Leader and followers write snapshots and remove old files; a member that has lost everything gets the leader's tree, which is all that there is of
/// the beginning, and one that was down meanwhile comes back, too.
#[test]
fn old_files_go_on_every_member_and_a_lost_one_comes_back() {
    let home = tempfile::tempdir().unwrap();
    let ensemble = LocalEnsemble::builder().directory(home.path()).configure(|_, config| {
        config.snap_count = 20;
        config.pre_alloc_size_kb = 16;
        config.auto_purge = AutoPurge { snap_retain_count: 3, interval_ms: 20 };
    });
    let mut service = Service::new(ensemble.start().unwrap());
    service.is_whole();
    let leader = service.ensemble.leader().unwrap();
    let [lost, away] = [1, 2, 3].into_iter().filter(|&sid| sid != leader).collect::<Vec<_>>()[..]
    else {
        panic!("three members")
    };
    let first: BTreeMap<i64, BTreeSet<String>> =
        (1..=3).map(|sid| (sid, files(home.path(), sid))).collect();
    assert!(first.values().all(|files| !files.is_empty()), "{first:?}");
    let begin = Instant::now();
    let purged = |sid: i64| first[&sid].is_disjoint(&files(home.path(), sid));
    while !(1..=3).all(purged) {
        assert!(begin.elapsed() < PATIENCE, "old files stay");
        service.takes_writes();
    }
    service.ensemble.wipe(lost).unwrap();
    service.takes_writes();
    service.ensemble.stop(away).unwrap();
    service.ensemble.restart(lost).unwrap();
    service.takes_writes();
    service.ensemble.restart(away).unwrap();
    service.is_whole();
    // All of them from what is on their disks.
    service.stop(&[1, 2, 3]);
    service.start(&[1, 2, 3]);
    service.is_whole();
}
