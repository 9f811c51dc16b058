//! Whatever is held by a few at a time: locks, leases, leaderships. One play for all of them.
//!
//! Processes take turns. Each turn is a span from the moment it was granted to the last moment at which its holder looked and
//! found that it goes on; no more may overlap than there is room for. What a holder does too late, without looking, must be
//! refused by its token. Waits are cut short at random awaits, turns are released, dropped or lost with the session.
//! [`Rite`] says how a turn is got; the rites are in `exclusive` and `sharing`.

use super::{Later, enough, enough_in_all, is_of_the_world, leaves_nothing, perform};
use quorate::client::{CreateMode, Result, Task, Transaction, within};
use quorate_tests::sim::env::{Checked, Violation};
use quorate_tests::sim::history::History;
use quorate_tests::sim::stage::{Part, Play};
use std::marker::PhantomData;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How a process gets its turns. One for each life of a process.
pub(crate) trait Rite: Send + Sync + 'static {
    /// How much of a thing can be held together.
    const ROOM: u32 = 1;

    fn new(part: &Part) -> Self;

    /// Waits for a turn; `None` when the time is over.
    fn enter<'a>(&'a self, part: &'a Part, patience: Duration) -> Later<'a, Result<Option<Grant>>>;

    /// What the servers must never have had.
    fn check(_history: &History) -> Checked {
        Ok(())
    }
}

/// What is held.
pub(crate) trait Hold: Send + Sync {
    fn is_held(&self) -> bool;

    /// A transaction that happens only while it is held, if there is one.
    fn guarded(&self) -> Option<Transaction>;

    /// Has the stage look after it.
    fn watch_over(&self, part: &Part);

    /// Ends when it is lost, if it tells.
    fn lost(&self) -> Option<Later<'static, ()>> {
        None
    }

    fn release(self: Box<Self>) -> Later<'static, Result<()>>;

    /// Turns it into something weaker, if it can be.
    fn weaken(self: Box<Self>, shares: Vec<Share>) -> Later<'static, Result<Grant>>
    where
        Self: 'static,
    {
        Box::pin(async move { Ok(Grant { hold: self.as_hold(), shares }) })
    }

    fn as_hold(self: Box<Self>) -> Box<dyn Hold>;
}

/// A turn.
pub(crate) struct Grant {
    pub(crate) hold: Box<dyn Hold>,
    pub(crate) shares: Vec<Share>,
}

/// So much of a thing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share {
    pub(crate) thing: usize,
    pub(crate) weight: u32,
    pub(crate) token: i64,
}

impl Grant {
    /// All of the only thing.
    pub(crate) fn alone(hold: impl Hold + 'static, token: i64) -> Self {
        let shares = vec![Share { thing: 0, weight: 1, token }];
        Self { hold: Box::new(hold), shares }
    }
}

/// The play.
pub(crate) struct Turns<R> {
    pub(crate) ledger: Arc<Ledger>,
    rite: PhantomData<fn() -> R>,
}

impl<R> Default for Turns<R> {
    fn default() -> Self {
        Self { ledger: Arc::default(), rite: PhantomData }
    }
}

/// What has happened, in the order of all processes.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    spans: Mutex<Vec<Span>>,
    /// Counts what is written here.
    clock: AtomicU64,
    turns: AtomicU64,
    /// A register outside of everything for each thing, which takes no smaller token than it has seen.
    registers: [AtomicI64; THINGS],
    /// What came too late and was refused there.
    fenced: AtomicU64,
    /// Turns that ended because the session did.
    lost: AtomicU64,
    /// Those of which it was told.
    told: AtomicU64,
    /// Waits that were given up at some await.
    cut: AtomicU64,
}

/// A share, from when it was granted to when it was seen last.
#[derive(Clone, Debug)]
struct Span {
    share: Share,
    #[expect(dead_code, reason = "it is told when a property does not hold")]
    process: usize,
    first: u64,
    last: u64,
}

