//! Dubbo's registry.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/gate.rs"]
mod gate;
#[path = "support/tasks.rs"]
mod tasks;

use gate::Gate;
use quorate::client::blocking::wait;
use quorate::client::{Client, CreateMode, ErrorCode, within};
use quorate::recipes::dubbo::{Notice, Registry, Subscription, Url};
use quorate::recipes::layout::dubbo::application;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tasks::Server;

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Long enough for anything that has to happen.
const PATIENCE: Duration = Duration::from_secs(60);

fn connect(server: &Server) -> Client {
    wait(server.client().connect()).unwrap()
}

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

fn next(client: &Client, subscription: &mut Subscription) -> Notice {
    wait(within(&**client.environment(), PATIENCE, subscription.next())).unwrap().unwrap()
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "in time: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn consumers_are_told_of_providers() -> Outcome {
    let server = Server::start();
    let port = server.address().unwrap().port();
    let address = format!("zookeeper://127.0.0.1:1?backup=127.0.0.1:{port}&group=shop");
    let (own, other) = (wait(Registry::connect(&address))?, connect(&server));
    let consumer = url("consumer://h/a.B?category=providers,routers&version=1");
    let mut subscription = wait(own.subscribe(&consumer))?;
    for category in ["providers", "routers"] {
        let notice = next(&other, &mut subscription);
        assert_eq!(notice.path, format!("/shop/a.B/{category}"));
        let empty = format!("empty://h/a.B?category={category}&version=1");
        assert_eq!(notice.urls.iter().map(Url::to_string).collect::<Vec<_>>(), [empty]);
    }
    // Parents are persistent, as Dubbo makes them.
    let registry = Registry::new(&other, "/shop");
    let one = url("dubbo://h1:20880/a.B?version=1");
    let first = wait(registry.register(&one))?;
    assert_eq!(next(&other, &mut subscription).urls, std::slice::from_ref(&one));
    assert_eq!(
        first.path().unwrap(),
        "/shop/a.B/providers/dubbo%3A%2F%2Fh1%3A20880%2Fa.B%3Fversion%3D1"
    );
    let foreign = wait(registry.register(&url("dubbo://h2:20880/a.B?version=2")))?;
    let two = url("dubbo://h3:20880/a.B?version=1&dynamic=false");
    let second = wait(registry.register(&two))?;
    assert_eq!(next(&other, &mut subscription).urls, [one.clone(), two.clone()]);
    assert_eq!(wait(own.lookup(&consumer))?, [one, two.clone()]);
    drop((first, foreign));
    assert_eq!(next(&other, &mut subscription).urls, [two]);
    wait(second.unregister());
    let empty = next(&other, &mut subscription).urls;
    assert_eq!(empty.first().unwrap().protocol.as_deref(), Some("empty"));
    let error = wait(registry.register(&url("dubbo://h:1"))).unwrap_err();
    assert_eq!(error.code(), ErrorCode::BadArguments);
    wait(own.client().close())?;
    assert_eq!(wait(subscription.next()).unwrap_err().code(), ErrorCode::Closing);
    Ok(())
}

#[test]
fn a_new_session_registers_and_subscribes_again() -> Outcome {
    let server = Server::start();
    let gate = Gate::start(server.address().unwrap());
    let own = Client::builder().servers(&gate.address()).session_timeout(tasks::SHORT_LIFE);
    let (own, other) = (wait(own.connect())?, connect(&server));
    let (near, far) = (Registry::new(&own, "/dubbo"), Registry::new(&other, "/dubbo"));
    let (consumer, provider) = (url("consumer://h/a.B"), url("dubbo://h1:1/a.B"));
    // The node of somebody who is about to vanish is in the way.
    let dead = connect(&server);
    let old = wait(Registry::new(&dead, "/dubbo").register(&provider))?;
    dead.abandon();
    let held = wait(near.register(&provider))?;
    let (_, stat) = wait(other.get(&held.path().unwrap()))?;
    assert_eq!(stat.ephemeral_owner, own.session_id());

    let mut subscription = wait(near.subscribe(&consumer))?;
    assert_eq!(next(&other, &mut subscription).urls, std::slice::from_ref(&provider));
    gate.block();
    eventually("gone", || wait(far.lookup(&consumer)).unwrap().is_empty());
    let new = url("dubbo://h2:1/a.B");
    let _new = wait(far.register(&new))?;
    gate.unblock();
    eventually("again", || wait(far.lookup(&consumer)).unwrap().len() == 2);
    while next(&other, &mut subscription).urls != [provider.clone(), new.clone()] {}
    drop(old);
    Ok(())
}

#[test]
fn mappings_grow_whoever_writes() -> Outcome {
    let server = Server::start();
    let clients: Vec<Client> = (0..4).map(|_| connect(&server)).collect();
    let registry = Registry::new(clients.first().unwrap(), "/dubbo");
    assert!(wait(registry.mapped("a.B"))?.is_empty());
    std::thread::scope(|scope| {
        for (n, client) in clients.iter().enumerate() {
            let registry = Registry::new(client, "/dubbo");
            scope.spawn(move || {
                for m in 0..5 {
                    wait(registry.map("a.B", &format!("app-{n}-{m}"))).unwrap();
                }
            });
        }
    });
    assert_eq!(wait(registry.mapped("a.B"))?.len(), 20);
    wait(registry.map("a.B", "app-0-0"))?;
    assert_eq!(wait(clients.first().unwrap().get("/dubbo/mapping/a.B"))?.1.version, 19);
    wait(clients.first().unwrap().create("/dubbo/mapping/x", &[0xff], CreateMode::Persistent))?;
    assert_eq!(wait(registry.mapped("x")).unwrap_err().code(), ErrorCode::BadArguments);
    Ok(())
}

#[test]
fn applications_are_curator_instances() -> Outcome {
    let server = Server::start();
    let client = connect(&server);
    let registry = Registry::new(&client, "/dubbo");
    let metadata = BTreeMap::from([("dubbo.metadata.revision".to_owned(), "r1".to_owned())]);
    let held = wait(registry.register_application("app", "10.0.0.1", 20880, &metadata, 7))?;
    assert_eq!(held.path().unwrap(), "/services/app/10.0.0.1:20880");
    let found = wait(registry.applications().instances("app"))?;
    assert_eq!(found.iter().map(application::metadata).collect::<Vec<_>>(), [metadata]);
    Ok(())
}
