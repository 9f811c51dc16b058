//! One request before its judge: what every operation's checks need, and the way to the operation.
//!
//! The checks themselves are in the operations' files. An operation appends its transaction's body only
//! when all checks have passed, and changes the overlay last.

use super::overlay::{Node, NodeAcl, Overlay};
use super::{
    Ask, Ensemble, PrepConfig, container, create, delete, multi, reconfig, session, set_acl,
    set_data, undecodable,
};
use crate::access::{self, Identities};
use crate::tree::Tree;
use quorate_wire::error::ErrorCode;
use quorate_wire::jute::{DecodeError, Jute};
use quorate_wire::op::OpCode;
use quorate_wire::op::set_acl::SetAclRequest;
use quorate_wire::op::set_data::SetDataRequest;
use quorate_wire::zxid::Zxid;
use quorate_wire::{Acl, path};

/// Everything that decides about one request.
pub(super) struct Judge<'a> {
    pub(super) config: &'a PrepConfig,
    /// On a leader only.
    pub(super) ensemble: Option<&'a mut Ensemble>,
    pub(super) overlay: &'a mut Overlay,
    pub(super) tree: &'a Tree,
    pub(super) identities: &'a Identities,
    pub(super) session: i64,
    /// Why nothing may be asked in its name, if so.
    pub(super) refused: Option<ErrorCode>,
    /// Whether it is the session of one server alone.
    pub(super) local: bool,
    pub(super) zxid: Zxid,
    /// Wall clock, ms.
    pub(super) time: i64,
    /// See [`Prep::take_create2_parts`](super::Prep::take_create2_parts).
    pub(super) create2_parts: &'a mut Vec<usize>,
}

impl Judge<'_> {
    /// Judges, and appends the body of the transaction if the request passes.
    pub(super) fn run(
        &mut self,
        ask: Ask<'_>,
        scratch: &mut String,
        out: &mut Vec<u8>,
    ) -> Result<(), ErrorCode> {
        let (op, body) = match ask {
            Ask::Client { op, body } => (op, body),
            Ask::CreateSession { timeout } => {
                timeout.write(out);
                return Ok(());
            }
            Ask::CloseSession => return session::close(self, out),
            Ask::DeleteContainer { path } => return container::delete(self, path, out),
        };
        match op {
            OpCode::Create | OpCode::Create2 | OpCode::CreateContainer => {
                create::create(self, create::Create::decode(op, body)?, scratch, out)
            }
            OpCode::CreateTtl => {
                create::create(self, create::Create::decode_ttl(body)?, scratch, out)
            }
            OpCode::Delete => {
                delete::delete(self, &Jute::from_bytes(body).map_err(undecodable)?, out)
            }
            OpCode::SetData => {
                let request = SetDataRequest::from_bytes(body).map_err(|e| {
                    null_path(e, body, |body| SetDataRequest::from_bytes(body).is_ok())
                })?;
                set_data::set_data(self, &request, out)
            }
            OpCode::SetAcl => {
                let request = SetAclRequest::from_bytes(body).map_err(|e| {
                    null_path(e, body, |body| SetAclRequest::from_bytes(body).is_ok())
                })?;
                set_acl::set_acl(self, request, out)
            }
            OpCode::Multi => multi::multi(self, body, scratch, out),
            OpCode::Reconfig => reconfig::reconfig(self, body, out),
            OpCode::CloseSession => session::close(self, out),
            // A client's container deletion would pass no ACL check. Apache up to 3.8 refuses every one.
            OpCode::DeleteContainer => Err(ErrorCode::BadArguments),
            // Reads, and check outside a multi, are no transactions.
            _ => Err(ErrorCode::Unimplemented),
        }
    }

    /// The node of a path as it will be.
    pub(super) fn node(&self, path: &str) -> Result<Node, ErrorCode> {
        self.overlay.node(self.tree, path).ok_or(ErrorCode::NoNode)
    }

    pub(super) const fn require_session(&self) -> Result<(), ErrorCode> {
        match self.refused {
            None => Ok(()),
            Some(why) => Err(why),
        }
    }

    /// Whether the caller has a permission on the node of this path.
    pub(super) fn require_permission(
        &self,
        path: &str,
        node: &Node,
        permission: i32,
    ) -> Result<(), ErrorCode> {
        let list: &[Acl<'_>] = match &node.acl {
            NodeAcl::Open => return Ok(()),
            NodeAcl::Own(list) => list,
            NodeAcl::Tree => match self.tree.find(path) {
                Some(id) => self.tree.acl(id),
                None => return Err(ErrorCode::NoAuth),
            },
        };
        if access::check(self.identities, list, permission, self.config.skip_acl) {
            Ok(())
        } else {
            Err(ErrorCode::NoAuth)
        }
    }
}

/// Where the whole path is validated first, a null one is as bad as any other, provided that the rest of the
/// request can be decoded.
fn null_path(error: DecodeError, body: &[u8], decodes: impl FnOnce(&[u8]) -> bool) -> ErrorCode {
    let mut with_a_path = body.to_vec();
    with_a_path.splice(..body.len().min(4), 0i32.to_be_bytes());
    match error {
        DecodeError::Null(_) if decodes(&with_a_path) => ErrorCode::BadArguments,
        other => undecodable(other),
    }
}

pub(super) fn require_valid(path: &str) -> Result<(), ErrorCode> {
    if path::is_valid(path) { Ok(()) } else { Err(ErrorCode::BadArguments) }
}

/// The version after this change, if the expected one fits: -1 fits always, anything else must be equal.
///
/// Wraps, and leaves -1 out, which nobody could expect (Apache does since 3.10).
pub(super) const fn next_version(current: i32, expected: i32) -> Result<i32, ErrorCode> {
    if expected != -1 && expected != current {
        return Err(ErrorCode::BadVersion);
    }
    match current.wrapping_add(1) {
        -1 => Ok(0),
        next => Ok(next),
    }
}
