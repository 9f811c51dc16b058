//! The verbs of the scenarios.

use crate::judge::{Saved, filled_in, judge};
use quorate::client::blocking::wait;
use quorate::client::{
    Builder, Client, CreateMode, CreateOptions, Error, Event, EventType, PartResult, Result, Stat,
    State, States, Transaction, Watch, WatchEvent, WatchMode, Watcher, within,
};
use quorate::recipes::kit::Held;
use quorate::recipes::latch::LeaderLatch;
use quorate::recipes::leader::{Candidate, Leadership};
use quorate::recipes::lock::Lock;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::fmt::Debug;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// No verb takes longer.
const LIMIT: Duration = Duration::from_secs(30);

type Started = JoinHandle<(Value, Option<Hold>)>;

/// One scenario, while it runs.
pub(crate) struct Runner<'a> {
    builder: Box<dyn Fn() -> Builder + 'a>,
    saved: Saved,
    clients: HashMap<String, Client>,
    states: HashMap<String, (States, Vec<String>)>,
    watches: HashMap<String, Watching>,
    holds: HashMap<String, Hold>,
    started: HashMap<String, (Started, String)>,
}

enum Watching {
    Once(Watch),
    Again(Watcher),
}

enum Hold {
    Lock(Box<Held>),
    Term(Candidate, Leadership),
    /// It was released; what it leaves behind can be looked at.
    Left(Leadership),
}

impl<'a> Runner<'a> {
    pub(crate) fn new(builder: Box<dyn Fn() -> Builder + 'a>) -> Self {
        let (saved, clients, states, watches, holds, started) = Default::default();
        Self { builder, saved, clients, states, watches, holds, started }
    }

    /// Does one step and judges its result.
    pub(crate) fn step(&mut self, step: &Value) -> std::result::Result<(), String> {
        let step = filled_in(step, &self.saved);
        let result = self.run(&step).unwrap_or_else(|error| failed(&error));
        judge(&step, &result, &mut self.saved)
    }

