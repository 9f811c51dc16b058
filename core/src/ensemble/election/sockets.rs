//! Connections in use: carries bytes between them and the engine.
//!
//! Readiness is edge-triggered, so whatever can be read stays listed until the socket says that there is nothing. Each connection is read once
//! in a round, so that none keeps the others waiting.

use super::wire::Wire;
use crate::ensemble::tls::Refusal;
use quorate_engine::election::links::Link;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;

/// The connections of the thread.
pub(super) struct Sockets {
    open: BTreeMap<Link, Socket>,
    /// Given up by the engine, with something left to write; and until when, ms.
    parting: BTreeMap<Link, (Socket, i64)>,
    /// May have something to read.
    readable: BTreeSet<Link>,
    /// Have been written to, with nothing left.
    written: BTreeSet<Link>,
    /// Have failed while they were written to.
    broken: BTreeSet<Link>,
    buffer: Box<[u8]>,
}

struct Socket {
    wire: Wire,
    remote: SocketAddr,
    /// What the socket has not taken yet: a greeting and a frame at most, as the engine waits for each frame to be written.
    out: Vec<u8>,
}

/// What reading gives.
pub(super) enum Input<'a> {
    Bytes(&'a [u8]),
    Nothing,
    Ended,
    /// As TLS has it, by one of both ends.
    Refused(io::Error, SocketAddr),
}

impl Sockets {
    pub(super) fn new() -> Self {
        Self {
            open: BTreeMap::new(),
            parting: BTreeMap::new(),
            readable: BTreeSet::new(),
            written: BTreeSet::new(),
            broken: BTreeSet::new(),
            buffer: vec![0; READ_AT_ONCE].into_boxed_slice(),
        }
    }

    /// Takes over a connection.
    pub(super) fn add(&mut self, link: Link, wire: Wire, remote: SocketAddr) {
        self.open.insert(link, Socket { wire, remote, out: Vec::new() });
        // It may have been readable before anybody looked for it here.
        self.readable.insert(link);
    }

    /// Who is at the other end.
    pub(super) fn remote(&self, link: Link) -> Option<SocketAddr> {
        self.open.get(&link).map(|socket| socket.remote)
    }

    /// Notes that a connection has news.
    pub(super) fn ready(&mut self, link: Link, readable: bool, writable: bool) {
        if readable && self.open.contains_key(&link) {
            self.readable.insert(link);
        }
        if writable {
            self.flush(link);
            if self
                .parting
                .get_mut(&link)
                .is_some_and(|(socket, _)| socket.flush() != Flushed::Later)
            {
                self.parting.remove(&link);
            }
        }
    }

    /// The connections to be read in this round.
    pub(super) fn take_readable(&mut self) -> BTreeSet<Link> {
        std::mem::take(&mut self.readable)
    }

    pub(super) fn has_readable(&self) -> bool {
        !self.readable.is_empty()
    }

    /// Reads once.
    pub(super) fn read(&mut self, link: Link) -> Input<'_> {
        let Some(socket) = self.open.get_mut(&link) else { return Input::Nothing };
        match socket.wire.read(&mut self.buffer) {
            Ok(None) => Input::Nothing,
            Err(error) if Refusal::of(&error).is_some() => {
                let remote = socket.remote;
                self.forget(link);
                Input::Refused(error, remote)
            }
            Ok(Some(0)) | Err(_) => {
                self.forget(link);
                Input::Ended
            }
            Ok(Some(n)) => {
                self.readable.insert(link);
                Input::Bytes(self.buffer.get(..n).unwrap_or_default())
            }
        }
    }

    /// Writes this behind what was written before.
    pub(super) fn write(&mut self, link: Link, bytes: &[u8]) {
        if let Some(socket) = self.open.get_mut(&link) {
            socket.out.extend_from_slice(bytes);
            self.flush(link);
        }
    }

    /// Closes a connection when everything is written, or cannot be for a while. What it has to say does not matter any more.
    pub(super) fn close(&mut self, now: i64, link: Link) {
        let Some(socket) = self.forget(link) else { return };
        if socket.has_more() && self.parting.len() < MAX_PARTING {
            self.parting.insert(link, (socket, now.saturating_add(PARTING_TIME)));
        }
    }

    /// The next connection to which everything has been written since the last call about it.
    pub(super) fn next_written(&mut self) -> Option<Link> {
        self.written.pop_first()
    }

    /// The next connection that has failed.
    pub(super) fn next_broken(&mut self) -> Option<Link> {
        let link = self.broken.pop_first()?;
        self.forget(link);
        Some(link)
    }

    pub(super) fn tick(&mut self, now: i64) {
        self.parting.retain(|_, (_, until)| *until > now);
    }

    pub(super) fn next_deadline(&self) -> Option<i64> {
        self.parting.values().map(|(_, until)| *until).min()
    }

    fn flush(&mut self, link: Link) {
        let Some(socket) = self.open.get_mut(&link) else { return };
        if !socket.has_more() {
            return;
        }
        match socket.flush() {
            Flushed::All => drop(self.written.insert(link)),
            Flushed::Later => {}
            Flushed::Broken => drop(self.broken.insert(link)),
        }
    }

    fn forget(&mut self, link: Link) -> Option<Socket> {
        self.readable.remove(&link);
        self.written.remove(&link);
        self.broken.remove(&link);
        self.open.remove(&link)
    }
}

