//! A connection, with or without TLS, that never waits.

use super::{Refusal, Security};
use mio::net::TcpStream;
use rustls::Connection;
use std::fmt;
use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::sync::Arc;

/// A socket that is registered for reading and writing, both told once.
pub(crate) struct Stream {
    socket: TcpStream,
    layer: Layer,
}

enum Layer {
    Plain,
    /// Nothing has come of what somebody at this address has to say.
    Unknown(Arc<Security>, IpAddr),
    Tls(Box<Connection>),
}

/// How much was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    /// So many bytes were taken.
    pub(crate) taken: usize,
    /// The socket takes nothing more until it says so. Some of what was taken may wait for that, too.
    pub(crate) full: bool,
}

impl Stream {
    pub(super) const fn plain(socket: TcpStream) -> Self {
        Self { socket, layer: Layer::Plain }
    }

    pub(super) const fn unknown(socket: TcpStream, security: Arc<Security>, from: IpAddr) -> Self {
        Self { socket, layer: Layer::Unknown(security, from) }
    }

    pub(super) fn tls(socket: TcpStream, connection: Connection) -> Self {
        Self { socket, layer: Layer::Tls(Box::new(connection)) }
    }

    /// For a poll to register, and options to be set.
    pub(crate) const fn socket(&mut self) -> &mut TcpStream {
        &mut self.socket
    }

    /// Whether a connection that is being made here is made by now, with its handshake, and leads to whom it should.
    ///
    /// # Errors
    /// It could not be made; a [`Refusal`] by one of both ends is told apart.
    pub(crate) fn is_made(&mut self) -> io::Result<bool> {
        self.progress().map_err(|error| match (error.kind(), &self.layer) {
            // Who hangs up with something unread resets the connection.
            (io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe, Layer::Tls(_)) => {
                Refusal::HungUp.into()
            }
            _ => error,
        })
    }

    fn progress(&mut self) -> io::Result<bool> {
        if let Some(error) = self.socket.take_error()? {
            return Err(error);
        }
        match (self.socket.peer_addr(), self.socket.local_addr()) {
            // A port that nobody listens on can connect to itself, when the system picks it for the other end.
            (Ok(peer), Ok(local)) if peer == local => Err(io::ErrorKind::ConnectionRefused.into()),
            (Ok(_), _) => self.shake(),
            (Err(error), _) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
            (Err(error), _) => Err(error),
        }
    }

    /// Goes on with the handshake as far as is possible now; whether it is over.
    fn shake(&mut self) -> io::Result<bool> {
        let Layer::Tls(connection) = &mut self.layer else { return Ok(true) };
        loop {
            flush(connection, &mut self.socket)?;
            if !connection.is_handshaking() {
                return Ok(true);
            }
            match receive(connection, &mut self.socket) {
                Ok(0) => return Err(Refusal::HungUp.into()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads what has come: 0 bytes at the end, `WouldBlock` when there is nothing now.
    ///
    /// # Errors
    /// Also a [`Refusal`].
    pub(crate) fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if let Layer::Unknown(..) = self.layer
            && !self.detect()?
        {
            return Ok(0);
        }
        let Layer::Tls(connection) = &mut self.layer else {
            return uninterrupted(|| self.socket.read(into));
        };
        loop {
            match connection.reader().read(into) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // The end without a farewell. Both protocols have lengths, and tell a message that was cut from an end.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                result => return result,
            }
            receive(connection, &mut self.socket)?;
        }
    }

    /// Writes what fits. Before the end of a handshake that is nothing.
    ///
    /// # Errors
    /// Those of the socket.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<Written> {
        let connection = match &mut self.layer {
            Layer::Plain => return write_plain(&mut self.socket, bytes),
            Layer::Unknown(security, _) if !security.options.is_used() => {
                return write_plain(&mut self.socket, bytes);
            }
            Layer::Unknown(..) => return Ok(Written { taken: 0, full: true }),
            Layer::Tls(connection) => connection,
        };
        let mut taken = 0;
        loop {
            let flushed = flush(connection, &mut self.socket)?;
            let rest = bytes.get(taken..).unwrap_or_default();
            if !flushed || connection.is_handshaking() {
                return Ok(Written { taken, full: true });
            }
            if rest.is_empty() || taken >= WRITTEN_AT_ONCE {
                return Ok(Written { taken, full: false });
            }
            taken = taken.saturating_add(connection.writer().write(rest)?);
        }
    }

    /// Whether bytes wait here for room in the socket.
    pub(crate) fn owes(&self) -> bool {
        matches!(&self.layer, Layer::Tls(connection) if connection.wants_write())
    }

    /// Whether a read that brings less than there was room for has brought all that there was.
    pub(crate) const fn reads_all(&self) -> bool {
        matches!(self.layer, Layer::Plain)
    }

    /// Looks at the first byte, and leaves it there: a handshake, or not. False at the end.
    fn detect(&mut self) -> io::Result<bool> {
        let Layer::Unknown(security, from) = &self.layer else { return Ok(true) };
        let mut first = [0];
        let is_tls = match uninterrupted(|| self.socket.peek(&mut first))? {
            0 => return Ok(false),
            _ => first == [HANDSHAKE],
        };
        self.layer = if is_tls {
            Layer::Tls(Box::new(security.server(*from)?.into()))
        } else if security.lets_in_plain() {
            Layer::Plain
        } else {
            return Err(Refusal::Plain.into());
        };
        Ok(true)
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let layer = match &self.layer {
            Layer::Plain => "plain",
            Layer::Unknown(..) => "unknown",
            Layer::Tls(_) => "tls",
        };
        f.debug_struct("Stream").field("socket", &self.socket).field("layer", &layer).finish()
    }
}

/// Takes in what the socket has, once, and answers what has to be answered.
fn receive(connection: &mut Connection, socket: &mut TcpStream) -> io::Result<usize> {
    let n = uninterrupted(|| connection.read_tls(socket))?;
    let was_handshaking = connection.is_handshaking();
    if let Err(error) = connection.process_new_packets() {
        // The other end is told, if it listens.
        let _ = flush(connection, socket);
        return Err(Refusal::Tls(error).into());
    }
    if was_handshaking && !connection.is_handshaking() {
        tracing::debug!(
            "TLS with {:?}: {:?}, {:?}",
            socket.peer_addr(),
            connection.protocol_version(),
            connection.negotiated_cipher_suite().map(|suite| suite.suite())
        );
    }
    flush(connection, socket)?;
    Ok(n)
}

/// Writes what waits; whether nothing is left of it.
fn flush(connection: &mut Connection, socket: &mut TcpStream) -> io::Result<bool> {
    while connection.wants_write() {
        match uninterrupted(|| connection.write_tls(socket)) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

fn write_plain(socket: &mut TcpStream, bytes: &[u8]) -> io::Result<Written> {
    match uninterrupted(|| socket.write(bytes)) {
        Ok(0) if !bytes.is_empty() => Err(io::ErrorKind::WriteZero.into()),
        Ok(taken) => Ok(Written { taken, full: taken < bytes.len() }),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            Ok(Written { taken: 0, full: true })
        }
        Err(error) => Err(error),
    }
}

fn uninterrupted(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// The first byte of a record with a handshake in it. No message of either port begins with it: what does, is no version of the election's protocol
/// and no type of packet.
const HANDSHAKE: u8 = 0x16;
/// Bytes that are encrypted and written at once, and up to 64 KiB more: one connection does not hold up the others.
const WRITTEN_AT_ONCE: usize = 256 << 10;
