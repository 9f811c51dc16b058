//! Ensembles in one process whose members change: real ports, real disks, real clients.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use quorate::client::blocking::wait;
use quorate::client::{Client, CreateMode, Error, ErrorCode};
use quorate::config::{EnsembleConfig, FourLetterWords, ServerConfig};
use quorate::server::Server;
use quorate_wire::quorum::Membership;
use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Members on loopback, by their ids.
struct Ensemble {
    home: tempfile::TempDir,
    lines: BTreeMap<i64, String>,
    members: BTreeMap<i64, Server>,
}

/// The line of a server at ports of its own.
fn line(role: &str) -> String {
    let [quorum, election, client] = [(); 3].map(|()| port());
    format!("127.0.0.1:{quorum}:{election}:{role};127.0.0.1:{client}")
}

/// A port that is nobody else's until this process ends. As those of `LocalEnsemble` it is below those that the kernel gives to outgoing connections, and
/// held by a UDP socket of the same number.
fn port() -> u16 {
    static HELD: Mutex<Vec<UdpSocket>> = Mutex::new(Vec::new());
    let (first, end) = (12_000, 20_000);
    let chance = RandomState::new().build_hasher().finish() % u64::from(end - first);
    let begin = first + u16::try_from(chance).unwrap();
    let free = (begin..end).chain(first..begin).find_map(|number| {
        let held = UdpSocket::bind(("127.0.0.1", number)).ok()?;
        TcpListener::bind(("127.0.0.1", number)).ok()?;
        Some((number, held))
    });
    let (number, held) = free.unwrap();
    HELD.lock().unwrap().push(held);
    number
}

fn client_of(line: &str) -> &str {
    line.rsplit_once(';').unwrap().1
}

/// Tries again for a while: what is being elected cannot be asked.
fn eventually<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(done) = attempt() {
            return done;
        }
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

impl Ensemble {
    fn start(voters: i64) -> Self {
        let lines = (1..=voters).map(|sid| (sid, line("participant"))).collect();
        let home = tempfile::tempdir().unwrap();
        let mut ensemble = Self { home, lines, members: BTreeMap::new() };
        (1..=voters).for_each(|sid| ensemble.begin(sid));
        ensemble.serving();
        ensemble
    }

    fn begin(&mut self, sid: i64) {
        let lines = self.lines.iter().map(|(sid, line)| format!("server.{sid}={line}\n"));
        let membership: Membership = lines.collect::<String>().parse().unwrap();
        let config = ServerConfig {
            tick_time_ms: 500,
            ensemble: Some(EnsembleConfig::new(sid, membership)),
            reconfig_enabled: true,
            skip_acl: true,
            four_letter_words: FourLetterWords::all(),
            ..ServerConfig::default()
        };
        let server = Server::builder()
            .config(config)
            .data_dir(self.home.path().join(sid.to_string()))
            .listen(client_of(&self.lines[&sid]).parse().unwrap())
            .start()
            .unwrap();
        self.members.insert(sid, server);
    }

    /// A server that is to join: it knows the others, and they do not know it.
    fn join(&mut self, role: &str) -> i64 {
        let sid = self.lines.keys().max().unwrap() + 1;
        self.lines.insert(sid, line(role));
        self.begin(sid);
        sid
    }

    fn stop(&mut self, sid: i64) {
        self.members.remove(&sid).unwrap().stop().unwrap();
    }

    fn client(&self, sid: i64) -> Client {
        let place = self.members[&sid].address().unwrap().to_string();
        let builder = || Client::builder().servers(&place).session_timeout(Duration::from_secs(5));
        eventually("a client", || wait(builder().connect()).ok())
    }

    /// What a member says it is, when it is something.
    fn mode(&self, sid: i64) -> Option<String> {
        let mut socket = TcpStream::connect(self.members[&sid].address()?).ok()?;
        socket.write_all(b"srvr").ok()?;
        let mut text = String::new();
        socket.read_to_string(&mut text).ok()?;
        text.lines().find_map(|line| line.strip_prefix("Mode: ").map(str::to_owned))
    }

