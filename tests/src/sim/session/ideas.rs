//! What the owner of a session takes it into its head to do.

use super::Owner;
use super::outcome::Asked;
use super::wish::Wish;
use crate::sim::client::Farewell;
use crate::sim::env::{Checked, Env, Violation, ensure};
use crate::sim::trace::note;
use quorate_engine::client::{ClientSession, Refused, below};

impl Owner {
    pub(super) fn idea(&mut self, env: &mut Env) -> Checked {
        if let Some(farewell) = self.calm {
            return self.leave(env, farewell);
        }
        match self.random.below(1000) {
            0..=1 => self.resume_elsewhere(env)?,
            2..=3 => self.close(env)?,
            4..=9 => {
                self.labels = self.random.of(["s0", "s0"], &[["s0", "dead"], ["dead", "s0"]]);
                self.session.set_servers(self.labels.map(String::from).to_vec(), env.now_ms());
            }
            10..=15 => {
                let token = self.name();
                let secret = self.random.of("joe:1", &["ann:2", "eve:3"]);
                if self.session.authenticate("digest", secret.as_bytes(), token).is_ok() {
                    let wish = Wish::WhoAmI;
                    // Its answer is seen by nobody here but the owner.
                    self.asked.insert(
                        token,
                        Asked { wish, sent: None, answer: Some((0, 0, Vec::new())) },
                    );
                }
            }
            16..=35 => {
                // A fault of the connection that only this side sees.
                if let Some((attempt, Some(_))) = self.link {
                    self.session.disconnected(attempt, env.now_ms());
                }
            }
            36..=100 => {
                let keys = self.watching.keys();
                if let Some(&key) = self.random.pick(&keys) {
                    self.watching.forget(key);
                    self.session.unwatch(key);
                }
            }
            _ => {
                for _ in 0..self.random.between(0, env.plan.burst) {
                    self.submit(env)?;
                }
            }
        }
        self.effects(env)
    }

    fn submit(&mut self, env: &mut Env) -> Checked {
        let (token, key) = (self.name(), self.name());
        let mut wish = match self.by_type(env) {
            Some(wish) => wish,
            None => Wish::any(&mut self.random, &env.plan, key),
        };
        let (session, root) = (&mut self.session, self.root);
        match wish.with(|request| session.submit(root, request, token)) {
            Ok(()) => {
                if wish.watch(false).is_some() && self.random.chance(100) {
                    self.session.unwatch(key);
                    wish.unwatch();
                }
                note!(env.trace, "owner {}: {token} {wish:?}", self.number);
                self.unsent.push_back(token);
                self.asked.insert(token, Asked { wish, sent: None, answer: None });
            }
            Err(Refused::Full) => {
                ensure!(
                    self.session.in_flight() >= self.settings.max_pending,
                    "there is room, but not for {wish:?}"
                );
            }
            Err(Refused::TooLong) => {}
            Err(Refused::Closed) if self.closing.is_some() => {}
            Err(refused) => {
                return Err(Violation(format!("{wish:?} was refused: {refused}")));
            }
        }
        ensure!(
            self.unsent.len() <= self.settings.max_pending,
            "{} requests wait, {} may",
            self.unsent.len(),
            self.settings.max_pending
        );
        Ok(())
    }

    /// A request about all watches of a type, where the engine has nothing else under way: it sends the same to keep house, and on the wire
    /// nobody could tell which is whose.
    fn by_type(&mut self, env: &Env) -> Option<Wish> {
        if self.session.in_flight() > 0 || !self.random.chance(100) {
            return None;
        }
        let keys = self.watching.keys();
        let watched = self.random.pick(&keys).and_then(|key| self.watching.path(*key));
        let here = watched.and_then(|path| path.strip_prefix(self.root)).map(str::to_owned);
        let here = here.filter(|path| path.starts_with('/') && self.random.chance(800));
        let here = here.unwrap_or_else(|| env.plan.path(&mut self.random));
        let (root, watching) = (self.root, &self.watching);
        let had = |path: &str, kind| !watching.of_type(&below(root, path), kind).is_empty();
        Some(Wish::by_type(&mut self.random, here, had))
    }

    fn name(&mut self) -> u64 {
        self.names += 1;
        self.names
    }

    /// The process dies, and another one goes on with its session.
    fn resume_elsewhere(&mut self, env: &mut Env) -> Checked {
        let session = self.tap.session;
        let identity = self.session.identity().filter(|_| session != 0);
        self.end(env)?;
        note!(env.trace, "owner {}: begins again with {identity:x?}", self.number);
        self.settings.resume = identity;
        let (settings, seed) = (self.settings.clone(), self.random.number());
        self.session = ClientSession::new(settings, None, seed, env.now_ms());
        self.labels = ["s0", "s0"];
        self.tap.session = identity.map_or(0, |_| session);
        self.tap.next_process();
        Ok(())
    }

    fn end(&mut self, env: &mut Env) -> Checked {
        self.session.abandon();
        self.effects(env)?;
        self.is_over()
    }

    /// Nothing may be left of a session that is over.
    pub(super) fn is_over(&self) -> Checked {
        let counters = self.session.counters();
        ensure!(
            self.asked.is_empty() && self.watching.len() == 0 && self.closing.is_none(),
            "at the end of the session these have not ended: {:?}, {:?}",
            self.asked,
            self.watching
        );
        ensure!(
            counters.submitted == counters.completed && self.session.in_flight() == 0,
            "not everything has ended: {counters:?}"
        );
        Ok(())
    }

    fn close(&mut self, env: &mut Env) -> Checked {
        if self.closing.is_none() && !self.session.state().is_final() {
            let (token, limit) = (self.name(), env.now_ms() + 20_000);
            let closing = self.session.close(limit, token);
            ensure!(closing.is_ok(), "it cannot be closed: {closing:?}");
            self.closing = Some(token);
            self.effects(env)?;
        }
        Ok(())
    }

    fn leave(&mut self, env: &mut Env, farewell: Farewell) -> Checked {
        if self.session.state().is_final() {
            self.gone = true;
            return self.is_over();
        }
        match farewell {
            Farewell::Close => self.close(env),
            Farewell::Vanish if self.asked.is_empty() => {
                note!(env.trace, "owner {}: vanishes", self.number);
                self.end(env)
            }
            Farewell::Vanish => Ok(()),
        }
    }
}
