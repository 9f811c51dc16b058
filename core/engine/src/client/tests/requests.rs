//! Every request and reply: its bytes on the wire, and the root of the view that it is asked in.

use super::*;
use quorate_wire::acl::{self, Acl};
use quorate_wire::op::create::{Create2Response, CreateMode, CreateRequest, CreateTtlRequest};
use quorate_wire::op::get_children::{GetChildren2Response, GetChildrenResponse};
use quorate_wire::op::get_ephemerals::GetEphemeralsResponse;
use quorate_wire::op::multi_result::{MultiResponse, MultiResult};
use quorate_wire::op::remove_watches::WatcherType;
use std::borrow::Cow;

fn create<'a>(path: &'a str, mode: CreateMode, acl: &'a [Acl<'a>]) -> Create<'a> {
    Create { path, data: b"d", acl, mode, ttl: 50 }
}

#[test]
fn each_operation_has_its_code_and_its_path_below_the_root() {
    let acl = [Acl::world(acl::ALL)];
    let any = WatcherType::Any;
    let path = "/x";
    let table: Vec<(Request<'_>, OpCode)> = vec![
        (Request::Create(create(path, CreateMode::Persistent, &acl)), OpCode::Create2),
        (Request::Create(create(path, CreateMode::Container, &acl)), OpCode::CreateContainer),
        (Request::Create(create(path, CreateMode::PersistentWithTtl, &acl)), OpCode::CreateTtl),
        (Request::Delete { path, version: 1 }, OpCode::Delete),
        (Request::Exists { path, watch: None }, OpCode::Exists),
        (Request::Get { path, watch: None }, OpCode::GetData),
        (Request::Children { path, watch: None }, OpCode::GetChildren2),
        (Request::Set { path, data: b"", version: 1 }, OpCode::SetData),
        (Request::GetAcl { path }, OpCode::GetAcl),
        (Request::SetAcl { path, acl: &acl, version: 1 }, OpCode::SetAcl),
        (Request::Sync { path }, OpCode::Sync),
        (Request::AddWatch { path, recursive: true, watch: 1 }, OpCode::AddWatch),
        (Request::RemoveWatches { path, kind: any }, OpCode::RemoveWatches),
        (Request::CheckWatches { path, kind: any }, OpCode::CheckWatches),
        (Request::Ephemerals { prefix: path }, OpCode::GetEphemerals),
        (Request::CountDescendants { path }, OpCode::GetAllChildrenNumber),
    ];
    let mut rig = Rig::up();
    for (request, op) in &table {
        rig.submit_below("/app", request, 1);
        let sent = rig.sent().remove(0);
        assert_eq!(sent.op, *op);
        let path: Cow<'_, str> = Reader::new(&sent.body).get().unwrap();
        assert_eq!(path, "/app/x", "{op:?}");
    }
}

#[test]
fn bodies_are_those_of_the_protocol() {
    let acl = [Acl::world(acl::ALL)];
    let mut rig = Rig::up();
    rig.submit(&Request::Create(create("/a", CreateMode::EphemeralSequential, &acl)), 1);
    rig.submit(&Request::Create(create("/a", CreateMode::PersistentWithTtl, &acl)), 2);
    let sent = rig.sent();
    let flags = CreateMode::EphemeralSequential.flags();
    let (path, data, acl) = ("/a".into(), Some(b"d".as_slice()), acl.to_vec());
    let expected = CreateRequest { path, data, acl: acl.clone().into(), flags };
    assert_eq!(CreateRequest::from_bytes(&sent[0].body).unwrap(), expected);
    let (path, flags) = ("/a".into(), CreateMode::PersistentWithTtl.flags());
    let expected = CreateTtlRequest { path, data, acl: acl.into(), flags, ttl: 50 };
    assert_eq!(CreateTtlRequest::from_bytes(&sent[1].body).unwrap(), expected);
}

