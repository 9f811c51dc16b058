//! What one process has at a time: locks in all modes, places in a queue, leaderships, leases.

use super::Later;
use super::turns::{Grant, Hold, Rite, Share, perform_turns};
use super::{ignore, watch_over, watch_over_term};
use quorate::client::{Result, Transaction, within};
use quorate::recipes::election::{Election, Form};
use quorate::recipes::kit::Held;
use quorate::recipes::latch::LeaderLatch;
use quorate::recipes::layout::lock::Mode;
use quorate::recipes::leader::{Candidate, Leadership, Policy};
use quorate::recipes::lease::{Lease, LeaseLock};
use quorate::recipes::lock::Lock;
use quorate::recipes::multi_lock::{MultiHeld, MultiLock};
use quorate::recipes::process_queue::ProcessQueue;
use quorate::recipes::reentrant::{Entered, Reentrant};
use quorate::recipes::selector::LeaderSelector;
use quorate::recipes::simple_lock::SimpleLock;
use quorate_tests::sim::stage::Part;
use std::sync::{Arc, Mutex};
use std::time::Duration;

impl Hold for Held {
    fn watch_over(&self, part: &Part) {
        watch_over(part, self);
    }

    fn is_held(&self) -> bool {
        Held::is_held(self)
    }

    fn guarded(&self) -> Option<Transaction> {
        Some(Held::guarded(self))
    }

    fn lost(&self) -> Option<Later<'static, ()>> {
        let lost = Held::lost(self);
        Some(Box::pin(async move { _ = lost.await }))
    }

    fn release(self: Box<Self>) -> Later<'static, Result<()>> {
        Box::pin(Held::release(*self))
    }

    fn as_hold(self: Box<Self>) -> Box<dyn Hold> {
        self
    }
}

fn granted(held: Held) -> Grant {
    let token = held.token();
    Grant::alone(held, token)
}

/// Kazoo's layout.
struct Kazoo(Lock);

impl Rite for Kazoo {
    fn new(part: &Part) -> Self {
        let mode = Mode::Kazoo { yields_to_curator: false };
        Self(Lock::new(&part.client, "/lock").mode(mode))
    }

    fn enter<'a>(&'a self, part: &'a Part, patience: Duration) -> Later<'a, Result<Option<Grant>>> {
        Box::pin(enter_lock(&self.0, part, patience))
    }
}

/// Processes with different modes: all yield to a bridge, and a bridge to all.
struct Mixed(Lock);

impl Rite for Mixed {
    fn new(part: &Part) -> Self {
        let lock = Lock::new(&part.client, "/lock");
        // Kazoo's and Curator's own would not exclude each other.
        let own = Mode::Kazoo { yields_to_curator: false };
        Self(lock.mode(if part.number == 0 { own } else { Mode::Bridge }))
    }

    fn enter<'a>(&'a self, part: &'a Part, patience: Duration) -> Later<'a, Result<Option<Grant>>> {
        Box::pin(enter_lock(&self.0, part, patience))
    }
}

/// Now waits, now only tries.
async fn enter_lock(lock: &Lock, part: &Part, patience: Duration) -> Result<Option<Grant>> {
    let held = match part.below(4) {
        0 => lock.try_acquire().await?,
        _ => lock.acquire_within(patience).await?,
    };
    Ok(held.map(granted))
}

/// One node.
struct Simple(SimpleLock);

impl Rite for Simple {
    fn new(part: &Part) -> Self {
        Self(SimpleLock::new(&part.client, "/simple"))
    }

    fn enter<'a>(&'a self, _: &'a Part, patience: Duration) -> Later<'a, Result<Option<Grant>>> {
        Box::pin(async move { Ok(self.0.acquire_within(patience).await?.map(granted)) })
    }
}

/// An owner who enters twice now and then, each time for another of its tasks.
struct Again {
    owner: Reentrant,
    other: Other,
}

