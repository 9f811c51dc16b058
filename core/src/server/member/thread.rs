//! The thread: a round after another, as in `fused`, with the other servers between the clients and the log.

use super::super::alarm::Alarm;
use super::super::clock::Clock;
use super::super::handle::{Control, EndGuard, ServerError};
use super::super::journal::{News, Refusals};
use super::super::links::{Core, Links, Stream};
use super::super::listener::LISTENER;
use super::super::pipe::Calls;
use super::super::words::Words;
use super::pause::Pause;
use super::porch::Porch;
use super::reconfig::{Door, Unwritten};
use super::settings::MemberSettings;
use crate::ensemble::archive::Archive;
use crate::ensemble::catch_up::CatchUps;
use crate::ensemble::election::{ElectionReport, ElectionThread};
use crate::ensemble::peers::{LeaderLink, LearnerLinks};
use crate::ensemble::roster::Roster;
use crate::ensemble::tls::Renewal;
use crate::storage::LogPart;
use mio::{Events, Poll, Registry, Waker};
use quorate_engine::member::{Bench, Effect, Member};
use quorate_engine::replica::{Now, Replica};
use quorate_engine::shard::{ConnKey, EVENT_SLICE, Shard, Submission, Submit, WATCH_SLICE};
use quorate_engine::tree::{Tree, TreeConfig, TreeReceiver};
use quorate_engine::zab::LearnerKey;
use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What the thread is made of.
pub(in crate::server) struct Parts {
    pub(in crate::server) poll: Poll,
    pub(in crate::server) waker: Arc<Waker>,
    pub(in crate::server) clock: Clock,
    pub(in crate::server) control: Arc<Control>,
    pub(in crate::server) calls: Arc<Calls>,
    pub(in crate::server) archive: Archive,
    pub(in crate::server) tree: Tree,
    pub(in crate::server) tree_config: TreeConfig,
    pub(in crate::server) member: Member,
    pub(in crate::server) shard: Shard,
    pub(in crate::server) words: Words,
    pub(in crate::server) settings: MemberSettings,
    pub(in crate::server) roster: Roster,
    pub(in crate::server) door: Door,
    pub(in crate::server) renewal: Option<Renewal>,
}

/// The thread.
pub(in crate::server) struct MemberThread {
    poll: Poll,
    state: State,
}

/// What a round works on.
pub(super) struct State {
    pub(super) registry: Registry,
    pub(super) waker: Arc<Waker>,
    clock: Clock,
    control: Arc<Control>,
    calls: Arc<Calls>,
    pub(super) door: Door,
    pub(super) archive: Archive,
    pub(super) tree: Tree,
    pub(super) tree_config: TreeConfig,
    pub(super) member: Member,
    pub(super) shard: Shard,
    links: Links,
    pub(super) words: Words,
    pub(super) refusals: Refusals,
    pub(super) porch: Porch,
    pub(super) pause: Pause,
    pub(super) settings: MemberSettings,
    pub(super) roster: Roster,
    pub(super) unwritten: Unwritten,
    pub(super) election: ElectionThread,
    pub(super) votes: Arc<Votes>,
    pub(super) learners: Option<LearnerLinks>,
    /// What is read from the log for them, and what was found for them and is not being sent yet.
    pub(super) catch_ups: CatchUps,
    pub(super) found: HashMap<LearnerKey, LogPart>,
    pub(super) leader: Option<LeaderLink>,
    /// Bytes that the leader was last seen to have sent.
    pub(super) received: u64,
    /// A leader's tree that has come.
    pub(super) incoming: Option<Box<TreeReceiver>>,
    /// Ends with this thread.
    _renewal: Option<Renewal>,
}

/// What the election's thread has reported, until this one takes it.
#[derive(Debug, Default)]
pub(super) struct Votes(Mutex<Vec<ElectionReport>>);

impl Votes {
    fn push(&self, report: ElectionReport) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(report);
    }

    pub(super) fn take(&self) -> Vec<ElectionReport> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Submissions go to the member, or wait until it serves.
struct Desk<'a> {
    member: &'a mut Member,
    porch: &'a mut Porch,
    tree: &'a Tree,
    now: Now,
    crowded: bool,
}

impl Submit for Desk<'_> {
    fn submit(&mut self, conn: ConnKey, submission: Submission<'_>) {
        if self.member.replica().is_some() {
            self.member.submit(0, conn, submission, self.tree, self.now);
        } else {
            self.porch.take(conn, submission, self.now.mono);
        }
    }
}

impl Core for Desk<'_> {
    fn is_crowded(&self) -> bool {
        self.crowded || self.member.replica().is_some_and(Replica::is_crowded)
    }
}

