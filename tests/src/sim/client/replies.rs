//! What a client makes of a reply or a notification: it must be exactly what the history says.

use super::watches::Notice;
use super::{Client, Sent, State};
use crate::messages::is_write;
use crate::sim::env::{Checked, Env, Violation, ensure};
use crate::sim::reads::ReadReply;
use crate::sim::trace::note;
use quorate_wire::event::{EventType, WatcherEvent};
use quorate_wire::frame::{NOTIFICATION_XID, ReplyHeader};
use quorate_wire::op::add_watch::AddWatchRequest;
use quorate_wire::op::create::CreateResponse;
use quorate_wire::op::exists::ExistsRequest;
use quorate_wire::op::get_children::GetChildrenRequest;
use quorate_wire::op::get_data::GetDataRequest;
use quorate_wire::op::remove_watches::{WatcherType, WatchesRequest};
use quorate_wire::op::set_watches::SetWatches2Request;
use quorate_wire::{DecodeError, ErrorCode, Jute, OpCode, Reader};

impl Client {
    /// A frame of an open connection.
    pub(super) fn message(&mut self, env: &mut Env, payload: &[u8]) -> Checked {
        let mut reader = Reader::new(payload);
        let header: ReplyHeader = reader.get().map_err(|e| unreadable(&e))?;
        let body = reader.rest();
        if header.xid == NOTIFICATION_XID {
            let event = WatcherEvent::from_bytes(body).map_err(|e| unreadable(&e))?;
            return self.notified(env, header.zxid, &event);
        }
        let number = self.number;
        let sent = self.outstanding.pop_front().ok_or_else(|| {
            Violation(format!("client {number}: a reply to nothing, xid {}", header.xid))
        })?;
        ensure!(
            sent.xid == header.xid,
            "client {number}: a reply to {} came where one to {} ({:?}) was due",
            header.xid,
            sent.xid,
            sent.op
        );
        let (zxid, err) = (header.zxid, header.err);
        note!(env.trace, "client {number}: reply {} {zxid:x} {err} {}", header.xid, body.len());
        ensure!(
            zxid >= self.last_zxid,
            "client {number}: the reply to {} is of {zxid:#x}, after {:#x} has been seen",
            header.xid,
            self.last_zxid
        );
        ensure!(
            zxid <= env.history.durable(),
            "client {number}: a reply of {zxid:#x}, but only {:#x} is durable",
            env.history.durable()
        );
        self.last_zxid = zxid;
        if sent.op != OpCode::SetWatches2 {
            self.advance(env, zxid);
        }
        if let Some((zxid, event, path)) = self.expected.front() {
            return Err(Violation(format!(
                "client {number}: the reply to {} ({:?}) is of {:#x} and came before the event {event:?} of {path} \
                 at {zxid:#x}",
                sent.xid, sent.op, self.last_zxid
            )));
        }
        self.replies += 1;
        self.answered(env, &sent, err, body)
    }

    /// Holds the changes up to a zxid against the watches.
    fn advance(&mut self, env: &Env, zxid: i64) {
        if self.watches.is_empty() {
            self.cursor = self.cursor.max(zxid);
        }
        while self.cursor < zxid {
            self.cursor += 1;
            for change in env.history.changes(self.cursor) {
                self.expected.extend(self.watches.fire(self.cursor, change));
            }
        }
    }

    fn notified(&mut self, env: &Env, zxid: i64, event: &WatcherEvent<'_>) -> Checked {
        let number = self.number;
        let kind = EventType::from_code(event.kind)
            .ok_or_else(|| Violation(format!("an event of kind {}", event.kind)))?;
        note!(env.trace, "client {number}: {kind:?} {} {zxid:x}", event.path);
        self.notices += 1;
        let notice: Notice = (zxid, kind, event.path.clone().into_owned());
        if zxid == -1 {
            self.caught_up.push(notice);
            return Ok(());
        }
        ensure!(
            zxid >= self.last_zxid && zxid <= env.history.durable(),
            "client {number}: {notice:?} after {:#x}, durable is {:#x}",
            self.last_zxid,
            env.history.durable()
        );
        self.last_zxid = zxid;
        if self.resumes() {
            return Err(Violation(format!(
                "client {number}: {notice:?} before the watches are set"
            )));
        }
        self.advance(env, zxid);
        let expected = self.expected.pop_front();
        ensure!(
            expected.as_ref() == Some(&notice),
            "client {number}: {notice:?} where {expected:?} was due"
        );
        Ok(())
    }

