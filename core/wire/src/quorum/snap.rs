//! The stream behind a SNAP packet: the leader's tree, from which a learner begins anew.
//!
//! ```text
//! image, ustring "BenWasHere"
//! ```
//! There is no header, no checksum and no length: an [`image`] as in a snapshot file, and packets again behind the
//! signature. Apache writes it while the tree changes, so that it may show more than the packet's zxid says.
//! [`SnapReader`] takes it apart as it arrives; [`write_end`] closes what the writers of the image have begun.
//! Source: `LearnerHandler`, `Learner#syncWithLeader`, `DataTree#deserialize`.

use crate::image::{
    self, AclEntry, SessionEntry, SnapshotNode, step_over_acl, step_over_node, step_over_session,
};
use crate::jute::{DecodeError, Reader};
use crate::prefix::{Extent, Prefix, Stop};

/// One thing in the stream, in the order in which they come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SnapItem<'a> {
    /// A session.
    Session(SessionEntry),
    /// An entry of the ACL table.
    Acl(AclEntry<'a>),
    /// A node: parents before their children, the root first.
    Node(SnapshotNode<'a>),
    /// The signature was right; packets follow.
    End,
}

/// Why bytes are not such a stream. The connection is of no use then, nor is what was read before.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapError {
    /// A field cannot be read.
    #[error("at byte {offset} of the snapshot: {source}")]
    Field {
        /// Where the item begins in which the field is, bytes from the start of the stream.
        offset: u64,
        /// What is wrong with it.
        source: DecodeError,
    },
    /// The stream does not end as it must.
    #[error("at byte {offset} of the snapshot: the signature is another one")]
    Signature {
        /// Where the end of the nodes is.
        offset: u64,
    },
}

/// Takes the stream apart, item by item. It keeps no bytes: what is not a whole item yet stays with the caller.
#[derive(Clone, Debug)]
pub struct SnapReader {
    limit: usize,
    offset: u64,
    part: Part,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    SessionCount,
    /// So many more sessions.
    Sessions(u32),
    AclCount,
    /// So many more entries.
    Acls(u32),
    Nodes,
    Signature,
    /// Nothing.
    Over,
}

impl SnapReader {
    /// At the first byte behind the packet. `limit` is the most that a path, the data of a node or an ACL may take, bytes:
    /// [`read_limit`](super::packet::read_limit).
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self { limit, offset: 0, part: Part::SessionCount }
    }

    /// Bytes in the items so far.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// Whether [`SnapItem::End`] has been given.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        matches!(self.part, Part::Over)
    }

    /// Takes the next item from the start of what has arrived, and moves `input` behind what was read. `None` when the item is not all
    /// there yet, and after [`SnapItem::End`]; what is left in `input` has to come again with more behind it.
    ///
    /// Nothing is allocated before an item is whole. None is longer than twice the limit and 100 bytes.
    ///
    /// # Errors
    /// As soon as the bytes can be no such stream.
    pub fn next<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<SnapItem<'a>>, SnapError> {
        loop {
            match self.part {
                Part::SessionCount => match self.value(input, |p| p.int().map(drop), count)? {
                    Some(count) => self.part = Part::Sessions(count),
                    None => return Ok(None),
                },
                Part::Sessions(0) => self.part = Part::AclCount,
                Part::Sessions(left) => {
                    let session = self.value(input, step_over_session, Reader::get)?;
                    self.part = Part::Sessions(left - u32::from(session.is_some()));
                    return Ok(session.map(SnapItem::Session));
                }
                Part::AclCount => match self.value(input, |p| p.int().map(drop), count)? {
                    Some(count) => self.part = Part::Acls(count),
                    None => return Ok(None),
                },
                Part::Acls(0) => self.part = Part::Nodes,
                Part::Acls(left) => {
                    let entry = self.value(input, step_over_acl, Reader::get)?;
                    self.part = Part::Acls(left - u32::from(entry.is_some()));
                    return Ok(entry.map(SnapItem::Acl));
                }
                Part::Nodes => match self.value(input, step_over_node, image::node)? {
                    Some(None) => self.part = Part::Signature,
                    node => return Ok(node.flatten().map(SnapItem::Node)),
                },
                Part::Signature => return self.signature(input),
                Part::Over => return Ok(None),
            }
        }
    }

    fn signature<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<SnapItem<'a>>, SnapError> {
        let offset = self.offset;
        let step = |prefix: &mut Prefix<'_>| prefix.take(SIGNATURE.len()).map(drop);
        match self.value(input, step, Reader::array)? {
            None => Ok(None),
            Some(found) if found == *SIGNATURE => {
                self.part = Part::Over;
                Ok(Some(SnapItem::End))
            }
            Some(_) => Err(SnapError::Signature { offset }),
        }
    }

    /// Reads a value whose fields `walk` steps over, if it is all there.
    fn value<'a, T>(
        &mut self,
        input: &mut &'a [u8],
        walk: impl FnOnce(&mut Prefix<'a>) -> Result<(), Stop>,
        read: impl FnOnce(&mut Reader<'a>) -> Result<T, DecodeError>,
    ) -> Result<Option<T>, SnapError> {
        let offset = self.offset;
        let failed = |source| SnapError::Field { offset, source };
        let extent = Prefix::extent(input, self.limit, walk).map_err(failed)?;
        let Extent::Whole(len) = extent else { return Ok(None) };
        let mut reader = Reader::new(input);
        let value = read(&mut reader).map_err(failed)?;
        *input = reader.rest();
        self.offset = offset.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
        Ok(Some(value))
    }
}