    fn leader(&self) -> i64 {
        eventually("a leader", || {
            self.members.keys().copied().find(|&sid| self.mode(sid).as_deref() == Some("leader"))
        })
    }

    fn becomes(&self, sid: i64, mode: &str) {
        eventually(mode, || (self.mode(sid).as_deref() == Some(mode)).then_some(()));
    }

    fn serving(&self) {
        self.members.keys().for_each(|&sid| {
            eventually("a mode", || self.mode(sid));
        });
    }

    /// Changes the members through one of them, and returns the configuration that all of them come to have. The answer may be
    /// lost when a server changes its part, so what counts is what they have.
    fn change(&self, asked: i64, joining: Option<&str>, leaving: Option<&str>) -> String {
        let client = self.client(asked);
        let before = version(&config(&client).unwrap());
        match wait(client.reconfigure(joining, leaving, None, Some(before))) {
            Ok((text, stat)) => {
                let text = String::from_utf8(text).unwrap();
                assert_eq!((stat.version, stat.mzxid), (-1, version(&text)));
            }
            Err(error) => assert!(is_loss(&error), "{error}"),
        }
        let texts = self.members.keys().map(|&sid| {
            eventually("the new configuration", || {
                config(&self.client(sid)).filter(|text| version(text) > before)
            })
        });
        let texts: Vec<String> = texts.collect();
        assert!(texts.iter().all(|text| *text == texts[0]), "{texts:#?}");
        texts[0].clone()
    }

    /// A write through each member is seen by all.
    fn works(&self, path: &str) {
        self.works_at(&self.members.keys().copied().collect::<Vec<_>>(), path);
    }

    /// The same for some of them.
    fn works_at(&self, sids: &[i64], path: &str) {
        for &sid in sids {
            let client = self.client(sid);
            let own = format!("{path}-{sid}");
            eventually("a write", || {
                match wait(client.create(&own, b"", CreateMode::Persistent)) {
                    Ok(_) => Some(()),
                    Err(error) if error.code() == ErrorCode::NodeExists => Some(()),
                    Err(_) => None,
                }
            });
        }
        for &sid in sids {
            let client = self.client(sid);
            wait(client.sync("/")).unwrap();
            for other in sids {
                let path = format!("{path}-{other}");
                assert!(wait(client.exists(&path)).unwrap().is_some(), "{path} at {sid}");
            }
        }
    }
}

fn is_loss(error: &Error) -> bool {
    matches!(error.code(), ErrorCode::ConnectionLoss | ErrorCode::SessionMoved)
}

fn config(client: &Client) -> Option<String> {
    wait(client.config()).ok().map(|(text, _)| String::from_utf8(text).unwrap())
}

fn version(text: &str) -> i64 {
    text.parse::<Membership>().unwrap().version
}

#[test]
fn a_server_joins_votes_and_leaves() {
    let mut ensemble = Ensemble::start(3);
    let first = config(&ensemble.client(1)).unwrap();
    assert_eq!(version(&first) & 0xFFFF_FFFF, 0, "the version of the first epoch: {first}");
    assert!(version(&first) > 0);
    let four = ensemble.join("participant");
    ensemble.becomes(four, "follower");
    ensemble.works("/before");
    let joining = format!("server.4={}", ensemble.lines[&four]);
    let text = ensemble.change(1, Some(&joining), None);
    assert_eq!(text.lines().count(), 5);
    // Three of four are needed now: with two others it can go on without one of the first.
    let away = [1, 2, 3].into_iter().find(|&sid| sid != ensemble.leader()).unwrap();
    ensemble.stop(away);
    ensemble.works("/with-four");
    ensemble.begin(away);
    ensemble.serving();
    let text = ensemble.change(four, None, Some("4"));
    assert!(!text.contains("server.4"));
    ensemble.works("/without-four");
}

