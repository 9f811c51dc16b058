//! `group.*` and `party.*`: membership, as Curator's `GroupMember` and kazoo's `Party` (`kind` `shallow`: `ShallowParty`).
//!
//! | verb | does |
//! |---|---|
//! | `join` | joins as `as`, with `data` in a group |
//! | `list` | the members: data by id in a group, sorted ids in a party |
//! | `leave` | leaves |

use super::call::Call;
use super::shelf::Shelf;
use quorate::client::Client;
use quorate::recipes::group::{Group, Style};
use quorate::recipes::persistent::Kept;
use serde_json::{Map, Value, json};

#[derive(Debug)]
pub(super) struct Groups {
    client: Client,
    joined: Shelf<Kept>,
}

impl Groups {
    pub(super) fn new(client: &Client) -> Self {
        Self { client: client.clone(), joined: Shelf::default() }
    }

    pub(super) async fn answer(
        &self,
        role: &str,
        verb: &str,
        call: &Call,
    ) -> anyhow::Result<Value> {
        let style = match (role, call.maybe_text("kind")) {
            ("group", _) => Style::Curator,
            (_, Some("shallow")) => Style::Shallow,
            _ => Style::Party,
        };
        let group = || call.path().map(|path| Group::new(&self.client, path).style(style));
        Ok(match verb {
            "join" => {
                let kept = group()?.join(call.name()?, call.maybe_text("data").unwrap_or(""));
                kept.there().await?;
                json!(self.joined.put(call.name()?, kept)?)
            }
            "list" => {
                let group = group()?;
                let members = group.members().await?.entries();
                let text = |data| Value::from(String::from_utf8_lossy(data));
                if style == Style::Curator {
                    let named = members.iter().map(|entry| (group.id(entry), text(&entry.data)));
                    Value::Object(named.collect::<Map<_, _>>())
                } else {
                    let mut ids: Vec<_> = members.iter().map(|entry| group.id(entry)).collect();
                    ids.sort();
                    json!(ids)
                }
            }
            "leave" => json!(self.joined.take(call.name()?)?.remove().await?),
            _ => return Err(call.unknown()),
        })
    }
}
