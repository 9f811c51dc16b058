//! The order of checks: each row fails in as many ways as can be at once, and the first one counts.

use super::*;
use ErrorCode::{
    BadArguments, BadVersion, InvalidAcl, MarshallingError, NoAuth, NoChildrenForEphemerals,
    NoNode, NodeExists, NotEmpty, QuotaExceeded, ReconfigDisabled, SessionExpired, Unimplemented,
};
use quorate_wire::acl::{CREATE, READ};

/// `/a` (open) with child `/a/b`; `/e` ephemeral; `/locked` with child `/locked/x`, everything for one
/// user only; `/full` with a hard quota that is used up and an ephemeral `/full/e`.
fn world(config: PrepConfig) -> World {
    let mut world = World::new(PrepConfig { enforce_quota: true, ..config });
    for path in ["/a", "/a/b", "/full", "/zookeeper/quota/full"] {
        world.done(&create(path, 0));
    }
    world.done(&create("/e", 1));
    world.done(&create("/full/e", 1));
    world.done(&create("/full/kept", 0));
    world.who = user("owner:pw");
    world.done(&create_acl("/locked", 0, only_auth(ALL)));
    world.done(&create_acl("/locked/x", 0, only_auth(ALL)));
    world.who = Identities::none();
    world.done(&create("/zookeeper/quota/full/zookeeper_stats", 0));
    let limits = "count=1,bytes=1=;byteHardLimit=1;countHardLimit=1";
    let request = CreateRequest {
        path: "/zookeeper/quota/full/zookeeper_limits".into(),
        data: Some(limits.as_bytes()),
        acl: open().into(),
        flags: 0,
    };
    world.done(&(OpCode::Create, request.to_bytes()));
    world
}

/// Who asks, what, and the answer.
type Row = (i64, (OpCode, Vec<u8>), Option<ErrorCode>);

fn table(config: PrepConfig, rows: Vec<Row>) {
    let mut world = world(config);
    for (row, (session, (op, body), expected)) in rows.into_iter().enumerate() {
        let before = world.tree.last_zxid();
        let error = world.ask_as(session, (op, &body));
        assert_eq!(error, expected, "row {row}: {op:?} {}", String::from_utf8_lossy(&body));
        world.apply_all();
        assert_eq!(world.tree.last_zxid(), before.next(), "every verdict takes one zxid");
    }
}

#[test]
fn create_in_order() {
    let nul = "x\0";
    let none = Vec::new;
    let config = PrepConfig::default();
    table(
        config,
        vec![
            (CLOSED, create_acl(nul, 7, none()), Some(BadArguments)),
            (CLOSED, create_acl(nul, -1, none()), Some(BadArguments)),
            (CLOSED, create_acl(nul, 5, none()), Some(BadArguments)),
            (CLOSED, create_ttl(nul, 5, 0), Some(BadArguments)),
            (CLOSED, create_ttl(nul, 6, 1 << 40), Some(BadArguments)),
            (CLOSED, create_ttl(nul, 0, 5), Some(BadArguments)),
            (S, create_ttl("/n", 0, -1), Some(BadArguments)),
            (CLOSED, create_acl(nul, 0, none()), Some(SessionExpired)),
            (CLOSED, create_acl(nul, 1, none()), Some(SessionExpired)),
            (CLOSED, create_ttl(nul, 5, 1), Some(SessionExpired)),
            (S, create_acl(nul, 0, none()), Some(BadArguments)),
            (S, create_acl("noslash", 0, none()), Some(BadArguments)),
            (S, create_acl("/missing/x", 0, none()), Some(InvalidAcl)),
            (S, create_acl("/missing/x", 0, only_auth(ALL)), Some(InvalidAcl)),
            (S, create("/missing/", 0), Some(NoNode)),
            (S, create("a/b", 0), Some(NoNode)),
            (S, create("/a//x", 0), Some(NoNode)),
            (S, create("/locked/.", 0), Some(NoAuth)),
            (S, create("/locked/x", 0), Some(NoAuth)),
            (S, create("/a/", 0), Some(BadArguments)),
            (S, create("/a/..", 0), Some(BadArguments)),
            (S, create("//x", 0), Some(BadArguments)),
            (S, create("/", 0), Some(NodeExists)),
            (S, create("/e/\u{1F600}", 0), Some(BadArguments)),
            (S, create("/full/kept", 0), Some(NodeExists)),
            (S, create("/full/e/x", 0), Some(NoChildrenForEphemerals)),
            (S, create("/full/new", 0), Some(QuotaExceeded)),
            (S, create("/a/", 2), None),
            (S, create_ttl("/ttl", 5, (1 << 40) - 1), None),
            (S, create("/ttl/child", 0), None),
        ],
    );
    let off = PrepConfig { extended_types: false, ..config };
    table(
        off,
        vec![
            (CLOSED, create_ttl(nul, 7, 0), Some(BadArguments)),
            (CLOSED, create_ttl(nul, 5, 0), Some(Unimplemented)),
            (CLOSED, create_acl(nul, 6, none()), Some(Unimplemented)),
            (S, create_ttl("/n", 0, 1), Some(BadArguments)),
        ],
    );
}

