//! The service registry.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "support/gate.rs"]
mod gate;
#[path = "support/tasks.rs"]
mod tasks;

use gate::Gate;
use quorate::client::blocking::wait;
use quorate::client::{Client, CreateMode, ErrorCode};
use quorate::recipes::discovery::{
    Discovery, Payload, Provider, ServiceInstance, ServiceType, Strategy, weight,
};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tasks::Server;

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Long enough for anything that has to happen.
const PATIENCE: Duration = Duration::from_secs(60);
const BASE: &str = "/discovery";

fn connect(server: &Server) -> Client {
    wait(server.client().connect()).unwrap()
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "in time: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn instance(id: &str, port: i32) -> ServiceInstance {
    ServiceInstance { port: Some(port), ..ServiceInstance::new("svc", id) }
}

fn ports(provider: &Provider) -> Vec<i32> {
    provider.available().iter().filter_map(|instance| instance.port).collect()
}

fn provider(client: &Client, strategy: Strategy) -> Provider {
    let provider = Discovery::new(client, BASE).provider("svc", strategy).unwrap();
    wait(provider.ready()).unwrap();
    provider
}

#[test]
fn instances_come_change_and_go() -> Outcome {
    let server = Server::start();
    let (a, b) = (connect(&server), connect(&server));
    let discovery = Discovery::new(&a, BASE);
    let list = provider(&b, Strategy::RoundRobin);
    assert!(list.choose().is_none());
    let mut one = wait(discovery.register(instance("one", 1)))?;
    let two = wait(discovery.register(instance("two", 2)))?;
    eventually("both", || ports(&list) == [1, 2]);
    assert_eq!(one.path().unwrap(), "/discovery/svc/one");
    // As Curator writes it.
    let (data, stat) = wait(b.get("/discovery/svc/one"))?;
    let text = r#"{"name":"svc","id":"one","address":null,"port":1,"sslPort":null,"payload":null,"registrationTimeUTC":0,"serviceType":"DYNAMIC","uriSpec":null}"#;
    assert_eq!(String::from_utf8(data)?, text);
    assert_eq!(stat.ephemeral_owner, a.session_id());

    wait(one.update(|instance| instance.port = Some(3)))?;
    eventually("the update", || ports(&list) == [3, 2]);
    wait(one.drain())?;
    eventually("drained", || ports(&list) == [2]);
    assert_eq!(list.instances().len(), 2, "still listed");
    wait(one.resume())?;
    eventually("resumed", || ports(&list) == [3, 2]);
    wait(two.unregister());
    assert_eq!(wait(b.exists("/discovery/svc/two"))?, None);
    drop(one);
    eventually("nobody", || list.instances().is_empty());
    assert_eq!(wait(discovery.services())?, ["svc"]);
    Ok(())
}

#[test]
fn a_dead_instance_leaves_every_list() -> Outcome {
    let server = Server::start();
    let builder = server.client().session_timeout(tasks::SHORT_LIFE);
    let (a, b) = (wait(builder.connect())?, connect(&server));
    let list = provider(&b, Strategy::RoundRobin);
    let _registration = wait(Discovery::new(&a, BASE).register(instance("x", 1)))?;
    eventually("there", || ports(&list) == [1]);
    a.abandon();
    eventually("gone", || list.instances().is_empty());
    Ok(())
}

