//! [`NativeTerm`]: one term of a leader.

use crate::arguments::PartArgument;
use crate::client::commit;
use crate::completion::{Answer, tried};
use crate::hub::Shared;
use napi::Env;
use napi::bindgen_prelude::{BigInt, BufferSlice};
use napi_derive::napi;
use quorate::recipes::leader::{Candidate, Leadership};
use std::sync::Arc;

/// A term, until it is resigned or lost. See `node/src/leader.ts`.
#[napi]
pub struct NativeTerm {
    shared: Arc<Shared>,
    /// Absent once it has resigned.
    candidate: Option<Candidate>,
    leadership: Leadership,
}

impl NativeTerm {
    pub(crate) const fn new(
        shared: Arc<Shared>,
        candidate: Candidate,
        leadership: Leadership,
    ) -> Self {
        Self { shared, candidate: Some(candidate), leadership }
    }
}

#[napi]
impl NativeTerm {
    /// The fencing token.
    #[napi(getter, catch_unwind)]
    pub fn token(&self) -> BigInt {
        BigInt::from(self.leadership.token())
    }

    /// The node that stands for it.
    #[napi(getter, catch_unwind)]
    pub fn path(&self) -> String {
        self.leadership.path().to_owned()
    }

    /// Whether the term goes on, by the local clock.
    #[napi(getter, catch_unwind)]
    pub fn is_held(&self) -> bool {
        self.candidate.is_some() && self.leadership.holds()
    }

    /// Completes when it is lost; to be cancelled when that is of no interest any more.
    #[napi(catch_unwind)]
    pub fn lost(&self, call: u32) {
        let environment = Arc::clone(self.leadership.client().environment());
        let answer = |()| Answer::Lost(None);
        self.shared.spawn(call, &*environment, self.leadership.lost(), answer);
    }

    /// Commits a transaction that happens only while this leads.
    #[napi(catch_unwind)]
    pub fn guarded<'env>(
        &self,
        env: &'env Env,
        call: u32,
        parts: Vec<PartArgument>,
    ) -> napi::Result<Option<BufferSlice<'env>>> {
        commit(env, &self.shared, call, self.leadership.guarded(), parts)
    }

    /// Steps down. False when that has been done already, and nothing completes.
    #[napi(catch_unwind)]
    pub fn release(&mut self, call: u32) -> bool {
        let Some(candidate) = self.candidate.take() else { return false };
        let environment = Arc::clone(self.leadership.client().environment());
        self.shared.spawn(call, &*environment, candidate.leave(), tried(|()| Answer::Done));
        true
    }
}
