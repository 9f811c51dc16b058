//! Whole ensembles in one process: real ports, real disks, real clients.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use quorate::client::blocking::Client;
use quorate::client::{self, CreateMode};
use quorate::config::{EnsembleConfig, ServerConfig};
use quorate::server::Server;
use quorate_wire::quorum::Membership;
use std::collections::BTreeMap;
use std::net::TcpListener;
use std::time::{Duration, Instant};

/// Members on loopback, by their ids.
struct Ensemble {
    home: tempfile::TempDir,
    membership: Membership,
    members: BTreeMap<i64, Server>,
}

impl Ensemble {
    fn start(voters: i64, observers: i64) -> Self {
        let free: Vec<TcpListener> = (0..3 * (voters + observers))
            .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
            .collect();
        let mut ports = free.iter().map(|socket| socket.local_addr().unwrap().port());
        let mut text = String::new();
        for sid in 1..=voters + observers {
            let role = if sid > voters { "observer" } else { "participant" };
            let [quorum, election, client] = [(); 3].map(|()| ports.next().unwrap());
            text +=
                &format!("server.{sid}=127.0.0.1:{quorum}:{election}:{role};127.0.0.1:{client}\n");
        }
        drop(free);
        let membership = Membership::parse(&(text + "version=0")).unwrap();
        let home = tempfile::tempdir().unwrap();
        let mut ensemble = Self { home, membership, members: BTreeMap::new() };
        (1..=voters + observers).for_each(|sid| ensemble.begin(sid));
        ensemble
    }

    fn begin(&mut self, sid: i64) {
        let client = self.membership.servers[&sid].client.clone().unwrap();
        let config = ServerConfig {
            tick_time_ms: 500,
            ensemble: Some(EnsembleConfig::new(sid, self.membership.clone())),
            four_letter_words: quorate::config::FourLetterWords::all(),
            ..ServerConfig::default()
        };
        let server = Server::builder()
            .config(config)
            .data_dir(self.home.path().join(sid.to_string()))
            .listen(format!("127.0.0.1:{}", client.port).parse().unwrap())
            .start()
            .unwrap();
        self.members.insert(sid, server);
    }

    fn stop(&mut self, sid: i64) {
        self.members.remove(&sid).unwrap().stop().unwrap();
    }

    fn client(&self, sids: &[i64]) -> Client {
        let places: Vec<String> = sids
            .iter()
            .map(|sid| self.membership.servers[sid].client.clone().unwrap().to_string())
            .collect();
        let builder = client::Client::builder()
            .servers(&places.join(","))
            .session_timeout(Duration::from_secs(5));
        Client::connect_with(builder).unwrap()
    }

    /// What a member says it is.
    fn mode(&self, sid: i64) -> Option<String> {
        use std::io::{Read, Write};
        let port = self.membership.servers[&sid].client.clone().unwrap().port;
        let mut socket = std::net::TcpStream::connect(("127.0.0.1", port)).ok()?;
        socket.write_all(b"srvr").ok()?;
        let mut text = String::new();
        socket.read_to_string(&mut text).ok()?;
        text.lines().find_map(|line| line.strip_prefix("Mode: ").map(str::to_owned))
    }

    fn leader(&self) -> i64 {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let is_leader = |sid: &&i64| self.mode(**sid).as_deref() == Some("leader");
            if let Some(leader) = self.members.keys().find(is_leader) {
                return *leader;
            }
            assert!(Instant::now() < deadline, "no leader");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

#[test]
fn three_members_and_an_observer_serve_their_clients() {
    let ensemble = Ensemble::start(3, 1);
    let first = ensemble.client(&[1]);
    first.create("/a", b"1", CreateMode::Persistent).unwrap();
    for sid in 1..=4 {
        let client = ensemble.client(&[sid]);
        client.sync("/").unwrap();
        assert_eq!(client.get("/a").unwrap().0, b"1", "{sid}");
        client.create(&format!("/of-{sid}"), b"", CreateMode::Ephemeral).unwrap();
        first.sync("/").unwrap();
        assert!(first.exists(&format!("/of-{sid}")).unwrap().is_some());
    }
}

#[test]
fn the_leader_dies_and_the_others_go_on() {
    let mut ensemble = Ensemble::start(3, 0);
    let client = ensemble.client(&[1, 2, 3]);
    client.create("/n", b"0", CreateMode::Persistent).unwrap();
    for round in 1..=3 {
        let leader = ensemble.leader();
        let began = Instant::now();
        ensemble.stop(leader);
        let value = round.to_string();
        while client.set("/n", value.as_bytes(), None).is_err() {
            assert!(began.elapsed() < Duration::from_secs(30), "nobody takes a write");
        }
        println!("round {round}: {:?}", began.elapsed());
        ensemble.begin(leader);
        let back = ensemble.client(&[leader]);
        back.sync("/").unwrap();
        assert_eq!(back.get("/n").unwrap().0, value.as_bytes());
        back.close().unwrap();
    }
}
