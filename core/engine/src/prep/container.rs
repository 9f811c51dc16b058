//! deleteContainer: the reaper removes a container or TTL node.
//!
//! Neither session nor ACL is looked at: only the server itself asks. It asked because of what has been applied, so what is in
//! flight may have put another node in the place; Apache would remove an ordinary one.

use super::delete::{parent_of_deletable, remove};
use super::judge::Judge;
use quorate_wire::error::ErrorCode;
use quorate_wire::jute::write_str;
use quorate_wire::stat::Owner;

/// Judges a deleteContainer.
pub(super) fn delete(
    judge: &mut Judge<'_>,
    path: &str,
    out: &mut Vec<u8>,
) -> Result<(), ErrorCode> {
    let parent_path = parent_of_deletable(path)?;
    let node = judge.node(path)?;
    if node.children > 0 {
        return Err(ErrorCode::NotEmpty);
    }
    match Owner::of(node.stat.ephemeral_owner) {
        Owner::Container => {}
        Owner::Ttl(ttl) if judge.time.saturating_sub(node.stat.mtime) > ttl => {}
        // Not the node that the reaper saw, but one made anew since.
        _ => return Err(ErrorCode::BadVersion),
    }
    let parent = judge.node(parent_path)?;
    write_str(path, out);
    remove(judge, path, &node, parent_path, parent);
    Ok(())
}
