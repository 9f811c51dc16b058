//! Requests encoded ahead of time: at run time only the xid and a few digits are written.
//!
//! A [`Template`] is one whole frame. The generator copies it into an output buffer and patches it there,
//! which costs some ten nanoseconds; encoding each request anew would cost ten times that.

use quorate_wire::acl::AclList;
use quorate_wire::frame::{RequestHeader, write_frame};
use quorate_wire::op::create::CreateRequest;
use quorate_wire::op::delete::DeleteRequest;
use quorate_wire::op::get_data::GetDataRequest;
use quorate_wire::op::multi::{MultiHeader, MultiPart, write_part};
use quorate_wire::op::set_data::SetDataRequest;
use quorate_wire::op::sync::SyncRequest;
use quorate_wire::{Jute, OpCode, Reader};
use std::borrow::Cow;

/// One encoded frame with the places of the decimal numbers in it.
#[derive(Clone, Debug)]
pub(super) struct Template {
    bytes: Vec<u8>,
    numbers: Vec<usize>,
}

impl Template {
    /// The frame of `op` with an encoded body; every [`HOLE`] in it is a place for a number.
    pub(super) fn new(op: OpCode, body: &[u8]) -> Self {
        let mut bytes = Vec::new();
        write_frame(&mut bytes, |out| {
            RequestHeader { xid: 0, op: op.code() }.write(out);
            out.extend_from_slice(body);
        });
        let numbers = bytes
            .windows(HOLE.len())
            .enumerate()
            .filter_map(|(at, window)| (window == HOLE.as_bytes()).then_some(at))
            .collect();
        Self { bytes, numbers }
    }

    /// The same frame with its one number filled in.
    pub(super) fn numbered(&self, number: u64) -> Self {
        let mut bytes = Vec::with_capacity(self.bytes.len());
        self.push_numbered(0, [number], &mut bytes);
        Self { bytes, numbers: Vec::new() }
    }

    /// Appends the frame under the given xid.
    #[inline]
    pub(super) fn push(&self, xid: i32, out: &mut Vec<u8>) {
        self.push_numbered(xid, std::iter::empty(), out);
    }

    /// Appends the frame with `numbers` in its holes, first to first.
    #[inline]
    pub(super) fn push_numbered(
        &self,
        xid: i32,
        numbers: impl IntoIterator<Item = u64>,
        out: &mut Vec<u8>,
    ) {
        let start = out.len();
        out.extend_from_slice(&self.bytes);
        let Some(frame) = out.get_mut(start..) else { return };
        if let Some(slot) = frame.get_mut(XID) {
            slot.copy_from_slice(&xid.to_be_bytes());
        }
        for (&at, number) in self.numbers.iter().zip(numbers) {
            if let Some(slot) = frame.get_mut(at..at.saturating_add(HOLE.len())) {
                write_digits(number, slot);
            }
        }
    }
}

/// getData without or with a watch.
pub(super) fn get(path: &str, watch: bool) -> Template {
    Template::new(OpCode::GetData, &GetDataRequest { path: Cow::Borrowed(path), watch }.to_bytes())
}

/// setData of any version.
pub(super) fn set(path: &str, data: &[u8]) -> Template {
    Template::new(OpCode::SetData, &set_record(path, data).to_bytes())
}

/// A persistent node, open to the world.
pub(super) fn create(path: &str, data: &[u8]) -> Template {
    Template::new(OpCode::Create, &create_record(path, data).to_bytes())
}

/// Several operations as one transaction.
pub(super) fn multi(parts: &[MultiPart<'_>]) -> Template {
    let mut body = Vec::new();
    for part in parts {
        write_part(part, &mut body);
    }
    MultiHeader::END.write(&mut body);
    Template::new(OpCode::Multi, &body)
}

/// A sync: the server answers when it has everything that its leader had at that moment.
pub(super) fn sync(path: &str) -> Template {
    Template::new(OpCode::Sync, &SyncRequest { path: Some(Cow::Borrowed(path)) }.to_bytes())
}

/// A ping; its xid must be [`PING_XID`](quorate_wire::frame::PING_XID).
pub(super) fn ping() -> Template {
    Template::new(OpCode::Ping, &[])
}

/// The end of a session.
pub(super) fn close() -> Template {
    Template::new(OpCode::CloseSession, &[])
}

/// The record of [`set`], as a part of a multi.
pub(super) fn set_record<'a>(path: &'a str, data: &'a [u8]) -> SetDataRequest<'a> {
    SetDataRequest { path: Cow::Borrowed(path), data: Some(data), version: ANY_VERSION }
}

/// The record of [`create`], as a part of a multi.
pub(super) fn create_record<'a>(path: &'a str, data: &'a [u8]) -> CreateRequest<'a> {
    CreateRequest { path: Cow::Borrowed(path), data: Some(data), acl: AclList::OPEN, flags: 0 }
}

/// A deletion of any version, as a part of a multi.
pub(super) fn delete_record(path: &str) -> DeleteRequest<'_> {
    DeleteRequest { path: Cow::Borrowed(path), version: ANY_VERSION }
}