    /// Whether the watches of an earlier connection have not been set again.
    fn resumes(&self) -> bool {
        self.outstanding.iter().any(|sent| sent.op == OpCode::SetWatches2)
    }

    fn answered(&mut self, env: &mut Env, sent: &Sent, err: i32, body: &[u8]) -> Checked {
        ensure!(
            self.caught_up.is_empty() || sent.op == OpCode::SetWatches2,
            "client {}: {:?} out of the blue",
            self.number,
            self.caught_up
        );
        if is_write(sent.op) {
            return self.write_answered(env, sent, err, body);
        }
        let read = ReadReply {
            op: sent.op,
            request: &sent.body,
            session: self.session,
            zxid: self.last_zxid,
            err,
            body,
        };
        match sent.op {
            OpCode::Ping | OpCode::Sync | OpCode::WhoAmI | OpCode::AddWatch => {
                ensure!(err == 0, "{:?} was answered with {err}", sent.op);
            }
            OpCode::CheckWatches | OpCode::RemoveWatches | OpCode::SetWatches2 => {}
            _ => read.check(&env.history.model)?,
        }
        self.watch(env, sent, err).map_err(|e| unreadable(&e))?
    }

    /// What the reply means for the watches.
    fn watch(&mut self, env: &Env, sent: &Sent, err: i32) -> Result<Checked, DecodeError> {
        let body = &sent.body;
        match sent.op {
            OpCode::GetData => {
                let request = GetDataRequest::from_bytes(body)?;
                if request.watch && err == 0 {
                    self.watches.watch_data(&request.path, false);
                }
            }
            OpCode::Exists => {
                let request = ExistsRequest::from_bytes(body)?;
                if request.watch {
                    self.watches.watch_data(&request.path, err != 0);
                }
            }
            OpCode::GetChildren | OpCode::GetChildren2 => {
                let request = GetChildrenRequest::from_bytes(body)?;
                if request.watch && err == 0 {
                    self.watches.watch_children(&request.path);
                }
            }
            OpCode::AddWatch => {
                let request = AddWatchRequest::from_bytes(body)?;
                self.watches.add(&request.path, request.mode == 1);
            }
            OpCode::CheckWatches | OpCode::RemoveWatches => {
                let request = WatchesRequest::from_bytes(body)?;
                let kind = WatcherType::from_code(request.kind).unwrap_or(WatcherType::Any);
                let has = self.watches.has(&request.path, kind);
                let expected = if has { 0 } else { ErrorCode::NoWatcher.code() };
                if sent.op == OpCode::RemoveWatches {
                    self.watches.remove(&request.path, kind);
                }
                if err != expected {
                    let text = format!("{:?} was answered with {err}: {request:?}", sent.op);
                    return Ok(Err(Violation(text)));
                }
            }
            OpCode::SetWatches2 => {
                let request = SetWatches2Request::from_bytes(body)?;
                let model = &env.history.model;
                let expected = self.watches.catch_up(&request, model, self.last_zxid);
                let told = std::mem::take(&mut self.caught_up);
                self.cursor = self.last_zxid;
                if told != expected {
                    let text = format!("setWatches told {told:?}, expected {expected:?}");
                    return Ok(Err(Violation(text)));
                }
            }
            _ => {}
        }
        Ok(Ok(()))
    }

    fn write_answered(&mut self, env: &mut Env, sent: &Sent, err: i32, body: &[u8]) -> Checked {
        if err == ErrorCode::SystemError.code() {
            return env.history.told_refused(self.session, sent.xid);
        }
        env.history.check_write(self.session, sent.xid, self.last_zxid, err, body)?;
        if sent.op == OpCode::CloseSession {
            let State::Open(_) = self.state else { return Ok(()) };
            self.forget_session();
            self.hang_up(env);
        } else if let (OpCode::Create, 0, Ok(reply)) =
            (sent.op, err, CreateResponse::from_bytes(body))
        {
            if self.known.len() >= KNOWN {
                self.known.remove(0);
            }
            self.known.push(reply.path.into_owned());
        }
        Ok(())
    }
}

fn unreadable(error: &DecodeError) -> Violation {
    Violation(format!("a message cannot be read: {error}"))
}

/// Paths that a client remembers.
const KNOWN: usize = 20;
