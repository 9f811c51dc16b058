//! The sidecar of a log: one CRC-32 per record, to tell damage from a torn tail.
//!
//! An entry is written only **after** the record it describes has been synced, so that it proves: here was an
//! intact record, and it may have been acknowledged. A log that ends before or at such a record has lost
//! it. The sidecar itself need not be synced: what is missing from it proves nothing, and a log
//! without one is judged by itself. The format is ours and is described in `docs/format.md`; Apache
//! ignores the file. The storage driver writes it and asks it when a log does not end where it should.

use super::log::{Fault, LogEnd, RECORD_OVERHEAD, RawRecord};
use crate::jute::{DecodeError, Jute, Reader};
use crate::zxid::Zxid;

/// Bytes of the header.
pub const HEADER_LEN: usize = 32;
/// Bytes of an entry. Divides a sector, so that no entry is ever torn.
pub const ENTRY_LEN: usize = 32;

/// What is known about one record of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SumEntry {
    /// Where the record begins in the log.
    pub offset: u64,
    /// Bytes of its payload.
    pub length: u32,
    /// CRC-32 (IEEE, as in zlib) of its payload.
    pub crc: u32,
    /// Its zxid.
    pub zxid: Zxid,
}

impl SumEntry {
    /// The entry of a record that the log holds.
    #[must_use]
    pub fn of(record: &RawRecord<'_>, zxid: Zxid) -> Self {
        Self {
            offset: record.offset,
            length: u32::try_from(record.payload.len()).unwrap_or(u32::MAX),
            crc: crc32fast::hash(record.payload),
            zxid,
        }
    }

    /// Whether `payload` is what was written.
    #[must_use]
    pub fn matches(&self, payload: &[u8]) -> bool {
        u32::try_from(payload.len()) == Ok(self.length) && crc32fast::hash(payload) == self.crc
    }

    /// The offset of whatever follows the record in the log.
    #[must_use]
    pub fn end(&self) -> u64 {
        let overhead = u64::try_from(RECORD_OVERHEAD).unwrap_or(u64::MAX);
        self.offset.saturating_add(self.length.into()).saturating_add(overhead)
    }

    /// Appends the entry, [`ENTRY_LEN`] bytes.
    pub fn write(&self, out: &mut Vec<u8>) {
        let at = out.len();
        self.offset.write(out);
        out.extend_from_slice(&self.length.to_be_bytes());
        out.extend_from_slice(&self.crc.to_be_bytes());
        self.zxid.write(out);
        seal(at, out);
        out.extend_from_slice(&[0; 4]);
    }
}

/// The header of the sidecar of the log whose name carries `log`.
#[must_use]
pub fn file_header(log: Zxid) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEADER_LEN);
    out.extend_from_slice(&MAGIC);
    VERSION.write(&mut out);
    log.write(&mut out);
    out.extend_from_slice(&[0; 12]);
    seal(0, &mut out);
    out
}

/// Why a sidecar cannot be used. The log is then judged as if there were none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SidecarError {
    /// The header is cut or not one of ours.
    #[error("the header is damaged")]
    Header,
    /// A later version wrote it.
    #[error("version {0} is not known")]
    Version(i32),
    /// It belongs to another log.
    #[error("it belongs to log.{0:x}")]
    OtherLog(Zxid),
}

/// A sidecar that has been read.
#[derive(Clone, Copy, Debug)]
pub struct Sidecar<'a> {
    entries: &'a [u8],
}

impl<'a> Sidecar<'a> {
    /// Checks the header of the sidecar of the log whose name carries `log`.
    ///
    /// # Errors
    /// When it cannot be used.
    pub fn new(file: &'a [u8], log: Zxid) -> Result<Self, SidecarError> {
        let (header, entries) = file.split_at_checked(HEADER_LEN).ok_or(SidecarError::Header)?;
        let (version, owner) = read_header(header).map_err(|_| SidecarError::Header)?;
        if version != VERSION {
            return Err(SidecarError::Version(version));
        }
        if owner != log {
            return Err(SidecarError::OtherLog(owner));
        }
        Ok(Self { entries })
    }

