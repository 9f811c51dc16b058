//! setData.

use super::judge::{Judge, next_version, require_valid};
use super::quota;
use quorate_wire::acl::WRITE;
use quorate_wire::error::ErrorCode;
use quorate_wire::jute::{Jute, write_str};
use quorate_wire::op::set_data::SetDataRequest;

/// Judges a setData. The quota comes before the version.
pub(super) fn set_data(
    judge: &mut Judge<'_>,
    request: &SetDataRequest<'_>,
    out: &mut Vec<u8>,
) -> Result<(), ErrorCode> {
    judge.require_session()?;
    let path = request.path.as_ref();
    require_valid(path)?;
    let mut node = judge.node(path)?;
    judge.require_permission(path, &node, WRITE)?;
    quota::check_set_data(judge, path, node.length, request.data.map_or(0, <[u8]>::len))?;
    let version = next_version(node.stat.version, request.version)?;

    write_str(path, out);
    request.data.write(out);
    version.write(out);

    node.stat.version = version;
    node.stat.mtime = judge.time;
    node.stat.mzxid = judge.zxid.0;
    judge.overlay.update_data(path, node, request.data, judge.zxid);
    Ok(())
}
