//! Values as the independent decoders of the golden vectors show them.

use quorate_wire::txn::{Txn, TxnRecord};
use quorate_wire::{Acl, OpCode};
use serde_json::{Value, json};

/// A transaction, as payload of a log record or of a proposal.
#[must_use]
pub fn record(record: &TxnRecord<'_>) -> Value {
    let header = record.header;
    let mut value = json!({
        "clientId": hex(header.client_id),
        "cxid": header.cxid,
        "zxid": hex(header.zxid.0),
        "time": header.time,
        "type": header.kind,
        "name": txn_name(header.kind),
        "txn": body(&record.txn),
    });
    if let (Some(digest), Some(fields)) = (record.digest, value.as_object_mut()) {
        let digest =
            json!({ "version": digest.version, "treeDigest": format!("{:#x}", digest.tree) });
        fields.insert("digest".to_owned(), digest);
    }
    value
}

fn body(txn: &Txn<'_>) -> Value {
    match txn {
        Txn::CreateSession(timeout) => json!({ "timeOut": timeout }),
        Txn::CloseSession(paths) => json!({ "paths2Delete": paths }),
        Txn::Error(code) => json!({ "err": code }),
        Txn::Create(body) | Txn::Create2(body) => json!({
            "path": body.path, "data": text(body.data), "acl": acl(&body.acl),
            "ephemeral": body.ephemeral, "parentCVersion": body.parent_cversion,
        }),
        Txn::CreateContainer(body) => json!({
            "path": body.path, "data": text(body.data), "acl": acl(&body.acl),
            "parentCVersion": body.parent_cversion,
        }),
        Txn::CreateTtl(body) => json!({
            "path": body.path, "data": text(body.data), "acl": acl(&body.acl),
            "parentCVersion": body.parent_cversion, "ttl": body.ttl,
        }),
        Txn::Delete(path) | Txn::DeleteContainer(path) => json!({ "path": path }),
        Txn::SetData(body) | Txn::Reconfig(body) => {
            json!({ "path": body.path, "data": text(body.data), "version": body.version })
        }
        Txn::SetAcl(body) => {
            json!({ "path": body.path, "acl": acl(&body.acl), "version": body.version })
        }
        Txn::Check(path, version) => json!({ "path": path, "version": version }),
        Txn::Multi(multi) => json!({
            "txns": multi.parts.iter().map(|part| json!({
                "type": part.txn.kind(), "name": txn_name(part.txn.kind()),
                "body": body(&part.txn),
            })).collect::<Vec<_>>(),
        }),
    }
}

fn txn_name(kind: i32) -> &'static str {
    match kind {
        -1 => "error",
        kind => OpCode::from_code(kind).map_or("unknown", OpCode::name),
    }
}

/// An ACL.
#[must_use]
pub fn acl(list: &[Acl<'_>]) -> Value {
    list.iter().map(|entry| json!([entry.perms, entry.id.scheme(), entry.id.id()])).collect()
}

/// Data: text where it is readable text.
#[must_use]
pub fn text(data: Option<&[u8]>) -> Value {
    let Some(bytes) = data else { return Value::Null };
    match std::str::from_utf8(bytes) {
        Ok(text) if text.contains('\n') || !text.contains(char::is_control) => json!(text),
        _ => json!({ "hex": self::bytes(bytes) }),
    }
}

/// A number as hex digits, as an unsigned one.
#[must_use]
pub fn hex(n: i64) -> String {
    format!("{n:#x}")
}

/// Bytes as hex digits.
#[must_use]
pub fn bytes(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
