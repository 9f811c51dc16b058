//! The transactions themselves: what is written for each kind of request.

use super::*;
use quorate_wire::op::get_data::GetDataRequest;
use quorate_wire::stat::Owner;
use quorate_wire::txn::TxnType;

fn world() -> World {
    World::new(PrepConfig::default())
}

fn kinds(world: &World) -> Vec<i32> {
    match world.last().txn {
        Txn::Multi(multi) => multi.parts.iter().map(|part| part.txn.kind()).collect(),
        other => panic!("{other:?} is no multi"),
    }
}

#[test]
fn the_first_transaction_of_an_empty_tree_is_apaches() {
    // The second record of a log that Apache 3.8.0 wrote: create /plain = hello.
    let mut w = world();
    w.prep.last = Zxid(0x1_0000_0001);
    w.now = 1_795_364_288_991;
    let request =
        CreateRequest { path: "/plain".into(), data: Some(b"hello"), acl: open().into(), flags: 0 };
    assert_eq!(w.ask(&(OpCode::Create, request.to_bytes())), None);
    let record = w.last();
    let (time, kind) = (1_795_364_288_992, TxnType::CREATE);
    let header = TxnHeader { client_id: S, cxid: 3, zxid: Zxid(0x1_0000_0002), time, kind };
    assert_eq!(record.header, header);
    assert_eq!(record.digest, Some(TxnDigest { version: 2, tree: 0x1_4622_b585 }));
    let Txn::Create(body) = record.txn else { panic!("no create") };
    assert_eq!((body.parent_cversion, body.ephemeral), (Some(1), false));
}

#[test]
fn the_opcode_decides_what_is_stored() {
    let mut w = world();
    for (op, flags, owner) in [
        (OpCode::Create, 0, Owner::Persistent),
        (OpCode::Create2, 1, Owner::Session(S)),
        (OpCode::Create, 4, Owner::Persistent),
        (OpCode::CreateContainer, 0, Owner::Container),
        (OpCode::CreateContainer, 4, Owner::Container),
        (OpCode::CreateContainer, 1, Owner::Container),
    ] {
        let path = format!("/n{op:?}{flags}");
        let body = create_request(&path, flags, open()).to_bytes();
        assert_eq!(w.ask(&(op, body)), None);
        assert_eq!(w.last().txn.kind(), op.code());
        w.apply_all();
        assert_eq!(w.tree.owner(w.tree.find(&path).unwrap()), owner, "{path}");
    }
    assert_eq!(w.ask(&create_ttl("/ttl-", 6, 500)), None);
    w.apply_all();
    assert_eq!(w.tree.owner(w.tree.find("/ttl-0000000006").unwrap()), Owner::Ttl(500));
}

#[test]
fn inside_a_multi_flags_decide_more() {
    let mut w = world();
    let part = |op, path, flags| MultiPart::Create(op, create_request(path, flags, open()));
    let ttl = |path: &'static str, flags, ttl| {
        MultiPart::CreateTtl(CreateTtlRequest {
            path: path.into(),
            data: None,
            acl: open().into(),
            flags,
            ttl,
        })
    };
    let parts = [
        part(OpCode::Create, "/1", 0),
        part(OpCode::Create, "/2", 4),
        part(OpCode::Create2, "/3", 1),
        part(OpCode::CreateContainer, "/4", 0),
        ttl("/5", 5, 9),
        ttl("/6", 0, 9),
        ttl("/7", 4, -1),
    ];
    assert_eq!(w.ask(&multi(&parts)), None);
    assert_eq!(kinds(&w), [1, 19, 1, 1, 21, 1, 19]);
    assert_eq!(w.prep.take_create2_parts(), [2], "answered with a Stat, logged as create");
    w.apply_all();
    assert_eq!(w.ask(&multi(&[part(OpCode::Create, "/8", 5)])), Some(ErrorCode::MarshallingError));
    w.apply_all();
    assert_eq!(
        w.ask(&multi(&[ttl("/9", 9, 9)])),
        None,
        "judged, unlike another create with such flags"
    );
    let refused = Outcome::Error(ErrorCode::BadArguments.code());
    assert_eq!(w.apply(), Outcome::Multi(vec![refused]));
}