    /// The intact entries, in the order of the file. Damaged and blank ones are passed over.
    pub fn entries(&self) -> impl Iterator<Item = SumEntry> + use<'a> {
        self.entries.chunks_exact(ENTRY_LEN).filter_map(|bytes| read_entry(bytes).ok())
    }

    /// The last entry of the file, if that one is intact.
    #[must_use]
    pub fn newest(&self) -> Option<SumEntry> {
        self.entries.chunks_exact(ENTRY_LEN).next_back().and_then(|bytes| read_entry(bytes).ok())
    }

    /// The entry of the record at `offset` of the log.
    #[must_use]
    pub fn lookup(&self, offset: u64) -> Option<SumEntry> {
        self.entries().find(|entry| entry.offset == offset)
    }

    /// The bytes of the sidecar that belong to the first `offset` bytes of the log: where to cut it when the
    /// log is cut there, and where to write the next entry.
    #[must_use]
    pub fn len_before(&self, offset: u64) -> u64 {
        let kept = self
            .entries
            .chunks_exact(ENTRY_LEN)
            .take_while(|bytes| read_entry(bytes).is_ok_and(|entry| entry.end() <= offset))
            .count();
        u64::try_from(HEADER_LEN + kept * ENTRY_LEN).unwrap_or(u64::MAX)
    }

    /// Corrects the verdict about a log of `log_len` bytes with what the sidecar knows.
    ///
    /// A clean or torn end becomes damage if a synced record was there or behind it. One exception: a
    /// file that has no byte after its last intact record was cut there on purpose (Apache does that when
    /// a leader tells it to), for no crash shortens a preallocated file to the end of a record.
    #[must_use]
    pub fn judge(&self, end: LogEnd, log_len: u64) -> LogEnd {
        let (offset, why) = match end {
            LogEnd::Damage { .. } => return end,
            LogEnd::CleanEnd { offset } if offset == log_len => return end,
            LogEnd::CleanEnd { offset } => (offset, None),
            LogEnd::TornTail { offset, why } => (offset, Some(why)),
        };
        let lost = self.entries().find(|entry| entry.end() > offset);
        match lost {
            Some(entry) => LogEnd::Damage {
                offset,
                why: why.unwrap_or(Fault::Missing(entry.zxid.0)),
                next_valid: None,
            },
            None => end,
        }
    }
}

fn read_header(header: &[u8]) -> Result<(i32, Zxid), DecodeError> {
    let mut r = Reader::new(checked(header)?);
    if r.array()? != MAGIC {
        return Err(DecodeError::Null("the magic"));
    }
    Ok((r.get()?, r.get()?))
}

fn read_entry(bytes: &[u8]) -> Result<SumEntry, DecodeError> {
    let mut r = Reader::new(checked(bytes.get(..ENTRY_LEN - 4).unwrap_or_default())?);
    Ok(SumEntry {
        offset: r.get()?,
        length: u32::from_be_bytes(r.array()?),
        crc: u32::from_be_bytes(r.array()?),
        zxid: r.get()?,
    })
}

/// The bytes before their CRC-32, which must match.
fn checked(bytes: &[u8]) -> Result<&[u8], DecodeError> {
    match bytes.split_last_chunk::<4>() {
        Some((body, sum)) if u32::from_be_bytes(*sum) == crc32fast::hash(body) => Ok(body),
        _ => Err(DecodeError::Null("a matching checksum")),
    }
}

/// Appends the CRC-32 of everything from `at` on.
fn seal(at: usize, out: &mut Vec<u8>) {
    let crc = crc32fast::hash(out.get(at..).unwrap_or_default());
    out.extend_from_slice(&crc.to_be_bytes());
}

const MAGIC: [u8; 4] = *b"QSUM";
const VERSION: i32 = 1;

#[cfg(test)]
mod tests {
    use super::super::log::{LogScan, file_header as log_header, write_record};
    use super::*;

    const LOG: Zxid = Zxid(0x2_0000_0001);

    /// A log of three records with padding, and its sidecar.
    fn pair() -> (Vec<u8>, Vec<u8>) {
        let mut log = log_header().to_vec();
        for n in 1..=3u8 {
            write_record(&[n; 40], &mut log);
        }
        log.resize(log.len() + 200, 0);
        let mut sums = file_header(LOG);
        for (n, record) in LogScan::new(&log, 100).enumerate() {
            let zxid = Zxid(LOG.0 + i64::try_from(n).unwrap());
            SumEntry::of(&record, zxid).write(&mut sums);
        }
        (log, sums)
    }

