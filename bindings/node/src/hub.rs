//! [`Hub`]: one environment's calls and what became of them.

use crate::arguments::ConnectArguments;
use crate::batch::Batch;
use crate::client::NativeClient;
use crate::completion::{Answer, Completion, Product, completed, tried};
use crate::held::NativeHeld;
use crate::server::{NativeServer, ServerArguments};
use crate::term::NativeTerm;
use crate::wake::Wake;
use napi::Env;
use napi::bindgen_prelude::{BufferSlice, Function};
use napi_derive::napi;
use quorate::client::{self, Client, Environment, Inbox, State};
use quorate_bridge::{Call, Calls, Started, Waited, wait};
use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What the objects of one environment share.
pub(crate) struct Shared {
    /// Plain operations, and events of watches.
    pub(crate) inbox: Arc<Inbox>,
    /// Everything else.
    pub(crate) calls: Calls<Completion>,
    wake: Arc<Wake>,
    desk: Mutex<Desk>,
}

/// What only the environment's own thread works with.
#[derive(Default)]
struct Desk {
    /// Taken, and not yet handed over.
    backlog: VecDeque<Arrival>,
    /// Calls that can be cancelled.
    running: HashMap<u32, Call>,
    /// Open clients, to be closed when the environment ends.
    clients: HashMap<u32, Client>,
    next_client: u32,
}

enum Arrival {
    Wire(client::Completion),
    Call(Completion),
}

impl Shared {
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Submits a plain operation with `submission`. The batch is there if it is over already.
    pub(crate) fn submit(
        &self,
        token: u32,
        submission: impl FnOnce() -> client::Result<()>,
    ) -> Option<Batch> {
        let mut submitted = Ok(());
        let noted = self.wake.during(|| submitted = submission());
        if let Err(error) = submitted {
            if noted {
                self.wake.wake();
            }
            return Some(Batch::of_error(token, &error));
        }
        if !noted {
            return None;
        }
        let mut came = self.inbox.take();
        let alone = matches!(&*came, [client::Completion::Done { token: of, .. }] if *of == u64::from(token));
        if alone && self.desk().backlog.is_empty() && self.calls.queue().is_empty() {
            let mut batch = Batch::default();
            came.drain(..).for_each(|completion| batch.wire(completion));
            return Some(batch);
        }
        self.desk().backlog.extend(came.into_iter().map(Arrival::Wire));
        self.wake.wake();
        None
    }

    /// Starts a call of one step; it can be cancelled.
    pub(crate) fn start<F>(
        &self,
        token: u32,
        environment: &dyn Environment,
        future: F,
        answer: impl FnOnce(F::Output) -> Answer + Send + 'static,
    ) -> Option<Batch>
    where
        F: Future + Send + 'static,
    {
        if !(self.desk().backlog.is_empty() && self.inbox.is_empty()) {
            self.spawn(token, environment, future, answer);
            return None;
        }
        match self.calls.submit(environment, future, completed(token, answer)) {
            Started::Ready(completion) => {
                let mut batch = Batch::default();
                // One step makes no product.
                batch.call(completion, |_, _| ());
                Some(batch)
            }
            Started::Running(call) => {
                self.desk().running.insert(token, call);
                None
            }
        }
    }

    /// Starts a call of many steps; it can be cancelled.
    pub(crate) fn spawn<F>(
        &self,
        token: u32,
        environment: &dyn Environment,
        future: F,
        answer: impl FnOnce(F::Output) -> Answer + Send + 'static,
    ) where
        F: Future + Send + 'static,
    {
        let call = self.calls.spawn(environment, future, completed(token, answer));
        self.desk().running.insert(token, call);
    }

    /// Runs what blocks on a thread of its own.
    pub(crate) fn block<V: 'static>(
        &self,
        token: u32,
        work: impl FnOnce() -> V + Send + 'static,
        answer: impl FnOnce(V) -> Answer + Send + 'static,
    ) {
        if let Err(error) = self.calls.block(work, completed(token, answer)) {
            let answer = Answer::ServerFailed(format!("the system refuses a thread: {error}"));
            self.calls.queue().push(Completion { token, answer });
        }
    }

    /// Remembers an open client; the key is for [`forget`](Self::forget).
    pub(crate) fn remember(&self, client: Client) -> u32 {
        let mut desk = self.desk();
        desk.next_client = desk.next_client.wrapping_add(1);
        let key = desk.next_client;
        desk.clients.insert(key, client);
        key
    }

    pub(crate) fn forget(&self, key: u32) {
        let client = self.desk().clients.remove(&key);
        drop(client);
    }

    /// The environment ends: nobody is woken any more, and what its clients hold is given up at once and not only when their sessions
    /// time out, as far as that takes no time to speak of.
    fn end(&self) {
        self.wake.silence();
        let clients: Vec<Client> = self.desk().clients.drain().map(|(_, client)| client).collect();
        let connected = clients.iter().filter(|client| client.state() == State::Connected);
        let closings: Vec<_> = connected.map(Client::close).collect();
        let all = async {
            for closing in closings {
                if let Err(error) = closing.await {
                    tracing::debug!(%error, "a session was not closed at the end of its environment");
                }
            }
        };
        if wait(all, Some(PATIENCE_AT_THE_END), PATIENCE_AT_THE_END, || false) == Waited::TimedOut {
            tracing::warn!("sessions are left to time out: no server took their end in time");
        }
    }
}

/// One per environment. See `node/src/hub.ts`.
#[napi]
pub struct Hub {
    shared: Arc<Shared>,
    products: RefCell<HashMap<u32, Product>>,
}

