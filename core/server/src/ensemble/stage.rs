//! All members of an ensemble that runs here: what happens to them, and what is told of it.

use super::member::Member;
use super::order::{HELP, Order, Whom};
use super::watch::{Look, Told};
use crate::status::{self, Report, Role};
use quorate::server::LocalPlan;
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

/// The ensemble.
pub(super) struct Stage {
    members: BTreeMap<i64, Member>,
    told: BTreeMap<i64, Told>,
    /// Behind the members, whose directories it may remove.
    _plan: LocalPlan,
}

impl Stage {
    /// Writes the files of all members.
    pub(super) fn new(plan: LocalPlan, settings: &[String]) -> anyhow::Result<Self> {
        let ids = plan.membership().servers.keys().copied();
        let members = ids
            .map(|sid| Ok((sid, Member::new(&plan, sid, settings)?)))
            .collect::<anyhow::Result<BTreeMap<_, _>>>()?;
        let told = members.keys().map(|&sid| (sid, Told::default())).collect();
        Ok(Self { members, told, _plan: plan })
    }

    pub(super) fn start(&mut self) -> anyhow::Result<()> {
        let all: Vec<i64> = self.members.keys().copied().collect();
        all.into_iter().try_for_each(|sid| self.start_one(sid))
    }

    pub(super) fn members(&self) -> impl Iterator<Item = (i64, &Member)> {
        self.members.iter().map(|(&sid, member)| (sid, member))
    }

    /// Tells what is new about a member.
    pub(super) fn saw(&mut self, look: &Look) {
        let Some(member) = self.members.get(&look.sid) else { return };
        let counts = member.process().is_some() && look.asked >= member.since;
        let told = self.told.get_mut(&look.sid).filter(|_| counts);
        if let Some(line) = told.and_then(|told| told.news(&look.found, Instant::now())) {
            tell(look.sid, &line);
        }
    }

    /// Tells which processes have ended.
    pub(super) fn reap(&mut self) {
        let mut ended = Vec::new();
        for (&sid, member) in &mut self.members {
            ended.extend(member.ended().map(|status| (sid, status)));
        }
        for (sid, status) in ended {
            self.gone(sid, status);
        }
    }

    /// Does what was typed.
    pub(super) fn obey(&mut self, order: Order) -> anyhow::Result<()> {
        match order {
            Order::Stop(whom) => self.with_running(whom, |_, member| member.ask_to_end()),
            Order::Kill(whom) => self.with_running(whom, |_, member| member.signal(Signal::KILL)),
            Order::Pause(whom) => self.with_running(whom, |sid, member| {
                member.pause();
                tell(sid, "paused");
            }),
            Order::Resume(whom) => self.with_running(whom, |sid, member| {
                member.signal(Signal::CONT);
                tell(sid, "goes on");
            }),
            Order::Restart(whom) => {
                if let Some(sid) = self.find(whom) {
                    self.end_one(sid);
                    self.start_one(sid)?;
                }
            }
            Order::Status => self.table()?,
            Order::Help => super::say(HELP),
            Order::Quit | Order::Nothing => {}
        }
        Ok(())
    }

    /// Ends all members, in good order as far as they do.
    pub(super) fn end(&mut self) {
        for member in self.members.values() {
            member.ask_to_end();
        }
        let all: Vec<i64> = self.members.keys().copied().collect();
        for sid in all {
            self.end_one(sid);
        }
    }

    fn start_one(&mut self, sid: i64) -> anyhow::Result<()> {
        let Some(member) = self.members.get_mut(&sid) else { return Ok(()) };
        member.start()?;
        let process = member.process().unwrap_or_default();
        tell(sid, &format!("starts as process {process}, for clients at {}", member.client));
        Ok(())
    }

    fn end_one(&mut self, sid: i64) {
        let Some(member) = self.members.get_mut(&sid) else { return };
        member.ask_to_end();
        if let Some(status) = member.wait() {
            self.gone(sid, status);
        }
    }

    fn gone(&mut self, sid: i64, status: ExitStatus) {
        if let Some(told) = self.told.get_mut(&sid) {
            told.forget();
        }
        tell(sid, &format!("has ended, {status}"));
    }

    fn table(&self) -> anyhow::Result<()> {
        let clients: Vec<String> = self.members.values().map(|m| m.client.to_string()).collect();
        let report = Report::of(status::survey(&clients, PATIENCE)?);
        super::say(status::text(&report).trim_end());
        Ok(())
    }

    fn with_running(&mut self, whom: Whom, act: impl FnOnce(i64, &mut Member)) {
        let Some(sid) = self.find(whom) else { return };
        match self.members.get_mut(&sid).filter(|member| member.process().is_some()) {
            Some(member) => act(sid, member),
            None => crate::complain(&format!("member {sid} does not run")),
        }
    }

    /// The member that is meant; if there is none, that is said.
    fn find(&self, whom: Whom) -> Option<i64> {
        let found = match whom {
            Whom::Number(sid) => Some(sid).filter(|sid| self.members.contains_key(sid)),
            Whom::Leader => {
                // One that was cut off may not know yet that there is another.
                let leads = self.told.iter().filter(|(_, told)| told.role() == Some(Role::Leader));
                leads.max_by_key(|(_, told)| told.epoch()).map(|(&sid, _)| sid)
            }
        };
        if found.is_none() {
            let all: Vec<String> = self.members.keys().map(ToString::to_string).collect();
            crate::complain(&match whom {
                Whom::Number(sid) => format!("there is no member {sid}, only {}", all.join(", ")),
                Whom::Leader => "nobody leads now".to_owned(),
            });
        }
        found
    }
}

fn tell(sid: i64, what: &str) {
    super::say(&format!("{sid}: {what}"));
}

/// How long a member may take to answer for the table.
const PATIENCE: Duration = Duration::from_secs(1);
