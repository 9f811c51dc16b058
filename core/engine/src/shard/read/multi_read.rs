//! multiRead: several reads of one instant, each with its own result.

use super::{Answer, ReadContext, Refusal};
use quorate_wire::acl::READ;
use quorate_wire::jute::write_str;
use quorate_wire::op::multi::{MultiHeader, MultiPart, MultiParts};
use quorate_wire::{ErrorCode, Jute, OpCode};

pub(super) fn execute(body: &[u8], context: &ReadContext<'_>, out: &mut Vec<u8>) -> Answer {
    // Everything is decoded before anything is answered: one bad part spoils the whole request.
    let parts = MultiParts::new(body).collect::<Result<Vec<_>, _>>()?;
    if parts.iter().any(|part| !part.is_read()) {
        MultiHeader::END.write(out);
        return Err(Refusal { code: ErrorCode::MarshallingError, keep_body: true });
    }
    for part in &parts {
        let at = out.len();
        if at.saturating_sub(context.frame_at) > context.config.output_limit {
            // A request of a megabyte can ask for the same megabyte very often.
            return Err(ErrorCode::SystemError.into());
        }
        if let Err(code) = read(part, context, out) {
            out.truncate(at);
            MultiHeader { op: -1, done: false, err: code.code() }.write(out);
            code.code().write(out);
        }
    }
    MultiHeader::END.write(out);
    Ok(())
}

fn read(
    part: &MultiPart<'_>,
    context: &ReadContext<'_>,
    out: &mut Vec<u8>,
) -> Result<(), ErrorCode> {
    match part {
        MultiPart::GetData(request) => {
            let node = context.permitted(&request.path, READ)?;
            MultiHeader { op: OpCode::GetData.code(), done: false, err: 0 }.write(out);
            context.tree.data(node).write(out);
            context.tree.stat(node).write(out);
        }
        MultiPart::GetChildren(request) => {
            let node = context.permitted(&request.path, READ)?;
            MultiHeader { op: OpCode::GetChildren.code(), done: false, err: 0 }.write(out);
            context.tree.child_count(node).write(out);
            for child in context.tree.children(node) {
                write_str(child, out);
            }
        }
        _ => return Err(ErrorCode::MarshallingError),
    }
    Ok(())
}