impl Ledger {
    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Relaxed)
    }

    /// Begins spans. Answers where they are.
    pub(crate) fn begin(&self, process: usize, shares: &[Share]) -> std::ops::Range<usize> {
        let now = self.tick();
        let mut spans = self.spans.lock().unwrap();
        let from = spans.len();
        spans.extend(shares.iter().map(|&share| Span { share, process, first: now, last: now }));
        from..spans.len()
    }

    /// They go on.
    pub(crate) fn see(&self, spans: &std::ops::Range<usize>) {
        let now = self.tick();
        self.spans.lock().unwrap()[spans.clone()].iter_mut().for_each(|span| span.last = now);
    }

    /// No more than there is room for, and tokens that grow.
    pub(crate) fn check(&self, room: u32) -> Checked {
        let spans = self.spans.lock().unwrap();
        for span in spans.iter() {
            let here = |other: &&Span| {
                let (thing, first) = (span.share.thing, span.first);
                other.share.thing == thing && (other.first..=other.last).contains(&first)
            };
            let together: Vec<&Span> = spans.iter().filter(here).collect();
            if together.iter().map(|span| span.share.weight).sum::<u32>() > room {
                return Err(Violation(format!("held together, of {room}: {together:?}")));
            }
            let is_all = |span: &Span| span.share.weight == room;
            let late = |other: &&Span| {
                is_all(other)
                    && other.share.thing == span.share.thing
                    && other.first < span.first
                    && other.share.token >= span.share.token
            };
            if let Some(other) = spans.iter().find(late).filter(|_| is_all(span)) {
                return Err(Violation(format!("{span:?} has no greater token than {other:?}")));
            }
        }
        Ok(())
    }
}

impl<R: Rite> Play for Turns<R> {
    fn processes(&self) -> usize {
        3
    }

    fn part(&self, part: Part) -> Task {
        let ledger = Arc::clone(&self.ledger);
        Box::pin(async move {
            let rite = R::new(&part);
            while !part.is_over() {
                for thing in 0..THINGS {
                    let _ =
                        part.client.create(&register(thing), b"0", CreateMode::Persistent).await;
                }
                let patience = Duration::from_millis(part.below(3_000));
                let most = 1 + part.below(30);
                let polls = if part.below(3) == 0 { part.below(most) } else { u64::MAX };
                match part.cut_short(polls, rite.enter(&part, patience)).await {
                    None => _ = ledger.cut.fetch_add(1, Relaxed),
                    Some(Ok(None)) => {}
                    Some(Ok(Some(grant))) => hold(&part, &ledger, grant, R::ROOM).await,
                    Some(Err(error)) if is_of_the_world(&error) => {}
                    Some(Err(error)) => part.fail(format!("{error}")),
                }
                part.client.sleep(Duration::from_millis(1 + part.below(50))).await;
            }
            drop(rite);
            leaves_nothing(&part).await;
        })
    }

    fn check(&self, history: &History) -> Checked {
        self.ledger.check(R::ROOM)?;
        (0..THINGS).try_for_each(|thing| check_register(&register(thing), history))?;
        R::check(history)
    }
}

/// Tokens in a register never go back.
fn check_register(register: &str, history: &History) -> Checked {
    let mut newest = 0;
    for zxid in history.zxids() {
        let here = history.changes(zxid).iter().any(|change| change.path == register);
        let Some(node) = history.model.at(register, zxid).filter(|_| here) else { continue };
        let text = String::from_utf8(node.data.clone().unwrap_or_default()).unwrap_or_default();
        let token = text.parse::<i64>().unwrap_or(-1);
        if token < newest {
            return Err(Violation(format!("{token:#x} was written after {newest:#x}")));
        }
        newest = token;
    }
    Ok(())
}

/// Has it for a while.
async fn hold(part: &Part, ledger: &Ledger, grant: Grant, room: u32) {
    let Grant { mut hold, mut shares } = grant;
    hold.watch_over(part);
    let mut spans = ledger.begin(part.number, &shares);
    ledger.turns.fetch_add(1, Relaxed);
    for _ in 0..part.below(6) {
        write(ledger, &*hold, &shares, room).await;
        if is_told(part, ledger, &*hold, Duration::from_millis(part.below(1_000))).await {
            return;
        }
        // Every other time it does not look, as one does who believes in a lock.
        if part.below(2) > 0 {
            continue;
        }
        if !hold.is_held() {
            ledger.lost.fetch_add(1, Relaxed);
            return;
        }
        ledger.see(&spans);
        if part.below(3) == 0 {
            match hold.weaken(std::mem::take(&mut shares)).await {
                Ok(weaker) => {
                    (hold, shares) = (weaker.hold, weaker.shares);
                    hold.watch_over(part);
                }
                Err(error) if is_of_the_world(&error) => return,
                Err(error) => return part.fail(format!("weakened: {error}")),
            }
            if hold.is_held() {
                spans = ledger.begin_again(part.number, &spans, &shares);
            }
        }
    }
    if part.below(4) > 0
        && let Err(error) = hold.release().await
        && !is_of_the_world(&error)
    {
        part.fail(format!("released: {error}"));
    }
}

