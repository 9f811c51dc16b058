//! Random requests over a small key space, so that they collide: each operation with good and bad arguments.
//!
//! What is not generated, because the release of Apache that is compared with is known to differ, is listed in `known`.

use super::random::Random;
use super::server::Release;
use super::step::{PREFIX, Sent};
use crate::messages::{MultiRequest, RequestBody};
use quorate_wire::op::add_watch::AddWatchRequest;
use quorate_wire::op::auth::{AuthPacket, SaslToken};
use quorate_wire::op::check::CheckVersionRequest;
use quorate_wire::op::create::{CreateMode, CreateRequest, CreateTtlRequest};
use quorate_wire::op::delete::{DeleteContainerRequest, DeleteRequest};
use quorate_wire::op::exists::ExistsRequest;
use quorate_wire::op::get_acl::GetAclRequest;
use quorate_wire::op::get_all_children_number::GetAllChildrenNumberRequest;
use quorate_wire::op::get_children::GetChildrenRequest;
use quorate_wire::op::get_data::GetDataRequest;
use quorate_wire::op::get_ephemerals::GetEphemeralsRequest;
use quorate_wire::op::multi::MultiPart;
use quorate_wire::op::reconfig::ReconfigRequest;
use quorate_wire::op::remove_watches::WatchesRequest;
use quorate_wire::op::set_acl::SetAclRequest;
use quorate_wire::op::set_data::SetDataRequest;
use quorate_wire::op::set_watches::{SetWatches2Request, SetWatchesRequest};
use quorate_wire::op::sync::SyncRequest;
use quorate_wire::{Acl, AclList, Id, OpCode};
use std::borrow::Cow;

/// What a sequence is about; see `known` for why watches and unreadable nodes are kept apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flavour {
    /// Every node is readable by everybody; all kinds of watches.
    Watches,
    /// Every kind of ACL; watches only where events heed them.
    Access,
    /// Nodes under quotas; watches.
    Quota,
}

/// Makes requests.
#[derive(Debug)]
pub(super) struct Requests {
    /// Where all choices come from.
    pub random: Random,
    /// Which release the requests are for.
    pub reference: Release,
    /// What the sequence is about.
    pub flavour: Flavour,
    /// The only client that sets watches, and then it may check them too; `None` for all.
    pub(super) watcher: Option<usize>,
    /// Whether containers may be created; not where they would be reaped at an unpredictable moment.
    pub containers: bool,
}

type Text = Cow<'static, str>;

impl Requests {
    /// A request and whether the server must close the connection after it. Nothing that closes, and no
    /// auth, if `calm`.
    pub(super) fn request(&mut self, client: usize, calm: bool) -> (Vec<Sent>, bool) {
        let roll = self.random.below(100);
        if !calm && roll < 4 {
            return self.unusual();
        }
        if roll < 7 {
            return (vec![self.malformed()], false);
        }
        let (op, body) = self.body(client);
        let mut xid = i32::try_from(self.random.below(5000)).unwrap_or(1) + 1;
        if self.random.chance(2) {
            xid = self.random.of(&[0, -5, i32::MAX, i32::MIN, 1]);
        }
        let mut bytes = Vec::new();
        body.write(&mut bytes);
        if self.random.chance(1) {
            bytes.extend_from_slice(b"tail");
        }
        let request = Sent::new(xid, op.code(), &bytes);
        match &body {
            RequestBody::Exists(r) if self.flavour == Flavour::Access => {
                let read = GetDataRequest { path: r.path.clone(), watch: false };
                (vec![sent(1, OpCode::GetData, read.into()), request], false)
            }
            _ => (vec![request], false),
        }
    }

    /// A create of an exact path with an ACL that lets everybody do everything.
    #[must_use]
    pub(super) fn plain_create(path: &'static str) -> Sent {
        let limits = path.ends_with("zookeeper_limits").then_some(QUOTA);
        let body = CreateRequest { path: path.into(), data: limits, acl: AclList::OPEN, flags: 0 };
        sent(1, OpCode::Create, body.into())
    }

