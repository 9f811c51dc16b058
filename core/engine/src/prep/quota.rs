//! Hard quotas: whether a create or setData would exceed one.
//!
//! The deepest active quota above the path decides alone. Usage is what the tree has counted, without
//! what is in flight, as in Apache; soft limits refuse nothing.
//! Source: `org.apache.zookeeper.server.ZooKeeperServer#checkQuota`.

use super::judge::Judge;
use quorate_wire::error::ErrorCode;

/// One node and `length` bytes more.
pub(super) fn check_create(judge: &Judge<'_>, path: &str, length: usize) -> Result<(), ErrorCode> {
    check(judge, path, 1, bytes(length))
}

/// From `before` to `after` bytes of data.
pub(super) fn check_set_data(
    judge: &Judge<'_>,
    path: &str,
    before: usize,
    after: usize,
) -> Result<(), ErrorCode> {
    check(judge, path, 0, bytes(after).saturating_sub(bytes(before)))
}

fn check(judge: &Judge<'_>, path: &str, count: i64, bytes: i64) -> Result<(), ErrorCode> {
    if !judge.config.enforce_quota {
        return Ok(());
    }
    let breach = judge.tree.quota(path).and_then(|quota| quota.check(count, bytes));
    match breach {
        Some(breach) if breach.hard => Err(ErrorCode::QuotaExceeded),
        _ => Ok(()),
    }
}

fn bytes(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}
