//! Retries against a server behind a proxy that loses answers: nothing happens twice, nothing is forgotten.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/cutting.rs"]
mod cutting;
#[path = "support/tasks.rs"]
mod tasks;

use cutting::Proxy;
use quorate::client::blocking::wait;
use quorate::client::{Client, CreateMode, ErrorCode, Outcome, Result, RetryPolicy, Retrying};
use quorate_wire::OpCode;
use std::time::Duration;
use tasks::{Server, children, poll_once, soon};

/// A server, a proxy before it, a client behind the proxy, and one beside it.
struct World {
    server: Server,
    proxy: Proxy,
    client: Client,
    other: Client,
}

impl World {
    fn new() -> Self {
        let server = Server::start();
        let proxy = Proxy::start(server.address().unwrap());
        let client = wait(Client::builder().servers(&proxy.servers()).connect()).unwrap();
        let other = wait(server.client().connect()).unwrap();
        Self { server, proxy, client, other }
    }

    fn patient(&self) -> Retrying {
        self.client.retrying(quick(RetryPolicy::tries(5)))
    }
}

fn quick(policy: RetryPolicy) -> RetryPolicy {
    policy.backoff(Duration::from_millis(1), Duration::from_millis(10))
}

#[test]
fn a_create_whose_answer_is_lost_is_found_again() -> Result<()> {
    let world = World::new();
    let patient = world.patient();
    wait(async {
        for mode in [CreateMode::Persistent, CreateMode::Ephemeral] {
            world.proxy.lose_answer(OpCode::Create2);
            let path = format!("/plain-{}", mode.flags());
            let created = patient.create(&path, b"data", mode).await?;
            assert_eq!((created.path.as_str(), created.stat.version), (path.as_str(), 0));
            let again = patient.create(&path, b"data", mode).await.unwrap_err();
            assert_eq!(again.code(), ErrorCode::NodeExists, "only a loss makes it idempotent");
        }
        // What another made is not taken for one's own.
        world.other.create("/theirs", b"data", CreateMode::Ephemeral).await?;
        world.proxy.lose_answer(OpCode::Create2);
        let refused = patient.create("/theirs", b"data", CreateMode::Ephemeral).await;
        assert_eq!(refused.unwrap_err().code(), ErrorCode::NodeExists);
        assert_eq!(world.proxy.cuts(), 3);
        Ok(())
    })
}

#[test]
fn a_request_that_never_arrived_is_sent_again() -> Result<()> {
    let world = World::new();
    let patient = world.patient();
    wait(async {
        world.proxy.lose_request(OpCode::Create2);
        patient.create("/node", b"one", CreateMode::Persistent).await?;
        world.proxy.lose_request(OpCode::SetData);
        assert_eq!(patient.set("/node", b"two", Some(0)).await?.version, 1);
        world.proxy.lose_request(OpCode::SetData);
        assert_eq!(patient.set("/node", b"three", None).await?.version, 2);
        world.proxy.lose_request(OpCode::Delete);
        patient.delete("/node", Some(2)).await?;
        assert_eq!((world.proxy.cuts(), world.other.exists("/node").await?), (4, None));
        Ok(())
    })
}

#[test]
fn a_protected_create_leaves_one_node() -> Result<()> {
    let world = World::new();
    let patient = world.patient();
    wait(async {
        world.other.create("/jobs", b"", CreateMode::Persistent).await?;
        for mode in [CreateMode::EphemeralSequential, CreateMode::PersistentSequential] {
            world.proxy.lose_answer(OpCode::Create2);
            let created = patient.create_protected("/jobs/job-", b"x", mode).await?;
            let (names, _) = world.other.children("/jobs").await?;
            assert_eq!(names.len(), 1);
            assert!(created.path.ends_with(names[0].as_str()));
            assert_eq!(world.other.get(&created.path).await?.1, created.stat);
            patient.delete(&created.path, None).await?;
        }
        // Without protection it cannot be told from others: it is reported, not repeated.
        world.proxy.lose_answer(OpCode::Create2);
        let mode = CreateMode::PersistentSequential;
        let error = patient.create("/jobs/job-", b"x", mode).await.unwrap_err();
        assert!(error.outcome_unknown());
        assert_eq!(world.other.children("/jobs").await?.0.len(), 1);
        Ok(())
    })
}

