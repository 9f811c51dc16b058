//! Leases by the wall clock: whose identifier stands in a node has it until then.

use super::Later;
use super::turns::{Grant, Hold, Rite, Share, perform_turns};
use quorate::client::{Result, Transaction, within};
use quorate::recipes::layout::lease::Lease;
use quorate::recipes::wall_lease::{MultiWallLease, Obtained, WallLease};
use quorate_tests::sim::env::{Checked, Violation};
use quorate_tests::sim::history::History;
use quorate_tests::sim::stage::Part;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// One or several leases, of which each process takes or renews one.
struct Dated<const COUNT: u32>(WallLease);

/// What was obtained.
struct Term(Obtained);

/// The clock on which all processes agree, in seconds.
fn clock(part: &Part) -> Arc<dyn Fn() -> i64 + Send + Sync> {
    let environment = Arc::clone(part.client.environment());
    Arc::new(move || EPOCH + environment.now() / 1_000)
}

impl<const COUNT: u32> Rite for Dated<COUNT> {
    fn new(part: &Part) -> Self {
        let (clock, name) = (clock(part), format!("host{}", part.number));
        let length = Duration::from_secs(LENGTH.unsigned_abs());
        Self(WallLease::new(&part.client, DIRECTORY, &name, length).clock(move || clock()))
    }

    fn enter<'a>(&'a self, part: &'a Part, patience: Duration) -> Later<'a, Result<Option<Grant>>> {
        Box::pin(async move {
            let obtain = async {
                if COUNT == 1 {
                    return Ok(self.0.obtain().await?.map(|obtained| (0, obtained)));
                }
                MultiWallLease::new(self.0.clone(), COUNT).obtain().await
            };
            let obtained = within(&**part.client.environment(), patience, obtain).await;
            let Some((thing, obtained)) = obtained.transpose()?.flatten() else {
                // Nothing tells when it is free: one asks again some time.
                part.client.sleep(patience / 2).await;
                return Ok(None);
            };
            let (thing, token) = (usize::try_from(thing).unwrap(), obtained.token);
            let shares = vec![Share { thing, weight: 1, token }];
            let term = Term(obtained);
            Ok(term.is_held().then(|| Grant { hold: Box::new(term), shares }))
        })
    }

    /// Nobody has followed another before the other's time was over.
    fn check(history: &History) -> Checked {
        let mut last: BTreeMap<&str, Lease> = BTreeMap::new();
        for zxid in history.zxids() {
            for change in history.changes(zxid) {
                let path = change.path.as_str();
                let is_lease = path.starts_with(DIRECTORY) && path.ends_with("/lease_holder");
                let Some(node) = history.model.at(path, zxid).filter(|_| is_lease) else {
                    continue;
                };
                let lease = Lease::decode(node.data.as_deref().unwrap_or_default())
                    .map_err(|error| Violation(error.to_string()))?;
                let before = last.insert(path, lease.clone());
                if let Some(before) = before
                    && before.holder != lease.holder
                    && lease.end - LENGTH < before.end
                {
                    return Err(Violation(format!("{lease:?} follows {before:?}")));
                }
            }
        }
        Ok(())
    }
}

impl Hold for Term {
    /// It outlasts its session.
    fn watch_over(&self, _: &Part) {}

    fn is_held(&self) -> bool {
        self.0.is_held()
    }

    fn guarded(&self) -> Option<Transaction> {
        Some(self.0.guarded())
    }

    fn lost(&self) -> Option<Later<'static, ()>> {
        Some(Box::pin(self.0.lost()))
    }

    /// There is no way to give it back: its time passes.
    fn release(self: Box<Self>) -> Later<'static, Result<()>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn as_hold(self: Box<Self>) -> Box<dyn Hold> {
        self
    }
}

#[test]
fn a_wall_lease_has_one_holder_until_its_end() {
    perform_turns::<Dated<1>>(24);
}

#[test]
fn several_wall_leases_have_one_holder_each() {
    perform_turns::<Dated<2>>(24);
}

const DIRECTORY: &str = "/dated";
/// Seconds since 1970 at the beginning of the world.
const EPOCH: i64 = 1_000_000_000;
/// Of a lease, in seconds.
const LENGTH: i64 = 2;