/// The other task: it leaves with the turn, but a loss it does not notice before the owner's next turn.
type Other = Arc<Mutex<Option<Entered>>>;

struct Twice {
    entered: Entered,
    other: Other,
}

impl Rite for Again {
    fn new(part: &Part) -> Self {
        Self { owner: Lock::new(&part.client, "/lock").owner(), other: Other::default() }
    }

    fn enter<'a>(&'a self, part: &'a Part, patience: Duration) -> Later<'a, Result<Option<Grant>>> {
        Box::pin(async move {
            let stayed = self.other.lock().unwrap().take().filter(|other| !other.is_held());
            let entered = match part.below(4) {
                0 => self.owner.try_acquire().await?,
                _ => self.owner.acquire_within(patience).await?,
            };
            let Some(mut entered) = entered else { return Ok(None) };
            let token = entered.token();
            if let Some(lost) = stayed.filter(|lost| lost.token() >= token) {
                part.fail(format!("{lost:?} was lost, and entered again as {entered:?}"));
            }
            if part.below(2) == 0 && entered.is_held() {
                match part.cut_short(1, self.owner.acquire()).await.transpose()? {
                    Some(again) if again.token() == token => {
                        let first = std::mem::replace(&mut entered, again);
                        *self.other.lock().unwrap() = Some(first);
                    }
                    other => part.fail(format!("entered again: {other:?}")),
                }
            }
            let other = Arc::clone(&self.other);
            Ok(Some(Grant::alone(Twice { entered, other }, token)))
        })
    }
}

impl Hold for Twice {
    fn watch_over(&self, part: &Part) {
        watch_over(part, &self.entered);
    }

    fn is_held(&self) -> bool {
        self.entered.is_held()
    }

    fn guarded(&self) -> Option<Transaction> {
        Some(self.entered.guarded())
    }

    fn release(self: Box<Self>) -> Later<'static, Result<()>> {
        Box::pin(async move {
            let other = self.other.lock().unwrap().take();
            if let Some(other) = other {
                other.release().await?;
            }
            self.entered.release().await
        })
    }

    fn as_hold(self: Box<Self>) -> Box<dyn Hold> {
        self
    }
}

/// The textbook's queue of processes.
struct Queued(ProcessQueue);

impl Rite for Queued {
    fn new(part: &Part) -> Self {
        Self(ProcessQueue::new(&part.client, "/queue").name(&format!("p{}", part.number)))
    }

    fn enter<'a>(&'a self, part: &'a Part, patience: Duration) -> Later<'a, Result<Option<Grant>>> {
        Box::pin(async move {
            let environment = part.client.environment();
            Ok(within(&**environment, patience, self.0.turn()).await.transpose()?.map(granted))
        })
    }
}

/// A lease much shorter or a little longer than a turn.
struct Lent(LeaseLock);

impl Rite for Lent {
    fn new(part: &Part) -> Self {
        let duration = Duration::from_millis(200 + part.below(4_000));
        Self(LeaseLock::new(Lock::new(&part.client, "/lease"), duration))
    }

    fn enter<'a>(&'a self, _: &'a Part, patience: Duration) -> Later<'a, Result<Option<Grant>>> {
        Box::pin(async move {
            let lease = self.0.acquire_within(patience).await?;
            Ok(lease
                .map(|lease| (lease.token(), Arc::new(lease)))
                .map(|(token, lease)| Grant::alone(lease, token)))
        })
    }
}

impl Hold for Arc<Lease> {
    fn watch_over(&self, part: &Part) {
        let lease = Arc::downgrade(self);
        let is_held = move || lease.upgrade().is_some_and(|lease| lease.is_held());
        part.watch_over("a lease", is_held, None);
    }

    fn is_held(&self) -> bool {
        // Whether it is renewed or not, what is said must be so.
        Lease::is_held(self)
    }

