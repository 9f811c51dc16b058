//! Children that somebody else has put beside those of a recipe: they do not count, nobody waits for them, and they stay.
//! Those of barriers, groups and the partitioner are in the tests of these.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/recipes.rs"]
mod recipes;

use quorate::client::blocking::wait;
use quorate::client::{Client, CreateMode, Result};
use quorate::recipes::dubbo::{Registry, Url};
use quorate::recipes::election::{Election, Form};
use quorate::recipes::kit::ensure;
use quorate::recipes::latch::LeaderLatch;
use quorate::recipes::layout::semaphore::Kind;
use quorate::recipes::semaphore::Semaphore;
use quorate::recipes::standby::HotStandby;
use recipes::{clients, names, server, soon, spawn, until};
use std::any::Any;
use std::pin::Pin;
use std::time::Duration;

/// What is had by one at a time, until it is dropped.
type Turn = Box<dyn Any + Send>;
type Taking = Pin<Box<dyn Future<Output = Result<Turn>> + Send>>;

/// A recipe, the directory with its nodes, and how a turn is had.
type Case = (&'static str, &'static str, fn(Client) -> Taking);

const CASES: [Case; 7] = [
    ("latch", "/latch", |client| leads(LeaderLatch::new(&client, "/latch").join())),
    ("kazoo's election", "/kazoo", |client| elected(&client, "/kazoo", Form::Kazoo)),
    ("ZooKeeper's election", "/offers", |client| elected(&client, "/offers", Form::Offer)),
    ("election with one node", "/single", |client| elected(&client, "/single", Form::SingleNode)),
    ("hot standby", "/tasks/copy/instances", |client| {
        Box::pin(async move {
            let standby = HotStandby::new(&client, "/tasks", "copy", "host");
            Ok(Box::new(standby.stand_by().await?) as Turn)
        })
    }),
    ("Curator's semaphore", "/leases/leases", |client| lease(client, "/leases", Kind::Curator)),
    ("kazoo's semaphore", "/limited", |client| lease(client, "/limited", Kind::Kazoo)),
];

fn elected(client: &Client, path: &str, form: Form) -> Taking {
    leads(Election::new(client, path, form).join())
}

fn leads(candidate: quorate::recipes::leader::Candidate) -> Taking {
    Box::pin(async move {
        let term = candidate.leads().await?;
        Ok(Box::new((candidate, term)) as Turn)
    })
}

fn lease(client: Client, path: &'static str, kind: Kind) -> Taking {
    Box::pin(async move {
        let semaphore = Semaphore::new(&client, path, 1).kind(kind);
        Ok(Box::new(semaphore.acquire().await?) as Turn)
    })
}

/// The first and the last of all names, one with a number and one that looks nearly right.
const FOREIGN: [&str; 4] = ["!", "config", "x0000000000", "~"];

#[test]
fn turns_go_on_beside_foreign_children() {
    let server = server();
    let [a, b, c] = clients(&server);
    wait(async {
        for (recipe, directory, take) in CASES {
            ensure(&c, directory).await.unwrap();
            let put = async |name: &str| {
                let node = format!("{directory}/{name}");
                c.create(&node, b"", CreateMode::Persistent).await.unwrap();
            };
            for name in &FOREIGN[..3] {
                put(name).await;
            }
            let first = soon(&c, take(a.clone())).await.unwrap();
            let second = spawn(&b, take(b.clone()));
            c.sleep(Duration::from_millis(40)).await;
            assert!(second.is_running(), "{recipe}: two at once");
            put("~").await;
            drop(first);
            drop(second.join().unwrap());
            until(&c, async || Ok(names(&c, directory).await == FOREIGN)).await;
        }
    });
}

#[test]
fn foreign_children_of_a_category_are_no_urls() {
    let server = server();
    let [a, b] = clients(&server);
    wait(async {
        let providers = "/dubbo/a.B/providers";
        ensure(&a, providers).await.unwrap();
        for name in ["config", "%", "%zz", "a%3A%2F", "~"] {
            let node = format!("{providers}/{name}");
            a.create(&node, b"", CreateMode::Persistent).await.unwrap();
        }
        let registry = Registry::new(&b, "/dubbo");
        let consumer = Url::parse("consumer://h/a.B").unwrap();
        assert!(registry.lookup(&consumer).await.unwrap().is_empty());
        let mut subscription = registry.subscribe(&consumer).await.unwrap();
        let empty = soon(&a, subscription.next()).await.unwrap().urls;
        assert_eq!(empty.first().unwrap().protocol.as_deref(), Some("empty"));
        let provider = Url::parse("dubbo://h1:20880/a.B").unwrap();
        let registration = registry.register(&provider).await.unwrap();
        assert_eq!(
            soon(&a, subscription.next()).await.unwrap().urls,
            std::slice::from_ref(&provider)
        );
        assert_eq!(registry.lookup(&consumer).await.unwrap(), [provider]);
        registration.unregister().await;
        assert_eq!(names(&a, providers).await.len(), 5);
    });
}
