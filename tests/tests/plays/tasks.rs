//! Tasks that an elected controller gives to agents, which come and go.

use super::views::insist;
use super::{enough, enough_in_all, is_of_the_world, leaves_nothing, perform, watch_over_term};
use quorate::client::{Error, ErrorCode, Result, Task};
use quorate::recipes::assignment::Assignments;
use quorate::recipes::directory::Directory;
use quorate::recipes::latch::LeaderLatch;
use quorate::recipes::leader::{Candidate, Leadership, Policy, Standing};
use quorate::recipes::persistent::{Kept, Presence};
use quorate_tests::sim::env::{Checked, Violation};
use quorate_tests::sim::history::History;
use quorate_tests::sim::model::Kind;
use quorate_tests::sim::stage::{Part, Play};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Every process is an agent, and stands for controller.
#[derive(Default)]
struct Assigning {
    ledger: Arc<Ledger>,
}

#[derive(Default)]
struct Ledger {
    named: AtomicU64,
    /// Tasks that were given, as their controllers know.
    given: Mutex<BTreeSet<String>>,
    /// Who was told that it has finished a task.
    finished: Mutex<BTreeMap<String, String>>,
    /// Tasks that went from one to another.
    moved: AtomicU64,
    /// Processes that give no more tasks, and those that have seen that all are finished.
    calm: AtomicUsize,
    content: AtomicUsize,
}

/// A process.
struct Agent {
    part: Part,
    name: String,
    ledger: Arc<Ledger>,
    assignments: Assignments,
    latch: LeaderLatch,
    candidate: Candidate,
    last_term: Mutex<Option<Leadership>>,
    registration: Kept,
    agents: Directory,
    tasks: Directory,
}

impl Play for Assigning {
    fn processes(&self) -> usize {
        3
    }

    fn part(&self, part: Part) -> Task {
        let ledger = Arc::clone(&self.ledger);
        Box::pin(async move {
            let Some(mut agent) = Agent::begin(&part, ledger).await else { return };
            while !part.is_over() {
                let polls = if part.below(3) == 0 { part.below(20) } else { u64::MAX };
                let result = part.cut_short(polls, agent.act()).await;
                agent.come_and_go();
                if let Some(Err(error)) = result
                    && !may_come(&error)
                {
                    part.fail(error.to_string());
                }
                part.client.sleep(Duration::from_millis(part.below(50))).await;
            }
            agent.finish_everything().await;
            drop(agent);
            leaves_nothing(&part).await;
        })
    }

    fn check(&self, history: &History) -> Checked {
        let mut places: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        let mut newest = 0;
        for zxid in history.zxids() {
            let mut concerned = BTreeSet::new();
            for change in history.changes(zxid) {
                let Some((place, task)) = place_of(&change.path) else { continue };
                let is_new = !places.contains_key(task);
                let there = places.entry(task).or_default();
                concerned.insert(task);
                match change.kind {
                    Kind::Created => _ = there.insert(place),
                    Kind::Deleted => _ = there.remove(place),
                    Kind::Changed => {}
                }
                let data = history.model.at(&change.path, zxid).and_then(|node| node.data.clone());
                let token = String::from_utf8(data.unwrap_or_default()).unwrap_or_default();
                if is_new {
                    let token = token.parse::<i64>().unwrap_or(0);
                    if token < newest {
                        return Err(Violation(format!(
                            "{task} was given by a controller of before"
                        )));
                    }
                    newest = token;
                }
            }
            if let Some(task) = concerned.iter().find(|task| places[*task].len() != 1) {
                let places = &places[task];
                return Err(Violation(format!("at {zxid:#x} {task} is in {places:?}")));
            }
        }
        let given = self.ledger.given.lock().unwrap();
        if let Some(task) = given.iter().find(|task| !places.contains_key(task.as_str())) {
            return Err(Violation(format!("{task} was given, and is nowhere")));
        }
        for (task, agent) in self.ledger.finished.lock().unwrap().iter() {
            let result = history.model.get(&format!("{ROOT}/results/{task}"));
            let by = result.and_then(|node| node.data.as_deref());
            if by != Some(agent.as_bytes()) {
                return Err(Violation(format!("{agent} has finished {task}, it says {by:?}")));
            }
        }
        Ok(())
    }
}

/// The directory and the task that a node stands for.
fn place_of(path: &str) -> Option<(&str, &str)> {
    let (place, task) = path.strip_prefix(ROOT)?.rsplit_once('/')?;
    let is_place = place == "/results" || place.starts_with("/tasks/");
    is_place.then_some((place, task))
}

/// Whether an error is one that may come: the world's, or that something is another's now.
fn may_come(error: &Error) -> bool {
    is_of_the_world(error) || error.outcome_unknown() || error.code() == ErrorCode::NoNode
}

