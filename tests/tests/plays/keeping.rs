//! Nodes that are kept: with a time to live, and instances of a service as callers see them.

use super::views::insist;
use super::{enough, is_of_the_world, leaves_nothing, perform};
use quorate::client::{ErrorCode, Result, Task, within};
use quorate::recipes::discovery::{Discovery, Provider, Registration, ServiceInstance, Strategy};
use quorate::recipes::persistent::TtlNode;
use quorate_tests::sim::env::{Checked, Violation};
use quorate_tests::sim::history::History;
use quorate_tests::sim::stage::{Part, Play};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI32, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Each process keeps a node with a time to live, and lets it go now and then.
#[derive(Default)]
struct Touching {
    /// From one zxid to another the node must have been there.
    there: Arc<Mutex<Vec<(String, i64, i64)>>>,
    /// Nodes that went when they were not touched any more.
    gone: Arc<AtomicU64>,
}

/// A touch as it was heard of: when, and of what state of the servers.
#[derive(Clone, Copy, Debug)]
struct Heard {
    time: i64,
    zxid: i64,
}

impl Play for Touching {
    fn needs_steady_clock(&self) -> bool {
        true
    }

    fn processes(&self) -> usize {
        2
    }

    fn part(&self, part: Part) -> Task {
        let (there, gone) = (Arc::clone(&self.there), Arc::clone(&self.gone));
        Box::pin(async move {
            let path = format!("/seen/m{}", part.number);
            let node = TtlNode::new(&part.client, &path, TTL).data("up");
            while !part.is_over() {
                let polls = if part.below(4) == 0 { part.below(20) } else { u64::MAX };
                let keeping = part.cut_short(polls, keep(&part, &node, &path, &there));
                if let Some(Err(error)) = keeping.await
                    && !is_of_the_world(&error)
                {
                    part.fail(error.to_string());
                }
                part.client.sleep(Duration::from_millis(part.below(2_000))).await;
            }
            // Where the server looks after such nodes often enough, it is seen to go.
            for _ in 0..40 {
                if matches!(part.client.exists(&path).await, Ok(None)) {
                    gone.fetch_add(1, Relaxed);
                    break;
                }
                part.client.sleep(Duration::from_millis(500)).await;
            }
            leaves_nothing(&part).await;
        })
    }

    fn check(&self, history: &History) -> Checked {
        for (path, from, to) in self.there.lock().unwrap().iter() {
            for zxid in history.states(*from, *to) {
                let node = history.model.at(path, zxid);
                if node.is_none_or(|node| node.data.as_deref() != Some(b"up")) {
                    return Err(Violation(format!("{path} was away at {zxid:#x}: {node:?}")));
                }
            }
        }
        Ok(())
    }
}

/// Keeps the node for a while. Nothing but time can take it away.
async fn keep(
    part: &Part,
    node: &TtlNode,
    path: &str,
    there: &Mutex<Vec<(String, i64, i64)>>,
) -> Result<()> {
    let environment = part.client.environment();
    let touching = node.keep().await?;
    let mut outcomes = touching.outcomes();
    let mut heard: Vec<Heard> = Vec::new();
    for _ in 0..1 + part.below(8) {
        if part.is_over() {
            break;
        }
        match within(&**environment, 3 * TTL, outcomes.next()).await {
            Some(Some(Ok(()))) => {}
            Some(Some(Err(error))) => return Err(error),
            _ => return Ok(()),
        }
        let now = Heard { time: environment.now(), zxid: part.client.last_zxid() };
        // The touch before was sent half the time to live after the one before that was heard of, or later. So the node has outlived it
        // until now, if now is not too late.
        if let [.., first, second] = heard.as_slice()
            && now.time - first.time <= i64::try_from(TTL.as_millis()).unwrap_or(0) * 3 / 2
        {
            there.lock().unwrap().push((path.to_owned(), second.zxid, now.zxid));
        }
        heard.push(now);
    }
    Ok(())
}

/// Instances of a service come and go, and change what they say of themselves; all processes choose among them.
#[derive(Default)]
struct Serving {
    ledger: Arc<Ledger>,
}

#[derive(Default)]
struct Ledger {
    /// Numbers what instances say.
    numbered: AtomicI32,
    /// What each has said, as instance and number; and whether it takes calls then.
    said: Mutex<BTreeSet<(String, i32, bool)>>,
    chosen: AtomicU64,
    content: AtomicUsize,
}

impl Ledger {
    fn say(&self, instance: &mut ServiceInstance, enabled: bool) {
        let number = self.numbered.fetch_add(1, Relaxed);
        instance.port = Some(number);
        instance.enabled = enabled;
        self.said.lock().unwrap().insert((instance.id.clone(), number, enabled));
    }

    fn check(&self, part: &Part, instance: &ServiceInstance) {
        let seen = (instance.id.clone(), instance.port.unwrap_or(-1), instance.enabled);
        if !self.said.lock().unwrap().contains(&seen) {
            part.fail(format!("nobody has said {seen:?}"));
        }
    }
}

impl Play for Serving {
    fn processes(&self) -> usize {
        3
    }

