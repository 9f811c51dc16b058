//! A process of a play: its tasks, its session, and the driver between that and the network of the world.

use super::executor::{Executor, SimEnvironment};
use super::{Blow, Cues, Left, Part, Play};
use crate::sim::env::{Checked, Env, Event, Violation, ensure};
use crate::sim::net::{End, LinkId, Taken};
use crate::sim::random::Random;
use crate::sim::server::Server;
use crate::sim::session::Counts;
use crate::sim::tap::Tap;
use crate::sim::trace::note;
use quorate::client::{Client, Command, Environment, Port, Settings, Task};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// A process that comes and goes.
pub struct Actor {
    number: usize,
    role: usize,
    play: Rc<dyn Play>,
    random: Random,
    settings: Settings,
    cues: Arc<Cues>,
    process: Option<Process>,
    /// When it begins again, and when the next event for it is, us.
    born_at: u64,
    wake_at: u64,
    deaf_until: u64,
    silent_until: u64,
    paused_until: u64,
    gone: bool,
    /// What its processes have come to, of those that have ended.
    pub counts: Counts,
}

struct Process {
    environment: SimEnvironment,
    executor: Executor,
    port: Port,
    client: Client,
    /// Whether the part has been played and the client is closed.
    done: Arc<AtomicBool>,
    link: Option<(u64, Option<LinkId>)>,
    dialled: u64,
    /// When the session wants a turn, ms.
    deadline: Option<i64>,
    tap: Tap,
    part: Part,
    /// The session that is watched over.
    watched: i64,
}

impl Actor {
    /// A process that has not begun. `role` is its number in the play.
    #[must_use]
    pub fn new(number: usize, role: usize, play: Rc<dyn Play>, env: &mut Env) -> Self {
        let mut random = env.random.fork();
        let (low, high) = env.plan.timeouts;
        let settings = Settings {
            servers: vec!["s0".into()],
            timeout: i32::try_from(random.between(low, high)).unwrap_or(i32::MAX),
            max_request: env.plan.engine.shard.max_frame,
            ..Settings::default()
        };
        Self {
            number,
            role,
            play,
            random,
            settings,
            cues: Arc::default(),
            process: None,
            born_at: 0,
            wake_at: 0,
            deaf_until: 0,
            silent_until: 0,
            paused_until: 0,
            gone: false,
            counts: Counts::default(),
        }
    }

    /// Does what is due, and plans when to go on.
    pub fn act(&mut self, env: &mut Env, server: &mut Server) -> Checked {
        if self.gone || env.now < self.paused_until {
            return Ok(());
        }
        if self.process.is_none() && env.now >= self.born_at {
            self.begin(env);
        }
        self.run(env, Some(server))?;
        let tasks = self.process.as_ref().map_or(0, |process| process.executor.len());
        *self.cues.left() = Left { tasks, watches: server.watches() };
        if self.process.as_ref().is_some_and(|p| p.done.load(Ordering::Relaxed)) {
            self.end(env)?;
        }
        self.plan(env);
        Ok(())
    }

    fn begin(&mut self, env: &Env) {
        note!(env.trace, "actor {}: begins", self.number);
        let environment = SimEnvironment::new(self.random.fork(), env.now_ms());
        let outside: Arc<dyn Environment> = Arc::new(environment.clone());
        let limit = env.plan.most_in_flight.unwrap_or(self.random.of(100, &[1, 3]));
        let limit = usize::try_from(limit).unwrap_or(1);
        let (client, port) = Port::open(self.settings.clone(), None, "", limit, outside);
        let part = Part {
            client: client.clone(),
            number: self.role,
            cues: Arc::clone(&self.cues),
            random: Arc::new(Mutex::new(self.random.fork())),
        };
        let (played, done) = (self.play.part(part.clone()), Arc::new(AtomicBool::new(false)));
        let (told, closing) = (Arc::clone(&done), client.clone());
        environment.spawn(Box::pin(async move {
            played.await;
            // Whether a server has heard of it does not matter: the session ends in either case.
            let _ = closing.close().await;
            told.store(true, Ordering::Relaxed);
        }));
        let executor = Executor::new(environment.clone(), self.random.fork());
        let tap = Tap::new(self.number);
        let (link, dialled) = (None, 0);
        self.process = Some(Process {
            environment,
            executor,
            port,
            client,
            done,
            link,
            dialled,
            deadline: None,
            tap,
            part,
            watched: 0,
        });
    }

    /// The part has been played.
    fn end(&mut self, env: &mut Env) -> Checked {
        let over = self.cues.over.load(Ordering::Relaxed);
        if let Some(process) = &self.process {
            let counters = process.client.counters();
            ensure!(
                counters.in_flight == 0 && counters.watches == 0,
                "actor {}: {counters:?} after its end",
                self.number
            );
            ensure!(
                !over || process.executor.len() == 0,
                "actor {}: {} tasks are left after its end",
                self.number,
                process.executor.len()
            );
        }
        self.die(env);
        self.gone = over;
        Ok(())
    }

