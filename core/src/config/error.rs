//! What can be wrong with a configuration, and what is merely worth saying about it.
//!
//! Every message names the place (file and line, or the command line), the key, what was found,
//! what was expected and what to do. Secrets never appear. Made by the other files of `config`;
//! printed by the server binary.

use std::fmt;
use std::io;
use std::path::PathBuf;

use thiserror::Error;

use quorate_wire::quorum::membership::MembershipProblem;

use super::ensemble_problem::EnsembleProblem;
use super::properties::SyntaxError;

/// Where a setting was written.
///
/// ```
/// use quorate::config::Origin;
///
/// assert_eq!(Origin::line("zoo.cfg", 7).to_string(), "zoo.cfg:7");
/// assert_eq!(Origin::named("--set").to_string(), "--set");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// A file's name as given by the caller, or a word such as `--set`.
    pub source: String,
    /// Line in the file, counted from 1.
    pub line: Option<u32>,
}

impl Origin {
    /// A place without lines, such as the command line.
    pub fn named(source: &str) -> Self {
        Self { source: source.to_owned(), line: None }
    }

    /// A line of a file.
    pub fn line(source: &str, line: u32) -> Self {
        Self { source: source.to_owned(), line: Some(line) }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}", self.source),
            None => f.write_str(&self.source),
        }
    }
}

/// A configuration that the server must not start with.
///
/// ```
/// use quorate::config::{ConfigError, ServerConfig};
///
/// let error = ServerConfig::default().set("tickTime", "soon").unwrap_err();
/// assert!(matches!(&error, ConfigError::Value { key, value, .. } if key == "tickTime" && value == "soon"));
/// ```
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error(
        "{}: cannot read the configuration: {source}; check the path and its permissions",
        path.display()
    )]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The text is larger than any configuration is.
    #[error("{at}: {size} bytes are no configuration (limit {limit}); is this the right file?")]
    TooLarge {
        /// The file.
        at: Origin,
        /// Its size in bytes, or the number of bytes read before giving up.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The text is not a properties file.
    #[error("{at}: {problem}")]
    Syntax {
        /// File and line.
        at: Origin,
        /// What is wrong.
        problem: SyntaxError,
    },
    /// A key has a value that it cannot have.
    #[error("{at}: `{key}={value}` is not valid: expected {expected}")]
    Value {
        /// Where it is set.
        at: Origin,
        /// The key as written.
        key: String,
        /// The value as written, shortened; hidden if it is a secret.
        value: String,
        /// What the key takes.
        expected: String,
    },
    /// A key asks for something that this server does not do and must not pretend to do.
    #[error("{at}: `{key}={value}` is refused: {reason}")]
    Refused {
        /// Where it is set.
        at: Origin,
        /// The key as written.
        key: String,
        /// The value as written, shortened; hidden if it is a secret.
        value: String,
        /// Why, and what to do.
        reason: String,
    },
    /// A key that has no default in a file is missing.
    #[error("{at}: `{key}` is not set; {advice}")]
    Missing {
        /// The file.
        at: Origin,
        /// The key.
        key: &'static str,
        /// What to write.
        advice: &'static str,
    },
    /// The lines about members make no ensemble.
    #[error("{at}: {problem}; {advice}")]
    Membership {
        /// The line, or the first one.
        at: Origin,
        /// What is wrong.
        problem: MembershipProblem,
        /// What to change.
        advice: &'static str,
    },
    /// The members make an ensemble, and it, or this server's place in it, cannot work.
    #[error("{at}: {problem}")]
    Ensemble {
        /// The line, or the file that says which member this server is.
        at: Origin,
        /// What is wrong, and what to do.
        problem: EnsembleProblem,
    },
    /// The file that says which member this server is does not say it.
    #[error("{}: this file {problem}", path.display())]
    MyId {
        /// `myid` in the data directory.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// Two keys that are valid alone contradict each other.
    #[error("{at}: {problem}; {advice}")]
    Conflict {
        /// Where one of them is set.
        at: Origin,
        /// The contradiction.
        problem: String,
        /// What to change.
        advice: &'static str,
    },
}

/// Something about a configuration that its author should know; the server starts anyway.
///
/// ```
/// use quorate::config::ServerConfig;
///
/// let warnings = ServerConfig::default().set("tikTime", "500")?;
/// assert!(warnings[0].message.contains("tickTime"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// Where it is set.
    pub at: Origin,
    /// The key as written.
    pub key: String,
    /// What sort of remark this is.
    pub kind: WarningKind,
    /// The remark: one sentence without the key and the place.
    pub message: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: `{}` {}", self.at, shorten(&self.key), self.message)
    }
}

/// Sorts of [`Warning`], so that a caller can choose how loud each is.
///
/// ```
/// use quorate::config::{ServerConfig, WarningKind};
///
/// let warnings = ServerConfig::default().set("skipACL", "yes")?;
/// assert_eq!(warnings[0].kind, WarningKind::Unsafe);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WarningKind {
    /// No such key exists.
    Unknown,
    /// The key is known and does nothing here.
    NoEffect,
    /// The key concerns ensembles and does nothing on a standalone server.
    EnsembleOnly,
    /// The key is set more than once in one file; the last one counts.
    Duplicate,
    /// The value was raised to the lowest that works, as Apache does.
    Adjusted,
    /// The key was followed, and gives up durability or access control.
    Unsafe,
    /// The value probably does not say what its author meant.
    Suspicious,
}

/// Text for a message: control characters escaped, long ones cut.
pub(super) fn shorten(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN_CHARS).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN_CHARS).is_some() {
        shown.push('…');
    }
    shown
}

const SHOWN_CHARS: usize = 80;
