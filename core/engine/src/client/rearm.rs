//! What gives a new connection the watches of the session: setWatches, in frames of bounded size.

use super::watches::Kind;
use quorate_wire::frame::{RequestHeader, SET_WATCHES_XID, write_frame};
use quorate_wire::op::set_watches::{SetWatches2Request, SetWatchesRequest};
use quorate_wire::{Jute, OpCode};
use std::borrow::Cow;

/// Requests under construction.
pub(super) struct Rearm<'a> {
    relative_zxid: i64,
    out: &'a mut Vec<u8>,
    frames: usize,
}

/// The paths of one request.
#[derive(Default)]
pub(super) struct Batch<'a> {
    paths: [Vec<Cow<'a, str>>; 5],
    bytes: usize,
}

impl<'a> Rearm<'a> {
    /// Requests that make up for what happened after `relative_zxid`, to be appended to `out`.
    pub(super) const fn new(relative_zxid: i64, out: &'a mut Vec<u8>) -> Self {
        Self { relative_zxid, out, frames: 0 }
    }

    /// Adds a path to the batch; writes the batch first when there is no room in it.
    pub(super) fn add<'p>(&mut self, batch: &mut Batch<'p>, kind: Kind, path: &'p str) {
        let bytes = path.len().saturating_add(4);
        if batch.bytes > 0 && batch.bytes.saturating_add(bytes) > MAX_BATCH {
            self.write(std::mem::take(batch));
        }
        batch.of(kind).push(Cow::Borrowed(path));
        batch.bytes = batch.bytes.saturating_add(bytes);
    }

    /// Writes what is left. Answers how many requests there are.
    pub(super) fn finish(mut self, batch: Batch<'_>) -> usize {
        if batch.bytes > 0 {
            self.write(batch);
        }
        self.frames
    }

    /// The older request where it will do: servers before 3.6 know no other.
    fn write(&mut self, batch: Batch<'_>) {
        self.frames = self.frames.saturating_add(1);
        let relative_zxid = self.relative_zxid;
        let [data, exist, child, persistent, recursive] = batch.paths;
        write_frame(self.out, |out| {
            if persistent.is_empty() && recursive.is_empty() {
                RequestHeader { xid: SET_WATCHES_XID, op: OpCode::SetWatches.code() }.write(out);
                let (data, exist, child) = (Some(data), Some(exist), Some(child));
                SetWatchesRequest { relative_zxid, data, exist, child }.write(out);
            } else {
                RequestHeader { xid: SET_WATCHES_XID, op: OpCode::SetWatches2.code() }.write(out);
                SetWatches2Request {
                    relative_zxid,
                    data: Some(data),
                    exist: Some(exist),
                    child: Some(child),
                    persistent: Some(persistent),
                    persistent_recursive: Some(recursive),
                }
                .write(out);
            }
        });
    }
}

impl<'a> Batch<'a> {
    const fn of(&mut self, kind: Kind) -> &mut Vec<Cow<'a, str>> {
        let [data, exist, child, persistent, recursive] = &mut self.paths;
        match kind {
            Kind::Data => data,
            Kind::Exist => exist,
            Kind::Child => child,
            Kind::Persistent => persistent,
            Kind::Recursive => recursive,
        }
    }
}

/// Bytes of path text in one request; Apache's client uses the same. A frame may have 1 MiB.
const MAX_BATCH: usize = 128 * 1024;
