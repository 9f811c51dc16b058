//! A name server of the test's own, on loopback, for SRV records and addresses.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "each test binary uses its part")]

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// What a name stands for.
#[derive(Clone, Debug)]
pub(crate) enum Record {
    /// A server: port and host.
    Srv(u16, String),
    /// An address of a host.
    A(Ipv4Addr),
}

/// A name server. It ends when it is dropped.
#[derive(Debug)]
pub(crate) struct NameServer {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct State {
    names: BTreeMap<String, Vec<Record>>,
    /// How often each name was asked for, whatever the type.
    asked: BTreeMap<String, usize>,
    silent: bool,
    over: bool,
}

impl NameServer {
    /// One at this address; port 0 for any.
    pub(crate) fn start(address: &str) -> Self {
        let socket = UdpSocket::bind(address).unwrap();
        let address = socket.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let served = Arc::clone(&state);
        let thread = Some(std::thread::spawn(move || serve(&socket, &served)));
        Self { address, state, thread }
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on the name stands for this.
    pub(crate) fn set(&self, name: &str, records: &[Record]) {
        self.state.lock().unwrap().names.insert(name.to_owned(), records.to_vec());
    }

    /// Whether questions are heard but not answered.
    pub(crate) fn silence(&self, silent: bool) {
        self.state.lock().unwrap().silent = silent;
    }

    /// How many questions about a name have come so far.
    pub(crate) fn asked(&self, name: &str) -> usize {
        self.state.lock().unwrap().asked.get(name).copied().unwrap_or(0)
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.state.lock().unwrap().over = true;
        // Anything wakes it.
        let _sent = UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"end", self.address);
        self.thread.take().unwrap().join().unwrap();
    }
}

fn serve(socket: &UdpSocket, state: &Mutex<State>) {
    let mut buffer = [0; 512];
    loop {
        let (size, from) = socket.recv_from(&mut buffer).unwrap();
        let mut state = state.lock().unwrap();
        if state.over {
            return;
        }
        let Some((name, kind, end)) = question(&buffer[..size]) else { continue };
        *state.asked.entry(name.clone()).or_default() += 1;
        if !state.silent {
            let answer = answer(&buffer[..end], kind, state.names.get(&name));
            socket.send_to(&answer, from).unwrap();
        }
    }
}

/// The name that is asked for, the type, and where the question ends.
fn question(message: &[u8]) -> Option<(String, u16, usize)> {
    let (mut at, mut name) = (HEADER, String::new());
    while let length @ 1.. = usize::from(*message.get(at)?) {
        let label = message.get(at + 1..at + 1 + length)?;
        name.push_str(std::str::from_utf8(label).ok()?);
        name.push('.');
        at += 1 + length;
    }
    let kind = message.get(at + 1..at + 3)?;
    let end = at + 5;
    (message.len() >= end).then(|| {
        (name.trim_end_matches('.').to_lowercase(), u16::from_be_bytes([kind[0], kind[1]]), end)
    })
}

fn answer(question: &[u8], kind: u16, records: Option<&Vec<Record>>) -> Vec<u8> {
    let no_such_name = u16::from(records.is_none()) * 3;
    let records: Vec<Vec<u8>> =
        records.into_iter().flatten().filter_map(|record| data(record, kind)).collect();
    let mut out = question[..2].to_vec();
    let count = u16::try_from(records.len()).unwrap();
    for field in [0x8580 | no_such_name, 1, count, 0, 0] {
        out.extend(field.to_be_bytes());
    }
    out.extend(&question[HEADER..]);
    for data in records {
        // The owner is the name of the question.
        out.extend([0xC0, 12]);
        out.extend(kind.to_be_bytes());
        out.extend([0, 1, 0, 0, 0, 60]);
        out.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        out.extend(data);
    }
    out
}

/// The data of a record, if it is of the type that is asked for.
fn data(record: &Record, kind: u16) -> Option<Vec<u8>> {
    match (record, kind) {
        (Record::A(address), TYPE_A) => Some(address.octets().to_vec()),
        (Record::Srv(port, host), TYPE_SRV) => {
            let mut out = vec![0; 4];
            out.extend(port.to_be_bytes());
            for label in host.split('.') {
                out.push(u8::try_from(label.len()).unwrap());
                out.extend(label.as_bytes());
            }
            out.push(0);
            Some(out)
        }
        _ => None,
    }
}

const HEADER: usize = 12;
const TYPE_A: u16 = 1;
const TYPE_SRV: u16 = 33;
