//! `discovery.*`: services below `path`.
//!
//! | verb | does |
//! |---|---|
//! | `register` | `as` at `address` and `port`, for `service`; `sslPort`, `uri` and `value` if given, with `class` in the payload |
//! | `unregister` | `as` |
//! | `list` | the instances of `service` |

use super::call::Call;
use super::shelf::Shelf;
use anyhow::bail;
use quorate::client::Client;
use quorate::recipes::discovery::{Discovery, Payload, Registration, ServiceInstance, UriSpec};
use serde_json::{Value, json};
use std::collections::BTreeMap;

#[derive(Debug)]
pub(super) struct Services {
    client: Client,
    registered: Shelf<Registration>,
}

impl Services {
    pub(super) fn new(client: &Client) -> Self {
        Self { client: client.clone(), registered: Shelf::default() }
    }

    pub(super) async fn answer(&self, verb: &str, call: &Call) -> anyhow::Result<Value> {
        Ok(match verb {
            "register" => {
                let discovery = Discovery::new(&self.client, call.path()?);
                let registration = discovery.register(instance(call)?).await?;
                json!(self.registered.put(call.name()?, registration)?)
            }
            "unregister" => json!(self.registered.take(call.name()?)?.unregister().await),
            "list" => {
                let discovery = Discovery::new(&self.client, call.path()?);
                let found = discovery.instances(call.text("service")?).await?;
                found.iter().map(described).collect()
            }
            _ => return Err(call.unknown()),
        })
    }
}

fn instance(call: &Call) -> anyhow::Result<ServiceInstance> {
    let ssl_port = if call.has("sslPort") { Some(call.number("sslPort")?) } else { None };
    Ok(ServiceInstance {
        address: Some(call.text("address")?.to_owned()),
        port: Some(call.number("port")?),
        ssl_port,
        payload: payload(call)?,
        uri_spec: call.maybe_text("uri").map(UriSpec::parse).transpose()?,
        ..ServiceInstance::new(call.text("service")?, call.name()?)
    })
}

fn payload(call: &Call) -> anyhow::Result<Payload> {
    Ok(match call.value("value") {
        Value::Null => Payload::None,
        Value::String(text) => Payload::Text(text.clone()),
        Value::Object(fields) => Payload::Object {
            class: call.maybe_text("class").map(str::to_owned),
            fields: fields.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        },
        other => bail!("{other} is no payload"),
    })
}

fn described(instance: &ServiceInstance) -> Value {
    let payload = match &instance.payload {
        Payload::Object { fields, .. } => Value::Object(fields.iter().cloned().collect()),
        other => serde_json::to_value(other).unwrap_or_default(),
    };
    json!({
        "id": instance.id,
        "address": instance.address,
        "port": instance.port,
        "sslPort": instance.ssl_port,
        "payload": payload,
        "enabled": instance.enabled,
        "uri": instance.uri_spec.as_ref().map(|spec| spec.build(Some(instance), &BTreeMap::new())),
    })
}