impl MemberThread {
    /// Starts the elections of a member and makes its thread.
    pub(in crate::server) fn new(parts: Parts) -> Result<Self, ServerError> {
        let Parts { poll, waker, settings, .. } = parts;
        let registry = poll
            .registry()
            .try_clone()
            .map_err(|cause| ServerError::System { what: "poll", cause })?;
        let votes = Arc::new(Votes::default());
        let (reports, wake) = (Arc::clone(&votes), Arc::clone(&waker));
        let election = ElectionThread::start(settings.election.clone(), move |report| {
            reports.push(report);
            // A waker that cannot be written to has a wake-up pending.
            let _ = wake.wake();
        })?;
        let wake = Arc::clone(&waker);
        let wake = Arc::new(move || {
            let _ = wake.wake();
        });
        let catch_ups = CatchUps::new(Arc::clone(parts.archive.storage()), wake);
        election.see(parts.member.quorums().last_seen().clone());
        let state = State {
            registry,
            waker,
            clock: parts.clock,
            control: parts.control,
            calls: parts.calls,
            door: parts.door,
            archive: parts.archive,
            tree: parts.tree,
            tree_config: parts.tree_config,
            member: parts.member,
            shard: parts.shard,
            links: Links::new(),
            words: parts.words,
            refusals: Refusals::default(),
            porch: Porch::default(),
            pause: Pause::default(),
            settings,
            roster: parts.roster,
            unwritten: Unwritten::default(),
            election,
            votes,
            learners: None,
            catch_ups,
            found: HashMap::new(),
            leader: None,
            received: 0,
            incoming: None,
            _renewal: parts.renewal,
        };
        Ok(Self { poll, state })
    }

    /// Serves until told to stop, or until something makes it impossible.
    pub(in crate::server) fn run(mut self) -> Result<(), ServerError> {
        let _end = EndGuard(Arc::clone(&self.state.control));
        let result = self.serve();
        let State { links, mut shard, archive, learners, found, mut catch_ups, .. } = self.state;
        // What reads the log holds the directory.
        drop((learners, found));
        catch_ups.end();
        let mut links = links;
        links.close_all(&mut shard);
        result.and(archive.close().map_err(ServerError::from))
    }

    fn serve(&mut self) -> Result<(), ServerError> {
        let mut events = Events::with_capacity(EVENTS);
        let mut alarm = Alarm::new();
        let state = &mut self.state;
        state.settle(state.clock.now())?;
        while !state.control.is_stopping() {
            match self.poll.poll(&mut events, state.timeout(&alarm)) {
                Err(e) if e.kind() != io::ErrorKind::Interrupted => {
                    return Err(ServerError::System { what: "poll", cause: e });
                }
                _ => {}
            }
            let now = state.clock.now();
            state.take_events(&events, now);
            state.read(now);
            state.take_votes(now)?;
            state.hear_learners(now)?;
            state.take_searches(now)?;
            state.hear_leader(now)?;
            state.notice_leader(now);
            state.take_reports(now)?;
            state.member.beat(now);
            state.settle(now)?;
            if alarm.rings(now.mono) {
                alarm.set(state.tick(now)?);
                state.settle(now)?;
            }
            alarm.advance(state.deadline());
            state.snapshot();
            state.send();
        }
        Ok(())
    }
}

impl State {
    fn take_events(&mut self, events: &Events, now: Now) {
        for event in events {
            let learners = self.learners.as_mut().is_some_and(|links| links.ready(event));
            if learners || self.leader.as_mut().is_some_and(|link| link.ready(event)) {
                continue;
            }
            if event.token() == LISTENER {
                self.accept(now);
            } else {
                self.links.take_event(event);
            }
        }
        for pipe in self.control.visitors() {
            let key = self.shard.open(None, now.mono);
            // A pipe needs no registration that could fail.
            let _ = self.links.add(key, Stream::Local(pipe), &self.registry);
        }
        for number in self.calls.take() {
            self.links.ready(number, true, true);
        }
    }

    fn accept(&mut self, now: Now) {
        let Some(listener) = &mut self.door.listener else { return };
        self.links.accept(listener, &mut self.shard, &self.registry, now.mono);
    }

    fn read(&mut self, now: Now) {
        let crowded = self.is_crowded();
        let (member, porch) = (&mut self.member, &mut self.porch);
        let mut desk = Desk { member, porch, tree: &self.tree, now, crowded };
        self.links.read_all(&mut self.shard, &self.tree, now.mono, &mut desk);
        // At once: a role that ends takes with it what it was asked.
        self.answer_words(now);
    }

    /// What the log has done meanwhile.
    fn take_reports(&mut self, now: Now) -> Result<(), ServerError> {
        for news in self.archive.news() {
            match news {
                News::Synced(zxid) => self.member.logged(zxid, now),
                News::Refused(reason) => {
                    self.refusals.note(&reason, now.mono);
                    self.pause.begin(now.mono);
                    self.member.refused();
                }
                News::Room => tracing::info!("there is room for transactions again"),
                News::Failed(failure) => return Err(failure.into()),
            }
        }
        Ok(())
    }