#[napi]
impl Hub {
    /// `look` is called, without arguments, when [`drain`](Self::drain) has something.
    #[napi(constructor, catch_unwind)]
    pub fn new(env: &Env, look: Function<'_, (), ()>) -> napi::Result<Self> {
        let call = look.build_threadsafe_function::<()>().weak::<true>().build()?;
        let wake = Arc::new(Wake::new(call));
        let waking = |wake: &Arc<Wake>| -> Box<dyn Fn() + Send + Sync> {
            let wake = Arc::clone(wake);
            Box::new(move || wake.wake())
        };
        let inbox = Arc::new(Inbox::new(Some(waking(&wake))));
        let calls = Calls::new(Some(waking(&wake)));
        let shared = Arc::new(Shared { inbox, calls, wake, desk: Mutex::default() });
        env.add_env_cleanup_hook(Arc::clone(&shared), |shared| shared.end())?;
        Ok(Self { shared, products: RefCell::default() })
    }

    /// Takes at most `limit` completions. If there are more, the last record says so, and the caller has to come back.
    #[napi(catch_unwind)]
    pub fn drain<'env>(&self, env: &'env Env, limit: u32) -> napi::Result<BufferSlice<'env>> {
        self.shared.wake.looking();
        let Shared { inbox, calls, .. } = &*self.shared;
        let mut desk = self.shared.desk();
        let mut batch = Batch::default();
        for _ in 0..limit {
            // What is not taken out of the inbox counts, so that a host which cannot keep up is refused more requests.
            if desk.backlog.is_empty() {
                desk.backlog.extend(inbox.take().into_iter().map(Arrival::Wire));
                desk.backlog.extend(calls.queue().take().into_iter().map(Arrival::Call));
            }
            match desk.backlog.pop_front() {
                None => break,
                Some(Arrival::Wire(completion)) => batch.wire(completion),
                Some(Arrival::Call(completion)) => {
                    desk.running.remove(&completion.token);
                    batch.call(completion, |token, product| {
                        self.products.borrow_mut().insert(token, product);
                    });
                }
            }
        }
        if !(desk.backlog.is_empty() && inbox.is_empty() && calls.queue().is_empty()) {
            self.shared.wake.looks_again();
            batch.more();
        }
        batch.into_buffer(env)
    }

    /// The process is about to end, which the environment is not told when `process.exit` was called.
    #[napi(catch_unwind)]
    pub fn end(&self) {
        self.shared.end();
    }

    /// Cancels a call, if it can be and is not over. Its completion comes in any case.
    #[napi(catch_unwind)]
    pub fn cancel(&self, token: u32) {
        if let Some(call) = self.shared.desk().running.get(&token) {
            call.cancel();
        }
    }

    /// Connects; gives a client.
    #[napi(catch_unwind)]
    pub fn connect<'env>(
        &self,
        env: &'env Env,
        token: u32,
        arguments: ConnectArguments,
        server: Option<&NativeServer>,
    ) -> napi::Result<Option<BufferSlice<'env>>> {
        let server = server.map(NativeServer::running).transpose();
        let begun =
            server.and_then(|server| arguments.builder(server)).and_then(client::Builder::begin);
        let (client, connected) = match begun {
            Ok(begun) => begun,
            Err(error) => return Batch::of_error(token, &error).into_buffer(env).map(Some),
        };
        let environment = Arc::clone(client.environment());
        let connecting = async move { connected.await.map(|()| client) };
        let answer = tried(|client| Product::Client(client).answer());
        self.shared.spawn(token, &*environment, connecting, answer);
        Ok(None)
    }

    /// Starts a server; gives it.
    #[napi(catch_unwind)]
    pub fn start_server(&self, token: u32, arguments: ServerArguments) {
        self.shared.block(
            token,
            move || arguments.start(),
            |started| {
                started.map_or_else(Answer::ServerFailed, |server| Product::Server(server).answer())
            },
        );
    }

    /// The client that a call has given, once.
    #[napi(catch_unwind)]
    pub fn take_client(&self, token: u32) -> Option<NativeClient> {
        match self.products.borrow_mut().remove(&token) {
            Some(Product::Client(client)) => {
                Some(NativeClient::new(Arc::clone(&self.shared), client))
            }
            _ => None,
        }
    }

    /// The lock that a call has given, once.
    #[napi(catch_unwind)]
    pub fn take_held(&self, token: u32) -> Option<NativeHeld> {
        match self.products.borrow_mut().remove(&token) {
            Some(Product::Held(held)) => Some(NativeHeld::new(Arc::clone(&self.shared), held)),
            _ => None,
        }
    }

    /// The term that a call has given, once.
    #[napi(catch_unwind)]
    pub fn take_term(&self, token: u32) -> Option<NativeTerm> {
        match self.products.borrow_mut().remove(&token) {
            Some(Product::Term(candidate, leadership)) => {
                Some(NativeTerm::new(Arc::clone(&self.shared), candidate, leadership))
            }
            _ => None,
        }
    }

    /// The server that a call has given, once.
    #[napi(catch_unwind)]
    pub fn take_server(&self, token: u32) -> Option<NativeServer> {
        match self.products.borrow_mut().remove(&token) {
            Some(Product::Server(server)) => {
                Some(NativeServer::new(Arc::clone(&self.shared), server))
            }
            _ => None,
        }
    }
}

/// How long the end of an environment, and so of the process, may wait for its sessions to be closed.
const PATIENCE_AT_THE_END: Duration = Duration::from_millis(500);
