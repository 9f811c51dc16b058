//! Every record and node of a data directory that Apache wrote is read as an independent decoder read it, and
//! written back to the same bytes, compressed snapshots included.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the helpers of a test fail as the test does"
)]

use quorate_tests::vectors::{self, data_file, describe};
use quorate_wire::StatPersisted;
use quorate_wire::Zxid;
use quorate_wire::disk::log::{DEFAULT_MAX_PAYLOAD, LogEnd, LogScan, file_header, write_record};
use quorate_wire::disk::names::{Compression, FileName};
use quorate_wire::disk::snapshot::{self, AclEntry, Sealer, SnapshotReader};
use quorate_wire::disk::{epoch, snappy_frame};
use quorate_wire::jute::Jute;
use quorate_wire::txn::TxnRecord;
use serde_json::{Map, Value, json};
use std::io::Read;

#[test]
fn every_log_record_is_read_and_written_back() {
    let mut records = 0;
    for (name, expected) in vectors::decoded()["logs"].as_object().unwrap() {
        let file = data_file(&format!("version-2/{name}"));
        let mut again = file_header().to_vec();
        let mut scan = LogScan::new(&file, DEFAULT_MAX_PAYLOAD);
        for wanted in expected["records"].as_array().unwrap() {
            let raw = scan.next().unwrap();
            let record = TxnRecord::from_bytes(raw.payload).unwrap();
            assert_eq!(&describe(raw.offset, raw.payload, &record), wanted);
            write_record(&record.to_bytes(), &mut again);
            records += 1;
        }
        assert_eq!(scan.next(), None);
        let end = expected["end_of_records"].as_u64().unwrap();
        assert_eq!(scan.finish(), LogEnd::CleanEnd { offset: end });
        assert!(file.starts_with(&again) && file[again.len()..].iter().all(|&b| b == 0));
        let first = expected["records"][0]["zxid"].as_str().unwrap();
        let zxid = i64::from_str_radix(first.trim_start_matches("0x"), 16).unwrap();
        assert_eq!(FileName::parse(name), Some(FileName::Log(Zxid(zxid))));
    }
    assert_eq!(records, 63);
}

#[test]
fn every_snapshot_is_read_and_written_back() {
    for (name, expected) in vectors::decoded()["snapshots"].as_object().unwrap() {
        let file = data_file(&format!("version-2/{name}"));
        assert_snapshot_round_trip(&file);
        let mut reader = SnapshotReader::new(&file).unwrap();
        let sessions: Map<_, _> =
            reader.sessions().iter().map(|s| (describe::hex(s.id), json!(s.timeout))).collect();
        assert_eq!(Value::Object(sessions), expected["sessions"]);
        let acls: Map<_, _> =
            reader.acls().iter().map(|e| (e.id.to_string(), describe::acl(&e.acl))).collect();
        assert_eq!(Value::Object(acls), expected["acls"]);
        let mut nodes = Vec::new();
        while let Some(node) = reader.next_node().unwrap() {
            nodes.push(json!({
                "path": node.path,
                "data_hex": node.data.map(describe::bytes),
                "acl": node.acl,
                "stat": stat_json(&node.stat),
            }));
        }
        assert_eq!(Value::Array(nodes), expected["nodes"]);
        let digest = reader.finish().unwrap().digest.unwrap();
        let digest = json!({
            "zxid": describe::hex(digest.zxid.0),
            "digestVersion": digest.version,
            "digest": format!("{:#x}", digest.tree),
        });
        assert_eq!(digest, expected["zxidDigest"]);
    }
}

#[test]
fn compressed_snapshots_hold_what_the_plain_ones_do() {
    let gzip = data_file("compressed/snapshot.200000011.gz");
    let snappy = data_file("compressed/snapshot.200000011.snappy");
    assert!(is_complete(Compression::Gzip, &gzip));
    assert!(is_complete(Compression::Snappy, &snappy));
    let mut from_gzip = Vec::new();
    flate2::read::GzDecoder::new(&gzip[..]).read_to_end(&mut from_gzip).unwrap();
    let mut from_snappy = Vec::new();
    let mut header_and_chunks = Vec::new();
    snappy_frame::write_header(&mut header_and_chunks);
    for block in snappy_frame::Chunks::new(&snappy).unwrap() {
        let block = block.unwrap();
        snappy_frame::write_chunk(block, &mut header_and_chunks);
        let input = snap::raw::Decoder::new().decompress_vec(block).unwrap();
        assert!(input.len() <= snappy_frame::MAX_BLOCK_INPUT);
        from_snappy.extend_from_slice(&input);
    }
    assert_eq!(header_and_chunks, snappy);
    for plain in [&from_gzip, &from_snappy] {
        assert!(is_complete(Compression::Plain, plain));
        assert_snapshot_round_trip(plain);
    }
    assert_eq!(from_gzip.len(), from_snappy.len(), "only the order of nodes may differ");
}

#[test]
fn small_files_are_numbers_and_every_name_is_known() {
    assert_eq!(epoch::parse(&data_file("version-2/acceptedEpoch")), Ok(2));
    assert_eq!(epoch::parse(&data_file("version-2/currentEpoch")), Ok(2));
    assert_eq!(epoch::parse(&data_file("myid")), Ok(3));
    assert_eq!(epoch::format(2).as_bytes(), data_file("version-2/currentEpoch"));
    for path in vectors::data_files() {
        let (directory, name) = path.rsplit_once('/').unwrap_or(("", &path));
        let known = FileName::parse(name).map(|file| file.to_string());
        assert_eq!(known.as_deref(), (!directory.is_empty()).then_some(name));
    }
}

fn assert_snapshot_round_trip(file: &[u8]) {
    let mut reader = SnapshotReader::new(file).unwrap();
    let mut again = Vec::new();
    snapshot::write_header(snapshot::APACHE_DBID, &mut again);
    snapshot::write_sessions(reader.sessions().iter().copied(), &mut again);
    let acls: Vec<AclEntry<'_>> = reader.acls().to_vec();
    snapshot::write_acls(acls.iter().map(|entry| (entry.id, &entry.acl[..])), &mut again);
    while let Some(node) = reader.next_node().unwrap() {
        snapshot::write_node(&node.path, node.data, node.acl, &node.stat, &mut again);
    }
    let mut sealer = Sealer::new();
    sealer.absorb(&again);
    sealer.finish(&reader.finish().unwrap(), &mut again);
    assert!(again == file, "the snapshot of {} bytes comes out otherwise", file.len());
}

fn is_complete(compression: Compression, file: &[u8]) -> bool {
    let len = u64::try_from(file.len()).unwrap();
    snapshot::is_complete(compression, len, &file[..8], &file[file.len() - 5..])
}

/// The record as the independent decoder describes it.
fn describe(offset: u64, payload: &[u8], record: &TxnRecord<'_>) -> Value {
    let mut value = describe::record(record);
    value["offset"] = json!(offset);
    value["crc"] = json!(simd_adler32::adler32(&payload));
    value["length"] = json!(payload.len());
    value
}

fn stat_json(stat: &StatPersisted) -> Value {
    json!({
        "czxid": stat.czxid, "mzxid": stat.mzxid, "ctime": stat.ctime, "mtime": stat.mtime,
        "version": stat.version, "cversion": stat.cversion, "aversion": stat.aversion,
        "ephemeralOwner": stat.ephemeral_owner, "pzxid": stat.pzxid,
    })
}
