//! The data of counters.
//!
//! Curator's `SharedCount` and `DistributedAtomicInteger`, and kazoo's `Counter` with
//! `support_curator`, keep 32 bits big endian; `DistributedAtomicLong` keeps 64. kazoo's default
//! `Counter` keeps text as Python's `repr` prints an `int` or a `float`. Empty data means "never
//! set" everywhere: 0 for the atomics, the default for kazoo.
//!
//! Lengths must fit exactly: Java would read the upper half of a long as an int.

use thiserror::Error;

/// A value of kazoo's textual counter. Its type is that of the counter's default value.
///
/// ```
/// use quorate::recipes::layout::counter::{Text, decode_text};
///
/// assert_eq!(decode_text(b"7"), Ok(Some(Text::Int(7))));
/// assert_eq!(decode_text(b"7.5"), Ok(Some(Text::Float(7.5))));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Text {
    /// Python's `int`, as far as 64 bits reach.
    Int(i64),
    /// Python's `float`.
    Float(f64),
}

/// The data is no value of this counter.
///
/// ```
/// use quorate::recipes::layout::counter::{CounterError, decode_i32};
///
/// assert!(matches!(decode_i32(b"seven"), Err(CounterError::Length { .. })));
/// ```
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum CounterError {
    /// Neither empty nor as long as the number.
    #[error("counter holds {found} bytes instead of {expected}; is it one of another kind?")]
    Length {
        /// Bytes of the number.
        expected: usize,
        /// Bytes in the node.
        found: usize,
    },
    /// Not a decimal number in ASCII, or an integer beyond 64 bits.
    #[error("counter holds text that is no number of 64 bits")]
    NotANumber,
}

/// A 32-bit count; `None` for empty data.
///
/// ```
/// use quorate::recipes::layout::counter::{decode_i32, encode_i32};
///
/// assert_eq!(decode_i32(&encode_i32(-7)), Ok(Some(-7)));
/// assert_eq!(decode_i32(b""), Ok(None));
/// ```
///
/// # Errors
/// The data has another length.
pub fn decode_i32(data: &[u8]) -> Result<Option<i32>, CounterError> {
    Ok(fixed(data)?.map(i32::from_be_bytes))
}

/// A 64-bit count; `None` for empty data.
///
/// ```
/// use quorate::recipes::layout::counter::{decode_i64, encode_i64};
///
/// assert_eq!(decode_i64(&encode_i64(-7)), Ok(Some(-7)));
/// assert_eq!(decode_i64(b""), Ok(None));
/// ```
///
/// # Errors
/// The data has another length.
pub fn decode_i64(data: &[u8]) -> Result<Option<i64>, CounterError> {
    Ok(fixed(data)?.map(i64::from_be_bytes))
}

/// A value of kazoo's textual counter; `None` for empty data.
///
/// ```
/// use quorate::recipes::layout::counter::{Text, decode_text};
///
/// assert_eq!(decode_text(b"12"), Ok(Some(Text::Int(12))));
/// assert!(decode_text(b"twelve").is_err());
/// ```
///
/// # Errors
/// The data is no number.
pub fn decode_text(data: &[u8]) -> Result<Option<Text>, CounterError> {
    if data.is_empty() {
        return Ok(None);
    }
    let text = std::str::from_utf8(data).map_err(|_| CounterError::NotANumber)?.trim_ascii();
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let value = if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().ok().map(Text::Int)
    } else {
        text.parse().ok().map(Text::Float)
    };
    value.map(Some).ok_or(CounterError::NotANumber)
}

/// The data of a 32-bit count.
///
/// ```
/// assert_eq!(quorate::recipes::layout::counter::encode_i32(258), [0, 0, 1, 2]);
/// ```
pub fn encode_i32(value: i32) -> Vec<u8> {
    value.to_be_bytes().to_vec()
}

/// The data of a 64-bit count.
///
/// ```
/// assert_eq!(quorate::recipes::layout::counter::encode_i64(258), [0, 0, 0, 0, 0, 0, 1, 2]);
/// ```
pub fn encode_i64(value: i64) -> Vec<u8> {
    value.to_be_bytes().to_vec()
}

