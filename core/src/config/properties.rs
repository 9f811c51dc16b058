//! Java properties text, read exactly as `java.util.Properties#load(InputStream)` reads it.
//!
//! `QuorumPeerConfig#parse` hands the file to `Properties#load` as a byte stream, so bytes are
//! Latin-1 and everything else is written `\uXXXX`. This file knows the syntax only: comments,
//! separators, continued lines, escapes. What a key means is decided elsewhere in `config`.
//! The parser is total and pure: any bytes give entries in file order or one typed error, in
//! linear time, with memory proportional to the input.

use thiserror::Error;

/// One `key = value` of the file, unescaped but not trimmed.
///
/// ```
/// use quorate::config::properties::{Entry, parse};
///
/// let entries = parse(b"# a comment\ntickTime = 500").unwrap();
/// let (key, value) = ("tickTime".into(), "500".into());
/// assert_eq!(entries, [Entry { key, value, line: 2, latin1: false }]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The key, empty if the line starts with a separator.
    pub key: String,
    /// The value, empty if there is none.
    pub value: String,
    /// Number of the line the entry starts on, counted from 1.
    pub line: u32,
    /// Whether raw bytes above 0x7f occurred: they were read as Latin-1, which surprises people
    /// who saved the file as UTF-8.
    pub latin1: bool,
}

/// Text that `Properties#load` rejects, or accepts with a result no string can hold.
///
/// ```
/// use quorate::config::properties::{SyntaxError, parse};
///
/// assert_eq!(parse(b"a=\\u12"), Err(SyntaxError::MalformedEscape { line: 1 }));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SyntaxError {
    /// `\u` is not followed by four hexadecimal digits (Java: "Malformed \\uxxxx encoding").
    #[error("`\\u` must be followed by four hexadecimal digits; write a plain backslash as `\\\\`")]
    MalformedEscape {
        /// Number of the line the entry starts on, counted from 1.
        line: u32,
    },
    /// Half of a UTF-16 surrogate pair without the other half.
    #[error("`\\u{unit:04x}` is half a surrogate pair; write both halves, high one first")]
    LoneSurrogate {
        /// Number of the line the entry starts on, counted from 1.
        line: u32,
        /// The surrogate found.
        unit: u16,
    },
}

impl SyntaxError {
    /// Number of the line the offending entry starts on, counted from 1.
    ///
    /// ```
    /// use quorate::config::properties::parse;
    ///
    /// assert_eq!(parse(b"a=1\nb=\\u12").unwrap_err().line(), 2);
    /// ```
    pub fn line(&self) -> u32 {
        match *self {
            Self::MalformedEscape { line } | Self::LoneSurrogate { line, .. } => line,
        }
    }
}

/// Reads properties text into entries, in the order of the file, duplicates included.
///
/// ```
/// use quorate::config::properties::parse;
///
/// let entries = parse(b"a=1\nb:2\na=3").unwrap();
/// assert_eq!(entries.iter().map(|entry| entry.value.as_str()).collect::<Vec<_>>(), ["1", "2", "3"]);
/// ```
///
/// # Errors
/// The first [`SyntaxError`], as `Properties#load` stops at the first.
pub fn parse(text: &[u8]) -> Result<Vec<Entry>, SyntaxError> {
    let mut entries = Vec::new();
    let mut lines = LogicalLines { rest: text, line: 1 };
    while let Some((line, content)) = lines.next_line() {
        let (key, value) = split(&content);
        entries.push(Entry {
            key: unescape(key, line)?,
            value: unescape(value, line)?,
            line,
            latin1: !content.is_ascii(),
        });
    }
    Ok(entries)
}

/// Joins continued lines, drops blank lines and comments (`Properties.LineReader`).
struct LogicalLines<'a> {
    rest: &'a [u8],
    line: u32,
}