#[derive(PartialEq, Eq)]
enum Flushed {
    All,
    Later,
    Broken,
}

impl Socket {
    /// Whether something is left to write.
    fn has_more(&self) -> bool {
        !self.out.is_empty() || self.wire.owes()
    }

    fn flush(&mut self) -> Flushed {
        while self.has_more() {
            match self.wire.write(&self.out) {
                Ok(Some(n)) => drop(self.out.drain(..n.min(self.out.len()))),
                Ok(None) => return Flushed::Later,
                Err(_) => return Flushed::Broken,
            }
        }
        Flushed::All
    }
}

/// Bytes read from a connection in one round.
const READ_AT_ONCE: usize = 16 << 10;
/// How long a connection that was given up may take to accept its last bytes, ms.
const PARTING_TIME: i64 = 1000;
/// How many such connections there are at most; the bytes of others are lost, and said again on the next connection.
const MAX_PARTING: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ensemble::tls::Security;
    use std::io::Read;
    use std::net::{TcpListener, TcpStream};

    /// Connection 1 of these, whose other end has not read what was written so far; and how much that was.
    fn blocked() -> (Sockets, TcpStream, usize) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let far = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        far.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
        let (near, remote) = listener.accept().unwrap();
        near.set_nonblocking(true).unwrap();
        let mut sockets = Sockets::new();
        let near = mio::net::TcpStream::from_std(near);
        sockets.add(1, Wire::over(near, remote, false, &Security::none()), remote);
        sockets.write(1, b"small");
        assert_eq!((sockets.next_written(), sockets.next_written()), (Some(1), None));
        let mut length = 5;
        loop {
            sockets.write(1, &[7; 1 << 20]);
            length += 1 << 20;
            assert!(length < 256 << 20, "written, and not taken by anybody");
            if sockets.next_written().is_none() {
                return (sockets, far, length);
            }
        }
    }

    /// Reads all that there is, while the other end goes on writing.
    fn read_on(sockets: &mut Sockets, far: &mut TcpStream, length: usize) {
        let mut bytes = vec![0; 1 << 16];
        let mut left = length;
        while left > 0 {
            left -= far.read(&mut bytes).unwrap();
            sockets.ready(1, false, true);
        }
    }

    #[test]
    fn a_frame_counts_as_written_when_nothing_of_it_is_left() {
        let (mut sockets, mut far, length) = blocked();
        sockets.ready(1, false, true);
        assert_eq!(sockets.next_written(), None, "nobody has read");
        read_on(&mut sockets, &mut far, length);
        assert_eq!((sockets.next_written(), sockets.next_broken()), (Some(1), None));
    }

    #[test]
    fn what_is_left_is_written_after_the_close_for_a_while() {
        let (mut sockets, mut far, length) = blocked();
        sockets.close(500, 1);
        assert_eq!(sockets.next_deadline(), Some(500 + PARTING_TIME));
        sockets.tick(500 + PARTING_TIME - 1);
        read_on(&mut sockets, &mut far, length);
        assert_eq!(far.read(&mut [0]).unwrap(), 0, "closed behind the last byte");
        assert_eq!(sockets.next_deadline(), None);
        // Nobody has for ever.
        let (mut sockets, far, _) = blocked();
        sockets.close(500, 1);
        sockets.tick(500 + PARTING_TIME);
        assert_eq!((sockets.next_deadline(), sockets.parting.len()), (None, 0));
        drop(far);
    }

    #[test]
    fn a_broken_connection_is_told_once() {
        let (mut sockets, far, _) = blocked();
        drop(far);
        let mut broken = || {
            sockets.ready(1, false, true);
            sockets.next_broken()
        };
        let begun = std::time::Instant::now();
        while broken() != Some(1) {
            assert!(begun.elapsed().as_secs() < 20);
        }
        assert_eq!(broken(), None);
    }
}