#[test]
fn delete_in_order() {
    table(
        PrepConfig::default(),
        vec![
            (CLOSED, delete("/", 9), Some(SessionExpired)),
            (S, delete("/", 9), Some(BadArguments)),
            (S, delete("/zookeeper", -1), Some(BadArguments)),
            (S, delete("/zookeeper/quota", -1), Some(BadArguments)),
            (S, delete("/zookeeper/config", -1), Some(BadArguments)),
            (S, delete("", -1), Some(BadArguments)),
            (S, delete("noslash", -1), Some(BadArguments)),
            (S, delete("/a\0", -1), Some(BadArguments)),
            (S, delete("/missing/x", 9), Some(NoNode)),
            (S, delete("/locked/missing", 9), Some(NoAuth)),
            (S, delete("/a/missing", 9), Some(NoNode)),
            (S, delete("/a/", 9), Some(NoNode)),
            (S, delete("//a", 9), Some(NoNode)),
            (S, delete("/a", 9), Some(BadVersion)),
            (S, delete("/a", -2), Some(BadVersion)),
            (S, delete("/a", 0), Some(NotEmpty)),
            (S, delete("/a", -1), Some(NotEmpty)),
            (S, delete("/full/kept", -1), None),
            (S, delete("/a/b", 0), None),
        ],
    );
}

#[test]
fn set_data_in_order() {
    table(
        PrepConfig::default(),
        vec![
            (CLOSED, set_data("", b"", 9), Some(SessionExpired)),
            (S, set_data("", b"", 9), Some(BadArguments)),
            (S, set_data("/missing/", b"", 9), Some(BadArguments)),
            (S, set_data("/missing", b"", 9), Some(NoNode)),
            (S, set_data("/locked", b"", 9), Some(NoAuth)),
            (S, set_data("/zookeeper/config", b"", 9), Some(NoAuth)),
            (S, set_data("/full/kept", b"longer", 9), Some(QuotaExceeded)),
            (S, set_data("/full/kept", b"same", 9), Some(BadVersion)),
            (S, set_data("/full/kept", b"same", 0), None),
            (S, set_data("/full/kept", b"", 1), Some(QuotaExceeded)),
            (S, set_data("/a", b"longer", 0), None),
            (S, set_data("/", b"root", -1), None),
            (S, set_data("/", b"root", 1), None),
        ],
    );
}

#[test]
fn set_acl_in_order() {
    table(
        PrepConfig::default(),
        vec![
            (CLOSED, set_acl("", vec![], 9), Some(SessionExpired)),
            (S, set_acl("a//", vec![], 9), Some(BadArguments)),
            (S, set_acl("/missing", vec![], 9), Some(InvalidAcl)),
            (S, set_acl("/missing", open(), 9), Some(NoNode)),
            (S, set_acl("/locked", open(), 9), Some(NoAuth)),
            (S, set_acl("/a", open(), 9), Some(BadVersion)),
            (S, set_acl("/a", vec![Acl::world(READ)], 0), None),
            (S, set_acl("/a", open(), 1), Some(NoAuth)),
            (S, set_acl("/", vec![Acl::world(CREATE)], 0), None),
            (S, delete("/e", 0), Some(NoAuth)),
            (S, create("/new", 0), None),
        ],
    );
}

#[test]
fn check_in_order() {
    for (session, path, version, expected) in [
        (CLOSED, "", 9, SessionExpired.code()),
        (S, "", 9, BadArguments.code()),
        (S, "/missing", 9, NoNode.code()),
        (S, "/locked", 9, NoAuth.code()),
        (S, "/a", 9, BadVersion.code()),
        (S, "/a", 0, 0),
        (S, "/a", -1, 0),
        (S, "/zookeeper/config", -1, 0),
    ] {
        let mut world = world(PrepConfig::default());
        let (op, body) = multi(&[part_check(path, version)]);
        assert_eq!(world.ask_as(session, (op, &body)), None);
        let outcome = world.apply();
        let part = if expected == 0 { Outcome::Done } else { Outcome::Error(expected) };
        assert_eq!(outcome, Outcome::Multi(vec![part]), "{path} {version}");
    }
    table(
        PrepConfig::default(),
        vec![(S, (OpCode::Check, part_check_body("/a")), Some(Unimplemented))],
    );
}

