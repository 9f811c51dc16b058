//! Checks replies to reads: they must be the model's state at the zxid of the reply, exactly.

use super::env::{Checked, Violation, ensure};
use super::model::{Model, parent};
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
use quorate_wire::op::multi::{MultiPart, MultiParts};
use quorate_wire::op::multi_result::{MultiResponse, MultiResult};
use quorate_wire::{DecodeError, ErrorCode, Jute, OpCode};
use std::borrow::Cow;

/// A reply to a read.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReadReply<'a> {
    /// The operation.
    pub(super) op: OpCode,
    /// The request's body.
    pub(super) request: &'a [u8],
    /// The session that asked.
    pub(super) session: i64,
    /// The state that the reply is of.
    pub(super) zxid: i64,
    /// Its error.
    pub(super) err: i32,
    /// Its body.
    pub(super) body: &'a [u8],
}

impl ReadReply<'_> {
    /// Compares it with the model.
    pub(super) fn check(&self, model: &Model) -> Checked {
        let expected = self
            .expected(model)
            .map_err(|e| Violation(format!("{:?}: a body cannot be read: {e}", self.op)))?;
        let (err, body) = match expected {
            Ok(body) => (0, body),
            Err(code) => (code.code(), Vec::new()),
        };
        let found = self
            .canonical()
            .map_err(|e| Violation(format!("{:?}: the reply cannot be read: {e}", self.op)))?;
        ensure!(
            (err, &body) == (self.err, &found),
            "{:?} of {:#x} at {:#x} was answered with {} {found:02x?}, expected {err} {body:02x?}",
            self.op,
            self.session,
            self.zxid,
            self.err
        );
        Ok(())
    }

    /// The body with every list of children sorted.
    fn canonical(&self) -> Result<Vec<u8>, DecodeError> {
        if self.err != 0 {
            return Ok(self.body.to_vec());
        }
        Ok(match self.op {
            OpCode::GetChildren => {
                let mut reply = GetChildrenResponse::from_bytes(self.body)?;
                reply.children.sort();
                reply.to_bytes()
            }
            OpCode::GetChildren2 => {
                let mut reply = GetChildren2Response::from_bytes(self.body)?;
                reply.children.sort();
                reply.to_bytes()
            }
            OpCode::MultiRead => {
                let mut reply = MultiResponse::from_bytes(self.body)?;
                for result in &mut reply.results {
                    if let MultiResult::GetChildren(list) = result {
                        list.children.sort();
                    }
                }
                reply.to_bytes()
            }
            _ => self.body.to_vec(),
        })
    }

    fn expected(&self, model: &Model) -> Result<Result<Vec<u8>, ErrorCode>, DecodeError> {
        let zxid = self.zxid;
        let find = |path: &str| model.at(path, zxid).ok_or(ErrorCode::NoNode);
        Ok(match self.op {
            OpCode::Exists => {
                let path = ExistsRequest::from_bytes(self.request)?.path;
                find(&path).map(|node| node.wire().to_bytes())
            }
            OpCode::GetData => {
                let path = GetDataRequest::from_bytes(self.request)?.path;
                get_data(model, &path, zxid).map(|reply| reply.to_bytes())
            }
            OpCode::GetAcl => {
                let path = GetAclRequest::from_bytes(self.request)?.path;
                find(&path).map(|node| {
                    GetAclResponse { acl: node.acl.clone(), stat: node.wire() }.to_bytes()
                })
            }
            OpCode::GetChildren => {
                let path = GetChildrenRequest::from_bytes(self.request)?.path;
                get_children(model, &path, zxid).map(|reply| reply.to_bytes())
            }
            OpCode::GetChildren2 => {
                let path = GetChildrenRequest::from_bytes(self.request)?.path;
                find(&path).and_then(|node| {
                    let children = get_children(model, &path, zxid)?.children;
                    Ok(GetChildren2Response { children, stat: node.wire() }.to_bytes())
                })
            }
            OpCode::GetAllChildrenNumber => {
                let path = GetAllChildrenNumberRequest::from_bytes(self.request)?.path;
                find(&path).map(|_| {
                    let total = descendants(model, &path, zxid);
                    GetAllChildrenNumberResponse { total }.to_bytes()
                })
            }
            OpCode::GetEphemerals => {
                let request = GetEphemeralsRequest::from_bytes(self.request)?;
                let prefix = request.prefix.unwrap_or_default();
                let mut paths = model.ephemerals(self.session, zxid);
                paths.retain(|path| path.starts_with(&*prefix));
                let paths = paths.into_iter().map(Cow::Owned).collect();
                Ok(GetEphemeralsResponse { paths }.to_bytes())
            }
            OpCode::MultiRead => {
                let parts = MultiParts::new(self.request).collect::<Result<Vec<_>, _>>()?;
                let results = parts.iter().map(|part| multi_read(model, part, zxid)).collect();
                Ok(MultiResponse { results }.to_bytes())
            }
            _ => Ok(Vec::new()),
        })
    }
}

fn get_data<'m>(model: &'m Model, path: &str, zxid: i64) -> Result<GetDataResponse<'m>, ErrorCode> {
    let node = model.at(path, zxid).ok_or(ErrorCode::NoNode)?;
    Ok(GetDataResponse { data: node.data.as_deref(), stat: node.wire() })
}

fn get_children(
    model: &Model,
    path: &str,
    zxid: i64,
) -> Result<GetChildrenResponse<'static>, ErrorCode> {
    model.at(path, zxid).ok_or(ErrorCode::NoNode)?;
    let children = model.children(path, zxid).into_iter().map(Cow::Owned).collect();
    Ok(GetChildrenResponse { children })
}

fn multi_read<'m>(model: &'m Model, part: &MultiPart<'_>, zxid: i64) -> MultiResult<'m> {
    let result = match part {
        MultiPart::GetData(request) => {
            get_data(model, &request.path, zxid).map(MultiResult::GetData)
        }
        MultiPart::GetChildren(request) => {
            get_children(model, &request.path, zxid).map(MultiResult::GetChildren)
        }
        _ => Err(ErrorCode::MarshallingError),
    };
    result.unwrap_or_else(|code| MultiResult::Error(code.code()))
}

fn descendants(model: &Model, path: &str, zxid: i64) -> i32 {
    let is_below = |p: &str| {
        let above = std::iter::successors(Some(p), |p| (*p != "/").then(|| parent(p)));
        above.skip(1).any(|above| above == path)
    };
    let count = model.all(zxid).filter(|(p, _)| is_below(p)).count();
    i32::try_from(count).unwrap_or(i32::MAX)
}
