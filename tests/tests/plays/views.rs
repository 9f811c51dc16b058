//! Views of what others write: values, configurations, caches, memberships.

use super::{enough, is_of_the_world, leaves_nothing, perform};
use quorate::client::{CreateMode, ErrorCode, Result, Task};
use quorate::recipes::cache::Cache;
use quorate::recipes::group::Group;
use quorate::recipes::staged::{Snapshot, StagedConfig};
use quorate::recipes::value::{SharedValue, Subscription};
use quorate_tests::sim::env::{Checked, Violation};
use quorate_tests::sim::history::History;
use quorate_tests::sim::stage::{Part, Play};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What was seen: path, zxid of the write, data.
type Seen = Arc<Mutex<Vec<(String, i64, Vec<u8>)>>>;

/// Begins to follow something, in whatever session. `None` when that is refused for another reason than the world's.
pub(crate) async fn insist<T, F>(part: &Part, begin: impl Fn() -> F) -> Option<T>
where
    F: Future<Output = Result<T>>,
{
    loop {
        match begin().await {
            Ok(begun) => return Some(begun),
            Err(error) if is_of_the_world(&error) => {
                part.client.sleep(Duration::from_millis(20)).await;
            }
            Err(error) => {
                part.fail(error.to_string());
                return None;
            }
        }
    }
}

/// Whether everything that was seen is what had been written.
fn check_seen(seen: &Seen, history: &History) -> Checked {
    for (path, zxid, data) in seen.lock().unwrap().iter() {
        let node = history.model.at(path, *zxid);
        if node.and_then(|node| node.data.as_ref()) != Some(data) {
            return Err(Violation(format!("{path} was never {data:?} at {zxid:#x}: {node:?}")));
        }
    }
    Ok(())
}

/// Processes write a value and follow it. In the end every copy shows what is there.
#[derive(Default)]
struct Following {
    seen: Seen,
    writers: Arc<AtomicUsize>,
}

impl Play for Following {
    fn processes(&self) -> usize {
        3
    }

    fn part(&self, part: Part) -> Task {
        let (seen, writers) = (Arc::clone(&self.seen), Arc::clone(&self.writers));
        Box::pin(async move {
            let value = SharedValue::new(&part.client, VALUE);
            let Some(mut copy) = insist(&part, || value.subscribe()).await else { return };
            let mut newest = 0;
            while !part.is_over() {
                let polls = if part.below(3) == 0 { part.below(8) } else { u64::MAX };
                let text = part.below(1_000).to_string();
                let result = match part.below(3) {
                    0 => {
                        part.cut_short(polls, value.set(text.as_bytes())).await.map(|r| r.map(drop))
                    }
                    1 => match copy.current() {
                        Some(old) => {
                            let set = value.try_set(&old, text.as_bytes());
                            part.cut_short(polls, set).await.map(|r| r.map(drop))
                        }
                        None => None,
                    },
                    _ => {
                        let limit = Duration::from_millis(part.below(500));
                        let environment = part.client.environment();
                        let changed =
                            quorate::client::within(&**environment, limit, copy.changed());
                        part.cut_short(polls, changed).await.flatten().map(|r| r.map(drop))
                    }
                };
                match result {
                    Some(Err(error)) if !is_of_the_world(&error) && !error.outcome_unknown() => {
                        part.fail(error.to_string());
                    }
                    _ => {}
                }
                if let Some(now) = copy.current() {
                    if now.stat.mzxid < newest {
                        part.fail(format!("{:#x} was shown after {newest:#x}", now.stat.mzxid));
                    }
                    newest = now.stat.mzxid;
                    seen.lock().unwrap().push((VALUE.into(), newest, now.data.clone()));
                }
                part.client.sleep(Duration::from_millis(part.below(100))).await;
            }
            writers.fetch_add(1, Relaxed);
            while writers.load(Relaxed) < 3 {
                part.client.sleep(Duration::from_millis(50)).await;
            }
            expect_the_same(&part, &value, &copy).await;
            drop(copy);
            leaves_nothing(&part).await;
        })
    }

    fn check(&self, history: &History) -> Checked {
        check_seen(&self.seen, history)
    }
}

/// In a calm world a copy comes to show what is there.
async fn expect_the_same(part: &Part, value: &SharedValue, copy: &Subscription) {
    let mut differ = String::new();
    for _ in 0..1_200 {
        let Some(there) = insist(part, || value.get()).await else { return };
        let shown = copy.current();
        if shown.as_deref() == there.as_ref() {
            return;
        }
        differ = format!("a copy shows {shown:?}, there is {there:?}");
        part.client.sleep(Duration::from_millis(50)).await;
    }
    part.fail(differ);
}

/// Processes publish configurations of several keys, and read them.
#[derive(Default)]
struct Publishing {
    read: Arc<AtomicU64>,
}

impl Play for Publishing {
    fn processes(&self) -> usize {
        3
    }

