//! create, create2, createContainer and createTTL.
//!
//! The opcode decides what kind of node is stored, the flags whether its name gets a sequence suffix and
//! whether a session owns it. At the end of the counter (2147483647) sequential names stop: the
//! counter stays, so the last number is given once and then refused with NodeExists for as long as that
//! node exists, which is what Apache's replicas do too; Apache's negative names never appear.

use super::judge::{Judge, require_valid};
use super::overlay::{Node, NodeAcl};
use super::{quota, undecodable};
use crate::access;
use quorate_wire::acl::CREATE;
use quorate_wire::error::ErrorCode;
use quorate_wire::jute::{Jute, write_str};
use quorate_wire::op::OpCode;
use quorate_wire::op::create::{CreateMode, CreateRequest, CreateTtlRequest};
use quorate_wire::stat::{MAX_TTL, Owner};
use quorate_wire::{AclList, path};
use std::borrow::Cow;
use std::fmt::Write as _;

/// Any of the four requests.
pub(super) struct Create<'a> {
    op: OpCode,
    path: Cow<'a, str>,
    data: Option<&'a [u8]>,
    acl: AclList<'a>,
    flags: i32,
    /// -1 when the request has none.
    ttl: i64,
}

impl<'a> Create<'a> {
    pub(super) fn decode(op: OpCode, body: &'a [u8]) -> Result<Self, ErrorCode> {
        CreateRequest::from_bytes(body).map(|request| Self::new(op, request)).map_err(undecodable)
    }

    pub(super) fn decode_ttl(body: &'a [u8]) -> Result<Self, ErrorCode> {
        CreateTtlRequest::from_bytes(body).map(Self::with_ttl).map_err(undecodable)
    }

    pub(super) fn new(op: OpCode, request: CreateRequest<'a>) -> Self {
        let CreateRequest { path, data, acl, flags } = request;
        Self { op, path, data, acl, flags, ttl: -1 }
    }

    pub(super) fn with_ttl(request: CreateTtlRequest<'a>) -> Self {
        let CreateTtlRequest { path, data, acl, flags, ttl } = request;
        Self { op: OpCode::CreateTtl, path, data, acl, flags, ttl }
    }

    /// The type of its transaction.
    pub(super) const fn kind(&self) -> i32 {
        self.op.code()
    }

    /// The mode, if flags and time to live go together.
    fn mode(&self, extended_types: bool) -> Result<CreateMode, ErrorCode> {
        let mode = CreateMode::from_flags(self.flags).ok_or(ErrorCode::BadArguments)?;
        if mode.is_ttl() && !extended_types {
            return Err(ErrorCode::Unimplemented);
        }
        // A createTTL without TTL flags but with a negative ttl passes Apache's checks and then stops
        // its replicas, which cannot store such a node.
        let fits = match (mode.is_ttl(), self.op) {
            (true, _) => (1..=MAX_TTL).contains(&self.ttl),
            (false, OpCode::CreateTtl) => false,
            (false, _) => self.ttl < 0,
        };
        if fits { Ok(mode) } else { Err(ErrorCode::BadArguments) }
    }

    const fn owner(&self, mode: CreateMode, session: i64) -> Owner {
        match self.op {
            OpCode::CreateContainer => Owner::Container,
            OpCode::CreateTtl => Owner::Ttl(self.ttl),
            _ if mode.is_ephemeral() => Owner::Session(session),
            _ => Owner::Persistent,
        }
    }
}

/// Judges a create. `scratch` holds the final path meanwhile.
pub(super) fn create(
    judge: &mut Judge<'_>,
    request: Create<'_>,
    scratch: &mut String,
    out: &mut Vec<u8>,
) -> Result<(), ErrorCode> {
    let mode = request.mode(judge.config.extended_types)?;
    judge.require_session()?;
    if !path::is_plausible(&request.path) {
        return Err(ErrorCode::BadArguments);
    }
    let owner = request.owner(mode, judge.session);
    if judge.local && matches!(owner, Owner::Session(_)) {
        return Err(ErrorCode::EphemeralOnLocalSession);
    }
    let Create { op, path, data, acl, ttl, .. } = request;
    let acl = access::fix_up_borrowed(acl, judge.identities, judge.config.schemes)?;
    let parent_path = path::parent(&path);
    let mut parent = judge.node(parent_path)?;
    judge.require_permission(parent_path, &parent, CREATE)?;
    let path = final_path(&path, mode, parent.stat.cversion, scratch);
    require_valid(path)?;
    let spot = judge.overlay.vacancy(judge.tree, path).ok_or(ErrorCode::NodeExists)?;
    if matches!(Owner::of(parent.stat.ephemeral_owner), Owner::Session(_)) {
        return Err(ErrorCode::NoChildrenForEphemerals);
    }
    let length = data.map_or(0, <[u8]>::len);
    quota::check_create(judge, path, length)?;

    let parent_cversion = parent.stat.cversion.saturating_add(1);
    write_str(path, out);
    data.write(out);
    acl.write(out);
    match op {
        OpCode::CreateContainer => parent_cversion.write(out),
        OpCode::CreateTtl => {
            parent_cversion.write(out);
            ttl.write(out);
        }
        _ => {
            mode.is_ephemeral().write(out);
            parent_cversion.write(out);
        }
    }

    // Replicas take over only a counter that is greater than theirs.
    if parent_cversion > parent.stat.cversion {
        parent.stat.cversion = parent_cversion;
        parent.stat.pzxid = judge.zxid.0;
    }
    parent.children = parent.children.saturating_add(1);
    judge.overlay.update(parent_path, parent, judge.zxid);
    let node = Node::new(spot, judge.zxid, judge.time, owner, length, NodeAcl::of(acl));
    judge.overlay.create(path, node, data, judge.zxid);
    Ok(())
}

/// The path with its sequence suffix: the parent's stored counter before this create, in ten digits.
fn final_path<'a>(
    path: &'a str,
    mode: CreateMode,
    counter: i32,
    scratch: &'a mut String,
) -> &'a str {
    if !mode.is_sequential() {
        return path;
    }
    scratch.clear();
    scratch.push_str(path);
    // Writing to a string does not fail.
    let _ = write!(scratch, "{counter:010}");
    scratch
}
