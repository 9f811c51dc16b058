//! [`Kind`]: what the nodes of a claim are called, and where their id stands.

use crate::client::CreateMode;

/// How the nodes of a claim are named.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::kit::{Claim, Kind};
///
/// let stems = |id: quorate::recipes::layout::protected::Id| vec![format!("{}-", id.hex())];
/// let claim = Claim::create(&client, "/places", stems, b"", Kind::Sequential).await?;
/// assert_eq!(client.children("/places").await?.0, claim.names());
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The server appends a number.
    Sequential,
    /// The name is as given.
    Plain,
    /// The server appends a number; the names have no room for the id, so it stands at the beginning of the data.
    SequentialMarked,
    /// The name is as given, and the id stands at the beginning of the data.
    PlainMarked,
    /// The server appends a number; neither names nor data have room for the id, so the session has to tell: one claim of a session in a
    /// directory. A second one is not harmed for good: when an answer is lost it may lose its node, notices, and makes another.
    SequentialOwned,
    /// The name is as given, and the session tells whose it is.
    PlainOwned,
}

impl Kind {
    pub(super) const fn mode(self) -> CreateMode {
        match self {
            Self::Sequential | Self::SequentialMarked | Self::SequentialOwned => {
                CreateMode::EphemeralSequential
            }
            Self::Plain | Self::PlainMarked | Self::PlainOwned => CreateMode::Ephemeral,
        }
    }

    pub(super) const fn is_sequential(self) -> bool {
        matches!(self, Self::Sequential | Self::SequentialMarked | Self::SequentialOwned)
    }

    pub(super) const fn is_marked(self) -> bool {
        matches!(self, Self::SequentialMarked | Self::PlainMarked)
    }
}
