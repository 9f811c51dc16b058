//! Making clients.

#![allow(unsafe_code, reason = "structs from C, and exported symbols")]

use super::access::{Identity, TlsSettings, identify, tls};
use super::delivery::{Backlog, Bell};
use super::{Client, Completion, Desk, timed_out, wait};
use crate::boundary;
use crate::callback::{CompletionFn, DestroyFn, StateFn, User};
use crate::fault::{Error, Fault};
use crate::handles::{ClientHandle, ServerHandle};
use crate::input::{self, Out, WithSize};
use crate::objects;
use crate::registrar::Registrar;
use crate::server::Server;
use crate::system::{Flag, without_signals};
use quorate::client::{self, Builder, Inbox};
use quorate_bridge::Calls;
use std::ffi::{c_char, c_void};
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::time::Duration;

/// How a client connects. Zeros are defaults.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ClientOptions {
    /// sizeof(quorate_client_options).
    pub size: usize,
    /// The connection string: `h1:2181,h2:2181/app`, `zookeeper://h1?backup=h2`, `dns+srv://name/app`. NULL for
    /// 127.0.0.1:2181.
    pub servers: *const c_char,
    /// A server in this process, instead of a connection string.
    pub server: ServerHandle,
    /// A path below which all paths of the client lie, besides that of the connection string.
    pub root: *const c_char,
    /// The session timeout to ask for, ms; 0 for 10,000. Servers have limits of their own.
    pub session_timeout_ms: i64,
    /// A session to resume, of quorate_client_session; with its password.
    pub session_id: i64,
    /// 16 bytes; NULL for a new session.
    pub session_password: *const u8,
    /// 16, or 0 for none.
    pub session_password_length: usize,
    /// 1: a server without a quorum will do, for reads.
    pub read_only: i32,
    /// 1: no new session follows when one is lost.
    pub no_renewal: i32,
    /// 1: results are taken with quorate_client_poll, and callbacks happen there. 0: on a thread of the client's own, which is started when there is
    /// something to tell.
    pub polled: i32,
    /// Zero.
    pub reserved: i32,
    /// Requests that may be without an answer, or whose results were not taken; more are refused with QUORATE_THROTTLED_OP. 0 for 100,000. At 64 MiB of
    /// requests, or of data in results, more are refused as well.
    pub max_in_flight: u64,
    /// Takes results of asynchronous calls. NULL when there are none, or when the client is polled.
    pub completion: CompletionFn,
    /// Takes the states of the session. NULL for nobody.
    pub state: StateFn,
    /// What completion and state are given.
    pub user: *mut c_void,
    /// Destroys user, once, when the client is over; also when it cannot be made, unless it is size that is wrong: then before the call
    /// returns, or when a callback that runs at that moment has. May be NULL.
    pub destroy: DestroyFn,
    /// Who the client is, for ACLs. NULL for nobody.
    pub identities: *const Identity,
    /// How many identities.
    pub identities_count: usize,
    /// TLS. NULL for none.
    pub tls: *const TlsSettings,
}

// SAFETY: `repr(C)`, begins with its size, zeros are valid.
unsafe impl WithSize for ClientOptions {}

/// Makes a client, which begins to connect in the background. Operations wait until there is a session. `options` may be NULL, and need not
/// live on. The client must be closed with quorate_client_close.
///
/// From any thread, also in a callback; does not block. QUORATE_BAD_ARGUMENTS when the connection string cannot be understood.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_client_open(
    options: *const ClientOptions,
    client: *mut ClientHandle,
) -> i32 {
    boundary::call(|| {
        let (opened, handle) = open(options, client)?;
        handle.set(opened.publish()?);
        Ok(())
    })
}

/// The same, and waits for the session: `timeout_ms` milliseconds, without limit for a negative number. When it fails, there is no client.
///
/// From any thread, also in a callback; blocks. QUORATE_TIMED_OUT when no server has answered, QUORATE_AUTH_FAILED when the credentials
/// were refused.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_client_connect(
    options: *const ClientOptions,
    timeout_ms: i64,
    client: *mut ClientHandle,
) -> i32 {
    boundary::call(|| {
        let (opened, handle) = open(options, client)?;
        let connected = wait(timeout_ms, opened.client.core.connected());
        connected.ok_or_else(|| timed_out(timeout_ms, "connect", ""))??;
        handle.set(opened.publish()?);
        Ok(())
    })
}

