//! What is in flight is visible, in order, and forgotten exactly when it has been applied.

use super::*;
use quorate_wire::acl::READ;

fn world() -> World {
    World::new(PrepConfig::default())
}

fn listed(world: &World) -> Vec<String> {
    match world.last().txn {
        Txn::CloseSession(Some(paths)) => paths.into_iter().map(String::from).collect(),
        other => panic!("{other:?} closes no session"),
    }
}

#[test]
fn requests_see_those_before_them() {
    let mut w = world();
    assert_eq!(w.ask(&create("/a", 0)), None);
    assert_eq!(w.ask(&create("/a", 0)), Some(ErrorCode::NodeExists));
    assert_eq!(w.ask(&create("/a/b", 0)), None);
    assert_eq!(w.ask(&delete("/a", -1)), Some(ErrorCode::NotEmpty));
    assert_eq!(w.ask(&delete("/a/b", -1)), None);
    assert_eq!(w.ask(&delete("/a/b", -1)), Some(ErrorCode::NoNode));
    assert_eq!(w.ask(&set_data("/a", b"1", 0)), None);
    assert_eq!(w.ask(&set_data("/a", b"2", 0)), Some(ErrorCode::BadVersion));
    assert_eq!(w.ask(&set_data("/a", b"2", 1)), None);
    assert_eq!(w.ask(&delete("/a", 1)), Some(ErrorCode::BadVersion));
    assert_eq!(w.ask(&delete("/a", 2)), None);
    assert_eq!(w.ask(&create("/a/b", 0)), Some(ErrorCode::NoNode));
    assert_eq!(w.ask(&create("/a", 1)), None);
    assert_eq!(w.ask(&create("/a/b", 0)), Some(ErrorCode::NoChildrenForEphemerals));
    assert_eq!(w.prep.outstanding(), 3, "the root, /a and /a/b");
    w.apply_all();
    assert_eq!(w.tree.stat(w.tree.find("/a").unwrap()).ephemeral_owner, S);
}

#[test]
fn an_acl_in_flight_counts() {
    let mut w = world();
    w.done(&create("/a", 0));
    w.who = user("u:p");
    assert_eq!(w.ask(&set_acl("/a", only_auth(ALL), 0)), None);
    assert_eq!(w.ask(&set_data("/a", b"", -1)), None);
    let owner = std::mem::replace(&mut w.who, user("v:p"));
    assert_eq!(w.ask(&set_data("/a", b"", -1)), Some(ErrorCode::NoAuth));
    assert_eq!(w.ask(&create("/a/b", 0)), Some(ErrorCode::NoAuth));
    w.who = owner;
    assert_eq!(w.ask(&set_acl("/a", vec![Acl::world(READ)], 1)), None);
    assert_eq!(w.ask(&set_data("/a", b"", -1)), Some(ErrorCode::NoAuth));
    w.apply_all();
    // The list is the tree's now, the change in flight is of the data only.
    w.who = Identities::none().with(Id::new("super", ""));
    assert_eq!(w.ask(&set_data("/a", b"", -1)), None);
    w.who = user("u:p");
    assert_eq!(w.ask(&set_data("/a", b"", -1)), Some(ErrorCode::NoAuth));
    w.apply_all();
}

#[test]
fn the_root_is_one_node_with_two_names() {
    let mut w = world();
    w.who = user("u:p");
    assert_eq!(w.ask(&set_data("/", b"x", 0)), None);
    assert_eq!(w.ask(&create("/a", 0)), None);
    assert_eq!(w.ask(&set_acl("/", vec![Acl::world(READ)], 0)), None);
    assert_eq!(w.ask(&create("/b", 0)), Some(ErrorCode::NoAuth));
    assert_eq!(w.ask(&delete("/a", -1)), Some(ErrorCode::NoAuth));
    assert_eq!(w.prep.outstanding(), 2);
    w.apply_all();
}

