//! What members say of themselves.

use super::*;
use crate::client::CreateMode;

/// The value of a line of `mntr`.
pub(super) fn figure(text: &str, key: &str) -> Option<String> {
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('\t'));
    line.map(str::to_owned)
}

#[test]
fn members_say_where_they_stand() {
    let ensemble = Ensemble::begun(true, |_| {});
    let leader = ensemble.leader();
    let fresh = ensemble.word(leader, "srvr");
    assert!(fresh.contains("\nZxid: 0x100000000\n"), "{fresh}");
    assert!(fresh.ends_with("\nProposal sizes last/min/max: -1/-1/-1\n"), "{fresh}");
    let figures = [
        ("zk_server_state", "leader"),
        ("zk_peer_state", "leading - broadcast"),
        ("zk_quorum_size", "3"),
        ("zk_learners", "3"),
        ("zk_synced_followers", "2"),
        ("zk_synced_non_voting_followers", "0"),
        ("zk_synced_observers", "1"),
        ("zk_pending_syncs", "0"),
        ("zk_last_proposal_size", "-1"),
    ];
    let is_so = |sid: i64, figures: &[(&str, &str)]| {
        let mut said = String::new();
        let what = format!("{sid} says {figures:?}");
        until(&what, || {
            said = ensemble.word(sid, "mntr");
            figures.iter().all(|(key, value)| figure(&said, key).as_deref() == Some(*value))
        });
        said
    };
    is_so(leader, &figures);
    let led = leader.to_string();
    let of_observer = [
        ("zk_server_state", "observer"),
        ("zk_peer_state", "observing - broadcast"),
        ("zk_observer_master_id", led.as_str()),
    ];
    let said = is_so(4, &of_observer);
    assert_eq!(figure(&said, "zk_learners"), None, "only a leader has any");
    let follower = ensemble.members.keys().find(|sid| **sid != leader).unwrap();
    let state = ("zk_peer_state", "following - broadcast");
    is_so(*follower, &[("zk_server_state", "follower"), state, ("zk_quorum_size", "3")]);
    for sid in ensemble.members.keys() {
        let said = ensemble.word(*sid, "srvr");
        assert!(said.contains("\nZxid: 0x100000000\n"), "{sid}: {said}");
    }
    // The sizes are those of transactions.
    let client = ensemble.client(leader);
    client.create("/a", &[7; 1000], CreateMode::Persistent).unwrap();
    let said = ensemble.word(leader, "mntr");
    let size = |key: &str| figure(&said, key).unwrap().parse::<usize>().unwrap();
    let (last, max) = (size("zk_last_proposal_size"), size("zk_max_proposal_size"));
    assert!(last > 1000 && last < 1200 && max == last, "{said}");
    assert!(size("zk_min_proposal_size") < 200, "the session's");
    assert!(!ensemble.word(leader, "srvr").contains("Zxid: 0x100000000\n"));
}

#[test]
fn members_show_what_they_were_told() {
    let ensemble = Ensemble::begun(true, |_| {});
    ensemble.leader();
    ensemble.becomes(4, "observer");
    let own = &ensemble.membership.servers[&4].addresses[0];
    let expected = format!(
        "serverId=4\ninitLimit=10\nsyncLimit=5\nelectionAlg=3\nelectionPort={}\nquorumPort={}\npeerType=1\nmembership: \n{}",
        own.election_port, own.quorum_port, ensemble.membership
    );
    let said = ensemble.word(4, "conf");
    assert!(said.ends_with(&expected), "{said}\ninstead of\n{expected}");
}

/// Also what is asked in the moment in which a role ends.
#[test]
fn every_word_is_answered_whatever_becomes_of_the_leader() {
    let mut ensemble = Ensemble::begun(false, |_| {});
    for _ in 0..5 {
        let leader = ensemble.leader();
        let over = std::sync::atomic::AtomicBool::new(false);
        let asked = ensemble.members.keys().copied().filter(|sid| *sid != leader);
        let ports: Vec<u16> = asked.map(|sid| ensemble.port(sid)).collect();
        std::thread::scope(|scope| {
            for port in ports.iter().cycle().take(4) {
                scope.spawn(|| {
                    while !over.load(std::sync::atomic::Ordering::Relaxed) {
                        assert_ne!(ask(*port, "srvr"), "");
                    }
                });
            }
            ensemble.stop(leader);
            let _successor = ensemble.leader();
            over.store(true, std::sync::atomic::Ordering::Relaxed);
        });
        ensemble.begin(leader);
    }
}