    /// The process dies: nothing that it wanted to do happens any more.
    pub fn die(&mut self, env: &mut Env) {
        let Some(process) = self.process.take() else { return };
        note!(env.trace, "actor {}: ends", self.number);
        self.cues.vigils.clear();
        let counters = process.client.counters().session;
        self.counts.ended += counters.completed;
        self.counts.lost += counters.lost;
        if let Some((_, Some(link))) = process.link {
            env.close(link, End::Client);
        }
        self.born_at = env.now + self.random.skewed(1_000, 3_000_000);
        self.plan(env);
    }

    /// Tasks, session and network, until nobody has anything to do.
    fn run(&mut self, env: &mut Env, mut server: Option<&mut Server>) -> Checked {
        self.look(env, false)?;
        if let Some(blow) = self.read(env)? {
            self.suffer(blow, env);
            return Ok(());
        }
        let Some(process) = &mut self.process else { return Ok(()) };
        process.environment.set_now(env.now_ms());
        process.watch_over_session();
        for _ in 0..SPINNING {
            let mut busy = false;
            if let Some(server) = server.as_deref_mut() {
                busy |= process.dial(self.number, env, server);
            }
            while process.executor.step() {
                busy = true;
            }
            if let Some(what) = self.cues.violation() {
                return Err(Violation(format!("actor {}: {what}", self.number)));
            }
            let turn = process.port.turn();
            process.deadline = turn.deadline;
            for command in turn.commands {
                busy = true;
                process.carry_out(command, env, &mut self.random);
            }
            let mute = env.now < self.silent_until;
            if !mute {
                let (wrote, blow) = process.write(env, &self.cues)?;
                busy |= wrote;
                if let Some(blow) = blow {
                    self.suffer(blow, env);
                    return Ok(());
                }
            }
            if !busy && !process.executor.is_ready() && process.port.rest(!mute) {
                return self.look(env, true);
            }
        }
        Err(Violation(format!("actor {} spins", self.number)))
    }

    /// Looks at what is held, before anything is done or after everything.
    fn look(&self, env: &Env, at_rest: bool) -> Checked {
        let Some(process) = &self.process else { return Ok(()) };
        process.environment.set_now(env.now_ms());
        let living = process.tap.living(env.now_ms());
        let looked = self.cues.vigils.look(living, at_rest);
        looked.map_err(|Violation(what)| Violation(format!("actor {}: {what}", self.number)))
    }

    /// Reads what has come, up to the message at which something is to happen.
    fn read(&mut self, env: &mut Env) -> Checked<Option<Blow>> {
        let Some(process) = &mut self.process else { return Ok(None) };
        if env.now < self.deaf_until {
            return Ok(None);
        }
        process.environment.set_now(env.now_ms());
        while let Some((attempt, Some(link))) = process.link {
            match env.links.take(link, End::Client, usize::MAX) {
                Taken::Nothing => break,
                Taken::End => {
                    process.port.disconnected(attempt);
                    process.drop_link(env);
                }
                Taken::Bytes(bytes) => {
                    let (mut bytes, mut sleeps) = (bytes.as_slice(), None);
                    while !bytes.is_empty() {
                        let (piece, rest) = bytes.split_at(process.tap.piece(bytes));
                        bytes = rest;
                        let (heard, given) = process.tap.hears(env, link, piece)?;
                        let blow = heard.and_then(|_| self.cues.blows.message());
                        if matches!(blow, Some(Blow::Lose(_) | Blow::Silence(_))) {
                            return Ok(blow);
                        }
                        process.port.received(attempt, &given);
                        sleeps = sleeps.or(blow);
                    }
                    // What came together is there when it wakes.
                    if sleeps.is_some() {
                        return Ok(sleeps);
                    }
                }
            }
        }
        Ok(None)
    }

    /// Something happens to it or to its connection.
    fn suffer(&mut self, blow: Blow, env: &mut Env) {
        note!(env.trace, "actor {}: {blow:?}", self.number);
        let until = env.now + 3_000 * u64::try_from(self.settings.timeout).unwrap_or(0);
        let Some(process) = &mut self.process else { return };
        match (blow, process.link) {
            (Blow::Lose(_), Some((attempt, _))) => {
                process.port.disconnected(attempt);
                process.drop_link(env);
                self.wake_at = env.now + 1;
                env.at(self.wake_at, Event::Act { client: self.number });
            }
            (Blow::Silence(_), Some((_, Some(link)))) => {
                env.links.break_off(link, None);
                (self.deaf_until, self.silent_until) = (until, until);
                self.wake_at = env.now + 1;
                env.at(self.wake_at, Event::Act { client: self.number });
            }
            (Blow::Sleep(_), _) => self.pause(until, env),
            _ => {}
        }
    }

