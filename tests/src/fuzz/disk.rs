//! Files of a data directory: transactions, logs, snapshots, snappy frames and sidecars.

use quorate_wire::Zxid;
use quorate_wire::disk::log::{LogEnd, LogScan, RawRecord, file_header, write_record};
use quorate_wire::disk::sidecar::{self, Sidecar};
use quorate_wire::disk::snappy_frame::{self, Chunks};
use quorate_wire::disk::snapshot::{
    self, AclEntry, Sealer, SessionEntry, SnapshotDigest, SnapshotReader, Trailer,
};
use quorate_wire::jute::{Jute, Reader};
use quorate_wire::txn::TxnRecord;

/// The payload of a log record or proposal.
pub fn txn(data: &[u8]) {
    let mut reader = Reader::new(data);
    let Ok(record) = reader.get::<TxnRecord<'_>>() else { return };
    let bytes = record.to_bytes();
    let mut again = Reader::new(&bytes);
    assert_eq!(again.get::<TxnRecord<'_>>().as_ref(), Ok(&record));
    assert!(again.rest().is_empty());
}

/// A log file: records lie end to end, and a file that is cut where it is said to end is clean and holds the same.
pub fn log(data: &[u8]) {
    let (records, end) = scan(data);
    let mut at = 16;
    for record in &records {
        assert_eq!(record.offset, at);
        at = record.end();
    }
    let len = u64::try_from(data.len()).unwrap_or(u64::MAX);
    assert!(end.offset() <= len);
    if let LogEnd::Damage { offset, next_valid: Some(next), .. } = end {
        assert!(next >= offset && next < len);
    }
    if end.offset() == 0 {
        assert!(records.is_empty());
        return;
    }
    assert_eq!(end.offset(), at);
    let cut = usize::try_from(at).ok().and_then(|at| data.get(..at)).unwrap_or_default();
    assert_eq!(scan(cut), (records.clone(), LogEnd::CleanEnd { offset: at }));
    let mut again = file_header().to_vec();
    records.iter().for_each(|record| write_record(record.payload, &mut again));
    assert_eq!(scan(&again), (records, LogEnd::CleanEnd { offset: at }));
}

fn scan(file: &[u8]) -> (Vec<RawRecord<'_>>, LogEnd) {
    let mut scan = LogScan::new(file, MAX_PAYLOAD);
    let records = scan.by_ref().collect();
    (records, scan.finish())
}

/// A snapshot, as it is and with proper seals in place of whatever follows the nodes.
pub fn snapshot(data: &[u8]) {
    snapshot_file(data);
    let Ok(mut reader) = SnapshotReader::new(data) else { return };
    let mut body = Vec::new();
    write_tables(&reader, &mut body);
    while let Ok(Some(node)) = reader.next_node() {
        snapshot::write_node(&node.path, node.data, node.acl, &node.stat, &mut body);
    }
    let mut sealer = Sealer::new();
    sealer.absorb(&body);
    let choice = data.last().copied().unwrap_or_default();
    let digest = SnapshotDigest { zxid: Zxid(7), version: i32::from(choice % 4), tree: 0xFEED };
    let trailer = Trailer {
        digest: (choice & 0x10 != 0).then_some(digest),
        last_processed: (choice & 0x20 != 0).then_some(Zxid(9)),
    };
    sealer.finish(&trailer, &mut body);
    let read = SnapshotReader::new(&body).and_then(SnapshotReader::finish);
    assert_eq!(read, Ok(trailer));
    snapshot_file(&body);
}

fn snapshot_file(data: &[u8]) {
    let Ok(mut reader) = SnapshotReader::new(data) else { return };
    let mut again = Vec::new();
    write_tables(&reader, &mut again);
    while let Ok(Some(node)) = reader.next_node() {
        snapshot::write_node(&node.path, node.data, node.acl, &node.stat, &mut again);
    }
    // Seals vouch for every byte, so the same bytes must come out.
    if let Ok(trailer) = reader.finish() {
        let mut sealer = Sealer::new();
        sealer.absorb(&again);
        sealer.finish(&trailer, &mut again);
        let read = SnapshotReader::new(&again).and_then(SnapshotReader::finish);
        assert_eq!(read, Ok(trailer));
    }
}

fn write_tables(reader: &SnapshotReader<'_>, out: &mut Vec<u8>) {
    let sessions: &[SessionEntry] = reader.sessions();
    let acls: &[AclEntry<'_>] = reader.acls();
    snapshot::write_header(snapshot::APACHE_DBID, out);
    snapshot::write_sessions(sessions.iter().copied(), out);
    snapshot::write_acls(acls.iter().map(|entry| (entry.id, &entry.acl[..])), out);
}

/// The framing of a snappy snapshot; the blocks are given back as they are.
pub fn snappy(data: &[u8]) {
    let Ok(chunks) = Chunks::new(data) else { return };
    let blocks: Result<Vec<_>, _> = chunks.collect();
    let Ok(blocks) = blocks else { return };
    let mut again = Vec::new();
    snappy_frame::write_header(&mut again);
    blocks.iter().for_each(|block| snappy_frame::write_chunk(block, &mut again));
    let read: Result<Vec<_>, _> = Chunks::new(&again).and_then(Iterator::collect);
    assert_eq!(read.as_ref(), Ok(&blocks));
}

/// A sidecar: entries come back as they were, and no verdict becomes better by it.
pub fn sidecar(data: &[u8]) {
    let Ok(sidecar) = Sidecar::new(data, CORPUS_LOG) else { return };
    let entries: Vec<_> = sidecar.entries().collect();
    let mut again = sidecar::file_header(CORPUS_LOG);
    entries.iter().for_each(|entry| entry.write(&mut again));
    let read = Sidecar::new(&again, CORPUS_LOG).map(|s| s.entries().collect::<Vec<_>>());
    assert_eq!(read.as_ref(), Ok(&entries));
    assert!(sidecar.len_before(u64::MAX) <= u64::try_from(data.len()).unwrap_or(u64::MAX));
    for entry in entries.into_iter().take(4) {
        let clean = LogEnd::CleanEnd { offset: entry.offset };
        let judged = sidecar.judge(clean, entry.offset.saturating_add(1));
        assert!(matches!(judged, LogEnd::Damage { .. }) || entry.end() <= entry.offset);
    }
}

/// The log that the sidecars of the corpus belong to.
pub(super) const CORPUS_LOG: Zxid = Zxid(0x1_0000_0001);
/// Small, so that lengths above the limit are common.
const MAX_PAYLOAD: usize = 1 << 16;