    fn verdict(log: &[u8], sums: &[u8]) -> LogEnd {
        let len = u64::try_from(log.len()).unwrap();
        Sidecar::new(sums, LOG).unwrap().judge(LogScan::new(log, 100).finish(), len)
    }

    #[test]
    fn entries_come_back_and_fit_the_records() {
        let (log, sums) = pair();
        assert_eq!(sums.len(), HEADER_LEN + 3 * ENTRY_LEN);
        let sidecar = Sidecar::new(&sums, LOG).unwrap();
        for record in LogScan::new(&log, 100) {
            let entry = sidecar.lookup(record.offset).unwrap();
            assert!(entry.matches(record.payload));
            assert!(!entry.matches(&[9; 40]));
            assert_eq!(entry.end(), record.end());
        }
        assert_eq!(sidecar.newest().map(|entry| entry.zxid), Some(Zxid(LOG.0 + 2)));
        assert_eq!(sidecar.lookup(17), None);
        assert!(matches!(verdict(&log, &sums), LogEnd::CleanEnd { .. }));
    }

    #[test]
    fn a_lost_record_is_damage_if_it_was_synced() {
        let (log, sums) = pair();
        let third = 16 + 2 * 53;
        // The last record is broken: torn by itself, damage with the sidecar.
        let mut bad = log.clone();
        bad[third + 20] ^= 1;
        assert!(matches!(verdict(&bad, &sums), LogEnd::Damage { why: Fault::Checksum { .. }, .. }));
        // It is gone altogether.
        bad[third..].fill(0);
        let missing = Fault::Missing(LOG.0 + 2);
        assert!(matches!(verdict(&bad, &sums), LogEnd::Damage { why, .. } if why == missing));
        // The sidecar does not know of it: it may never have been synced.
        let short = &sums[..HEADER_LEN + 2 * ENTRY_LEN];
        assert!(matches!(verdict(&bad, short), LogEnd::CleanEnd { .. }));
        bad[third + 3..third + 20].fill(7);
        bad[third..third + 12].copy_from_slice(&log[third..third + 12]);
        assert!(matches!(verdict(&bad, short), LogEnd::TornTail { .. }));
        // Somebody cut the file at the end of the second record.
        assert!(matches!(verdict(&log[..third], &sums), LogEnd::CleanEnd { .. }));
    }

    #[test]
    fn a_damaged_entry_is_passed_over() {
        let (_, sums) = pair();
        for position in HEADER_LEN + ENTRY_LEN..HEADER_LEN + 2 * ENTRY_LEN - 4 {
            let mut bad = sums.clone();
            bad[position] ^= 0x40;
            let sidecar = Sidecar::new(&bad, LOG).unwrap();
            assert_eq!(sidecar.entries().count(), 2, "byte {position}");
            assert_eq!(sidecar.len_before(u64::MAX), 64);
        }
        let mut padded = sums;
        padded.resize(4096, 0);
        let sidecar = Sidecar::new(&padded, LOG).unwrap();
        assert_eq!(sidecar.entries().count(), 3, "blank entries are none");
        assert_eq!(sidecar.len_before(16 + 2 * 53), 96);
    }

    #[test]
    fn a_foreign_or_damaged_header_is_refused() {
        let (_, sums) = pair();
        assert_eq!(Sidecar::new(&sums, Zxid(1)).err(), Some(SidecarError::OtherLog(LOG)));
        for position in 0..HEADER_LEN {
            let mut bad = sums.clone();
            bad[position] ^= 1;
            assert_eq!(Sidecar::new(&bad, LOG).err(), Some(SidecarError::Header));
        }
        assert_eq!(Sidecar::new(&sums[..20], LOG).err(), Some(SidecarError::Header));
        let mut newer = sums[..28].to_vec();
        newer[7] = 2;
        seal(0, &mut newer);
        assert_eq!(Sidecar::new(&newer, LOG).err(), Some(SidecarError::Version(2)));
    }
}
