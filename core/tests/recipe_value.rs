//! The shared value: pull and push, newest wins, and a copy that outlives connections and sessions.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/cutting.rs"]
mod cutting;
#[path = "support/tasks.rs"]
mod tasks;

use cutting::Proxy;
use quorate::client::blocking::wait;
use quorate::client::{Client, CreateMode, ErrorCode, Result, State, within};
use quorate::recipes::value::{SharedValue, Subscription, Versioned};
use quorate_wire::OpCode;
use std::sync::Arc;
use std::time::Duration;
use tasks::Server;

/// Long enough for anything that has to happen.
const PATIENCE: Duration = Duration::from_secs(60);

struct World {
    _server: Server,
    proxy: Proxy,
    client: Client,
    other: Client,
}

impl World {
    fn new() -> Self {
        let server = Server::start();
        let proxy = Proxy::start(server.address().unwrap());
        // It has to end in one of the tests.
        let short = tasks::SHORT_LIFE;
        let builder = Client::builder().servers(&proxy.servers()).session_timeout(short);
        let client = wait(builder.connect()).unwrap();
        let other = wait(server.client().connect()).unwrap();
        Self { _server: server, proxy, client, other }
    }
}

async fn next(client: &Client, subscription: &mut Subscription) -> Option<Arc<Versioned>> {
    within(&**client.environment(), PATIENCE, subscription.changed()).await.unwrap().unwrap()
}

#[test]
fn changes_reach_every_subscriber_in_order() -> Result<()> {
    let world = World::new();
    wait(async {
        let mut subscriptions = Vec::new();
        for _ in 0..5 {
            subscriptions.push(SharedValue::new(&world.client, "/a/value").subscribe().await?);
        }
        let value = SharedValue::new(&world.other, "/a/value");
        for n in 0..50_u32 {
            value.set(&n.to_be_bytes()).await?;
        }
        for subscription in &mut subscriptions {
            let mut last = 0;
            loop {
                let seen = next(&world.other, subscription).await.unwrap();
                assert!(seen.stat.mzxid > last, "never back");
                last = seen.stat.mzxid;
                if seen.data == 49_u32.to_be_bytes() {
                    break;
                }
            }
        }
        world.other.delete("/a/value", None).await?;
        assert_eq!(next(&world.other, &mut subscriptions[0]).await, None);
        assert_eq!(value.get().await?, None);
        value.set(b"again").await?;
        // All of them have read it before the reads are counted.
        for subscription in &mut subscriptions {
            while next(&world.other, subscription).await.is_none_or(|seen| seen.data != b"again") {}
        }
        // A child is no change of the value.
        world.other.create("/a/value/child", b"", CreateMode::Persistent).await?;
        let gets = world.proxy.requests(OpCode::GetData);
        world.client.sync("/a/value").await?;
        assert_eq!(world.proxy.requests(OpCode::GetData), gets);
        Ok(())
    })
}

#[test]
fn a_value_is_set_only_as_it_was_seen() -> Result<()> {
    let world = World::new();
    wait(async {
        let value = SharedValue::new(&world.client, "/value");
        value.set(b"1").await?;
        let seen = value.get().await?.unwrap();
        world.proxy.lose_answer(OpCode::SetData);
        assert_eq!(value.try_set(&seen, b"2").await?.unwrap().version, 1);
        assert!(value.try_set(&seen, b"3").await?.is_none());
        world.proxy.lose_request(OpCode::SetData);
        let seen = value.get().await?.unwrap();
        assert_eq!(value.try_set(&seen, b"4").await?.unwrap().version, 2);
        assert_eq!((world.proxy.cuts(), value.get().await?.unwrap().data), (2, b"4".to_vec()));
        Ok(())
    })
}

#[test]
fn the_copy_outlives_the_connection_and_the_session() -> Result<()> {
    let world = World::new();
    wait(async {
        let value = SharedValue::new(&world.other, "/value");
        value.set(b"old").await?;
        let mut subscription = SharedValue::new(&world.client, "/value").subscribe().await?;
        let mut states = world.client.states();
        let session = world.client.session_id();
        world.proxy.close();
        value.set(b"new").await?;
        let lost = async { while states.next().await != Some(State::Lost) {} };
        within(&**world.other.environment(), PATIENCE, lost).await.unwrap();
        assert_eq!(subscription.current().unwrap().data, b"old");
        world.proxy.open();
        assert_eq!(next(&world.other, &mut subscription).await.unwrap().data, b"new");
        assert_ne!(world.client.session_id(), session);
        value.set(b"newer").await?;
        assert_eq!(next(&world.other, &mut subscription).await.unwrap().data, b"newer");
        Ok(())
    })
}

#[test]
fn a_short_disconnection_misses_nothing() -> Result<()> {
    let world = World::new();
    wait(async {
        let value = SharedValue::new(&world.other, "/value");
        value.set(b"0").await?;
        let mut subscription = SharedValue::new(&world.client, "/value").subscribe().await?;
        for n in 1..4_u8 {
            world.proxy.close();
            value.set(&[n]).await?;
            world.proxy.open();
            assert_eq!(next(&world.other, &mut subscription).await.unwrap().data, [n]);
        }
        Ok(())
    })
}

#[test]
fn a_dropped_subscription_leaves_nothing_and_a_closed_client_ends_it() -> Result<()> {
    let world = World::new();
    wait(async {
        let value = SharedValue::new(&world.client, "/value");
        value.set(b"x").await?;
        let subscription = value.subscribe().await?;
        assert_eq!(world.client.counters().watches, 1);
        drop(subscription);
        let gone = async {
            while world.client.counters().watches > 0 {
                world.client.sleep(Duration::from_millis(1)).await;
            }
        };
        within(&**world.client.environment(), PATIENCE, gone).await.unwrap();

        let mut subscription = value.subscribe().await?;
        world.client.close().await?;
        let ended = within(&**world.other.environment(), PATIENCE, subscription.changed()).await;
        assert_eq!(ended.unwrap().unwrap_err().code(), ErrorCode::Closing);
        assert_eq!(subscription.current().unwrap().data, b"x", "the copy stays");
        assert!(value.subscribe().await.is_err());
        Ok(())
    })
}