#[test]
fn sequence_numbers_count_every_creation_and_never_come_back() {
    let mut w = world();
    w.done(&create("/q", 0));
    let mut names = Vec::new();
    for request in [create("/q/n-", 2), create("/q/", 3), create("/q/plain", 0), create("/q/n-", 2)]
    {
        assert_eq!(w.ask(&request), None);
        names.push(w.last_path());
    }
    assert_eq!(names, ["/q/n-0000000000", "/q/0000000001", "/q/plain", "/q/n-0000000003"]);
    assert_eq!(w.ask(&delete("/q/n-0000000003", -1)), None);
    assert_eq!(w.ask(&create("/q/plain", 0)), Some(ErrorCode::NodeExists));
    assert_eq!(w.ask(&create("/q/n-", 2)), None);
    assert_eq!(w.last_path(), "/q/n-0000000004", "neither deletions nor refusals move it");
    w.apply_all();
    assert_eq!(w.ask(&create("/q/n-", 2)), None);
    assert_eq!(w.last_path(), "/q/n-0000000005");
}

#[test]
fn the_last_sequence_number_is_given_once() {
    for lag in [false, true] {
        let mut w = world();
        w.done(&create("/q", 0));
        // A child whose creation left the counter one short of its end.
        assert_eq!(w.ask(&create("/q/x", 0)), None);
        let mut bytes = w.in_flight.pop_back().unwrap();
        let mut record = TxnRecord::from_bytes(&bytes).unwrap();
        if let Txn::Create(body) = &mut record.txn {
            body.parent_cversion = Some(i32::MAX - 1);
        }
        record.digest = None;
        bytes = record.to_bytes();
        w.in_flight.push_back(bytes);
        w.apply_all();
        for expected in ["/q/n-2147483646", "/q/n-2147483647"] {
            assert_eq!(w.ask(&create("/q/n-", 2)), None);
            assert_eq!(w.last_path(), expected);
            if !lag {
                w.apply_all();
            }
        }
        assert_eq!(w.ask(&create("/q/n-", 2)), Some(ErrorCode::NodeExists));
        assert_eq!(w.ask(&create("/q/plain", 0)), None, "plain names go on");
        let Txn::Create(body) = w.last().txn else { panic!("no create") };
        assert_eq!(body.parent_cversion, Some(i32::MAX));
        w.apply_all();
        assert_eq!(w.tree.persisted(w.tree.find("/q").unwrap()).cversion, i32::MAX);
    }
}

#[test]
fn closing_takes_ephemerals_in_flight_along() {
    let mut w = world();
    w.done(&create("/kept", 1));
    w.done(&create("/gone", 1));
    w.done(&create("/again", 1));
    w.done(&create("/swapped", 1));
    let other = create("/swapped", 1);
    for request in [delete("/gone", -1), delete("/again", -1), create("/again", 1)]
        .into_iter()
        .chain([create("/z", 1), create("/new", 1), create("/brief", 1), delete("/brief", -1)])
        .chain([create("/plain", 0), delete("/swapped", -1), set_data("/kept", b"", -1)])
    {
        assert_eq!(w.ask(&request), None);
    }
    assert_eq!(w.ask_as(T, (other.0, &other.1)), None, "another session's now");
    assert_eq!(w.judge(S, Ask::CloseSession).error, None);
    assert_eq!(listed(&w), ["/again", "/kept", "/new", "/z"]);
    assert_eq!(w.ask(&create("/late", 0)), Some(ErrorCode::SessionExpired));
    let again = create("/new", 1);
    assert_eq!(w.ask_as(T, (again.0, &again.1)), None, "the names are free");
    w.apply_all();
    assert_eq!(w.tree.ephemerals(S).count(), 0);
    assert_eq!(w.tree.ephemerals(T).collect::<Vec<_>>(), ["/new", "/swapped"]);
    assert_eq!(w.judge(T, Ask::CloseSession).error, None);
    w.apply_all();
    assert_eq!(w.judge(CLOSED, Ask::CloseSession).error, None, "unknown sessions close as well");
    assert_eq!(listed(&w), Vec::<String>::new());
}

#[test]
fn a_parent_may_go_right_after_its_ephemerals() {
    let mut w = world();
    w.done(&create("/p", 0));
    w.done(&create("/p/e", 1));
    assert_eq!(w.judge(S, Ask::CloseSession).error, None);
    let request = delete("/p", -1);
    assert_eq!(w.ask_as(T, (request.0, &request.1)), None);
    w.apply_all();
}

