//! The transaction log: a header, then records, then zeros up to the preallocated end of the file.
//!
//! ```text
//! file    "ZKLG"  i32 version 2  i64 dbid 0                          16 bytes
//! record  i64 adler32(payload)  i32 length  payload  'B'             13 + length bytes
//! ```
//! The payload is a [`TxnRecord`](crate::txn::TxnRecord). [`LogScan`] reads the bytes of one file and says at
//! the end whether the file ends cleanly, was torn while its last record was written, or is damaged.
//! Source: `org.apache.zookeeper.server.persistence.FileTxnLog`; Apache itself does not tell the last two apart.

use crate::jute::Reader;

/// Bytes of the file header.
pub const HEADER_LEN: usize = 16;
/// Bytes of a record besides its payload.
pub const RECORD_OVERHEAD: usize = PREFIX_LEN + 1;
/// The longest payload that a default Apache server reads back: `jute.maxbuffer` and its extra size.
pub const DEFAULT_MAX_PAYLOAD: usize = 2 * crate::frame::DEFAULT_MAX_FRAME;
/// The last byte of every record, `B`.
pub const RECORD_END: u8 = 0x42;

/// The 16 bytes that every log file begins with.
#[must_use]
pub fn file_header() -> [u8; HEADER_LEN] {
    let mut header = [0; HEADER_LEN];
    for (slot, byte) in header.iter_mut().zip(MAGIC.into_iter().chain([0, 0, 0, 2])) {
        *slot = byte;
    }
    header
}

/// What precedes `payload` in the file; [`RECORD_END`] follows it. For writers that keep the payload where
/// it is.
#[must_use]
pub fn record_prefix(payload: &[u8]) -> [u8; PREFIX_LEN] {
    let mut prefix = [0; PREFIX_LEN];
    let checksum = adler32(payload).to_be_bytes();
    let length = i32::try_from(payload.len()).unwrap_or(i32::MAX).to_be_bytes();
    for (slot, byte) in prefix.iter_mut().zip(checksum.into_iter().chain(length)) {
        *slot = byte;
    }
    prefix
}

/// Appends a whole record.
pub fn write_record(payload: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&record_prefix(payload));
    out.extend_from_slice(payload);
    out.push(RECORD_END);
}

/// One intact record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawRecord<'a> {
    /// Where the record begins in the file (its checksum, not its payload).
    pub offset: u64,
    /// The transaction's bytes.
    pub payload: &'a [u8],
}

impl RawRecord<'_> {
    /// The offset of whatever comes next.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.offset + to_u64(self.payload.len() + RECORD_OVERHEAD)
    }
}

/// How a log file ends. `offset` is always the end of the last intact record: everything before it can be
/// relied on, and a file that is cut there is clean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogEnd {
    /// Only padding, or nothing, follows the last record.
    CleanEnd {
        /// End of the last record.
        offset: u64,
    },
    /// The last write did not reach the disk as a whole: a record that is no good, and nothing after it.
    /// It was never acknowledged, unless a [sidecar](super::sidecar) knows better.
    TornTail {
        /// End of the last intact record.
        offset: u64,
        /// What is wrong there.
        why: Fault,
    },
    /// Something is wrong that no interrupted write explains. Records that were acknowledged may be lost.
    Damage {
        /// End of the last intact record.
        offset: u64,
        /// What is wrong there.
        why: Fault,
        /// Where the next intact record begins, if one follows.
        next_valid: Option<u64>,
    },
}

impl LogEnd {
    /// The end of the last intact record.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        match *self {
            Self::CleanEnd { offset }
            | Self::TornTail { offset, .. }
            | Self::Damage { offset, .. } => offset,
        }
    }
}

