//! Staged configuration: all keys old or all new, unfinished publishers, going back.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/cutting.rs"]
mod cutting;
#[path = "support/tasks.rs"]
mod tasks;

use cutting::Proxy;
use quorate::client::blocking::wait;
use quorate::client::{Client, CreateMode, ErrorCode, Result, Task, within};
use quorate::recipes::staged::StagedConfig;
use quorate_wire::OpCode;
use std::collections::BTreeSet;
use std::sync::mpsc;
use std::time::Duration;
use tasks::Server;

/// Long enough for anything that has to happen.
const PATIENCE: Duration = Duration::from_secs(60);

fn start() -> (Server, Proxy) {
    let server = Server::start();
    let proxy = Proxy::start(server.address().unwrap());
    (server, proxy)
}

fn connect(server: &Server) -> Client {
    wait(server.client().connect()).unwrap()
}

fn keys(n: i32) -> Vec<(String, String)> {
    (0..40).map(|key| (format!("key-{key}"), n.to_string())).collect()
}

#[test]
fn readers_see_all_of_a_version_or_nothing_of_it() -> Result<()> {
    let (server, _proxy) = start();
    let readers: Vec<_> = (0..3)
        .map(|n| {
            let client = connect(&server);
            let config = StagedConfig::new(&client, "/config");
            let (send, receive) = mpsc::channel();
            let task: Task = Box::pin(async move {
                let read = async {
                    let mut subscription = config.subscribe().await?;
                    let (mut last, mut token) = (-1, 0);
                    while last < 19 {
                        let seen = if n == 0 {
                            config.get().await?
                        } else {
                            subscription.changed().await?.map(|seen| (*seen).clone())
                        };
                        let Some(seen) = seen else { continue };
                        assert!(seen.version >= last && seen.token >= token);
                        (last, token) = (seen.version, seen.token);
                        let values: BTreeSet<_> = seen.keys.values().collect();
                        assert_eq!((seen.keys.len(), values.len()), (40, 1), "all or nothing");
                        assert_eq!(seen.text("key-7"), Some(&*last.to_string()));
                    }
                    Result::Ok(())
                };
                drop(send.send(read.await));
            });
            client.environment().spawn(task);
            receive
        })
        .collect();
    let client = connect(&server);
    wait(async {
        let config = StagedConfig::new(&client, "/config").keep(2);
        for n in 0..20 {
            assert_eq!(config.publish(keys(n)).await?, n);
        }
        assert_eq!(config.versions().await?, [18, 19]);
        Ok::<(), quorate::client::Error>(())
    })?;
    for reader in readers {
        reader.recv_timeout(PATIENCE).unwrap()?;
    }
    Ok(())
}

#[test]
fn what_a_publisher_left_unfinished_does_no_harm() -> Result<()> {
    let (server, _proxy) = start();
    let client = connect(&server);
    wait(async {
        let config = StagedConfig::new(&client, "/config");
        assert_eq!(config.get().await?, None);
        assert_eq!(config.publish(keys(0)).await?, 0);
        // Cancelled somewhere on the way: there is a whole version, the old one, or the new one if that had left already.
        for _ in 0..10 {
            let mut publish = Box::pin(config.publish(keys(1)));
            let short = Duration::from_micros(300);
            let done = within(&**client.environment(), short, &mut publish).await;
            drop(publish);
            let now = config.get().await?.unwrap();
            assert_eq!(now.keys.len(), 40);
            assert!(done.is_none() || now.version > 0);
            if now.version > 0 {
                break;
            }
        }
        // A version without its keys, as a dead publisher leaves it.
        client.create("/config/versions/0000000050", b"", CreateMode::Persistent).await?;
        assert_eq!(config.publish(keys(2)).await?, 51);
        assert!(!config.versions().await?.contains(&50));
        let oldest = config.versions().await?[0];
        config.go_back(oldest).await?;
        assert_eq!(config.get().await?.unwrap().version, oldest);
        assert_eq!(config.go_back(50).await.unwrap_err().code(), ErrorCode::NoNode);
        let bad = config.publish([("a/b", "x")]).await.unwrap_err();
        assert_eq!(bad.code(), ErrorCode::BadArguments);
        Ok(())
    })
}

#[test]
fn lost_answers_leave_one_whole_version() -> Result<()> {
    let (server, proxy) = start();
    let client = wait(Client::builder().servers(&proxy.servers()).connect())?;
    let other = connect(&server);
    wait(async {
        let config = StagedConfig::new(&client, "/config");
        let check = StagedConfig::new(&other, "/config");
        config.publish(keys(0)).await?;
        // The transactions of a publication: keys, then pointer.
        for (n, skip) in [(1, 0), (2, 1)] {
            proxy.lose_answer_after(OpCode::Multi, skip);
            assert_eq!(config.publish(keys(n)).await?, n);
            let now = check.get().await?.unwrap();
            assert_eq!(
                (now.version, now.keys.len(), now.text("key-0")),
                (n, 40, Some(&*n.to_string()))
            );
        }
        assert_eq!((proxy.cuts(), check.versions().await?), (2, vec![0, 1, 2]));
        // More than fits into one transaction.
        let big: Vec<_> = (0..1_200).map(|n| (format!("k{n}"), vec![7; 300])).collect();
        proxy.lose_answer_after(OpCode::Multi, 2);
        config.publish(big).await?;
        assert_eq!((check.get().await?.unwrap().keys.len(), proxy.cuts()), (1_200, 3));
        Ok(())
    })
}
