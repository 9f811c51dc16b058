//! The sockets of one I/O thread: carries bytes between them and its shard.
//!
//! Readiness is edge-triggered: a socket is read until it has less than asked for. A connection whose shard has
//! had enough is paused and looked at again in the next round. Replies are sent at once, events in slices.

use super::admission::Ticket;
use super::listener::Listener;
use super::pipe::Pipe;
use mio::event::Event;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use quorate_engine::shard::{ConnKey, Flush, Shard, Submit};
use quorate_engine::tree::Tree;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;

/// Where the bytes of a connection come from.
#[derive(Debug)]
pub(super) enum Stream {
    /// A socket, and its right to exist.
    Tcp(TcpStream, #[expect(dead_code, reason = "held for its drop")] Ticket),
    /// A pipe within the process.
    Local(Arc<Pipe>),
}

/// What a shard submits to, and whether there is too much of it already.
pub(super) trait Core: Submit {
    /// Whether connections with requests in flight should not be read.
    fn is_crowded(&self) -> bool;
}

/// The connections of one thread.
#[derive(Debug)]
pub(super) struct Links {
    links: Vec<Option<Link>>,
    /// Connections that may have something to read, each once.
    readable: Vec<ConnKey>,
    /// Connections whose sockets take bytes again.
    writable: Vec<ConnKey>,
    buffer: Box<[u8]>,
}

#[derive(Debug)]
struct Link {
    key: ConnKey,
    stream: Stream,
    listed: bool,
    blocked: bool,
    /// The peer sends no more: there is an end to be read behind its last bytes.
    ended: bool,
}

impl Drop for Link {
    /// Dropping a socket takes it out of the poll and closes it; a pipe has to be told, also when a panic ends its thread.
    fn drop(&mut self) {
        if let Stream::Local(pipe) = &self.stream {
            pipe.close();
        }
    }
}

impl Links {
    pub(super) fn new() -> Self {
        let buffer = vec![0; READ_BUFFER].into_boxed_slice();
        Self { links: Vec::new(), readable: Vec::new(), writable: Vec::new(), buffer }
    }

    /// Takes over a stream for a connection that the shard has opened.
    pub(super) fn add(
        &mut self,
        key: ConnKey,
        mut stream: Stream,
        registry: &Registry,
    ) -> io::Result<()> {
        let number = number(key);
        match &mut stream {
            Stream::Tcp(socket, _) => {
                registry.register(
                    socket,
                    token(number),
                    Interest::READABLE | Interest::WRITABLE,
                )?;
            }
            Stream::Local(pipe) => pipe.adopt(number),
        }
        if self.links.len() <= number {
            self.links.resize_with(number + 1, || None);
        }
        if let Some(place) = self.links.get_mut(number) {
            *place = Some(Link { key, stream, listed: false, blocked: false, ended: false });
        }
        Ok(())
    }

    /// Takes an event of the poll, if it is of a stream of these.
    pub(super) fn take_event(&mut self, event: &Event) {
        let Some(number) = number_of(event.token()) else { return };
        let ended = event.is_read_closed() || event.is_error();
        if ended {
            self.ended(number);
        }
        self.ready(number, event.is_readable() || ended, event.is_writable() || event.is_error());
    }

    /// Takes over everybody who has come to the port. Whoever could not be accepted for want of descriptors causes no second event, so it is also
    /// to be called now and then.
    pub(super) fn accept(
        &mut self,
        listener: &mut Listener,
        shard: &mut Shard,
        registry: &Registry,
        now: i64,
    ) {
        while let Some((socket, remote, ticket)) = listener.accept() {
            let key = shard.open(Some(remote), now);
            if let Err(cause) = self.add(key, Stream::Tcp(socket, ticket), registry) {
                tracing::warn!("connection from {remote} dropped: {cause}");
                shard.close(key);
            }
        }
    }

    /// Notes that the peer of the stream with this number has ended its sending. It is told only once, perhaps together
    /// with its last bytes, so a short read must not be taken for the last one then.
    pub(super) fn ended(&mut self, number: usize) {
        if let Some(Some(link)) = self.links.get_mut(number) {
            link.ended = true;
        }
    }

    /// Notes that the stream with this number has news.
    pub(super) fn ready(&mut self, number: usize, readable: bool, writable: bool) {
        let Some(Some(link)) = self.links.get_mut(number) else { return };
        if readable && !link.listed {
            link.listed = true;
            self.readable.push(link.key);
        }
        if writable && link.blocked {
            link.blocked = false;
            self.writable.push(link.key);
        }
    }

    /// Reads everything that is readable and hands it to the shard.
    pub(super) fn read_all(
        &mut self,
        shard: &mut Shard,
        tree: &Tree,
        now: i64,
        core: &mut impl Core,
    ) {
        let mut paused = Vec::new();
        for key in std::mem::take(&mut self.readable) {
            if self.read(key, shard, tree, now, core) == Reading::Paused {
                paused.push(key);
            } else if let Some(Some(link)) = self.links.get_mut(number(key)) {
                link.listed = false;
            }
        }
        self.readable.append(&mut paused);
    }

