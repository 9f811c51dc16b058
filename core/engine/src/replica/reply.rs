//! Bodies of replies to writes. Source: `FinalRequestProcessor#processRequest`.

use crate::tree::Outcome;
use quorate_wire::jute::write_str;
use quorate_wire::op::multi::MultiHeader;
use quorate_wire::txn::{Txn, TxnRecord};
use quorate_wire::{Jute, OpCode};

/// The error in the reply's header. A failed multi is told in its body instead.
pub(super) const fn error_of(txn: &Txn<'_>) -> i32 {
    match txn {
        Txn::Error(code) => *code,
        _ => 0,
    }
}

/// Appends the reply's body. `create2_parts` are the parts of a multi that were create2.
pub(super) fn write_body(
    op: OpCode,
    record: &TxnRecord<'_>,
    outcome: &Outcome,
    create2_parts: &[usize],
    out: &mut Vec<u8>,
) {
    match (&record.txn, outcome) {
        (Txn::Reconfig(body), Outcome::Node(stat)) => {
            body.data.write(out);
            stat.write(out);
        }
        (Txn::Create(body), _) if op == OpCode::Create => write_str(&body.path, out),
        (Txn::Multi(multi), Outcome::Multi(outcomes)) => {
            for (n, (part, outcome)) in multi.parts.iter().zip(outcomes).enumerate() {
                write_part(&part.txn, outcome, create2_parts.binary_search(&n).is_ok(), out);
            }
            MultiHeader::END.write(out);
        }
        (txn, Outcome::Node(stat)) => {
            if let Some(path) = created(txn) {
                write_str(path, out);
            }
            stat.write(out);
        }
        _ => {}
    }
}

fn write_part(txn: &Txn<'_>, outcome: &Outcome, was_create2: bool, out: &mut Vec<u8>) {
    let header = |op: OpCode| MultiHeader { op: op.code(), done: false, err: 0 };
    match (txn, outcome) {
        (_, Outcome::Error(code)) => {
            MultiHeader { op: -1, done: false, err: *code }.write(out);
            code.write(out);
        }
        (Txn::Create(body), _) if !was_create2 => {
            header(OpCode::Create).write(out);
            write_str(&body.path, out);
        }
        (Txn::SetData(_), Outcome::Node(stat)) => {
            header(OpCode::SetData).write(out);
            stat.write(out);
        }
        (Txn::Delete(_), _) => header(OpCode::Delete).write(out),
        (Txn::Check(..), _) => header(OpCode::Check).write(out),
        (txn, Outcome::Node(stat)) => {
            // create2, createContainer and createTTL all come back as create2.
            header(OpCode::Create2).write(out);
            write_str(created(txn).unwrap_or_default(), out);
            stat.write(out);
        }
        _ => {}
    }
}

fn created<'a>(txn: &'a Txn<'_>) -> Option<&'a str> {
    match txn {
        Txn::Create(body) | Txn::Create2(body) => Some(&body.path),
        Txn::CreateContainer(body) => Some(&body.path),
        Txn::CreateTtl(body) => Some(&body.path),
        _ => None,
    }
}