/// The error of a failed multi, from the body of its reply.
///
/// A failed multi has no error in its header (`org.apache.zookeeper.server.FinalRequestProcessor`):
/// every part has an error as its result instead, the parts before the culprit 0.
#[inline]
pub(super) fn multi_error(body: &[u8]) -> Option<i32> {
    let mut reader = Reader::new(body);
    let first: MultiHeader = reader.get().ok()?;
    if first.op != ERROR_RESULT || first.done {
        return None;
    }
    let mut error = reader.get::<i32>().ok()?;
    while error == 0 {
        let next: MultiHeader = reader.get().ok()?;
        if next.done {
            break;
        }
        error = reader.get().ok()?;
    }
    Some(error)
}

/// `size` bytes that no compression or deduplication makes smaller for free.
pub(super) fn payload(size: usize) -> Vec<u8> {
    let mut random = super::random::Random::new(0x5eed);
    (0..size).map(|_| random.next().to_be_bytes()[0]).collect()
}

#[inline]
fn write_digits(mut number: u64, slot: &mut [u8]) {
    for digit in slot.iter_mut().rev() {
        *digit = DIGITS.get(usize::try_from(number % 10).unwrap_or(0)).copied().unwrap_or(b'0');
        number /= 10;
    }
}

/// Where a number goes in a path: nine digits, so that all names have one length.
pub(super) const HOLE: &str = "#########";

/// The "operation" of a result that is an error.
const ERROR_RESULT: i32 = -1;
/// Matches every version.
const ANY_VERSION: i32 = -1;
/// The xid within a frame: after the length.
const XID: std::ops::Range<usize> = 4..8;
const DIGITS: &[u8; 10] = b"0123456789";

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_wire::op::multi::MultiParts;

    #[test]
    fn a_template_with_xid_and_number_decodes_to_the_request_meant() {
        let template = create(&format!("/a/n{HOLE}"), b"data");
        let mut out = b"before".to_vec();
        template.push_numbered(7, [42], &mut out);
        let mut reader = Reader::new(&out[6 + 4..]);
        assert_eq!(reader.get(), Ok(RequestHeader { xid: 7, op: OpCode::Create.code() }));
        assert_eq!(reader.get(), Ok(create_record("/a/n000000042", b"data")));
        assert!(reader.rest().is_empty());
        assert_eq!(out[6..10], i32::try_from(out.len() - 10).unwrap().to_be_bytes());
    }

    #[test]
    fn the_error_of_a_multi_is_that_of_its_culprit() {
        let mut failed = Vec::new();
        for err in [0, -110, -2] {
            MultiHeader { op: -1, done: false, err }.write(&mut failed);
            err.write(&mut failed);
        }
        MultiHeader::END.write(&mut failed);
        assert_eq!(multi_error(&failed), Some(-110));
        let mut done = MultiHeader { op: 2, done: false, err: 0 }.to_bytes();
        MultiHeader::END.write(&mut done);
        assert_eq!(multi_error(&done), None);
        assert_eq!(multi_error(&MultiHeader::END.to_bytes()), None);
    }

    #[test]
    fn every_hole_of_a_multi_gets_its_number() {
        let path = format!("/n{HOLE}");
        let part = MultiPart::SetData(set_record(&path, b"x"));
        let mut out = Vec::new();
        multi(&[part.clone(), part]).push_numbered(1, [1, 2], &mut out);
        let paths: Vec<_> = MultiParts::new(&out[12..])
            .map(|part| match part {
                Ok(MultiPart::SetData(set)) => set.path.into_owned(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(paths, ["/n000000001", "/n000000002"]);
    }
}
