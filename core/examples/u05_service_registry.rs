//! U5: providers register with a weight, a consumer holds the live list and chooses; one drains, one dies, and nobody has to
//! be asked.
//!
//! `cargo run -p quorate --example u05_service_registry`
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use quorate::client::{Client, blocking::wait};
use quorate::recipes::cache::Change;
use quorate::recipes::discovery::{Discovery, Provider, ServiceInstance, Strategy};
use quorate::server::Server;
use std::collections::BTreeMap;
use std::time::Duration;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::builder()
        .volatile()
        .no_port()
        .configure(|config| config.min_session_timeout_ms = Some(100))
        .start()?;
    wait(story(&server))
}

async fn story(server: &Server) -> Result<(), Box<dyn std::error::Error>> {
    let short = Duration::from_millis(250);
    let connect = || Client::builder().in_process(server).session_timeout(short).connect();
    let mut shops = Vec::new();
    for (port, weight) in [(8081, 1), (8082, 2), (8083, 3)] {
        let client = connect().await?;
        let discovery = Discovery::new(&client, "/services");
        let instance = ServiceInstance {
            address: Some("10.0.0.1".into()),
            port: Some(port),
            ..discovery.instance("shop")
        };
        let mut registration = discovery.register(instance).await?;
        registration.set_weight(weight).await?;
        shops.push((client, registration));
    }

    let consumer = connect().await?;
    let provider = Discovery::new(&consumer, "/services").provider("shop", Strategy::Weighted)?;
    provider.ready().await?;
    println!("600 calls, by weight 1, 2, 3: {:?}", call(&provider, 600));
    expect(call(&provider, 600).len() == 3, "all three are called")?;

    let mut changes = provider.changes();
    if let Some((_, first)) = shops.first_mut() {
        first.drain().await?;
    }
    wait_for(&mut changes, |change| matches!(change, Change::Changed { .. })).await;
    println!("8081 takes no new work:       {:?}", call(&provider, 600));
    expect(!call(&provider, 600).contains_key(&8081), "who drains is not chosen")?;

    if let Some((client, registration)) = shops.pop() {
        // As if the process were killed: nobody says goodbye.
        client.abandon();
        drop((client, registration));
    }
    wait_for(&mut changes, |change| matches!(change, Change::Removed(_))).await;
    let left = call(&provider, 600);
    println!("8083 was killed:              {left:?}");
    expect(left.keys().eq([&8082]), "only one is left")
}

/// Chooses again and again; answers how often each port was chosen.
fn call(provider: &Provider, times: usize) -> BTreeMap<i32, usize> {
    let mut calls = BTreeMap::new();
    for instance in (0..times).filter_map(|_| provider.choose()) {
        *calls.entry(instance.port.unwrap_or(0)).or_default() += 1;
    }
    calls
}

async fn wait_for(
    changes: &mut quorate::recipes::cache::Changes,
    wanted: impl Fn(&Change) -> bool,
) {
    while let Some(change) = changes.next().await {
        if wanted(&change) {
            break;
        }
    }
}

fn expect(holds: bool, what: &str) -> Result<(), Box<dyn std::error::Error>> {
    if holds { Ok(()) } else { Err(format!("not so: {what}").into()) }
}
