//! The snapshot: sessions, ACLs and every node, sealed by a running Adler-32.
//!
//! ```text
//! "ZKSN"  i32 version 2  i64 dbid -1 or ours  16 bytes
//! sessions, ACLs and nodes, as an image holds them
//! seal     i64 adler32 of all before, ustring "/"
//! [i64 zxid, i32 digest version, i64 digest]  seal    Apache 3.6 and later
//! [i64 last processed zxid]                   seal    Apache 3.9 and later
//! ```
//! What lies between header and seals is an [`image`]. [`SnapshotReader`] goes through the decompressed bytes; the `write_*` functions and the [`Sealer`] make
//! them. Source: `FileSnap`, `SerializeUtils`, `DataTree#serialize`, `SnapStream`.

pub use crate::image::{
    AclEntry, OPEN_ACL, SessionEntry, SnapshotNode, write_acls, write_node, write_sessions,
};

use super::names::Compression;
use crate::image::{self, write_end};
use crate::jute::{DecodeError, Jute, Reader, write_str};
use crate::txn::DIGEST_VERSION;
use crate::zxid::Zxid;
use std::borrow::Cow;

/// The digest of the tree, and the transaction after which it held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotDigest {
    /// The last transaction applied when the snapshot was complete; ignore the digest if that is less than
    /// the zxid in the file's name.
    pub zxid: Zxid,
    /// Which digest function; only [`DIGEST_VERSION`] can be checked.
    pub version: i32,
    /// Sum of all node digests.
    pub tree: u64,
}

/// The sections after the nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trailer {
    /// The digest section.
    pub digest: Option<SnapshotDigest>,
    /// The last processed zxid, which restoring over the admin port needs.
    pub last_processed: Option<Zxid>,
}

/// Why bytes are no snapshot, or not one to be trusted. Another, older snapshot may do instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// The file does not begin with the magic.
    #[error("the file does not begin with ZKSN")]
    Magic,
    /// A field cannot be read.
    #[error("at byte {offset}: {source}")]
    Field {
        /// Where the part of the file begins in which the field is: a table, a node or a section.
        offset: usize,
        /// What is wrong with it.
        source: DecodeError,
    },
    /// The sum of the bytes is another one than was written.
    #[error(
        "at byte {offset}: the checksum does not match: {stored:#x} is stored, {computed:#x} is computed"
    )]
    Seal {
        /// Where the seal is.
        offset: usize,
        /// The stored checksum.
        stored: i64,
        /// That of the bytes before the seal.
        computed: i64,
    },
    /// A seal is not followed by its mark.
    #[error("at byte {offset}: the mark of the seal is missing")]
    SealMark {
        /// Where the seal is.
        offset: usize,
    },
    /// Bytes follow the last section.
    #[error("at byte {offset}: {left} bytes more than a snapshot has")]
    Surplus {
        /// Where they begin.
        offset: usize,
        /// How many there are.
        left: usize,
    },
}

/// Reads a snapshot from its decompressed bytes: tables first, then node by node, then the seals.
///
/// Nothing that was read may be relied on before [`finish`](Self::finish) has returned the trailer: only the
/// seals tell whether the bytes are those that were written.
#[derive(Clone, Debug)]
pub struct SnapshotReader<'a> {
    bytes: &'a [u8],
    reader: Reader<'a>,
    dbid: i64,
    sessions: Vec<SessionEntry>,
    acls: Vec<AclEntry<'a>>,
    ended: bool,
}

impl<'a> SnapshotReader<'a> {
    /// Reads the header and both tables.
    ///
    /// # Errors
    /// When the bytes are not the beginning of a snapshot.
    pub fn new(bytes: &'a [u8]) -> Result<Self, SnapshotError> {
        let reader = Reader::new(bytes);
        let (sessions, acls) = (Vec::new(), Vec::new());
        let mut this = Self { bytes, reader, dbid: 0, sessions, acls, ended: false };
        if this.field::<[u8; 4]>(Reader::array)? != MAGIC {
            return Err(SnapshotError::Magic);
        }
        // Apache checks neither of these two.
        (_, this.dbid) = this.field(|r| Ok((r.get::<i32>()?, r.get::<i64>()?)))?;
        this.sessions = this.field(image::table)?;
        this.acls = this.field(image::table)?;
        Ok(this)
    }

    /// The header's number, which says who wrote the file: [`native_dbid`] or [`APACHE_DBID`]. Apache never looks at it.
    #[must_use]
    pub const fn dbid(&self) -> i64 {
        self.dbid
    }

    /// The sessions, in the order of the file.
    #[must_use]
    pub fn sessions(&self) -> &[SessionEntry] {
        &self.sessions
    }

