//! A run of log records, encoded once and shared: the log writes it, the tree applies it.
//!
//! The bytes are those of the file: per record checksum, length, payload and end mark. A segment is
//! immutable once it is sealed.

use quorate_wire::Zxid;
use std::ops::Range;
use std::sync::Arc;

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
    /// An empty segment with room for as much as this one holds, within reason: the next round is mostly like the last.
    #[must_use]
    pub fn another(&self) -> Self {
        let bytes = self.bytes.len().min(MOST_ROOM);
        let records = self.records.len().min(MOST_ROOM / size_of::<Record>());
        Self { bytes: Vec::with_capacity(bytes), records: Vec::with_capacity(records) }
    }

    /// An empty segment with room for one record of a payload so long, and no more.
    #[must_use]
    pub fn for_one(payload: usize) -> Self {
        let bytes = HEAD.saturating_add(payload).saturating_add(1);
        Self { bytes: Vec::with_capacity(bytes), records: Vec::with_capacity(1) }
    }

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

    /// The same records in segments of at most `limit` bytes each, or of one record where that is longer.
    #[must_use]
    pub fn pieces(self: &Arc<Self>, limit: usize) -> Vec<Arc<Self>> {
        if self.bytes.len() <= limit {
            return vec![Arc::clone(self)];
        }
        let mut pieces: Vec<Self> = Vec::new();
        for record in &self.records {
            let framed = self.framed(record);
            match pieces.last_mut() {
                Some(piece) if piece.bytes.len() + framed.len() <= limit => {
                    piece.take(record, framed)
                }
                _ => {
                    let mut piece = Self::default();
                    piece.take(record, framed);
                    pieces.push(piece);
                }
            }
        }
        pieces.into_iter().map(Arc::new).collect()
    }

    /// A record with its checksum, length and end mark.
    fn framed(&self, record: &Record) -> &[u8] {
        let start = record.payload.start.saturating_sub(HEAD);
        self.bytes.get(start..=record.payload.end).unwrap_or_default()
    }

    /// One segment of records of others, given as the segment and the number of the record in it, in order. Copies them as they are.
    pub(crate) fn gather<'a>(records: impl Iterator<Item = (&'a Self, usize)> + Clone) -> Self {
        let found = records.filter_map(|(of, n)| of.records.get(n).map(|record| (of, record)));
        let framed = found.clone().map(|(of, record)| of.framed(record).len());
        let bytes = Vec::with_capacity(framed.sum());
        let mut gathered = Self { bytes, records: Vec::with_capacity(found.clone().count()) };
        for (of, record) in found {
            gathered.take(record, of.framed(record));
        }
        gathered
    }

    /// Appends a record of another segment.
    fn take(&mut self, record: &Record, framed: &[u8]) {
        let start = self.bytes.len() + HEAD;
        self.bytes.extend_from_slice(framed);
        let payload = start..start + record.payload.len();
        self.records.push(Record { zxid: record.zxid, payload });
    }

    /// Whether there is no record.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }
}

/// Bytes that are reserved beforehand at most: what an idle replica holds.
const MOST_ROOM: usize = 64 << 10;
/// Checksum and length.
const HEAD: usize = 12;
const END_OF_RECORD: u8 = b'B';

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_the_same_bytes_in_parts_that_fit() {
        let mut whole = Segment::default();
        for (zxid, len) in [(1, 10), (2, 500), (3, 30), (4, 40), (5, 1)] {
            whole.push(Zxid(zxid), |out| out.resize(out.len() + len, u8::try_from(zxid).unwrap()));
        }
        let whole = Arc::new(whole);
        assert!(Arc::ptr_eq(&whole.pieces(10_000)[0], &whole));
        let pieces = whole.pieces(120);
        let bytes: Vec<u8> = pieces.iter().flat_map(|piece| piece.bytes().to_vec()).collect();
        assert_eq!(bytes, whole.bytes());
        let zxids =
            |piece: &Arc<Segment>| piece.records().iter().map(|r| r.zxid.0).collect::<Vec<_>>();
        assert_eq!(pieces.iter().map(zxids).collect::<Vec<_>>(), [vec![1], vec![2], vec![3, 4, 5]]);
        for piece in &pieces {
            for (n, record) in piece.records().iter().enumerate() {
                let payload = piece.payload(n).unwrap();
                assert!(payload.iter().all(|&byte| i64::from(byte) == record.zxid.0));
            }
        }
    }
}
