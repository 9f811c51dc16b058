//! A member that was away for longer than the others' memory goes, and what it is given then.

use super::*;
use crate::client::CreateMode;
use crate::config::AutoPurge;
use crate::storage::Storage;
use quorate_engine::tree::TreeConfig;
use quorate_wire::Zxid;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

/// An ensemble of which a voter and the observer have missed some hundred writes, more than is in memory anywhere.
struct Behind {
    ensemble: Ensemble,
    leader: i64,
    away: Vec<i64>,
}

impl Behind {
    fn new(configure: fn(&mut ServerConfig)) -> Self {
        Self::with(configure, |_, _| Ok(()))
    }

    /// `hook` is asked by the disks of those that stay.
    fn with(
        configure: fn(&mut ServerConfig),
        hook: impl Fn(Op, &Path) -> io::Result<()> + Clone + Send + Sync + 'static,
    ) -> Self {
        let mut ensemble = Ensemble::new(true, configure);
        (1..=4).for_each(|sid| ensemble.begin_on(sid, hook.clone()));
        let leader = ensemble.leader();
        let voter = if leader == 1 { 2 } else { 1 };
        let client = ensemble.client(leader);
        client.create("/n", b"first", CreateMode::Persistent).unwrap();
        for sid in [voter, 4] {
            let there = ensemble.client(sid);
            there.sync("/").unwrap();
            assert!(there.exists("/n").unwrap().is_some());
            there.close().unwrap();
            ensemble.stop(sid);
        }
        for n in 0..400 {
            client.create(&format!("/n/{n}"), &[b'x'; 100], CreateMode::Persistent).unwrap();
        }
        client.close().unwrap();
        assert_eq!(ensemble.leader(), leader);
        Self { ensemble, leader, away: vec![voter, 4] }
    }

    /// Those that were away come back, one after the other, while others write. Returns whether they still had their logs then: a tree
    /// replaces them.
    fn come_back(&mut self) -> Vec<bool> {
        let mut kept = Vec::new();
        for sid in self.away.clone() {
            let before = self.logs(sid);
            assert!(!before.is_empty());
            self.ensemble.begin(sid);
            let client = self.ensemble.client(self.leader);
            client.create(&format!("/n/late-{sid}"), b"", CreateMode::Persistent).unwrap();
            let there = self.ensemble.client(sid);
            there.sync("/").unwrap();
            for path in ["/n/0".into(), "/n/399".into(), format!("/n/late-{sid}")] {
                assert!(there.exists(&path).unwrap().is_some(), "{path}");
            }
            client.close().unwrap();
            there.close().unwrap();
            let text = self.ensemble.word(sid, "mntr");
            let mismatches = words::figure(&text, "zk_digest_mismatches_count");
            assert_eq!(mismatches.as_deref(), Some("0"));
            kept.push(before.is_subset(&self.logs(sid)));
        }
        assert_eq!(self.ensemble.leader(), self.leader, "nobody else was disturbed");
        kept
    }

    fn logs(&self, sid: i64) -> BTreeSet<String> {
        let dir = self.ensemble.home.path().join(format!("{sid}/version-2"));
        let files = std::fs::read_dir(dir).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with("log.")).collect()
    }

    /// The ends of the histories on these disks, and the digests of what they lead to.
    fn ends(mut self, sids: impl IntoIterator<Item = i64>) -> BTreeSet<(Zxid, u64)> {
        until("all have the end of the last session", || {
            let state = |sid| {
                let zxid = self
                    .ensemble
                    .word(sid, "srvr")
                    .lines()
                    .find(|l| l.starts_with("Zxid"))
                    .map(str::to_owned);
                (zxid, words::figure(&self.ensemble.word(sid, "mntr"), "zk_global_sessions"))
            };
            let states: BTreeSet<_> = (1..=4).map(state).collect();
            states.len() == 1 && states.iter().all(|(_, sessions)| sessions.as_deref() == Some("0"))
        });
        (1..=4).for_each(|sid| self.ensemble.stop(sid));
        let dir = |sid: i64| self.ensemble.home.path().join(sid.to_string());
        let end = |sid| {
            let tree = TreeConfig { hash_seed: 1, digest: true };
            let (_, tree, _) = Storage::open(StorageConfig::new(dir(sid), tree)).unwrap();
            (tree.last_zxid(), tree.digest())
        };
        sids.into_iter().map(end).collect()
    }
}