#[test]
fn a_failed_multi_keeps_the_parts_before_and_marks_the_rest() {
    let mut w = world();
    let parts = [part_create("/a", 0), part_delete("/b"), part_create("/c", 0), part_check("/", 0)];
    assert_eq!(w.ask(&multi(&parts)), None);
    assert_eq!(kinds(&w), [1, -1, -1, -1]);
    let digest = w.last().digest;
    assert_eq!(digest.map(|digest| digest.tree), Some(w.tree.digest()), "a multi has one even so");
    let codes = [0, ErrorCode::NoNode.code(), -2, -2].map(Outcome::Error);
    assert_eq!(w.apply(), Outcome::Multi(codes.to_vec()));
    assert_eq!(w.tree.find("/a"), None);
}

#[test]
fn an_empty_multi_is_a_transaction() {
    let mut w = world();
    let (op, body) = multi(&[]);
    assert_eq!(w.ask_as(CLOSED, (op, &body)), None, "no part looks at the session");
    assert_eq!(w.apply(), Outcome::Multi(vec![]));
}

#[test]
fn one_undecodable_part_makes_the_whole_multi_undecodable() {
    let mut w = world();
    let get = MultiPart::GetData(GetDataRequest { path: "/".into(), watch: false });
    let null_id = Acl { perms: 1, id: Id { scheme: Some("digest".into()), id: None } };
    let bad_acl = MultiPart::Create(OpCode::Create, create_request("/x", 0, vec![null_id]));
    let (_, mut cut) =
        multi(&[part_create("/a", 0), part_delete("/missing"), part_create("/b", 0)]);
    cut.truncate(cut.len() - 12);
    for request in [
        multi(&[part_create("/a", 0), get.clone()]),
        multi(&[get]),
        multi(&[part_create("/a", 0), bad_acl]),
        multi(&[part_create("/a", 0), part_delete("/missing"), part_create("/b", 9)]),
        multi(&[part_create("/a", 0), part_delete("/missing"), part_create("/b", 5)]),
        (OpCode::Multi, cut),
    ] {
        assert_eq!(w.ask(&request), Some(ErrorCode::MarshallingError));
        assert_eq!(w.last().txn, Txn::Error(-5));
        assert_eq!(w.prep.outstanding(), 0, "rolled back");
        w.apply_all();
    }
}

#[test]
fn sessions_begin_and_end_with_a_digest() {
    let mut w = world();
    w.judge(T, Ask::CreateSession { timeout: 4000 });
    assert_eq!(w.last().txn, Txn::CreateSession(4000));
    assert_eq!(w.last().header.client_id, T);
    assert_eq!(w.last().digest.map(|digest| digest.tree), Some(0x51c6_d660));
    w.judge(T, Ask::CloseSession);
    assert_eq!(w.last().txn, Txn::CloseSession(Some(vec![])));
    assert!(w.last().digest.is_some());
    w.apply_all();

    let mut old = World::new(PrepConfig { close_session_txn: false, ..PrepConfig::default() });
    old.done(&create("/e", 1));
    old.judge(S, Ask::CloseSession);
    assert_eq!((old.last().txn, old.last().digest), (Txn::CloseSession(None), None));
    assert_eq!(old.ask_as(T, (OpCode::Create, &create("/e", 0).1)), None);
    old.apply_all();
}

#[test]
fn without_digests_nothing_is_appended() {
    let mut w = World::new(PrepConfig { digest: false, ..PrepConfig::default() });
    for request in [create("/a", 0), set_data("/a", b"", -1), delete("/a", -1), multi(&[])] {
        assert_eq!(w.ask(&request), None);
        assert_eq!(w.last().digest, None);
    }
    w.apply_all();
}

#[test]
fn a_check_carries_the_next_version() {
    let mut w = world();
    assert_eq!(w.ask(&multi(&[part_check("/zookeeper", 0)])), None);
    let Txn::Multi(txn) = w.last().txn else { panic!("no multi") };
    assert_eq!(txn.parts[0].txn, Txn::Check("/zookeeper".into(), 1));
}

#[test]
fn a_multi_whose_transaction_would_be_huge_is_refused_as_a_whole() {
    let mut w = world();
    w.who = user(&format!("{}:p", "u".repeat(1_000_000)));
    let paths: Vec<String> = (0..18).map(|n| format!("/n{n}")).collect();
    let parts = |n: usize| -> Vec<MultiPart<'_>> {
        let part = |path| create_request(path, 0, only_auth(ALL));
        paths[..n].iter().map(|p| MultiPart::Create(OpCode::Create, part(p))).collect()
    };
    assert_eq!(w.ask(&multi(&parts(18))), Some(ErrorCode::MarshallingError));
    w.apply_all();
    w.done(&multi(&parts(10)));
}
