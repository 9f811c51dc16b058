//! The task of a cache: asks what the plan wants to know, and hands it what comes.
//!
//! Requests and watches report to one inbox, in the order in which the server sent them. The task ends when the
//! cache's last handle is dropped, or the client is closed.

use super::entry::{Change, Hub};
use super::plan::{Answer, Kind, Plan, Work, refusal};
use super::{Options, Phase};
use crate::client::{
    Client, Completion, Error, ErrorCode, Inbox, Notice, Part, Reply, Request, Result,
    Task as Timer, WatchKey,
};
use slab::Slab;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;
use tokio::sync::watch;

/// What the task and the handles share.
#[derive(Debug)]
pub(super) struct Core {
    plan: Mutex<Plan>,
    pub(super) hub: Arc<Hub>,
    pub(super) phase: watch::Sender<Phase>,
    bell: Arc<Bell>,
}

/// Wakes the task.
#[derive(Debug, Default)]
struct Bell {
    waker: Mutex<Option<Waker>>,
    closed: AtomicBool,
}

/// The task's own.
pub(super) struct Task {
    core: Arc<Core>,
    client: Client,
    options: Options,
    inbox: Arc<Inbox>,
    flights: Slab<Work>,
    /// The persistent watch.
    watch: Option<WatchKey>,
    /// One-shot watches by node, on data and on children.
    armed: BTreeMap<String, [Option<WatchKey>; 2]>,
    one_shot: bool,
    /// Names the watches of the present session in their events.
    epoch: u64,
    is_armed: bool,
    timer: Option<(Timer, Due)>,
    batch: usize,
    max_batch: usize,
}

/// What happens when the time has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    /// The walk begins.
    Walk,
    /// The watch is set again.
    Arm,
    /// Requests go on.
    Pump,
}

impl Core {
    pub(super) fn new(plan: Plan, hub: Arc<Hub>) -> Arc<Self> {
        let phase = watch::Sender::new(Phase::default());
        Arc::new(Self { plan: Mutex::new(plan), hub, phase, bell: Arc::default() })
    }

    pub(super) fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last handle is gone.
    pub(super) fn close(&self) {
        self.bell.closed.store(true, Ordering::Release);
        self.bell.ring();
    }
}

