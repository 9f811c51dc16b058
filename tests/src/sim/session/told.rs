//! What the owner of a session is told, by its engine and by the tap on the connection.

use super::Owner;
use super::wish::Wish;
use crate::sim::env::{Checked, Env, Violation, ensure};
use crate::sim::tap::Heard;
use crate::sim::trace::note;
use quorate_engine::client::{ClientSession, Failure, Notice, Reply, State, Token, below};
use quorate_wire::ErrorCode;

impl Owner {
    pub(super) fn complete(
        &mut self,
        env: &Env,
        token: Token,
        result: &Result<Reply, Failure>,
    ) -> Checked {
        note!(env.trace, "owner {}: {token} is {:?}", self.number, result.as_ref().err());
        self.counts.ended += 1;
        if self.closing == Some(token) {
            self.closing = None;
            let good = match result {
                Ok(_) => !env.history.is_alive(self.tap.session) || self.tap.session == 0,
                Err(failure) => failure.outcome_unknown,
            };
            ensure!(good, "closing {:#x} ended with {result:?}", self.tap.session);
            return Ok(());
        }
        let Some(asked) = self.asked.remove(&token) else {
            return Err(Violation(format!("{token} ends again, or was never begun: {result:?}")));
        };
        self.unsent.retain(|other| *other != token);
        self.counts.unknown += u64::from(result.as_ref().is_err_and(|f| f.outcome_unknown));
        if matches!(asked.answer, Some((0, 0, ref body)) if body.is_empty()) {
            // An identity: accepted, or over with the session.
            let refused = result.as_ref().is_err_and(|f| f.code == ErrorCode::AuthFailed);
            ensure!(!refused, "good credentials were refused");
            return Ok(());
        }
        asked.check(&env.history, self.root, result)
    }

    pub(super) fn event(&mut self, env: &Env, key: u64, notice: Notice) -> Checked {
        note!(env.trace, "owner {}: watch {key}: {notice:?}", self.number);
        match notice {
            Notice::Changed { kind, path, .. } => {
                self.counts.events += 1;
                self.watching.told(&env.history, key, kind, &below(self.root, &path))
            }
            Notice::Missed => {
                self.counts.missed += 1;
                self.watching.missed(key)
            }
            Notice::Ended(code) => self.watching.ended(key, code == ErrorCode::NoWatcher),
        }
    }

    pub(super) fn entered(&mut self, env: &Env, state: State) -> Checked {
        note!(env.trace, "owner {}: {state:?}", self.number);
        match state {
            State::Lost => {
                ensure!(self.tap.session != 0, "a session is lost that there never was");
                ensure!(self.lost != self.tap.session, "{:#x} is lost twice", self.lost);
                ensure!(self.watching.len() == 0, "{:?} outlive the session", self.watching);
                self.counts.lost += 1;
                self.lost = self.tap.session;
                self.tap.forget();
            }
            State::Closed if self.calm.is_none() => {
                self.is_over()?;
                self.tap.forget();
                self.settings.resume = None;
                let (settings, seed) = (self.settings.clone(), self.random.number());
                if let Some(effect) = self.session.next_effect() {
                    return Err(Violation(format!("{effect:?} after the end")));
                }
                self.labels = ["s0", "s0"];
                self.session = ClientSession::new(settings, None, seed, env.now_ms());
            }
            State::AuthFailed | State::ReadOnly => {
                return Err(Violation(format!("the session is {state:?}")));
            }
            _ => {}
        }
        Ok(())
    }

    /// What has to have been told before this, and what this says.
    pub(super) fn heard(&mut self, env: &Env, heard: &Heard) -> Checked<Option<Token>> {
        match heard {
            Heard::Greeting(granted) => {
                if *granted {
                    self.watching.connected();
                }
            }
            Heard::Aside | Heard::Closed => {}
            Heard::Other { zxid, rearmed } => {
                self.watching.replied(&env.history, *zxid, *rearmed)?
            }
            Heard::Reply { token, zxid, err, body } => {
                self.watching.replied(&env.history, *zxid, false)?;
                let Some(asked) = self.asked.get_mut(token) else {
                    return Err(Violation(format!("{token} has ended before its answer")));
                };
                asked.answer = Some((*zxid, *err, body.clone()));
                let absent = *err == ErrorCode::NoNode.code();
                let watch = asked
                    .wish
                    .watch(absent)
                    .filter(|_| *err == 0 || (absent && matches!(asked.wish, Wish::Exists { .. })));
                if let Some((key, kind, path)) = watch {
                    self.watching.add(key, kind, below(self.root, path), *zxid);
                }
                if let Wish::ByType { path, kind, removes, had } = &asked.wish {
                    let known = self.watching.of_type(&below(self.root, path), *kind);
                    ensure!(
                        if *err == 0 { *had } else { known.is_empty() },
                        "{:?} was answered {err}, and there are {known:?}",
                        asked.wish
                    );
                    if *removes && *err == 0 {
                        self.watching.remove(known);
                    }
                }
                return Ok(Some(*token));
            }
        }
        Ok(None)
    }

    /// The server has ended a session: its owner must know already, if it could.
    pub fn expired(&self, env: &Env, session: i64) -> Checked {
        let mine = self.tap.session == session && self.session.identity().is_some();
        let asleep = env.now < self.paused_until || self.gone;
        let knows = self.session.deadline() == Some(env.now_ms());
        // Who was told nothing since it took the session over cannot tell how long it lives.
        let never = self.session.state() == State::Connecting;
        ensure!(
            !mine || asleep || knows || never,
            "{session:#x} has expired, but its owner believes in it: {:?}",
            self.session
        );
        Ok(())
    }
}