    fn part(&self, part: Part) -> Task {
        let read = Arc::clone(&self.read);
        Box::pin(async move {
            let config = StagedConfig::new(&part.client, "/config").keep(2);
            let Some(copy) = insist(&part, || config.subscribe()).await else { return };
            let mut newest = 0;
            while !part.is_over() {
                let polls = if part.below(3) == 0 { part.below(60) } else { u64::MAX };
                let text = part.below(1_000_000).to_string();
                if part.below(2) == 0 {
                    let keys = ["a", "b", "c"].map(|key| (key, text.clone()));
                    match part.cut_short(polls, config.publish(keys)).await {
                        Some(Err(error))
                            if !is_of_the_world(&error) && !error.outcome_unknown() =>
                        {
                            part.fail(format!("published: {error}"));
                        }
                        _ => {}
                    }
                } else {
                    match part.cut_short(polls, config.get()).await {
                        Some(Err(error)) if !is_of_the_world(&error) => {
                            part.fail(format!("read: {error}"));
                        }
                        Some(Ok(Some(snapshot))) => look(&part, &snapshot, &mut 0),
                        _ => {}
                    }
                }
                if let Some(snapshot) = copy.current() {
                    look(&part, &snapshot, &mut newest);
                    read.fetch_add(1, Relaxed);
                }
                part.client.sleep(Duration::from_millis(part.below(200))).await;
            }
            drop(copy);
            leaves_nothing(&part).await;
        })
    }

    fn check(&self, _: &History) -> Checked {
        Ok(())
    }
}

/// All of a version or nothing of it, and never an older one.
fn look(part: &Part, snapshot: &Snapshot, newest: &mut i64) {
    let values: Vec<_> = ["a", "b", "c"].iter().map(|key| snapshot.get(key)).collect();
    if values.iter().any(|value| value.is_none() || *value != values[0]) {
        part.fail(format!("half of a version: {snapshot:?}"));
    }
    if snapshot.token < *newest {
        part.fail(format!("{:#x} was shown after {newest:#x}", snapshot.token));
    }
    *newest = snapshot.token;
}

/// Nodes and their data.
type Nodes = BTreeMap<String, Vec<u8>>;

/// Processes write in a tree and have caches of it, so deep: of a node, of its children too, of everything.
#[derive(Default)]
struct Caching<const DEPTH: usize> {
    seen: Seen,
    writers: Arc<AtomicUsize>,
    /// What the caches showed when all was over.
    last: Arc<Mutex<Vec<Nodes>>>,
}

impl<const DEPTH: usize> Play for Caching<DEPTH> {
    fn processes(&self) -> usize {
        3
    }

    fn part(&self, part: Part) -> Task {
        let (seen, last) = (Arc::clone(&self.seen), Arc::clone(&self.last));
        let writers = Arc::clone(&self.writers);
        Box::pin(async move {
            let cache = match DEPTH {
                0 => Cache::node(&part.client, TREE),
                1 => Cache::children(&part.client, TREE),
                _ => Cache::tree(&part.client, TREE),
            };
            let Ok(cache) = cache.start() else { return };
            let mut newest = BTreeMap::new();
            while !part.is_over() {
                change(&part).await;
                for entry in cache.entries() {
                    let at = newest.entry(entry.path.clone()).or_insert(0);
                    if entry.stat.mzxid < *at {
                        part.fail(format!("{} went back from {at:#x}", entry.path));
                    }
                    *at = entry.stat.mzxid;
                    let data = entry.data.unwrap_or_default().to_vec();
                    seen.lock().unwrap().push((entry.path, *at, data));
                }
                part.client.sleep(Duration::from_millis(part.below(200))).await;
            }
            // No reconnect hides any more that an event was lost.
            for _ in 0..10 {
                change(&part).await;
            }
            // Requests on their way have ended when later ones are answered.
            while part.client.sync("/").await.is_err() {
                part.client.sleep(Duration::from_millis(50)).await;
            }
            writers.fetch_add(1, Relaxed);
            while writers.load(Relaxed) < 3 {
                part.client.sleep(Duration::from_millis(50)).await;
            }
            while part.client.sync("/").await.is_err() || cache.current().await.is_err() {
                part.client.sleep(Duration::from_millis(50)).await;
            }
            // What a connection before the last one has sent may come late.
            part.settle(Duration::from_secs(20)).await;
            let shown = cache.entries().into_iter();
            let data = |data: Option<Arc<[u8]>>| data.unwrap_or_default().to_vec();
            last.lock().unwrap().push(shown.map(|e| (e.path, data(e.data))).collect());
            drop(cache);
            leaves_nothing(&part).await;
        })
    }

