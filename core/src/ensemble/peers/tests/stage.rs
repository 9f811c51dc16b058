//! A poll, a clock, and rounds with a deadline.

use mio::event::Event;
use mio::{Events, Poll, Token, Waker};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(super) struct Stage {
    poll: Poll,
    pub(super) waker: Arc<Waker>,
    began: Instant,
}

impl Stage {
    pub(super) fn new() -> Self {
        let poll = Poll::new().unwrap();
        let waker = Arc::new(Waker::new(poll.registry(), Token(0)).unwrap());
        Self { poll, waker, began: Instant::now() }
    }

    pub(super) fn registry(&self) -> &mio::Registry {
        self.poll.registry()
    }

    pub(super) fn now(&self) -> i64 {
        i64::try_from(self.began.elapsed().as_millis()).unwrap()
    }

    /// Events, waited for only as long as there is nothing to do, and not for long.
    pub(super) fn events(&mut self, has_work: bool) -> Vec<Event> {
        let mut events = Events::with_capacity(256);
        let timeout = if has_work { 0 } else { 2 };
        self.poll.poll(&mut events, Some(Duration::from_millis(timeout))).unwrap();
        events.iter().filter(|event| event.token() != Token(0)).cloned().collect()
    }
}

/// Repeats a round until it says that it is enough.
pub(super) fn until(what: &str, mut round: impl FnMut() -> bool) {
    let began = Instant::now();
    while !round() {
        assert!(began.elapsed() < PATIENCE, "not in time: {what}");
    }
}

/// The other end, without any of the code under test.
pub(super) fn raw(address: std::net::SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(address).unwrap();
    socket.set_nodelay(true).unwrap();
    socket.set_write_timeout(Some(PATIENCE)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// Whether the other side has closed it, whatever it has sent before.
pub(super) fn is_closed(socket: &mut TcpStream) -> bool {
    socket.set_nonblocking(true).unwrap();
    let mut bytes = [0; 4096];
    loop {
        match socket.read(&mut bytes) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(e) => return e.kind() != std::io::ErrorKind::WouldBlock,
        }
    }
}

/// Sends as much as goes.
pub(super) fn push(socket: &mut TcpStream, bytes: &mut &[u8]) {
    socket.set_nonblocking(true).unwrap();
    while let Ok(n) = socket.write(bytes)
        && n > 0
    {
        *bytes = &bytes[n..];
    }
}

/// Not how long anything should take: two cores may be shared by many.
const PATIENCE: Duration = Duration::from_secs(60);
