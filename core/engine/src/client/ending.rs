//! What ends: a connection, a session, the client. Everything that was begun is told so, once.

use super::effect::{Effect, Failure, Refused, State, Token};
use super::link::Link;
use super::pending::{Entry, Waiter};
use super::reply::{Reply, strip};
use super::session::ClientSession;
use quorate_wire::frame::RequestHeader;
use quorate_wire::{ErrorCode, Jute, OpCode};

/// The owner wants to go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Closing {
    token: Token,
    pub(super) give_up_at: i64,
}

impl ClientSession {
    /// Ends the session after everything that was submitted before. Without a connection it is tried until
    /// `give_up_at`, or until the session's timeout has passed; then the close fails with its outcome unknown, and the
    /// session ends by itself. Requests that no server has seen by then fail.
    ///
    /// # Errors
    /// When it is closed or being closed already.
    pub fn close(&mut self, give_up_at: i64, token: Token) -> Result<(), Refused> {
        if self.close.is_some() || self.state.is_final() {
            return Err(Refused::Closed);
        }
        self.counters.submitted += 1;
        self.close = Some(Closing { token, give_up_at });
        if self.established || (self.identity.is_some() && matches!(self.link, Link::Up(_))) {
            self.say_goodbye();
        } else {
            self.finish(State::Closed, ErrorCode::Closing);
        }
        Ok(())
    }

    /// Drops session and connection without a word: as if the process had died. Everything pending fails.
    pub fn abandon(&mut self) {
        if !self.state.is_final() {
            self.finish(State::Closed, ErrorCode::ConnectionLoss);
        }
    }

    /// Says goodbye after everything that is pending.
    fn say_goodbye(&mut self) {
        let xid = self.take_xid();
        let op = OpCode::CloseSession;
        let frame = self.pending.write(|out| RequestHeader { xid, op: op.code() }.write(out));
        let entry = Entry {
            xid,
            op,
            waiter: Waiter::Close,
            frame,
            path: 0,
            root: 0,
            sent_at: 0,
            watch: None,
            removes: None,
        };
        self.pending.push(entry, ["", ""]);
    }

    /// The connection is gone: whatever was on it has an unknown outcome.
    pub(super) fn lose_connection(&mut self, now: i64, retry_at: i64) {
        let rearming = matches!(&self.link, Link::Up(live) if live.rearms > 0);
        self.drop_link(retry_at);
        let mut closing = false;
        while let Some((entry, path)) = self.pending.pop_sent() {
            closing |= entry.waiter == Waiter::Close;
            self.fail(entry, path, ErrorCode::ConnectionLoss, true);
        }
        if closing {
            // Closing again does no harm: it is said on the next connection too.
            self.say_goodbye();
        }
        if self.state.is_connected() {
            self.enter(State::Suspended);
        }
        if rearming {
            self.rearm_failed();
        }
        self.expire(now);
    }

    /// A server that ends the connection whenever it is given the watches would do so for ever. It is better to have none.
    fn rearm_failed(&mut self) {
        self.failed_rearms += 1;
        if self.failed_rearms >= MAX_FAILED_REARMS {
            self.failed_rearms = 0;
            self.end_watches(ErrorCode::Unimplemented);
        }
    }

    /// Declares the session lost when its time is over.
    pub(super) fn expire(&mut self, now: i64) {
        if self.lost_at().is_none_or(|at| now < at) || self.state.is_final() {
            return;
        }
        if self.close.is_some() {
            // It may live on a server for a moment, so that nobody can say that it is closed.
            self.finish(State::Closed, ErrorCode::ConnectionLoss);
        } else {
            self.lose_session(now);
        }
    }

    fn drop_link(&mut self, retry_at: i64) {
        if let Some(attempt) = self.link.attempt() {
            self.effects.push_back(Effect::Disconnect { attempt });
        }
        self.link = Link::Down { retry_at };
        self.forget_spread();
        self.control.clear();
        self.control.shrink_to(MAX_IDLE_CONTROL);
        self.inbox = Vec::new();
        self.forget_sent_credentials();
    }

    /// The session is gone: everything of it fails, and every watch is told once.
    pub(super) fn lose_session(&mut self, now: i64) {
        self.counters.lost += 1;
        // Who waits for a next attempt goes on waiting: so do all the others whose server is away.
        let retry_at = match self.link {
            Link::Down { retry_at } => retry_at,
            _ => now,
        };
        self.drop_link(retry_at);
        self.identity = None;
        self.established = false;
        self.proof_at = None;
        (self.last_zxid, self.told_zxid) = (0, 0);
        self.failed_rearms = 0;
        self.timeout = i64::from(self.settings.timeout.max(1));
        self.fail_everything(ErrorCode::SessionExpired);
        if self.close.is_some() {
            self.finish(State::Closed, ErrorCode::Closing);
            return;
        }
        if !self.settings.renew {
            self.fail_credentials(ErrorCode::SessionExpired);
        }
        self.enter(State::Lost);
    }

    /// The end: nothing follows. `ConnectionLoss` when a server may hold the session still.
    pub(super) fn finish(&mut self, state: State, code: ErrorCode) {
        self.drop_link(i64::MAX);
        self.proof_at = None;
        let reason = if code == ErrorCode::ConnectionLoss { ErrorCode::Closing } else { code };
        self.fail_everything(reason);
        self.fail_credentials(reason);
        if let Some(close) = self.close.take() {
            let result = match code {
                ErrorCode::Closing => Ok(Reply::Done),
                code => Err(Failure {
                    code,
                    op: OpCode::CloseSession,
                    path: String::new(),
                    outcome_unknown: true,
                }),
            };
            self.complete(close.token, result);
        }
        self.identity = None;
        self.enter(state);
    }

    fn fail_everything(&mut self, code: ErrorCode) {
        while let Some((entry, path)) = self.pending.pop_sent() {
            self.fail(entry, path, code, true);
        }
        while let Some((entry, path)) = self.pending.pop(true) {
            self.fail(entry, path, code, false);
        }
        self.end_watches(code);
    }

    pub(super) fn end_watches(&mut self, code: ErrorCode) {
        let mut told = Vec::new();
        self.watches.end(code, &mut told);
        self.effects.extend(told);
    }

    /// No answer will come.
    fn fail(&mut self, entry: Entry, path: String, code: ErrorCode, sent: bool) {
        if let Some((key, _)) = entry.watch {
            // What the server has of it goes with the connection.
            self.watches.settle(key, &path, None, &mut Vec::new());
        }
        if let Waiter::Caller(token) = entry.waiter {
            let path = strip(path.into(), entry.root);
            let outcome_unknown = sent && changes_state(entry.op);
            self.complete(token, Err(Failure { code, op: entry.op, path, outcome_unknown }));
        }
    }
}

/// Whether carrying it out leaves a trace: then it matters that the outcome is unknown.
pub(super) const fn changes_state(op: OpCode) -> bool {
    matches!(
        op,
        OpCode::Create2
            | OpCode::CreateContainer
            | OpCode::CreateTtl
            | OpCode::Delete
            | OpCode::SetData
            | OpCode::SetAcl
            | OpCode::Multi
            | OpCode::Reconfig
    )
}

/// Connections in a row that end before the watches are set again.
const MAX_FAILED_REARMS: u32 = 8;
/// What the buffer for control frames keeps of its room, bytes.
const MAX_IDLE_CONTROL: usize = 64 * 1024;
