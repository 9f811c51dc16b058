//! The operations that a shard answers by itself, one file each.
//!
//! Each function decodes its request, checks, and appends the reply's body; the header stands already. An error
//! takes the body back. Source: `FinalRequestProcessor#processRequest`.

mod add_watch;
mod check_watches;
mod exists;
mod get_acl;
mod get_all_children_number;
mod get_children;
mod get_data;
mod get_ephemerals;
mod multi_read;
mod set_watches;
mod who_am_i;

use super::ShardConfig;
use super::conn::Conn;
use crate::access;
use crate::tree::{NodeId, Tree};
use crate::watch::WatchTable;
use quorate_wire::{DecodeError, ErrorCode, OpCode};

/// What an operation may use.
pub(super) struct ReadContext<'a> {
    pub(super) tree: &'a Tree,
    pub(super) watches: &'a mut WatchTable,
    pub(super) conn: &'a Conn,
    pub(super) config: &'a ShardConfig,
    /// Where the reply's frame begins in the output; setWatches puts events before it.
    pub(super) frame_at: usize,
    /// How many nodes were looked at, if that may be many.
    pub(super) nodes: usize,
}

/// Why an operation is answered with an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: ErrorCode,
    /// The error keeps its body: an oddity of multiRead.
    pub(super) keep_body: bool,
}

impl From<ErrorCode> for Refusal {
    fn from(code: ErrorCode) -> Self {
        Self { code, keep_body: false }
    }
}

impl From<DecodeError> for Refusal {
    fn from(_: DecodeError) -> Self {
        ErrorCode::MarshallingError.into()
    }
}

type Answer = Result<(), Refusal>;

/// Runs an operation; its reply's body is appended to `out`.
pub(super) fn execute(
    op: OpCode,
    body: &[u8],
    context: &mut ReadContext<'_>,
    out: &mut Vec<u8>,
) -> Answer {
    match op {
        OpCode::Ping => Ok(()),
        OpCode::Exists => exists::execute(body, context, out),
        OpCode::GetData => get_data::execute(body, context, out),
        OpCode::GetAcl => get_acl::execute(body, context, out),
        OpCode::GetChildren => get_children::execute(body, context, false, out),
        OpCode::GetChildren2 => get_children::execute(body, context, true, out),
        OpCode::CheckWatches => check_watches::check(body, context),
        OpCode::RemoveWatches => check_watches::remove(body, context),
        OpCode::MultiRead => multi_read::execute(body, context, out),
        OpCode::SetWatches => set_watches::execute(body, context, false, out),
        OpCode::SetWatches2 => set_watches::execute(body, context, true, out),
        OpCode::GetEphemerals => get_ephemerals::execute(body, context, out),
        OpCode::GetAllChildrenNumber => get_all_children_number::execute(body, context, out),
        OpCode::AddWatch => add_watch::execute(body, context, out),
        OpCode::WhoAmI => who_am_i::execute(context, out),
        _ => Err(ErrorCode::Unimplemented.into()),
    }
}

impl ReadContext<'_> {
    /// The node at a path, if the connection has any of the permissions `perms` on it.
    fn permitted(&self, path: &str, perms: i32) -> Result<NodeId, ErrorCode> {
        let node = self.tree.find(path).ok_or(ErrorCode::NoNode)?;
        self.check(node, perms)?;
        Ok(node)
    }

    fn check(&self, node: NodeId, perms: i32) -> Result<(), ErrorCode> {
        let open = self.tree.has_open_acl(node);
        if open
            || access::check(
                &self.conn.identities,
                self.tree.acl(node),
                perms,
                self.config.skip_acl,
            )
        {
            Ok(())
        } else {
            Err(ErrorCode::NoAuth)
        }
    }
}
