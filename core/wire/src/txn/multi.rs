//! The body of a multi: its parts, each with a type and a length.
//!
//! If any part is an error, nothing is applied: parts before the failing one keep their bodies, it holds
//! its error, and those after it hold RuntimeInconsistency (-2).

use super::body::{Txn, TxnType};
use crate::jute::{DecodeError, Jute, Reader, write_length};

/// The parts of a multi, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MultiTxn<'a> {
    /// The parts.
    pub parts: Vec<SubTxn<'a>>,
}

/// One part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubTxn<'a> {
    /// What it does; never another multi or a session transaction.
    pub txn: Txn<'a>,
}

impl MultiTxn<'_> {
    /// Whether any part failed, so that none is applied.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.parts.iter().any(|part| matches!(part.txn, Txn::Error(_)))
    }
}

impl<'a> Jute<'a> for MultiTxn<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { parts: r.get()? })
    }

    fn write(&self, out: &mut Vec<u8>) {
        self.parts.write(out);
    }
}

impl<'a> Jute<'a> for SubTxn<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let kind: i32 = r.get()?;
        if matches!(kind, TxnType::MULTI | TxnType::CREATE_SESSION | TxnType::CLOSE_SESSION) {
            return Err(DecodeError::Unknown { what: "part of a multi", value: kind.into() });
        }
        let body: Option<&[u8]> = r.get()?;
        let body = body.ok_or(DecodeError::Null("the body of a multi's part"))?;
        Ok(Self { txn: Txn::read(kind, &mut Reader::new(body))? })
    }

    fn write(&self, out: &mut Vec<u8>) {
        self.txn.kind().write(out);
        let at = out.len();
        write_length(0, out);
        self.txn.write(out);
        crate::frame::finish_frame(out, at);
    }
}