/// Appends the end of the nodes and the signature. Sessions, ACLs and nodes come before, in this order, by
/// [`write_sessions`](image::write_sessions), [`write_acls`](image::write_acls) and [`write_node`](image::write_node).
pub fn write_end(out: &mut Vec<u8>) {
    image::write_end(out);
    out.extend_from_slice(SIGNATURE);
}

fn count(r: &mut Reader<'_>) -> Result<u32, DecodeError> {
    let count = r.get()?;
    u32::try_from(count).map_err(|_| DecodeError::Length(count))
}

/// A `ustring`.
const SIGNATURE: &[u8; 14] = b"\0\0\0\x0aBenWasHere";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acl::Acl;
    use crate::image::{OPEN_ACL, write_acls, write_node, write_sessions};
    use crate::stat::StatPersisted;

    const LIMIT: usize = 100;

    fn stream() -> Vec<u8> {
        let mut out = Vec::new();
        let sessions =
            [SessionEntry { id: 5, timeout: 10_000 }, SessionEntry { id: 9, timeout: 4 }];
        write_sessions(sessions.into_iter(), &mut out);
        let acl = [Acl::world(1), Acl::world(31)];
        write_acls([(1, &acl[..]), (2, &[])].into_iter(), &mut out);
        let stat = StatPersisted { czxid: 3, ..Default::default() };
        write_node("", Some(b""), OPEN_ACL, &stat, &mut out);
        write_node("/a", None, 1, &stat, &mut out);
        write_node("/a/b", Some(b"data"), 2, &stat, &mut out);
        write_end(&mut out);
        out
    }

    /// Reads what arrives in pieces of `size`, and shows each item.
    fn read(stream: &[u8], size: usize) -> Result<Vec<String>, SnapError> {
        let (mut reader, mut buffer, mut items) = (SnapReader::new(LIMIT), Vec::new(), Vec::new());
        for piece in stream.chunks(size) {
            buffer.extend_from_slice(piece);
            let mut input = &buffer[..];
            while let Some(item) = reader.next(&mut input)? {
                items.push(format!("{item:?}"));
            }
            let taken = buffer.len() - input.len();
            buffer.drain(..taken);
        }
        let offset = u64::try_from(stream.len() - buffer.len()).unwrap();
        assert_eq!(reader.offset(), offset);
        assert_eq!(reader.is_over(), items.last().is_some_and(|item| item == "End"));
        Ok(items)
    }

    #[test]
    fn items_are_the_same_however_the_bytes_arrive() {
        let mut stream = stream();
        let whole = read(&stream, stream.len()).unwrap();
        assert_eq!(whole.len(), 8);
        assert!(whole[3].contains("id: 2, acl: []") && whole[6].contains("/a/b"), "{whole:?}");
        for size in 1..stream.len() {
            assert_eq!(read(&stream, size).as_ref(), Ok(&whole), "pieces of {size}");
        }
        for cut in 0..stream.len() {
            let items = read(&stream[..cut], cut.max(1)).unwrap();
            assert!(whole.starts_with(&items) && items.len() < 8, "cut at {cut}");
        }
        stream.extend_from_slice(b"packets");
        assert_eq!(read(&stream, 50), Ok(whole), "what follows is left");
    }

    #[test]
    fn an_image_without_sessions_and_acls_is_one() {
        let mut out = Vec::new();
        write_sessions(std::iter::empty(), &mut out);
        write_acls(std::iter::empty(), &mut out);
        write_end(&mut out);
        assert_eq!(read(&out, 1), Ok(vec!["End".to_owned()]));
    }

    #[test]
    fn lengths_are_judged_before_what_they_announce_comes() {
        let head = |ints: &[i32]| ints.iter().flat_map(|n| n.to_be_bytes()).collect::<Vec<_>>();
        let refused = |ints: &[i32], offset, length| {
            let source = DecodeError::Length(length);
            let error = SnapError::Field { offset, source };
            assert_eq!(read(&head(ints), 4), Err(error), "{ints:?}");
        };
        refused(&[-1], 0, -1);
        refused(&[0, -7], 4, -7);
        refused(&[0, 1, 0, 7, 9], 8, 9);
        refused(&[0, 0, 101], 8, 101);
        refused(&[0, 0, 0, 101], 8, 101);
        for ints in
            [&[i32::MAX][..], &[0, i32::MAX], &[0, 1, 0, 7, 8], &[0, 0, 100], &[0, 0, 0, 100]]
        {
            assert_eq!(read(&head(ints), 4), Ok(vec![]), "{ints:?}");
        }
        let null_acl = SnapError::Field { offset: 8, source: DecodeError::Null("an ACL") };
        assert_eq!(read(&head(&[0, 1, 0, 7, -1]), 4), Err(null_acl));
    }

    #[test]
    fn another_signature_is_none() {
        let stream = stream();
        for position in stream.len() - SIGNATURE.len()..stream.len() {
            let mut bad = stream.clone();
            bad[position] ^= 1;
            let offset = u64::try_from(stream.len() - SIGNATURE.len()).unwrap();
            assert_eq!(read(&bad, 7), Err(SnapError::Signature { offset }));
        }
    }
}
