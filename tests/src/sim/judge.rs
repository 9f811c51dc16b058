//! What should become of a write, found the naive way: against the model as it was just before.
//!
//! Only requests that the clients of the world send are known here; all nodes are open to everybody.

use super::model::{Model, parent};
use quorate_wire::op::check::CheckVersionRequest;
use quorate_wire::op::create::{CreateMode, CreateRequest, CreateTtlRequest};
use quorate_wire::op::delete::DeleteRequest;
use quorate_wire::op::multi::{MultiPart, MultiParts};
use quorate_wire::op::set_acl::SetAclRequest;
use quorate_wire::op::set_data::SetDataRequest;
use quorate_wire::stat::Owner;
use quorate_wire::txn::{
    CreateBody, CreateContainerBody, CreateTtlBody, MultiTxn, SetAclBody, SetDataBody, SubTxn, Txn,
    TxnHeader,
};
use quorate_wire::{ErrorCode, Jute, OpCode};

/// The transaction that a client's request has to become. The model is left as it was.
pub(super) fn judge<'a>(
    model: &mut Model,
    header: &TxnHeader,
    op: OpCode,
    body: &'a [u8],
) -> Txn<'a> {
    if op == OpCode::CloseSession {
        return close(model, header);
    }
    let open = model.sessions.contains_key(&header.client_id);
    let verdict = match op {
        OpCode::Multi => Ok(multi(model, header, body, open)),
        op => decode(op, body).and_then(|ask| one(model, ask, open)),
    };
    verdict.unwrap_or_else(|code| Txn::Error(code.code()))
}

/// The transaction that the end of a session has to be.
pub(super) fn close(model: &Model, header: &TxnHeader) -> Txn<'static> {
    let paths = model.ephemerals(header.client_id, header.zxid.0);
    Txn::CloseSession(Some(paths.into_iter().map(Into::into).collect()))
}

/// The transaction that the removal of a container or TTL node has to be.
#[must_use]
pub(super) fn reap(model: &Model, path: &str, time: i64) -> Txn<'static> {
    let code = match model.get(path) {
        None => ErrorCode::NoNode,
        Some(node) if node.children > 0 => ErrorCode::NotEmpty,
        Some(node) => match Owner::of(node.stat.ephemeral_owner) {
            Owner::Container => return Txn::DeleteContainer(path.to_owned().into()),
            Owner::Ttl(ttl) if time - node.stat.mtime > ttl => {
                return Txn::DeleteContainer(path.to_owned().into());
            }
            _ => ErrorCode::BadVersion,
        },
    };
    Txn::Error(code.code())
}

enum Ask<'a> {
    Part(MultiPart<'a>),
    SetAcl(SetAclRequest<'a>),
}

fn decode(op: OpCode, body: &[u8]) -> Result<Ask<'_>, ErrorCode> {
    let bad = |_| ErrorCode::MarshallingError;
    Ok(Ask::Part(match op {
        OpCode::Create | OpCode::Create2 | OpCode::CreateContainer => {
            MultiPart::Create(op, CreateRequest::from_bytes(body).map_err(bad)?)
        }
        OpCode::CreateTtl => MultiPart::CreateTtl(CreateTtlRequest::from_bytes(body).map_err(bad)?),
        OpCode::Delete => MultiPart::Delete(DeleteRequest::from_bytes(body).map_err(bad)?),
        OpCode::SetData => MultiPart::SetData(SetDataRequest::from_bytes(body).map_err(bad)?),
        OpCode::Check => MultiPart::Check(CheckVersionRequest::from_bytes(body).map_err(bad)?),
        OpCode::SetAcl => {
            return SetAclRequest::from_bytes(body).map(Ask::SetAcl).map_err(bad);
        }
        _ => return Err(ErrorCode::Unimplemented),
    }))
}

