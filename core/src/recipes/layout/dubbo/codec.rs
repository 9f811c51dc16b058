//! Java's form encoding, `URLEncoder` and `URLDecoder` with UTF-8, as Dubbo's `URL.encode` and
//! `URL.decode` use them for node names.
//!
//! Letters, digits, `.`, `-`, `*` and `_` stay; a blank becomes `+`; every other byte becomes `%`
//! and two capital hex digits. One difference to Java cannot occur here: Rust has no half
//! surrogates.

use thiserror::Error;

/// A percent sign without two hex digits after it.
///
/// ```
/// use quorate::recipes::layout::dubbo::codec::decode;
///
/// assert!(decode("%zz").is_err());
/// ```
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the percent sign at byte {at} is not followed by two hex digits")]
pub struct BadEscape {
    /// Offset in the text.
    pub at: usize,
}

/// Encodes a text for use as a node name.
///
/// ```
/// use quorate::recipes::layout::dubbo::codec::encode;
///
/// assert_eq!(encode("dubbo://h/x"), "dubbo%3A%2F%2Fh%2Fx");
/// ```
pub fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'*' | b'_' => {
                encoded.push(char::from(byte));
            }
            b' ' => encoded.push('+'),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// Undoes [`encode`]; plain characters may stand anywhere. Bytes that are no UTF-8 become the
/// replacement character, as in Java.
///
/// ```
/// use quorate::recipes::layout::dubbo::codec::{decode, encode};
///
/// assert_eq!(decode(&encode("a b/ä")).unwrap(), "a b/ä");
/// ```
///
/// # Errors
/// [`BadEscape`], where Java throws `IllegalArgumentException`; also for `%+1`, which Java takes.
pub fn decode(text: &str) -> Result<String, BadEscape> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match first {
            b'+' => bytes.push(b' '),
            b'%' => {
                let at = text.len() - tail.len() - 1;
                let (byte, tail) = escaped(tail).ok_or(BadEscape { at })?;
                bytes.push(byte);
                rest = tail;
            }
            plain => bytes.push(*plain),
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The byte of two hex digits, and what follows.
fn escaped(text: &[u8]) -> Option<(u8, &[u8])> {
    let ([high, low], rest) = text.split_first_chunk()?;
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|d| u8::try_from(d).ok());
    Some((digit(*high)? << 4 | digit(*low)?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipes::layout::testing::Random;

    #[test]
    fn as_java_encodes() {
        for (text, encoded) in [
            ("", ""),
            ("aZ09.-*_", "aZ09.-*_"),
            ("a b+c", "a+b%2Bc"),
            ("dubbo://h:1/a?k=v&x=y", "dubbo%3A%2F%2Fh%3A1%2Fa%3Fk%3Dv%26x%3Dy"),
            ("~!'()", "%7E%21%27%28%29"),
            ("é\u{1F600}\n\0", "%C3%A9%F0%9F%98%80%0A%00"),
        ] {
            assert_eq!(encode(text), encoded);
            assert_eq!(decode(encoded).unwrap(), text);
        }
    }

    #[test]
    fn decodes_what_java_decodes() {
        assert_eq!(decode("%c3%a9é").unwrap(), "éé");
        assert_eq!(decode("%C3x%FF").unwrap(), "\u{fffd}x\u{fffd}");
        for (text, at) in [("%", 0), ("a%1", 1), ("%zz", 0), ("%+1", 0), ("%41%é", 3)] {
            assert_eq!(decode(text), Err(BadEscape { at }), "{text}");
        }
    }

    #[test]
    fn any_text_survives_the_way_there_and_back() {
        let mut random = Random::new(14);
        for _ in 0..5_000 {
            let text = random.text(&["%", "+", " ", "%2F", "\u{0}", "://"]);
            assert_eq!(decode(&encode(&text)).unwrap(), text);
            let _ = decode(&text);
        }
    }
}