    /// The ACL table, in the order of the file.
    #[must_use]
    pub fn acls(&self) -> &[AclEntry<'a>] {
        &self.acls
    }

    /// The next node: a parent comes before its children, the root first. `None` after the last one.
    ///
    /// # Errors
    /// When the bytes are no node. Every later call then fails the same way.
    pub fn next_node(&mut self) -> Result<Option<SnapshotNode<'a>>, SnapshotError> {
        if self.ended {
            return Ok(None);
        }
        let node = self.field(image::node)?;
        self.ended = node.is_none();
        Ok(node)
    }

    /// Passes over nodes that were not read, checks every seal and returns the sections.
    ///
    /// Which sections there are follows from the number of bytes after the first seal, since nothing else
    /// tells: a server writes each or not as it is configured.
    ///
    /// # Errors
    /// When a seal is broken, or the bytes end elsewhere than at the end of a section.
    pub fn finish(mut self) -> Result<Trailer, SnapshotError> {
        while self.next_node()?.is_some() {}
        let mut sum = simd_adler32::Adler32::new();
        let mut summed = 0;
        self.seal(&mut sum, &mut summed)?;
        let mut trailer = Trailer::default();
        let left = self.reader.rest().len();
        if left != 0 && left != LAST_PROCESSED_LEN {
            trailer.digest = Some(self.field(digest)?);
            self.seal(&mut sum, &mut summed)?;
        }
        if self.reader.rest().len() == LAST_PROCESSED_LEN {
            trailer.last_processed = Some(self.field(Reader::get)?);
            self.seal(&mut sum, &mut summed)?;
        }
        match self.reader.rest().len() {
            0 => Ok(trailer),
            left => Err(SnapshotError::Surplus { offset: self.position(), left }),
        }
    }

    /// Checks a seal: `sum` covers the first `summed` bytes and is brought up to here.
    fn seal(
        &mut self,
        sum: &mut simd_adler32::Adler32,
        summed: &mut usize,
    ) -> Result<(), SnapshotError> {
        let offset = self.position();
        sum.write(self.bytes.get(*summed..offset).unwrap_or_default());
        *summed = offset;
        let computed = i64::from(sum.finish());
        let stored: i64 = self.field(Reader::get)?;
        if stored != computed {
            return Err(SnapshotError::Seal { offset, stored, computed });
        }
        match self.field(|r| r.get::<Option<&[u8]>>())? {
            Some(b"/") => Ok(()),
            _ => Err(SnapshotError::SealMark { offset }),
        }
    }

    /// How many bytes have been read.
    #[must_use]
    pub fn position(&self) -> usize {
        self.bytes.len() - self.reader.rest().len()
    }

    /// Reads one part; leaves the reader where it was on failure.
    fn field<T>(
        &mut self,
        read: impl FnOnce(&mut Reader<'a>) -> Result<T, DecodeError>,
    ) -> Result<T, SnapshotError> {
        let mut ahead = self.reader.clone();
        let value = read(&mut ahead)
            .map_err(|source| SnapshotError::Field { offset: self.position(), source })?;
        self.reader = ahead;
        Ok(value)
    }
}

/// Apache's test whether a file is worth loading: for a plain one that it ends as a complete one does, for a
/// compressed one only that it begins as such a stream does.
///
/// `len` is the file's length, `head` its first 8 bytes or more, `tail` its last 5 or more.
#[must_use]
pub fn is_complete(compression: Compression, len: u64, head: &[u8], tail: &[u8]) -> bool {
    match compression {
        Compression::Plain => len >= 10 && tail.ends_with(&SEAL_MARK),
        Compression::Gzip => head.starts_with(&[0x1F, 0x8B]),
        Compression::Snappy => head.starts_with(&super::snappy_frame::MAGIC),
    }
}

/// Appends the 16 bytes that every snapshot begins with; `dbid` is [`native_dbid`] or [`APACHE_DBID`].
pub fn write_header(dbid: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(&MAGIC);
    2i32.write(out);
    dbid.write(out);
}

/// Keeps the sum of everything written and closes the snapshot.
///
/// Every byte from the header to the last node goes through [`absorb`](Self::absorb), in order and in
/// pieces of any size; [`finish`](Self::finish) makes the rest.
#[derive(Clone)]
pub struct Sealer {
    sum: simd_adler32::Adler32,
}

impl Sealer {
    /// Before the first byte.
    #[must_use]
    pub fn new() -> Self {
        Self { sum: simd_adler32::Adler32::new() }
    }

    /// Adds the next bytes of the snapshot.
    pub fn absorb(&mut self, bytes: &[u8]) {
        self.sum.write(bytes);
    }

