//! The world: servers, clients, and the loop that lets one event happen after another.

use super::client::{Client, Farewell};
use super::disk::SimDisk;
use super::env::{Checked, Env, Event, ensure};
use super::faults;
use super::net::End;
use super::plan::Plan;
use super::random::Random;
use super::server::Server;
use super::session::Owner;
use super::stage::{Actor, Play};
use super::totals::Strikes;
use super::trace::{Trace, note};
use std::rc::Rc;

/// Everything there is.
pub struct World {
    /// What is shared.
    pub env: Env,
    /// The servers; one, until there are ensembles.
    pub servers: Vec<Server>,
    /// The clients.
    pub clients: Vec<Client>,
    /// The owners of sessions; their numbers follow those of the clients.
    pub owners: Vec<Owner>,
    /// The processes of a play; their numbers follow.
    pub actors: Vec<Actor>,
    play: Option<Rc<dyn Play>>,
    /// How fast the disk is when nothing is wrong, us.
    pub usual_disk: (u64, u64),
    /// Events so far, arrivals not counted.
    pub steps: u64,
    /// Nothing more goes wrong.
    pub is_calm: bool,
    /// What has gone wrong.
    pub strikes: Strikes,
    /// One more property, to be held by every state.
    pub(super) property: Option<fn(&Self) -> Checked>,
}

impl World {
    /// The world of a seed, in which a play is performed. There is not much else in it then.
    #[must_use]
    pub fn with_play(seed: u64, trace: &Trace, play: Rc<dyn Play>) -> Self {
        Self::with_plan(seed, trace, Some(play), Plan::make_room_for_a_play)
    }

    /// The world of a seed, after a change of its plan.
    pub(super) fn with_plan(
        seed: u64,
        trace: &Trace,
        play: Option<Rc<dyn Play>>,
        change: fn(&mut Plan),
    ) -> Self {
        let mut random = Random::new(seed);
        let mut plan = Plan::new(&mut random);
        change(&mut plan);
        if play.as_ref().is_some_and(|play| play.needs_steady_clock()) {
            plan.faults.wall = 0;
        }
        note!(trace, "{plan:?}");
        let usual_disk = plan.disk_delay;
        let (clients, owners) = (plan.clients, plan.owners);
        let disk = SimDisk::new(u64::MAX, random.fork(), trace.clone());
        let mut env = Env::new(plan, random, trace.clone());
        let owners = clients..clients + owners;
        let clients = (0..clients).map(|number| Client::new(number, &mut env)).collect();
        let first = owners.end;
        let owners = owners.map(|number| Owner::new(number, &mut env)).collect();
        let roles = 0..play.as_ref().map_or(0, |play| play.processes());
        let actors = roles
            .filter_map(|role| {
                Some(Actor::new(first + role, role, Rc::clone(play.as_ref()?), &mut env))
            })
            .collect();
        Self {
            env,
            servers: vec![Server::new(0, disk)],
            clients,
            owners,
            actors,
            play,
            usual_disk,
            steps: 0,
            is_calm: false,
            strikes: Strikes::default(),
            property: None,
        }
    }

    /// Runs for so many events with faults, then without, until everything that was begun has ended.
    pub fn run(&mut self, steps: u64) -> Checked {
        self.env.at(0, Event::Start { server: 0 });
        for client in 0..self.clients.len() + self.owners.len() + self.actors.len() {
            let delay = self.env.random.below(10_000);
            self.env.after(delay, Event::Act { client });
        }
        let (low, high) = self.env.plan.fault_gap;
        let delay = self.env.random.skewed(low, high);
        self.env.after(delay, Event::Fault);
        while self.steps < steps && self.step()? {}
        self.calm_down()
    }

    /// The next event. Returns whether there was one.
    fn step(&mut self) -> Checked<bool> {
        let Some(event) = self.env.pop() else { return Ok(false) };
        self.steps += u64::from(!matches!(event, Event::Arrive(_)));
        match event {
            Event::Fault if self.is_calm => {}
            Event::Fault => faults::strike(self)?,
            Event::Relief(relief) => faults::relieve(self, relief),
            Event::Start { server } => {
                if let Some(server) = self.servers.get_mut(server) {
                    server.start(&mut self.env)?;
                }
            }
            Event::Act { client } => self.act(client)?,
            Event::Arrive(arrival) => {
                let (link, to) = (arrival.link, arrival.to);
                if self.env.links.arrive(arrival) {
                    self.arrived(link, to)?;
                }
            }
            Event::Round { server, .. }
            | Event::Log { server }
            | Event::Logged { server, .. }
            | Event::Room { server }
            | Event::Snapshot { server } => {
                if let Some(place) = self.servers.get_mut(server.0) {
                    place.event(&mut self.env, server.1, event)?;
                }
            }
        }
        for session in std::mem::take(&mut self.env.history.expirations) {
            self.owners.iter().try_for_each(|owner| owner.expired(&self.env, session))?;
        }
        if self.steps.is_multiple_of(256) && self.servers.iter().all(Server::is_up) {
            let tick = i64::from(self.env.plan.engine.shard.tick);
            self.env.history.check_overdue(self.env.now_ms(), tick)?;
        }
        self.property.map_or(Ok(true), |holds| holds(self).map(|()| true))
    }