impl Bell {
    fn ring(&self) {
        let waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Task {
    pub(super) fn new(core: Arc<Core>, client: Client, options: Options) -> Self {
        let bell = Arc::clone(&core.bell);
        let inbox = Arc::new(Inbox::new(Some(Box::new(move || bell.ring()))));
        Self {
            core,
            client,
            inbox,
            flights: Slab::new(),
            watch: None,
            armed: BTreeMap::new(),
            one_shot: options.one_shot,
            epoch: 0,
            is_armed: false,
            timer: None,
            batch: FIRST_BATCH,
            max_batch: MAX_BATCH,
            options,
        }
    }

    /// Runs until nobody needs the cache, or it cannot go on.
    pub(super) async fn run(mut self) {
        let mut outcome = self.arm().and_then(|()| self.pump());
        while outcome.is_ok() {
            let Some(completions) = self.wait().await else { break };
            outcome = self.take(completions).and_then(|()| self.pump());
        }
        self.forget_watches();
        if let Err(error) = outcome {
            self.core.phase.send_modify(|phase| {
                phase.current = false;
                phase.ended = Some(error.clone());
            });
            self.core.hub.tell(&[Change::Ended(error)]);
        }
    }

    /// Waits until something came or the timer is due, which gives an empty list. `None` when nobody needs the cache.
    async fn wait(&mut self) -> Option<Vec<Completion>> {
        poll_fn(|context| {
            let bell = &self.core.bell;
            *bell.waker.lock().unwrap_or_else(PoisonError::into_inner) =
                Some(context.waker().clone());
            if bell.closed.load(Ordering::Acquire) {
                return Poll::Ready(None);
            }
            let completions = self.inbox.take();
            if !completions.is_empty() {
                return Poll::Ready(Some(completions));
            }
            match &mut self.timer {
                Some((timer, _)) => timer.as_mut().poll(context).map(|()| Some(Vec::new())),
                None => Poll::Pending,
            }
        })
        .await
    }

    fn take(&mut self, completions: Vec<Completion>) -> Result<()> {
        if completions.is_empty() {
            return match self.timer.take() {
                Some((_, Due::Walk)) => {
                    self.core.plan().start();
                    Ok(())
                }
                Some((_, Due::Arm)) => self.arm(),
                Some((_, Due::Pump)) | None => Ok(()),
            };
        }
        let core = Arc::clone(&self.core);
        let mut plan = core.plan();
        let mut outcome = Ok(());
        for completion in completions {
            outcome = match completion {
                Completion::Done { token: ARM, result } => self.armed(&mut plan, result),
                Completion::Done { token, result } => self.answered(&mut plan, token, result),
                Completion::Event { token, notice } if token == self.epoch => {
                    self.noticed(&mut plan, notice)
                }
                Completion::Event { .. } => Ok(()),
            };
            if outcome.is_err() {
                break;
            }
        }
        let changes = plan.take_changes();
        if !changes.is_empty() {
            self.core.hub.tell(&changes);
        }
        outcome
    }

    /// Sets the watch, before anything is read.
    fn arm(&mut self) -> Result<()> {
        self.forget_watches();
        self.epoch += 1;
        self.is_armed = false;
        self.unsettled();
        if self.one_shot {
            let core = Arc::clone(&self.core);
            let mut plan = core.plan();
            plan.one_shot = true;
            self.is_armed = true;
            self.begin(&mut plan);
            return Ok(());
        }
        let watch = self.client.watch_to(&self.inbox, self.epoch);
        self.watch = Some(watch);
        let recursive = self.options.limits.depth > 0;
        let path = &self.options.path;
        self.client.submit_to(&self.inbox, &Request::AddWatch { path, recursive, watch }, ARM)
    }

    fn armed(&mut self, plan: &mut Plan, result: Result<Reply>) -> Result<()> {
        match result {
            Ok(_) => {
                self.is_armed = true;
                self.begin(plan);
            }
            Err(error) if error.code() == ErrorCode::Unimplemented => {
                tracing::debug!(
                    "the server has no persistent watches: one-shot watches have to do"
                );
                self.one_shot = true;
                self.max_batch = 1;
                self.delay(Due::Arm, Duration::ZERO);
            }
            Err(error) if is_passing(&error) => self.delay(Due::Arm, PAUSE),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Everything is to be looked at; later, if clients are to be spread.
    fn begin(&mut self, plan: &mut Plan) {
        plan.doubt();
        self.unsettled();
        let spread = u64::try_from(self.options.spread.as_millis()).unwrap_or(u64::MAX);
        let delay = self.client.environment().random().checked_rem(spread).unwrap_or(0);
        if delay > 0 && self.core.phase.borrow().filled {
            self.delay(Due::Walk, Duration::from_millis(delay));
        } else {
            plan.start();
        }
    }

    fn noticed(&mut self, plan: &mut Plan, notice: Notice) -> Result<()> {
        match notice {
            Notice::Changed { kind, path, zxid } => plan.event(kind, &path, zxid),
            Notice::Missed => self.begin(plan),
            Notice::Ended(code @ (ErrorCode::Closing | ErrorCode::AuthFailed)) => {
                return Err(Error::new(code, "cache", self.options.path.as_str()));
            }
            Notice::Ended(code) => {
                // What was one session's is set again in the next, at once; a refusal is not asked for again that fast.
                self.epoch += 1;
                self.is_armed = false;
                self.unsettled();
                let pause = if code == ErrorCode::SessionExpired { Duration::ZERO } else { PAUSE };
                self.delay(Due::Arm, pause);
            }
        }
        Ok(())
    }

    fn answered(&mut self, plan: &mut Plan, token: u64, result: Result<Reply>) -> Result<()> {
        let Some(work) = usize::try_from(token).ok().and_then(|key| self.flights.try_remove(key))
        else {
            return Ok(());
        };
        match result {
            Ok(Reply::Multi(parts)) => self.answered_batch(plan, work, parts),
            Ok(reply) => match (answer(reply), work.paths.first()) {
                (Some(answer), Some(path)) => plan.answered(work.kind, work.walk, path, answer),
                _ => self.trouble(plan, work),
            },
            Err(error) => return self.failed(plan, work, &error),
        }
        Ok(())
    }

    fn answered_batch(
        &mut self,
        plan: &mut Plan,
        work: Work,
        parts: Vec<std::result::Result<Reply, ErrorCode>>,
    ) {
        let Work { kind, walk, paths } = work;
        let mut bytes = 0;
        for (path, part) in paths.into_iter().zip(parts) {
            let answer = match part {
                Ok(reply) => answer(reply),
                Err(code) => refusal(code),
            };
            match answer {
                Some(answer) => {
                    if let Answer::Data(data, _) = &answer {
                        bytes += data.len();
                    }
                    plan.answered(kind, walk, &path, answer);
                }
                None => self.trouble(plan, Work { kind, walk, paths: vec![path] }),
            }
        }
        // Replies are kept small enough not to stand in the way of others, and large enough to be cheap.
        if bytes > LARGE_REPLY {
            self.batch = (self.batch / 2).max(1);
        } else if bytes < LARGE_REPLY / 4 {
            self.batch = (self.batch * 2).min(self.max_batch);
        }
    }

    fn failed(&mut self, plan: &mut Plan, work: Work, error: &Error) -> Result<()> {
        if let (Some(answer), [path]) = (refusal(error.code()), work.paths.as_slice()) {
            plan.answered(work.kind, work.walk, path, answer);
            return Ok(());
        }
        match error.code() {
            ErrorCode::Closing | ErrorCode::AuthFailed => return Err(error.clone()),
            ErrorCode::Unimplemented if work.paths.len() > 1 => {
                self.max_batch = 1;
                self.batch = 1;
                plan.put_back(work);
            }
            _ if error.is_connection_loss() => {
                // It may have been the size of the reply.
                self.batch = (self.batch / 2).max(1);
                plan.put_back(work);
            }
            ErrorCode::SessionExpired => plan.put_back(work),
            _ => self.trouble(plan, work),
        }
        Ok(())
    }

    /// Something that should not be: it is tried again, but not at once.
    fn trouble(&mut self, plan: &mut Plan, work: Work) {
        plan.put_back(work);
        self.delay(Due::Pump, PAUSE);
    }

    /// Sends what the plan wants to know.
    fn pump(&mut self) -> Result<()> {
        let core = Arc::clone(&self.core);
        let mut plan = core.plan();
        while self.is_armed && !self.is_paused() && self.flights.len() < WINDOW {
            let batch = if self.one_shot { 1 } else { self.batch };
            let Some(work) = plan.next(batch) else { break };
            if let Some(path) =
                work.paths.first().filter(|_| work.paths.len() == 1 && self.one_shot)
            {
                let path = path.clone();
                self.submit_watching(&mut plan, work, &path)?;
            } else {
                self.submit(&mut plan, work)?;
            }
        }
        if self.is_armed && self.flights.is_empty() && self.timer.is_none() && plan.is_idle() {
            self.settled(&plan);
        }
        Ok(())
    }

    const fn is_paused(&self) -> bool {
        matches!(self.timer, Some((_, Due::Pump)))
    }

    fn submit(&mut self, plan: &mut Plan, work: Work) -> Result<()> {
        let entry = self.flights.vacant_entry();
        let token = u64::try_from(entry.key()).unwrap_or(0);
        let submitted = match (work.kind, work.paths.as_slice()) {
            (Kind::Get, [path]) => {
                let get = Request::Get { path, watch: None };
                self.client.submit_to(&self.inbox, &get, token)
            }
            (Kind::Exists | Kind::Bare, [path]) => {
                let exists = Request::Exists { path, watch: None };
                self.client.submit_to(&self.inbox, &exists, token)
            }
            (Kind::List, [path]) => {
                let list = Request::Children { path, watch: None };
                self.client.submit_to(&self.inbox, &list, token)
            }
            (_, paths) => {
                let parts: Vec<Part<'_>> = paths.iter().map(|path| Part::Get { path }).collect();
                self.client.submit_to(&self.inbox, &Request::MultiRead(&parts), token)
            }
        };
        match submitted {
            Ok(()) => {
                entry.insert(work);
                Ok(())
            }
            Err(error) => self.not_accepted(plan, work, error),
        }
    }

    /// The same with a one-shot watch.
    fn submit_watching(&mut self, plan: &mut Plan, work: Work, path: &str) -> Result<()> {
        let place = usize::from(work.kind == Kind::List);
        let keys = self.armed.entry(path.to_owned()).or_default();
        let Some(key) = keys.get_mut(place) else { return Ok(()) };
        let watch = Some(*key.get_or_insert_with(|| self.client.watch_to(&self.inbox, self.epoch)));
        let entry = self.flights.vacant_entry();
        let token = u64::try_from(entry.key()).unwrap_or(0);
        let request = match work.kind {
            Kind::Get => Request::Get { path, watch },
            Kind::Exists | Kind::Bare => Request::Exists { path, watch },
            Kind::List => Request::Children { path, watch },
        };
        match self.client.submit_to(&self.inbox, &request, token) {
            Ok(()) => {
                entry.insert(work);
                Ok(())
            }
            Err(error) => self.not_accepted(plan, work, error),
        }
    }

    fn not_accepted(&mut self, plan: &mut Plan, work: Work, error: Error) -> Result<()> {
        if error.is_session_end() {
            return Err(error);
        }
        // Others have filled the client's queue.
        plan.put_back(work);
        self.delay(Due::Pump, PAUSE);
        Ok(())
    }

    fn delay(&mut self, due: Due, pause: Duration) {
        // The walk and the watch must not be forgotten over a pause; a pause may be.
        let keep = matches!(self.timer, Some((_, Due::Arm)))
            || (matches!(self.timer, Some((_, Due::Walk))) && due != Due::Arm);
        if !keep {
            self.timer = Some((self.client.environment().sleep(pause), due));
        }
    }

    fn unsettled(&self) {
        self.core.phase.send_if_modified(|phase| std::mem::take(&mut phase.current));
    }

    fn settled(&self, plan: &Plan) {
        let modified = self.core.phase.send_if_modified(|phase| {
            let was = (phase.current, phase.refused.as_deref() == plan.refused());
            (phase.current, phase.filled) = (true, true);
            phase.refused = plan.refused().map(str::to_owned);
            was != (true, true)
        });
        if modified {
            self.core.hub.tell(&[Change::Current]);
        }
    }

    fn forget_watches(&mut self) {
        let keys = std::mem::take(&mut self.armed).into_values().flatten().flatten();
        for key in self.watch.take().into_iter().chain(keys) {
            self.client.remove_watch(key);
        }
    }
}

fn answer(reply: Reply) -> Option<Answer> {
    match reply {
        Reply::Data { data, stat } => Some(Answer::Data(data, stat)),
        Reply::Stat(stat) => Some(Answer::Stat(stat)),
        Reply::Children { names, stat: Some(stat) } => Some(Answer::Children(names, stat)),
        Reply::Absent => Some(Answer::Absent),
        _ => None,
    }
}

/// Whether trying again may help.
const fn is_passing(error: &Error) -> bool {
    error.is_connection_loss() || matches!(error.code(), ErrorCode::SessionExpired)
}

/// The token of the request that sets the watch.
const ARM: u64 = u64::MAX;
/// Requests on their way.
const WINDOW: usize = 48;
/// Nodes in one request, at first and at most.
const FIRST_BATCH: usize = 8;
const MAX_BATCH: usize = 64;
/// Bytes of data in one reply beyond which fewer nodes are asked for at once.
const LARGE_REPLY: usize = 256 * 1024;
/// How long to wait after something that should not be.
const PAUSE: Duration = Duration::from_millis(100);