    fn read(
        &mut self,
        key: ConnKey,
        shard: &mut Shard,
        tree: &Tree,
        now: i64,
        core: &mut impl Core,
    ) -> Reading {
        loop {
            let Some(Some(link)) = self.links.get_mut(number(key)) else { return Reading::Done };
            if link.key != key {
                return Reading::Done;
            }
            if !shard.wants_input(key, core.is_crowded()) {
                return Reading::Paused;
            }
            let result = match &mut link.stream {
                Stream::Tcp(socket, _) => socket.read(&mut self.buffer),
                Stream::Local(pipe) => pipe.read(&mut self.buffer),
            };
            match result {
                Ok(0) => {
                    self.close(key, shard);
                    return Reading::Done;
                }
                Ok(n) => {
                    shard.receive(key, self.buffer.get(..n).unwrap_or_default(), tree, now, core);
                    if n < self.buffer.len() && self.awaits_news(key) {
                        return Reading::Done;
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Reading::Done,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => {
                    self.close(key, shard);
                    return Reading::Done;
                }
            }
        }
    }

    /// Sends what the shard has: all replies, and the events of up to `events` connections.
    pub(super) fn flush(&mut self, shard: &mut Shard, events: usize) {
        for key in std::mem::take(&mut self.writable) {
            self.write(key, shard);
        }
        while let Some(key) = shard.next_replied() {
            self.write(key, shard);
        }
        for _ in 0..events {
            let Some(key) = shard.next_notified() else { break };
            self.write(key, shard);
        }
    }

    fn write(&mut self, key: ConnKey, shard: &mut Shard) {
        loop {
            let Some(Some(link)) = self.links.get_mut(number(key)) else { return };
            if link.key != key {
                return;
            }
            let bytes = match shard.flush(key) {
                Flush::Nothing => return,
                Flush::Send(_) if link.blocked => return,
                Flush::Close => {
                    if let Stream::Tcp(socket, _) = &mut link.stream {
                        part(socket, &mut self.buffer);
                    }
                    return self.close(key, shard);
                }
                Flush::Send(bytes) => bytes,
            };
            let result = match &mut link.stream {
                Stream::Tcp(socket, _) => socket.write(bytes),
                Stream::Local(pipe) => pipe.write(bytes),
            };
            match result {
                Ok(n) => {
                    shard.sent(key, n);
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    link.blocked = true;
                    return;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return self.close(key, shard),
            }
        }
    }

    /// Whether something can be read or written without waiting for the system. A paused connection causes no event
    /// when it may go on, so whoever waits for events has to ask here before.
    pub(super) fn has_work(&self, shard: &Shard, crowded: bool) -> bool {
        !self.writable.is_empty()
            || self.readable.iter().any(|&key| shard.wants_input(key, crowded))
    }

    /// Whether a stream that has been read short will be announced when it has more.
    fn awaits_news(&self, key: ConnKey) -> bool {
        let link = self.links.get(number(key)).and_then(Option::as_ref);
        link.is_some_and(|link| !link.ended && matches!(link.stream, Stream::Tcp(..)))
    }

    fn close(&mut self, key: ConnKey, shard: &mut Shard) {
        if let Some(place) = self.links.get_mut(number(key))
            && place.as_ref().is_some_and(|link| link.key == key)
        {
            *place = None;
        }
        shard.close(key);
    }

    /// Ends every connection.
    pub(super) fn close_all(&mut self, shard: &mut Shard) {
        let keys: Vec<ConnKey> = self.links.iter().flatten().map(|link| link.key).collect();
        for key in keys {
            self.close(key, shard);
        }
    }
}

/// Closes a socket so that its peer can still read what was sent: unread input would turn the end into a reset.
fn part(socket: &mut TcpStream, buffer: &mut [u8]) {
    // A socket that is broken already needs no care.
    let _ = socket.shutdown(Shutdown::Write);
    for _ in 0..LAST_READS {
        if !matches!(socket.read(buffer), Ok(1..)) {
            return;
        }
    }
}

#[derive(PartialEq, Eq)]
enum Reading {
    Done,
    Paused,
}

/// The poll token of a stream's number.
pub(super) const fn token(number: usize) -> Token {
    Token(number.saturating_add(FIRST_LINK))
}

/// The stream's number of a poll token, if it is one.
const fn number_of(token: Token) -> Option<usize> {
    token.0.checked_sub(FIRST_LINK)
}

fn number(key: ConnKey) -> usize {
    usize::try_from(key.slot).unwrap_or(usize::MAX)
}

/// Tokens below this belong to the listener and the waker.
const FIRST_LINK: usize = 2;
/// Reads of unwanted input before a connection is closed.
const LAST_READS: usize = 16;
/// Bytes read at once; shared by all connections of a thread.
const READ_BUFFER: usize = 64 << 10;

#[cfg(test)]
mod tests;