    fn run(&mut self, step: &Value) -> Result<Value> {
        let client = || &self.clients[text(step, "client")];
        let path = step["path"].as_str().unwrap_or_default();
        let version = version(step);
        Ok(match text(step, "do") {
            "open" => {
                let client = soon((self.builder)().connect())?;
                self.clients.insert(text(step, "client").to_owned(), client);
                json!({})
            }
            "close" => {
                soon(client().close())?;
                json!({})
            }
            "state" => json!({"state": word(client().state())}),
            "follow" => {
                let states = (client().states(), Vec::new());
                self.states.insert(text(step, "states").to_owned(), states);
                json!({})
            }
            "states" => {
                let (states, seen) = self.states.get_mut(text(step, "states")).unwrap();
                while !seen.iter().any(|state| state == text(step, "until")) {
                    seen.push(word(soon(states.next()).unwrap()));
                }
                json!({"seen": seen})
            }
            "create" => {
                let created = soon(client().create(path, &data(step), options(step)))?;
                json!({"path": created.path, "stat": stat(&created.stat)})
            }
            "get" => {
                let (data, found) = match self.watch_name(step) {
                    None => soon(client().get(path))?,
                    Some(name) => {
                        let (data, found, watch) = soon(client().get_and_watch(path))?;
                        self.watches.insert(name, Watching::Once(watch));
                        (data, found)
                    }
                };
                let hex: String = data.iter().map(|byte| format!("{byte:02x}")).collect();
                json!({"data": String::from_utf8_lossy(&data), "hex": hex, "stat": stat(&found)})
            }
            "set" => json!({"stat": stat(&soon(client().set(path, &data(step), version))?)}),
            "delete" => {
                soon(client().delete(path, version))?;
                json!({})
            }
            "exists" => {
                let found = match self.watch_name(step) {
                    None => soon(client().exists(path))?,
                    Some(name) => {
                        let (found, watch) = soon(client().exists_and_watch(path))?;
                        self.watches.insert(name, Watching::Once(watch));
                        found
                    }
                };
                match found {
                    None => json!({"exists": false}),
                    Some(found) => json!({"exists": true, "stat": stat(&found)}),
                }
            }
            "children" => {
                let (mut names, found) = match self.watch_name(step) {
                    None => soon(client().children(path))?,
                    Some(name) => {
                        let (names, found, watch) = soon(client().children_and_watch(path))?;
                        self.watches.insert(name, Watching::Once(watch));
                        (names, found)
                    }
                };
                names.sort();
                json!({"names": names, "stat": stat(&found)})
            }
            "sync" => {
                soon(client().sync(path))?;
                json!({})
            }
            "await_children" => {
                let (deadline, count) = (Instant::now() + LIMIT, step["count"].as_u64().unwrap());
                while u64::try_from(soon(client().children(path))?.0.len()).unwrap() != count {
                    assert!(Instant::now() < deadline, "there are never {count} children");
                    std::thread::sleep(Duration::from_millis(5));
                }
                json!({})
            }
            "multi" => results(&soon(with_parts(client().multi(), step).commit())?),
            "watch" => {
                let recursive = step["recursive"].as_bool().unwrap();
                let mode = if recursive { WatchMode::Recursive } else { WatchMode::Node };
                let watcher = soon(client().watch(path, mode))?;
                self.watches.insert(text(step, "watch").to_owned(), Watching::Again(watcher));
                json!({})
            }
            "event" => event(&match self.watches.get_mut(text(step, "watch")).unwrap() {
                Watching::Once(watch) => soon(watch)?,
                Watching::Again(watcher) => match soon(watcher.next())? {
                    WatchEvent::Changed(event) => event,
                    WatchEvent::Missed => return Ok(json!({"missed": true})),
                },
            }),
            "unwatch" => {
                self.watches.remove(text(step, "watch")).unwrap();
                json!({})
            }
            "acquire" | "lead" => {
                let (client, own) = (client().clone(), step.clone());
                let started = std::thread::spawn(move || take(&client, &own));
                let hold = text(step, "hold").to_owned();
                match step["start"].as_str() {
                    Some(name) => {
                        self.started.insert(name.to_owned(), (started, hold));
                        json!({})
                    }
                    None => self.finish(started, hold),
                }
            }
            "finish" => {
                let (started, hold) = self.started.remove(text(step, "started")).unwrap();
                self.finish(started, hold)
            }
            "holds" => json!({"holds": match &self.holds[text(step, "hold")] {
                Hold::Lock(held) => held.is_held(),
                Hold::Term(_, term) | Hold::Left(term) => term.holds(),
            }}),
            "lost" => {
                match &self.holds[text(step, "hold")] {
                    Hold::Lock(held) => drop(soon(held.lost())),
                    Hold::Term(_, term) | Hold::Left(term) => soon(term.lost()),
                }
                json!({})
            }
            "guarded" => {
                let guarded = match &self.holds[text(step, "hold")] {
                    Hold::Lock(held) => held.guarded(),
                    Hold::Term(_, term) | Hold::Left(term) => term.guarded(),
                };
                let mut found = soon(with_parts(guarded, step).commit())?;
                found.remove(0);
                results(&found)
            }
            "release" => {
                let name = text(step, "hold");
                match self.holds.remove(name).unwrap() {
                    Hold::Lock(held) => soon(held.release())?,
                    Hold::Term(candidate, term) => {
                        soon(candidate.leave())?;
                        self.holds.insert(name.to_owned(), Hold::Left(term));
                    }
                    Hold::Left(_) => panic!("{name} is released already"),
                }
                json!({})
            }
            verb => panic!("no verb {verb}"),
        })
    }

    fn watch_name(&self, step: &Value) -> Option<String> {
        step["watch"].as_str().map(str::to_owned)
    }

    fn finish(&mut self, started: Started, name: String) -> Value {
        let (result, hold) = started.join().unwrap();
        if let Some(hold) = hold {
            self.holds.insert(name, hold);
        }
        result
    }
}