#[test]
fn very_many_ephemerals_end_together() {
    let mut w = world();
    w.done(&create("/p", 0));
    for _ in 0..20_000 {
        assert_eq!(w.ask(&create("/p/e", 3)), None);
    }
    assert_eq!(w.judge(S, Ask::CloseSession).error, None);
    assert_eq!(listed(&w).len(), 20_000);
    w.apply_all();
    assert_eq!(w.tree.child_count(w.tree.find("/p").unwrap()), 0);
    let request = create("/p/e", 3);
    assert_eq!(w.ask_as(T, (request.0, &request.1)), None);
    assert_eq!(w.last_path(), "/p/e0000020000");
    w.apply_all();
}

#[test]
fn applied_forgets_by_transaction() {
    let mut w = world();
    w.done(&create("/a", 0));
    assert_eq!(w.ask(&set_data("/a", b"1", 0)), None);
    assert_eq!(w.ask(&create("/b", 0)), None);
    assert_eq!(w.ask(&set_data("/a", b"2", 1)), None);
    assert_eq!(w.prep.outstanding(), 3);
    w.apply();
    assert_eq!(w.prep.outstanding(), 3, "/a has a newer change");
    w.apply();
    assert_eq!(w.prep.outstanding(), 1);
    assert_eq!(w.ask(&set_data("/a", b"3", 1)), Some(ErrorCode::BadVersion));
    assert_eq!(w.ask(&set_data("/a", b"3", 2)), None);
    w.apply_all();
}

#[test]
fn a_discarded_pipeline_leaves_no_trace() {
    let mut w = world();
    w.done(&create("/a", 0));
    for request in [create("/b", 1), delete("/a", -1), create("/a/x", 0)] {
        w.ask(&request);
    }
    w.in_flight.clear();
    let World { prep, tree, .. } = &mut w;
    prep.discard(tree);
    assert_eq!(w.prep.outstanding(), 0);
    assert_eq!(w.prep.last_zxid(), w.tree.last_zxid());
    assert_eq!(w.ask(&create("/b", 0)), None);
    assert_eq!(w.ask(&create("/a/x", 0)), None);
    assert_eq!(w.judge(S, Ask::CloseSession).error, None);
    assert_eq!(listed(&w), Vec::<String>::new(), "the ephemeral was never born");
    w.apply_all();
}

#[test]
fn a_failed_multi_leaves_no_trace() {
    let mut w = world();
    w.done(&create("/q", 0));
    w.done(&create("/q/a", 0));
    assert_eq!(w.ask(&set_data("/q/a", b"1", 0)), None);
    assert_eq!(w.ask(&create("/q/b", 1)), None);
    let outstanding = w.prep.outstanding();
    let failing = multi(&[
        part_create("/q/n-", 2),
        part_create("/q/n-", 3),
        part_set("/q/a", 1),
        part_set("/q/a", 2),
        part_delete("/q/b"),
        part_create("/q/b", 0),
        part_create("/new", 0),
        part_delete("/new"),
        part_check("/missing", -1),
        part_create("/never", 0),
    ]);
    assert_eq!(w.ask(&failing), None, "the reply lists the parts");
    assert_eq!(w.prep.outstanding(), outstanding);
    assert_eq!(w.ask(&create("/q/n-", 2)), None);
    assert_eq!(w.last_path(), "/q/n-0000000002", "the counter is back");
    assert_eq!(w.ask(&set_data("/q/a", b"1", 1)), None, "and the version");
    assert_eq!(w.judge(S, Ask::CloseSession).error, None);
    assert_eq!(listed(&w), ["/q/b"], "and the ephemerals");
    w.apply_all();
}

#[test]
fn the_parts_of_a_multi_see_each_other() {
    let mut w = world();
    let request = multi(&[
        part_create("/a", 0),
        part_create("/a/n-", 2),
        part_create("/a/n-", 3),
        part_set("/a", 0),
        part_check("/a", 1),
        part_delete("/a/n-0000000000"),
        part_create("/a/n-", 2),
    ]);
    assert_eq!(w.ask(&request), None);
    let Txn::Multi(txn) = w.last().txn else { panic!("no multi") };
    assert!(!txn.failed(), "{txn:?}");
    assert_eq!(w.judge(S, Ask::CloseSession).error, None);
    assert_eq!(listed(&w), ["/a/n-0000000001"]);
    w.apply_all();
    assert_eq!(w.tree.children(w.tree.find("/a").unwrap()).collect::<Vec<_>>(), ["n-0000000002"]);
}