#[test]
fn roots_come_off_every_path_of_a_reply() {
    let created = |path: &'static str| Create2Response { path: path.into(), stat: Stat::default() };
    let paths = GetEphemeralsResponse { paths: vec!["/app/x/e".into()] }.to_bytes();
    let multi = MultiResponse {
        results: vec![MultiResult::Create2(created("/app/x/s1")), MultiResult::Delete],
    };
    let none: [Acl<'_>; 0] = [];
    let node = create("/x", CreateMode::Persistent, &none);
    let parts = [Part::Create(node), Part::Delete { path: "/y", version: -1 }];
    let stat = Some(Stat::default());
    let table: Vec<(Request<'_>, Vec<u8>, Reply)> = vec![
        (
            Request::Create(node),
            created("/app/x").to_bytes(),
            Reply::Created { path: "/x".into(), stat },
        ),
        (Request::Sync { path: "/" }, Cow::Borrowed("/app").to_bytes(), Reply::Synced("/".into())),
        (Request::Ephemerals { prefix: "/x" }, paths, Reply::Paths(vec!["/x/e".into()])),
        (
            Request::Multi(&parts),
            multi.to_bytes(),
            Reply::Multi(vec![Ok(Reply::Created { path: "/x/s1".into(), stat }), Ok(Reply::Done)]),
        ),
    ];
    let mut rig = Rig::up();
    for (request, body, expected) in table {
        rig.submit_below("/app", &request, 1);
        let xid = rig.sent()[0].xid;
        rig.reply(xid, 5, 0, &body);
        assert_eq!(rig.completions(), [(1, Ok(expected))]);
    }
}

#[test]
fn the_root_of_a_view_is_its_root_on_the_server() {
    let mut rig = Rig::up();
    rig.submit_below("/app", &Request::Get { path: "/", watch: Some(1) }, 1);
    let sent = rig.sent();
    assert_eq!(Reader::new(&sent[0].body).get::<Cow<'_, str>>().unwrap(), "/app");
    rig.reply(sent[0].xid, 5, 0, &data(b""));
    rig.take_effects();
    rig.notify(EventType::DataChanged, "/app");
    let event = Notice::Changed { kind: EventType::DataChanged, path: "/".into(), zxid: None };
    assert_eq!(rig.events(), [(1, event)]);
    rig.submit_below("/app", &Request::Get { path: "/", watch: None }, 2);
    let xid = rig.sent()[0].xid;
    rig.reply(xid, 5, ErrorCode::NoNode.code(), &[]);
    let failure = rig.completions().remove(0).1.unwrap_err();
    assert_eq!(failure.path, "/");
    assert_eq!(below("/app", "/"), "/app");
    assert_eq!(below("", "/"), "/");
    assert_eq!(below("/app", "/x"), "/app/x");
}

/// ClickHouse PR 98499: the reply to addWatch may have a body, or none.
#[test]
fn replies_have_their_types() {
    let stat = Stat { version: 3, ..Stat::default() };
    let names = vec!["a".into(), "b".into()];
    let children = GetChildren2Response { children: names, stat }.to_bytes();
    let read = MultiResponse {
        results: vec![
            MultiResult::GetData(GetDataResponse { data: Some(b"v"), stat }),
            MultiResult::Error(ErrorCode::NoNode.code()),
            MultiResult::GetChildren(GetChildrenResponse { children: vec!["c".into()] }),
        ],
    };
    let parts = [Part::Get { path: "/a" }, Part::Get { path: "/b" }, Part::Children { path: "/" }];
    let path = "/a";
    let table: Vec<(Request<'_>, i32, Vec<u8>, Reply)> = vec![
        (Request::Exists { path, watch: None }, 0, stat.to_bytes(), Reply::Stat(stat)),
        (Request::Exists { path, watch: None }, -101, vec![], Reply::Absent),
        (
            Request::Get { path, watch: None },
            0,
            GetDataResponse { data: None, stat }.to_bytes(),
            Reply::Data { data: vec![], stat },
        ),
        (
            Request::Children { path, watch: None },
            0,
            children,
            Reply::Children { names: vec!["a".into(), "b".into()], stat: Some(stat) },
        ),
        (Request::CountDescendants { path }, 0, 7i32.to_bytes(), Reply::Count(7)),
        (Request::Delete { path, version: -1 }, 0, vec![], Reply::Done),
        // Servers put an error code there.
        (Request::AddWatch { path, recursive: false, watch: 9 }, 0, vec![0; 4], Reply::Done),
        (
            Request::MultiRead(&parts),
            0,
            read.to_bytes(),
            Reply::Multi(vec![
                Ok(Reply::Data { data: b"v".to_vec(), stat }),
                Err(ErrorCode::NoNode),
                Ok(Reply::Children { names: vec!["c".into()], stat: None }),
            ]),
        ),
    ];
    let mut rig = Rig::up();
    for (request, err, body, expected) in table {
        rig.ask(&request, 1, err, &body);
        assert_eq!(rig.completions(), [(1, Ok(expected))]);
    }
}

#[test]
fn a_multi_that_failed_has_no_success_in_it() {
    let results = [0, -110, -2].map(MultiResult::Error).to_vec();
    let parts = [Part::Check { path: "/a", version: 0 }; 3];
    let mut rig = Rig::up();
    rig.ask(&Request::Multi(&parts), 1, 0, &MultiResponse { results }.to_bytes());
    let inconsistency = Err(ErrorCode::RuntimeInconsistency);
    let expected = vec![inconsistency.clone(), Err(ErrorCode::NodeExists), inconsistency];
    assert_eq!(rig.completions(), [(1, Ok(Reply::Multi(expected)))]);
}
