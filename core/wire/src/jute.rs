//! Jute, the encoding of every ZooKeeper record: big-endian, no tags, no padding.
//!
//! A type that travels implements [`Jute`]; records get it from the [`record!`](crate::record) macro,
//! field by field in declaration order. Decoding borrows from the frame and never allocates
//! more than the frame could hold: a vector's announced length is only a promise until its
//! elements have been read. Source: `org.apache.jute.BinaryInputArchive` and `BinaryOutputArchive`.

use std::borrow::Cow;

/// Why bytes could not be read as a record. On the wire this is `MarshallingError` (-5).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The record goes on where the bytes end.
    #[error("the record ends early: {needed} more bytes are needed, {left} are left")]
    Eof {
        /// Bytes the next field takes.
        needed: usize,
        /// Bytes that are left.
        left: usize,
    },
    /// A string, buffer or vector announces a length that cannot be.
    #[error("a length of {0} is not possible here")]
    Length(i32),
    /// A field that must be present is null.
    #[error("{0} is null")]
    Null(&'static str),
    /// A field holds a value outside its enumeration.
    #[error("{value} is not a known {what}")]
    Unknown {
        /// What the field enumerates.
        what: &'static str,
        /// The value that was found.
        value: i64,
    },
}

/// A cursor over the bytes of one frame or record.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the first of `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The bytes that have not been read.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Takes the next `n` bytes.
    ///
    /// # Errors
    /// [`DecodeError::Eof`] when fewer are left.
    #[inline]
    pub fn take(&mut self, n: usize) -> Result<&'a [u8], DecodeError> {
        let (head, tail) = self
            .rest
            .split_at_checked(n)
            .ok_or(DecodeError::Eof { needed: n, left: self.rest.len() })?;
        self.rest = tail;
        Ok(head)
    }

    /// Takes the next `N` bytes as an array.
    ///
    /// # Errors
    /// [`DecodeError::Eof`] when fewer are left.
    #[inline]
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (head, tail) = self
            .rest
            .split_first_chunk::<N>()
            .ok_or(DecodeError::Eof { needed: N, left: self.rest.len() })?;
        self.rest = tail;
        Ok(*head)
    }

    /// Steps over `expected` if it is what comes next.
    #[inline]
    pub fn skip(&mut self, expected: &[u8]) -> bool {
        let rest = self.rest.strip_prefix(expected);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// Reads any value.
    ///
    /// # Errors
    /// Whatever the value's decoder finds wrong.
    #[inline]
    pub fn get<T: Jute<'a>>(&mut self) -> Result<T, DecodeError> {
        T::read(self)
    }

    /// Reads a buffer length: `None` for null (-1).
    fn length(&mut self) -> Result<Option<usize>, DecodeError> {
        match i32::read(self)? {
            -1 => Ok(None),
            n => usize::try_from(n).map(Some).map_err(|_| DecodeError::Length(n)),
        }
    }
}

/// A value with a Jute encoding.
pub trait Jute<'a>: Sized {
    /// Reads the value; the reader stands behind it afterwards.
    ///
    /// # Errors
    /// When the bytes are not such a value.
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError>;

    /// Appends the encoding.
    fn write(&self, out: &mut Vec<u8>);

    /// The encoding alone.
    #[must_use]
    fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }

    /// Reads a value from the start of `bytes`; what follows is ignored, as Apache ignores it.
    ///
    /// # Errors
    /// When the bytes are not such a value.
    fn from_bytes(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        Self::read(&mut Reader::new(bytes))
    }
}

macro_rules! number {
    ($($t:ty),*) => {$(
        impl<'a> Jute<'a> for $t {
            #[inline]
            fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
                Ok(Self::from_be_bytes(r.array()?))
            }
            #[inline]
            fn write(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_be_bytes());
            }
        }
    )*};
}
number!(u8, i32, i64, u64);

impl<'a> Jute<'a> for bool {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(u8::read(r)? != 0)
    }
    fn write(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
}

/// A `buffer`; `None` is null and distinct from empty.
impl<'a> Jute<'a> for Option<&'a [u8]> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        r.length()?.map(|n| r.take(n)).transpose()
    }
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            None => (-1i32).write(out),
            Some(bytes) => {
                write_length(bytes.len(), out);
                out.extend_from_slice(bytes);
            }
        }
    }
}

/// A `ustring` that may be null.
impl<'a> Jute<'a> for Option<Cow<'a, str>> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Option::<&[u8]>::read(r)?.map(text))
    }
    fn write(&self, out: &mut Vec<u8>) {
        self.as_ref().map(|s| s.as_bytes()).write(out);
    }
}

/// A `ustring` that must not be null.
impl<'a> Jute<'a> for Cow<'a, str> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Option::<Self>::read(r)?.ok_or(DecodeError::Null("a string"))
    }
    fn write(&self, out: &mut Vec<u8>) {
        write_str(self, out);
    }
}

/// A `vector`; null (-1) and every other negative count read as empty, as in Apache's archive.
impl<'a, T: Jute<'a>> Jute<'a> for Vec<T> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Option::<Self>::read(r)?.unwrap_or_default())
    }
    fn write(&self, out: &mut Vec<u8>) {
        write_length(self.len(), out);
        for item in self {
            item.write(out);
        }
    }
}

