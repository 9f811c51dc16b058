//! The task of a cache: asks what the plan wants to know, and hands it what comes.
//!
//! Requests and watches report to one inbox, in the order in which the server sent them. The task ends when the
//! cache's last handle is dropped, or the client is closed.

mod batch;
mod requests;

use super::Options;
use super::entry::Change;
use super::plan::Plan;
use super::shared::Core;
use super::work::Work;
use crate::client::{
    Client, Completion, Error, ErrorCode, Inbox, Notice, Reply, Request, Result, Task as Timer,
    WatchKey,
};
use batch::Batch;
use slab::Slab;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

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
    batch: Batch,
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
            batch: if options.one_shot { Batch::single() } else { Batch::default() },
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
            if !self.core.bell.listen(context) {
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
        let add = Request::AddWatch { path, recursive, watch };
        match self.client.submit_to(&self.inbox, &add, ARM) {
            // Others have filled the client's queue.
            Err(error) if error.code() == ErrorCode::ThrottledOp => {
                self.delay(Due::Arm, PAUSE);
                Ok(())
            }
            submitted => submitted,
        }
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
                self.batch = Batch::single();
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

    const fn is_paused(&self) -> bool {
        matches!(self.timer, Some((_, Due::Pump)))
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

/// Whether trying again may help.
const fn is_passing(error: &Error) -> bool {
    error.is_connection_loss() || matches!(error.code(), ErrorCode::SessionExpired)
}

/// The token of the request that sets the watch.
const ARM: u64 = u64::MAX;
/// How long to wait after something that should not be.
const PAUSE: Duration = Duration::from_millis(100);