/// What is wrong with bytes that should be a record, or the file's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The file does not begin with [`file_header`]'s magic.
    #[error("the file does not begin with ZKLG")]
    Magic,
    /// The file ends inside the header or a record.
    #[error("the file ends inside a record: {needed} bytes are needed, {left} are left")]
    Cut {
        /// Bytes that the record, or its fixed part, takes.
        needed: usize,
        /// Bytes that the file still has.
        left: usize,
    },
    /// The length is zero, as in padding, but the bytes around it are not.
    #[error("the padding is not blank")]
    Blank,
    /// The length is negative or above the limit.
    #[error("a record length of {0} is not possible")]
    Length(i32),
    /// The payload is not what was written.
    #[error("the checksum does not match: {stored:#x} is stored, {computed:#x} is computed")]
    Checksum {
        /// The stored checksum.
        stored: i64,
        /// That of the bytes.
        computed: i64,
    },
    /// Another byte stands where `B` belongs.
    #[error("the record ends with {0:#04x} in place of 0x42")]
    EndMark(u8),
    /// The checksum matches, but the sidecar's does not.
    #[error("the CRC-32 in the sidecar does not match")]
    Sidecar,
    /// The sidecar tells of a record that is not there.
    #[error("the record {0:#x} was here according to the sidecar")]
    Missing(i64),
}

/// What a piece of a log file, behind the header, begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next<'a> {
    /// This payload of an intact record.
    Record(&'a [u8]),
    /// A record that the piece does not hold as a whole: so many bytes would.
    Needs(usize),
    /// No intact record: padding, or damage.
    None,
}

/// Looks at the beginning of a piece, for those who read a file in pieces and want its intact records only. A record longer than
/// `max_payload` bytes is taken for damage.
#[must_use]
pub fn next_record(piece: &[u8], max_payload: usize) -> Next<'_> {
    let mut r = Reader::new(piece);
    let (Ok(stored), Ok(length)) = (r.get::<i64>(), r.get::<i32>()) else {
        return Next::Needs(RECORD_OVERHEAD);
    };
    let len = match usize::try_from(length) {
        Ok(len) if (1..=max_payload).contains(&len) => len,
        _ => return Next::None,
    };
    let (Ok(payload), Ok(mark)) = (r.take(len), r.get::<u8>()) else {
        return Next::Needs(len + RECORD_OVERHEAD);
    };
    let intact = mark == RECORD_END && stored == adler32(payload);
    if intact { Next::Record(payload) } else { Next::None }
}

/// Iterates over the intact records of one file; [`finish`](Self::finish) tells how it ends.
///
/// The classification errs on the side of refusal: a bad record counts as torn only if it is followed by
/// nothing but zeros, and if no intact record begins inside or after it.
#[derive(Clone, Debug)]
pub struct LogScan<'a> {
    file: &'a [u8],
    at: usize,
    max_payload: usize,
    end: Option<LogEnd>,
}

impl<'a> LogScan<'a> {
    /// Starts at the header of a file whose bytes are `file`. A record longer than `max_payload` bytes is
    /// taken for damage unless it is intact: the end of a session with very many ephemerals is longer than
    /// any request. It should be at least what the writer was allowed ([`DEFAULT_MAX_PAYLOAD`] if that is unknown).
    #[must_use]
    pub fn new(file: &'a [u8], max_payload: usize) -> Self {
        let mut scan = Self { file, at: HEADER_LEN, max_payload, end: None };
        if file.get(..MAGIC.len()) != Some(&MAGIC) || file.len() < HEADER_LEN {
            scan.at = 0;
            scan.end = Some(scan.without_header());
        }
        scan
    }

    /// Passes over what has not been read and tells how the file ends.
    #[must_use]
    pub fn finish(mut self) -> LogEnd {
        loop {
            if let Some(end) = self.end {
                return end;
            }
            self.next();
        }
    }

