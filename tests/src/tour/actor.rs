//! A process of a play at real servers: a client and the part that it plays, one life after another.

use super::conductor::Conductor;
use super::tally::Tally;
use crate::sim::env::{Checked, Violation, ensure};
use crate::sim::random::Random;
use crate::sim::stage::{Cues, Part, Play};
use quorate::client::{Client, Error, ErrorCode, Task};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// A process that comes and goes.
pub(super) struct Actor {
    conductor: &'static Conductor,
    root: String,
    number: usize,
    random: Random,
    cues: Arc<Cues>,
    tally: Arc<Tally>,
    life: Option<Life>,
    has_left: bool,
}

/// From a beginning to an end.
struct Life {
    client: Client,
    /// Dropped to end it at whatever await it has come to.
    thread: oneshot::Sender<()>,
    /// Whether its client was closed well, when it has come to its end.
    end: oneshot::Receiver<Result<(), String>>,
    dies_at: Instant,
    looked_at: Instant,
}

impl Actor {
    /// A process that has not begun.
    pub(super) fn new(
        conductor: &'static Conductor,
        root: &str,
        number: usize,
        random: Random,
        tally: &Arc<Tally>,
    ) -> Self {
        let (root, cues) = (root.to_owned(), Arc::new(Cues::of_reality()));
        let tally = Arc::clone(tally);
        Self { conductor, root, number, random, cues, tally, life: None, has_left: false }
    }

    pub(super) const fn number(&self) -> usize {
        self.number
    }

    pub(super) fn cues(&self) -> Arc<Cues> {
        Arc::clone(&self.cues)
    }

    /// Whether it has come to its end for good.
    pub(super) const fn has_left(&self) -> bool {
        self.has_left
    }

    /// Begins, dies, or looks whether anything is wrong.
    pub(super) fn act(&mut self, play: &dyn Play) -> Checked {
        match &self.life {
            None => self.begin(play)?,
            Some(life) if Instant::now() >= life.dies_at => self.die(),
            Some(_) => self.look()?,
        }
        Ok(())
    }

    /// It finishes what it has begun, and leaves.
    pub(super) fn calm_down(&mut self, play: &dyn Play) {
        self.cues.calm_down();
        // Who has just died plays the end as well.
        if self.life.is_none() {
            let _ = self.begin(play);
        }
    }

    /// Looks whether it has come to its end.
    pub(super) fn end(&mut self) -> Checked {
        self.look()?;
        self.has_left = self.life.is_none();
        Ok(())
    }

    fn begin(&mut self, play: &dyn Play) -> Checked {
        let wrong = |error: Error| Violation(error.to_string());
        let builder = Client::builder().servers(self.conductor.servers());
        let builder = builder.session_timeout(SESSION).runtime(Handle::current());
        let client = builder.open().and_then(|client| client.view(&self.root)).map_err(wrong)?;
        let seed = self.random.number();
        let part = Part::in_reality(client.clone(), self.number, Arc::clone(&self.cues), seed);
        let (thread, cut) = oneshot::channel();
        let (told, end) = oneshot::channel();
        let playing = play_until_cut(play.part(part), cut, Arc::clone(&self.tally));
        let own = client.clone();
        tokio::spawn(async move {
            if playing.await {
                let closed = match own.close().await {
                    // Nothing may be left of it all the same, which is looked at in the end.
                    Err(error) if is_unanswered(&error) => Ok(()),
                    closed => closed.map_err(|error| error.to_string()),
                };
                let _ = told.send(closed);
            }
        });
        let dies_at = Instant::now() + Duration::from_millis(self.random.below(2 * LIFE_MS));
        self.life = Some(Life { client, thread, end, dies_at, looked_at: Instant::now() });
        Ok(())
    }

    /// Nothing that it wanted to do happens any more. Its session lives on until the server ends it.
    fn die(&mut self) {
        if let Some(life) = self.life.take() {
            life.client.abandon();
            drop(life.thread);
            self.cues.let_go();
            self.tally.count(&life.client.counters(), true);
        }
    }

    fn look(&mut self) -> Checked {
        if let Some(what) = self.cues.violation() {
            return Err(Violation(format!("process {}: {what}", self.number)));
        }
        let Some(life) = &mut self.life else { return Ok(()) };
        if life.looked_at.elapsed() > LOOK {
            life.looked_at = Instant::now();
            let living = life.client.identity().map(|identity| identity.id);
            let named = |Violation(what)| Violation(format!("process {}: {what}", self.number));
            self.cues.look(living).map_err(named)?;
        }
        let closed = match life.end.try_recv() {
            Err(oneshot::error::TryRecvError::Empty) => return Ok(()),
            Err(oneshot::error::TryRecvError::Closed) => {
                return Err(Violation(format!("process {} panicked", self.number)));
            }
            Ok(closed) => closed,
        };
        let counters = life.client.counters();
        self.tally.count(&counters, false);
        self.life = None;
        self.cues.let_go();
        // While servers die it may be that none can be told.
        if self.conductor.is_over() {
            closed.map_err(|error| Violation(format!("process {}: {error}", self.number)))?;
        }
        ensure!(
            counters.in_flight == 0 && counters.watches == 0,
            "process {}: {counters:?} after its end",
            self.number
        );
        Ok(())
    }
}

/// Plays a part; false if it was cut.
async fn play_until_cut(part: Task, cut: oneshot::Receiver<()>, tally: Arc<Tally>) -> bool {
    // Boxed, to be dropped here and not with the other end's task.
    let (mut part, mut cut) = (part, cut);
    poll_fn(move |context| {
        if Pin::new(&mut cut).poll(context).is_ready() {
            return Poll::Ready(false);
        }
        tally.during(|| part.as_mut().poll(context)).map(|()| true)
    })
    .await
}

/// Short, so that sessions are lost and expire within a test.
const SESSION: Duration = Duration::from_secs(3);
/// How often it is looked whether what is held says so rightly: whoever waits to be told of a loss has had a turn meanwhile.
const LOOK: Duration = Duration::from_secs(1);
/// How long a process lives on the average, ms.
const LIFE_MS: u64 = 12_000;

/// Whether whoever closes has been told nothing: the connection has broken once more, or the session was over.
const fn is_unanswered(error: &Error) -> bool {
    matches!(error.code(), ErrorCode::ConnectionLoss | ErrorCode::SessionExpired)
}