fn multi<'a>(model: &mut Model, header: &TxnHeader, body: &'a [u8], open: bool) -> Txn<'a> {
    let mut parts = Vec::new();
    let mut failed = false;
    for part in MultiParts::new(body).map_while(Result::ok) {
        // A create2 is logged as create, and only its answer differs.
        let part = match part {
            MultiPart::Create(OpCode::Create2, request) => {
                MultiPart::Create(OpCode::Create, request)
            }
            part => part,
        };
        let verdict = if failed {
            Err(ErrorCode::RuntimeInconsistency)
        } else {
            one(model, Ask::Part(part), open)
        };
        let txn = verdict.unwrap_or_else(|code| {
            failed = true;
            Txn::Error(code.code())
        });
        if !failed {
            model.apply_part(header, &txn);
        }
        parts.push(SubTxn { txn });
    }
    model.roll_back(header.zxid.0);
    Txn::Multi(MultiTxn { parts })
}

fn one<'a>(model: &Model, ask: Ask<'a>, open: bool) -> Result<Txn<'a>, ErrorCode> {
    if !open {
        return Err(ErrorCode::SessionExpired);
    }
    let node = |path: &str| model.get(path).cloned().ok_or(ErrorCode::NoNode);
    let version = |now: i32, expected: i32| {
        if expected == -1 || expected == now { Ok(now + 1) } else { Err(ErrorCode::BadVersion) }
    };
    match ask {
        Ask::Part(MultiPart::Create(op, r)) => create(model, op, r, -1),
        Ask::Part(MultiPart::CreateTtl(r)) => {
            let CreateTtlRequest { path, data, acl, flags, ttl } = r;
            let request = CreateRequest { path, data, acl, flags };
            create(model, OpCode::CreateTtl, request, ttl)
        }
        Ask::Part(MultiPart::Delete(r)) => {
            node(parent(&r.path))?;
            let found = node(&r.path)?;
            version(found.stat.version, r.version)?;
            if found.children > 0 {
                return Err(ErrorCode::NotEmpty);
            }
            Ok(Txn::Delete(r.path.into_owned().into()))
        }
        Ask::Part(MultiPart::SetData(r)) => {
            let version = version(node(&r.path)?.stat.version, r.version)?;
            let (path, data) = (r.path.into_owned().into(), r.data);
            Ok(Txn::SetData(SetDataBody { path, data, version }))
        }
        Ask::Part(MultiPart::Check(r)) => {
            let version = version(node(&r.path)?.stat.version, r.version)?;
            Ok(Txn::Check(r.path.into_owned().into(), version))
        }
        Ask::SetAcl(r) => {
            let version = version(node(&r.path)?.stat.aversion, r.version)?;
            let acl = r.acl.into_owned();
            Ok(Txn::SetAcl(SetAclBody { path: r.path.into_owned().into(), acl, version }))
        }
        Ask::Part(_) => Err(ErrorCode::Unimplemented),
    }
}

fn create<'a>(
    model: &Model,
    op: OpCode,
    request: CreateRequest<'a>,
    ttl: i64,
) -> Result<Txn<'a>, ErrorCode> {
    let mode = CreateMode::from_flags(request.flags).ok_or(ErrorCode::BadArguments)?;
    let above = model.get(parent(&request.path)).ok_or(ErrorCode::NoNode)?;
    let counter = above.stat.cversion;
    let path = if mode.is_sequential() {
        format!("{}{counter:010}", request.path)
    } else {
        request.path.into_owned()
    };
    if model.get(&path).is_some() {
        return Err(ErrorCode::NodeExists);
    }
    if matches!(Owner::of(above.stat.ephemeral_owner), Owner::Session(_)) {
        return Err(ErrorCode::NoChildrenForEphemerals);
    }
    let parent_cversion = counter + 1;
    let (path, data) = (path.into(), request.data);
    let acl = request.acl.into_owned();
    let ephemeral = mode.is_ephemeral();
    Ok(match op {
        OpCode::CreateContainer => {
            Txn::CreateContainer(CreateContainerBody { path, data, acl, parent_cversion })
        }
        OpCode::CreateTtl => {
            Txn::CreateTtl(CreateTtlBody { path, data, acl, parent_cversion, ttl })
        }
        op => {
            let parent_cversion = Some(parent_cversion);
            let body = CreateBody { path, data, acl, ephemeral, parent_cversion };
            if op == OpCode::Create { Txn::Create(body) } else { Txn::Create2(body) }
        }
    })
}
