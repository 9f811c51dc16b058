//! What a command comes to, and how it is shown: text as zkCli's, or one line of JSON.
//!
//! Answers go to standard output and errors to standard error in both forms. Every verb gives both forms
//! of its answer; only here is decided which one the user sees.

use super::args::ArgsError;
use super::client::{ClientError, TargetError};
use quorate_wire::ErrorCode;
use serde_json::{Value, json};

/// What a verb has to say.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Reply {
    /// For standard output, lines ended; may be empty.
    pub(crate) text: String,
    /// For standard error, even though nothing went wrong: zkCli's place for some of its answers.
    pub(crate) notes: Vec<String>,
    /// The same for programs.
    pub(crate) json: Value,
}

/// Why a verb has nothing to say.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The command was not understood.
    #[error("{0}")]
    Usage(String),
    /// The server refused or could not be reached.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Understood and permitted, but it came to nothing.
    #[error("{0}")]
    Failed(String),
}

impl From<ArgsError> for Failure {
    fn from(error: ArgsError) -> Self {
        Self::Usage(error.to_string())
    }
}

impl From<TargetError> for Failure {
    fn from(error: TargetError) -> Self {
        Self::Usage(error.to_string())
    }
}

impl Reply {
    /// An answer that has a text for standard output.
    pub(crate) fn new(text: impl Into<String>, json: Value) -> Self {
        Self { text: text.into(), notes: Vec::new(), json }
    }

    /// An answer without a text of its own.
    pub(crate) fn silent(json: Value) -> Self {
        Self::new("", json)
    }

    /// Adds a line for standard error.
    pub(crate) fn with_note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }
}

impl Failure {
    /// The exit code of a one-shot command: 1 for a refusal, 2 for a command that makes no sense.
    pub(crate) const fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => USAGE,
            Self::Client(_) | Self::Failed(_) => REFUSED,
        }
    }

    /// Adds to an interruption what had been done before.
    pub(crate) fn after(self, done: impl FnOnce() -> String) -> Self {
        match self {
            Self::Client(interrupted @ ClientError::Interrupted { .. }) => {
                Self::Failed(format!("{interrupted}; {}", done()))
            }
            other => other,
        }
    }

    /// The error for programs.
    pub(crate) fn to_json(&self) -> Value {
        let (code, path) = match self {
            Self::Usage(_) => (ErrorCode::BadArguments, None),
            Self::Client(e) => (e.code(), e.path()),
            Self::Failed(_) => (ErrorCode::SystemError, None),
        };
        json!({ "error": {
            "code": code.code(),
            "name": format!("{code:?}"),
            "path": path,
            "message": self.to_string(),
        }})
    }
}

/// Exit code of a command that the server refused, or could not be asked.
pub(crate) const REFUSED: u8 = 1;
/// Exit code of a command that was not understood.
pub(crate) const USAGE: u8 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_carry_code_name_path_and_message() {
        let refused = ClientError::Refused { code: ErrorCode::NoNode, path: Some("/x".to_owned()) };
        let failure = Failure::from(refused);
        assert_eq!(failure.exit_code(), 1);
        assert_eq!(
            failure.to_json(),
            json!({"error": {"code": -101, "name": "NoNode", "path": "/x",
                             "message": "Node does not exist: /x"}})
        );
        let usage = Failure::Usage("ls [-s] [-w] [-R] path".to_owned());
        assert_eq!((usage.exit_code(), &usage.to_json()["error"]["code"]), (2, &json!(-8)));
    }
}
