//! A scripted server: a thread of the test that speaks just enough of the protocol for its case.

#![allow(dead_code, reason = "each test file uses its own part")]

use quorate_wire::frame::{ReplyHeader, RequestHeader, write_frame};
use quorate_wire::op::connect::ConnectResponse;
use quorate_wire::{Jute, Reader};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

/// A scripted server and where it listens.
pub(crate) struct Peer {
    pub(crate) address: String,
    thread: JoinHandle<()>,
}

impl Peer {
    pub(crate) fn start(script: impl FnOnce(&TcpListener) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        Self { address, thread: std::thread::spawn(move || script(&listener)) }
    }

    pub(crate) fn join(self) {
        self.thread.join().unwrap();
    }
}

pub(crate) fn read_frame(stream: &mut TcpStream) -> Vec<u8> {
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    let mut frame = vec![0; usize::try_from(i32::from_be_bytes(length)).unwrap()];
    stream.read_exact(&mut frame).unwrap();
    frame
}

pub(crate) fn request(stream: &mut TcpStream) -> (RequestHeader, Vec<u8>) {
    let frame = read_frame(stream);
    let mut reader = Reader::new(&frame);
    (reader.get().unwrap(), reader.rest().to_vec())
}

pub(crate) fn respond(stream: &mut TcpStream, timeout: i32, session_id: i64) {
    let password = [9; 16];
    let response = ConnectResponse {
        protocol_version: 0,
        timeout,
        session_id,
        password: Some(&password),
        read_only: Some(false),
    };
    send(stream, &response.to_bytes());
}

pub(crate) fn reply(stream: &mut TcpStream, xid: i32, zxid: i64, body: impl FnOnce(&mut Vec<u8>)) {
    let mut payload = ReplyHeader { xid, zxid, err: 0 }.to_bytes();
    body(&mut payload);
    send(stream, &payload);
}

pub(crate) fn send(stream: &mut TcpStream, payload: &[u8]) {
    let mut bytes = Vec::new();
    write_frame(&mut bytes, |out| out.extend_from_slice(payload));
    stream.write_all(&bytes).unwrap();
}

/// Reads until the shell hangs up, so that what was sent is not cut off by a reset.
pub(crate) fn drain(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
}

/// How long a test waits for what must come.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);
