//! multi (14) and multiRead (22): several operations as one.
//!
//! Each part is preceded by a [`MultiHeader`]; a header with `done` ends the list. Parts are decoded one at
//! a time by [`MultiParts`], so that a server can judge them in order without a list of them.

use super::check::CheckVersionRequest;
use super::create::{CreateMode, CreateRequest, CreateTtlRequest};
use super::delete::DeleteRequest;
use super::get_children::GetChildrenRequest;
use super::get_data::GetDataRequest;
use super::set_data::SetDataRequest;
use crate::OpCode;
use crate::jute::{DecodeError, Jute, Reader};
use crate::record;

record! {
    /// What precedes each part, in requests and replies.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct MultiHeader {
        /// The part's opcode, -1 for the end and for errors.
        pub op: i32,
        /// Whether this ends the list.
        pub done: bool,
        /// -1 in requests and at the end, 0 or an error code in replies.
        pub err: i32,
    }
}

impl MultiHeader {
    /// The header that ends a list.
    pub const END: Self = Self { op: -1, done: true, err: -1 };
}

/// One part of a multi or multiRead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MultiPart<'a> {
    /// create (1), create2 (15) or createContainer (19).
    Create(OpCode, CreateRequest<'a>),
    /// createTTL (21).
    CreateTtl(CreateTtlRequest<'a>),
    /// delete (2).
    Delete(DeleteRequest<'a>),
    /// setData (5).
    SetData(SetDataRequest<'a>),
    /// check (13).
    Check(CheckVersionRequest<'a>),
    /// getData (4); its watch flag is ignored.
    GetData(GetDataRequest<'a>),
    /// getChildren (8); its watch flag is ignored.
    GetChildren(GetChildrenRequest<'a>),
}

impl MultiPart<'_> {
    /// The part's opcode.
    #[must_use]
    pub const fn op(&self) -> OpCode {
        match self {
            Self::Create(op, _) => *op,
            Self::CreateTtl(_) => OpCode::CreateTtl,
            Self::Delete(_) => OpCode::Delete,
            Self::SetData(_) => OpCode::SetData,
            Self::Check(_) => OpCode::Check,
            Self::GetData(_) => OpCode::GetData,
            Self::GetChildren(_) => OpCode::GetChildren,
        }
    }

    /// Whether the part belongs into a multiRead.
    #[must_use]
    pub const fn is_read(&self) -> bool {
        matches!(self, Self::GetData(_) | Self::GetChildren(_))
    }
}

/// Writes a part with its header.
pub fn write_part(part: &MultiPart<'_>, out: &mut Vec<u8>) {
    MultiHeader { op: part.op().code(), done: false, err: -1 }.write(out);
    match part {
        MultiPart::Create(_, r) => r.write(out),
        MultiPart::CreateTtl(r) => r.write(out),
        MultiPart::Delete(r) => r.write(out),
        MultiPart::SetData(r) => r.write(out),
        MultiPart::Check(r) => r.write(out),
        MultiPart::GetData(r) => r.write(out),
        MultiPart::GetChildren(r) => r.write(out),
    }
}

/// Iterates over the parts of a request body.
///
/// A mixture of reads and writes, an operation that cannot be a part and an invalid create flag (but that of a createTTL, which
/// is judged) are decoding errors, as in `org.apache.zookeeper.MultiOperationRecord`.
#[derive(Clone, Debug)]
pub struct MultiParts<'a> {
    reader: Reader<'a>,
    reads: Option<bool>,
    ended: bool,
}

impl<'a> MultiParts<'a> {
    /// Starts at the body of a request.
    #[must_use]
    pub const fn new(body: &'a [u8]) -> Self {
        Self { reader: Reader::new(body), reads: None, ended: false }
    }

    /// What has not been read; after the last part, whatever follows the list.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.reader.rest()
    }

    fn part(&mut self) -> Result<Option<MultiPart<'a>>, DecodeError> {
        let header: MultiHeader = self.reader.get()?;
        if header.done {
            return Ok(None);
        }
        let r = &mut self.reader;
        let part = match OpCode::from_code(header.op) {
            Some(op @ (OpCode::Create | OpCode::Create2 | OpCode::CreateContainer)) => {
                MultiPart::Create(op, valid_flags(r.get()?)?)
            }
            Some(OpCode::CreateTtl) => MultiPart::CreateTtl(r.get()?),
            Some(OpCode::Delete) => MultiPart::Delete(r.get()?),
            Some(OpCode::SetData) => MultiPart::SetData(r.get()?),
            Some(OpCode::Check) => MultiPart::Check(r.get()?),
            Some(OpCode::GetData) => MultiPart::GetData(r.get()?),
            Some(OpCode::GetChildren) => MultiPart::GetChildren(r.get()?),
            _ => {
                return Err(DecodeError::Unknown {
                    what: "part of a multi",
                    value: header.op.into(),
                });
            }
        };
        if *self.reads.get_or_insert(part.is_read()) != part.is_read() {
            return Err(DecodeError::Unknown {
                what: "part beside the others",
                value: header.op.into(),
            });
        }
        Ok(Some(part))
    }
}

fn valid_flags(request: CreateRequest<'_>) -> Result<CreateRequest<'_>, DecodeError> {
    match CreateMode::from_flags(request.flags) {
        Some(_) => Ok(request),
        None => Err(DecodeError::Unknown { what: "create flag", value: request.flags.into() }),
    }
}

impl<'a> Iterator for MultiParts<'a> {
    type Item = Result<MultiPart<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let part = self.part().transpose();
        self.ended = !matches!(part, Some(Ok(_)));
        part
    }
}
