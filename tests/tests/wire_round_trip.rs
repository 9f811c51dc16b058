//! Random values of every record: what is written is read again, nothing is left over, and every proper prefix of it
//! is refused or means something shorter.
//!
//! The golden vectors show that the bytes are Apache's; this shows that no value is lost between them.

#![expect(clippy::indexing_slicing, reason = "the helpers of a test fail as the test does")]

use quorate_tests::fuzz::mutate::Random;
use quorate_tests::messages::{MultiRequest, Reply, ReplyBody, Request, RequestBody};
use quorate_wire::event::WatcherEvent;
use quorate_wire::frame::{NOTIFICATION_XID, ReplyHeader, RequestHeader};
use quorate_wire::jute::{Jute, Reader};
use quorate_wire::op::add_watch::{AddWatchRequest, ErrorResponse};
use quorate_wire::op::auth::{AuthPacket, SaslToken};
use quorate_wire::op::check::CheckVersionRequest;
use quorate_wire::op::connect::{ConnectRequest, ConnectResponse};
use quorate_wire::op::create::{Create2Response, CreateRequest, CreateResponse, CreateTtlRequest};
use quorate_wire::op::delete::{DeleteContainerRequest, DeleteRequest};
use quorate_wire::op::exists::ExistsRequest;
use quorate_wire::op::get_acl::{GetAclRequest, GetAclResponse};
use quorate_wire::op::get_all_children_number::{
    GetAllChildrenNumberRequest, GetAllChildrenNumberResponse,
};
use quorate_wire::op::get_children::{
    GetChildren2Response, GetChildrenRequest, GetChildrenResponse,
};
use quorate_wire::op::get_data::{GetDataRequest, GetDataResponse};
use quorate_wire::op::get_ephemerals::{GetEphemeralsRequest, GetEphemeralsResponse};
use quorate_wire::op::multi::MultiPart;
use quorate_wire::op::multi_result::{MultiResponse, MultiResult};
use quorate_wire::op::reconfig::ReconfigRequest;
use quorate_wire::op::remove_watches::WatchesRequest;
use quorate_wire::op::set_acl::SetAclRequest;
use quorate_wire::op::set_data::SetDataRequest;
use quorate_wire::op::set_watches::{SetWatches2Request, SetWatchesRequest};
use quorate_wire::op::sync::SyncRequest;
use quorate_wire::op::who_am_i::{ClientInfo, WhoAmIResponse};
use quorate_wire::txn::{
    CreateBody, CreateContainerBody, CreateTtlBody, MultiTxn, SetAclBody, SetDataBody, SubTxn, Txn,
    TxnDigest, TxnHeader, TxnRecord,
};
use quorate_wire::{Acl, Id, OpCode, Stat, Zxid};
use std::borrow::Cow;

const ROUNDS: u64 = 300;
const TXN_KINDS: usize = 14;

#[test]
fn every_request_survives() {
    each_value(|values| {
        for &op in OpCode::ALL {
            let header = RequestHeader { xid: values.int(), op: op.code() };
            let request = Request { header, body: values.request(op) };
            let bytes = request.to_bytes();
            let (read, rest) = Request::read(&bytes).unwrap();
            assert_eq!((&read, rest.len()), (&request, 0));
            for cut in 0..bytes.len() {
                let read = Request::read(&bytes[..cut]);
                assert!(read.is_err(), "{request:?} cut at {cut} is {read:?}");
            }
        }
    });
}

#[test]
fn every_reply_survives() {
    each_value(|values| {
        for &op in OpCode::ALL {
            let header = ReplyHeader { xid: values.xid(), zxid: values.long(), err: values.int() };
            let reply = Reply { header, body: values.reply(op) };
            let bytes = reply.to_bytes();
            let (read, rest) = Reply::read(Some(op), &bytes).unwrap();
            assert_eq!((&read, rest.len()), (&reply, 0));
            for cut in (0..bytes.len()).filter(|&cut| cut != ReplyHeader::LEN) {
                assert!(Reply::read(Some(op), &bytes[..cut]).is_err(), "{reply:?} cut at {cut}");
            }
        }
        let header = ReplyHeader { xid: NOTIFICATION_XID, zxid: values.long(), err: 0 };
        let event = WatcherEvent { kind: values.int(), state: values.int(), path: values.path() };
        let reply = Reply { header, body: ReplyBody::Event(event) };
        assert_eq!(Reply::read(None, &reply.to_bytes()).unwrap().0, reply);
    });
}

