//! setWatches and setWatches2: after a reconnect, what was missed is told and the rest is armed again.
//!
//! Events leave before the reply, in the order of the lists. Source: `DataTree#setWatches`.

use super::{Answer, ReadContext};
use crate::tree::NodeId;
use crate::watch::{Kind, PERSISTENT, RECURSIVE, STANDARD};
use quorate_wire::event::{EventType, write_notification};
use quorate_wire::frame::ReplyHeader;
use quorate_wire::op::set_watches::{SetWatches2Request, SetWatchesRequest};
use quorate_wire::{DecodeError, Jute};
use std::borrow::Cow;

pub(super) fn execute(
    body: &[u8],
    context: &mut ReadContext<'_>,
    with_persistent: bool,
    out: &mut Vec<u8>,
) -> Answer {
    let request = decode(body, with_persistent)?;
    let header: Vec<u8> = out.drain(context.frame_at..).collect();
    let outcome = renew_all(context, &request, out);
    context.frame_at = out.len();
    debug_assert_eq!(header.len(), 4 + ReplyHeader::LEN, "only the header stood there");
    out.extend_from_slice(&header);
    Ok(outcome?)
}

/// Works through the lists in order. A null list is an error that leaves what the ones before it did.
fn renew_all(
    context: &mut ReadContext<'_>,
    request: &SetWatches2Request<'_>,
    out: &mut Vec<u8>,
) -> Result<(), DecodeError> {
    let since = request.relative_zxid;
    for path in present(&request.data)? {
        renew(context, path, Kind::Data, out, |context, node| match node {
            None => Some(EventType::Deleted),
            Some(id) => {
                (context.tree.persisted(id).mzxid > since).then_some(EventType::DataChanged)
            }
        });
    }
    for path in present(&request.exist)? {
        renew(context, path, Kind::Data, out, |_, node| node.map(|_| EventType::Created));
    }
    for path in present(&request.child)? {
        renew(context, path, Kind::Child, out, |context, node| match node {
            None => Some(EventType::Deleted),
            Some(id) => {
                (context.tree.persisted(id).pzxid > since).then_some(EventType::ChildrenChanged)
            }
        });
    }
    let slot = context.conn.key.slot;
    for path in present(&request.persistent)? {
        context.watches.add(slot, path, Kind::Data, PERSISTENT);
        context.watches.add(slot, path, Kind::Child, PERSISTENT);
    }
    for path in present(&request.persistent_recursive)? {
        context.watches.add(slot, path, Kind::Data, RECURSIVE);
    }
    Ok(())
}

fn present<'a, 'b>(list: &'b Option<Vec<Cow<'a, str>>>) -> Result<&'b [Cow<'a, str>], DecodeError> {
    list.as_deref().ok_or(DecodeError::Null("a list of watches"))
}

/// Fires at once when something was missed, else arms a one-shot watch.
fn renew(
    context: &mut ReadContext<'_>,
    path: &str,
    kind: Kind,
    out: &mut Vec<u8>,
    missed: impl Fn(&ReadContext<'_>, Option<NodeId>) -> Option<EventType>,
) {
    match missed(context, context.tree.find(path)) {
        Some(event) => write_notification(event, path, -1, out),
        None => context.watches.add(context.conn.key.slot, path, kind, STANDARD),
    }
}

fn decode(body: &[u8], with_persistent: bool) -> Result<SetWatches2Request<'_>, DecodeError> {
    if with_persistent {
        return SetWatches2Request::from_bytes(body);
    }
    let old = SetWatchesRequest::from_bytes(body)?;
    Ok(SetWatches2Request {
        relative_zxid: old.relative_zxid,
        data: old.data,
        exist: old.exist,
        child: old.child,
        persistent: Some(Vec::new()),
        persistent_recursive: Some(Vec::new()),
    })
}
