//! Tests of request preparation: a small world of a tree, a judge and transactions in flight between them.

mod checks;
mod in_flight;
mod random;
mod reconfig;
mod shapes;

use super::*;
use crate::access::{AccessConfig, authenticate};
use crate::tree::{Outcome, TreeConfig};
use quorate_wire::Acl;
use quorate_wire::acl::{ALL, Id};
use quorate_wire::op::check::CheckVersionRequest;
use quorate_wire::op::create::{CreateRequest, CreateTtlRequest};
use quorate_wire::op::delete::DeleteRequest;
use quorate_wire::op::multi::{MultiHeader, MultiPart, write_part};
use quorate_wire::op::reconfig::ReconfigRequest;
use quorate_wire::op::set_acl::SetAclRequest;
use quorate_wire::op::set_data::SetDataRequest;
use quorate_wire::txn::{Txn, TxnRecord};
use std::collections::{BTreeSet, VecDeque};

/// A tree, its judge, and what has been judged but not applied.
struct World {
    tree: Tree,
    prep: Prep,
    open: Sessions,
    in_flight: VecDeque<Vec<u8>>,
    now: i64,
    who: Identities,
}

struct Sessions(BTreeSet<i64>);

impl SessionView for Sessions {
    fn refuses(&self, session: i64) -> Option<ErrorCode> {
        (!self.0.contains(&session)).then_some(ErrorCode::SessionExpired)
    }
}

/// A session that is always open at first.
const S: i64 = 0x0100_0000_0000_0001;
/// Another one.
const T: i64 = 0x0100_0000_0000_0002;
/// One that is not.
const CLOSED: i64 = 0x0100_0000_0000_0099;

impl World {
    fn new(config: PrepConfig) -> Self {
        let tree = Tree::new(TreeConfig { hash_seed: 7, digest: config.digest });
        let prep = Prep::new(config, tree.last_zxid(), tree.digest());
        Self {
            tree,
            prep,
            open: Sessions([S, T].into()),
            in_flight: VecDeque::new(),
            now: 1_700_000_000_000,
            who: Identities::none(),
        }
    }

    /// Judges and leaves the transaction in flight.
    fn judge(&mut self, session: i64, ask: Ask<'_>) -> Judged {
        self.now += 1;
        let request = Request { session, cxid: 3, identities: &self.who, ask };
        let mut out = vec![0xEE];
        let judged = self.prep.judge(&self.tree, &self.open, self.now, &request, &mut out);
        assert_eq!(out.remove(0), 0xEE, "what was in the buffer stays");
        if matches!(ask, Ask::CloseSession) {
            self.open.0.remove(&session);
        }
        self.in_flight.push_back(out);
        judged
    }

    fn ask(&mut self, (op, body): &(OpCode, Vec<u8>)) -> Option<ErrorCode> {
        self.ask_as(S, (*op, body))
    }

    fn ask_as(&mut self, session: i64, (op, body): (OpCode, &[u8])) -> Option<ErrorCode> {
        self.judge(session, Ask::Client { op, body }).error
    }

    /// Asks, requires success and applies everything.
    fn done(&mut self, request: &(OpCode, Vec<u8>)) {
        assert_eq!(self.ask(request), None, "{request:?}");
        self.apply_all();
    }

    /// Applies the oldest transaction in flight.
    fn apply(&mut self) -> Outcome {
        let bytes = self.in_flight.pop_front().expect("something is in flight");
        let record = TxnRecord::from_bytes(&bytes).expect("a judge writes what can be read");
        assert_eq!(record.to_bytes(), bytes, "and nothing else");
        let outcome = self.tree.apply(&record, &mut ());
        match record.txn {
            Txn::Error(code) => {
                assert_eq!(outcome, Outcome::Error(code));
                assert_eq!(record.digest, None, "refusals carry no digest");
            }
            Txn::Multi(_) => {}
            _ => assert!(!matches!(outcome, Outcome::Error(_)), "{outcome:?} of {record:?}"),
        }
        if let Some(digest) = record.digest {
            assert_eq!(digest.tree, self.tree.digest(), "digest of {record:?}");
        }
        self.prep.applied(record.header.zxid);
        outcome
    }