    /// Whether the bytes at `at` are an intact record.
    fn parse(&self, at: usize) -> Result<&'a [u8], Bad> {
        let rest = self.file.get(at..).unwrap_or_default();
        let mut r = Reader::new(rest);
        let (Ok(stored), Ok(length)) = (r.get::<i64>(), r.get::<i32>()) else {
            return Err(Bad::Cut { needed: RECORD_OVERHEAD });
        };
        let len = match usize::try_from(length) {
            Ok(0) => return Err(Bad::Empty),
            Ok(len) if len <= self.max_payload => len,
            Ok(len) if is_intact(rest, len, stored) => len,
            Ok(len) => {
                let end = at.saturating_add(RECORD_OVERHEAD).saturating_add(len);
                return Err(Bad::Is(Fault::Length(length), end));
            }
            Err(_) => return Err(Bad::Is(Fault::Length(length), at + PREFIX_LEN)),
        };
        let (Ok(payload), Ok(mark)) = (r.take(len), r.get::<u8>()) else {
            return Err(Bad::Cut { needed: len + RECORD_OVERHEAD });
        };
        let end = at + RECORD_OVERHEAD + len;
        if mark != RECORD_END {
            return Err(Bad::Is(Fault::EndMark(mark), end));
        }
        let computed = adler32(payload);
        if stored != computed {
            return Err(Bad::Is(Fault::Checksum { stored, computed }, end));
        }
        Ok(payload)
    }

    /// The verdict about a file without a proper header.
    fn without_header(&self) -> LogEnd {
        let expected = file_header();
        let begun = self.file.iter().zip(expected).all(|(&found, wanted)| found == wanted);
        if self.file.len() < HEADER_LEN && (begun || self.is_blank(0)) {
            let why = Fault::Cut { needed: HEADER_LEN, left: self.file.len() };
            return LogEnd::TornTail { offset: 0, why };
        }
        if self.is_blank(0) {
            return LogEnd::TornTail { offset: 0, why: Fault::Magic };
        }
        LogEnd::Damage { offset: 0, why: Fault::Magic, next_valid: self.next_valid(0) }
    }

    /// The verdict about a position where no intact record begins.
    fn judge(&self, bad: Bad) -> LogEnd {
        let offset = to_u64(self.at);
        let left = self.file.len().saturating_sub(self.at);
        let (why, torn) = match bad {
            Bad::Empty | Bad::Cut { .. } if self.is_blank(self.at) => {
                return LogEnd::CleanEnd { offset };
            }
            // The checksum made it to the disk and nothing else.
            Bad::Empty => (Fault::Blank, self.is_blank(self.at + PREFIX_LEN)),
            Bad::Cut { needed } => (Fault::Cut { needed, left }, true),
            // Also a very long record may be written in part: then there is room for it, and it ends with zeros.
            Bad::Is(why @ Fault::Length(length), end) => {
                let has_room = length > 0 && end <= self.file.len();
                (why, has_room && self.is_blank(end.saturating_sub(1)))
            }
            Bad::Is(why, end) => (why, self.is_blank(end)),
        };
        // A flipped bit in a length can make a record swallow its successors: look inside as well.
        let next_valid = self.next_valid(self.at + 1);
        if torn && next_valid.is_none() {
            return LogEnd::TornTail { offset, why };
        }
        LogEnd::Damage { offset, why, next_valid }
    }

    /// Whether only zeros follow `at`.
    fn is_blank(&self, at: usize) -> bool {
        let rest = self.file.get(at..).unwrap_or_default();
        rest.chunks(ZEROS.len()).all(|chunk| ZEROS.starts_with(chunk))
    }

    /// The first position from `from` on where an intact record begins.
    ///
    /// Candidates are found by the zeros before the checksum and the `B` after the payload, so the checksum
    /// is computed for few of them. A file made to defeat that ends the search after a fixed
    /// amount of work, with the candidate at hand: it is no honest torn tail.
    fn next_valid(&self, from: usize) -> Option<u64> {
        let mut budget = self.file.len().saturating_mul(4).saturating_add(self.max_payload);
        let rest = self.file.get(from..)?;
        for (skipped, window) in rest.windows(PREFIX_LEN).enumerate() {
            let [0, 0, 0, 0, _, _, _, _, a, b, c, d] = *window else { continue };
            let at = from + skipped;
            let Ok(length) = usize::try_from(i32::from_be_bytes([a, b, c, d])) else { continue };
            if !(TXN_HEADER_LEN..=self.max_payload).contains(&length)
                || self.file.get(at + PREFIX_LEN + length) != Some(&RECORD_END)
            {
                continue;
            }
            budget = budget.saturating_sub(length);
            if budget == 0 || self.parse(at).is_ok() {
                return Some(to_u64(at));
            }
        }
        None
    }
}

impl<'a> Iterator for LogScan<'a> {
    type Item = RawRecord<'a>;

