//! The text files that hold one number: `acceptedEpoch`, `currentEpoch` and `myid`.
//!
//! Apache writes the digits without a newline and reads the first line with `Long.parseLong`, which allows
//! a sign and nothing else; so it is here. Whoever writes such a file does so under a temporary name,
//! syncs it, renames it and syncs the directory.

/// Why a file is not a number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    /// The file has no first line.
    #[error("the file is empty")]
    Empty,
    /// The first line is something else.
    #[error("{0:?} is not a number (only digits are allowed, without spaces)")]
    NotANumber(String),
}

/// Reads the number on the first line of a file.
///
/// # Errors
/// When the line is not a decimal 64-bit number. The error quotes at most 40 characters of it.
pub fn parse(file: &[u8]) -> Result<i64, NumberError> {
    let line = file.split(|&b| b == b'\n' || b == b'\r').next().unwrap_or_default();
    if line.is_empty() {
        return Err(NumberError::Empty);
    }
    let text = std::str::from_utf8(line).ok();
    text.and_then(|text| text.parse().ok()).ok_or_else(|| {
        NumberError::NotANumber(String::from_utf8_lossy(line).chars().take(40).collect())
    })
}

/// The content of the file for `number`.
#[must_use]
pub fn format(number: i64) -> String {
    number.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_line_counts() {
        for (file, number) in
            [("2", 2), ("2\n", 2), ("17\r\nrest", 17), ("-1", -1), ("+3", 3), ("007", 7)]
        {
            assert_eq!(parse(file.as_bytes()), Ok(number), "{file:?}");
        }
        assert_eq!(parse(format(i64::MAX).as_bytes()), Ok(i64::MAX));
    }

    #[test]
    fn anything_else_is_named_in_the_error() {
        assert_eq!(parse(b""), Err(NumberError::Empty));
        assert_eq!(parse(b"\n5"), Err(NumberError::Empty));
        for file in [" 1", "1 ", "0x1", "9223372036854775808", "-"] {
            assert_eq!(parse(file.as_bytes()), Err(NumberError::NotANumber(file.into())));
        }
        assert!(matches!(parse(&[0xFF; 1000]), Err(NumberError::NotANumber(s)) if s.len() < 200));
    }
}
