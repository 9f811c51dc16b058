//! A gate between a client and a server: it counts bytes, cuts connections, and keeps new ones out.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// Ends with the process.
pub(crate) struct Gate {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    downstream: AtomicUsize,
    blocked: AtomicBool,
    streams: Mutex<Vec<TcpStream>>,
}

#[allow(dead_code, reason = "each test binary uses its part")]
impl Gate {
    /// Forwards connections to a server.
    pub(crate) fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                shared.accept(client, server);
            }
        });
        Self { address, state }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// Bytes that went to the clients.
    pub(crate) fn downstream(&self) -> usize {
        self.state.downstream.load(Ordering::SeqCst)
    }

    /// Cuts all connections.
    pub(crate) fn cut(&self) {
        for stream in self.state.streams.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Cuts all connections and lets no new ones through.
    pub(crate) fn block(&self) {
        self.state.blocked.store(true, Ordering::SeqCst);
        self.cut();
    }

    /// Lets connections through again.
    pub(crate) fn unblock(&self) {
        self.state.blocked.store(false, Ordering::SeqCst);
    }
}

impl State {
    fn accept(self: &Arc<Self>, client: TcpStream, server: SocketAddr) {
        let mut streams = self.streams.lock().unwrap();
        if self.blocked.load(Ordering::SeqCst) {
            return;
        }
        let Ok(upstream) = TcpStream::connect(server) else { return };
        let (client_out, server_out) = (client.try_clone().unwrap(), upstream.try_clone().unwrap());
        streams.extend([client.try_clone().unwrap(), upstream.try_clone().unwrap()]);
        let shared = Arc::clone(self);
        std::thread::spawn(move || copy(client, server_out, |_| ()));
        std::thread::spawn(move || {
            copy(upstream, client_out, |n| {
                shared.downstream.fetch_add(n, Ordering::SeqCst);
            });
        });
    }
}

/// Until one side ends, which ends the other.
fn copy(mut from: TcpStream, mut to: TcpStream, count: impl Fn(usize)) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        count(n);
        if to.write_all(buffer.get(..n).unwrap_or_default()).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
