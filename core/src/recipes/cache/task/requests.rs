//! The requests of a cache: what the plan wants to know goes out, and what is answered comes in.

use super::batch::Batch;
use super::{Due, PAUSE, Task};
use crate::client::{Error, ErrorCode, Part, Reply, Request, Result};
use crate::recipes::cache::plan::Plan;
use crate::recipes::cache::work::{Answer, Kind, Work, refusal};
use std::sync::Arc;

impl Task {
    /// Sends what the plan wants to know.
    pub(super) fn pump(&mut self) -> Result<()> {
        let core = Arc::clone(&self.core);
        let mut plan = core.plan();
        while self.is_armed && !self.is_paused() && self.flights.len() < WINDOW {
            let Some(work) = plan.next(self.batch.size()) else { break };
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

    pub(super) fn answered(
        &mut self,
        plan: &mut Plan,
        token: u64,
        result: Result<Reply>,
    ) -> Result<()> {
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
        self.batch.fit(bytes);
    }

    fn failed(&mut self, plan: &mut Plan, work: Work, error: &Error) -> Result<()> {
        if let (Some(answer), [path]) = (refusal(error.code()), work.paths.as_slice()) {
            plan.answered(work.kind, work.walk, path, answer);
            return Ok(());
        }
        match error.code() {
            ErrorCode::Closing | ErrorCode::AuthFailed => return Err(error.clone()),
            ErrorCode::Unimplemented if work.paths.len() > 1 => {
                self.batch = Batch::single();
                plan.put_back(work);
            }
            _ if error.is_connection_loss() => {
                // It may have been the size of the reply.
                self.batch.halve();
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

/// Requests on their way.
const WINDOW: usize = 48;
