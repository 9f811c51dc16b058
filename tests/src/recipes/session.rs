//! `session.*`: the session itself.
//!
//! | verb | does |
//! |---|---|
//! | `state` | the client's state, as text |
//! | `id` | the session's id |
//! | `abandon` | ends the client without telling a server: its nodes stay until the session expires |

use super::call::Call;
use quorate::client::Client;
use serde_json::{Value, json};

#[derive(Debug)]
pub(super) struct Session {
    client: Client,
}

impl Session {
    pub(super) fn new(client: &Client) -> Self {
        Self { client: client.clone() }
    }

    pub(super) async fn answer(&self, verb: &str, call: &Call) -> anyhow::Result<Value> {
        Ok(match verb {
            "state" => json!(format!("{:?}", self.client.state())),
            "id" => json!(self.client.session_id()),
            "abandon" => {
                self.client.abandon();
                Value::Null
            }
            _ => return Err(call.unknown()),
        })
    }
}