    fn body(&mut self, client: usize) -> (OpCode, RequestBody<'static>) {
        match self.random.below(100) {
            0..24 => self.create(),
            24..30 => (OpCode::Delete, self.delete().into()),
            30..40 => (OpCode::SetData, self.set_data().into()),
            40..45 => (OpCode::SetAcl, self.set_acl().into()),
            45..55 => self.multi(),
            55..77 => self.read(client),
            77..96 => self.watch(client),
            _ => self.rare(),
        }
    }

    /// Whether they are for the release that we follow, so that next to nothing has to be avoided.
    fn for_newest(&self) -> bool {
        self.reference == Release::V39
    }

    fn may_watch(&self, client: usize) -> bool {
        (self.flavour != Flavour::Access || self.for_newest())
            && self.watcher.is_none_or(|only| only == client)
    }

    fn read(&mut self, client: usize) -> (OpCode, RequestBody<'static>) {
        let path = self.path();
        let watch = self.may_watch(client)
            && (client.is_multiple_of(2) || self.for_newest())
            && self.random.chance(60);
        match self.random.below(9) {
            0 | 1 => (OpCode::Exists, ExistsRequest { path, watch }.into()),
            2 | 3 => (OpCode::GetData, GetDataRequest { path, watch }.into()),
            4 => (OpCode::GetChildren, GetChildrenRequest { path, watch }.into()),
            5 => (OpCode::GetChildren2, GetChildrenRequest { path, watch }.into()),
            6 => (OpCode::GetAcl, GetAclRequest { path }.into()),
            7 => (OpCode::MultiRead, self.multi_read().into()),
            _ => (OpCode::GetAllChildrenNumber, GetAllChildrenNumberRequest { path }.into()),
        }
    }

    fn watch(&mut self, client: usize) -> (OpCode, RequestBody<'static>) {
        let mut path = self.path();
        if self.random.chance(60) {
            path = self.random.of(WATCHED_PATHS).into();
        }
        if !self.may_watch(client) {
            return self.read(client);
        }
        let newest = self.for_newest();
        let one_shot = if newest { self.random.chance(50) } else { client.is_multiple_of(2) };
        let kind = match (one_shot, self.random.chance(10)) {
            (_, true) => self.random.of(&[0, 6, -1, 100]),
            _ if newest => self.random.of(&[1, 2, 3, 4, 5]),
            (true, _) => self.random.of(&[1, 2, 3]),
            (false, _) => 3,
        };
        match self.random.below(10) {
            0 | 7 | 8 if newest || self.watcher.is_some() && path.starts_with('/') => {
                (OpCode::CheckWatches, WatchesRequest { path, kind }.into())
            }
            1 | 2 => (OpCode::RemoveWatches, WatchesRequest { path, kind }.into()),
            3 | 4 => self.set_watches(one_shot),
            _ if one_shot => (OpCode::GetChildren, GetChildrenRequest { path, watch: true }.into()),
            _ => {
                let mut mode = self.mode(&path);
                if self.random.chance(5) {
                    mode = self.random.of(&[2, -1, 77]);
                }
                (OpCode::AddWatch, AddWatchRequest { path, mode }.into())
            }
        }
    }

    fn set_watches(&mut self, one_shot: bool) -> (OpCode, RequestBody<'static>) {
        let relative_zxid = self.random.of(&[0, 0, 1, 2, 5, 20, 1000]);
        let newest = self.for_newest();
        let mut lists: Vec<Option<Vec<Text>>> =
            (0..3).map(|_| self.paths(one_shot || newest)).collect();
        let child = lists.pop().flatten();
        let exist = lists.pop().flatten();
        let data = lists.pop().flatten();
        if one_shot && self.random.chance(50) {
            let body = SetWatchesRequest { relative_zxid, data, exist, child };
            return (OpCode::SetWatches, body.into());
        }
        let both = self.paths(!one_shot || newest).unwrap_or_default();
        let (recursive, persistent) = both.into_iter().partition(|path| self.mode(path) == 1);
        let body = SetWatches2Request {
            relative_zxid,
            data,
            exist,
            child,
            persistent: Some(persistent),
            persistent_recursive: Some(recursive),
        };
        (OpCode::SetWatches2, body.into())
    }