fn part_check_body(path: &str) -> Vec<u8> {
    CheckVersionRequest { path: path.into(), version: -1 }.to_bytes()
}

#[test]
fn delete_container_in_order() {
    let mut world = world(PrepConfig::default());
    world.done(&(OpCode::CreateContainer, create("/a/c", 4).1));
    world.done(&create_ttl("/a/old", 5, 1000));
    world.now += 1000;
    world.done(&create_ttl("/a/new", 5, 1000));
    for (path, expected) in [
        ("/", Some(BadArguments)),
        ("/zookeeper/quota", Some(BadArguments)),
        ("x", Some(BadArguments)),
        ("/missing/x", Some(NoNode)),
        ("/a", Some(NotEmpty)),
        ("/e", Some(BadVersion)),
        ("/a/b", Some(BadVersion)),
        ("/a/new", Some(BadVersion)),
        ("/a/c", None),
        ("/a/old", None),
    ] {
        assert_eq!(world.judge(0, Ask::DeleteContainer { path }).error, expected, "{path}");
        let header = world.last().header;
        assert_eq!((header.client_id, header.cxid), (0, 3));
        world.apply_all();
    }
    // The reaper saw a container, and an ordinary node has taken its place.
    world.done(&(OpCode::CreateContainer, create("/a/c", 4).1));
    assert_eq!((world.ask(&delete("/a/c", -1)), world.ask(&create("/a/c", 0))), (None, None));
    assert_eq!(world.judge(0, Ask::DeleteContainer { path: "/a/c" }).error, Some(BadVersion));
    world.apply_all();
    let (op, body) = (OpCode::DeleteContainer, b"\0\0\0\x02/e".as_slice());
    assert_eq!(world.ask_as(S, (op, body)), Some(BadArguments), "not for clients");
}

#[test]
fn reconfig_in_order() {
    let on = PrepConfig { reconfig_enabled: true, ..PrepConfig::default() };
    let (op, body) = reconfig();
    table(PrepConfig::default(), vec![(CLOSED, (op, body.clone()), Some(ReconfigDisabled))]);
    table(
        on,
        vec![
            (CLOSED, (op, vec![]), Some(MarshallingError)),
            (CLOSED, (op, body.clone()), Some(SessionExpired)),
            (S, (op, body), Some(Unimplemented)),
        ],
    );
}

#[test]
fn what_cannot_be_decoded_is_refused_and_takes_a_zxid() {
    let ops = [OpCode::Create, OpCode::CreateTtl, OpCode::Delete, OpCode::SetData, OpCode::SetAcl]
        .into_iter()
        .chain([OpCode::Multi, OpCode::Create2, OpCode::CreateContainer, OpCode::Reconfig]);
    let rows = ops.flat_map(|op| {
        [vec![], vec![0xFF; 3], vec![0xFF; 40]]
            .map(|body| (CLOSED, (op, body), Some(MarshallingError)))
    });
    // As a multi the long one is empty, as a reconfig it is legal; setData and setACL see a null path.
    let legal =
        |op| matches!(op, OpCode::Multi | OpCode::Reconfig | OpCode::SetData | OpCode::SetAcl);
    let rows = rows.filter(|(_, (op, body), _)| body.len() < 40 || !legal(*op));
    table(PrepConfig::default(), rows.collect());
    let null_path =
        [OpCode::SetData, OpCode::SetAcl].map(|op| (S, (op, vec![0xFF; 40]), Some(BadArguments)));
    table(PrepConfig::default(), null_path.to_vec());
}

#[test]
fn skip_acl_skips_permissions_and_nothing_else() {
    table(
        PrepConfig { skip_acl: true, ..PrepConfig::default() },
        vec![
            (S, create("/locked/y", 0), None),
            (S, create_acl("/locked/z", 0, vec![]), Some(InvalidAcl)),
            (S, set_data("/locked", b"", 3), Some(BadVersion)),
        ],
    );
}

#[test]
fn versions_wrap_and_leave_out_minus_one() {
    use super::super::judge::next_version;
    for (current, expected, next) in [
        (0, 0, Ok(1)),
        (0, -1, Ok(1)),
        (5, 4, Err(BadVersion)),
        (i32::MAX, i32::MAX, Ok(i32::MIN)),
        (i32::MIN, i32::MIN, Ok(i32::MIN + 1)),
        (-2, -2, Ok(0)),
        (-1, -1, Ok(0)),
    ] {
        assert_eq!(next_version(current, expected), next);
    }
}