    fn act(&mut self, number: usize) -> Checked {
        if let (Some(client), Some(server)) =
            (self.clients.get_mut(number), self.servers.first_mut())
        {
            let link = client.link();
            client.act(&mut self.env, server)?;
            self.taken(link);
            return Ok(());
        }
        let number = number.saturating_sub(self.clients.len());
        let Some(server) = self.servers.first_mut() else { return Ok(()) };
        let link = if let Some(owner) = self.owners.get_mut(number) {
            let link = owner.link();
            owner.act(&mut self.env, server)?;
            link
        } else if let Some(actor) = self.actors.get_mut(number.saturating_sub(self.owners.len())) {
            let link = actor.link();
            actor.act(&mut self.env, server)?;
            link
        } else {
            None
        };
        self.taken(link);
        Ok(())
    }

    fn arrived(&mut self, id: u64, to: End) -> Checked {
        let Some(link) = self.env.links.get(id) else { return Ok(()) };
        let (client, conn) = (link.client, link.conn);
        match to {
            End::Client => {
                if self.read(client, id)? {
                    self.taken(Some(id));
                }
            }
            End::Server => {
                if let (Some(server), Some(conn)) = (self.servers.first_mut(), conn) {
                    server.ready(&mut self.env, conn, true, false);
                }
            }
        }
        Ok(())
    }

    /// Something has arrived at a client. Returns whether it was there to take it.
    fn read(&mut self, number: usize, id: u64) -> Checked<bool> {
        let env = &mut self.env;
        if let Some(client) = self.clients.get_mut(number) {
            if client.link() == Some(id) {
                client.read(env)?;
                return Ok(true);
            }
            return Ok(false);
        }
        let number = number.saturating_sub(self.clients.len());
        if let Some(owner) = self.owners.get_mut(number) {
            if owner.link() == Some(id) {
                owner.read(env)?;
                return Ok(true);
            }
            return Ok(false);
        }
        match self.actors.get_mut(number.saturating_sub(self.owners.len())) {
            Some(actor) if actor.link() == Some(id) => actor.arrived(env).map(|()| true),
            _ => Ok(false),
        }
    }

    /// The client has made room in the buffers.
    fn taken(&mut self, link: Option<u64>) {
        let conn = link.and_then(|link| self.env.links.get(link)).and_then(|link| link.conn);
        if let (Some(server), Some(conn)) = (self.servers.first_mut(), conn) {
            server.ready(&mut self.env, conn, false, true);
        }
    }

    /// No more faults: everything that was begun must come to its end, and every session with it.
    fn calm_down(&mut self) -> Checked {
        note!(self.env.trace, "world: calm");
        self.is_calm = true;
        for server in &self.servers {
            server.spare();
            server.disk.set_capacity(u64::MAX);
            server.disk.set_failing(false);
            server.disk.disarm();
        }
        self.env.plan.disk_delay = self.usual_disk;
        for client in &mut self.clients {
            let farewell = self.env.random.of(Farewell::Close, &[Farewell::Vanish]);
            client.calm_down(farewell);
        }
        for owner in &mut self.owners {
            let farewell = self.env.random.of(Farewell::Close, &[Farewell::Vanish]);
            owner.calm_down(farewell, &mut self.env);
        }
        for actor in &mut self.actors {
            actor.calm_down(&mut self.env);
        }
        let began = self.env.now;
        let patience = 120_000_000 + self.env.plan.timeouts.1 * 3_000;
        let most = self.steps + SPINNING;
        while !self.has_ended() {
            ensure!(self.steps < most, "somebody spins: {SPINNING} events, and no end");
            ensure!(
                self.env.now - began < patience && self.step()?,
                "after {} s of calm something has not ended: clients left {:?}, owners {:?}, actors {:?}, sessions {:x?}",
                (self.env.now - began) / 1_000_000,
                self.clients.iter().map(Client::has_left).collect::<Vec<_>>(),
                self.owners.iter().map(Owner::has_left).collect::<Vec<_>>(),
                self.actors.iter().map(Actor::has_left).collect::<Vec<_>>(),
                self.env.history.model.sessions
            );
        }
        if let Some(play) = &self.play {
            play.check(&self.env.history)?;
        }
        let settle = self.env.now + 1_000_000;
        while (self.env.now < settle || !self.has_ended()) && self.step()? {}
        for server in &mut self.servers {
            server.check_idle(&self.env)?;
            server.inspect(&self.env)?;
            if self.env.plan.volatile {
                continue;
            }
            server.stop(&mut self.env);
        }
        while !self.has_ended() && self.step()? {}
        self.servers.iter().try_for_each(|server| server.check_idle(&self.env))
    }

    fn has_ended(&self) -> bool {
        self.servers.iter().all(Server::is_up)
            && self.clients.iter().all(Client::has_left)
            && self.owners.iter().all(Owner::has_left)
            && self.actors.iter().all(Actor::has_left)
            && self.env.history.model.sessions.is_empty()
            && self.env.history.proposed() == self.env.history.durable()
    }
}

/// Events after which a calm world must have come to its end.
const SPINNING: u64 = 2_000_000;