/// Takes a lock or a leadership.
fn take(client: &Client, step: &Value) -> (Value, Option<Hold>) {
    let limit = step["limit_ms"].as_u64().map_or(LIMIT, Duration::from_millis);
    let none = (json!({"granted": false}), None);
    let path = text(step, "path");
    if text(step, "do") == "acquire" {
        return match wait(Lock::new(client, path).acquire_within(limit)) {
            Err(error) => (failed(&error), None),
            Ok(None) => none,
            Ok(Some(held)) => {
                let result = json!({"granted": true, "token": held.token(), "path": held.path()});
                (result, Some(Hold::Lock(Box::new(held))))
            }
        };
    }
    let candidate = LeaderLatch::new(client, path).id(text(step, "id")).join();
    match wait(within(&**client.environment(), limit, candidate.leads())) {
        Some(Err(error)) => (failed(&error), None),
        None => none,
        Some(Ok(term)) => {
            (json!({"granted": true, "token": term.token()}), Some(Hold::Term(candidate, term)))
        }
    }
}

/// Waits, but not for ever.
fn soon<T: Debug>(future: impl Future<Output = T>) -> T {
    match quorate_bridge::wait(future, Some(LIMIT), LIMIT, || false) {
        quorate_bridge::Waited::Done(value) => value,
        _ => panic!("nothing has come within {LIMIT:?}"),
    }
}

fn text<'a>(step: &'a Value, member: &str) -> &'a str {
    step[member].as_str().unwrap_or_else(|| panic!("{member} is missing in {step}"))
}

fn data(step: &Value) -> Vec<u8> {
    if let Some(hex) = step["hex"].as_str() {
        let pairs = (0..hex.len()).step_by(2);
        return pairs.map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
    }
    text(step, "data").as_bytes().to_vec()
}

fn version(step: &Value) -> Option<i32> {
    step["version"].as_i64().map(|version| i32::try_from(version).unwrap())
}

fn options(step: &Value) -> CreateOptions {
    let mode = match text(step, "mode") {
        "persistent" => CreateMode::Persistent,
        "persistent_sequential" => CreateMode::PersistentSequential,
        "ephemeral" => CreateMode::Ephemeral,
        "ephemeral_sequential" => CreateMode::EphemeralSequential,
        "container" => CreateMode::Container,
        "persistent_ttl" => CreateMode::PersistentWithTtl,
        "persistent_sequential_ttl" => CreateMode::PersistentSequentialWithTtl,
        mode => panic!("no mode {mode}"),
    };
    CreateOptions::new(mode).ttl(Duration::from_millis(step["ttl_ms"].as_u64().unwrap_or(0)))
}

fn with_parts(multi: Transaction, step: &Value) -> Transaction {
    step["parts"].as_array().unwrap().iter().fold(multi, |multi, part| {
        let path = text(part, "path");
        match text(part, "do") {
            "create" => multi.create(path, data(part), options(part)),
            "set" => multi.set(path, data(part), version(part)),
            "delete" => multi.delete(path, version(part)),
            "check" => multi.check(path, version(part)),
            verb => panic!("no part {verb}"),
        }
    })
}

fn results(found: &[PartResult]) -> Value {
    let result = |part: &PartResult| match part {
        PartResult::Created { path, .. } => json!({"path": path}),
        PartResult::Set(found) => json!({"stat": stat(found)}),
        PartResult::Done => json!({}),
    };
    json!({"results": found.iter().map(result).collect::<Vec<_>>()})
}

fn stat(stat: &Stat) -> Value {
    json!({
        "version": stat.version,
        "cversion": stat.cversion,
        "data_length": stat.data_length,
        "num_children": stat.num_children,
        "czxid": stat.czxid,
        "mzxid": stat.mzxid,
    })
}

fn event(event: &Event) -> Value {
    let kind = match event.kind {
        EventType::Created => "created",
        EventType::Deleted => "deleted",
        EventType::DataChanged => "changed",
        EventType::ChildrenChanged => "children",
    };
    json!({"kind": kind, "path": event.path})
}

fn failed(error: &Error) -> Value {
    json!({"error": {
        "name": format!("{:?}", error.code()),
        "code": error.code().code(),
        "path": error.path(),
        "operation": error.operation(),
        "outcome_unknown": error.outcome_unknown(),
        "part": error.part(),
    }})
}

/// A state in the words that all fronts share.
fn word(state: State) -> String {
    let word = match state {
        State::Connecting => "connecting",
        State::Connected => "connected",
        State::ReadOnly => "read_only",
        State::Suspended => "suspended",
        State::Lost => "lost",
        State::Closed => "closed",
        State::AuthFailed => "auth_failed",
    };
    word.to_owned()
}