/// The data of kazoo's textual counter, as Python prints the value: `5`, `1.0`, `1e+16`.
///
/// ```
/// use quorate::recipes::layout::counter::{Text, encode_text};
///
/// assert_eq!(encode_text(Text::Int(-3)), b"-3");
/// ```
pub fn encode_text(value: Text) -> Vec<u8> {
    match value {
        Text::Int(value) => value.to_string().into_bytes(),
        Text::Float(value) => python_float(value).into_bytes(),
    }
}

/// The shortest digits that read back as the same number, as in Rust, but with a sign and at
/// least two digits in the exponent.
fn python_float(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    let text = format!("{value:?}");
    let Some((digits, exponent)) = text.split_once('e') else { return text };
    match exponent.strip_prefix('-') {
        Some(exponent) => format!("{digits}e-{exponent:0>2}"),
        None => format!("{digits}e+{exponent:0>2}"),
    }
}

fn fixed<const N: usize>(data: &[u8]) -> Result<Option<[u8; N]>, CounterError> {
    if data.is_empty() {
        return Ok(None);
    }
    let error = || CounterError::Length { expected: N, found: data.len() };
    data.try_into().map(Some).map_err(|_| error())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipes::layout::testing::Random;

    #[test]
    fn binary_counts() {
        assert_eq!(encode_i32(42), [0, 0, 0, 42]);
        assert_eq!(encode_i32(-2), [0xFF, 0xFF, 0xFF, 0xFE]);
        assert_eq!(encode_i64(1 << 32), [0, 0, 0, 1, 0, 0, 0, 0]);
        for value in [0, 1, -1, i32::MIN, i32::MAX] {
            assert_eq!(decode_i32(&encode_i32(value)), Ok(Some(value)));
            assert_eq!(decode_i64(&encode_i64(value.into())), Ok(Some(value.into())));
        }
        assert_eq!(decode_i32(b""), Ok(None));
        assert_eq!(decode_i64(b""), Ok(None));
        assert_eq!(decode_i32(&[0; 8]), Err(CounterError::Length { expected: 4, found: 8 }));
        assert_eq!(decode_i64(&[0; 4]), Err(CounterError::Length { expected: 8, found: 4 }));
    }

    /// Left: what Python's `repr` prints for these values.
    #[test]
    fn text_as_python_prints_it() {
        for (text, value) in [
            ("5", Text::Int(5)),
            ("-9223372036854775808", Text::Int(i64::MIN)),
            ("1.0", Text::Float(1.0)),
            ("-0.0", Text::Float(-0.0)),
            ("0.1", Text::Float(0.1)),
            ("0.0001", Text::Float(0.0001)),
            ("1e-05", Text::Float(0.00001)),
            ("1.5e-07", Text::Float(0.000_000_15)),
            ("1000000000000000.0", Text::Float(1e15)),
            ("1e+16", Text::Float(1e16)),
            ("1.5e+300", Text::Float(1.5e300)),
            ("inf", Text::Float(f64::INFINITY)),
            ("-inf", Text::Float(f64::NEG_INFINITY)),
        ] {
            assert_eq!(String::from_utf8(encode_text(value)).unwrap(), text);
            assert_eq!(decode_text(text.as_bytes()), Ok(Some(value)), "{text}");
        }
        assert_eq!(encode_text(Text::Float(f64::NAN)), b"nan");
        assert_eq!(decode_text(b""), Ok(None));
        assert_eq!(decode_text(b" 7\n"), Ok(Some(Text::Int(7))));
        for text in ["x", "-", " ", "9223372036854775808", "1.0.0", "0x10", "٣"] {
            assert_eq!(decode_text(text.as_bytes()), Err(CounterError::NotANumber), "{text}");
        }
    }

    #[test]
    fn any_bytes_are_decoded_without_a_panic() {
        let mut random = Random::new(10);
        for _ in 0..5_000 {
            let data = random.bytes();
            let _ = decode_i32(&data);
            let _ = decode_i64(&data);
            let text = random.text(&["1", ".", "e", "+", "-", "inf", "0000000001"]);
            if let Ok(Some(value)) = decode_text(text.as_bytes()) {
                let again = decode_text(&encode_text(value)).unwrap().unwrap();
                assert!(again == value || text.contains("nan"), "{text}");
            }
            let value = f64::from_be_bytes(random.array());
            if !value.is_nan() {
                let printed = encode_text(Text::Float(value));
                assert_eq!(decode_text(&printed), Ok(Some(Text::Float(value))));
            }
        }
    }
}