/// A client that nobody has seen yet. It is given up unless it is published.
struct Unseen {
    client: Arc<Client>,
    published: bool,
}

impl Unseen {
    /// Gives it a handle.
    fn publish(mut self) -> Result<u64, Fault> {
        let handle = objects::insert(Arc::clone(&self.client))?;
        self.published = true;
        Ok(*self.client.handle.get_or_init(|| handle))
    }
}

impl Drop for Unseen {
    fn drop(&mut self) {
        if !self.published {
            self.client.give_up();
        }
    }
}

fn open(options: *const ClientOptions, client: *mut u64) -> Result<(Unseen, Out<u64>), Fault> {
    let options = input::options(options, "the options")?;
    // First of all: it must be destroyed whatever follows.
    let user = User::new(options.user, options.destroy);
    let handle = Out::new(client, 0, "the place for the client")?;
    let builder = builder(&options)?;
    let bell = match options.polled {
        0 => Bell::Thread { rung: Mutex::new(false), bell: Condvar::new() },
        _ => Bell::Flag(Flag::new()?),
    };
    let core = without_signals(|| builder.open())?;
    let bell = Arc::new(bell);
    let (for_inbox, for_calls) = (Arc::clone(&bell), Arc::clone(&bell));
    let client = Arc::new(Client {
        core,
        inbox: Arc::new(Inbox::new(Some(Box::new(move || for_inbox.ring())))),
        calls: Calls::new(Some(Box::new(move || for_calls.ring()))),
        bell,
        desk: Mutex::new(Desk::default()),
        cleared: Condvar::new(),
        completion: Mutex::new(Some(Arc::new(Completion { function: options.completion, user }))),
        watches: Mutex::default(),
        registrar: Registrar::new(),
        backlog: Mutex::new(Backlog::default()),
        children: Mutex::default(),
        handle: OnceLock::new(),
    });
    let opened = Unseen { client, published: false };
    if let Some(function) = options.state {
        opened.client.tell_states(function)?;
    }
    Ok((opened, handle))
}

fn builder(options: &ClientOptions) -> Result<Builder, Fault> {
    input::zero(options.reserved)?;
    let mut builder = client::Client::builder();
    if let Some(servers) = input::optional_text(options.servers, "the connection string")? {
        if options.server != 0 {
            return Err(Error::argument("there are both a connection string and a server"));
        }
        builder = builder.servers(servers);
    }
    if options.server != 0 {
        builder = objects::get::<Server>(options.server)?.leads_in(builder)?;
    }
    if let Some(root) = input::optional_text(options.root, "the root")? {
        builder = builder.root(root);
    }
    match u64::try_from(options.session_timeout_ms) {
        Ok(0) => {}
        Ok(timeout) => builder = builder.session_timeout(Duration::from_millis(timeout)),
        Err(_) => return Err(Error::argument("the session timeout is negative")),
    }
    let password = input::bytes(
        options.session_password,
        options.session_password_length,
        "the session's password",
    )?;
    if !password.is_empty() {
        let password = password
            .try_into()
            .map_err(|_| Error::argument("the session's password does not have 16 bytes"))?;
        builder = builder.resume(client::Identity { id: options.session_id, password });
    }
    if options.max_in_flight != 0 {
        let requests = usize::try_from(options.max_in_flight).unwrap_or(usize::MAX);
        builder = builder.max_in_flight(requests, MAX_BYTES);
    }
    builder = identify(builder, options.identities, options.identities_count)?;
    if !options.tls.is_null() {
        builder = builder.tls(tls(options.tls)?);
    }
    Ok(builder.read_only(options.read_only != 0).renew(options.no_renewal == 0))
}

/// The client's own limit of what may be without an answer, bytes.
const MAX_BYTES: usize = 64 << 20;