    fn check(&self, history: &History) -> Checked {
        check_seen(&self.seen, history)?;
        let all = history.model.all(history.durable()).filter(|(path, _)| {
            path.strip_prefix(TREE).is_some_and(|below| below.matches('/').count() <= DEPTH)
        });
        let data = |node: &quorate_tests::sim::model::Node| node.data.clone().unwrap_or_default();
        let all: Nodes = all.map(|(path, node)| (path.to_owned(), data(node))).collect();
        for shown in self.last.lock().unwrap().iter() {
            if *shown != all {
                return Err(Violation(format!("a cache shows {shown:?}, there is {all:?}")));
            }
        }
        Ok(())
    }
}

async fn change(part: &Part) {
    let client = &part.client;
    let path = match part.below(7) {
        0 => TREE.to_owned(),
        n @ 1..=3 => format!("{TREE}/{n}"),
        n => format!("{TREE}/{}/x", n - 3),
    };
    let text = part.below(1_000).to_string();
    let polls = if part.below(4) == 0 { part.below(3) } else { u64::MAX };
    let result = match part.below(4) {
        0 => part.cut_short(polls, client.delete(&path, None)).await,
        1 => part
            .cut_short(polls, client.set(&path, text.as_bytes(), None))
            .await
            .map(|r| r.map(drop)),
        _ => {
            let create = client.create(&path, text.as_bytes(), CreateMode::Persistent);
            part.cut_short(polls, create).await.map(|r| r.map(drop))
        }
    };
    let expected = [ErrorCode::NoNode, ErrorCode::NodeExists, ErrorCode::NotEmpty];
    if let Some(Err(error)) = result
        && !is_of_the_world(&error)
        && !expected.contains(&error.code())
    {
        part.fail(error.to_string());
    }
}

/// Processes are members of a group. In the end everybody sees exactly all.
#[derive(Default)]
struct Belonging {
    content: Arc<AtomicUsize>,
}

impl Play for Belonging {
    fn processes(&self) -> usize {
        3
    }

    fn part(&self, part: Part) -> Task {
        let content = Arc::clone(&self.content);
        Box::pin(async move {
            let group = Group::new(&part.client, "/group");
            let own = format!("m{}", part.number);
            let mut kept = group.join(&own, "0");
            let Some(members) = insist(&part, || group.members()).await else { return };
            while !part.is_over() {
                match part.below(6) {
                    0 => kept.set(part.below(100).to_string()),
                    1 => {
                        drop(kept);
                        kept = group.join(&own, "0");
                    }
                    2 => {
                        // Somebody else's mistake.
                        let path = format!("/group/m{}", part.below(3));
                        let _ = part.client.delete(&path, None).await;
                    }
                    _ => {}
                }
                part.client.sleep(Duration::from_millis(part.below(500))).await;
            }
            kept.set("final");
            let all = |list: &[quorate::recipes::directory::Entry]| {
                let names: Vec<&str> = list.iter().map(|e| e.name.as_str()).collect();
                names == ["m0", "m1", "m2"] && list.iter().all(|entry| entry.data == b"final")
            };
            let limit = Duration::from_secs(60);
            let environment = Arc::clone(part.client.environment());
            if quorate::client::within(&*environment, limit, members.until(all)).await.is_none() {
                part.fail(format!(
                    "not all are there: {:?}, {:?}",
                    members.entries(),
                    kept.presence()
                ));
            }
            content.fetch_add(1, Relaxed);
            while content.load(Relaxed) < 3 {
                part.client.sleep(Duration::from_millis(50)).await;
            }
            drop((kept, members));
            leaves_nothing(&part).await;
        })
    }

    fn check(&self, _: &History) -> Checked {
        Ok(())
    }
}

#[test]
fn a_value_is_followed_and_never_goes_back() {
    let plays = perform::<Following>(24).unwrap_or_else(|failure| panic!("{failure}"));
    let seen: usize = plays.iter().map(|play| play.seen.lock().unwrap().len()).sum();
    enough("seen", seen.try_into().unwrap(), 1_000);
}

#[test]
fn a_configuration_is_read_as_a_whole() {
    let plays = perform::<Publishing>(24).unwrap_or_else(|failure| panic!("{failure}"));
    let read: u64 = plays.iter().map(|play| play.read.load(Relaxed)).sum();
    enough("read", read, 200);
}

fn perform_caching<const DEPTH: usize>() {
    let plays = perform::<Caching<DEPTH>>(24).unwrap_or_else(|failure| panic!("{failure}"));
    let seen: usize = plays.iter().map(|play| play.seen.lock().unwrap().len()).sum();
    enough("seen", seen.try_into().unwrap(), 300);
}

#[test]
fn a_cache_of_a_node_shows_what_there_is() {
    perform_caching::<0>();
}

#[test]
fn a_cache_of_children_shows_what_there_is() {
    perform_caching::<1>();
}

#[test]
fn a_cache_of_a_tree_shows_what_there_is() {
    perform_caching::<9>();
}

#[test]
fn a_group_has_exactly_its_members() {
    perform::<Belonging>(24).unwrap_or_else(|failure| panic!("{failure}"));
}

const VALUE: &str = "/value";
const TREE: &str = "/tree";
