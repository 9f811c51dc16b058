//! Transactions: what is logged, replicated and applied.
//!
//! A transaction is a [`TxnHeader`], a body and an optional [`TxnDigest`]; the same bytes are the payload
//! of a log record and of a proposal. Bodies hold absolute values (the final path, the new version), so that
//! replicas apply them blindly. Decoding borrows from the log. Source: `zookeeper.jute`, `SerializeUtils`.

mod body;
mod multi;

pub use body::{
    CreateBody, CreateContainerBody, CreateTtlBody, SetAclBody, SetDataBody, Txn, TxnType,
};
pub use multi::{MultiTxn, SubTxn};

use crate::jute::{DecodeError, Jute, Reader};
use crate::record;
use crate::zxid::Zxid;

record! {
    /// What precedes every transaction; 32 bytes.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct TxnHeader {
        /// The session that asked for it; 0 for the server itself.
        pub client_id: i64,
        /// The request's xid.
        pub cxid: i32,
        /// Its place in the history.
        pub zxid: Zxid,
        /// Wall clock of the server that judged it, ms.
        pub time: i64,
        /// A [`TxnType`].
        pub kind: i32,
    }
}

record! {
    /// The digest of the tree after the transaction; 12 bytes.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct TxnDigest {
        /// Which digest function: [`DIGEST_VERSION`].
        pub version: i32,
        /// Sum of all node digests.
        pub tree: u64,
    }
}

/// The version of the digest function that this crate's readers and Apache 3.6 and later use.
pub const DIGEST_VERSION: i32 = 2;

/// A whole decoded transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TxnRecord<'a> {
    /// Who, when, where in the history.
    pub header: TxnHeader,
    /// What.
    pub txn: Txn<'a>,
    /// The digest afterwards, if the writer recorded it.
    pub digest: Option<TxnDigest>,
}

impl<'a> Jute<'a> for TxnRecord<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let header: TxnHeader = r.get()?;
        let txn = Txn::read(header.kind, r)?;
        let digest = if r.rest().len() >= 12 { Some(r.get()?) } else { None };
        Ok(Self { header, txn, digest })
    }

    fn write(&self, out: &mut Vec<u8>) {
        self.header.write(out);
        self.txn.write(out);
        if let Some(digest) = &self.digest {
            digest.write(out);
        }
    }
}
