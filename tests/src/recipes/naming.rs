//! `naming.unique`: an id below `path`, with the prefix `prefix`.

use super::call::Call;
use quorate::client::Client;
use quorate::recipes::naming::Naming;
use serde_json::{Value, json};

#[derive(Debug)]
pub(super) struct Names {
    client: Client,
}

impl Names {
    pub(super) fn new(client: &Client) -> Self {
        Self { client: client.clone() }
    }

    pub(super) async fn answer(&self, verb: &str, call: &Call) -> anyhow::Result<Value> {
        if verb != "unique" {
            return Err(call.unknown());
        }
        let naming = Naming::new(&self.client, call.path()?, call.text("prefix")?);
        Ok(json!(naming.unique().await?))
    }
}
