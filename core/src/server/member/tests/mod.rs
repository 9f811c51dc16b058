//! Members in one process, on loopback ports and on disks that do what a test says.

mod catch_up;
mod local;
mod reading;
mod room;
mod words;

use super::{Start, launch};
use crate::client::{Client, blocking};
use crate::config::{EnsembleConfig, FourLetterWords, ServerConfig};
use crate::ensemble::archive::tests::support::hooked::{HookedDisk, Op};
use crate::server::clock::Clock;
use crate::server::handle::Server;
use crate::server::listener::{Listener, WAKER};
use crate::server::settings::Settings;
use crate::storage::{RealDisk, StorageConfig};
use mio::{Poll, Waker};
use quorate_wire::quorum::Membership;
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// An ensemble, of which only those run that were begun.
struct Ensemble {
    home: tempfile::TempDir,
    membership: Membership,
    configure: fn(&mut ServerConfig),
    members: BTreeMap<i64, Server>,
}

impl Ensemble {
    /// Voters 1 to 3, and with `observer` an observer 4.
    fn new(observer: bool, configure: fn(&mut ServerConfig)) -> Self {
        let servers = if observer { 4 } else { 3 };
        let free: Vec<TcpListener> =
            (0..3 * servers).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let mut ports = free.iter().map(|socket| socket.local_addr().unwrap().port());
        let mut lines = String::new();
        for sid in 1..=servers {
            let [quorum, election, client] = [(); 3].map(|()| ports.next().unwrap());
            let role = if sid > 3 { "observer" } else { "participant" };
            lines +=
                &format!("server.{sid}=127.0.0.1:{quorum}:{election}:{role};127.0.0.1:{client}\n");
        }
        let membership = Membership::parse(&(lines + "version=0")).unwrap();
        let home = tempfile::tempdir().unwrap();
        Self { home, membership, configure, members: BTreeMap::new() }
    }

    /// All run.
    fn begun(observer: bool, configure: fn(&mut ServerConfig)) -> Self {
        let mut ensemble = Self::new(observer, configure);
        let sids: Vec<i64> = ensemble.membership.servers.keys().copied().collect();
        sids.into_iter().for_each(|sid| ensemble.begin(sid));
        ensemble
    }

    fn begin(&mut self, sid: i64) {
        self.begin_on(sid, |_, _| Ok(()));
    }

    /// Begins a member whose disk asks before everything that it does.
    fn begin_on(
        &mut self,
        sid: i64,
        hook: impl Fn(Op, &Path) -> io::Result<()> + Send + Sync + 'static,
    ) {
        let dir = self.home.path().join(sid.to_string());
        std::fs::create_dir_all(&dir).unwrap();
        let mut config = ServerConfig {
            tick_time_ms: 500,
            data_dir: dir.clone(),
            ensemble: Some(EnsembleConfig::new(sid, self.membership.clone())),
            four_letter_words: FourLetterWords::all(),
            ..ServerConfig::default()
        };
        (self.configure)(&mut config);
        let ensemble = config.ensemble.clone().unwrap();
        let settings = Settings::new(&config, 1);
        let disk = Arc::new(HookedDisk::new(RealDisk, hook));
        let storage = StorageConfig { disk, ..StorageConfig::new(&dir, settings.tree) };
        let poll = Poll::new().unwrap();
        let waker = Arc::new(Waker::new(poll.registry(), WAKER).unwrap());
        let mut listener = Listener::open(&config, self.port(sid)).unwrap();
        listener.register(poll.registry()).unwrap();
        let address = listener.address().ok();
        let (clock, listener) = (Clock::new(), Some(listener));
        let start = Start { config, settings, storage, clock, poll, waker, listener, address };
        self.members.insert(sid, launch(start, &ensemble).unwrap());
    }

    fn stop(&mut self, sid: i64) {
        self.members.remove(&sid).unwrap().stop().unwrap();
    }

    fn port(&self, sid: i64) -> u16 {
        self.membership.servers[&sid].client.as_ref().unwrap().port
    }

    fn client(&self, sid: i64) -> blocking::Client {
        blocking::Client::connect_with(self.builder(sid)).unwrap()
    }

    fn builder(&self, sid: i64) -> crate::client::Builder {
        let servers = format!("127.0.0.1:{}", self.port(sid));
        Client::builder().servers(&servers).session_timeout(Duration::from_secs(5))
    }

    /// What a member answers to a word.
    fn word(&self, sid: i64, word: &str) -> String {
        ask(self.port(sid), word)
    }

    /// Waits until a member says that it is this.
    fn becomes(&self, sid: i64, mode: &str) {
        let line = format!("\nMode: {mode}\n");
        until(&format!("{sid} is {mode}"), || self.word(sid, "srvr").contains(&line));
    }

    fn leader(&self) -> i64 {
        let leads = |sid: &&i64| self.word(**sid, "srvr").contains("\nMode: leader\n");
        let mut leader = None;
        until("there is a leader", || {
            leader = self.members.keys().find(leads).copied();
            leader.is_some()
        });
        leader.unwrap()
    }
}

/// What is answered to a word.
fn ask(port: u16, word: &str) -> String {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.write_all(word.as_bytes()).unwrap();
    let mut text = String::new();
    socket.read_to_string(&mut text).unwrap();
    text
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

const PATIENCE: Duration = Duration::from_secs(60);
