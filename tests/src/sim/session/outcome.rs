//! Whether the owner of a session is told the truth about a request: once, and no more than anybody can know.

use super::wish::Wish;
use crate::messages::is_write;
use crate::sim::env::{Checked, Violation, ensure};
use crate::sim::history::History;
use quorate_engine::client::{Failure, Reply};
use quorate_wire::op::create::Create2Response;
use quorate_wire::op::get_data::GetDataResponse;
use quorate_wire::{DecodeError, ErrorCode, Jute, Stat};

/// A request without an end.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) wish: Wish,
    /// The session and xid that it left with.
    pub(super) sent: Option<(i64, i32)>,
    /// What the server has said to it: zxid, error, body.
    pub(super) answer: Option<(i64, i32, Vec<u8>)>,
}

impl Asked {
    /// Compares what the owner is told with what has been seen.
    pub(super) fn check(
        &self,
        history: &History,
        root: &str,
        result: &Result<Reply, Failure>,
    ) -> Checked {
        let write = is_write(self.wish.with(|request| request.op()));
        match (&self.answer, result) {
            (Some((_, err, body)), result) => self.check_answer(root, *err, body, result),
            (None, Ok(reply)) => {
                Err(Violation(format!("{self:?} was answered by nobody: {reply:?}")))
            }
            (None, Err(failure)) => {
                let unknown = write && self.sent.is_some();
                ensure!(
                    failure.outcome_unknown == unknown,
                    "{self:?} ended with {failure:?}, its outcome is unknown: {unknown}"
                );
                let made_here = matches!(
                    failure.code,
                    ErrorCode::ConnectionLoss | ErrorCode::SessionExpired | ErrorCode::Closing
                );
                ensure!(made_here, "{self:?} ended with {failure:?}, which nobody has said");
                ensure!(
                    self.sent.is_some() || failure.code != ErrorCode::ConnectionLoss,
                    "{self:?} was never sent, yet lost"
                );
                ensure!(
                    unknown || self.sent.is_none_or(|(session, xid)| !history.has(session, xid)),
                    "{self:?} is said not to have happened, but has"
                );
                Ok(())
            }
        }
    }

    fn check_answer(
        &self,
        root: &str,
        err: i32,
        body: &[u8],
        result: &Result<Reply, Failure>,
    ) -> Checked {
        let told = match result {
            Ok(Reply::Absent) => ErrorCode::NoNode.code(),
            Ok(_) => 0,
            Err(failure) => {
                ensure!(!failure.outcome_unknown, "{self:?} was answered, yet {failure:?}");
                ensure!(
                    self.wish.with(|request| failure.path == request.path()),
                    "{self:?} failed as {failure:?}"
                );
                failure.code.code()
            }
        };
        ensure!(told == err, "{self:?} was answered with {err}, and told {result:?}");
        let Ok(reply) = result else { return Ok(()) };
        let expected =
            self.expected(root, body).map_err(|e| Violation(format!("{self:?}: {e}")))?;
        ensure!(
            expected.as_ref().is_none_or(|expected| expected == reply),
            "{self:?} was answered {reply:?}, expected {expected:?}"
        );
        Ok(())
    }

    /// The reply, for the operations in which a mistake would show.
    fn expected(&self, root: &str, body: &[u8]) -> Result<Option<Reply>, DecodeError> {
        Ok(match &self.wish {
            Wish::Create { .. } => {
                let reply = Create2Response::from_bytes(body)?;
                let path = reply.path.strip_prefix(root).unwrap_or_default().to_owned();
                Some(Reply::Created { path, stat: Some(reply.stat) })
            }
            Wish::Get { .. } => {
                let reply = GetDataResponse::from_bytes(body)?;
                let data = reply.data.unwrap_or_default().to_vec();
                Some(Reply::Data { data, stat: reply.stat })
            }
            Wish::Set { .. } | Wish::SetAcl { .. } => Some(Reply::Stat(Stat::from_bytes(body)?)),
            Wish::Exists { .. } if body.is_empty() => Some(Reply::Absent),
            Wish::Exists { .. } => Some(Reply::Stat(Stat::from_bytes(body)?)),
            Wish::Delete { .. } | Wish::ByType { .. } => Some(Reply::Done),
            _ => None,
        })
    }
}
