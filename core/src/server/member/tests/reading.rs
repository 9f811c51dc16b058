//! Clients that make do with reading, while there is no leader.

use super::*;
use crate::client::{CreateMode, ErrorCode};

#[test]
fn a_member_that_is_left_alone_lets_read_until_there_is_a_leader_again() {
    let mut ensemble = Ensemble::begun(false, |config| config.read_only_mode = true);
    ensemble.client(1).create("/a", b"old", CreateMode::Persistent).unwrap();
    ensemble.client(2).sync("/").unwrap();
    assert_eq!(ensemble.word(2, "isro"), "rw");
    ensemble.stop(1);
    ensemble.stop(3);
    ensemble.becomes(2, "read-only");
    assert_eq!(ensemble.word(2, "isro"), "ro");
    let lines = ensemble.word(2, "srvr");
    let second = lines.lines().nth(1).unwrap();
    assert_eq!(second, "READ-ONLY mode; serving only read-only clients");
    let reader = blocking::Client::connect_with(ensemble.builder(2).read_only(true)).unwrap();
    assert_eq!(reader.get("/a").unwrap().0, b"old");
    let refused = reader.set("/a", b"new", None).unwrap_err();
    assert_eq!(refused.code(), ErrorCode::NotReadOnly);
    ensemble.begin(1);
    // The reader is let go, and comes back as anybody.
    until("there is a leader", || reader.set("/a", b"new", None).is_ok());
    assert_eq!(ensemble.word(2, "isro"), "rw");
    assert_eq!(ensemble.client(1).get("/a").unwrap().0, b"new");
}