/// A persistent node outlasts the session under which it may have been created, and so does the search for it.
#[test]
fn a_protected_create_leaves_nothing_when_its_session_ends() -> Result<()> {
    for dropped in [false, true] {
        let world = World::new();
        let patient = world.patient();
        let identity = wait(async {
            world.client.connected().await?;
            world.other.create("/jobs", b"", CreateMode::Persistent).await?;
            Result::Ok(world.client.identity().unwrap())
        })?;
        // The node is there, the answer is lost, and the look that follows is not answered while the session lives.
        world.proxy.hold(OpCode::Sync);
        world.proxy.lose_answer(OpCode::Create2);
        let mode = CreateMode::PersistentSequential;
        let mut creating =
            Box::pin(async move { patient.create_protected("/jobs/job-", b"x", mode).await });
        wait(async {
            assert!(poll_once(&mut creating).await.is_none());
            soon(&world.other, async {
                while world.proxy.requests(OpCode::Sync) == 0 {
                    assert!(poll_once(&mut creating).await.is_none());
                    world.other.sleep(Duration::from_millis(1)).await;
                }
            })
            .await;
            let (names, _) = world.other.children("/jobs").await?;
            assert_eq!(names.len(), 1);
            let creating = if dropped {
                drop(creating);
                None
            } else {
                Some(creating)
            };
            let twin = world.server.client().resume(identity).connect().await?;
            twin.close().await?;
            if let Some(creating) = creating {
                let error = soon(&world.other, creating).await.unwrap_err();
                assert!(error.outcome_unknown());
                assert_eq!(error.code(), ErrorCode::SessionExpired);
                let stem = names[0].split("job-").next().unwrap();
                assert!(error.to_string().contains(&format!("/jobs/{stem}…")), "{error}");
            }
            world.proxy.let_go();
            children(&world.other, "/jobs", 0).await;
            Result::Ok(())
        })?;
    }
    Ok(())
}

#[test]
fn a_set_happens_once() -> Result<()> {
    let world = World::new();
    let patient = world.patient();
    wait(async {
        world.other.create("/node", b"", CreateMode::Persistent).await?;
        for (version, data) in [(Some(0), b"a"), (None, b"b")] {
            world.proxy.lose_answer(OpCode::SetData);
            patient.set("/node", data, version).await?;
        }
        let (data, stat) = world.other.get("/node").await?;
        assert_eq!((data.as_slice(), stat.version), (&b"b"[..], 2));
        // Somebody else's write at that version is not ours.
        world.other.set("/node", b"theirs", Some(2)).await?;
        world.proxy.lose_answer(OpCode::SetData);
        let error = patient.set("/node", b"ours", Some(2)).await.unwrap_err();
        assert_eq!((error.code(), error.outcome_unknown()), (ErrorCode::BadVersion, false));
        Ok(())
    })
}

#[test]
fn a_delete_happens_once() -> Result<()> {
    let world = World::new();
    let patient = world.patient();
    wait(async {
        world.other.create("/node", b"", CreateMode::Persistent).await?;
        world.proxy.lose_answer(OpCode::Delete);
        patient.delete("/node", None).await?;
        let error = patient.delete("/node", None).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::NoNode, "only a loss makes it idempotent");
        Ok(())
    })
}

#[test]
fn other_writes_are_looked_after() -> Result<()> {
    let world = World::new();
    let patient = world.patient();
    wait(async {
        let make = || {
            let multi = world.client.multi().create("/a", b"", CreateMode::Persistent);
            multi.create("/b", b"", CreateMode::Persistent)
        };
        let look = || async {
            Ok(match patient.exists("/a").await? {
                Some(_) => Outcome::Happened(Vec::new()),
                None => Outcome::DidNot,
            })
        };
        world.proxy.lose_request(OpCode::Multi);
        world.proxy.lose_answer(OpCode::Multi);
        patient.commit("/a", make, look).await?;
        assert_eq!(world.proxy.cuts(), 2);
        assert!(world.other.exists("/b").await?.is_some());
        Ok(())
    })
}

#[test]
fn tries_and_time_are_bounded() -> Result<()> {
    let world = World::new();
    wait(async {
        world.other.create("/node", b"", CreateMode::Persistent).await?;
        for _ in 0..3 {
            world.proxy.lose_answer(OpCode::GetData);
        }
        let twice = world.client.retrying(quick(RetryPolicy::tries(2)));
        let error = twice.get("/node").await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::ConnectionLoss);
        assert_eq!(world.proxy.cuts(), 2);
        let forever = world.client.retrying(quick(RetryPolicy::forever()));
        forever.get("/node").await?;
        assert_eq!(world.proxy.cuts(), 3);

        world.proxy.close();
        let short = world.client.retrying(RetryPolicy::until(Duration::from_millis(50)));
        let error = short.get("/node").await.unwrap_err();
        assert!(!error.outcome_unknown(), "a read: {error}");
        let error = short.set("/node", b"", None).await.unwrap_err();
        assert!(error.outcome_unknown(), "{error}");
        world.proxy.open();
        Ok(())
    })
}

#[test]
fn pauses_grow_and_spread() {
    let policy =
        RetryPolicy::forever().backoff(Duration::from_millis(10), Duration::from_millis(80));
    for (tries, bound) in [(1, 10), (2, 20), (3, 40), (4, 80), (5, 80), (40, 80)] {
        let bound = Duration::from_millis(bound);
        let micros = u64::try_from(bound.as_micros()).unwrap();
        assert_eq!(policy.pause(tries, micros), bound);
        assert_eq!(policy.pause(tries, 0), Duration::ZERO);
        assert!((0..10_000).all(|random| policy.pause(tries, random * 7_919) <= bound));
    }
}
