//! The framing of snappy snapshots: that of snappy-java's `SnappyOutputStream`, not the official one.
//!
//! ```text
//! file    82 "SNAPPY" 00  i32 version 1  i32 compatible 1            16 bytes
//! chunk   i32 length  raw snappy block of at most 32 KiB of input    4 + length bytes
//! ```
//! This is only the layout: the storage driver compresses and decompresses the blocks. A header may
//! come again between chunks, where streams were put together.

use crate::jute::{DecodeError, Jute, Reader, write_length};

/// Bytes of the header.
pub const HEADER_LEN: usize = 16;
/// The first bytes of every such file.
pub const MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
/// The most input that goes into one block, as in Apache's snapshots.
pub const MAX_BLOCK_INPUT: usize = 32 * 1024;

/// Appends the header.
pub fn write_header(out: &mut Vec<u8>) {
    out.extend_from_slice(&MAGIC);
    1i32.write(out);
    1i32.write(out);
}

/// Appends one chunk of an already compressed block.
pub fn write_chunk(block: &[u8], out: &mut Vec<u8>) {
    write_length(block.len(), out);
    out.extend_from_slice(block);
}

/// Iterates over the compressed blocks of a file. Ends after the first error.
#[derive(Clone, Debug)]
pub struct Chunks<'a> {
    reader: Reader<'a>,
    failed: bool,
}

impl<'a> Chunks<'a> {
    /// Reads the header.
    ///
    /// # Errors
    /// When `file` does not begin with one that version 1 can read.
    pub fn new(file: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(file);
        let magic: [u8; 8] = reader.array()?;
        if magic != MAGIC {
            let value = i64::from_be_bytes(magic);
            return Err(DecodeError::Unknown { what: "snappy stream", value });
        }
        read_versions(&mut reader)?;
        Ok(Self { reader, failed: false })
    }

    fn chunk(&mut self) -> Result<Option<&'a [u8]>, DecodeError> {
        loop {
            if self.reader.rest().is_empty() {
                return Ok(None);
            }
            let length: i32 = self.reader.get()?;
            if length == MAGIC_HEAD && self.reader.rest().starts_with(&MAGIC[4..]) {
                self.reader.take(4)?;
                read_versions(&mut self.reader)?;
                continue;
            }
            let length = usize::try_from(length).map_err(|_| DecodeError::Length(length))?;
            return self.reader.take(length).map(Some);
        }
    }
}

impl<'a> Iterator for Chunks<'a> {
    type Item = Result<&'a [u8], DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let chunk = self.chunk();
        self.failed = chunk.is_err();
        chunk.transpose()
    }
}

fn read_versions(reader: &mut Reader<'_>) -> Result<(), DecodeError> {
    let (_version, compatible): (i32, i32) = (reader.get()?, reader.get()?);
    if compatible > 1 {
        return Err(DecodeError::Unknown {
            what: "snappy stream version",
            value: compatible.into(),
        });
    }
    Ok(())
}

const MAGIC_HEAD: i32 = i32::from_be_bytes([0x82, b'S', b'N', b'A']);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_come_back_even_across_a_second_header() {
        let mut file = Vec::new();
        write_header(&mut file);
        assert_eq!(file.len(), HEADER_LEN);
        write_chunk(b"one", &mut file);
        write_header(&mut file);
        write_chunk(b"", &mut file);
        write_chunk(b"three", &mut file);
        let chunks: Vec<_> = Chunks::new(&file).unwrap().map(Result::unwrap).collect();
        assert_eq!(chunks, [&b"one"[..], b"", b"three"]);
    }

    #[test]
    fn a_file_that_ends_early_is_an_error_and_then_the_end() {
        let mut file = Vec::new();
        write_header(&mut file);
        write_chunk(b"one", &mut file);
        for cut in HEADER_LEN + 1..file.len() {
            let mut chunks = Chunks::new(&file[..cut]).unwrap();
            assert!(matches!(chunks.next(), Some(Err(_))), "cut at {cut}");
            assert!(chunks.next().is_none());
        }
        assert!(Chunks::new(&file[..HEADER_LEN - 1]).is_err());
        assert!(Chunks::new(b"not snappy at all").is_err());
        file.truncate(HEADER_LEN);
        (-1i32).write(&mut file);
        assert_eq!(Chunks::new(&file).unwrap().next(), Some(Err(DecodeError::Length(-1))));
    }
}