    /// Appends what follows the last node to `out`: the end of the list, the first seal, and each section of
    /// `trailer` with its seal. What `out` holds already is not looked at.
    pub fn finish(mut self, trailer: &Trailer, out: &mut Vec<u8>) {
        let start = out.len();
        write_end(out);
        let mut summed = start;
        self.seal(&mut summed, out);
        if let Some(digest) = &trailer.digest {
            digest.zxid.write(out);
            digest.version.write(out);
            if digest.version < DIGEST_VERSION {
                write_str(&format!("{:x}", digest.tree), out);
            } else {
                digest.tree.write(out);
            }
            self.seal(&mut summed, out);
        }
        if let Some(zxid) = &trailer.last_processed {
            zxid.write(out);
            self.seal(&mut summed, out);
        }
    }

    fn seal(&mut self, summed: &mut usize, out: &mut Vec<u8>) {
        self.sum.write(out.get(*summed..).unwrap_or_default());
        *summed = out.len();
        i64::from(self.sum.finish()).write(out);
        out.extend_from_slice(&SEAL_MARK);
    }
}

impl Default for Sealer {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sealer").field("sum", &self.sum.finish()).finish()
    }
}

/// Reads the digest section. Versions before 2 hold the digest as hex text.
fn digest(r: &mut Reader<'_>) -> Result<SnapshotDigest, DecodeError> {
    let (zxid, version): (Zxid, i32) = (r.get()?, r.get()?);
    let tree = if version >= DIGEST_VERSION {
        r.get()?
    } else {
        let hex: Cow<'_, str> = r.get()?;
        u64::from_str_radix(&hex, 16)
            .map_err(|_| DecodeError::Unknown { what: "digest version", value: version.into() })?
    };
    Ok(SnapshotDigest { zxid, version, tree })
}

/// The header's number in a snapshot of ours: a mark, and the number of the newest session in the lower 56 bits, 0 if
/// there never was one. Such a file is the tree at one zxid, totals of quotas included.
#[must_use]
pub const fn native_dbid(newest_session: u64) -> i64 {
    (NATIVE_MARK | (newest_session & NUMBER_MASK)).cast_signed()
}

/// What [`native_dbid`] was made of; `None` for the snapshot of another server.
#[must_use]
pub const fn newest_session(dbid: i64) -> Option<u64> {
    let dbid = dbid.cast_unsigned();
    if dbid & !NUMBER_MASK == NATIVE_MARK { Some(dbid & NUMBER_MASK) } else { None }
}

