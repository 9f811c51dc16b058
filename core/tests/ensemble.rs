//! Whole ensembles in one process: real ports, real disks, real clients.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use quorate::client::blocking::Client;
use quorate::client::{self, CreateMode};
use quorate::server::LocalEnsemble;
use std::io::{Read, Write};
use std::time::{Duration, Instant};

/// A client of these members only.
fn client(ensemble: &LocalEnsemble, sids: &[i64]) -> Client {
    let places: Vec<String> = sids
        .iter()
        .map(|sid| ensemble.membership().servers[sid].client.clone().unwrap().to_string())
        .collect();
    let builder = client::Client::builder()
        .servers(&places.join(","))
        .session_timeout(Duration::from_secs(5));
    Client::connect_with(builder).unwrap()
}

#[test]
fn three_members_and_an_observer_serve_their_clients() {
    let ensemble = LocalEnsemble::builder().voters(3).observers(1).start().unwrap();
    let first = client(&ensemble, &[1]);
    first.create("/a", b"1", CreateMode::Persistent).unwrap();
    for sid in 1..=4 {
        let client = client(&ensemble, &[sid]);
        client.sync("/").unwrap();
        assert_eq!(client.get("/a").unwrap().0, b"1", "{sid}");
        client.create(&format!("/of-{sid}"), b"", CreateMode::Ephemeral).unwrap();
        first.sync("/").unwrap();
        assert!(first.exists(&format!("/of-{sid}")).unwrap().is_some());
    }
    let modes: Vec<String> = (1..=4).map(|sid| ensemble.mode(sid).unwrap()).collect();
    assert_eq!(modes.iter().filter(|mode| *mode == "leader").count(), 1);
    assert_eq!(modes[3], "observer");
}

/// Without a write: each member shows where its leader's epoch begins.
#[test]
fn a_new_epoch_shows_at_once() {
    let ensemble = LocalEnsemble::start(3).unwrap();
    ensemble.wait_until_all_serve().unwrap();
    for sid in 1..=3 {
        let mut text = String::new();
        let mut stream = ensemble.member(sid).unwrap().connect();
        stream.write_all(b"srvr").unwrap();
        stream.read_to_string(&mut text).unwrap();
        let zxid = text.lines().find_map(|line| line.strip_prefix("Zxid: 0x")).unwrap();
        let zxid = u64::from_str_radix(zxid, 16).unwrap();
        assert!(zxid >> 32 > 0 && zxid & 0xFFFF_FFFF == 0, "{text}");
    }
}

#[test]
fn the_leader_dies_and_the_others_go_on() {
    let mut ensemble = LocalEnsemble::start(3).unwrap();
    let writer = client(&ensemble, &[1, 2, 3]);
    writer.create("/n", b"0", CreateMode::Persistent).unwrap();
    for round in 1..=3 {
        let leader = ensemble.leader().unwrap();
        let began = Instant::now();
        // The second one loses its disk, too.
        if round == 2 { ensemble.wipe(leader) } else { ensemble.stop(leader) }.unwrap();
        assert!(ensemble.member(leader).is_none());
        let value = round.to_string();
        while writer.set("/n", value.as_bytes(), None).is_err() {
            assert!(began.elapsed() < Duration::from_secs(30), "nobody takes a write");
        }
        println!("round {round}: {:?}", began.elapsed());
        ensemble.restart(leader).unwrap();
        let back = client(&ensemble, &[leader]);
        back.sync("/").unwrap();
        assert_eq!(back.get("/n").unwrap().0, value.as_bytes());
        back.close().unwrap();
    }
}

#[test]
fn two_ensembles_live_side_by_side_and_a_directory_outlives_one() {
    let home = tempfile::tempdir().unwrap();
    let with_home = || LocalEnsemble::builder().directory(home.path()).start().unwrap();
    let (kept, other) = (with_home(), LocalEnsemble::start(3).unwrap());
    client(&kept, &[1, 2, 3]).create("/kept", b"", CreateMode::Persistent).unwrap();
    assert!(client(&other, &[1, 2, 3]).exists("/kept").unwrap().is_none());
    drop(kept);
    // On other ports, and with the same data.
    let again = with_home();
    let client = client(&again, &[1]);
    client.sync("/").unwrap();
    assert!(client.exists("/kept").unwrap().is_some());
}
