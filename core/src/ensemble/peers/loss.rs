//! Why a connection is lost.

use crate::ensemble::tls::Refusal;
use quorate_engine::tree::ReceiveError;
use quorate_engine::zab::codec::CodecError;
use quorate_wire::jute::DecodeError;
use std::io;

/// Why a connection is lost. Bytes are counted from the beginning of the connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Loss {
    /// Closed by the other side between two packets.
    #[error("it has closed the connection")]
    Ended,
    /// Closed by the other side before a packet was whole.
    #[error(
        "it has closed the connection within the packet at byte {at}, after {held} bytes of it"
    )]
    Cut {
        /// Where the packet begins.
        at: u64,
        /// How much of it came.
        held: usize,
    },
    /// Closed by the other side before the tree was whole.
    #[error("it has closed the connection within its tree, after {0} bytes of it")]
    CutTree(u64),
    /// An error of the socket.
    #[error("the connection is broken: {0}")]
    Broken(io::Error),
    /// As TLS has it, by one of both ends.
    #[error("{0}")]
    Refused(io::Error),
    /// What came is no packet.
    #[error("no packet begins at byte {at}: {cause}")]
    Packet {
        /// Where it begins.
        at: u64,
        /// What is wrong with it.
        cause: DecodeError,
    },
    /// A packet that is no message, or that this side may not say.
    #[error("at byte {at}: {cause}")]
    Message {
        /// Where it begins.
        at: u64,
        /// What is wrong with it.
        cause: CodecError,
    },
    /// What came behind SNAP is no tree.
    #[error("its tree is of no use: {0}")]
    Tree(#[from] ReceiveError),
    /// It begins with SASL.
    #[error("it wants to prove who it is (quorum.auth), which is not asked for here")]
    Proof,
    /// The log has less than what the learner was to be given of it.
    #[error("the log on the disk cannot be sent to it: {0}")]
    Log(String),
    /// It takes less than it is sent.
    #[error("{queued} bytes wait to be sent to it, more than {limit}")]
    Behind {
        /// What waits.
        queued: usize,
        /// What may wait.
        limit: usize,
    },
    /// It has said nothing, as many others, and the next one has come.
    #[error("it is the oldest of {0} that have said nothing, and another one has come")]
    Crowd(usize),
    /// No address of a leader has answered in time.
    #[error("cannot be reached: {0}")]
    Unreachable(io::Error),
}

impl Loss {
    /// Whether the other side has said what cannot be, and so may say it again as soon as it is asked again.
    pub(crate) const fn is_nonsense(&self) -> bool {
        matches!(
            self,
            Self::Packet { .. } | Self::Message { .. } | Self::Tree(_) | Self::Refused(_)
        )
    }
}

impl From<io::Error> for Loss {
    fn from(error: io::Error) -> Self {
        if Refusal::of(&error).is_some() { Self::Refused(error) } else { Self::Broken(error) }
    }
}
