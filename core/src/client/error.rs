//! What an operation's failure says.

use quorate_engine::client::{Failure, Refused};
use quorate_wire::{ErrorCode, OpCode};
use std::fmt;

/// Why an operation failed: what was tried on which node, ZooKeeper's code, and whether it may have happened all the
/// same.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::client::ErrorCode;
///
/// let error = client.get("/missing").await.unwrap_err();
/// assert_eq!((error.code(), error.operation(), error.path()), (ErrorCode::NoNode, "getData", "/missing"));
/// assert!(!error.outcome_unknown() && !error.is_connection_loss());
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Error(Box<Inner>);

#[derive(Clone, PartialEq, Eq)]
struct Inner {
    code: ErrorCode,
    what: &'static str,
    path: String,
    outcome_unknown: bool,
    part: Option<usize>,
    detail: Option<String>,
    after_fork: bool,
}

/// What operations of this library return.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// async fn length(client: &quorate::client::Client, path: &str) -> quorate::client::Result<usize> {
///     Ok(client.get(path).await?.0.len())
/// }
/// assert_eq!(length(&client, "/").await?, 0);
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of this library's own making.
    ///
    /// ```
    /// use quorate::client::{Error, ErrorCode};
    ///
    /// let error = Error::new(ErrorCode::NoNode, "my recipe", "/jobs").with_detail("run the installer first");
    /// assert_eq!((error.code(), error.path()), (ErrorCode::NoNode, "/jobs"));
    /// assert!(error.to_string().contains("run the installer first"));
    /// ```
    #[must_use]
    pub fn new(code: ErrorCode, what: &'static str, path: impl Into<String>) -> Self {
        let path = path.into();
        Self(Box::new(Inner {
            code,
            what,
            path,
            outcome_unknown: false,
            part: None,
            detail: None,
            after_fork: false,
        }))
    }

    /// The same with a sentence that says more.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// The same with one more sentence.
    pub(super) fn with_more(mut self, detail: String) -> Self {
        self.0.detail = Some(match self.0.detail.take() {
            Some(before) => format!("{before}; {detail}"),
            None => detail,
        });
        self
    }

    /// The same, saying that the operation may have happened.
    ///
    /// ```
    /// use quorate::client::{Error, ErrorCode};
    ///
    /// let lost = Error::new(ErrorCode::ConnectionLoss, "my recipe", "/jobs").with_outcome_unknown();
    /// assert!(lost.outcome_unknown() && lost.is_connection_loss() && !lost.is_session_end());
    /// ```
    #[must_use]
    pub fn with_outcome_unknown(mut self) -> Self {
        self.0.outcome_unknown = true;
        self
    }

    pub(super) fn refused(why: Refused, op: OpCode, path: &str) -> Self {
        let detail = match why {
            Refused::Full => {
                "too many requests are in flight: await `Client::ready` before more, and take results from the inbox".into()
            }
            Refused::TooLong => {
                "the request is longer than a server's limit (jute.maxbuffer)".into()
            }
            other => other.to_string(),
        };
        Self::new(why.code(), op.name(), path).with_detail(detail)
    }

    pub(super) fn failed(failure: Failure) -> Self {
        let mut error = Self::new(failure.code, failure.op.name(), failure.path);
        error.0.outcome_unknown = failure.outcome_unknown;
        error
    }

    pub(super) fn of_part(code: ErrorCode, part: usize, path: String) -> Self {
        let mut error = Self::new(code, OpCode::Multi.name(), path);
        error.0.part = Some(part);
        error
    }

    pub(super) fn unexpected(op: &'static str) -> Self {
        Self::new(ErrorCode::DataInconsistency, op, "")
            .with_detail("the server answered something else")
    }

    /// What a forked process is told by the clients of its parent.
    pub(super) fn after_fork(what: &'static str, path: &str) -> Self {
        let mut error = Self::new(ErrorCode::Closing, what, path);
        error.0.after_fork = true;
        error.with_detail(
            "this client belongs to the process that this one was forked from: open another here",
        )
    }

    /// ZooKeeper's code.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        self.0.code
    }

    /// The operation, by ZooKeeper's name for it, or the recipe.
    #[must_use]
    pub const fn operation(&self) -> &'static str {
        self.0.what
    }

    /// The node; empty when none is concerned.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.0.path
    }

    /// Whether the operation may have happened all the same. Then trying again may do it twice: look first. Always
    /// false for reads.
    #[must_use]
    pub const fn outcome_unknown(&self) -> bool {
        self.0.outcome_unknown
    }

    /// For a transaction: which of its parts failed, counted from 0.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// let error = client.multi().check("/", None).delete("/missing", None).commit().await.unwrap_err();
    /// assert_eq!((error.part(), error.path()), (Some(1), "/missing"));
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub const fn part(&self) -> Option<usize> {
        self.0.part
    }

    /// Whether the client was opened by another process, which this one was forked from. The code is `Closing`. The session is the
    /// other's and goes on undisturbed; a client that is opened here works.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// client.close().await?;
    /// let error = client.get("/").await.unwrap_err();
    /// // The client is over because it was closed, not because this were another process.
    /// assert!(error.is_session_end() && !error.is_after_fork());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub const fn is_after_fork(&self) -> bool {
        self.0.after_fork
    }

    /// Whether the same operation may succeed on another connection of the same session.
    #[must_use]
    pub const fn is_connection_loss(&self) -> bool {
        matches!(
            self.0.code,
            ErrorCode::ConnectionLoss | ErrorCode::OperationTimeout | ErrorCode::SessionMoved
        )
    }

    /// Whether the session or the client is over.
    #[must_use]
    pub const fn is_session_end(&self) -> bool {
        matches!(
            self.0.code,
            ErrorCode::SessionExpired | ErrorCode::Closing | ErrorCode::AuthFailed
        )
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { code, what, path, outcome_unknown, part, detail, after_fork: _ } = &*self.0;
        f.write_str(what)?;
        if !path.is_empty() {
            write!(f, " {path}")?;
        }
        if let Some(part) = part {
            write!(f, " (part {part})")?;
        }
        write!(f, ": {code}")?;
        if let Some(detail) = detail {
            write!(f, ": {detail}")?;
        }
        if *outcome_unknown {
            f.write_str("; it may have happened: look before you try again")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({self})")
    }
}

impl std::error::Error for Error {}
