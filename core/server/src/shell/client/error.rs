//! What can go wrong between the shell and a server, in words that say what to do.
//!
//! The text for errors that zkCli's users know is zkCli's own, to the letter, because scripts look
//! for it. Source: `org.apache.zookeeper.cli.CliWrapperException`.

use quorate_wire::{DecodeError, ErrorCode};

/// Why a request has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ClientError {
    /// The server refused it, or the client would have to.
    #[error("{}", refusal(*code, path.as_deref()))]
    Refused {
        /// Why.
        code: ErrorCode,
        /// The node it is about, as the user knows it.
        path: Option<String>,
    },
    /// The server answered with a number that no ZooKeeper uses.
    #[error("the server answered with the unknown error {0}; is it a newer version?")]
    UnknownCode(i32),
    /// The path cannot be that of a node; nothing was sent.
    #[error("{0}")]
    BadPath(String),
    /// No server could be reached, or the connection broke before the answer came.
    #[error("KeeperErrorCode = ConnectionLoss{}: {detail}", for_path(path.as_deref()))]
    ConnectionLoss {
        /// The node the request was about.
        path: Option<String>,
        /// What happened, with the address.
        detail: String,
    },
    /// The session was closed, has expired or failed to authenticate.
    #[error("Not connected ({0}); `connect` starts a new session")]
    NotConnected(&'static str),
    /// The user did not want to wait any longer.
    #[error("interrupted{}", if *sent { "; the server may have carried it out nevertheless" } else { "" })]
    Interrupted {
        /// Whether the request had been sent.
        sent: bool,
    },
    /// The answer is not what the operation's answer looks like.
    #[error("the server's answer cannot be read: {0}")]
    Answer(#[from] DecodeError),
}

impl ClientError {
    /// The number that ZooKeeper gives this error.
    pub(crate) const fn code(&self) -> ErrorCode {
        match self {
            Self::Refused { code, .. } => *code,
            Self::UnknownCode(_) | Self::Interrupted { .. } => ErrorCode::SystemError,
            Self::BadPath(_) => ErrorCode::BadArguments,
            Self::ConnectionLoss { .. } => ErrorCode::ConnectionLoss,
            Self::NotConnected(_) => ErrorCode::SessionExpired,
            Self::Answer(_) => ErrorCode::MarshallingError,
        }
    }

    /// The node it is about.
    pub(crate) fn path(&self) -> Option<&str> {
        match self {
            Self::Refused { path, .. } | Self::ConnectionLoss { path, .. } => path.as_deref(),
            _ => None,
        }
    }

    /// Whether this is the refusal `wanted`.
    pub(crate) const fn is(&self, wanted: ErrorCode) -> bool {
        matches!(self, Self::Refused { code, .. } if code.code() == wanted.code())
    }
}

/// `KeeperErrorCode = …`, the text of Java's exception.
pub(crate) fn keeper_message(code: ErrorCode, path: Option<&str>) -> String {
    let name = match code {
        ErrorCode::ApiError => "APIError",
        ErrorCode::InvalidAcl => "InvalidACL",
        ErrorCode::NotEmpty => "Directory not empty",
        ErrorCode::SessionExpired => "Session expired",
        ErrorCode::InvalidCallback => "Invalid callback",
        ErrorCode::SessionMoved => "Session moved",
        ErrorCode::NotReadOnly => "Not a read-only call",
        ErrorCode::EphemeralOnLocalSession => "Ephemeral node on local session",
        ErrorCode::NoWatcher => "No such watcher",
        ErrorCode::ReconfigDisabled => "Reconfig is disabled",
        ErrorCode::SessionClosedRequireSaslAuth => {
            "Session closed because client failed to authenticate"
        }
        ErrorCode::QuotaExceeded => "Quota has exceeded",
        ErrorCode::ThrottledOp => "Op throttled due to high load",
        other => return format!("KeeperErrorCode = {other:?}{}", for_path(path)),
    };
    format!("KeeperErrorCode = {name}{}", for_path(path))
}

fn refusal(code: ErrorCode, path: Option<&str>) -> String {
    let shown = path.unwrap_or("null");
    let before = match code {
        ErrorCode::NoNode => "Node does not exist: ",
        ErrorCode::NoChildrenForEphemerals => "Ephemerals cannot have children: ",
        ErrorCode::NodeExists => "Node already exists: ",
        ErrorCode::NotEmpty => "Node not empty: ",
        ErrorCode::NotReadOnly => "Not a read-only call: ",
        ErrorCode::InvalidAcl => "Acl is not valid : ",
        ErrorCode::NoAuth => "Insufficient permission : ",
        ErrorCode::BadArguments => "Arguments are not valid : ",
        ErrorCode::BadVersion => "version No is not valid : ",
        ErrorCode::QuotaExceeded => "Quota has exceeded : ",
        ErrorCode::ReconfigInProgress => {
            return "Another reconfiguration is in progress -- concurrent reconfigs not supported (yet)"
                .to_owned();
        }
        ErrorCode::NewConfigNoQuorum => {
            return "No quorum of new config is connected and up-to-date with the leader of last committed \
                    config - try invoking reconfiguration after new servers are connected and synced"
                .to_owned();
        }
        other => return keeper_message(other, path),
    };
    format!("{before}{shown}")
}

fn for_path(path: Option<&str>) -> String {
    path.map_or_else(String::new, |path| format!(" for {path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_texts_are_those_of_zkcli() {
        let text = |code, path: Option<&str>| {
            ClientError::Refused { code, path: path.map(str::to_owned) }.to_string()
        };
        for (code, expected) in [
            (ErrorCode::NoNode, "Node does not exist: /x"),
            (ErrorCode::NodeExists, "Node already exists: /x"),
            (ErrorCode::NotEmpty, "Node not empty: /x"),
            (ErrorCode::NoAuth, "Insufficient permission : /x"),
            (ErrorCode::BadVersion, "version No is not valid : /x"),
            (ErrorCode::NoWatcher, "KeeperErrorCode = No such watcher for /x"),
            (ErrorCode::Unimplemented, "KeeperErrorCode = Unimplemented for /x"),
        ] {
            assert_eq!(text(code, Some("/x")), expected);
        }
        assert_eq!(text(ErrorCode::InvalidAcl, None), "Acl is not valid : null");
        assert_eq!(
            text(ErrorCode::ReconfigDisabled, None),
            "KeeperErrorCode = Reconfig is disabled"
        );
    }
}
