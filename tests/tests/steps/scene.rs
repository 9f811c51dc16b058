//! The play of one use of a recipe: a rival who has it first, the subject to whom something happens, and a witness who uses it in the end.

use quorate::client::{Client, Error, ErrorCode, Result, Task};
use quorate::recipes::kit::Held;
use quorate_tests::sim::env::{Checked, Violation};
use quorate_tests::sim::history::History;
use quorate_tests::sim::stage::{Blow, Left, Part, Play, Steps};
use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What one of them does. `None` when something was wrong, or when it was dropped.
pub(crate) type Role = fn(Scene) -> Pin<Box<dyn Future<Output = Option<()>> + Send>>;

/// A use of a recipe.
#[derive(Clone, Copy)]
pub(crate) struct Drill {
    /// Another client, before: it calls [`Scene::ready`] when the subject may begin.
    pub(crate) rival: Role,
    /// Has one [`Scene::act`], at whose steps things happen.
    pub(crate) subject: Role,
    /// The other client again, when the subject is done. The subject's session lives on.
    pub(crate) witness: Role,
}

/// Nodes, without what chance makes of their names: how many there are of each.
pub(crate) type Nodes = BTreeMap<String, usize>;

/// A drill with one blow.
pub(crate) struct Rehearsal {
    drill: Drill,
    blow: Blow,
    /// What may be there in the end.
    nodes: Option<Nodes>,
    shared: Arc<Shared>,
    left: Mutex<Nodes>,
}

/// What the processes tell each other.
#[derive(Debug, Default)]
struct Shared {
    ready: AtomicBool,
    acting: AtomicBool,
    /// The rival is done, the subject, the witness.
    done: [AtomicBool; 3],
    /// Somebody has it alone.
    occupied: AtomicBool,
    succeeded: AtomicBool,
    /// The subject was told that nothing has happened.
    refused: AtomicBool,
    steps: Mutex<Steps>,
}

/// What a process sees of it.
#[derive(Clone)]
pub(crate) struct Scene {
    pub(crate) part: Part,
    pub(crate) client: Client,
    pub(crate) blow: Blow,
    shared: Arc<Shared>,
}

impl Rehearsal {
    pub(crate) fn new(drill: &Drill, blow: Blow, nodes: Option<Nodes>) -> Self {
        let (shared, left) = (Arc::default(), Mutex::default());
        Self { drill: *drill, blow, nodes, shared, left }
    }

    pub(crate) const fn blow(&self) -> Blow {
        self.blow
    }

    pub(crate) fn outcome(&self) -> (Steps, Nodes) {
        (*self.shared.steps.lock().unwrap(), self.left.lock().unwrap().clone())
    }
}

impl Play for Rehearsal {
    fn processes(&self) -> usize {
        2
    }

    fn needs_steady_clock(&self) -> bool {
        true
    }

    fn part(&self, part: Part) -> Task {
        let scene = Scene {
            client: part.client.clone(),
            part,
            blow: self.blow,
            shared: Arc::clone(&self.shared),
        };
        if scene.part.number == 0 {
            Box::pin(scene.subject(self.drill.subject))
        } else {
            Box::pin(scene.other(self.drill.rival, self.drill.witness))
        }
    }

    fn check(&self, history: &History) -> Checked {
        let mut left = Nodes::new();
        for (path, _) in history.model.all(history.durable()) {
            *left.entry(plain(path)).or_default() += 1;
        }
        if let Some(nodes) = &self.nodes {
            let most = |path: &String| nodes.get(path).copied().unwrap_or(0);
            if let Some((path, n)) = left.iter().find(|(path, n)| **n > most(path)) {
                let most = most(path);
                return Err(Violation(format!("{n} nodes {path} are left, {most} without harm")));
            }
        }
        *self.left.lock().unwrap() = left;
        Ok(())
    }
}

impl Scene {
    async fn subject(self, role: Role) {
        self.connect().await;
        self.until(&self.shared.ready).await;
        let done = role(self.clone()).await;
        if self.blow == Blow::None && done.is_none() {
            self.part.fail("it fails in a calm world");
        }
        self.until(&self.shared.done[0]).await;
        self.vacate();
        self.leaves_nothing("the subject").await;
        self.shared.done[1].store(true, Relaxed);
        self.until(&self.shared.done[2]).await;
        if matches!(
            self.blow,
            Blow::None | Blow::DropBefore(_) | Blow::DropAfter(_) | Blow::Lose(_)
        ) && self.client.counters().session.lost > 0
        {
            self.part.fail("the session was lost");
        }
    }

    async fn other(self, rival: Role, witness: Role) {
        self.connect().await;
        if rival(self.clone()).await.is_none() {
            self.part.fail("the rival fails");
        }
        self.ready();
        self.shared.done[0].store(true, Relaxed);
        self.until(&self.shared.done[1]).await;
        let environment = Arc::clone(self.client.environment());
        let limit = Duration::from_secs(20);
        match quorate::client::within(&*environment, limit, witness(self.clone())).await {
            None => self.part.fail("the witness waits for ever"),
            Some(None) => self.part.fail("the witness fails"),
            Some(Some(())) => {}
        }
        self.leaves_nothing("the witness").await;
        self.shared.done[2].store(true, Relaxed);
    }

    async fn connect(&self) {
        if let Err(error) = self.client.connected().await {
            self.part.fail(error.to_string());
        }
    }