/// The header's number in a snapshot of Apache's. Such a file can show half a transaction.
pub const APACHE_DBID: i64 = -1;
/// `Q` in the first byte.
const NATIVE_MARK: u64 = 0x51 << 56;
/// The other seven.
const NUMBER_MASK: u64 = (1 << 56) - 1;
const MAGIC: [u8; 4] = *b"ZKSN";
/// A `ustring "/"`, with which the list of nodes and every seal end, and so every complete file.
const SEAL_MARK: [u8; 5] = [0, 0, 0, 1, b'/'];
/// Bytes of the last section with its seal.
const LAST_PROCESSED_LEN: usize = 8 + 8 + SEAL_MARK.len();

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acl::Acl;
    use crate::stat::StatPersisted;

    fn stat(n: i64) -> StatPersisted {
        StatPersisted { czxid: n, mzxid: n + 1, cversion: 7, pzxid: n + 2, ..Default::default() }
    }

    fn build(trailer: &Trailer) -> Vec<u8> {
        let mut out = Vec::new();
        write_header(native_dbid(7), &mut out);
        let sessions =
            [SessionEntry { id: 5, timeout: 10_000 }, SessionEntry { id: 9, timeout: 4 }];
        write_sessions(sessions.into_iter(), &mut out);
        let acl = [Acl::world(1), Acl::world(31)];
        write_acls([(1, &acl[..]), (2, &[])].into_iter(), &mut out);
        write_node("", Some(b""), OPEN_ACL, &stat(0), &mut out);
        write_node("/a", None, 1, &stat(10), &mut out);
        write_node("/a/b", Some(b"data"), 2, &stat(20), &mut out);
        let mut sealer = Sealer::new();
        let (first, second) = out.split_at(33);
        sealer.absorb(first);
        sealer.absorb(second);
        sealer.finish(trailer, &mut out);
        out
    }

    fn trailers() -> [Trailer; 5] {
        let digest = Some(SnapshotDigest { zxid: Zxid(30), version: 2, tree: u64::MAX - 5 });
        let hex = Some(SnapshotDigest { zxid: Zxid(30), version: 1, tree: 0xABC });
        let last_processed = Some(Zxid(31));
        [
            Trailer::default(),
            Trailer { digest, last_processed: None },
            Trailer { digest: None, last_processed },
            Trailer { digest, last_processed },
            Trailer { digest: hex, last_processed },
        ]
    }

    #[test]
    fn what_is_written_is_read_whatever_sections_there_are() {
        for trailer in trailers() {
            let bytes = build(&trailer);
            let mut reader = SnapshotReader::new(&bytes).unwrap();
            assert_eq!(newest_session(reader.dbid()), Some(7));
            assert_eq!(reader.sessions()[0], SessionEntry { id: 5, timeout: 10_000 });
            assert_eq!(reader.acls()[0].acl, [Acl::world(1), Acl::world(31)]);
            assert_eq!(reader.acls()[1], AclEntry { id: 2, acl: vec![] });
            let mut nodes = Vec::new();
            while let Some(node) = reader.next_node().unwrap() {
                nodes.push(node);
            }
            let paths: Vec<_> = nodes.iter().map(|n| &*n.path).collect();
            assert_eq!(paths, ["", "/a", "/a/b"]);
            assert_eq!((nodes[1].data, nodes[2].data), (None, Some(&b"data"[..])));
            assert_eq!((nodes[2].acl, nodes[2].stat), (2, stat(20)));
            assert_eq!(reader.next_node(), Ok(None), "the end stays the end");
            assert_eq!(reader.finish(), Ok(trailer));
            let tail = &bytes[bytes.len() - 5..];
            let len = u64::try_from(bytes.len()).unwrap();
            assert!(is_complete(Compression::Plain, len, &bytes[..8], tail));
        }
    }

    #[test]
    fn the_dbid_says_whose_a_snapshot_is() {
        for number in [0, 1, NUMBER_MASK] {
            assert_eq!(newest_session(native_dbid(number)), Some(number));
        }
        for dbid in [APACHE_DBID, 0, i64::MAX, i64::MIN] {
            assert_eq!(newest_session(dbid), None);
        }
    }

    #[test]
    fn any_flipped_bit_is_noticed() {
        let bytes = build(&trailers()[3]);
        for position in 0..bytes.len() {
            // The version and the dbid are sealed, too, though they are not looked at.
            for bit in 0..8 {
                let mut bad = bytes.clone();
                bad[position] ^= 1 << bit;
                let read = SnapshotReader::new(&bad).and_then(SnapshotReader::finish);
                assert!(read.is_err(), "bit {bit} of byte {position}");
            }
        }
    }

    #[test]
    fn a_snapshot_cut_anywhere_but_between_sections_is_noticed() {
        let full = trailers()[3];
        let bytes = build(&full);
        for cut in 0..bytes.len() {
            let read = SnapshotReader::new(&bytes[..cut]).and_then(SnapshotReader::finish);
            match bytes.len() - cut {
                21 => assert_eq!(read, Ok(Trailer { last_processed: None, ..full })),
                54 => assert_eq!(read, Ok(Trailer::default())),
                _ => assert!(read.is_err(), "cut at {cut}: {read:?}"),
            }
        }
        let mut longer = bytes;
        longer.push(0);
        let read = SnapshotReader::new(&longer).and_then(SnapshotReader::finish);
        assert!(read.is_err(), "{read:?}");
    }

    #[test]
    fn negative_tables_and_null_lists_are_errors() {
        let mut bytes = Vec::new();
        write_header(APACHE_DBID, &mut bytes);
        (-1i32).write(&mut bytes);
        let error = SnapshotError::Field { offset: 16, source: DecodeError::Length(-1) };
        assert_eq!(SnapshotReader::new(&bytes).err(), Some(error));
        bytes.truncate(16);
        0i32.write(&mut bytes);
        1i32.write(&mut bytes);
        7i64.write(&mut bytes);
        (-1i32).write(&mut bytes);
        let error = SnapshotError::Field { offset: 20, source: DecodeError::Null("an ACL") };
        assert_eq!(SnapshotReader::new(&bytes).err(), Some(error));
        assert_eq!(SnapshotReader::new(b"ZKLGxxxx").err(), Some(SnapshotError::Magic));
    }

    #[test]
    fn the_quick_test_follows_apache() {
        let snappy = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
        assert!(is_complete(Compression::Gzip, 2, &[0x1F, 0x8B], &[]));
        assert!(is_complete(Compression::Snappy, 8, &snappy, &[]));
        assert!(!is_complete(Compression::Plain, 9, b"ZKSN", &SEAL_MARK), "too short");
        assert!(!is_complete(Compression::Plain, 99, b"ZKSN", &[0; 5]), "not ended");
        assert!(!is_complete(Compression::Gzip, 99, &snappy, &SEAL_MARK));
    }
}
