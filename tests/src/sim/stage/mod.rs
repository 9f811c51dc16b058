//! Programs over the product's client in the world of the simulator: recipes, and whatever else is async.
//!
//! A [`Play`] says what each process does; its processes are [`Actor`]s, each with a clock, a session and tasks of its own,
//! under all the faults of the world and two more: a process sleeps for as long as a session lives, or dies and begins
//! again. When the world has become calm, every part must come to its end, and the play says whether what is left is right.
//!
//! [`Part::cut_short`] is for recipes that must bear being dropped at any await. What is held, [`Part::watch_over`] has the stage look after.

mod actor;
mod blow;
mod executor;
mod vigils;

pub use actor::Actor;
pub use blow::{Blow, Steps};
pub use vigils::Sense;

use super::env::Checked;
use super::history::History;
use super::random::Random;
use blow::Blows;
use quorate::client::{Client, Task};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use vigils::Vigils;

/// What happens in a world of processes.
pub trait Play {
    /// How many processes there are.
    fn processes(&self) -> usize;

    /// What a process does from its beginning on, and again after it has died. It should end soon after [`Part::is_over`]; the
    /// client is then closed.
    fn part(&self, part: Part) -> Task;

    /// Whether it is about times by the server's wall clock, which must not jump then.
    fn needs_steady_clock(&self) -> bool {
        false
    }

    /// Looks at what is left when everybody has ended.
    ///
    /// # Errors
    /// When a property does not hold.
    fn check(&self, history: &History) -> Checked;
}

/// What a process gets to play with.
#[derive(Clone, Debug)]
pub struct Part {
    /// Its session.
    pub client: Client,
    /// Which process it is, from 0 on; it keeps its number when it dies.
    pub number: usize,
    cues: Arc<Cues>,
    random: Arc<Mutex<Random>>,
}

/// What the world and a process tell each other.
#[derive(Debug, Default)]
pub(crate) struct Cues {
    over: AtomicBool,
    violation: Mutex<Option<String>>,
    vigils: Vigils,
    /// How often the process has come round to ask whether the world is over.
    rounds: AtomicU64,
    /// Whether the world is not the simulator's.
    is_real: bool,
    blows: Blows,
    left: Mutex<Left>,
}

/// What there is besides nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// Tasks of the process.
    pub tasks: usize,
    /// Watches on the server, of everybody.
    pub watches: usize,
}

impl Part {
    /// A process in another world than the simulator's.
    pub(crate) fn in_reality(client: Client, number: usize, cues: Arc<Cues>, seed: u64) -> Self {
        Self { client, number, cues, random: Arc::new(Mutex::new(Random::new(seed))) }
    }

    /// Whether the world wants to come to its end.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.cues.rounds.fetch_add(1, Ordering::Relaxed);
        self.cues.over.load(Ordering::Relaxed)
    }

    /// Waits until what was on its way when the world became calm has arrived: so long in the worst of worlds, less in a real one.
    pub async fn settle(&self, worst: Duration) {
        let real = if self.cues.is_real { worst.min(REAL_DELAY) } else { worst };
        self.client.sleep(real).await;
    }

    /// The wall clock of the world's servers, ms since 1970.
    #[must_use]
    pub fn wall_clock(&self) -> i64 {
        if self.cues.is_real {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            return i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
        }
        EPOCH + self.client.environment().now()
    }

    /// A property does not hold: the run fails.
    pub fn fail(&self, what: impl Into<String>) {
        let mut violation = self.cues.violation.lock().unwrap_or_else(PoisonError::into_inner);
        violation.get_or_insert_with(|| what.into());
    }

    /// Has the stage look that something held is not called so any more when its session is over, and never again, and that whoever waits for
    /// its loss is told in time. `lost` may also end when it is released.
    pub fn watch_over(
        &self,
        what: impl Into<String>,
        is_held: impl Fn() -> bool + Send + 'static,
        lost: Option<Task>,
    ) {
        let (vigils, session) = (&self.cues.vigils, self.client.session_id());
        if let Some(waiting) = vigils.begin(what.into(), session, Box::new(is_held), lost) {
            self.client.environment().spawn(waiting);
        }
    }

    /// A number below a bound, from the seed.
    #[must_use]
    pub fn below(&self, bound: u64) -> u64 {
        self.random.lock().unwrap_or_else(PoisonError::into_inner).below(bound)
    }

    /// Runs a future to its end, or drops it after so many polls; `None` then.
    pub async fn cut_short<T>(&self, polls: u64, future: impl Future<Output = T>) -> Option<T> {
        let mut future = pin!(future);
        let mut left = polls;
        poll_fn(|context| {
            if left == 0 {
                return Poll::Ready(None);
            }
            left -= 1;
            future.as_mut().poll(context).map(Some)
        })
        .await
    }
}

impl Part {
    /// Runs a future to its end, unless it is dropped: something happens at one of its steps. Answers also how many there were.
    pub async fn undergo<T>(
        &self,
        blow: Blow,
        future: impl Future<Output = T>,
    ) -> (Option<T>, Steps) {
        let mut future = pin!(future);
        let blows = &self.cues.blows;
        blows.begin(blow);
        let result = poll_fn(|context| {
            if blows.drops_before() {
                return Poll::Ready(None);
            }
            let polled = future.as_mut().poll(context);
            match blows.drops_after() {
                true if polled.is_pending() => Poll::Ready(None),
                _ => polled.map(Some),
            }
        })
        .await;
        (result, blows.end())
    }

    /// What there was when this process was last at rest.
    #[must_use]
    pub fn left(&self) -> Left {
        *self.cues.left()
    }
}

impl Cues {
    /// Those of a process in another world.
    pub(crate) fn of_reality() -> Self {
        Self { is_real: true, ..Self::default() }
    }

    /// The world wants to come to its end.
    pub(crate) fn calm_down(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    pub(crate) fn rounds(&self) -> u64 {
        self.rounds.load(Ordering::Relaxed)
    }

    /// Looks after what is held in a real world, where the session that lives by the client's clock is this, at most every second.
    pub(crate) fn look(&self, living: Option<i64>) -> Checked {
        self.vigils.look_now_and_then(living)
    }

    /// The process is gone, and with it all that it held.
    pub(crate) fn let_go(&self) {
        self.vigils.clear();
    }

    fn left(&self) -> MutexGuard<'_, Left> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What did not hold, once.
    pub(crate) fn violation(&self) -> Option<String> {
        self.violation.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The wall clock at the beginning of a simulated world, ms since 1970.
const EPOCH: i64 = 1_000_000_000_000;
/// Nothing is on its way for so long between programs on one machine.
const REAL_DELAY: Duration = Duration::from_secs(3);
