//! Reads the records of a log file on a thread of its own, ahead of the one that applies them.
//!
//! Checksums and decoding need no tree: they are nearly half of a replay. The order of the records is kept, and what is wrong
//! with one is said when its turn comes. Used by the replay alone.

use super::error::StorageError;
use quorate_wire::disk::log::RawRecord;
use quorate_wire::disk::sidecar::SumEntry;
use quorate_wire::jute::{Jute, Reader};
use quorate_wire::txn::{TxnHeader, TxnRecord};
use quorate_wire::{DecodeError, Zxid};
use std::io;
use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

/// The intact records of a file; a second thread may ask for them.
pub(super) trait Scan<'a>: Iterator<Item = RawRecord<'a>> + Send {}

impl<'a, T: Iterator<Item = RawRecord<'a>> + Send> Scan<'a> for T {}

/// An intact record, as far as it could be read.
pub(super) struct Read<'a> {
    pub(super) raw: RawRecord<'a>,
    /// Its zxid, and what the sidecar should say of it.
    pub(super) head: Result<(Zxid, SumEntry), DecodeError>,
    /// The whole transaction, unless it is older than asked for.
    pub(super) txn: Option<Result<TxnRecord<'a>, DecodeError>>,
}

impl<'a> Read<'a> {
    fn new(raw: RawRecord<'a>, after: Zxid) -> Self {
        let header: Result<TxnHeader, _> = Reader::new(raw.payload).get();
        let head = header.map(|header| (header.zxid, SumEntry::of(&raw, header.zxid)));
        let wanted = head.as_ref().is_ok_and(|(zxid, _)| *zxid > after);
        Self { raw, head, txn: wanted.then(|| TxnRecord::from_bytes(raw.payload)) }
    }
}

/// Hands every record of `scan`, which reads the file at `path`, to `take`, decoded if it is later than `after`. Ends with the
/// first error of `take`.
pub(super) fn for_each<'a>(
    path: &Path,
    scan: &mut impl Scan<'a>,
    after: Zxid,
    mut take: impl FnMut(Read<'a>) -> Result<(), StorageError>,
) -> Result<(), StorageError> {
    let first = batch(scan, after);
    let mut goes_on = first.goes_on;
    first.records.into_iter().try_for_each(&mut take)?;
    if goes_on && read_ahead(path, scan, after, &mut take)? {
        return Ok(());
    }
    while goes_on {
        let next = batch(scan, after);
        goes_on = next.goes_on;
        next.records.into_iter().try_for_each(&mut take)?;
    }
    Ok(())
}

/// The rest of the file, with a second thread. `false`, and nothing done, when the system has none for us.
fn read_ahead<'a>(
    path: &Path,
    scan: &mut impl Scan<'a>,
    after: Zxid,
    take: &mut impl FnMut(Read<'a>) -> Result<(), StorageError>,
) -> Result<bool, StorageError> {
    thread::scope(|scope| {
        let (batches, inbox) = sync_channel(AHEAD);
        let named = thread::Builder::new().name("quorate-replay".into());
        let read = move || send_batches(scan, after, &batches);
        let Ok(reader) = named.spawn_scoped(scope, read) else { return Ok(false) };
        // An error ends the reader as well, by dropping this end of the channel.
        for batch in inbox {
            batch.records.into_iter().try_for_each(&mut *take)?;
        }
        let crashed = |_| StorageError::io("read", path)(io::Error::other("its thread crashed"));
        reader.join().map(|()| true).map_err(crashed)
    })
}

fn send_batches<'a>(scan: &mut impl Scan<'a>, after: Zxid, batches: &SyncSender<Batch<'a>>) {
    let mut goes_on = true;
    while goes_on {
        let next = batch(scan, after);
        goes_on = next.goes_on;
        if batches.send(next).is_err() {
            return;
        }
    }
}

/// Records that change threads at once.
struct Batch<'a> {
    records: Vec<Read<'a>>,
    /// Whether the file may have more.
    goes_on: bool,
}

fn batch<'a>(scan: &mut impl Scan<'a>, after: Zxid) -> Batch<'a> {
    let (mut records, mut bytes) = (Vec::new(), 0);
    while records.len() < MOST_RECORDS && bytes < MOST_BYTES {
        let Some(raw) = scan.next() else { return Batch { records, goes_on: false } };
        bytes += raw.payload.len();
        records.push(Read::new(raw, after));
    }
    Batch { records, goes_on: true }
}

/// A batch ends with either; a file with less is not worth a thread.
const MOST_RECORDS: usize = 256;
const MOST_BYTES: usize = 64 << 10;
/// Batches that may wait.
const AHEAD: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_wire::disk::log::{LogEnd, LogScan, file_header, write_record};
    use quorate_wire::txn::Txn;

    fn log(records: i64) -> Vec<u8> {
        let mut bytes = file_header().to_vec();
        for zxid in (1..=records).map(Zxid) {
            let header = TxnHeader { client_id: 7, cxid: 0, zxid, time: 0, kind: -10 };
            let record = TxnRecord { header, txn: Txn::CreateSession(1000), digest: None };
            write_record(&record.to_bytes(), &mut bytes);
        }
        bytes
    }

    #[test]
    fn every_record_arrives_in_order_whatever_the_number_of_batches() {
        for records in [0, 1, 255, 256, 257, 512, 5000] {
            let bytes = log(records);
            let mut scan = LogScan::new(&bytes, 1000);
            let mut zxids = Vec::new();
            for_each(Path::new("log"), &mut scan, Zxid(3), |read| {
                let zxid = read.head.unwrap().0;
                assert_eq!(
                    read.txn.map(|txn| txn.unwrap().header.zxid),
                    (zxid > Zxid(3)).then_some(zxid)
                );
                zxids.push(zxid.0);
                Ok(())
            })
            .unwrap();
            assert_eq!(zxids, (1..=records).collect::<Vec<_>>());
            let offset = u64::try_from(bytes.len()).unwrap();
            assert_eq!(scan.finish(), LogEnd::CleanEnd { offset });
        }
    }

    #[test]
    fn the_first_error_ends_both_threads() {
        let bytes = log(20_000);
        for last in [1, 300, 19_999] {
            let mut scan = LogScan::new(&bytes, 1000);
            let mut taken = 0;
            let result = for_each(Path::new("log"), &mut scan, Zxid(0), |_| {
                taken += 1;
                if taken < last { Ok(()) } else { Err(StorageError::Missing("log".into())) }
            });
            assert!(result.is_err());
            assert_eq!(taken, last);
        }
    }

    /// What a thread that crashes had not read must not pass for the end of the file.
    #[test]
    fn a_crash_of_the_second_thread_is_an_error() {
        let bytes = log(2000);
        for crash in [300, 1999] {
            let mut left = crash;
            let mut scan = LogScan::new(&bytes, 1000).inspect(|_| {
                assert!(left > 0, "on purpose");
                left -= 1;
            });
            let mut taken = 0;
            let result = for_each(Path::new("the-log"), &mut scan, Zxid(0), |_| {
                taken += 1;
                Ok(())
            });
            let error = result.unwrap_err().to_string();
            assert!(error.contains("the-log") && error.contains("crashed"), "{error}");
            assert!(taken < 2000, "{taken}");
        }
    }
}