#[test]
fn every_handshake_survives() {
    each_value(|values| {
        let request = ConnectRequest {
            protocol_version: values.int(),
            last_zxid_seen: values.long(),
            timeout: values.int(),
            session_id: values.long(),
            password: values.data(),
            read_only: values.maybe(Values::flag),
        };
        assert_eq!(ConnectRequest::from_bytes(&request.to_bytes()), Ok(request));
        let response = ConnectResponse {
            protocol_version: values.int(),
            timeout: values.int(),
            session_id: values.long(),
            password: values.data(),
            read_only: values.maybe(Values::flag),
        };
        assert_eq!(ConnectResponse::from_bytes(&response.to_bytes()), Ok(response));
    });
}

#[test]
fn every_transaction_survives() {
    each_value(|values| {
        for kind in 0..TXN_KINDS {
            let txn = values.txn(kind);
            let header = TxnHeader {
                client_id: values.long(),
                cxid: values.int(),
                zxid: Zxid(values.long()),
                time: values.long(),
                kind: txn.kind(),
            };
            // A body that may end early cannot have a digest behind it: who reads could not tell them apart.
            let open = match &txn {
                Txn::CloseSession(paths) => paths.is_none(),
                Txn::Create(body) => body.parent_cversion.is_none(),
                _ => false,
            };
            let digest = TxnDigest { version: 2, tree: values.random.next_u64() };
            let digest = if open { None } else { values.maybe(|_| digest) };
            let record = TxnRecord { header, txn, digest };
            let bytes = record.to_bytes();
            let mut reader = Reader::new(&bytes);
            assert_eq!(reader.get::<TxnRecord<'_>>().as_ref(), Ok(&record));
            assert!(reader.rest().is_empty());
        }
    });
}

fn each_value(check: impl Fn(&mut Values<'_>)) {
    for seed in 0..ROUNDS {
        let mut random = Random::new(seed);
        let pool: Vec<u8> = (0..200).map(|_| random.byte()).collect();
        check(&mut Values { random, pool: &pool });
    }
}

/// Makes random values; data is borrowed from the pool.
struct Values<'a> {
    random: Random,
    pool: &'a [u8],
}

impl<'a> Values<'a> {
    fn int(&mut self) -> i32 {
        let edges = [0, 1, -1, i32::MAX, i32::MIN];
        let any = self.random.next_u64().to_be_bytes();
        let any = i32::from_be_bytes([any[0], any[1], any[2], any[3]]);
        *edges.get(self.random.below(10)).unwrap_or(&any)
    }

    fn long(&mut self) -> i64 {
        let edges = [0, 1, -1, i64::MAX, i64::MIN];
        let any = self.random.next_u64().cast_signed();
        *edges.get(self.random.below(10)).unwrap_or(&any)
    }

    /// Any xid but that of notifications.
    fn xid(&mut self) -> i32 {
        Some(self.int()).filter(|&xid| xid != NOTIFICATION_XID).unwrap_or(-2)
    }

    fn flag(&mut self) -> bool {
        self.random.below(2) == 1
    }

    fn maybe<T>(&mut self, value: impl FnOnce(&mut Self) -> T) -> Option<T> {
        let some = self.random.below(4) > 0;
        some.then(|| value(self))
    }

    fn many<T>(&mut self, mut value: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.random.below(4)).map(|_| value(self)).collect()
    }

    fn data(&mut self) -> Option<&'a [u8]> {
        let end = self.random.below(self.pool.len());
        let start = self.random.below(end + 1);
        let some = self.random.below(4) > 0;
        some.then(|| &self.pool[start..end])
    }

    fn path(&mut self) -> Cow<'a, str> {
        let letters = ['a', 'Z', '/', '-', '\u{e9}', '\u{4e2d}', '\u{1F600}', '\0'];
        let length = self.random.below(20);
        (0..length).map(|_| letters[self.random.below(letters.len())]).collect::<String>().into()
    }

    fn text(&mut self) -> Option<Cow<'a, str>> {
        self.maybe(Self::path)
    }

    fn acl(&mut self) -> Acl<'a> {
        Acl { perms: self.int(), id: Id { scheme: self.text(), id: self.text() } }
    }

    fn acls(&mut self) -> Vec<Acl<'a>> {
        self.many(Self::acl)
    }

    fn paths(&mut self) -> Option<Vec<Cow<'a, str>>> {
        self.maybe(|v| v.many(Self::path))
    }

    fn stat(&mut self) -> Stat {
        Stat {
            czxid: self.long(),
            mzxid: self.long(),
            ctime: self.long(),
            mtime: self.long(),
            version: self.int(),
            cversion: self.int(),
            aversion: self.int(),
            ephemeral_owner: self.long(),
            data_length: self.int(),
            num_children: self.int(),
            pzxid: self.long(),
        }
    }

    fn create(&mut self, flags: i32) -> CreateRequest<'a> {
        CreateRequest { path: self.path(), data: self.data(), acl: self.acls().into(), flags }
    }

    fn create_ttl(&mut self, flags: i32) -> CreateTtlRequest<'a> {
        let CreateRequest { path, data, acl, flags } = self.create(flags);
        CreateTtlRequest { path, data, acl, flags, ttl: self.long() }
    }

    fn mode(&mut self) -> i32 {
        i32::try_from(self.random.below(7)).unwrap_or_default()
    }

    fn request(&mut self, op: OpCode) -> RequestBody<'a> {
        let (path, version, watch) = (self.path(), self.int(), self.flag());
        match op {
            OpCode::Create | OpCode::Create2 | OpCode::CreateContainer => {
                self.create(version).into()
            }
            OpCode::CreateTtl => self.create_ttl(version).into(),
            OpCode::Delete => DeleteRequest { path, version }.into(),
            OpCode::DeleteContainer => DeleteContainerRequest { path }.into(),
            OpCode::Exists => ExistsRequest { path, watch }.into(),
            OpCode::GetData => GetDataRequest { path, watch }.into(),
            OpCode::SetData => SetDataRequest { path, data: self.data(), version }.into(),
            OpCode::GetAcl => GetAclRequest { path }.into(),
            OpCode::SetAcl => SetAclRequest { path, acl: self.acls().into(), version }.into(),
            OpCode::GetChildren | OpCode::GetChildren2 => GetChildrenRequest { path, watch }.into(),
            OpCode::Sync => SyncRequest { path: self.text() }.into(),
            OpCode::Check => CheckVersionRequest { path, version }.into(),
            OpCode::Multi | OpCode::MultiRead => {
                let reads = self.flag();
                MultiRequest { parts: self.many(|v| v.part(reads)) }.into()
            }
            OpCode::Reconfig => ReconfigRequest {
                joining: self.text(),
                leaving: self.text(),
                new_members: self.text(),
                cur_config_id: self.long(),
            }
            .into(),
            OpCode::CheckWatches | OpCode::RemoveWatches => {
                WatchesRequest { path, kind: version }.into()
            }
            OpCode::Auth => {
                AuthPacket { kind: version, scheme: self.text(), auth: self.data() }.into()
            }
            OpCode::Sasl => SaslToken { token: self.data() }.into(),
            OpCode::SetWatches => SetWatchesRequest {
                relative_zxid: self.long(),
                data: self.paths(),
                exist: self.paths(),
                child: self.paths(),
            }
            .into(),
            OpCode::SetWatches2 => SetWatches2Request {
                relative_zxid: self.long(),
                data: self.paths(),
                exist: self.paths(),
                child: self.paths(),
                persistent: self.paths(),
                persistent_recursive: self.paths(),
            }
            .into(),
            OpCode::GetEphemerals => GetEphemeralsRequest { prefix: self.text() }.into(),
            OpCode::GetAllChildrenNumber => GetAllChildrenNumberRequest { path }.into(),
            OpCode::AddWatch => AddWatchRequest { path, mode: version }.into(),
            OpCode::Ping | OpCode::WhoAmI | OpCode::CloseSession | OpCode::CreateSession => {
                RequestBody::Empty
            }
        }
    }

    fn part(&mut self, read: bool) -> MultiPart<'a> {
        let (path, version, watch) = (self.path(), self.int(), self.flag());
        if read {
            return match watch {
                true => MultiPart::GetData(GetDataRequest { path, watch }),
                false => MultiPart::GetChildren(GetChildrenRequest { path, watch }),
            };
        }
        let mode = self.mode();
        match self.random.below(7) {
            0 => MultiPart::Create(OpCode::Create, self.create(mode)),
            1 => MultiPart::Create(OpCode::Create2, self.create(mode)),
            2 => MultiPart::Create(OpCode::CreateContainer, self.create(mode)),
            3 => MultiPart::CreateTtl(self.create_ttl(mode)),
            4 => MultiPart::Delete(DeleteRequest { path, version }),
            5 => MultiPart::SetData(SetDataRequest { path, data: self.data(), version }),
            _ => MultiPart::Check(CheckVersionRequest { path, version }),
        }
    }

    fn reply(&mut self, op: OpCode) -> ReplyBody<'a> {
        let (path, stat) = (self.path(), self.stat());
        match op {
            OpCode::Create => CreateResponse { path }.into(),
            OpCode::Create2 | OpCode::CreateContainer | OpCode::CreateTtl => {
                Create2Response { path, stat }.into()
            }
            OpCode::Exists | OpCode::SetData | OpCode::SetAcl => stat.into(),
            OpCode::GetData | OpCode::Reconfig => {
                GetDataResponse { data: self.data(), stat }.into()
            }
            OpCode::GetAcl => GetAclResponse { acl: self.acls(), stat }.into(),
            OpCode::GetChildren => GetChildrenResponse { children: self.many(Self::path) }.into(),
            OpCode::GetChildren2 => {
                GetChildren2Response { children: self.many(Self::path), stat }.into()
            }
            OpCode::Sync => SyncRequest { path: self.text() }.into(),
            OpCode::Multi | OpCode::MultiRead => {
                MultiResponse { results: self.many(Self::result) }.into()
            }
            OpCode::Sasl => SaslToken { token: self.data() }.into(),
            OpCode::GetEphemerals => GetEphemeralsResponse { paths: self.many(Self::path) }.into(),
            OpCode::GetAllChildrenNumber => {
                GetAllChildrenNumberResponse { total: self.int() }.into()
            }
            OpCode::AddWatch => ErrorResponse { err: self.int() }.into(),
            OpCode::WhoAmI => WhoAmIResponse {
                clients: self.many(|v| ClientInfo { scheme: v.text(), user: v.text() }),
            }
            .into(),
            _ => ReplyBody::Empty,
        }
    }

    fn result(&mut self) -> MultiResult<'a> {
        let (path, stat) = (self.path(), self.stat());
        match self.random.below(8) {
            0 => MultiResult::Create(CreateResponse { path }),
            1 => MultiResult::Create2(Create2Response { path, stat }),
            2 => MultiResult::Delete,
            3 => MultiResult::SetData(stat),
            4 => MultiResult::Check,
            5 => MultiResult::GetData(GetDataResponse { data: self.data(), stat }),
            6 => MultiResult::GetChildren(GetChildrenResponse { children: self.many(Self::path) }),
            _ => MultiResult::Error(self.int()),
        }
    }

    fn txn(&mut self, kind: usize) -> Txn<'a> {
        let (path, data, version) = (self.path(), self.data(), self.int());
        match kind {
            0 => Txn::CreateSession(version),
            1 => Txn::CloseSession(self.paths()),
            2 => Txn::Error(version),
            3 => {
                let parent_cversion = self.maybe(Self::int);
                Txn::Create(CreateBody { parent_cversion, ..self.create_body() })
            }
            4 => Txn::Create2(self.create_body()),
            5 => Txn::CreateContainer(CreateContainerBody {
                path,
                data,
                acl: self.acls().into(),
                parent_cversion: version,
            }),
            6 => Txn::CreateTtl(CreateTtlBody {
                path,
                data,
                acl: self.acls().into(),
                parent_cversion: version,
                ttl: self.long(),
            }),
            7 => Txn::Delete(path),
            8 => Txn::DeleteContainer(path),
            9 => Txn::SetData(SetDataBody { path, data, version }),
            10 => Txn::Reconfig(SetDataBody { path, data, version }),
            11 => Txn::SetAcl(SetAclBody { path, acl: self.acls().into(), version }),
            12 => Txn::Check(path, version),
            // Neither sessions (0 and 1) nor another multi (13) can be a part.
            _ => Txn::Multi(MultiTxn {
                parts: self.many(|v| {
                    let kind = 2 + v.random.below(11);
                    SubTxn { txn: v.txn(kind) }
                }),
            }),
        }
    }

    fn create_body(&mut self) -> CreateBody<'a> {
        let CreateRequest { path, data, acl, .. } = self.create(0);
        let parent_cversion = Some(self.int());
        CreateBody { path, data, acl, ephemeral: self.flag(), parent_cversion }
    }
}
