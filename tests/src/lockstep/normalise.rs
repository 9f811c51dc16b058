//! What a client saw, with everything replaced that two equal servers may choose differently.
//!
//! zxids count from the start of the sequence, sessions go by the order of their creation, unordered lists are
//! sorted. A time is checked against what else is known (one transaction has one time, and it is now)
//! and becomes 0 if it fits. Everything else stays as it is.

use super::side::{Item, Side};
use crate::messages::{Reply, ReplyBody};
use quorate_wire::frame::RequestHeader;
use quorate_wire::jute::Jute;
use quorate_wire::op::connect::ConnectResponse;
use quorate_wire::op::multi_result::MultiResult;
use quorate_wire::{Acl, OpCode, Stat};
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

/// An observation that can be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Normal<'a> {
    /// A reply, with the payload of its request and the bytes behind the record.
    Reply(&'a [u8], Reply<'a>, &'a [u8]),
    /// A notification.
    Event(Reply<'a>),
    /// A frame that is no record of the protocol.
    Strange(&'a [u8]),
    /// Anything else.
    Other(&'a Item),
}

/// Normalises what one client saw on one side.
pub(super) fn normalise<'a>(side: &mut Side, item: &'a Item) -> Normal<'a> {
    match item {
        Item::Reply(request, payload) => {
            let op = RequestHeader::from_bytes(request).ok().and_then(|h| OpCode::from_code(h.op));
            match Reply::read(op, payload) {
                Ok((mut reply, rest)) => {
                    normalise_reply(side, &mut reply);
                    Normal::Reply(request, reply, rest)
                }
                Err(_) => Normal::Strange(payload),
            }
        }
        Item::Event(payload) => match Reply::read(None, payload) {
            Ok((mut reply, [])) => {
                reply.header.zxid = relative(side.base, reply.header.zxid);
                Normal::Event(reply)
            }
            _ => Normal::Strange(payload),
        },
        other => Normal::Other(other),
    }
}

/// Bytes in hex, long ones abridged.
#[must_use]
pub(super) fn hex(bytes: &[u8]) -> String {
    let shown = bytes.get(..bytes.len().min(64)).unwrap_or_default();
    let mut text: String = shown.iter().map(|b| format!("{b:02x}")).collect();
    if shown.len() < bytes.len() {
        text.push_str(&format!("... ({} bytes)", bytes.len()));
    }
    text
}

fn normalise_reply(side: &mut Side, reply: &mut Reply<'_>) {
    reply.header.zxid = relative(side.base, reply.header.zxid);
    match &mut reply.body {
        ReplyBody::Stat(stat) => normalise_stat(side, stat),
        ReplyBody::Create2(r) => normalise_stat(side, &mut r.stat),
        ReplyBody::GetData(r) => normalise_stat(side, &mut r.stat),
        ReplyBody::GetAcl(r) => {
            normalise_stat(side, &mut r.stat);
            sort_runs(&mut r.acl);
        }
        ReplyBody::GetChildren(r) => r.children.sort(),
        ReplyBody::GetChildren2(r) => {
            normalise_stat(side, &mut r.stat);
            r.children.sort();
        }
        ReplyBody::GetEphemerals(r) => r.paths.sort(),
        ReplyBody::WhoAmI(r) => {
            r.clients.sort_by(|a, b| (&a.scheme, &a.user).cmp(&(&b.scheme, &b.user)));
        }
        ReplyBody::Multi(r) => r.results.iter_mut().for_each(|r| normalise_result(side, r)),
        _ => {}
    }
}

fn normalise_result(side: &mut Side, result: &mut MultiResult<'_>) {
    match result {
        MultiResult::Create2(r) => normalise_stat(side, &mut r.stat),
        MultiResult::SetData(stat) => normalise_stat(side, stat),
        MultiResult::GetData(r) => normalise_stat(side, &mut r.stat),
        MultiResult::GetChildren(r) => r.children.sort(),
        _ => {}
    }
}

fn normalise_stat(side: &mut Side, stat: &mut Stat) {
    stat.ctime = checked_time(side, stat.czxid, stat.ctime);
    stat.mtime = checked_time(side, stat.mzxid, stat.mtime);
    for zxid in [&mut stat.czxid, &mut stat.mzxid, &mut stat.pzxid] {
        *zxid = relative(side.base, *zxid);
    }
    let owner = side.sessions.iter().position(|s| s.id == stat.ephemeral_owner);
    if let Some(number) = owner.and_then(|n| i64::try_from(n).ok()) {
        stat.ephemeral_owner = number + 1;
    }
}

/// 0 if the time fits the transaction; else how far it is off, ms.
fn checked_time(side: &mut Side, zxid: i64, time: i64) -> i64 {
    if zxid == 0 {
        return time;
    }
    let known = *side.times.entry(zxid).or_insert(time);
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|d| i64::try_from(d.as_millis()).ok())
        .unwrap_or_default();
    let age = now - time;
    if known != time {
        time - known
    } else if (-CLOCK_SLACK..LONGEST_RUN).contains(&age) {
        0
    } else {
        age
    }
}

/// 0 and -1 mean what they say; anything else counts from the start of the sequence.
const fn relative(base: i64, zxid: i64) -> i64 {
    if zxid <= 0 { zxid } else { zxid - base + ORIGIN }
}

/// Entries that `auth` became come in the hash order of the identities; all others keep their order.
fn sort_runs(acl: &mut [Acl<'_>]) {
    let alike = |a: &Acl<'_>, b: &Acl<'_>| a.perms == b.perms && a.id.scheme == b.id.scheme;
    for run in acl.chunk_by_mut(alike) {
        run.sort_by(|a, b| a.id.id.cmp(&b.id.id));
    }
}

impl fmt::Display for Normal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reply(request, reply, rest) => {
                let op = RequestHeader::from_bytes(request).map_or(0, |h| h.op);
                let name = OpCode::from_code(op).map_or("unknown", OpCode::name);
                let h = reply.header;
                write!(f, "{name}: xid {} zxid {} err {}", h.xid, h.zxid, h.err)?;
                if reply.body != ReplyBody::Empty {
                    write!(f, " {:?}", reply.body)?;
                }
                if !rest.is_empty() {
                    write!(f, " and {}", hex(rest))?;
                }
                Ok(())
            }
            Self::Event(reply) => write!(f, "event zxid {} {:?}", reply.header.zxid, reply.body),
            Self::Strange(bytes) => write!(f, "not decodable: {}", hex(bytes)),
            Self::Other(Item::Refused(bytes)) => match ConnectResponse::from_bytes(bytes) {
                Ok(response) => write!(f, "refused: {response:?}"),
                Err(_) => write!(f, "refused: {}", hex(bytes)),
            },
            Self::Other(item) => write!(f, "{item:?}"),
        }
    }
}

/// zxid 0 of a sequence is shown as this, apart from the special values.
const ORIGIN: i64 = 1000;
/// How far a server's clock may be ahead, ms.
const CLOCK_SLACK: i64 = 50;
/// How old a transaction can be, ms.
const LONGEST_RUN: i64 = 7 * 24 * 3_600_000;
