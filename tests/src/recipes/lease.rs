//! `lease.take`: kazoo's lease by wall clocks at `path`, for `seconds`, as `as`; one of `count` if given. Answers whether it was obtained.

use super::call::Call;
use quorate::client::Client;
use quorate::recipes::wall_lease::{MultiWallLease, WallLease};
use serde_json::{Value, json};
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Leases {
    client: Client,
}

impl Leases {
    pub(super) fn new(client: &Client) -> Self {
        Self { client: client.clone() }
    }

    pub(super) async fn answer(&self, verb: &str, call: &Call) -> anyhow::Result<Value> {
        if verb != "take" {
            return Err(call.unknown());
        }
        let duration = Duration::from_secs(call.number("seconds")?);
        let lease = WallLease::new(&self.client, call.path()?, call.name()?, duration);
        Ok(if call.has("count") {
            let leases = MultiWallLease::new(lease, call.number("count")?);
            json!(leases.obtain().await?.is_some())
        } else {
            json!(lease.obtain().await?.is_some())
        })
    }
}