    async fn until(&self, flag: &AtomicBool) {
        while !flag.load(Relaxed) {
            self.client.sleep(Duration::from_millis(10)).await;
        }
    }

    /// The subject may begin.
    pub(crate) fn ready(&self) {
        self.shared.ready.store(true, Relaxed);
    }

    /// Waits until the subject may begin, and then for what it can do without this one.
    pub(crate) async fn pause(&self) {
        self.ready();
        self.until(&self.shared.acting).await;
        self.client.sleep(Duration::from_millis(50)).await;
    }

    /// What the subject does, at one of whose steps something happens to it. That must not make it fail, unless the session is over.
    pub(crate) async fn act<T>(&self, future: impl Future<Output = Result<T>>) -> Option<T> {
        self.undergo(future, |_| false).await
    }

    /// The same with something of which nobody may know whether it has happened when an answer is lost.
    pub(crate) async fn act_unsure<T>(&self, future: impl Future<Output = Result<T>>) -> Option<T> {
        self.undergo(future, Error::outcome_unknown).await
    }

    /// The same with something that the loss of a connection ends.
    pub(crate) async fn act_once<T>(&self, future: impl Future<Output = Result<T>>) -> Option<T> {
        self.undergo(future, Error::is_connection_loss).await
    }

    async fn undergo<T>(
        &self,
        future: impl Future<Output = Result<T>>,
        may_come: fn(&Error) -> bool,
    ) -> Option<T> {
        self.shared.acting.store(true, Relaxed);
        let (result, steps) = self.part.undergo(self.blow, future).await;
        *self.shared.steps.lock().unwrap() = steps;
        match result? {
            Ok(value) => {
                self.shared.succeeded.store(true, Relaxed);
                Some(value)
            }
            Err(error) => {
                // With the session, its nodes are gone.
                let is_over = matches!(self.blow, Blow::Silence(_) | Blow::Sleep(_))
                    && (error.is_session_end()
                        || error.is_connection_loss()
                        || error.code() == ErrorCode::NoNode);
                if !is_over && !may_come(&error) {
                    self.part.fail(format!("{error}"));
                }
                self.shared.refused.store(!error.outcome_unknown(), Relaxed);
                None
            }
        }
    }

    /// Whether the subject's act has ended well.
    pub(crate) fn succeeded(&self) -> bool {
        self.shared.succeeded.load(Relaxed)
    }

    /// Whether something that happens at most once may have happened so many times, after what the subject was told.
    pub(crate) fn may_have_happened(&self, times: usize) -> bool {
        match times {
            0 => !self.succeeded(),
            1 => !self.shared.refused.load(Relaxed),
            _ => false,
        }
    }

    /// The value of what nothing may go wrong with.
    pub(crate) fn ok<T>(&self, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.part.fail(format!("{error}"))).ok()
    }

    /// Something that one has alone was granted.
    pub(crate) fn occupy(&self, held: &Held) {
        if self.shared.occupied.swap(true, Relaxed) && held.is_held() {
            self.part.fail(format!("{held:?} was granted, and another has it"));
        }
        self.watch_over(held);
    }

    /// The same for a leader.
    pub(crate) fn occupy_alone(&self) {
        if self.shared.occupied.swap(true, Relaxed) {
            self.part.fail("two lead");
        }
    }

    /// It is about to be given back, or may be lost.
    pub(crate) fn vacate(&self) {
        self.shared.occupied.store(false, Relaxed);
    }

    /// Has the stage look after it.
    pub(crate) fn watch_over(&self, held: &Held) {
        let (lifetime, lost) = (held.lifetime().clone(), held.lost());
        let lost: Task = Box::pin(async move { _ = lost.await });
        self.part.watch_over(held.path(), move || lifetime.is_alive(), Some(lost));
    }

    /// Nothing is left of what was done under a session that lives.
    async fn leaves_nothing(&self, who: &str) {
        let mut left = String::new();
        for _ in 0..100 {
            let nodes = match self.client.ephemerals("/").await {
                Ok(nodes) => nodes,
                Err(error) => vec![error.to_string()],
            };
            let (counters, there) = (self.client.counters(), self.part.left());
            // This task, and the one that waits for the end of the session.
            let nothing = Left { tasks: 2, watches: 0 };
            let mine = (counters.in_flight, counters.watches);
            if nodes.is_empty() && mine == (0, 0) && there == nothing {
                return;
            }
            left = format!("{nodes:?}, (requests, watches): {mine:?}, {there:?}");
            self.client.sleep(Duration::from_millis(50)).await;
        }
        self.part.fail(format!("left behind by {who}: {left}"));
    }
}

/// Nobody.
pub(crate) async fn nobody(scene: Scene) -> Option<()> {
    scene.ready();
    Some(())
}

/// A path without numbers and ids.
fn plain(path: &str) -> String {
    let mut plain = String::new();
    let is_id = |c: char| c.is_ascii_hexdigit() || c == '-';
    for name in path.split('/').skip(1) {
        plain.push('/');
        let mut rest = name;
        while !rest.is_empty() {
            let run: usize = rest.chars().take_while(|c| is_id(*c)).map(char::len_utf8).sum();
            if run >= 10 {
                plain.push('#');
            } else {
                let end = run + rest[run..].chars().next().map_or(0, char::len_utf8);
                plain.push_str(&rest[..end]);
                rest = &rest[end..];
                continue;
            }
            rest = &rest[run..];
        }
    }
    plain
}