    /// The mode of a persistent watch on a path.
    fn mode(&mut self, path: &str) -> i32 {
        if self.for_newest() { self.random.of(&[0, 1]) } else { mode_of(path) }
    }

    /// Some paths, none unless `wanted`, and seldom null.
    fn paths(&mut self, wanted: bool) -> Option<Vec<Text>> {
        if self.random.chance(3) {
            return None;
        }
        let count = if wanted { self.random.below(4) } else { 0 };
        Some((0..count).map(|_| self.path()).collect())
    }

    fn create(&mut self) -> (OpCode, RequestBody<'static>) {
        let request = self.create_request();
        match self.random.below(10) {
            0..4 => (OpCode::Create, request.into()),
            4..7 => (OpCode::Create2, request.into()),
            7 if self.containers => (OpCode::CreateContainer, request.into()),
            7 => (OpCode::Create2, request.into()),
            _ => (OpCode::CreateTtl, self.create_ttl().into()),
        }
    }

    fn create_request(&mut self) -> CreateRequest<'static> {
        let mut flags = self.random.of(&[0, 0, 0, 1, 1, 2, 3, 4]);
        if self.random.chance(6) {
            flags = self.random.of(&[5, 6, 7, -1, 100]);
        }
        let path = self.create_path(flags);
        CreateRequest { data: self.data_of(&path), path, acl: self.acl().into(), flags }
    }

    fn create_ttl(&mut self) -> CreateTtlRequest<'static> {
        let flags = self.random.of(&[5, 5, 5, 5, 6, 6, 6, 0, 1, 2, 4, 9]);
        // Long enough for nothing to be reaped.
        let mut ttl = 3_600_000;
        if self.random.chance(25) {
            let unusual = [(1 << 40) - 1, 1 << 40, 0, -1, i64::MIN, i64::MAX];
            ttl = self.random.of(&unusual);
        }
        let is_ttl = CreateMode::from_flags(flags).is_some_and(CreateMode::is_ttl);
        let ttl = if is_ttl { ttl } else { ttl.max(0) };
        let path = self.create_path(flags);
        CreateTtlRequest { data: self.data_of(&path), path, acl: self.acl().into(), flags, ttl }
    }

    fn create_path(&mut self, flags: i32) -> Text {
        let sequential = CreateMode::from_flags(flags).is_some_and(CreateMode::is_sequential);
        if sequential && self.random.chance(85) {
            let parent = self.node();
            return format!("{parent}/{}", self.random.of(&["q", ""])).into();
        }
        self.path()
    }

    fn delete(&mut self) -> DeleteRequest<'static> {
        DeleteRequest { path: self.path(), version: self.version() }
    }

    fn set_data(&mut self) -> SetDataRequest<'static> {
        let path = self.path();
        SetDataRequest { data: self.data_of(&path), path, version: self.version() }
    }

    fn set_acl(&mut self) -> SetAclRequest<'static> {
        SetAclRequest { path: self.node().into(), acl: self.acl().into(), version: self.version() }
    }

    fn multi(&mut self) -> (OpCode, RequestBody<'static>) {
        let count = self.random.of(&[0, 1, 1, 1, 2, 2, 2, 3, 3, 5]);
        let mut parts: Vec<MultiPart<'static>> = (0..count).map(|_| self.part()).collect();
        if self.random.chance(4) {
            parts.extend(self.multi_read().parts);
        }
        (OpCode::Multi, MultiRequest { parts }.into())
    }

    fn part(&mut self) -> MultiPart<'static> {
        match self.random.below(12) {
            0..5 => {
                let mut request = self.create_request();
                if !self.for_newest() {
                    request.flags = request.flags.clamp(0, 4);
                }
                let op = match self.random.below(3) {
                    0 => OpCode::Create,
                    1 if self.containers => OpCode::CreateContainer,
                    _ => OpCode::Create2,
                };
                if op == OpCode::CreateContainer {
                    request.flags = 4;
                }
                MultiPart::Create(op, request)
            }
            5 => {
                let mut request = self.create_ttl();
                if !self.for_newest() {
                    request.flags = request.flags.clamp(0, 6);
                }
                MultiPart::CreateTtl(request)
            }
            6 | 7 => MultiPart::Delete(self.delete()),
            8 | 9 => MultiPart::SetData(self.set_data()),
            _ => {
                MultiPart::Check(CheckVersionRequest { path: self.path(), version: self.version() })
            }
        }
    }

    fn multi_read(&mut self) -> MultiRequest<'static> {
        let parts = (0..self.random.below(4)).map(|_| {
            let (path, watch) = (self.path(), self.random.chance(50));
            if self.random.chance(50) {
                MultiPart::GetData(GetDataRequest { path, watch })
            } else {
                MultiPart::GetChildren(GetChildrenRequest { path, watch })
            }
        });
        MultiRequest { parts: parts.collect() }
    }

    fn rare(&mut self) -> (OpCode, RequestBody<'static>) {
        let path = self.path();
        match self.random.below(8) {
            0 => (OpCode::Sync, SyncRequest { path: Some(path) }.into()),
            1 => (OpCode::Ping, RequestBody::Empty),
            2 | 3 => (OpCode::WhoAmI, RequestBody::Empty),
            4 if self.for_newest() => (OpCode::WhoAmI, RequestBody::Empty),
            4 => (OpCode::DeleteContainer, DeleteContainerRequest { path }.into()),
            5 => {
                let id = self.random.of(&[-1, 0, 7]);
                let mut server = || Some(self.random.of(&["", "server.1=h:1:2;3", "1"]).into());
                let (joining, leaving) = (server(), server());
                let body =
                    ReconfigRequest { joining, leaving, new_members: None, cur_config_id: id };
                (OpCode::Reconfig, body.into())
            }
            _ => {
                let prefixes =
                    [Some(PREFIX), Some("/"), Some(""), None, Some("/L000000/a"), Some(" ")];
                let prefix = self.random.of(&prefixes).map(Cow::from);
                (OpCode::GetEphemerals, GetEphemeralsRequest { prefix }.into())
            }
        }
    }

    /// Requests that are answered outside the usual way: auth, sasl, unknown opcodes, closeSession.
    fn unusual(&mut self) -> (Vec<Sent>, bool) {
        match self.random.below(12) {
            0..7 => {
                let (scheme, auth) = self.random.of(AUTHS);
                let body = AuthPacket { kind: 0, scheme: Some(scheme.into()), auth: Some(auth) };
                let xid = self.random.of(&[-4, -4, -4, -4, 12]);
                (vec![sent(xid, OpCode::Auth, body.into())], !matches!(scheme, "digest" | "ip"))
            }
            7 | 8 => {
                let body = SaslToken { token: Some(b"token") };
                (vec![sent(9, OpCode::Sasl, body.into())], false)
            }
            9 if self.for_newest() && self.random.chance(50) => {
                let body = CheckVersionRequest { path: self.path(), version: self.version() };
                (vec![sent(3, OpCode::Check, body.into())], true)
            }
            9 => {
                let op = self.random.of(&[10, 23, 50, 99, 108, 200, i32::MAX, -5, -100]);
                (vec![Sent::new(3, op, b"what")], true)
            }
            _ => (vec![sent(7, OpCode::CloseSession, RequestBody::Empty)], true),
        }
    }

    /// A request whose body ends early or has an impossible length inside.
    fn malformed(&mut self) -> Sent {
        let (op, mut body) = if self.for_newest() { self.read(0) } else { self.body(0) };
        if matches!(op, OpCode::Ping | OpCode::WhoAmI | OpCode::Reconfig) {
            body = self.set_data().into();
        }
        let op = if matches!(body, RequestBody::SetData(_)) { OpCode::SetData } else { op };
        let mut bytes = Vec::new();
        body.write(&mut bytes);
        if self.random.chance(70) {
            bytes.truncate(self.random.below(bytes.len()));
        } else {
            let length = self.random.of(&[-1, -2, i32::MAX, i32::MIN, 0x0100_0000]);
            bytes.splice(..bytes.len().min(4), length.to_be_bytes());
        }
        Sent::new(11, op.code(), &bytes)
    }

    fn version(&mut self) -> i32 {
        if self.random.chance(65) {
            return -1;
        }
        self.random.of(&[0, 0, 0, 0, 1, 1, 1, 2, 2, 3, -2, i32::MAX, i32::MIN])
    }

    /// Data for a node: a quota for the nodes that hold one.
    fn data_of(&mut self, path: &str) -> Option<&'static [u8]> {
        if path.contains("/zookeeper_") {
            return self.random.pick(QUOTAS).map(|text| text.as_bytes());
        }
        self.random.of(&[None, Some(b""), Some(b"x"), Some(b"\x00\xFF data"), Some(&[b'y'; 60])])
    }

    /// A path: usually one of the key space, sometimes a special or a bad one.
    fn path(&mut self) -> Text {
        if self.flavour == Flavour::Quota && self.random.chance(15) {
            return self.random.of(QUOTA_PATHS).into();
        }
        match self.random.below(100) {
            0..3 => self.random.of(BAD_PATHS).into(),
            3..5 => self.random.of(SPECIAL_PATHS).into(),
            _ => self.node().into(),
        }
    }

    /// A node of the key space.
    fn node(&mut self) -> String {
        let mut path = PREFIX.to_owned();
        for _ in 0..self.random.of(&[0, 1, 1, 1, 1, 1, 2, 2, 2, 3]) {
            if self.random.chance(10) {
                path.push_str(&format!("/q{:010}", self.random.below(4)));
            } else {
                path.push_str(self.random.of(&["/a", "/a", "/a", "/b", "/b", "/c"]));
            }
        }
        path
    }

    fn acl(&mut self) -> Vec<Acl<'static>> {
        if self.random.chance(if self.flavour == Flavour::Access { 20 } else { 80 }) {
            return vec![Acl::world(31)];
        }
        let count = self.random.of(&[0, 1, 1, 1, 1, 2, 2, 2, 3, 3]);
        let mut list: Vec<Acl<'static>> = (0..count).map(|_| self.entry()).collect();
        if self.flavour != Flavour::Access {
            list.push(Acl::world(self.random.of(&[1, 1, 3, 31, 23])));
        }
        if self.random.chance(15) {
            list.extend(list.first().cloned());
        }
        list
    }

    fn entry(&mut self) -> Acl<'static> {
        let good = self.random.chance(95);
        let ids = match good {
            true if self.for_newest() && self.random.chance(10) => IPV6_IDS,
            true => GOOD_IDS,
            false => BAD_IDS,
        };
        let (scheme, id) = self.random.of(ids);
        let perms = self.random.of(&[31, 31, 31, 1, 2, 4, 8, 16, 3, 5, 12, 30, 15, 0, 63, -1]);
        Acl { perms, id: Id { scheme: scheme.map(Into::into), id: id.map(Into::into) } }
    }
}