impl<'a> LogicalLines<'a> {
    /// The next logical line without leading white space, and the line it starts on.
    fn next_line(&mut self) -> Option<(u32, Vec<u8>)> {
        let mut joined = Vec::new();
        let mut start = self.line;
        while !self.rest.is_empty() {
            let here = self.line;
            let text = trim_blanks(self.natural_line());
            // Java looks for comments until a line has contents, even after a lone backslash.
            if joined.is_empty() {
                if matches!(text.first(), None | Some(b'#' | b'!')) {
                    continue;
                }
                start = here;
            }
            let (text, goes_on) = strip_continuation(text);
            joined.extend_from_slice(text);
            if !goes_on {
                return Some((start, joined));
            }
        }
        // A backslash before the end of the text continues nothing. (Java makes an entry with an
        // empty key and value of a final line with nothing else; it means as little.)
        (!joined.is_empty()).then_some((start, joined))
    }

    /// Cuts off the text up to the next `\n`, `\r` or `\r\n`, which is consumed too.
    fn natural_line(&mut self) -> &'a [u8] {
        let end = self.rest.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
        let (line, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = match rest {
            [b'\r', b'\n', rest @ ..] | [_, rest @ ..] => rest,
            [] => rest,
        };
        self.line = self.line.saturating_add(1);
        line
    }
}

/// Cuts the white space Java skips at the start of a line: space, tab and form feed.
fn trim_blanks(line: &[u8]) -> &[u8] {
    let start = line.iter().position(|&byte| !is_blank(byte)).unwrap_or(line.len());
    line.split_at(start).1
}

/// Cuts a final backslash that continues the line: one preceded by an even number of them.
fn strip_continuation(line: &[u8]) -> (&[u8], bool) {
    let backslashes = line.iter().rev().take_while(|&&byte| byte == b'\\').count();
    match line.split_last() {
        Some((_, before)) if backslashes % 2 == 1 => (before, true),
        _ => (line, false),
    }
}

/// Splits at the first unescaped `=`, `:` or white space (`Properties#load0`).
fn split(line: &[u8]) -> (&[u8], &[u8]) {
    let mut escaped = false;
    let key_end = line.iter().position(|&byte| {
        let ends = !escaped && (matches!(byte, b'=' | b':') || is_blank(byte));
        escaped = byte == b'\\' && !escaped;
        ends
    });
    let (key, rest) = line.split_at(key_end.unwrap_or(line.len()));
    let value = match trim_blanks(rest) {
        [b'=' | b':', value @ ..] => trim_blanks(value),
        value => value,
    };
    (key, value)
}

/// Resolves escapes and reads the other bytes as Latin-1 (`Properties#loadConvert`).
fn unescape(text: &[u8], line: u32) -> Result<String, SyntaxError> {
    let mut out = String::with_capacity(text.len());
    let mut high: Option<u16> = None;
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        let unit = if byte == b'\\' {
            match bytes.next() {
                Some(b'u') => hex_unit(&mut bytes).ok_or(SyntaxError::MalformedEscape { line })?,
                Some(b't') => u16::from(b'\t'),
                Some(b'n') => u16::from(b'\n'),
                Some(b'r') => u16::from(b'\r'),
                Some(b'f') => 0x0c,
                Some(other) => u16::from(other),
                None => break,
            }
        } else {
            u16::from(byte)
        };
        push_utf16(&mut out, &mut high, unit, line)?;
    }
    match high {
        Some(unit) => Err(SyntaxError::LoneSurrogate { line, unit }),
        None => Ok(out),
    }
}

/// Appends one UTF-16 unit, holding a high surrogate back until its other half arrives.
fn push_utf16(
    out: &mut String,
    high: &mut Option<u16>,
    unit: u16,
    line: u32,
) -> Result<(), SyntaxError> {
    if high.is_none() && (0xd800..0xdc00).contains(&unit) {
        *high = Some(unit);
        return Ok(());
    }
    let pair = high.take();
    let units = pair.into_iter().chain([unit]);
    for decoded in char::decode_utf16(units) {
        match decoded {
            Ok(c) => out.push(c),
            Err(lone) => {
                return Err(SyntaxError::LoneSurrogate { line, unit: lone.unpaired_surrogate() });
            }
        }
    }
    Ok(())
}

