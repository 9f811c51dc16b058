//! delete.
//!
//! The permission is the parent's, so NoAuth hides NoNode; the version is looked at before the children.

use super::judge::{Judge, next_version};
use super::overlay::Node;
use quorate_wire::acl::DELETE;
use quorate_wire::error::ErrorCode;
use quorate_wire::jute::write_str;
use quorate_wire::op::delete::DeleteRequest;
use quorate_wire::path;

/// Judges a delete.
pub(super) fn delete(
    judge: &mut Judge<'_>,
    request: &DeleteRequest<'_>,
    out: &mut Vec<u8>,
) -> Result<(), ErrorCode> {
    judge.require_session()?;
    let path = request.path.as_ref();
    let parent_path = parent_of_deletable(path)?;
    let parent = judge.node(parent_path)?;
    judge.require_permission(parent_path, &parent, DELETE)?;
    let node = judge.node(path)?;
    next_version(node.stat.version, request.version)?;
    if node.children > 0 {
        return Err(ErrorCode::NotEmpty);
    }
    write_str(path, out);
    remove(judge, path, &node, parent_path, parent);
    Ok(())
}

/// The parent's path, if the node is one that may be deleted at all.
pub(super) fn parent_of_deletable(path: &str) -> Result<&str, ErrorCode> {
    let is_special = matches!(path, "/" | "/zookeeper" | "/zookeeper/quota" | "/zookeeper/config");
    if is_special || !path::is_plausible(path) {
        return Err(ErrorCode::BadArguments);
    }
    Ok(path::parent(path))
}

/// Records a deletion and what it does to the parent.
pub(super) fn remove(
    judge: &mut Judge<'_>,
    path: &str,
    node: &Node,
    parent_path: &str,
    mut parent: Node,
) {
    parent.children = parent.children.saturating_sub(1);
    parent.stat.pzxid = parent.stat.pzxid.max(judge.zxid.0);
    judge.overlay.update(parent_path, parent, judge.zxid);
    judge.overlay.delete(path, node, judge.zxid);
}
