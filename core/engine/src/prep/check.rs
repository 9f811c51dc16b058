//! check, which exists only inside a multi.

use super::judge::{Judge, next_version, require_valid};
use quorate_wire::acl::READ;
use quorate_wire::error::ErrorCode;
use quorate_wire::jute::{Jute, write_str};
use quorate_wire::op::check::CheckVersionRequest;

/// Judges a check. Its transaction carries the next version, as Apache's does; nobody reads it.
pub(super) fn check(
    judge: &Judge<'_>,
    request: &CheckVersionRequest<'_>,
    out: &mut Vec<u8>,
) -> Result<(), ErrorCode> {
    judge.require_session()?;
    require_valid(&request.path)?;
    let node = judge.node(&request.path)?;
    judge.require_permission(&request.path, &node, READ)?;
    let version = next_version(node.stat.version, request.version)?;
    write_str(&request.path, out);
    version.write(out);
    Ok(())
}
