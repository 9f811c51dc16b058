//! getACL: to readers with the digests masked, to administrators as it is.

use super::{Answer, ReadContext};
use crate::access;
use quorate_wire::Jute;
use quorate_wire::acl::{ADMIN, READ};
use quorate_wire::op::get_acl::GetAclRequest;

pub(super) fn execute(body: &[u8], context: &ReadContext<'_>, out: &mut Vec<u8>) -> Answer {
    let request = GetAclRequest::from_bytes(body)?;
    let node = context.permitted(&request.path, READ | ADMIN)?;
    let acl = context.tree.acl(node);
    if context.check(node, ADMIN).is_ok() {
        acl.to_vec().write(out);
    } else {
        access::masked_for_reader(acl).write(out);
    }
    context.tree.stat(node).write(out);
    Ok(())
}
