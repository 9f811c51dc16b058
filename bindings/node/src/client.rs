//! [`NativeClient`]: a session's operations.

use crate::arguments::{AclArgument, PartArgument, add_parts, create_options, limit};
use crate::batch::{Batch, state_number};
use crate::completion::{Answer, Completion, Product, tried};
use crate::hub::Shared;
use napi::Env;
use napi::bindgen_prelude::{BigInt, BufferSlice};
use napi_derive::napi;
use quorate::client::{Client, Request, Transaction, WatchKey, within};
use quorate::recipes::latch::LeaderLatch;
use quorate::recipes::layout::lock::Mode;
use quorate::recipes::leader::Policy;
use quorate::recipes::lock::Lock;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

/// An answer that is there already, or none.
type Early<'env> = napi::Result<Option<BufferSlice<'env>>>;

/// A session. See `node/src/client.ts`.
#[napi]
pub struct NativeClient {
    shared: Arc<Shared>,
    client: Client,
    /// Where the environment remembers it.
    key: u32,
    /// Watches by their tokens.
    watches: RefCell<HashMap<u32, WatchKey>>,
}

impl Drop for NativeClient {
    fn drop(&mut self) {
        self.shared.forget(self.key);
    }
}

impl NativeClient {
    pub(crate) fn new(shared: Arc<Shared>, client: Client) -> Self {
        let key = shared.remember(client.clone());
        Self { shared, client, key, watches: RefCell::default() }
    }

    fn submit<'env>(&self, env: &'env Env, token: u32, request: &Request<'_>) -> Early<'env> {
        let inbox = &self.shared.inbox;
        let submission = || self.client.submit_to(inbox, request, u64::from(token));
        early(env, self.shared.submit(token, submission))
    }

    /// The key of a new one-shot watch, if there is to be one.
    fn once(&self, watch: Option<u32>) -> Option<WatchKey> {
        let watch = watch?;
        let key = self.client.watch_once_to(&self.shared.inbox, u64::from(watch));
        self.watches.borrow_mut().insert(watch, key);
        Some(key)
    }
}