/// Writes into the registers of what is held as a whole.
async fn write(ledger: &Ledger, hold: &dyn Hold, shares: &[Share], room: u32) {
    let whole: Vec<&Share> = shares.iter().filter(|share| share.weight == room).collect();
    for share in &whole {
        if ledger.registers[share.thing].fetch_max(share.token, Relaxed) > share.token {
            ledger.fenced.fetch_add(1, Relaxed);
        }
    }
    if let Some(guarded) = hold.guarded().filter(|_| !whole.is_empty()) {
        let set = |multi: Transaction, share: &&Share| {
            multi.set(register(share.thing), share.token.to_string().as_bytes(), None)
        };
        // Whether it has happened does not matter: it must not when this is another's.
        let _ = whole.iter().fold(guarded, set).commit().await;
    }
}

/// Waits for a while, or until it is told that the turn is lost; whether it was.
async fn is_told(part: &Part, ledger: &Ledger, hold: &dyn Hold, nap: Duration) -> bool {
    let environment = part.client.environment();
    let Some(lost) = hold.lost().filter(|_| part.below(2) == 0) else {
        part.client.sleep(nap).await;
        return false;
    };
    if within(&**environment, nap, lost).await.is_some() {
        if hold.is_held() {
            part.fail("said to be lost, and held");
        }
        ledger.told.fetch_add(1, Relaxed);
        return true;
    }
    let Some(lost) = hold.lost().filter(|_| !hold.is_held()) else { return false };
    if within(&**environment, Duration::from_secs(1), lost).await.is_none() {
        part.fail("not held any more, and nobody is told");
    }
    false
}

impl Ledger {
    /// What was held became this, with nothing between.
    fn begin_again(
        &self,
        process: usize,
        before: &std::ops::Range<usize>,
        shares: &[Share],
    ) -> std::ops::Range<usize> {
        let same = {
            let spans = self.spans.lock().unwrap();
            let tokens = spans[before.clone()].iter().map(|span| span.share.token);
            tokens.eq(shares.iter().map(|share| share.token))
        };
        if same {
            self.see(before);
            return before.clone();
        }
        // The weaker one begins where the stronger was seen last: nobody may have come between.
        let spans = self.begin(process, shares);
        let mut all = self.spans.lock().unwrap();
        let last = all[before.start].last;
        all[before.clone()].iter_mut().for_each(|span| span.last = last.saturating_sub(1));
        all[spans.clone()].iter_mut().for_each(|span| span.first = last);
        spans
    }
}

/// Performs the turns of a rite, and sees that there were some.
pub(crate) fn perform_turns<R: Rite>(seeds: u64) {
    let plays = perform::<Turns<R>>(seeds).unwrap_or_else(|failure| panic!("{failure}"));
    let sum = |of: fn(&Ledger) -> &AtomicU64| -> u64 {
        plays.iter().map(|play| of(&play.ledger).load(Relaxed)).sum()
    };
    let (turns, cut) = (sum(|ledger| &ledger.turns), sum(|ledger| &ledger.cut));
    let lost = sum(|ledger| &ledger.lost) + sum(|ledger| &ledger.told);
    let fenced = sum(|ledger| &ledger.fenced);
    let told = format!("{turns} turns, {lost} lost, {fenced} fenced, {cut} cut short");
    eprintln!("{told}");
    enough("turns", turns, 2 * seeds);
    enough_in_all("lost", lost, 0);
    enough_in_all("cut short", cut, seeds / 3);
}

fn register(thing: usize) -> String {
    format!("/register{thing}")
}

/// As many things as a rite has at most.
const THINGS: usize = 3;
