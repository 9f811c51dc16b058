//! A proxy between a client and a server that loses answers on purpose.
//!
//! It passes bytes on, frame by frame, and knows which request each answer belongs to. [`Proxy::lose_answer`] lets the
//! server carry a request out and cuts the connection instead of passing the answer; [`Proxy::lose_request`] cuts before
//! the server sees it. [`Proxy::hold`] keeps requests back for a while, so that something can happen between two of them. It also
//! counts requests, which shows who was woken. Include it with
//! `#[path = "support/cutting.rs"] mod cutting;`.
#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use quorate_wire::OpCode;
use std::collections::{BTreeMap, HashSet};
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;

/// The proxy. Its threads end with the connections and with the process.
#[derive(Clone, Debug)]
pub(crate) struct Proxy {
    address: SocketAddr,
    plan: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    plan: Mutex<Plan>,
    /// Told when requests are held no longer.
    let_go: Condvar,
}

#[derive(Debug, Default)]
struct Plan {
    /// What to lose: the operation, how many of them pass before, and whether the server gets it.
    losses: Vec<Loss>,
    /// Requests of these kinds wait.
    held: HashSet<i32>,
    requests: BTreeMap<i32, usize>,
    cuts: usize,
    closed: bool,
    streams: Vec<TcpStream>,
}

#[derive(Clone, Copy, Debug)]
struct Loss {
    op: i32,
    skip: usize,
    carried_out: bool,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Pass,
    LoseAnswer,
    LoseRequest,
}

impl Proxy {
    /// A proxy before the server at `upstream`.
    pub(crate) fn start(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Self { address: listener.local_addr().unwrap(), plan: Arc::default() };
        let plan = Arc::clone(&proxy.plan);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if plan.lock().closed {
                    continue;
                }
                if let Ok(server) = TcpStream::connect(upstream) {
                    join(client, server, &plan);
                }
            }
        });
        proxy
    }

    /// Where clients connect, as a connection string.
    pub(crate) fn servers(&self) -> String {
        self.address.to_string()
    }

    /// The next request of this kind is carried out, and its answer lost with the connection.
    pub(crate) fn lose_answer(&self, op: OpCode) {
        self.lose_answer_after(op, 0);
    }

    /// The same for a later one: `skip` requests of the kind pass before.
    pub(crate) fn lose_answer_after(&self, op: OpCode, skip: usize) {
        self.plan.lock().losses.push(Loss { op: op.code(), skip, carried_out: true });
    }

    /// The next request of this kind is lost with the connection before the server has it.
    pub(crate) fn lose_request(&self, op: OpCode) {
        self.plan.lock().losses.push(Loss { op: op.code(), skip: 0, carried_out: false });
    }

    /// Requests of this kind wait here, and whatever comes behind them, until [`let_go`](Self::let_go). They are counted when they come.
    pub(crate) fn hold(&self, op: OpCode) {
        self.plan.lock().held.insert(op.code());
    }

    /// Lets everything pass that was held.
    pub(crate) fn let_go(&self) {
        self.plan.lock().held.clear();
        self.plan.let_go.notify_all();
    }

    /// How often a connection was cut.
    pub(crate) fn cuts(&self) -> usize {
        self.plan.lock().cuts
    }

    /// How many requests of this kind have passed or were lost.
    pub(crate) fn requests(&self, op: OpCode) -> usize {
        self.plan.lock().requests.get(&op.code()).copied().unwrap_or(0)
    }

    /// Cuts all connections and lets none through until [`open`](Self::open).
    pub(crate) fn close(&self) {
        let mut plan = self.plan.lock();
        plan.closed = true;
        for stream in plan.streams.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Lets connections through again.
    pub(crate) fn open(&self) {
        self.plan.lock().closed = false;
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap()
    }

    /// What becomes of a request, once it is held no longer.
    fn fate_of(&self, op: i32) -> Fate {
        let mut plan = self.lock();
        let fate = plan.fate_of(op);
        drop(self.let_go.wait_while(plan, |plan| plan.held.contains(&op)).unwrap());
        fate
    }
}

impl Plan {
    fn fate_of(&mut self, op: i32) -> Fate {
        *self.requests.entry(op).or_default() += 1;
        let Some(at) = self.losses.iter().position(|loss| loss.op == op) else { return Fate::Pass };
        if self.losses[at].skip > 0 {
            self.losses[at].skip -= 1;
            return Fate::Pass;
        }
        let loss = self.losses.remove(at);
        if loss.carried_out { Fate::LoseAnswer } else { Fate::LoseRequest }
    }
}

/// Two threads for one connection: requests, answers.
fn join(client: TcpStream, server: TcpStream, plan: &Arc<Shared>) {
    for stream in [&client, &server] {
        stream.set_nodelay(true).unwrap();
        plan.lock().streams.push(stream.try_clone().unwrap());
    }
    let doomed = Arc::new(Mutex::new(HashSet::new()));
    let (client_2, server_2) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let (plan_1, doomed_1) = (Arc::clone(plan), Arc::clone(&doomed));
    thread::spawn(move || {
        let _ = requests(&client, &server, &plan_1, &doomed_1);
        hang_up(&client, &server);
    });
    let plan = Arc::clone(plan);
    thread::spawn(move || {
        let _ = answers(&server_2, &client_2, &plan, &doomed);
        hang_up(&client_2, &server_2);
    });
}

/// Whose answers are to be lost.
type Doomed = Mutex<HashSet<i32>>;

fn requests(
    mut client: &TcpStream,
    mut server: &TcpStream,
    plan: &Shared,
    doomed: &Doomed,
) -> io::Result<()> {
    // The handshake is no request.
    server.write_all(&frame(&mut client)?)?;
    loop {
        let request = frame(&mut client)?;
        let (xid, op) = (number(&request, 4), number(&request, 8));
        match plan.fate_of(op) {
            Fate::Pass => {}
            Fate::LoseAnswer => drop(doomed.lock().unwrap().insert(xid)),
            Fate::LoseRequest => {
                plan_cut(plan);
                return Ok(());
            }
        }
        server.write_all(&request)?;
    }
}

fn answers(
    mut server: &TcpStream,
    mut client: &TcpStream,
    plan: &Shared,
    doomed: &Doomed,
) -> io::Result<()> {
    client.write_all(&frame(&mut server)?)?;
    loop {
        let answer = frame(&mut server)?;
        if doomed.lock().unwrap().contains(&number(&answer, 4)) {
            plan_cut(plan);
            return Ok(());
        }
        client.write_all(&answer)?;
    }
}

fn plan_cut(plan: &Shared) {
    plan.lock().cuts += 1;
}

fn hang_up(one: &TcpStream, other: &TcpStream) {
    let _ = one.shutdown(Shutdown::Both);
    let _ = other.shutdown(Shutdown::Both);
}

/// A frame with its length.
fn frame(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; 4];
    stream.read_exact(&mut bytes)?;
    let length = usize::try_from(number(&bytes, 0)).map_err(io::Error::other)?;
    bytes.resize(4 + length, 0);
    stream.read_exact(&mut bytes[4..])?;
    Ok(bytes)
}

fn number(bytes: &[u8], at: usize) -> i32 {
    bytes.get(at..at + 4).map_or(0, |four| i32::from_be_bytes(four.try_into().unwrap()))
}