#[test]
fn a_server_becomes_an_observer_and_votes_again() {
    let ensemble = Ensemble::start(3);
    let observer = [1, 2, 3].into_iter().find(|&sid| sid != ensemble.leader()).unwrap();
    let line = &ensemble.lines[&observer];
    let joining = format!("server.{observer}={}", line.replace("participant", "observer"));
    ensemble.change(ensemble.leader(), Some(&joining), None);
    ensemble.becomes(observer, "observer");
    ensemble.works("/observed");
    let joining = format!("server.{observer}={line}");
    ensemble.change(ensemble.leader(), Some(&joining), None);
    ensemble.becomes(observer, "follower");
    ensemble.works("/followed");
}

#[test]
fn a_leader_that_is_removed_hands_over() {
    let mut ensemble = Ensemble::start(3);
    let leader = ensemble.leader();
    let text = ensemble.change(leader, None, Some(&leader.to_string()));
    assert!(!text.contains(&format!("server.{leader}=")));
    let next = ensemble.leader();
    assert_ne!(next, leader);
    ensemble.works("/handed-over");
    // Without a vote: the two others go on.
    ensemble.stop(leader);
    ensemble.works("/alone");
}

#[test]
fn ports_move() {
    let mut ensemble = Ensemble::start(3);
    for sid in [ensemble.leader(), 1, 2] {
        let moved = line("participant");
        let joining = format!("server.{sid}={moved}");
        let text = ensemble.change(sid, Some(&joining), None);
        assert!(text.contains(&joining));
        let place = client_of(&moved).parse().unwrap();
        eventually("the new address", || {
            (ensemble.members[&sid].address() == Some(place)).then_some(())
        });
        ensemble.works(&format!("/moved-{sid}-{}", version(&text)));
        ensemble.lines.insert(sid, moved);
    }
    // Who comes back is to be found where it is now, by the election ports that the others have now.
    for sid in 1..=3 {
        ensemble.stop(sid);
        ensemble.works(&format!("/elected-without-{sid}"));
        ensemble.begin(sid);
        ensemble.serving();
    }
    ensemble.works("/in-the-end");
}

#[test]
fn a_client_port_that_somebody_else_has_is_tried_again() {
    let ensemble = Ensemble::start(3);
    let leader = ensemble.leader();
    let follower = if leader == 1 { 2 } else { 1 };
    let moved = line("participant");
    let place: std::net::SocketAddr = client_of(&moved).parse().unwrap();
    let taken = TcpListener::bind(place).unwrap();
    ensemble.change(leader, Some(&format!("server.{follower}={moved}")), None);
    assert_ne!(ensemble.members[&follower].address(), Some(place), "somebody else has it");
    drop(taken);
    eventually("the new address", || {
        (ensemble.members[&follower].address() == Some(place)).then_some(())
    });
    ensemble.works("/at-last");
}

/// It does not end, and leads as soon as it can.
#[test]
fn a_server_whose_port_for_learners_is_taken_tries_again() {
    let mut ensemble = Ensemble::start(3);
    // So that the third one holds more than the first, and is elected by both.
    ensemble.stop(1);
    ensemble.works_at(&[2, 3], "/before");
    ensemble.stop(2);
    ensemble.stop(3);
    let port: u16 = ensemble.lines[&3].split(':').nth(1).unwrap().parse().unwrap();
    let taken = TcpListener::bind(("127.0.0.1", port)).unwrap();
    ensemble.begin(3);
    ensemble.begin(1);
    // The first one takes it for its leader.
    drop(taken.accept().unwrap());
    drop(taken);
    ensemble.becomes(3, "leader");
    ensemble.works("/at-last");
    ensemble.begin(2);
    ensemble.serving();
    ensemble.works("/with-all");
}

