//! `node.*`: single nodes, for tests that are about servers and not about recipes.
//!
//! | verb | arguments | answer |
//! |---|---|---|
//! | `create` | `path`, `text`, `ephemeral` | the node |
//! | `set` | `path`, `text`, perhaps `version` | the node |
//! | `read` | `path` | the node, behind a sync |
//! | `look` | `path` | the node, as the server at hand has it |
//! | `await` | `path`, `version` | the node, as the watch of a read tells it that has at least this version |
//!
//! A node is `{"code": "Ok", "text": …, "version": …, "zxid": …, "owner": …}`. A failure is an answer too, and not an error of the call:
//! `{"code": "BadVersion", "unknown": false}`; `unknown` says that the operation may have happened.

use super::call::Call;
use quorate::client::{Client, CreateMode, Error, Result, Stat};
use serde_json::{Value, json};

#[derive(Debug)]
pub(super) struct Nodes {
    client: Client,
}

impl Nodes {
    pub(super) fn new(client: &Client) -> Self {
        Self { client: client.clone() }
    }

    pub(super) async fn answer(&self, verb: &str, call: &Call) -> anyhow::Result<Value> {
        let path = call.path()?;
        let done = match verb {
            "create" => self.create(path, call.text("text")?, call.has("ephemeral")).await,
            "set" => {
                let version =
                    if call.has("version") { Some(call.number("version")?) } else { None };
                self.set(path, call.text("text")?, version).await
            }
            "read" => self.read(path).await,
            "look" => self.look(path).await,
            "await" => self.wait(path, call.number("version")?).await,
            _ => return Err(call.unknown()),
        };
        Ok(done.unwrap_or_else(|error| failed(&error)))
    }

    async fn create(&self, path: &str, text: &str, ephemeral: bool) -> Result<Value> {
        let mode = if ephemeral { CreateMode::Ephemeral } else { CreateMode::Persistent };
        let created = self.client.create(path, text.as_bytes(), mode).await?;
        Ok(node(text.as_bytes(), &created.stat))
    }

    async fn set(&self, path: &str, text: &str, version: Option<i32>) -> Result<Value> {
        let stat = self.client.set(path, text.as_bytes(), version).await?;
        Ok(node(text.as_bytes(), &stat))
    }

    async fn read(&self, path: &str) -> Result<Value> {
        // Made together: nothing of this session comes between them.
        let (synced, read) = (self.client.sync(path), self.client.get(path));
        synced.await?;
        let (data, stat) = read.await?;
        Ok(node(&data, &stat))
    }

    async fn look(&self, path: &str) -> Result<Value> {
        let (data, stat) = self.client.get(path).await?;
        Ok(node(&data, &stat))
    }

    async fn wait(&self, path: &str, version: i32) -> Result<Value> {
        loop {
            let (data, stat, watch) = self.client.get_and_watch(path).await?;
            if stat.version >= version {
                return Ok(node(&data, &stat));
            }
            watch.await?;
        }
    }
}

fn node(data: &[u8], stat: &Stat) -> Value {
    json!({
        "code": "Ok",
        "text": String::from_utf8_lossy(data),
        "version": stat.version,
        "zxid": stat.mzxid,
        "owner": stat.ephemeral_owner,
    })
}

fn failed(error: &Error) -> Value {
    json!({ "code": format!("{:?}", error.code()), "unknown": error.outcome_unknown() })
}