    fn part(&self, part: Part) -> Task {
        let ledger = Arc::clone(&self.ledger);
        Box::pin(async move {
            let discovery = Discovery::new(&part.client, "/services");
            let strategies =
                [Strategy::RoundRobin, Strategy::Random, Strategy::Sticky, Strategy::Weighted];
            let Ok(provider) = discovery.provider("web", strategies[part.number]) else {
                return part.fail("no provider");
            };
            let mut registration = None;
            while !part.is_over() {
                let polls = if part.below(4) == 0 { part.below(20) } else { u64::MAX };
                let acting = act(&part, &discovery, &mut registration, &ledger);
                match part.cut_short(polls, acting).await {
                    Some(Err(error))
                        if !is_of_the_world(&error) && error.code() != ErrorCode::NoNode =>
                    {
                        part.fail(error.to_string());
                    }
                    _ => {}
                }
                look(&part, &provider, &ledger);
                part.client.sleep(Duration::from_millis(part.below(300))).await;
            }
            finish(&part, &discovery, registration, &provider, &ledger).await;
            drop(provider);
            leaves_nothing(&part).await;
        })
    }

    fn check(&self, _: &History) -> Checked {
        Ok(())
    }
}

async fn act(
    part: &Part,
    discovery: &Discovery,
    registration: &mut Option<Registration>,
    ledger: &Ledger,
) -> Result<()> {
    let id = format!("i{}", part.number);
    match (part.below(8), registration.as_mut()) {
        (_, None) => {
            let mut instance = ServiceInstance::new("web", id);
            ledger.say(&mut instance, true);
            *registration = Some(discovery.register(instance).await?);
        }
        (0, _) => *registration = None,
        (1, _) => {
            if let Some(registration) = registration.take() {
                registration.unregister().await;
            }
        }
        // Somebody else's mistake.
        (2, _) => {
            part.client.delete(&format!("/services/web/i{}", part.below(3)), None).await?;
        }
        (n, Some(registration)) => {
            registration.update(|instance| ledger.say(instance, n < 6)).await?;
        }
    }
    Ok(())
}

/// What is chosen was said by somebody, and takes calls.
fn look(part: &Part, provider: &Provider, ledger: &Ledger) {
    for instance in provider.instances() {
        ledger.check(part, &instance);
    }
    if let Some(chosen) = provider.choose() {
        ledger.chosen.fetch_add(1, Relaxed);
        if !chosen.enabled {
            part.fail(format!("{} takes no calls, and was chosen", chosen.id));
        }
    }
}

/// In a calm world everybody sees exactly what is there.
async fn finish(
    part: &Part,
    discovery: &Discovery,
    registration: Option<Registration>,
    provider: &Provider,
    ledger: &Ledger,
) {
    // What was on its way when the world became calm has arrived by then.
    part.settle(Duration::from_secs(10)).await;
    let id = format!("i{}", part.number);
    let registered = match registration {
        Some(registration) => Some(registration),
        None => {
            insist(part, || {
                let mut instance = ServiceInstance::new("web", id.clone());
                ledger.say(&mut instance, true);
                discovery.register(instance)
            })
            .await
        }
    };
    let Some(mut registration) = registered else { return };
    ledger.said.lock().unwrap().insert((id, FINAL, true));
    while let Err(error) = registration
        .update(|instance| (instance.port, instance.enabled) = (Some(FINAL), true))
        .await
    {
        if !is_of_the_world(&error) {
            return part.fail(error.to_string());
        }
    }
    let is_final = || {
        let seen: Vec<_> = provider.instances().iter().map(|it| (it.id.clone(), it.port)).collect();
        let all = ["i0", "i1", "i2"].map(|id| (id.to_owned(), Some(FINAL)));
        (seen == all, seen)
    };
    for _ in 0..1_200 {
        if is_final().0 {
            break;
        }
        part.client.sleep(Duration::from_millis(50)).await;
    }
    if let (false, seen) = is_final() {
        part.fail(format!("not all are there: {seen:?}"));
    }
    ledger.content.fetch_add(1, Relaxed);
    while ledger.content.load(Relaxed) < 3 {
        part.client.sleep(Duration::from_millis(50)).await;
    }
    if part.below(2) == 0 {
        registration.unregister().await;
    }
}

#[test]
fn a_node_with_a_time_to_live_is_there_while_it_is_touched() {
    let plays = perform::<Touching>(24).unwrap_or_else(|failure| panic!("{failure}"));
    let there: usize = plays.iter().map(|play| play.there.lock().unwrap().len()).sum();
    let gone: u64 = plays.iter().map(|play| play.gone.load(Relaxed)).sum();
    enough("times there", there.try_into().unwrap(), 50);
    enough("gone", gone, 10);
}

#[test]
fn callers_see_the_instances_that_there_are() {
    let plays = perform::<Serving>(24).unwrap_or_else(|failure| panic!("{failure}"));
    let chosen: u64 = plays.iter().map(|play| play.ledger.chosen.load(Relaxed)).sum();
    enough("chosen", chosen, 100);
}

const TTL: Duration = Duration::from_secs(2);
/// What all say in the end.
const FINAL: i32 = 1_000_000;