    fn guarded(&self) -> Option<Transaction> {
        Lease::guarded(self)
    }

    fn release(self: Box<Self>) -> Later<'static, Result<()>> {
        Box::pin(async move {
            match Arc::into_inner(*self) {
                Some(lease) => lease.release().await,
                None => Ok(()),
            }
        })
    }

    fn as_hold(self: Box<Self>) -> Box<dyn Hold> {
        self
    }
}

/// Two of three locks.
struct Pair;

impl Rite for Pair {
    fn new(_: &Part) -> Self {
        Self
    }

    fn enter<'a>(&'a self, part: &'a Part, patience: Duration) -> Later<'a, Result<Option<Grant>>> {
        Box::pin(async move {
            let without = part.below(3);
            let things: Vec<u64> = (0..3).filter(|&thing| thing != without).collect();
            // In whatever order they are given.
            let turned = things.iter().rev();
            let lock = |thing: &u64| Lock::new(&part.client, &format!("/lock{thing}"));
            let held = MultiLock::new(turned.map(lock))?.acquire_within(patience).await?;
            Ok(held.map(|held| {
                let tokens = held.tokens().into_iter().zip(things);
                let share = |(token, thing)| Share {
                    thing: usize::try_from(thing).unwrap(),
                    weight: 1,
                    token,
                };
                Grant { shares: tokens.map(share).collect(), hold: Box::new(held) }
            }))
        })
    }
}

impl Hold for MultiHeld {
    fn watch_over(&self, part: &Part) {
        self.locks().iter().for_each(|held| watch_over(part, held));
        let lifetime = self.locks()[0].lifetime().clone();
        let lost = Box::pin(ignore(self.lost()));
        part.watch_over("several locks", move || lifetime.is_alive(), Some(lost));
    }

    fn is_held(&self) -> bool {
        MultiHeld::is_held(self)
    }

    fn guarded(&self) -> Option<Transaction> {
        MultiHeld::guarded(self).ok()
    }

    fn release(self: Box<Self>) -> Later<'static, Result<()>> {
        Box::pin(MultiHeld::release(*self))
    }

    fn as_hold(self: Box<Self>) -> Box<dyn Hold> {
        self
    }
}

/// A candidate and its term.
struct Led {
    candidate: Candidate,
    term: Leadership,
}

impl Hold for Led {
    fn watch_over(&self, part: &Part) {
        watch_over_term(part, &self.term);
    }

    fn is_held(&self) -> bool {
        self.term.holds()
    }

    fn guarded(&self) -> Option<Transaction> {
        Some(self.term.guarded())
    }

    fn lost(&self) -> Option<Later<'static, ()>> {
        Some(Box::pin(self.term.lost()))
    }

    fn release(self: Box<Self>) -> Later<'static, Result<()>> {
        Box::pin(self.candidate.leave())
    }

    fn as_hold(self: Box<Self>) -> Box<dyn Hold> {
        self
    }
}

async fn stand(part: &Part, candidate: Candidate, patience: Duration) -> Result<Option<Grant>> {
    let environment = part.client.environment();
    let term = within(&**environment, patience, candidate.leads()).await.transpose()?;
    Ok(term.map(|term| {
        let token = term.token();
        Grant::alone(Led { candidate, term }, token)
    }))
}

fn policy(part: &Part) -> Policy {
    if part.below(2) == 0 { Policy::Session } else { Policy::Connection }
}

struct Latch(LeaderLatch);

impl Rite for Latch {
    fn new(part: &Part) -> Self {
        Self(LeaderLatch::new(&part.client, "/latch").policy(policy(part)))
    }

    fn enter<'a>(&'a self, part: &'a Part, patience: Duration) -> Later<'a, Result<Option<Grant>>> {
        Box::pin(stand(part, self.0.join(), patience))
    }
}

/// An election in one of its forms.
struct Elected<const FORM: usize>(Election);