/// Hardly anything is in memory, and any length of the log is worth it.
fn from_disk(config: &mut ServerConfig) {
    with_factor(config, 0.0);
}

fn with_factor(config: &mut ServerConfig, factor: f64) {
    let ensemble = config.ensemble.as_mut().unwrap();
    ensemble.learner_history_kb = 2;
    ensemble.snapshot_size_factor = factor;
}

#[test]
fn what_is_not_in_memory_comes_from_the_log() {
    let mut behind = Behind::new(from_disk);
    assert_eq!(behind.come_back(), [true, true], "no tree was sent");
    assert_eq!(behind.ends(1..=4).len(), 1);
}

#[test]
fn a_tree_is_sent_where_the_log_is_switched_off_or_longer_than_that_is_worth() {
    let off: fn(&mut ServerConfig) = |config| with_factor(config, -1.0);
    let long: fn(&mut ServerConfig) = |config| with_factor(config, 0.01);
    for configure in [off, long] {
        let mut behind = Behind::new(configure);
        assert_eq!(behind.come_back(), [false, false]);
        assert_eq!(behind.ends(1..=4).len(), 1);
    }
}

#[test]
fn a_tree_is_sent_where_the_log_was_purged() {
    let mut behind = Behind::new(|config| {
        from_disk(config);
        config.snap_count = 40;
        config.auto_purge = AutoPurge { interval_ms: 20, ..config.auto_purge.clone() };
    });
    let first = behind.logs(behind.away[0]).into_iter().next().unwrap();
    until("the log has been purged", || !behind.logs(behind.leader).contains(&first));
    assert_eq!(behind.come_back(), [false, false]);
    assert_eq!(behind.ends(1..=4).len(), 1);
}

#[test]
fn a_tree_is_sent_where_the_log_is_damaged() {
    let mut behind = Behind::new(from_disk);
    let leader = behind.leader;
    for name in behind.logs(leader) {
        let path = behind.ensemble.home.path().join(format!("{leader}/version-2/{name}"));
        let mut bytes = std::fs::read(&path).unwrap();
        let text = "/n/200";
        let at = bytes.windows(text.len()).position(|window| window == text.as_bytes());
        if let Some(at) = at {
            bytes[at] ^= 1;
            use std::os::unix::fs::FileExt;
            let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
            file.write_all_at(&bytes[at..=at], u64::try_from(at).unwrap()).unwrap();
        }
    }
    assert_eq!(behind.come_back(), [false, false]);
    let others: Vec<i64> = (1..=4).filter(|&sid| sid != leader).collect();
    assert_eq!(behind.ends(others).len(), 1, "but for the one with the damaged disk");
}

/// What was found whole, and cannot be read any more when it is to be sent.
#[test]
fn a_tree_is_sent_where_the_log_cannot_be_read_after_all() {
    let reads = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&reads);
    let mut behind = Behind::with(from_disk, move |op, path| {
        let is_log =
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("log."));
        // The first read is the search's, of all that there is.
        if op == Op::ReadAt && is_log && seen.fetch_add(1, Ordering::Relaxed) > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    });
    assert_eq!(reads.load(Ordering::Relaxed), 0);
    assert_eq!(behind.come_back(), [false, false]);
    assert_eq!(reads.load(Ordering::Relaxed), 2, "a search and a feed, and no further search");
    assert_eq!(behind.ends(1..=4).len(), 1);
}
