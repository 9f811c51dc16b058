//! [`NativeHeld`]: a lock that is held.

use crate::arguments::PartArgument;
use crate::client::commit;
use crate::completion::{Answer, tried};
use crate::hub::Shared;
use napi::Env;
use napi::bindgen_prelude::{BigInt, BufferSlice};
use napi_derive::napi;
use quorate::client::{Client, Lifetime};
use quorate::recipes::kit::Held;
use std::sync::Arc;

/// A lock that is held until it is released or lost. See `node/src/lock.ts`.
#[napi]
pub struct NativeHeld {
    shared: Arc<Shared>,
    /// Absent once it is being released.
    held: Option<Held>,
    /// For writes that come too late, and are refused by the server like any others.
    client: Client,
    lifetime: Lifetime,
    token: i64,
    path: String,
}

impl NativeHeld {
    pub(crate) fn new(shared: Arc<Shared>, held: Held) -> Self {
        let (client, lifetime) = (held.client().clone(), held.lifetime().clone());
        let (token, path) = (held.token(), held.path());
        Self { shared, held: Some(held), client, lifetime, token, path }
    }
}

#[napi]
impl NativeHeld {
    /// The fencing token.
    #[napi(getter, catch_unwind)]
    pub fn token(&self) -> BigInt {
        BigInt::from(self.token)
    }

    /// The node that stands for it.
    #[napi(getter, catch_unwind)]
    pub fn path(&self) -> String {
        self.path.clone()
    }

    /// Whether it is held, by the local clock.
    #[napi(getter, catch_unwind)]
    pub fn is_held(&self) -> bool {
        self.held.as_ref().is_some_and(Held::is_held)
    }

    /// Completes when it is lost; to be cancelled when that is of no interest any more.
    #[napi(catch_unwind)]
    pub fn lost(&self, call: u32) {
        if let Some(held) = &self.held {
            let answer = |loss| Answer::Lost(Some(loss));
            self.shared.spawn(call, &**held.client().environment(), held.lost(), answer);
        }
    }

    /// Commits a transaction that happens only while this is held.
    #[napi(catch_unwind)]
    pub fn guarded<'env>(
        &self,
        env: &'env Env,
        call: u32,
        parts: Vec<PartArgument>,
    ) -> napi::Result<Option<BufferSlice<'env>>> {
        let guarded = match &self.held {
            Some(held) => held.guarded(),
            None => self.client.multi().under(&self.lifetime).check(self.path.as_str(), None),
        };
        commit(env, &self.shared, call, guarded, parts)
    }

    /// Releases it. False when that has been done already, and nothing completes.
    #[napi(catch_unwind)]
    pub fn release(&mut self, call: u32) -> bool {
        let Some(held) = self.held.take() else { return false };
        let environment = Arc::clone(held.client().environment());
        self.shared.spawn(call, &*environment, held.release(), tried(|()| Answer::Done));
        true
    }
}