impl Agent {
    async fn begin(part: &Part, ledger: Arc<Ledger>) -> Option<Self> {
        let name = format!("agent{}", part.number);
        let assignments = Assignments::new(&part.client, ROOT);
        let latch = LeaderLatch::new(&part.client, "/controller").policy(Policy::Session);
        Some(Self {
            candidate: latch.join(),
            last_term: Mutex::default(),
            registration: assignments.register(&name, ""),
            agents: insist(part, || assignments.agents()).await?,
            tasks: insist(part, || assignments.tasks(&name)).await?,
            part: part.clone(),
            name,
            ledger,
            assignments,
            latch,
        })
    }

    async fn act(&self) -> Result<()> {
        let part = &self.part;
        if part.below(3) == 0 {
            return self.work().await;
        }
        let Some(term) = self.term() else { return Ok(()) };
        let token = term.token();
        let controller = self.assignments.clone().led_by(term);
        let there: Vec<String> =
            self.agents.entries().iter().map(|entry| entry.name.clone()).collect();
        let some = |but: &str| {
            let others: Vec<&String> = there.iter().filter(|name| *name != but).collect();
            let at = part.below(others.len().max(1) as u64);
            others.get(usize::try_from(at).unwrap_or(0)).map(|name| (*name).clone())
        };
        let old = format!("agent{}", part.below(3));
        if part.below(3) > 0 {
            let Some(agent) = some("") else { return Ok(()) };
            let task = format!("task{}", self.ledger.named.fetch_add(1, Relaxed));
            controller.assign(&agent, &task, token.to_string().as_bytes()).await?;
            self.ledger.given.lock().unwrap().insert(task);
        } else if let Some(new) = some(&old) {
            let moved = controller.reassign(&old, |_| new.clone()).await?;
            self.ledger.moved.fetch_add(u64::try_from(moved).unwrap_or(0), Relaxed);
        }
        Ok(())
    }

    /// The term in which it leads. Now and then the last one, as if it had slept since.
    fn term(&self) -> Option<Leadership> {
        let mut last = self.last_term.lock().unwrap();
        match self.candidate.standing() {
            Standing::Leading(term) => {
                if last.as_ref().is_none_or(|last| last.token() != term.token()) {
                    watch_over_term(&self.part, &term);
                }
                Some(last.insert(term).clone())
            }
            _ => last.take_if(|_| self.part.below(4) == 0),
        }
    }

    /// Finishes the first of its tasks.
    async fn work(&self) -> Result<()> {
        let Some(task) = self.tasks.entries().first().map(|entry| entry.name.clone()) else {
            return Ok(());
        };
        self.assignments.finish(&self.name, &task, self.name.as_bytes()).await?;
        self.ledger.finished.lock().unwrap().insert(task, self.name.clone());
        Ok(())
    }

    /// Leaves and comes back, as a candidate or as an agent.
    fn come_and_go(&mut self) {
        let refused = matches!(self.candidate.standing(), Standing::Ended(_));
        if refused || self.part.below(20) == 0 {
            self.candidate = self.latch.join();
        }
        let refused = matches!(self.registration.presence(), Presence::Ended(_));
        if refused || self.part.below(20) == 0 {
            self.registration = self.assignments.register(&self.name, "");
        }
    }

    /// In a calm world everything is finished, when everybody has stopped to give tasks.
    async fn finish_everything(&self) {
        self.ledger.calm.fetch_add(1, Relaxed);
        let mut content = false;
        while self.ledger.content.load(Relaxed) < 3 {
            if let Err(error) = self.work().await
                && !may_come(&error)
            {
                self.part.fail(error.to_string());
            }
            let calm = self.ledger.calm.load(Relaxed) == 3;
            if calm && !content && matches!(self.is_all_done().await, Ok(true)) {
                content = true;
                self.ledger.content.fetch_add(1, Relaxed);
            }
            self.part.client.sleep(Duration::from_millis(20)).await;
        }
    }

    async fn is_all_done(&self) -> Result<bool> {
        self.part.client.sync(ROOT).await?;
        for number in 0..3 {
            match self.part.client.children(&format!("{ROOT}/tasks/agent{number}")).await {
                Ok((tasks, _)) if tasks.is_empty() => {}
                Ok(_) => return Ok(false),
                Err(error) if error.code() == ErrorCode::NoNode => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}

#[test]
fn a_task_is_with_one_agent_until_it_is_finished_once() {
    let plays = perform::<Assigning>(40).unwrap_or_else(|failure| panic!("{failure}"));
    let sum = |of: fn(&Ledger) -> u64| -> u64 { plays.iter().map(|play| of(&play.ledger)).sum() };
    let finished = sum(|ledger| ledger.finished.lock().unwrap().len() as u64);
    let moved = sum(|ledger| ledger.moved.load(Relaxed));
    enough("finished", finished, 100);
    enough_in_all("moved", moved, 20);
}

const ROOT: &str = "/system";