    /// Goes on until nothing more can be done without the outside world.
    pub(super) fn settle(&mut self, now: Now) -> Result<(), ServerError> {
        loop {
            let (member, porch) = (&mut self.member, &mut self.porch);
            let mut desk = Desk { member, porch, tree: &self.tree, now, crowded: false };
            self.shard.resume(&self.tree, now.mono, &mut desk);
            self.answer_words(now);
            let shards = &mut [&mut self.shard];
            let mut bench = Bench { tree: &mut self.tree, shards, now };
            self.member.settle(&mut bench)?;
            let effects: Vec<Effect> = self.member.effects().collect();
            let done = effects.is_empty();
            for effect in effects {
                self.carry_out(effect, now)?;
            }
            let waits = self.member.replica().is_some_and(Replica::has_ready);
            if done && !waits && !self.shard.has_resumable() {
                return Ok(());
            }
        }
    }

    fn answer_words(&mut self, now: Now) {
        let words = self.member.replica_mut().map(Replica::take_words).unwrap_or_default();
        let shards = &mut [&mut self.shard];
        if let Some(replica) = self.member.replica() {
            for word in words {
                let standing = Some(self.member.standing());
                self.words.answer(&word, &self.tree, replica, standing, shards, now);
            }
        }
        for word in self.porch.take_words() {
            self.words.answer_idle(&word, shards);
        }
    }

    fn tick(&mut self, now: Now) -> Result<i64, ServerError> {
        self.door.tick(&self.registry);
        self.accept(now);
        if let Some(learners) = &mut self.learners {
            learners.tick(now.mono);
        }
        for conn in self.porch.late(now.mono) {
            self.shard.hang_up(conn);
        }
        let is_written = self.write_configs();
        if let Some(history) = self.pause.end(now.mono) {
            if is_written {
                self.election.look(history);
            } else {
                // What a quorum must know would be forgotten with this process.
                self.pause.begin(now.mono);
                self.pause.look(history, now.mono);
            }
        }
        if self.takes_nothing() {
            self.member.deaf(now);
        }
        let strangers = self.shard.tick(now.mono);
        let shards = &mut [&mut self.shard];
        let mut bench = Bench { tree: &mut self.tree, shards, now };
        let member = self.member.tick(&mut bench)?;
        let nap = now.mono.saturating_add(LONGEST_NAP);
        Ok(strangers.into_iter().chain(member).fold(nap, i64::min))
    }

    fn deadline(&self) -> Option<i64> {
        let leader = self.leader.as_ref().and_then(LeaderLink::deadline);
        let others = leader.into_iter().chain(self.porch.deadline()).chain(self.pause.deadline());
        self.member.deadline().into_iter().chain(others).min()
    }

    fn snapshot(&mut self) {
        if let Some(replica) = self.member.replica_mut()
            && !self.archive.is_snapshotting()
            && replica.snapshot_due(&self.tree)
        {
            self.archive.begin_snapshot(&mut self.tree);
        }
        self.archive.step_snapshot(&mut self.tree);
    }

    fn send(&mut self) {
        if let Some(learners) = &mut self.learners {
            learners.flush(&mut self.tree);
        }
        if let Some(leader) = &mut self.leader {
            leader.flush();
        }
        self.links.flush(&mut self.shard, EVENT_SLICE);
        self.shard.end_round(WATCH_SLICE);
    }

    pub(super) fn is_crowded(&self) -> bool {
        let unsent = self.leader.as_ref().map_or(0, LeaderLink::queued);
        unsent > MOST_UNSENT || self.member.replica().is_some_and(Replica::is_crowded)
    }

    fn is_busy(&self) -> bool {
        let crowded = self.is_crowded();
        self.shard.has_work()
            || self.shard.watches().has_leftovers()
            || self.links.has_work(&self.shard, crowded)
            || self.learners.as_ref().is_some_and(|links| links.has_work(crowded))
            || self.leader.as_ref().is_some_and(|link| link.has_work(self.takes_nothing()))
            || self.archive.wants_to_walk()
    }

    fn timeout(&self, alarm: &Alarm) -> Option<Duration> {
        if self.is_busy() || !self.archive.may_sleep() {
            return Some(Duration::ZERO);
        }
        // An alarm that is put off, because this thread was away, is no reason to let learners think that it still is.
        let at = self.member.beat_deadline().into_iter().fold(alarm.at(), i64::min);
        let wait = at.saturating_sub(self.clock.now().mono).max(0);
        Some(Duration::from_millis(u64::try_from(wait).unwrap_or(0)))
    }
}

/// Bytes for the leader that may wait before clients do.
const MOST_UNSENT: usize = 16 << 20;
/// Events taken in one round.
const EVENTS: usize = 1024;
/// The thread looks after itself at least this often, ms.
const LONGEST_NAP: i64 = 1000;
