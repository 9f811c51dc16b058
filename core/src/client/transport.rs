//! Ways to a server: TCP, TLS over it, or the inside of this process.

use super::address::Server;
use super::resolve::lookup;
use super::tls::{Tls, TlsStream};
use crate::server::{Connector, LocalStream};
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

/// Where a server is.
#[derive(Clone, Debug)]
pub(super) enum Target {
    Remote(Server),
    InProcess(Connector),
}

impl Target {
    /// What the session knows it by.
    pub(super) fn label(&self) -> String {
        match self {
            Self::Remote(server) => server.to_string(),
            Self::InProcess(_) => "this process".to_owned(),
        }
    }
}

/// An open connection.
#[derive(Debug)]
pub(super) enum Stream {
    /// The writing half is shared with who sends beside the driver.
    Tcp(OwnedReadHalf, Arc<OwnedWriteHalf>),
    Tls(Box<TlsStream<TcpStream>>),
    Local(LocalStream),
}

/// Opens a connection, TLS handshake included. The caller sets the limit of time.
pub(super) async fn open(target: Target, tls: Option<Tls>) -> io::Result<Stream> {
    match target {
        Target::InProcess(connector) => Ok(Stream::Local(connector.connect())),
        Target::Remote(server) => {
            let addresses = lookup(&server.host, server.port).await?;
            let stream = race(addresses).await?;
            stream.set_nodelay(true)?;
            match tls {
                None => {
                    let (read, write) = stream.into_split();
                    Ok(Stream::Tcp(read, Arc::new(write)))
                }
                Some(tls) => {
                    let stream =
                        tls.connect(&server.host, stream).await.map_err(io::Error::other)?;
                    Ok(Stream::Tls(Box::new(stream)))
                }
            }
        }
    }
}

/// Asks a server whether it takes writes, as the four-letter word `isro` does.
pub(super) async fn takes_writes(target: Target, tls: Option<Tls>) -> io::Result<bool> {
    let mut stream = open(target, tls).await?;
    stream.write_all(b"isro").await?;
    let mut answer = [0; 2];
    stream.read_exact(&mut answer).await?;
    Ok(&answer == b"rw")
}

type Attempt = Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>;

/// Tries all addresses, the next one when the last has failed or is slow (RFC 8305). The first connection wins.
async fn race(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut waiting = addresses.into_iter();
    let mut running: Vec<Attempt> = Vec::new();
    let mut error = io::Error::from(io::ErrorKind::NotFound);
    loop {
        let next = waiting.next();
        let is_last = next.is_none();
        running.extend(next.map(|address| Box::pin(TcpStream::connect(address)) as Attempt));
        if running.is_empty() {
            return Err(error);
        }
        let patience = if is_last { Duration::MAX } else { HEAD_START };
        match tokio::time::timeout(patience, first(&mut running)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(failure)) => error = failure,
            Err(_elapsed) => {}
        }
    }
}

/// Waits until one of them has ended, and takes it out.
async fn first(running: &mut Vec<Attempt>) -> io::Result<TcpStream> {
    poll_fn(|context| {
        for at in 0..running.len() {
            let Some(attempt) = running.get_mut(at) else { break };
            if let Poll::Ready(result) = attempt.as_mut().poll(context) {
                drop(running.swap_remove(at));
                return Poll::Ready(result);
            }
        }
        Poll::Pending
    })
    .await
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream, _) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Local(stream) => {
                let n = std::task::ready!(stream.poll_read(context, buffer.initialize_unfilled()))?;
                buffer.advance(n);
                Poll::Ready(Ok(()))
            }
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(_, stream) => poll_write(stream, context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Local(stream) => stream.poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
            Self::Tcp(..) | Self::Local(_) => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            // Dropped, it says so to the server.
            Self::Tcp(..) => Poll::Ready(Ok(())),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Local(stream) => {
                stream.shutdown();
                Poll::Ready(Ok(()))
            }
        }
    }
}

/// Writes to a socket that is shared.
fn poll_write(
    stream: &OwnedWriteHalf,
    context: &mut Context<'_>,
    bytes: &[u8],
) -> Poll<io::Result<usize>> {
    loop {
        std::task::ready!(stream.as_ref().poll_write_ready(context))?;
        match stream.try_write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            written => return Poll::Ready(written),
        }
    }
}

/// How long an address is tried alone.
const HEAD_START: Duration = Duration::from_millis(250);
