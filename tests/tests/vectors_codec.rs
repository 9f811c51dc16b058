//! Every golden message, log record and snapshot is read into typed values and written back to the same bytes.
//!
//! The exceptions are listed with their reason; an exception that no longer is one fails as well.
//! That a *server* answers as recorded is tested by `vectors_replay.rs`.

#![expect(clippy::indexing_slicing, reason = "the helpers of a test fail as the test does")]

use quorate_tests::messages::{Reply, Request};
use quorate_tests::vectors;
use quorate_wire::OpCode;
use quorate_wire::frame::{ReplyHeader, RequestHeader, Split, split};
use quorate_wire::jute::Jute;
use quorate_wire::op::connect::{ConnectRequest, ConnectResponse};
use std::collections::{BTreeMap, BTreeSet};

/// Requests that do not come back as they were, and how they are read.
const ODD_REQUESTS: &[(&str, &str)] = &[
    // Refused by the decoder; a server answers -5.
    ("create null path", "a string is null"),
    ("getData null path", "a string is null"),
    ("truncated request body", "the record ends early: 20 more bytes are needed, 2 are left"),
    ("empty request body", "the record ends early: 4 more bytes are needed, 0 are left"),
    ("multi mixing read and write", "13 is not a known part beside the others"),
    ("multi with unsupported op", "3 is not a known part of a multi"),
    ("multi bad create flags", "9 is not a known create flag"),
    ("nested multi", "14 is not a known part of a multi"),
    ("setWatches2 truncated", "the record ends early: 4 more bytes are needed, 0 are left"),
    // No such operation; a server answers -6 and closes.
    ("unknown opcode 999", "999 is not a known opcode"),
    ("opcode 10", "10 is not a known opcode"),
    // Read, but written back otherwise.
    ("create null acl", "other bytes"), // null reads as an empty list
    ("create invalid utf8", "other bytes"), // U+FFFD for each malformed byte
    ("createSession opcode from a client", "4 bytes follow"), // no body is known for it
    ("request with trailing junk", "4 bytes follow"),
    // Not a frame: a server closes.
    ("negative frame length", "illegal length -16"),
    ("frame length 0x100000 (> jute.maxbuffer 0xfffff)", "illegal length 1048576"),
    ("word after the handshake", "illegal length 1920298859"),
    ("zero-length frame", "the record ends early: 4 more bytes are needed, 0 are left"),
    ("request of 4 bytes", "the record ends early: 4 more bytes are needed, 0 are left"),
];

/// Replies that do not come back as they were, and how they are read.
const ODD_REPLIES: &[(&str, &str)] = &[
    // 3.8.0 answers this with a second handshake.
    ("createSession opcode from a client", "not a reply"),
];

#[test]
fn every_golden_request_is_read_and_written_back() {
    let mut odd = Vec::new();
    for exchange in vectors::exchanges() {
        let mut handshake =
            exchange.name.contains("connect") || exchange.name.contains("handshake");
        let mut rest = &exchange.request[..];
        while !rest.is_empty() {
            let read = match split(rest, quorate_wire::frame::DEFAULT_MAX_FRAME) {
                Split::Frame { payload, consumed } => {
                    rest = &rest[consumed..];
                    request_again(payload, handshake)
                }
                Split::Illegal(length) => {
                    rest = &[];
                    Err(format!("illegal length {length}"))
                }
                Split::Incomplete(_) => panic!("{}: half a frame", exchange.name),
            };
            handshake = false;
            if let Err(how) = read {
                odd.push((exchange.name.clone(), how));
            }
        }
    }
    assert_same_table(&odd, ODD_REQUESTS);
}

#[test]
fn every_golden_reply_is_read_and_written_back() {
    let mut odd = Vec::new();
    let mut frames = 0;
    for exchange in vectors::exchanges() {
        let ops = opcodes(&exchange);
        let mut handshake =
            exchange.name.contains("connect") || exchange.name.contains("handshake");
        let pushed = exchange.pushed_before.iter().map(Vec::as_slice);
        for bytes in pushed.chain(exchange.response.as_deref()) {
            let mut rest = bytes;
            while let Split::Frame { payload, consumed } = split(rest, usize::MAX) {
                rest = &rest[consumed..];
                frames += 1;
                if let Err(how) = reply_again(payload, handshake, &ops) {
                    odd.push((exchange.name.clone(), how));
                }
                handshake = false;
            }
            assert!(rest.is_empty(), "{}: half a frame", exchange.name);
        }
    }
    assert!(frames > 300, "only {frames} frames were looked at");
    assert_same_table(&odd, ODD_REPLIES);
}

#[test]
fn every_operation_occurs_among_the_vectors() {
    let seen: BTreeSet<OpCode> =
        vectors::exchanges().iter().flat_map(|e| opcodes(e).into_values()).collect();
    let missing: Vec<_> = OpCode::ALL.iter().filter(|op| !seen.contains(op)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// The opcodes of an exchange's requests by xid.
fn opcodes(exchange: &vectors::Exchange) -> BTreeMap<i32, OpCode> {
    let mut ops = BTreeMap::new();
    let mut rest = &exchange.request[..];
    while let Split::Frame { payload, consumed } = split(rest, usize::MAX) {
        rest = &rest[consumed..];
        if let Ok(header) = RequestHeader::from_bytes(payload)
            && let Some(op) = OpCode::from_code(header.op)
        {
            ops.insert(header.xid, op);
        }
    }
    ops
}

fn request_again(payload: &[u8], handshake: bool) -> Result<(), String> {
    let (again, left) = if handshake {
        let request = ConnectRequest::from_bytes(payload).map_err(|e| e.to_string())?;
        (request.to_bytes(), 0)
    } else {
        let (request, rest) = Request::read(payload).map_err(|e| e.to_string())?;
        (request.to_bytes(), rest.len())
    };
    compare(payload, &again, left)
}

fn reply_again(payload: &[u8], handshake: bool, ops: &BTreeMap<i32, OpCode>) -> Result<(), String> {
    if handshake {
        let reply = ConnectResponse::from_bytes(payload).map_err(|e| e.to_string())?;
        return compare(payload, &reply.to_bytes(), 0);
    }
    let header = ReplyHeader::from_bytes(payload).map_err(|e| e.to_string())?;
    let (reply, rest) =
        Reply::read(ops.get(&header.xid).copied(), payload).map_err(|e| e.to_string())?;
    compare(payload, &reply.to_bytes(), rest.len()).map_err(|_| "not a reply".to_owned())
}

fn compare(payload: &[u8], again: &[u8], left: usize) -> Result<(), String> {
    let read = &payload[..payload.len() - left];
    if read != again {
        return Err("other bytes".to_owned());
    }
    if left > 0 {
        return Err(format!("{left} bytes follow"));
    }
    Ok(())
}

#[track_caller]
fn assert_same_table(found: &[(String, String)], table: &[(&str, &str)]) {
    let found: BTreeSet<_> =
        found.iter().map(|(name, how)| (name.as_str(), how.as_str())).collect();
    let table: BTreeSet<_> = table.iter().copied().collect();
    let unexpected: Vec<_> = found.difference(&table).collect();
    let gone: Vec<_> = table.difference(&found).collect();
    assert!(
        unexpected.is_empty() && gone.is_empty(),
        "unexpected: {unexpected:#?}\ngone: {gone:#?}"
    );
}
