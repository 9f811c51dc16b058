//! A server that is written by hand: sends what it is told to, and hands out what it gets.

use super::*;
use quorate_wire::frame::{Split, write_frame};
use quorate_wire::quorum::election::{NotificationForm, split_notification};
use quorate_wire::quorum::{Ballot, InitialMessage, Notification};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

pub(super) struct Peer {
    pub(super) socket: TcpStream,
    buffer: Vec<u8>,
}

impl Peer {
    pub(super) fn connect(home: &str, sid: i64) -> Self {
        Self::over(TcpStream::connect((home, port(sid))).unwrap())
    }

    pub(super) fn accept(listener: &TcpListener) -> Self {
        listener.set_nonblocking(true).unwrap();
        let (socket, _) = eventually("somebody connects", || listener.accept().ok());
        socket.set_nonblocking(false).unwrap();
        Self::over(socket)
    }

    fn over(socket: TcpStream) -> Self {
        socket.set_read_timeout(Some(LONG)).unwrap();
        socket.set_write_timeout(Some(LONG)).unwrap();
        Self { socket, buffer: Vec::new() }
    }

    /// Connects to server `to` as server `me`.
    pub(super) fn greet(home: &str, to: i64, me: i64) -> Self {
        let mut peer = Self::connect(home, to);
        peer.send(&greeting(home, me));
        peer
    }

    pub(super) fn send(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).unwrap();
    }

    pub(super) fn say(&mut self, ballot: Ballot) {
        self.send(&frame(ballot, None));
    }

    /// Waits until this much has come.
    fn fill(&mut self, length: usize) {
        while self.buffer.len() < length {
            let mut bytes = [0; 4096];
            let n = self.socket.read(&mut bytes).unwrap();
            assert!(n > 0, "closed");
            self.buffer.extend_from_slice(&bytes[..n]);
        }
    }

    pub(super) fn greeted(&mut self) -> InitialMessage {
        loop {
            if let Some((message, length)) = InitialMessage::split(&self.buffer).unwrap() {
                self.buffer.drain(..length);
                return message;
            }
            self.fill(self.buffer.len() + 1);
        }
    }

    pub(super) fn payload(&mut self) -> Vec<u8> {
        loop {
            if let Split::Frame { payload, consumed } = split_notification(&self.buffer) {
                let payload = payload.to_vec();
                self.buffer.drain(..consumed);
                return payload;
            }
            self.fill(self.buffer.len() + 1);
        }
    }

    pub(super) fn ballot(&mut self) -> Ballot {
        Notification::read(&self.payload()).unwrap().ballot
    }

    /// Waits for a word of which this is true.
    pub(super) fn hears(&mut self, is_it: impl Fn(&Ballot) -> bool) -> Ballot {
        eventually("the right word", || Some(self.ballot()).filter(&is_it))
    }

    /// Waits until the other side hangs up, which may look like a reset here.
    pub(super) fn is_closed(&mut self) {
        let mut bytes = [0; 4096];
        loop {
            match self.socket.read(&mut bytes) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) => {
                    return assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
                }
            }
        }
    }
}

pub(super) fn greeting(home: &str, me: i64) -> Vec<u8> {
    let mut bytes = Vec::new();
    InitialMessage::v1(me, HostPort::new(home, port(me))).write(&mut bytes);
    bytes
}

pub(super) fn frame(ballot: Ballot, config: Option<&str>) -> Vec<u8> {
    let mut bytes = Vec::new();
    match config {
        Some(config) => Notification::new(ballot, config).write_frame(&mut bytes),
        // No configuration that anybody would read.
        None => write_frame(&mut bytes, |out| {
            Notification { ballot, form: NotificationForm::Plain }.write(out);
        }),
    }
    bytes
}

pub(super) const fn ballot(
    state: ServerState,
    leader: i64,
    history: History,
    round: i64,
) -> Ballot {
    let vote = Vote { leader, zxid: history.zxid, epoch: history.epoch };
    Ballot { state, vote, round, version: 0 }
}

pub(super) const fn looking(leader: i64, history: History, round: i64) -> Ballot {
    ballot(ServerState::Looking, leader, history, round)
}