#[napi]
impl NativeClient {
    /// Reads data and stat.
    #[napi(catch_unwind)]
    pub fn get<'env>(
        &self,
        env: &'env Env,
        token: u32,
        path: String,
        watch: Option<u32>,
    ) -> Early<'env> {
        self.submit(env, token, &Request::Get { path: &path, watch: self.once(watch) })
    }

    /// Asks for a stat.
    #[napi(catch_unwind)]
    pub fn exists<'env>(
        &self,
        env: &'env Env,
        token: u32,
        path: String,
        watch: Option<u32>,
    ) -> Early<'env> {
        self.submit(env, token, &Request::Exists { path: &path, watch: self.once(watch) })
    }

    /// Lists children.
    #[napi(catch_unwind)]
    pub fn children<'env>(
        &self,
        env: &'env Env,
        token: u32,
        path: String,
        watch: Option<u32>,
    ) -> Early<'env> {
        self.submit(env, token, &Request::Children { path: &path, watch: self.once(watch) })
    }

    /// Writes data.
    #[napi(catch_unwind)]
    pub fn set<'env>(
        &self,
        env: &'env Env,
        token: u32,
        path: String,
        data: &[u8],
        version: i32,
    ) -> Early<'env> {
        self.submit(env, token, &Request::Set { path: &path, data, version })
    }

    /// Deletes a node.
    #[napi(catch_unwind)]
    pub fn delete<'env>(
        &self,
        env: &'env Env,
        token: u32,
        path: String,
        version: i32,
    ) -> Early<'env> {
        self.submit(env, token, &Request::Delete { path: &path, version })
    }

    /// Creates a node.
    #[napi(catch_unwind)]
    #[allow(clippy::too_many_arguments, reason = "an object would cost more than the call")]
    pub fn create<'env>(
        &self,
        env: &'env Env,
        token: u32,
        path: String,
        data: &[u8],
        mode: u8,
        ttl_ms: Option<f64>,
        acl: Option<Vec<AclArgument>>,
    ) -> Early<'env> {
        let options = match create_options(mode, ttl_ms, acl) {
            Ok(options) => options,
            Err(error) => return early(env, Some(Batch::of_error(token, &error))),
        };
        self.submit(env, token, &options.request(&path, data))
    }

    /// Waits until the server has caught up.
    #[napi(catch_unwind)]
    pub fn sync<'env>(&self, env: &'env Env, token: u32, path: String) -> Early<'env> {
        self.submit(env, token, &Request::Sync { path: &path })
    }

    /// Registers a persistent watch.
    #[napi(catch_unwind)]
    pub fn watch<'env>(
        &self,
        env: &'env Env,
        token: u32,
        watch: u32,
        path: String,
        recursive: bool,
    ) -> Early<'env> {
        let key = self.client.watch_to(&self.shared.inbox, u64::from(watch));
        self.watches.borrow_mut().insert(watch, key);
        self.submit(env, token, &Request::AddWatch { path: &path, recursive, watch: key })
    }

    /// Ends a watch, if it is not over. Events that are on their way still come.
    #[napi(catch_unwind)]
    pub fn unwatch(&self, watch: u32) {
        if let Some(key) = self.watches.borrow_mut().remove(&watch) {
            self.client.remove_watch(key);
        }
    }

    /// Commits a transaction.
    #[napi(catch_unwind)]
    pub fn multi<'env>(&self, env: &'env Env, token: u32, parts: Vec<PartArgument>) -> Early<'env> {
        commit(env, &self.shared, token, self.client.multi(), parts)
    }

    /// Acquires a lock; gives it.
    #[napi(catch_unwind)]
    #[allow(clippy::too_many_arguments, reason = "an object would cost more than the call")]
    pub fn acquire(
        &self,
        token: u32,
        path: String,
        mode: u8,
        data: &[u8],
        at_once: bool,
        timeout_ms: Option<u32>,
    ) {
        let mode = match mode {
            1 => Mode::Kazoo { yields_to_curator: true },
            2 => Mode::Bridge,
            _ => Mode::Curator,
        };
        let lock = Lock::new(&self.client, &path).mode(mode).data(data);
        let limit = limit(timeout_ms);
        let acquiring = async move {
            match limit {
                _ if at_once => lock.try_acquire().await,
                None => lock.acquire().await.map(Some),
                Some(limit) => lock.acquire_within(limit).await,
            }
        };
        let answer =
            tried(|held: Option<_>| held.map_or(Answer::Late, |held| Product::Held(held).answer()));
        self.shared.spawn(token, &**self.client.environment(), acquiring, answer);
    }

    /// Stands for leadership; gives the term.
    #[napi(catch_unwind)]
    pub fn lead(
        &self,
        token: u32,
        path: String,
        id: &[u8],
        session: bool,
        timeout_ms: Option<u32>,
    ) {
        let policy = if session { Policy::Session } else { Policy::Connection };
        let latch = LeaderLatch::new(&self.client, &path).id(id).policy(policy);
        let environment = Arc::clone(self.client.environment());
        let limit = limit(timeout_ms);
        let leading = async move {
            let candidate = latch.join();
            let leads = match limit {
                None => Some(candidate.leads().await),
                Some(limit) => within(&*environment, limit, candidate.leads()).await,
            };
            match leads {
                Some(leadership) => leadership.map(|leadership| Some((candidate, leadership))),
                None => candidate.leave().await.map(|()| None),
            }
        };
        let answer = tried(|term: Option<_>| {
            term.map_or(Answer::Late, |(candidate, leadership)| {
                Product::Term(candidate, leadership).answer()
            })
        });
        self.shared.spawn(token, &**self.client.environment(), leading, answer);
    }

    /// Tells the states of the session under this token from now on, the present one first.
    #[napi(catch_unwind)]
    pub fn states(&self, token: u32) {
        let (shared, mut states) = (Arc::clone(&self.shared), self.client.states());
        let tell = move |shared: &Shared, state| {
            shared.calls.queue().push(Completion { token, answer: Answer::State(state) });
        };
        self.client.environment().spawn(Box::pin(async move {
            tell(&shared, states.current());
            while let Some(state) = states.next().await {
                tell(&shared, state);
            }
        }));
    }

    /// Closes the session.
    #[napi(catch_unwind)]
    pub fn close(&self, token: u32) {
        let answer = tried(|()| Answer::Done);
        self.shared.spawn(token, &**self.client.environment(), self.client.close(), answer);
    }

    /// Where the session stands, as a number.
    #[napi(getter, catch_unwind)]
    pub fn state(&self) -> u8 {
        state_number(self.client.state())
    }

    /// The session's id; 0 when there is none.
    #[napi(getter, catch_unwind)]
    pub fn session_id(&self) -> BigInt {
        BigInt::from(self.client.session_id())
    }

    /// The session's password, once there is one.
    #[napi(catch_unwind)]
    pub fn session_password<'env>(&self, env: &'env Env) -> Early<'env> {
        let identity = self.client.identity();
        identity.map(|identity| BufferSlice::copy_from(env, identity.password)).transpose()
    }

    /// The granted session timeout, ms.
    #[napi(getter, catch_unwind)]
    pub fn session_timeout_ms(&self) -> u32 {
        u32::try_from(self.client.session_timeout().as_millis()).unwrap_or(u32::MAX)
    }

    /// The newest transaction seen.
    #[napi(getter, catch_unwind)]
    pub fn last_zxid(&self) -> BigInt {
        BigInt::from(self.client.last_zxid())
    }
}

/// Adds the parts and commits.
pub(crate) fn commit<'env>(
    env: &'env Env,
    shared: &Shared,
    token: u32,
    transaction: Transaction,
    parts: Vec<PartArgument>,
) -> Early<'env> {
    let batch = match add_parts(transaction, parts) {
        Ok(transaction) => {
            let client = transaction.client().clone();
            let answer = tried(Answer::Parts);
            shared.start(token, &**client.environment(), transaction.commit(), answer)
        }
        Err(error) => Some(Batch::of_error(token, &error)),
    };
    early(env, batch)
}

fn early(env: &Env, batch: Option<Batch>) -> Early<'_> {
    batch.map(|batch| batch.into_buffer(env)).transpose()
}
