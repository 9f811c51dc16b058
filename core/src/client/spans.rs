//! What a client tells `tracing`. Without a subscriber that wants it, a span costs a look at a static.
//!
//! | span | level, target | from, to | fields |
//! |---|---|---|---|
//! | `session` | debug, `quorate::client::session` | the server's welcome, the session's end | `id`, its states as events |
//! | `connect` | debug, `quorate::client::connect` | an attempt, its outcome | `server`, `attempt` |
//! | `operation` | trace, `quorate::client::operation` | the call, the answer | `op`, `path`, `outcome` |
//!
//! Spans are made and closed while no lock of the session is held: a subscriber is foreign code.

use quorate_engine::client::{Identity, Request, State};
use quorate_wire::ErrorCode;
use std::sync::{Mutex, PoisonError};
use tracing::Span;
use tracing::field::Empty;

/// The span of a request, if somebody wants it. It lies in the caller's.
pub(super) fn operation(request: &Request<'_>) -> Option<Span> {
    let span = tracing::trace_span!(
        target: "quorate::client::operation",
        "operation",
        op = request.op().name(),
        path = request.path(),
        outcome = Empty,
    );
    (!span.is_disabled()).then_some(span)
}

/// The request has ended. To be called without a lock.
pub(super) fn ended(span: &Span, code: Option<ErrorCode>) {
    match code {
        None => span.record("outcome", "Ok"),
        Some(code) => span.record("outcome", tracing::field::debug(code)),
    };
}

/// The span of an attempt to connect.
pub(super) fn connect(server: &str, attempt: u64) -> Span {
    tracing::debug_span!(target: "quorate::client::connect", parent: None, "connect", server, attempt)
}

/// The span of the session that is.
#[derive(Debug, Default)]
pub(super) struct Session {
    span: Mutex<Option<Span>>,
}

impl Session {
    /// The session's state has changed. To be called without any other lock.
    pub(super) fn entered(&self, state: State, identity: Option<Identity>) {
        let mut current = self.span.lock().unwrap_or_else(PoisonError::into_inner);
        let old = match state {
            State::Lost | State::AuthFailed | State::Closed => current.take(),
            _ => current.clone(),
        };
        let span = old.unwrap_or_else(|| {
            let id = identity.map_or(0, |identity| identity.id);
            tracing::debug_span!(target: "quorate::client::session", parent: None, "session", id = format_args!("{id:#x}"))
        });
        if state.is_connected() {
            *current = Some(span.clone());
        }
        drop(current);
        span.in_scope(|| tracing::debug!(target: "quorate::client::session", ?state, "session"));
    }
}
