//! What there is between this server and another one.

use super::Link;

/// Another server.
#[derive(Clone, Debug, Default)]
pub(super) struct Peer {
    /// The connection in use.
    pub(super) link: Option<Link>,
    /// One that is being made.
    pub(super) attempt: Option<Link>,
    /// The newest message that was not written.
    pub(super) waiting: Option<Vec<u8>>,
    /// The last one that was written, which the other side may not have got.
    last: Option<Vec<u8>>,
    /// A message is being written.
    pub(super) busy: bool,
}

impl Peer {
    /// Takes a connection into use; gives the one before it.
    pub(super) fn open(&mut self, link: Link) -> Option<Link> {
        self.busy = false;
        if self.waiting.is_none() {
            self.waiting = self.last.take();
        }
        self.link.replace(link)
    }

    /// The next message to write, and where.
    pub(super) fn next(&mut self) -> Option<(Link, Vec<u8>)> {
        let link = self.link.filter(|_| !self.busy)?;
        let bytes = self.waiting.take()?;
        self.busy = true;
        self.last = Some(bytes.clone());
        Some((link, bytes))
    }
}
