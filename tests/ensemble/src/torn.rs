//! The end of a log file as a power failure leaves it: whole records, and what there is of the next one. The product's reader says where it ends.

use quorate_engine::zab::Entry;
use quorate_tests_kit::random::Random;
use quorate_wire::disk::log::{
    DEFAULT_MAX_PAYLOAD, LogEnd, LogScan, RECORD_OVERHEAD, file_header, write_record,
};

/// What is read of a record of which something has reached the device, behind these.
///
/// # Panics
/// If the reader does not find exactly the whole records, or refuses what an interrupted write explains.
#[must_use]
pub fn read_torn(before: &[Entry], torn: &Entry, random: &mut Random) -> Torn {
    let mut file = file_header().to_vec();
    for entry in before {
        write_record(entry.payload(), &mut file);
    }
    let start = file.len();
    let mut record = Vec::new();
    write_record(torn.payload(), &mut record);
    let remains = tear(&record, random);
    file.extend_from_slice(&remains);
    let mut scan = LogScan::new(&file, DEFAULT_MAX_PAYLOAD);
    let read: Vec<Vec<u8>> = scan.by_ref().map(|raw| raw.payload.to_vec()).collect();
    let whole = read.get(..before.len()).unwrap_or_default();
    let same = whole.iter().map(Vec::as_slice).eq(before.iter().map(Entry::payload));
    assert!(same, "{} records are read of {}", read.len(), before.len());
    let end = scan.finish();
    if remains.starts_with(&record) {
        assert!(read.len() == before.len() + 1, "a whole record is not read: {end:?}");
        return Torn::Whole;
    }
    assert!(read.len() == before.len(), "a torn record is read: {end:?}");
    let clean = !matches!(end, LogEnd::Damage { .. });
    assert!(clean && end.offset() == u64::try_from(start).unwrap_or(0), "a torn record: {end:?}");
    // What is there if nobody compares checksums: the length is before the payload.
    let payload = remains.get(RECORD_OVERHEAD - 1..).filter(|payload| !payload.is_empty());
    payload.map_or(Torn::Gone, |payload| {
        let mut payload = payload.to_vec();
        payload.resize(torn.payload().len(), 0);
        Torn::Broken(Entry::from_payload(torn.zxid(), &payload))
    })
}

/// What is left of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Torn {
    /// All of it, by chance.
    Whole,
    /// Nothing that tells its length.
    Gone,
    /// This would be read if its checksum did not matter.
    Broken(Entry),
}

/// Some of a record: its beginning, at the end of the file or before what was reserved; or all of it but for some bytes.
fn tear(record: &[u8], random: &mut Random) -> Vec<u8> {
    let mut remains = record.to_vec();
    let at = random.index(record.len());
    if random.chance(300) {
        remains.truncate(at);
    } else if random.chance(500) {
        remains.get_mut(at..).unwrap_or_default().fill(0);
        remains.resize(record.len() + RESERVED, 0);
    } else {
        let from = at.max(RECORD_OVERHEAD - 1);
        let some = random.index(record.len() - from) + 1;
        remains.iter_mut().skip(from).take(some).for_each(|byte| *byte = 0);
        remains.resize(record.len() + RESERVED, 0);
    }
    remains
}

/// Bytes that a file is longer than its records.
const RESERVED: usize = 64;
