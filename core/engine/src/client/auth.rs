//! Who the session's owner is: credentials that are repeated on every connection, and the SASL exchange before them.

use super::effect::{Failure, Refused, State, Token};
use super::link::Link;
use super::receive::Broken;
use super::reply::Reply;
use super::session::ClientSession;
use quorate_wire::frame::{AUTH_XID, RequestHeader, write_frame};
use quorate_wire::op::auth::{AuthPacket, SaslToken};
use quorate_wire::{ErrorCode, Jute, OpCode};
use std::fmt;

/// Scheme and secret, sent on every connection.
pub(super) struct Credential {
    scheme: String,
    secret: Vec<u8>,
    /// Who wants to know whether they were accepted.
    waiters: Vec<Token>,
    /// Whether they are on the present connection.
    sent: bool,
}

impl ClientSession {
    /// Adds an identity to the session, now and on every later connection. It takes effect for requests that have not been
    /// sent yet, whenever they were submitted.
    ///
    /// # Errors
    /// When the session is over, or has a thousand identities.
    pub fn authenticate(
        &mut self,
        scheme: &str,
        secret: &[u8],
        token: Token,
    ) -> Result<(), Refused> {
        self.accepts()?;
        let known = |other: &Credential| other.scheme == scheme && other.secret == secret;
        if let Some(at) = self.credentials.iter().position(known) {
            return self.authenticate_again(at, token);
        }
        let bytes = scheme.len().saturating_add(secret.len()).saturating_add(AUTH_OVERHEAD);
        if bytes > self.settings.max_request {
            return Err(Refused::TooLong);
        }
        if self.credentials.len() >= MAX_CREDENTIALS {
            return Err(Refused::Full);
        }
        let (scheme, secret) = (scheme.to_owned(), secret.to_vec());
        self.credentials.push(Credential { scheme, secret, waiters: vec![token], sent: false });
        self.counters.submitted += 1;
        if matches!(&self.link, Link::Up(live) if live.admitted) {
            self.send_credentials();
        }
        Ok(())
    }

    /// What is sent on every connection anyway is not sent twice: who asks shares the answer.
    fn authenticate_again(&mut self, at: usize, token: Token) -> Result<(), Refused> {
        let answered = matches!(&self.link, Link::Up(live) if at < live.acknowledged);
        if answered {
            self.counters.submitted += 1;
            self.complete(token, Ok(Reply::Done));
        } else if let Some(credential) = self.credentials.get_mut(at) {
            if credential.waiters.len() >= self.settings.max_pending {
                return Err(Refused::Full);
            }
            credential.waiters.push(token);
            self.counters.submitted += 1;
        }
        Ok(())
    }

    pub(super) fn send_credentials(&mut self) {
        for credential in self.credentials.iter_mut().filter(|credential| !credential.sent) {
            credential.sent = true;
            write_frame(&mut self.control, |out| {
                RequestHeader { xid: AUTH_XID, op: OpCode::Auth.code() }.write(out);
                AuthPacket {
                    kind: 0,
                    scheme: Some(credential.scheme.as_str().into()),
                    auth: Some(&credential.secret),
                }
                .write(out);
            });
        }
    }

    /// The connection is gone, and who it was with it.
    pub(super) fn forget_sent_credentials(&mut self) {
        for credential in &mut self.credentials {
            credential.sent = false;
        }
    }

    /// Nobody will answer for the credentials any more.
    pub(super) fn fail_credentials(&mut self, code: ErrorCode) {
        for credential in std::mem::take(&mut self.credentials) {
            for token in credential.waiters {
                let op = OpCode::Auth;
                let failure = Failure { code, op, path: String::new(), outcome_unknown: false };
                self.complete(token, Err(failure));
            }
        }
    }

    pub(super) fn auth_reply(&mut self, err: i32) -> Result<(), Broken> {
        let Link::Up(live) = &mut self.link else { return Err(Broken) };
        let credential = self.credentials.get_mut(live.acknowledged).ok_or(Broken)?;
        if !credential.sent {
            return Err(Broken);
        }
        if err != 0 {
            self.finish(State::AuthFailed, ErrorCode::AuthFailed);
            return Ok(());
        }
        live.acknowledged += 1;
        for token in std::mem::take(&mut credential.waiters) {
            self.complete(token, Ok(Reply::Done));
        }
        Ok(())
    }

    /// Begins the exchange, if there is to be one. Nothing else is sent before it is over: a server may demand it.
    pub(super) fn begin_sasl(&mut self, now: i64) {
        match self.sasl.as_mut().map(|mechanism| mechanism.begin()) {
            None => self.admit(),
            Some(Ok(token)) => self.send_sasl(&token, now),
            Some(Err(_)) => self.finish(State::AuthFailed, ErrorCode::AuthFailed),
        }
    }

    fn send_sasl(&mut self, token: &[u8], now: i64) {
        let xid = self.take_xid();
        write_frame(&mut self.control, |out| {
            RequestHeader { xid, op: OpCode::Sasl.code() }.write(out);
            SaslToken { token: Some(token) }.write(out);
        });
        if let Link::Up(live) = &mut self.link {
            live.sasl_xid = Some(xid);
            live.spoke_at = now;
        }
    }

    pub(super) fn sasl_reply(
        &mut self,
        err: i32,
        body: Option<SaslToken<'_>>,
        now: i64,
    ) -> Result<(), Broken> {
        let Link::Up(live) = &mut self.link else { return Err(Broken) };
        live.sasl_xid = None;
        let step = match (&mut self.sasl, err) {
            (Some(mechanism), 0) => {
                let challenge = body.ok_or(Broken)?.token.unwrap_or_default();
                mechanism.step(challenge).ok()
            }
            _ => None,
        };
        match step {
            Some(Some(token)) => self.send_sasl(&token, now),
            Some(None) => self.admit(),
            None => self.finish(State::AuthFailed, ErrorCode::AuthFailed),
        }
        Ok(())
    }
}

impl fmt::Debug for Credential {
    /// Leaves the secret out: sessions are printed into logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, waiters, sent, .. } = self;
        f.debug_struct("Credential")
            .field("scheme", scheme)
            .field("waiters", waiters)
            .field("sent", sent)
            .finish_non_exhaustive()
    }
}

/// More identities than any owner has; each is sent on every connection.
const MAX_CREDENTIALS: usize = 1000;
/// Bytes of an auth packet beside scheme and secret.
const AUTH_OVERHEAD: usize = 20;