    /// Something has arrived.
    pub fn arrived(&mut self, env: &mut Env) -> Checked {
        if env.now < self.paused_until {
            return Ok(());
        }
        self.run(env, None)?;
        // The end of a part is looked at when it is its turn.
        self.plan(env);
        Ok(())
    }

    fn plan(&mut self, env: &mut Env) {
        if self.gone {
            return;
        }
        let mut due = self.born_at.max(env.now + 1_000_000);
        match &self.process {
            None => due = self.born_at,
            Some(process) => {
                let deadlines = [process.environment.deadline(), process.deadline];
                for deadline in deadlines.into_iter().flatten() {
                    due = due.min(u64::try_from(deadline).unwrap_or(0).saturating_mul(1_000));
                }
                if matches!(process.link, Some((_, None))) {
                    due = due.min(process.dialled);
                }
                if process.done.load(Ordering::Relaxed) {
                    due = env.now;
                }
            }
        }
        for until in [self.deaf_until, self.silent_until] {
            due = if until > env.now { due.min(until) } else { due };
        }
        let due = due.max(env.now + 1).max(self.paused_until);
        if self.wake_at <= env.now || due < self.wake_at {
            self.wake_at = due;
            env.at(due, Event::Act { client: self.number });
        }
    }

    /// It does not read until then, us.
    pub fn deafen(&mut self, until: u64) {
        self.deaf_until = until;
    }

    /// It does not send until then, us.
    pub fn silence(&mut self, until: u64) {
        self.silent_until = until;
    }

    /// It does nothing at all until then, us.
    pub fn pause(&mut self, until: u64, env: &mut Env) {
        note!(env.trace, "actor {}: sleeps", self.number);
        self.paused_until = until;
        self.wake_at = until;
        env.at(until, Event::Act { client: self.number });
    }

    /// It finishes what it has begun and leaves.
    pub fn calm_down(&mut self, env: &mut Env) {
        self.cues.over.store(true, Ordering::Relaxed);
        (self.deaf_until, self.silent_until, self.paused_until) = (0, 0, 0);
        env.after(1, Event::Act { client: self.number });
    }

    /// Whether it has left.
    #[must_use]
    pub const fn has_left(&self) -> bool {
        self.gone
    }

    /// The link in use.
    #[must_use]
    pub const fn link(&self) -> Option<LinkId> {
        match &self.process {
            Some(Process { link: Some((_, link)), .. }) => *link,
            _ => None,
        }
    }
}

impl Process {
    /// Each session is held, too, as is what depends on it.
    fn watch_over_session(&mut self) {
        let session = self.client.session_id();
        if session == self.watched || session == 0 {
            return;
        }
        self.watched = session;
        let lifetime = self.client.lifetime();
        let ended: Task = Box::pin(lifetime.ended());
        self.part.watch_over("the session", move || lifetime.is_alive(), Some(ended));
    }

    fn carry_out(&mut self, command: Command, env: &mut Env, random: &mut Random) {
        match command {
            Command::Connect { attempt, .. } => {
                self.drop_link(env);
                self.link = Some((attempt, None));
                self.dialled = env.now + random.skewed(1, 3_000);
            }
            Command::Disconnect { .. } => self.drop_link(env),
            Command::Probe { server } => self.port.probed(server, false),
        }
    }

    fn drop_link(&mut self, env: &mut Env) {
        if let Some((_, link)) = self.link.take() {
            if let Some(link) = link {
                env.close(link, End::Client);
            }
            self.tap.reset();
        }
    }

    /// The attempt ends well or badly, if it is time. Returns whether it did.
    fn dial(&mut self, number: usize, env: &mut Env, server: &mut Server) -> bool {
        let Some((attempt, None)) = self.link else { return false };
        if env.now < self.dialled {
            return false;
        }
        let session = self.client.identity().map_or(0, |identity| identity.id);
        let link = env.links.open(number, session);
        if server.accept(env, link) {
            self.link = Some((attempt, Some(link)));
            self.tap.reset();
            self.port.connected(attempt);
        } else {
            env.close(link, End::Client);
            self.link = None;
            self.port.disconnected(attempt);
        }
        true
    }

    /// Returns whether there was anything to send, and what happens then.
    fn write(&mut self, env: &mut Env, cues: &Cues) -> Checked<(bool, Option<Blow>)> {
        let mut out = Vec::new();
        self.port.output(&mut out, usize::MAX);
        if out.is_empty() {
            return Ok((false, None));
        }
        let Some((_, Some(link))) = self.link else {
            return Err(Violation("output without a connection".into()));
        };
        self.tap.sends(env, link, &mut out, |_| None)?;
        let (leaves, blow) = cues.blows.leave(&out);
        env.send(link, End::Client, out.get(..leaves).unwrap_or_default());
        Ok((true, blow))
    }
}

/// Rounds without a pause in which a process must come to rest.
const SPINNING: usize = 10_000;