/// A `vector` whose absence (a negative count) matters.
impl<'a, T: Jute<'a>> Jute<'a> for Option<Vec<T>> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let Ok(count) = usize::try_from(i32::read(r)?) else { return Ok(None) };
        // The count is the peer's claim: reserve no more than the bytes at hand could fill.
        let mut items = Vec::with_capacity(count.min(r.rest().len() / 4).min(1024));
        for _ in 0..count {
            items.push(T::read(r)?);
        }
        Ok(Some(items))
    }
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            None => (-1i32).write(out),
            Some(items) => items.write(out),
        }
    }
}

/// Appends `text` as a `ustring` without building a value first.
#[inline]
pub fn write_str(text: &str, out: &mut Vec<u8>) {
    write_length(text.len(), out);
    out.extend_from_slice(text.as_bytes());
}

/// Appends a count or byte length.
///
/// Nothing that is encoded here can exceed `i32::MAX`: every input came in a frame smaller than that.
#[inline]
pub fn write_length(n: usize, out: &mut Vec<u8>) {
    debug_assert!(i32::try_from(n).is_ok(), "a length of {n} does not fit a jute int");
    i32::try_from(n).unwrap_or(i32::MAX).write(out);
}

/// Reads bytes as text the way a Java server would: malformed UTF-8 becomes U+FFFD, and a
/// supplementary character may come as two encoded surrogates (CESU-8).
#[must_use]
pub fn text(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(s) => Cow::Borrowed(s),
        Err(_) => Cow::Owned(lenient(bytes)),
    }
}

fn lenient(bytes: &[u8]) -> String {
    let mut units: Vec<u8> = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&first, tail)) = rest.split_first() {
        if let [
            0xED,
            a @ 0xA0..=0xAF,
            b @ 0x80..=0xBF,
            0xED,
            c @ 0xB0..=0xBF,
            d @ 0x80..=0xBF,
            after @ ..,
        ] = rest
        {
            let high = (u32::from(a & 0x0F) << 6) | u32::from(b & 0x3F);
            let low = (u32::from(c & 0x0F) << 6) | u32::from(d & 0x3F);
            let scalar = 0x1_0000 + (high << 10) + low;
            let mut buf = [0; 4];
            let c = char::from_u32(scalar).unwrap_or(char::REPLACEMENT_CHARACTER);
            units.extend_from_slice(c.encode_utf8(&mut buf).as_bytes());
            rest = after;
        } else {
            units.push(first);
            rest = tail;
        }
    }
    String::from_utf8_lossy(&units).into_owned()
}

/// Declares a record: a struct whose Jute encoding is its fields in order.
#[macro_export]
macro_rules! record {
    ($(#[$meta:meta])* pub struct $name:ident<'a> { $($(#[$fmeta:meta])* pub $field:ident: $ty:ty,)* }) => {
        $(#[$meta])*
        pub struct $name<'a> { $($(#[$fmeta])* pub $field: $ty,)* }
        $crate::record!(@impl ['a] $name<'a> { $($field: $ty,)* });
    };
    ($(#[$meta:meta])* pub struct $name:ident { $($(#[$fmeta:meta])* pub $field:ident: $ty:ty,)* }) => {
        $(#[$meta])*
        pub struct $name { $($(#[$fmeta])* pub $field: $ty,)* }
        $crate::record!(@impl ['a] $name { $($field: $ty,)* });
    };
    (@impl [$lt:lifetime] $name:ty { $($field:ident: $ty:ty,)* }) => {
        impl<$lt> $crate::jute::Jute<$lt> for $name {
            #[inline]
            fn read(r: &mut $crate::jute::Reader<$lt>) -> Result<Self, $crate::jute::DecodeError> {
                $(let $field = <$ty as $crate::jute::Jute>::read(r)?;)*
                Ok(Self { $($field,)* })
            }
            #[inline]
            fn write(&self, out: &mut Vec<u8>) {
                $($crate::jute::Jute::write(&self.$field, out);)*
                let _ = out;
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_and_empty_buffers_differ() {
        assert_eq!(None::<&[u8]>.to_bytes(), [0xFF; 4]);
        assert_eq!(Some(&b""[..]).to_bytes(), [0; 4]);
        assert_eq!(Option::<&[u8]>::from_bytes(&[0xFF; 4]), Ok(None));
        assert_eq!(Option::<&[u8]>::from_bytes(&[0; 4]), Ok(Some(&b""[..])));
    }

    #[test]
    fn a_huge_announced_length_is_an_error_without_an_allocation() {
        let bytes = i32::MAX.to_be_bytes();
        assert!(matches!(Option::<&[u8]>::from_bytes(&bytes), Err(DecodeError::Eof { .. })));
        assert!(matches!(Vec::<i64>::from_bytes(&bytes), Err(DecodeError::Eof { .. })));
        assert_eq!(
            Option::<&[u8]>::from_bytes(&(-2i32).to_be_bytes()),
            Err(DecodeError::Length(-2))
        );
    }

    #[test]
    fn surrogate_pairs_of_a_java_server_are_read_as_one_character() {
        let cesu = [0xED, 0xA0, 0xBD, 0xED, 0xB8, 0x80];
        assert_eq!(text(&cesu), "\u{1F600}");
        assert_eq!(text(b"a\xFFb"), "a\u{FFFD}b");
    }
}