/// What is proposed is on the disk before it is acknowledged; whoever cannot write it down leaves its role until it can.
#[test]
fn a_configuration_that_cannot_be_written_down_holds_up_nobody_else() {
    for leads in [false, true] {
        let mut ensemble = Ensemble::start(3);
        let leader = ensemble.leader();
        let hindered = if leads {
            leader
        } else if leader == 1 {
            2
        } else {
            1
        };
        let others: Vec<i64> = (1..=3).filter(|&sid| sid != hindered).collect();
        // A directory is where the new file is to be.
        let hindrance = ensemble.home.path().join(format!("{hindered}/zoo.cfg.dynamic.next.tmp"));
        std::fs::create_dir_all(hindrance.join("x")).unwrap();
        let joining = ensemble.join("observer");
        let change = format!("server.{joining}={}", ensemble.lines[&joining]);
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let client = ensemble.client(others[0]);
            let text = config(&client).unwrap_or_default();
            if text.contains(&change) {
                break;
            }
            assert!(Instant::now() < deadline, "never: {text}");
            let _ = wait(client.reconfigure(Some(&change), None, None, None));
        }
        ensemble.works_at(&others, "/without-it");
        std::fs::remove_dir_all(&hindrance).unwrap();
        eventually("the configuration at last", || {
            config(&ensemble.client(hindered)).filter(|text| text.contains(&change))
        });
        ensemble.works("/with-it");
    }
}

#[test]
fn what_cannot_go_on_is_refused() {
    let mut ensemble = Ensemble::start(3);
    let leader = ensemble.leader();
    let [away, other] = [1, 2, 3].into_iter().filter(|&sid| sid != leader).collect::<Vec<_>>()[..]
    else {
        panic!("three members")
    };
    ensemble.stop(away);
    let client = ensemble.client(leader);
    let leaving = other.to_string();
    let refused = |leaving: &str, version: Option<i64>| {
        wait(client.reconfigure(None, Some(leaving), None, version)).unwrap_err().code()
    };
    // The leader notices by the end of the connection.
    eventually("no quorum", || {
        (refused(&leaving, None) == ErrorCode::NewConfigNoQuorum).then_some(())
    });
    assert_eq!(refused(&leaving, Some(1)), ErrorCode::BadVersion);
    assert_eq!(refused("1,2,3", None), ErrorCode::BadArguments);
    let stranger = format!("server.9={}", line("participant"));
    let joining = wait(client.reconfigure(Some(&stranger), None, None, None));
    // Three of four would be needed.
    assert_eq!(joining.unwrap_err().code(), ErrorCode::NewConfigNoQuorum);
    let leaving = away.to_string();
    assert!(wait(client.reconfigure(None, Some(&leaving), None, None)).is_ok());
}

#[test]
fn a_restart_goes_on_with_what_was_committed() {
    let mut ensemble = Ensemble::start(3);
    let four = ensemble.join("observer");
    let joining = format!("server.4={}", ensemble.lines[&four]);
    let text = ensemble.change(2, Some(&joining), None);
    // Whoever starts them still believes in three members, or in four at version 0.
    for sid in 1..=4 {
        ensemble.stop(sid);
    }
    for sid in 1..=4 {
        ensemble.begin(sid);
    }
    ensemble.serving();
    ensemble.becomes(four, "observer");
    for sid in 1..=4 {
        assert_eq!(config(&ensemble.client(sid)), Some(text.clone()));
    }
    ensemble.works("/again");
}

#[test]
fn clients_follow_the_members() {
    let mut ensemble = Ensemble::start(3);
    let leader = ensemble.leader();
    let at = |sid: i64| client_of(&ensemble.lines[&sid]).to_owned();
    let places: Vec<String> = (1..=3).map(at).collect();
    let client = Client::builder().servers(&places.join(",")).follow_config(true);
    let client = wait(client.connect()).unwrap();
    let four = ensemble.join("participant");
    ensemble.becomes(four, "follower");
    let joining = format!("server.4={}", ensemble.lines[&four]);
    ensemble.change(leader, Some(&joining), Some("1"));
    let expected: Vec<String> =
        (2..=4).map(|sid| client_of(&ensemble.lines[&sid]).to_owned()).collect();
    eventually("the list of the client", || {
        let mut servers: Vec<String> = client.servers().iter().map(ToString::to_string).collect();
        servers.sort();
        let mut expected = expected.clone();
        expected.sort();
        (servers == expected).then_some(())
    });
}
