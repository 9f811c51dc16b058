//! What the plan asks and the task brings: questions to the server, and its answers.

use crate::client::{ErrorCode, Stat};

/// Something to ask the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Work {
    pub(super) kind: Kind,
    pub(super) walk: u32,
    /// One path, or several for [`Kind::Get`].
    pub(super) paths: Vec<String>,
}

/// What to ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Get,
    Exists,
    /// The stat of a node whose data may not be read.
    Bare,
    List,
}

/// The answer about one node.
#[derive(Debug)]
pub(super) enum Answer {
    Data(Vec<u8>, Stat),
    Stat(Stat),
    Children(Vec<String>, Stat),
    Absent,
    Denied,
}

/// The answer that a refusal stands for; `None` for what concerns more than the node.
pub(super) const fn refusal(code: ErrorCode) -> Option<Answer> {
    match code {
        ErrorCode::NoNode => Some(Answer::Absent),
        ErrorCode::NoAuth => Some(Answer::Denied),
        _ => None,
    }
}