    fn next(&mut self) -> Option<RawRecord<'a>> {
        if self.end.is_some() {
            return None;
        }
        match self.parse(self.at) {
            Ok(payload) => {
                let record = RawRecord { offset: to_u64(self.at), payload };
                self.at += RECORD_OVERHEAD + payload.len();
                Some(record)
            }
            Err(bad) => {
                self.end = Some(self.judge(bad));
                None
            }
        }
    }
}

/// Why no intact record begins somewhere.
enum Bad {
    /// Its length is zero.
    Empty,
    /// The file ends before this many bytes.
    Cut { needed: usize },
    /// A fault, and where the record would end.
    Is(Fault, usize),
}

/// Whether the record at the start of `rest` is whole, with its end mark and its checksum.
fn is_intact(rest: &[u8], len: usize, stored: i64) -> bool {
    let record = rest.get(PREFIX_LEN..).and_then(|rest| rest.split_at_checked(len));
    record.is_some_and(|(payload, after)| {
        after.first() == Some(&RECORD_END) && adler32(payload) == stored
    })
}

/// Adler-32 in the low half of a long, as the file carries it.
fn adler32(payload: &[u8]) -> i64 {
    i64::from(simd_adler32::adler32(&payload))
}

fn to_u64(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

const MAGIC: [u8; 4] = *b"ZKLG";
/// Compared in blocks: the padding is long, and a scan of it is part of every start.
const ZEROS: [u8; 4096] = [0; 4096];
/// Checksum and length.
const PREFIX_LEN: usize = 12;
/// No payload is shorter than a transaction's header.
const TXN_HEADER_LEN: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 4096;

    fn payload(n: u8) -> Vec<u8> {
        (0..40).map(|i| n.wrapping_mul(31).wrapping_add(i)).collect()
    }

    /// Three records; and where each begins and the last one ends.
    fn log(padding: usize) -> (Vec<u8>, [usize; 4]) {
        let mut file = file_header().to_vec();
        let mut at = [0; 4];
        for n in 0..3u8 {
            at[usize::from(n)] = file.len();
            write_record(&payload(n), &mut file);
        }
        at[3] = file.len();
        file.resize(file.len() + padding, 0);
        (file, at)
    }

    fn end(file: &[u8]) -> LogEnd {
        LogScan::new(file, LIMIT).finish()
    }

    fn offset(at: usize) -> u64 {
        to_u64(at)
    }

    #[test]
    fn records_come_back_with_their_offsets() {
        for padding in [0, 1, 5, 12, 13, 1000] {
            let (file, at) = log(padding);
            let mut scan = LogScan::new(&file, LIMIT);
            for n in 0..3u8 {
                let record = scan.next().unwrap();
                assert_eq!(record.payload, payload(n));
                assert_eq!(record.offset, offset(at[usize::from(n)]));
                assert_eq!(record.end(), offset(at[usize::from(n) + 1]));
            }
            assert_eq!(scan.next(), None);
            assert_eq!(scan.next(), None, "the end stays the end");
            assert_eq!(scan.finish(), LogEnd::CleanEnd { offset: offset(at[3]) });
        }
    }

    #[test]
    fn a_file_cut_anywhere_is_a_torn_tail_or_clean() {
        let (file, at) = log(0);
        for cut in 0..file.len() {
            let verdict = end(&file[..cut]);
            let last =
                if cut < HEADER_LEN { 0 } else { at.into_iter().rfind(|&a| a <= cut).unwrap() };
            match verdict {
                LogEnd::CleanEnd { offset } => {
                    // Up to four zero bytes of a checksum look like padding, which loses nothing.
                    assert!(cut - last <= 4 && cut >= HEADER_LEN, "cut at {cut}");
                    assert_eq!(offset, self::offset(last));
                }
                LogEnd::TornTail { offset, .. } => assert_eq!(offset, self::offset(last)),
                LogEnd::Damage { .. } => panic!("a cut at {cut} is not damage: {verdict:?}"),
            }
        }
    }

    #[test]
    fn a_last_record_with_a_zeroed_rest_is_torn() {
        let (file, at) = log(500);
        for cut in at[2] + 5..at[3] {
            let mut torn = file.clone();
            torn[cut..].fill(0);
            let verdict = end(&torn);
            assert!(
                matches!(verdict, LogEnd::TornTail { offset, .. } if offset == self::offset(at[2])),
                "zeros from {cut}: {verdict:?}"
            );
        }
    }

    #[test]
    fn any_changed_byte_before_the_last_record_is_damage() {
        let (file, at) = log(300);
        for position in HEADER_LEN..at[2] {
            for flip in [0x01, 0x10, 0x80, 0xFF] {
                let mut bad = file.clone();
                bad[position] ^= flip;
                let verdict = end(&bad);
                let record = at.into_iter().rfind(|&a| a <= position).unwrap();
                let LogEnd::Damage { offset, next_valid, .. } = verdict else {
                    panic!("{flip:#x} at {position}: {verdict:?}");
                };
                assert_eq!(offset, self::offset(record));
                assert_eq!(next_valid, at.into_iter().find(|&a| a > position).map(self::offset));
            }
        }
    }

    #[test]
    fn a_length_that_swallows_the_rest_is_damage() {
        let (mut file, at) = log(2000);
        // The first record now claims to reach far into the padding.
        file[at[0] + 10] = 4;
        let verdict = end(&file);
        assert!(
            matches!(verdict, LogEnd::Damage { next_valid: Some(n), .. } if n == offset(at[1])),
            "{verdict:?}"
        );
    }

    #[test]
    fn impossible_lengths_and_headers_are_damage() {
        for length in [-1, -2, i32::MAX] {
            let (mut file, at) = log(100);
            file[at[2] + 8..at[2] + 12].copy_from_slice(&length.to_be_bytes());
            let expected = Fault::Length(length);
            let verdict = end(&file);
            assert!(
                matches!(verdict, LogEnd::Damage { why, .. } if why == expected),
                "{verdict:?}"
            );
        }
        let (mut file, at) = log(0);
        file[0] = b'z';
        assert_eq!(
            end(&file),
            LogEnd::Damage { offset: 0, why: Fault::Magic, next_valid: Some(offset(at[0])) }
        );
    }

    #[test]
    fn a_record_longer_than_any_request_counts_when_it_is_whole() {
        let (mut file, at) = log(0);
        let long = vec![7; LIMIT + 100];
        write_record(&long, &mut file);
        let end_of_it = file.len();
        file.resize(end_of_it + 200, 0);
        assert_eq!(end(&file), LogEnd::CleanEnd { offset: offset(end_of_it) });
        for written in [20, 300, LIMIT] {
            let mut torn = file.clone();
            torn[at[3] + written..].fill(0);
            let verdict = end(&torn);
            let last = offset(at[3]);
            assert!(
                matches!(verdict, LogEnd::TornTail { offset, .. } if offset == last),
                "{written}: {verdict:?}"
            );
        }
        file[at[3] + 200] ^= 1;
        assert!(
            matches!(end(&file), LogEnd::Damage { .. }),
            "nothing was cut off, but a byte is bad"
        );
    }

    #[test]
    fn a_file_without_content_is_torn_and_a_file_without_records_is_clean() {
        let cut = |left| Fault::Cut { needed: HEADER_LEN, left };
        assert_eq!(end(&[]), LogEnd::TornTail { offset: 0, why: cut(0) });
        assert_eq!(end(b"ZKLG"), LogEnd::TornTail { offset: 0, why: cut(4) });
        assert_eq!(end(&[0; 100]), LogEnd::TornTail { offset: 0, why: Fault::Magic });
        assert_eq!(end(&file_header()), LogEnd::CleanEnd { offset: 16 });
    }

    #[test]
    fn a_hostile_file_does_not_hold_the_search_up() {
        // Every thirteenth byte begins a plausible record of the greatest length.
        let mut file = file_header().to_vec();
        while file.len() < 600_000 {
            file.extend_from_slice(&[0, 0, 0, 0, 9, 9, 0x42, 0x42, 0, 1, 0, 0]);
            file.push(RECORD_END);
        }
        let verdict = LogScan::new(&file, 1 << 20).finish();
        assert!(matches!(verdict, LogEnd::Damage { .. }), "{verdict:?}");
    }
}