    fn apply_all(&mut self) {
        while !self.in_flight.is_empty() {
            self.apply();
        }
        assert_eq!(self.prep.outstanding(), 0, "all is applied, nothing is in flight");
        assert!(self.prep.overlay.is_idle());
    }

    /// The newest transaction.
    fn last(&self) -> TxnRecord<'_> {
        TxnRecord::from_bytes(self.in_flight.back().unwrap()).unwrap()
    }

    fn last_path(&self) -> String {
        match self.last().txn {
            Txn::Create(body) | Txn::Create2(body) => body.path.into_owned(),
            other => panic!("{other:?} is no create"),
        }
    }
}

fn user(user_password: &str) -> Identities {
    let auth = Some(user_password.as_bytes());
    authenticate(&AccessConfig::default(), Some("digest"), auth, &Identities::none()).unwrap()
}

fn open() -> Vec<Acl<'static>> {
    vec![Acl::world(ALL)]
}

fn only_auth(perms: i32) -> Vec<Acl<'static>> {
    vec![Acl { perms, id: Id::new("auth", "") }]
}

fn create_request<'a>(path: &'a str, flags: i32, acl: Vec<Acl<'a>>) -> CreateRequest<'a> {
    CreateRequest { path: path.into(), data: Some(b"data"), acl: acl.into(), flags }
}

fn create(path: &str, flags: i32) -> (OpCode, Vec<u8>) {
    create_acl(path, flags, open())
}

fn create_acl(path: &str, flags: i32, acl: Vec<Acl<'_>>) -> (OpCode, Vec<u8>) {
    (OpCode::Create, create_request(path, flags, acl).to_bytes())
}

fn create_ttl(path: &str, flags: i32, ttl: i64) -> (OpCode, Vec<u8>) {
    let request =
        CreateTtlRequest { path: path.into(), data: None, acl: open().into(), flags, ttl };
    (OpCode::CreateTtl, request.to_bytes())
}

fn delete(path: &str, version: i32) -> (OpCode, Vec<u8>) {
    (OpCode::Delete, DeleteRequest { path: path.into(), version }.to_bytes())
}

fn set_data(path: &str, data: &[u8], version: i32) -> (OpCode, Vec<u8>) {
    let request = SetDataRequest { path: path.into(), data: Some(data), version };
    (OpCode::SetData, request.to_bytes())
}

fn set_acl(path: &str, acl: Vec<Acl<'_>>, version: i32) -> (OpCode, Vec<u8>) {
    (OpCode::SetAcl, SetAclRequest { path: path.into(), acl: acl.into(), version }.to_bytes())
}

fn multi(parts: &[MultiPart<'_>]) -> (OpCode, Vec<u8>) {
    let mut body = Vec::new();
    for part in parts {
        write_part(part, &mut body);
    }
    MultiHeader::END.write(&mut body);
    (OpCode::Multi, body)
}

fn part_create(path: &str, flags: i32) -> MultiPart<'_> {
    MultiPart::Create(OpCode::Create, create_request(path, flags, open()))
}

fn part_delete(path: &str) -> MultiPart<'_> {
    MultiPart::Delete(DeleteRequest { path: path.into(), version: -1 })
}

fn part_set(path: &str, version: i32) -> MultiPart<'_> {
    MultiPart::SetData(SetDataRequest { path: path.into(), data: Some(b"set"), version })
}

fn part_check(path: &str, version: i32) -> MultiPart<'_> {
    MultiPart::Check(CheckVersionRequest { path: path.into(), version })
}

fn reconfig() -> (OpCode, Vec<u8>) {
    let request =
        ReconfigRequest { joining: None, leaving: None, new_members: None, cur_config_id: -1 };
    (OpCode::Reconfig, request.to_bytes())
}
