//! U4, publish/subscribe configuration: services follow their settings, by push and by pull, with a local copy that outlives the server; several
//! keys switch together.
//!
//! `cargo run -p quorate --example u04_configuration`

use quorate::client::blocking::wait;
use quorate::client::{Client, within};
use quorate::recipes::staged::StagedConfig;
use quorate::recipes::value::SharedValue;
use quorate::server::Server;
use std::time::Duration;

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome {
    let server = Server::builder().volatile().no_port().start()?;
    let connect = || wait(Client::builder().in_process(&server).connect());
    let (operator, service) = (connect()?, connect()?);
    wait(one_value(&operator, &service))?;
    let copy = wait(keys_that_belong_together(&operator, &service))?;

    server.stop()?;
    let copy = copy.current().ok_or("the copy is gone")?;
    println!("the server is gone; the service still knows: {}", describe(&copy));
    ensure(copy.text("host") == Some("db2"), "the copy is the newest")
}

/// One node: pushed to who follows it, pulled by who asks, changed only by who has seen the newest.
async fn one_value(operator: &Client, service: &Client) -> Outcome {
    let setting = SharedValue::new(operator, "/config/log-level");
    setting.set(b"info").await?;
    let mut followed = SharedValue::new(service, "/config/log-level").subscribe().await?;
    let seen = followed.current().ok_or("the value is there")?;
    println!("service starts with log level {}", text(&seen.data));

    setting.set(b"debug").await?;
    let change = within(&**service.environment(), PATIENCE, followed.changed()).await;
    let pushed = change.ok_or("no push")??.ok_or("deleted")?;
    println!("service is told: log level {}", text(&pushed.data));
    let pulled = SharedValue::new(service, "/config/log-level").get().await?.ok_or("deleted")?;
    ensure(pulled == *pushed, "push and pull agree")?;

    // An operator with an old view does not overwrite what another has set.
    let refused = setting.try_set(&seen, b"trace").await?.is_none();
    println!("a change based on the old value is refused: {refused}");
    ensure(refused, "the stale change is refused")
}

/// Host and port of a database: no reader may ever combine the old host with the new port.
async fn keys_that_belong_together(
    operator: &Client,
    service: &Client,
) -> Outcome<quorate::recipes::staged::Subscription> {
    let config = StagedConfig::new(operator, "/config/database");
    config.publish([("host", "db1"), ("port", "1001")]).await?;
    let mut followed = StagedConfig::new(service, "/config/database").subscribe().await?;
    for n in [2, 3, 2] {
        config.publish([("host", format!("db{n}")), ("port", format!("100{n}"))]).await?;
        let change = within(&**service.environment(), PATIENCE, followed.changed()).await;
        let snapshot = change.ok_or("no push")??.ok_or("deleted")?;
        println!("service switches to {}", describe(&snapshot));
        let host = snapshot.text("host").and_then(|host| host.strip_prefix("db"));
        let port = snapshot.text("port").and_then(|port| port.strip_prefix("100"));
        ensure(host.is_some() && host == port, "host and port belong together")?;
    }
    Ok(followed)
}

fn describe(snapshot: &quorate::recipes::staged::Snapshot) -> String {
    let get = |key| snapshot.text(key).unwrap_or("?");
    format!("version {}: {}:{}", snapshot.version, get("host"), get("port"))
}

fn text(data: &[u8]) -> String {
    String::from_utf8_lossy(data).into_owned()
}

fn ensure(kept: bool, promise: &str) -> Outcome {
    if kept { Ok(()) } else { Err(format!("broken promise: {promise}").into()) }
}

const PATIENCE: Duration = Duration::from_secs(10);
