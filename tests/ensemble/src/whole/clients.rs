//! What clients and servers say to each other, and how clients find them.

use super::pipe::Pipe;
use super::world::{Event, World};
use crate::check::Checked;
use crate::link::Channel;
use quorate_engine::client::Effect;
use quorate_engine::zab::Sid;
use quorate_tests_kit::note;

impl World {
    /// A client is woken, or has something to do.
    pub(super) fn client(&mut self, n: usize) -> Checked {
        let (now, clock, gap) = (self.now, self.client_clock(), self.plan.idea);
        let Some(owner) = self.owners.get_mut(n) else { return Ok(()) };
        if owner.paused_until > now {
            let until = owner.paused_until;
            self.at(until, Event::Client(n));
            return Ok(());
        }
        if owner.timer <= now {
            owner.timer = u64::MAX;
        }
        if owner.session.deadline().is_some_and(|due| clock >= due) {
            owner.session.tick(clock);
        }
        if now >= owner.idea_at {
            let several = owner.random.of(1, &[1, 1, 5]);
            (0..several).for_each(|_| owner.idea());
            owner.idea_at = now + owner.random.between(gap / 10, gap).max(1);
        }
        self.client_effects(n)
    }

    /// Everybody who is connected to a server asks for a sync, and reads behind it.
    pub(super) fn ask_syncs(&mut self, sid: Sid) -> Checked {
        for n in 0..self.owners.len() {
            let pipes = &self.pipes;
            let is_there = |pipe: u64| pipes.get(&pipe).is_some_and(|pipe| pipe.server == sid);
            let owner = self.owners.get_mut(n).filter(|owner| owner.pipe().is_some_and(is_there));
            if let Some(owner) = owner {
                owner.sync();
                self.client(n)?;
            }
        }
        Ok(())
    }

    /// Carries out what a client's engine wants, and sends what it says.
    fn client_effects(&mut self, n: usize) -> Checked {
        while let Some(effect) =
            self.owners.get_mut(n).and_then(|owner| owner.session.next_effect())
        {
            match effect {
                Effect::Connect { attempt, server } => {
                    self.drop_pipe(n);
                    let Some(owner) = self.owners.get_mut(n) else { return Ok(()) };
                    owner.link = Some((attempt, None));
                    owner.dials = server;
                    let delay = owner.random.skewed(50, 20_000);
                    self.after(delay, Event::Dialled(n, attempt));
                }
                Effect::Disconnect { .. } => self.drop_pipe(n),
                Effect::Probe { .. } => {}
                effect => {
                    match &effect {
                        Effect::Complete { token, result: Ok(_) } => {
                            note!(self.trace, "client {n}: {token} is done");
                        }
                        Effect::Complete { token, result: Err(failure) } => {
                            let unknown = failure.outcome_unknown;
                            note!(self.trace, "client {n}: {token}: {} {unknown}", failure.code);
                        }
                        effect => note!(self.trace, "client {n}: {effect:x?}"),
                    }
                    if let Some(owner) = self.owners.get_mut(n) {
                        owner.told(effect)?;
                    }
                }
            }
        }
        self.say_up_all(n);
        self.arm_client(n);
        Ok(())
    }

    fn say_up_all(&mut self, n: usize) {
        let clock = self.client_clock();
        let Some(owner) = self.owners.get_mut(n) else { return };
        let Some((_, Some(pipe))) = owner.link else { return };
        let mut bytes = Vec::new();
        owner.session.output(clock, &mut bytes, usize::MAX);
        if !bytes.is_empty() {
            owner.tap.sends(&bytes, &self.history);
            self.say_up(pipe, Some(bytes));
        }
    }

    fn arm_client(&mut self, n: usize) {
        let now = self.now;
        let Some(owner) = self.owners.get_mut(n) else { return };
        let due = owner
            .session
            .deadline()
            .map_or(u64::MAX, |due| u64::try_from(due).unwrap_or(0).saturating_mul(1_000));
        let due = if owner.has_left() { due } else { due.min(owner.idea_at) };
        let due = due.max(now + 1);
        if due < owner.timer {
            owner.timer = due;
            self.at(due, Event::Client(n));
        }
    }

    fn drop_pipe(&mut self, n: usize) {
        let Some(owner) = self.owners.get_mut(n) else { return };
        if let Some((_, Some(pipe))) = owner.link.take() {
            owner.tap.reset();
            self.say_up(pipe, None);
            if let Some(pipe) = self.pipes.get_mut(&pipe) {
                pipe.down = Channel::default();
                pipe.attempt = 0;
            }
        }
    }

