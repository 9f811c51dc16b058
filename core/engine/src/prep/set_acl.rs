//! setACL.

use super::judge::{Judge, next_version, require_valid};
use super::overlay::NodeAcl;
use crate::access;
use quorate_wire::acl::ADMIN;
use quorate_wire::error::ErrorCode;
use quorate_wire::jute::{Jute, write_str};
use quorate_wire::op::set_acl::SetAclRequest;

/// Judges a setACL. The list is looked at before the node, so an invalid one hides NoNode.
pub(super) fn set_acl(
    judge: &mut Judge<'_>,
    request: SetAclRequest<'_>,
    out: &mut Vec<u8>,
) -> Result<(), ErrorCode> {
    judge.require_session()?;
    let SetAclRequest { path, acl, version } = request;
    require_valid(&path)?;
    let acl = access::fix_up_borrowed(acl, judge.identities, judge.config.schemes)?;
    let mut node = judge.node(&path)?;
    judge.require_permission(&path, &node, ADMIN)?;
    let version = next_version(node.stat.aversion, version)?;

    write_str(&path, out);
    acl.write(out);
    version.write(out);

    node.stat.aversion = version;
    node.acl = NodeAcl::of(acl);
    judge.overlay.update(&path, node, judge.zxid);
    Ok(())
}
