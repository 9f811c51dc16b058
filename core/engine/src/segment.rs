//! A run of log records, encoded once and shared: the log writes it, the tree applies it.
//!
//! The bytes are those of the file: per record checksum, length, payload and end mark. A segment is
//! immutable once it is sealed.

use quorate_wire::Zxid;
use std::ops::Range;

/// Encoded log records in the order of their zxids.
#[derive(Clone, Debug, Default)]
pub struct Segment {
    bytes: Vec<u8>,
    records: Vec<Record>,
}

/// Where one record lies in a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its transaction.
    pub zxid: Zxid,
    /// The transaction's bytes, without the framing.
    pub payload: Range<usize>,
}

impl Segment {
    /// Appends a record whose payload `write` produces.
    pub fn push(&mut self, zxid: Zxid, write: impl FnOnce(&mut Vec<u8>)) {
        debug_assert!(self.records.last().is_none_or(|last| last.zxid < zxid), "records in order");
        let at = self.bytes.len();
        self.bytes.resize(at + HEAD, 0);
        write(&mut self.bytes);
        let payload = at + HEAD..self.bytes.len();
        let body = self.bytes.get(payload.clone()).unwrap_or_default();
        let sum = u64::from(simd_adler32::adler32(&body)).to_be_bytes();
        let len = i32::try_from(body.len()).unwrap_or(i32::MAX).to_be_bytes();
        if let Some((checksum, rest)) =
            self.bytes.get_mut(at..).and_then(|b| b.split_first_chunk_mut::<8>())
        {
            *checksum = sum;
            if let Some((length, _)) = rest.split_first_chunk_mut::<4>() {
                *length = len;
            }
        }
        self.bytes.push(END_OF_RECORD);
        self.records.push(Record { zxid, payload });
    }

    /// The bytes as they go to the file.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The records, in order.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// The payload of the `n`th record.
    #[must_use]
    pub fn payload(&self, n: usize) -> Option<&[u8]> {
        self.records.get(n).and_then(|record| self.bytes.get(record.payload.clone()))
    }

    /// The last transaction.
    #[must_use]
    pub fn last_zxid(&self) -> Option<Zxid> {
        self.records.last().map(|record| record.zxid)
    }

    /// Whether there is no record.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }
}

/// Checksum and length.
const HEAD: usize = 12;
const END_OF_RECORD: u8 = b'B';
