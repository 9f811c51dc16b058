//! Sessions of one server alone, as the settings say.

use super::*;
use crate::client::{CreateMode, ErrorCode};

/// How many sessions a member knows: of the ensemble, and of its own.
fn sessions(ensemble: &Ensemble, sid: i64) -> [Option<String>; 2] {
    let text = ensemble.word(sid, "mntr");
    ["zk_global_sessions", "zk_local_sessions"].map(|key| words::figure(&text, key))
}

fn counts(global: i32, local: i32) -> [Option<String>; 2] {
    [global, local].map(|count| Some(count.to_string()))
}

#[test]
fn with_the_settings_sessions_are_local_until_they_own_nodes() {
    let ensemble = Ensemble::begun(false, |config| {
        if let Some(ensemble) = &mut config.ensemble {
            (ensemble.local_sessions, ensemble.local_sessions_upgrading) = (true, true);
        }
    });
    let leader = ensemble.leader();
    let follower = if leader == 3 { 2 } else { 3 };
    for at in [leader, follower] {
        let client = ensemble.client(at);
        // What became of the one before has come here a little later.
        let what = format!("{at} with leader {leader} has one local session");
        until(&what, || sessions(&ensemble, at) == counts(0, 1));
        client.create(&format!("/of-{at}"), b"", CreateMode::Persistent).unwrap();
        client.create(&format!("/brief-{at}"), b"", CreateMode::Ephemeral).unwrap();
        assert_eq!(sessions(&ensemble, at), counts(1, 0));
        client.close().unwrap();
    }
}

#[test]
fn without_upgrades_local_sessions_cannot_own_nodes() {
    let ensemble = Ensemble::begun(false, |config| {
        if let Some(ensemble) = &mut config.ensemble {
            ensemble.local_sessions = true;
        }
    });
    for at in 1..=3 {
        let client = ensemble.client(at);
        let refused = client.create("/brief", b"", CreateMode::Ephemeral).unwrap_err();
        assert_eq!(refused.code(), ErrorCode::EphemeralOnLocalSession);
        assert_eq!(sessions(&ensemble, at)[0].as_deref(), Some("0"));
    }
}