#[test]
fn a_new_session_registers_again() -> Outcome {
    let server = Server::start();
    let gate = Gate::start(server.address().unwrap());
    let own = Client::builder().servers(&gate.address()).session_timeout(tasks::SHORT_LIFE);
    let (own, other) = (wait(own.connect())?, connect(&server));
    let discovery = Discovery::new(&own, BASE);
    let types = [ServiceType::Dynamic, ServiceType::DynamicSequential, ServiceType::Static];
    let mut registrations = Vec::new();
    for (port, service_type) in (1..).zip(types) {
        let instance = ServiceInstance { service_type, ..instance(service_type.name(), port) };
        registrations.push(wait(discovery.register(instance))?);
    }
    let list = provider(&other, Strategy::RoundRobin);
    eventually("all", || ports(&list) == [1, 2, 3]);
    let (old, lost) = (own.session_id(), own.counters().session.lost);
    gate.block();
    eventually("lost", || own.counters().session.lost > lost);
    eventually("gone", || ports(&list) == [3]);
    gate.unblock();
    eventually("again", || ports(&list) == [1, 2, 3]);
    assert_ne!(own.session_id(), old);
    // What is permanent stays when the owner goes, unless it is told to go.
    let last = registrations.pop().unwrap();
    drop(registrations);
    eventually("the static one", || ports(&list) == [3]);
    wait(last.unregister());
    eventually("none", || ports(&list).is_empty());
    Ok(())
}

/// apache/curator #1018 and its like: the node of an earlier session is still there when the next one registers.
#[test]
fn the_node_of_an_earlier_session_is_replaced() -> Outcome {
    let server = Server::start();
    let (old, new) = (connect(&server), connect(&server));
    let first = wait(Discovery::new(&old, BASE).register(instance("x", 1)))?;
    old.abandon();
    let second = wait(Discovery::new(&new, BASE).register(instance("x", 2)))?;
    let (_, stat) = wait(new.get(&second.path().unwrap()))?;
    assert_eq!(stat.ephemeral_owner, new.session_id());
    drop(first);
    Ok(())
}

/// Somebody's mistake is put right, whatever kind of node it was.
#[test]
fn what_somebody_deletes_is_registered_again() -> Outcome {
    let server = Server::start();
    let (own, other) = (connect(&server), connect(&server));
    let discovery = Discovery::new(&own, BASE);
    let types = [ServiceType::Dynamic, ServiceType::DynamicSequential, ServiceType::Static];
    let mut registrations = Vec::new();
    for (port, service_type) in (1..).zip(types) {
        let instance = ServiceInstance { service_type, ..instance(service_type.name(), port) };
        registrations.push(wait(discovery.register(instance))?);
    }
    let list = provider(&other, Strategy::RoundRobin);
    let last = registrations.last().unwrap().path().unwrap();
    let made = || wait(other.exists(&last)).ok().flatten().map_or(0, |stat| stat.czxid);
    let first = made();
    for registration in &mut registrations {
        wait(registration.update(|instance| instance.port = instance.port.map(|port| port + 10)))?;
        wait(other.delete(&registration.path().unwrap(), None))?;
    }
    // The list alone may still be that of before.
    eventually("made again", || made() > first);
    eventually("again", || ports(&list) == [11, 12, 13]);
    // What others write stays until the owner has something to say.
    let third = registrations.last_mut().unwrap();
    eventually("its owner knows", || third.path().is_some());
    let path = third.path().unwrap();
    wait(other.set(&path, b"a remark", None))?;
    wait(discovery.instances("svc"))?;
    assert_eq!(wait(other.get(&path))?.0, b"a remark");
    wait(third.update(|instance| instance.port = Some(23)))?;
    eventually("said again", || ports(&list) == [11, 12, 23]);
    for registration in registrations {
        wait(registration.unregister());
    }
    eventually("none", || ports(&list).is_empty());
    Ok(())
}

/// Two of a name do not take it from each other again and again: who came last has it, and the other comes back afterwards.
#[test]
fn who_registers_last_has_the_name() -> Outcome {
    let server = Server::start();
    let (a, b) = (connect(&server), connect(&server));
    let _first = wait(Discovery::new(&a, BASE).register(instance("x", 1)))?;
    let second = wait(Discovery::new(&b, BASE).register(instance("x", 2)))?;
    let (_, won) = wait(b.get(&second.path().unwrap()))?;
    let list = provider(&b, Strategy::RoundRobin);
    std::thread::sleep(Duration::from_millis(50));
    let (_, now) = wait(b.get(&second.path().unwrap()))?;
    assert_eq!((ports(&list), now.czxid), (vec![2], won.czxid));
    wait(second.unregister());
    eventually("the first again", || ports(&list) == [1]);
    Ok(())
}