    /// An attempt to connect ends.
    pub(super) fn dialled(&mut self, n: usize, attempt: u64) -> Checked {
        let clock = self.client_clock();
        let Some(owner) = self.owners.get_mut(n) else { return Ok(()) };
        if owner.link != Some((attempt, None)) {
            return Ok(());
        }
        let sid = Sid::try_from(owner.dials + 1).unwrap_or(0);
        let now = self.clock(sid).mono;
        let Some(process) = self.awake(sid).filter(|process| process.serving) else {
            if let Some(owner) = self.owners.get_mut(n) {
                owner.session.disconnected(attempt, clock);
            }
            return self.client_effects(n);
        };
        let (conn, turn) = (process.shard.open(None, now), process.turn);
        let number = self.number();
        let (up, down) = (Channel::default(), Channel::default());
        let pipe = Pipe { client: n, attempt, server: sid, turn, conn, up, down, dead: false };
        self.pipes.insert(number, pipe);
        if let Some(process) = self.process(sid) {
            process.pipes.insert(conn, number);
        }
        note!(self.trace, "client {n} connects to {sid} ({number})");
        if let Some(owner) = self.owners.get_mut(n) {
            owner.link = Some((attempt, Some(number)));
            owner.tap.reset();
            owner.session.connected(attempt, clock);
        }
        self.client_effects(n)
    }

    fn say_up(&mut self, number: u64, bytes: Option<Vec<u8>>) {
        let at = self.now + self.random.skewed(50, self.plan.delay);
        let Some(pipe) = self.pipes.get_mut(&number).filter(|pipe| !pipe.dead) else { return };
        let at = pipe.up.send(bytes, at);
        self.at(at, Event::Up(number));
    }

    /// A server sends to a client, or ends the connection.
    pub(super) fn say_down(&mut self, number: u64, bytes: Option<Vec<u8>>) {
        let at = self.now + self.random.skewed(50, self.plan.delay);
        let Some(pipe) = self.pipes.get_mut(&number) else { return };
        if pipe.dead || pipe.attempt == 0 {
            return;
        }
        let at = pipe.down.send(bytes, at);
        self.at(at, Event::Down(number));
    }

    /// Bytes may have arrived at a server.
    pub(super) fn pipe_up(&mut self, number: u64) -> Checked {
        let now = self.now;
        let Some(pipe) = self.pipes.get_mut(&number) else { return Ok(()) };
        let (sid, conn, turn) = (pipe.server, pipe.conn, pipe.turn);
        let paused = self.servers.get(&sid).map_or(0, |server| server.paused_until);
        if paused > now {
            self.at(paused, Event::Up(number));
            return Ok(());
        }
        let Some(bytes) = self.pipes.get_mut(&number).and_then(|pipe| pipe.up.receive(now)) else {
            return Ok(());
        };
        let clock = self.clock(sid);
        let Some(process) = self.process(sid).filter(|process| process.turn == turn) else {
            return Ok(());
        };
        if process.pipes.get(&conn) != Some(&number) {
            return Ok(());
        }
        match bytes {
            Some(bytes) => process.receive(conn, &bytes, clock),
            None => {
                process.shard.close(conn);
                process.pipes.remove(&conn);
                self.pipes.remove(&number);
            }
        }
        self.go_on(sid)
    }

    /// Bytes may have arrived at a client.
    pub(super) fn pipe_down(&mut self, number: u64) -> Checked {
        let (now, clock) = (self.now, self.client_clock());
        let Some(pipe) = self.pipes.get_mut(&number) else { return Ok(()) };
        let (n, attempt) = (pipe.client, pipe.attempt);
        let Some(owner) = self.owners.get_mut(n) else { return Ok(()) };
        if owner.paused_until > now {
            let until = owner.paused_until;
            self.at(until, Event::Down(number));
            return Ok(());
        }
        let Some(bytes) = pipe.down.receive(now) else { return Ok(()) };
        if owner.link != Some((attempt, Some(number))) {
            return Ok(());
        }
        let Some(bytes) = bytes else {
            self.pipes.remove(&number);
            owner.session.disconnected(attempt, clock);
            owner.tap.reset();
            return self.client_effects(n);
        };
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let Some(owner) = self.owners.get_mut(n) else { return Ok(()) };
            if owner.link != Some((attempt, Some(number))) {
                break;
            }
            let (piece, more) = rest.split_at(owner.tap.piece(rest));
            rest = more;
            owner.hears(piece, &mut self.history)?;
            owner.session.received(attempt, piece, clock);
            self.client_effects(n)?;
        }
        Ok(())
    }

    /// All connections of clients to a server end.
    pub(super) fn close_pipes_of(&mut self, sid: Sid) {
        let Some(process) = self.process(sid) else { return };
        let pipes = std::mem::take(&mut process.pipes);
        for (conn, pipe) in pipes {
            if let Some(process) = self.process(sid) {
                process.shard.close(conn);
            }
            self.say_down(pipe, None);
        }
    }

    /// A connection of a client ends, and nobody is told if `silent`.
    pub(super) fn break_pipe(&mut self, number: u64, silent: bool) {
        let Some(pipe) = self.pipes.get_mut(&number) else { return };
        pipe.up = Channel::default();
        pipe.down = Channel::default();
        if silent {
            pipe.dead = true;
            return;
        }
        self.say_up(number, None);
        self.say_down(number, None);
    }
}
