//! A proxy between a client and a server that cuts the connection at a chosen request: before it reaches the server, or after the server has
//! answered it and before the answer reaches the client. To the client both look the same.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]
#![allow(dead_code, reason = "each test binary uses its part")]

use quorate_wire::OpCode;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A proxy on a port of its own. It ends with its owner.
pub(crate) struct Proxy {
    address: SocketAddr,
    plan: Arc<Mutex<Plan>>,
}

#[derive(Default)]
struct Plan {
    /// Requests whose answers are to be lost, or which are to be lost themselves, in this order.
    losses: Vec<(OpCode, What)>,
    /// How many were.
    done: usize,
    /// Whether connections are refused.
    closed: bool,
    open: Vec<TcpStream>,
    over: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Request,
    Answer,
}

impl Proxy {
    pub(crate) fn new(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let plan = Arc::new(Mutex::new(Plan::default()));
        let shared = Arc::clone(&plan);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let Ok(client) = client else { return };
                if shared.lock().unwrap().over {
                    return;
                }
                if !shared.lock().unwrap().closed {
                    join(client, server, &shared);
                }
            }
        });
        Self { address, plan }
    }

    /// The connection string.
    pub(crate) fn servers(&self) -> String {
        self.address.to_string()
    }

    /// Cuts the connection when the server answers the next request of this kind. Several losses happen one after the other.
    pub(crate) fn lose_answer(&self, op: OpCode) {
        self.plan.lock().unwrap().losses.push((op, What::Answer));
    }

    /// Cuts the connection instead of passing on the next request of this kind.
    pub(crate) fn lose_request(&self, op: OpCode) {
        self.plan.lock().unwrap().losses.push((op, What::Request));
    }

    /// How many answers and requests were lost.
    pub(crate) fn lost(&self) -> usize {
        self.plan.lock().unwrap().done
    }

    /// Cuts all connections now.
    pub(crate) fn cut(&self) {
        cut_all(&mut self.plan.lock().unwrap());
    }

    /// Cuts all connections and lets none through until [`Self::heal`].
    pub(crate) fn part(&self) {
        let mut plan = self.plan.lock().unwrap();
        plan.closed = true;
        cut_all(&mut plan);
    }

    pub(crate) fn heal(&self) {
        self.plan.lock().unwrap().closed = false;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let mut plan = self.plan.lock().unwrap();
        plan.over = true;
        cut_all(&mut plan);
        drop(plan);
        let _ = TcpStream::connect(self.address);
    }
}

fn cut_all(plan: &mut Plan) {
    for stream in plan.open.drain(..) {
        let _ = stream.shutdown(Shutdown::Both);
    }
}

/// Connects a client with the server: one thread for each direction.
fn join(client: TcpStream, server: SocketAddr, plan: &Arc<Mutex<Plan>>) {
    let Ok(server) = TcpStream::connect(server) else { return };
    client.set_nodelay(true).unwrap();
    server.set_nodelay(true).unwrap();
    {
        let mut plan = plan.lock().unwrap();
        plan.open.push(client.try_clone().unwrap());
        plan.open.push(server.try_clone().unwrap());
    }
    // The request whose answer is to be lost.
    let marked: Arc<Mutex<Option<i32>>> = Arc::default();
    let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let (mark, shared) = (Arc::clone(&marked), Arc::clone(plan));
    std::thread::spawn(move || {
        pass(from, to, |frame| {
            let (Some(xid), Some(op)) = (number(frame, 0), number(frame, 4)) else { return true };
            let mut plan = shared.lock().unwrap();
            match plan.losses.first() {
                Some((wanted, What::Request)) if op == wanted.code() => {
                    plan.losses.remove(0);
                    plan.done += 1;
                    false
                }
                Some((wanted, What::Answer)) if op == wanted.code() => {
                    plan.losses.remove(0);
                    *mark.lock().unwrap() = Some(xid);
                    true
                }
                _ => true,
            }
        });
    });
    let shared = Arc::clone(plan);
    std::thread::spawn(move || {
        pass(server, client, |frame| {
            let marked = *marked.lock().unwrap();
            let keep = marked.is_none() || number(frame, 0) != marked;
            if !keep {
                shared.lock().unwrap().done += 1;
            }
            keep
        });
    });
}

/// Passes frames on until the connection ends or `judge` says no.
fn pass(mut from: TcpStream, mut to: TcpStream, judge: impl Fn(&[u8]) -> bool) {
    let mut first = true;
    loop {
        let mut length = [0; 4];
        if from.read_exact(&mut length).is_err() {
            break;
        }
        let mut frame = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
        if from.read_exact(&mut frame).is_err() {
            break;
        }
        // The first frame opens the session and has no header.
        if !std::mem::take(&mut first) && !judge(&frame) {
            break;
        }
        if to.write_all(&[&length[..], &frame].concat()).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

fn number(frame: &[u8], at: usize) -> Option<i32> {
    Some(i32::from_be_bytes(frame.get(at..at + 4)?.try_into().ok()?))
}