#[test]
fn strategies_choose_as_they_say() -> Outcome {
    let server = Server::start();
    let client = connect(&server);
    let discovery = Discovery::new(&client, BASE);
    let mut held = Vec::new();
    for port in 1..=3 {
        let mut one = wait(discovery.register(instance(&port.to_string(), port)))?;
        wait(one.set_weight(u32::try_from(port - 1)? * 10))?;
        held.push(one);
    }
    let counts = |provider: &Provider, n: usize| {
        let mut counts = BTreeMap::new();
        for _ in 0..n {
            *counts.entry(provider.choose().unwrap().port.unwrap()).or_insert(0) += 1;
        }
        counts
    };
    let of = |strategy| {
        let provider = provider(&client, strategy);
        eventually("weights", || provider.instances().iter().all(|one| weight(&one.payload) != 1));
        provider
    };
    assert_eq!(counts(&of(Strategy::RoundRobin), 30), BTreeMap::from([(1, 10), (2, 10), (3, 10)]));
    assert_eq!(counts(&of(Strategy::Random), 300).len(), 3);
    let sticky = of(Strategy::Sticky);
    let first = counts(&sticky, 50);
    assert_eq!(first.len(), 1);
    let weighted = counts(&of(Strategy::Weighted), 3_000);
    assert_eq!(weighted.get(&1), None);
    assert!((800..1_200).contains(&weighted[&2]), "{weighted:?}");
    // The one that stuck goes: another is chosen, and kept.
    let port = *first.keys().next().unwrap();
    let at = held.iter().position(|one| one.instance().port == Some(port)).unwrap();
    wait(held.remove(at).unregister());
    eventually("two", || sticky.instances().len() == 2);
    let second = counts(&sticky, 50);
    assert!(second.len() == 1 && !second.contains_key(&port));
    Ok(())
}

#[test]
fn errors_keep_an_instance_out_for_a_while() -> Outcome {
    let server = Server::start();
    let client = connect(&server);
    let discovery = Discovery::new(&client, BASE);
    let _one = wait(discovery.register(instance("one", 1)))?;
    let _two = wait(discovery.register(instance("two", 2)))?;
    let list = provider(&client, Strategy::RoundRobin).down_after(2, Duration::from_millis(300));
    eventually("both", || ports(&list) == [1, 2]);
    let bad = list.instances()[0].clone();
    list.report_error(&bad);
    assert_eq!(ports(&list), [1, 2], "one error is none");
    list.report_error(&bad);
    assert_eq!(ports(&list), [2]);
    assert_eq!(list.choose().unwrap().port, Some(2));
    eventually("the window is over", || ports(&list) == [1, 2]);
    Ok(())
}

#[test]
fn what_is_no_instance_is_left_out() -> Outcome {
    let server = Server::start();
    let client = connect(&server);
    let discovery = Discovery::new(&client, BASE);
    let one = wait(discovery.register(instance("one", 1)))?;
    wait(client.create("/discovery/svc/noise", b"[1", CreateMode::Persistent))?;
    let list = provider(&client, Strategy::RoundRobin);
    assert_eq!((ports(&list), wait(discovery.instances("svc"))?.len()), (vec![1], 1));
    for bad in ["", "a/b", "."] {
        let error = wait(discovery.register(instance(bad, 1))).unwrap_err();
        assert_eq!(error.code(), ErrorCode::BadArguments);
    }
    let mut text = one.instance().clone();
    text.payload = Payload::Text("mine".into());
    let mut other = wait(discovery.register(ServiceInstance { id: "other".into(), ..text }))?;
    assert_eq!(wait(other.set_weight(2)).unwrap_err().code(), ErrorCode::BadArguments);
    Ok(())
}