impl<const FORM: usize> Rite for Elected<FORM> {
    fn new(part: &Part) -> Self {
        let form = [Form::Kazoo, Form::Offer, Form::SingleNode][FORM];
        let id = format!("host{}", part.number);
        Self(Election::new(&part.client, "/election", form).id(id).policy(policy(part)))
    }

    fn enter<'a>(&'a self, part: &'a Part, patience: Duration) -> Later<'a, Result<Option<Grant>>> {
        Box::pin(stand(part, self.0.join(), patience))
    }
}

/// The term of a selector, whose work waits here for its end.
struct Selected(LeaderSelector);

struct Working {
    term: Leadership,
    finish: Mutex<Option<tokio::sync::oneshot::Sender<()>>>,
}

impl Rite for Selected {
    fn new(part: &Part) -> Self {
        Self(LeaderSelector::new(&part.client, "/selector").policy(policy(part)))
    }

    fn enter<'a>(&'a self, part: &'a Part, patience: Duration) -> Later<'a, Result<Option<Grant>>> {
        Box::pin(async move {
            let (tell, told) = tokio::sync::oneshot::channel();
            let (finish, finished) = tokio::sync::oneshot::channel::<()>();
            let (selector, own) = (self.0.clone(), part.clone());
            let polls = if part.below(4) == 0 { part.below(60) } else { u64::MAX };
            let work = async move {
                let work = |term| async move {
                    // Nobody waits any more: then there is no work.
                    if tell.send(term).is_ok() {
                        let _ = finished.await;
                    }
                };
                own.cut_short(polls, selector.lead(work)).await;
            };
            part.client.environment().spawn(Box::pin(work));
            let environment = part.client.environment();
            let Some(Ok(term)) = within(&**environment, patience, told).await else {
                return Ok(None);
            };
            let token = term.token();
            Ok(Some(Grant::alone(Working { term, finish: Mutex::new(Some(finish)) }, token)))
        })
    }
}

impl Hold for Working {
    fn watch_over(&self, part: &Part) {
        watch_over_term(part, &self.term);
    }

    fn is_held(&self) -> bool {
        self.term.holds()
    }

    fn guarded(&self) -> Option<Transaction> {
        Some(self.term.guarded())
    }

    fn release(self: Box<Self>) -> Later<'static, Result<()>> {
        Box::pin(async move {
            let finish = self.finish.lock().unwrap().take();
            let _ = finish.map(|finish| finish.send(()));
            Ok(())
        })
    }

    fn as_hold(self: Box<Self>) -> Box<dyn Hold> {
        self
    }
}

#[test]
fn kazoos_lock_has_one_holder() {
    perform_turns::<Kazoo>(24);
}

#[test]
fn a_bridge_excludes_everybody() {
    perform_turns::<Mixed>(24);
}

#[test]
fn a_lock_of_one_node_has_one_holder() {
    perform_turns::<Simple>(80);
}

#[test]
fn an_owner_enters_again_but_never_a_lost_lock() {
    perform_turns::<Again>(24);
}

#[test]
fn a_queue_of_processes_has_one_at_its_head() {
    perform_turns::<Queued>(24);
}

#[test]
fn a_lease_has_one_holder() {
    perform_turns::<Lent>(24);
}

#[test]
fn several_locks_have_one_holder_each() {
    perform_turns::<Pair>(60);
}

#[test]
fn a_latch_has_one_leader() {
    perform_turns::<Latch>(24);
}

#[test]
fn kazoos_election_has_one_leader() {
    perform_turns::<Elected<0>>(24);
}

#[test]
fn an_election_by_offers_has_one_leader() {
    perform_turns::<Elected<1>>(24);
}

#[test]
fn an_election_by_one_node_has_one_leader() {
    perform_turns::<Elected<2>>(24);
}

#[test]
fn a_selector_has_one_leader() {
    perform_turns::<Selected>(24);
}
