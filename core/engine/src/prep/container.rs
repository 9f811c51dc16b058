//! deleteContainer: the reaper removes a container or TTL node.
//!
//! Neither session nor ACL is looked at, and ordinary nodes pass: only the server itself asks.

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
    if matches!(Owner::of(node.stat.ephemeral_owner), Owner::Session(_)) {
        return Err(ErrorCode::BadVersion);
    }
    let parent = judge.node(parent_path)?;
    write_str(path, out);
    remove(judge, path, &node, parent_path, parent);
    Ok(())
}