/// The value of exactly four hexadecimal digits.
fn hex_unit(bytes: &mut impl Iterator<Item = u8>) -> Option<u16> {
    (0..4).try_fold(0u16, |unit, _| {
        let digit = char::from(bytes.next()?).to_digit(16)?;
        Some((unit << 4) | u16::try_from(digit).ok()?)
    })
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | 0x0c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        parse(text.as_bytes()).unwrap().into_iter().map(|entry| (entry.key, entry.value)).collect()
    }

    #[test]
    fn reads_what_java_reads() {
        let table: &[(&str, &[(&str, &str)])] = &[
            ("a=b", &[("a", "b")]),
            ("a:b\n", &[("a", "b")]),
            ("a b\r\n", &[("a", "b")]),
            ("a\t = \x0c b ", &[("a", "b ")]),
            ("a = = b", &[("a", "= b")]),
            ("a  :=b", &[("a", "=b")]),
            ("a", &[("a", "")]),
            ("=b", &[("", "b")]),
            ("# a=b\n  ! c=d\n\n \t\ne=f", &[("e", "f")]),
            ("# comment \\\na=b", &[("a", "b")]),
            ("a=b\\\n   c\\\r\n\td", &[("a", "bcd")]),
            ("a=b\\\\\nc=d", &[("a", "b\\"), ("c", "d")]),
            ("a=b\\\n#c", &[("a", "b#c")]),
            ("a=b\\\n\nc=d", &[("a", "b"), ("c", "d")]),
            ("a=b\\", &[("a", "b")]),
            ("\\\n#a=b", &[]),
            ("\\\n\n#a=b", &[]),
            ("\\", &[]),
            ("a=b\\\n \t", &[("a", "b")]),
            ("a\\ b\\=\\:c = d", &[("a b=:c", "d")]),
            ("a=\\t\\n\\r\\f\\x\\\\", &[("a", "\t\n\r\x0cx\\")]),
            ("a=\\u00e9\\uD83D\\uDE00", &[("a", "\u{e9}\u{1f600}")]),
            ("a=1\ra=2", &[("a", "1"), ("a", "2")]),
        ];
        for (text, expected) in table {
            let expected: Vec<_> =
                expected.iter().map(|(k, v)| (String::from(*k), String::from(*v))).collect();
            assert_eq!(pairs(text), expected, "{text:?}");
        }
    }

    #[test]
    fn numbers_entries_by_their_first_line() {
        let lines = |text: &str| -> Vec<u32> {
            parse(text.as_bytes()).unwrap().iter().map(|entry| entry.line).collect()
        };
        assert_eq!(lines("# x\n\na=1\\\n2\\\n3\nb=2"), [3, 6]);
        assert_eq!(lines("a=1\r\nb=2\rc=3\n\nd=4"), [1, 2, 3, 5]);
    }

    #[test]
    fn raw_bytes_are_latin1() {
        let entry = parse("dir=/tmp/é".as_bytes()).unwrap().remove(0);
        assert_eq!(entry.value, "/tmp/\u{c3}\u{a9}");
        assert!(entry.latin1);
        assert!(!parse(b"a=\\u00e9").unwrap()[0].latin1);
    }

    #[test]
    fn rejects_broken_escapes_with_their_line() {
        for text in ["x=1\na=\\u12", "x=1\na=\\u12G4", "x=1\na=\\u"] {
            let error = parse(text.as_bytes()).unwrap_err();
            assert_eq!(error, SyntaxError::MalformedEscape { line: 2 }, "{text:?}");
        }
        for text in ["a=\\ud83d", "a=\\ud83dx", "a=\\ude00", "a=\\ud83d\\ud83d"] {
            let error = parse(text.as_bytes()).unwrap_err();
            assert!(matches!(error, SyntaxError::LoneSurrogate { line: 1, .. }), "{text:?}");
        }
    }
}
