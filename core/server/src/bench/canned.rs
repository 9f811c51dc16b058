//! A server that knows nothing and answers everything: the ceiling for any real one.
//!
//! It reads requests by the batch and answers with replies made beforehand, only the xid is filled in. What
//! the generator measures against it is the price of sockets and of the generator itself. It keeps no
//! state at all, so never mistake its answers for a service.

use super::clock::Clock;
use super::conn::{Conn, Received};
use crate::stop::Stop;
use anyhow::{Context as _, Result};
use quorate_wire::frame::{ReplyHeader, write_frame};
use quorate_wire::op::connect::ConnectResponse;
use quorate_wire::op::create::CreateResponse;
use quorate_wire::op::get_children::GetChildrenResponse;
use quorate_wire::op::get_data::GetDataResponse;
use quorate_wire::op::multi::{MultiHeader, MultiPart, MultiParts};
use quorate_wire::{Jute, OpCode, Stat};
use std::borrow::Cow;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// A listening canned server.
#[derive(Debug)]
pub(super) struct Canned {
    listener: mio::net::TcpListener,
    address: SocketAddr,
}

impl Canned {
    /// Listens on a port of the loopback interface; 0 chooses one.
    ///
    /// # Errors
    /// When the port is taken.
    pub(super) fn bind(port: u16) -> Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let listener = mio::net::TcpListener::bind(address)
            .with_context(|| format!("cannot listen on {address}"))?;
        Ok(Self { address: listener.local_addr()?, listener })
    }

    /// Where it listens.
    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop`, in the calling thread.
    ///
    /// # Errors
    /// When waiting for events fails; a bad connection is only closed.
    pub(super) fn serve(mut self, stop: &Stop, size: usize) -> Result<()> {
        let mut poll = mio::Poll::new()?;
        poll.registry().register(&mut self.listener, LISTENER, mio::Interest::READABLE)?;
        let mut events = mio::Events::with_capacity(1024);
        let mut peers: Vec<Option<Peer>> = Vec::new();
        let mut free: Vec<usize> = Vec::new();
        let (replies, clock) = (Replies::new(size), Clock::start());
        let mut scratch = Vec::new();
        while !stop.requested() {
            match poll.poll(&mut events, Some(NAP)) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                other => other.context("cannot wait for events")?,
            }
            for event in &events {
                if event.token() == LISTENER {
                    self.accept(&poll, &mut peers, &mut free);
                    continue;
                }
                let index = event.token().0;
                let Some(Some(peer)) = peers.get_mut(index) else { continue };
                if !peer.serve(&replies, &mut scratch, clock, event.is_read_closed()) {
                    if let Some(slot) = peers.get_mut(index) {
                        *slot = None;
                    }
                    free.push(index);
                }
            }
        }
        Ok(())
    }

    fn accept(&self, poll: &mio::Poll, peers: &mut Vec<Option<Peer>>, free: &mut Vec<usize>) {
        while let Ok((stream, _)) = self.listener.accept() {
            let index = free.pop().unwrap_or_else(|| {
                peers.push(None);
                peers.len().saturating_sub(1)
            });
            let mut peer = Peer { greeted: false, ending: false, conn: Conn::new(stream) };
            let ready = peer.conn.nodelay().and_then(|()| peer.conn.register(poll, index));
            match (ready, peers.get_mut(index)) {
                (Ok(()), Some(slot)) => *slot = Some(peer),
                _ => free.push(index),
            }
        }
    }
}

#[derive(Debug)]
struct Peer {
    conn: Conn,
    greeted: bool,
    ending: bool,
}

impl Peer {
    /// Answers what has come in; false when the connection is to be dropped.
    fn serve(
        &mut self,
        replies: &Replies,
        scratch: &mut Vec<u8>,
        clock: Clock,
        closing: bool,
    ) -> bool {
        let (greeted, ending) = (&mut self.greeted, &mut self.ending);
        let received = self.conn.receive(scratch, clock, closing, |request, _, out| {
            if *greeted {
                *ending |= !replies.answer(request, out)?;
            } else {
                out.extend_from_slice(&replies.hello);
                *greeted = true;
            }
            Ok(())
        });
        let flushed = self.conn.flush();
        matches!(received, Ok(Received::Drained)) && flushed.is_ok() && !self.ending
    }
}

/// Whole frames, ready but for the xid.
#[derive(Debug)]
struct Replies {
    hello: Vec<u8>,
    data: Vec<u8>,
    stat: Vec<u8>,
    path: Vec<u8>,
    children: Vec<u8>,
    empty: Vec<u8>,
}

impl Replies {
    fn new(size: usize) -> Self {
        let data = super::request::payload(size);
        let mut hello = Vec::new();
        let response = ConnectResponse {
            protocol_version: 0,
            timeout: 30_000,
            session_id: 1,
            password: Some(&[0; 16]),
            read_only: Some(false),
        };
        write_frame(&mut hello, |out| response.write(out));
        Self {
            hello,
            data: reply(&GetDataResponse { data: Some(&data), stat: STAT }),
            stat: reply(&STAT),
            path: reply(&CreateResponse { path: Cow::Borrowed(PATH) }),
            children: reply(&GetChildrenResponse { children: Vec::new() }),
            empty: reply_of(&[]),
        }
    }

    /// Appends the reply; false when the session ends with it.
    fn answer(&self, request: &[u8], out: &mut Vec<u8>) -> io::Result<bool> {
        let Some((head, body)) = request.split_first_chunk::<8>() else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        let [x0, x1, x2, x3, o0, o1, o2, o3] = *head;
        let op = OpCode::from_code(i32::from_be_bytes([o0, o1, o2, o3]));
        let start = out.len();
        match op {
            Some(OpCode::GetData) => out.extend_from_slice(&self.data),
            Some(OpCode::SetData | OpCode::Exists) => out.extend_from_slice(&self.stat),
            Some(OpCode::Create) => out.extend_from_slice(&self.path),
            Some(OpCode::GetChildren) => out.extend_from_slice(&self.children),
            Some(OpCode::Multi) => out.extend_from_slice(&multi_reply(body)),
            _ => out.extend_from_slice(&self.empty),
        }
        if let Some(xid) = out.get_mut(start.saturating_add(4)..start.saturating_add(8)) {
            xid.copy_from_slice(&[x0, x1, x2, x3]);
        }
        Ok(op != Some(OpCode::CloseSession))
    }
}

fn multi_reply(body: &[u8]) -> Vec<u8> {
    let mut results = Vec::new();
    for part in MultiParts::new(body).map_while(Result::ok) {
        MultiHeader { op: part.op().code(), done: false, err: 0 }.write(&mut results);
        match part {
            MultiPart::Create(..) => {
                CreateResponse { path: Cow::Borrowed(PATH) }.write(&mut results)
            }
            MultiPart::SetData(_) => STAT.write(&mut results),
            _ => {}
        }
    }
    MultiHeader::END.write(&mut results);
    reply_of(&results)
}

fn reply<'a>(body: &impl Jute<'a>) -> Vec<u8> {
    reply_of(&body.to_bytes())
}

fn reply_of(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    write_frame(&mut out, |out| {
        ReplyHeader { xid: 0, zxid: 1, err: 0 }.write(out);
        out.extend_from_slice(body);
    });
    out
}

const PATH: &str = "/quorate-bench-canned/n000000000";
const STAT: Stat = Stat {
    czxid: 1,
    mzxid: 1,
    ctime: 1,
    mtime: 1,
    version: 0,
    cversion: 0,
    aversion: 0,
    ephemeral_owner: 0,
    data_length: 100,
    num_children: 0,
    pzxid: 1,
};
const LISTENER: mio::Token = mio::Token(usize::MAX >> 1);
const NAP: Duration = Duration::from_millis(50);