fn sent(xid: i32, op: OpCode, body: RequestBody<'_>) -> Sent {
    let mut bytes = Vec::new();
    body.write(&mut bytes);
    Sent::new(xid, op.code(), &bytes)
}

/// Where each path has one mode only: 1, recursive, at every other depth.
fn mode_of(path: &str) -> i32 {
    i32::from(path.matches('/').count() % 2 == 1)
}

type IdText = (Option<&'static str>, Option<&'static str>);

const GOOD_IDS: &[IdText] = &[
    (Some("world"), Some("anyone")),
    (Some("world"), Some("anyone")),
    (Some("auth"), Some("")),
    (Some("auth"), Some("ignored")),
    (Some("digest"), Some("u:Jq7wMyA/w2Vd5WIDAKdu4OIIFEQ=")),
    (Some("digest"), Some("v:+cNnO6kYgQwMpaBhQuaVf9q24Z0=")),
    (Some("digest"), Some("a:b")),
    (Some("ip"), Some("127.0.0.1")),
    (Some("ip"), Some("127.0.0.0/8")),
    (Some("ip"), Some("10.1.2.3/32")),
    (Some("ip"), Some("0.0.0.0/0")),
];
const IPV6_IDS: &[IdText] = &[
    (Some("ip"), Some("::1")),
    (Some("ip"), Some("::1/128")),
    (Some("ip"), Some("fe80::/10")),
    (Some("ip"), Some("::/0")),
    (Some("ip"), Some("::1/129")),
    (Some("ip"), Some("1::2::3")),
];
const BAD_IDS: &[IdText] = &[
    (Some("world"), Some("someone")),
    (Some("digest"), Some("a")),
    (Some("digest"), Some("a:b:c")),
    (Some("digest"), Some("a:")),
    (Some("ip"), Some("localhost")),
    (Some("ip"), Some("127.0.0.1/33")),
    (Some("ip"), Some("127.0.0.1/x")),
    (Some("ip"), Some("256.0.0.1")),
    (Some("super"), Some("test")),
    (Some("nosuch"), Some("x")),
    (Some(""), Some("")),
    (None, Some("anyone")),
];
const AUTHS: &[(&str, &[u8])] = &[
    ("digest", b"u:p"),
    ("digest", b"u:p"),
    ("digest", b"v:w"),
    ("digest", b"v:w"),
    ("digest", b"u:p"),
    ("digest", b"v:w"),
    ("digest", b"v:wrong"),
    ("digest", b"super:test"),
    ("digest", b"super:wrong"),
    ("digest", b"nocolon"),
    ("digest", b""),
    ("ip", b"1.2.3.4"),
    ("nosuch", b"u:p"),
    ("", b""),
];
const BAD_PATHS: &[&str] = &[
    "",
    "x",
    "a/b",
    "/L000000/",
    "/L000000//a",
    "/L000000/a/",
    "/L000000/.",
    "/L000000/../a",
    "/L000000/./a",
    "/L000000/a\0b",
    "/L000000/\u{1}",
    "/L000000/\u{7f}",
    "/L000000/\u{e000}",
    "/L000000/\u{fff0}",
    "/L000000/é",
    "/L000000/a b",
    "/nothing/here",
];
const SPECIAL_PATHS: &[&str] =
    &["/", "/zookeeper", "/zookeeper/config", "/zookeeper/quota", "/L000000", ""];
const WATCHED_PATHS: &[&str] = &["/L000000", "/L000000/a", "/L000000/a", "/L000000/b"];
const QUOTA_PATHS: &[&str] = &[
    "/zookeeper/quota/L000000",
    "/zookeeper/quota/L000000/zookeeper_limits",
    "/zookeeper/quota/L000000/zookeeper_stats",
    "/zookeeper/quota/L000000/a",
    "/zookeeper/quota/L000000/a/zookeeper_limits",
    "/zookeeper/quota/L000000/a/zookeeper_stats",
];
/// Low enough to be met often.
const QUOTA: &[u8] = b"count=-1,bytes=-1=;byteHardLimit=150;countHardLimit=5";
const QUOTAS: &[&str] = &[
    "count=3,bytes=100",
    "count=-1,bytes=-1=;byteHardLimit=100;countHardLimit=4",
    "count=5,bytes=-1=;byteHardLimit=-1;countHardLimit=6",
    "count=-1,bytes=10=;byteHardLimit=5;countHardLimit=-1",
];
