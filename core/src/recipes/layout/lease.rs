//! The data of kazoo's `NonBlockingLease`: JSON in the node `lease_holder`, changed while holding
//! a kazoo lock on the path itself. `MultiNonBlockingLease` tries `<path>/0`, `<path>/1`, ….
//!
//! Times are UTC without fractions, from the clocks of the clients: skew between them breaks the
//! lease. The text is byte for byte what Python's `json.dumps` writes.

use serde::Deserialize;
use thiserror::Error;

/// Who has the lease, and until when.
///
/// ```
/// use quorate::recipes::layout::lease::Lease;
///
/// let lease = Lease { holder: "a".into(), end: 1_000_000 };
/// assert!(lease.is_free_for("a", 0) && !lease.is_free_for("b", 0));
/// assert!(Lease::decode(&lease.encode().unwrap()).is_ok());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The identifier of the holder.
    pub holder: String,
    /// First second, since 1970 in UTC, at which the lease is free again.
    pub end: i64,
}

/// The data is no lease that we may judge. Then it is someone else's.
///
/// ```
/// use quorate::recipes::layout::lease::{Lease, LeaseError};
///
/// assert!(matches!(Lease::decode(b"no JSON"), Err(LeaseError::Json(_))));
/// ```
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum LeaseError {
    /// No JSON object with the three fields.
    #[error("the lease is not readable: {0}")]
    Json(String),
    /// Written by a later format.
    #[error("the lease has version {0}, this client knows version 1 only")]
    Version(i64),
    /// Not of the form `YYYY-MM-DDTHH:MM:SS`, or out of the years that have four digits.
    #[error("the end of the lease is no time between the years 1000 and 9999")]
    End,
}

impl Lease {
    /// Reads the data of `lease_holder`.
    ///
    /// ```
    /// use quorate::recipes::layout::lease::{Lease, LeaseError, NODE};
    ///
    /// let lease = Lease { holder: "host-1".into(), end: 1_000_000 };
    /// // The data of `<path>/lease_holder`.
    /// assert_eq!((NODE, Lease::decode(&lease.encode().unwrap())), ("lease_holder", Ok(lease)));
    /// assert!(matches!(Lease::decode(b"[]"), Err(LeaseError::Json(_))));
    /// ```
    ///
    /// # Errors
    /// See [`LeaseError`]; the lease is then to be respected.
    pub fn decode(data: &[u8]) -> Result<Self, LeaseError> {
        let json = |error: serde_json::Error| LeaseError::Json(error.to_string());
        let Version { version } = serde_json::from_slice(data).map_err(json)?;
        if version != VERSION {
            return Err(LeaseError::Version(version));
        }
        let Fields { holder, end } = serde_json::from_slice(data).map_err(json)?;
        Ok(Self { holder, end: parse_time(&end).ok_or(LeaseError::End)? })
    }

    /// The data of `lease_holder`.
    ///
    /// ```
    /// use quorate::recipes::layout::lease::{Lease, LeaseError};
    ///
    /// let lease = Lease { holder: "host-1".into(), end: 1_000_000 };
    /// assert!(String::from_utf8(lease.encode().unwrap()).unwrap().contains("1970-01-12T13:46:40"));
    /// assert_eq!(Lease { end: i64::MAX, ..lease }.encode(), Err(LeaseError::End));
    /// ```
    ///
    /// # Errors
    /// [`LeaseError::End`] if the end has no four-digit year.
    pub fn encode(&self) -> Result<Vec<u8>, LeaseError> {
        let end = format_time(self.end).ok_or(LeaseError::End)?;
        let holder = python_string(&self.holder);
        let text = format!("{{\"version\": {VERSION}, \"holder\": {holder}, \"end\": \"{end}\"}}");
        Ok(text.into_bytes())
    }

    /// Whether `identifier` may take the lease at `now` (seconds since 1970): it holds it
    /// already, or the lease has ended.
    ///
    /// ```
    /// use quorate::recipes::layout::lease::Lease;
    ///
    /// let lease = Lease { holder: "host-1".into(), end: 1_000 };
    /// assert!(lease.is_free_for("host-1", 500) && !lease.is_free_for("host-2", 999));
    /// assert!(lease.is_free_for("host-2", 1_000));
    /// ```
    pub fn is_free_for(&self, identifier: &str, now: i64) -> bool {
        self.holder == identifier || now >= self.end
    }
}

#[derive(Deserialize)]
struct Version {
    version: i64,
}

#[derive(Deserialize)]
struct Fields {
    holder: String,
    end: String,
}

/// A JSON string in ASCII, as `json.dumps` writes it.
fn python_string(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for unit in text.encode_utf16() {
        match char::from_u32(unit.into()) {
            Some('"') => quoted.push_str("\\\""),
            Some('\\') => quoted.push_str("\\\\"),
            Some('\n') => quoted.push_str("\\n"),
            Some('\r') => quoted.push_str("\\r"),
            Some('\t') => quoted.push_str("\\t"),
            Some('\u{8}') => quoted.push_str("\\b"),
            Some('\u{c}') => quoted.push_str("\\f"),
            Some(plain @ ' '..='~') => quoted.push(plain),
            _ => quoted.push_str(&format!("\\u{unit:04x}")),
        }
    }
    quoted.push('"');
    quoted
}

/// Seconds since 1970 of `YYYY-MM-DDTHH:MM:SS`. Like Python's `strptime`, it takes one digit
/// where two are usual.
fn parse_time(text: &str) -> Option<i64> {
    let (date, time) = text.split_once('T')?;
    let [year, month, day] = numbers(date, '-')?;
    let [hour, minute, second] = numbers(time, ':')?;
    let in_range = (1000..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=days_of_month(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    in_range.then(|| days_from_civil(year, month, day) * DAY + hour * 3600 + minute * 60 + second)
}

/// Three numbers of at most four digits.
fn numbers(text: &str, separator: char) -> Option<[i64; 3]> {
    let mut parts = text.split(separator).map(|part| {
        let readable = (1..=4).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        part.parse().ok().filter(|_| readable)
    });
    let three = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(three)
}

/// `YYYY-MM-DDTHH:MM:SS` of a second since 1970 in the years 1000 to 9999.
fn format_time(seconds: i64) -> Option<String> {
    let (days, second) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
    if !(days_from_civil(1000, 1, 1)..days_from_civil(10_000, 1, 1)).contains(&days) {
        return None;
    }
    // 146,097 days are 400 years: at most a year or two too early.
    let mut year = 1969 + (days * 400).div_euclid(146_097);
    while days_from_civil(year + 1, 1, 1) <= days {
        year += 1;
    }
    let month = (1..=12).rev().find(|&month| days_from_civil(year, month, 1) <= days)?;
    let day = days - days_from_civil(year, month, 1) + 1;
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    Some(format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"))
}

/// Days from 1970-01-01 to a day of the Gregorian calendar.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let before: i64 = (1..month).map(|earlier| days_of_month(year, earlier)).sum();
    let last = year - 1;
    365 * last + last / 4 - last / 100 + last / 400 + before + day - 719_163
}

fn days_of_month(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

const VERSION: i64 = 1;
const DAY: i64 = 86_400;

/// The node below the path that holds the lease.
pub const NODE: &str = "lease_holder";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipes::layout::testing::Random;

    #[test]
    fn bytes_as_python_writes_them() {
        for (holder, end, text) in [
            ("h", 0, r#"{"version": 1, "holder": "h", "end": "1970-01-01T00:00:00"}"#),
            (
                "a\"\\\né\u{1F600}\u{1}\u{7f}/",
                1_795_363_984,
                r#"{"version": 1, "holder": "a\"\\\n\u00e9\ud83d\ude00\u0001\u007f/", "end": "2026-11-22T16:13:04"}"#,
            ),
        ] {
            let lease = Lease { holder: holder.to_owned(), end };
            assert_eq!(String::from_utf8(lease.encode().unwrap()).unwrap(), text);
            assert_eq!(Lease::decode(text.as_bytes()), Ok(lease));
        }
    }

    #[test]
    fn times_of_the_calendar() {
        for (text, seconds) in [
            ("1999-12-31T23:59:59", 946_684_799),
            ("2000-02-29T00:00:00", 951_782_400),
            ("1969-12-31T23:59:59", -1),
            ("2100-03-01T12:00:00", 4_107_585_600),
            ("9999-12-31T23:59:59", 253_402_300_799),
            ("1000-01-01T00:00:00", -30_610_224_000),
        ] {
            assert_eq!(parse_time(text), Some(seconds), "{text}");
            assert_eq!(format_time(seconds).as_deref(), Some(text));
        }
        assert_eq!(parse_time("2013-1-2T3:4:5"), parse_time("2013-01-02T03:04:05"));
        for text in [
            "",
            "T",
            "2013-02-29T00:00:00",
            "2013-01-01T24:00:00",
            "2013-01-01T00:00:60",
            "2013-13-01T00:00:00",
            "2013-01-00T00:00:00",
            "+013-01-01T00:00:00",
            "2013-01-01",
            "2013-01-01T00:00:00Z",
            "0999-01-01T00:00:00",
        ] {
            assert_eq!(parse_time(text), None, "{text}");
        }
        for seconds in [i64::MIN, i64::MAX, 253_402_300_800, -30_610_224_001] {
            assert_eq!(format_time(seconds), None, "{seconds}");
        }
    }

    #[test]
    fn a_lease_is_free_for_its_holder_or_after_its_end() {
        let lease = Lease { holder: "a".into(), end: 100 };
        assert!(lease.is_free_for("a", 0));
        assert!(!lease.is_free_for("b", 99));
        assert!(lease.is_free_for("b", 100));
    }

    #[test]
    fn strange_leases_are_errors() {
        let decode = |text: &str| Lease::decode(text.as_bytes()).unwrap_err();
        assert_eq!(decode(r#"{"version": 2, "who": "x"}"#), LeaseError::Version(2));
        let end = r#"{"version": 1, "holder": "x", "end": "soon"}"#;
        assert_eq!(decode(end), LeaseError::End);
        for text in ["", "{}", "null", "[1]", r#"{"version": 1, "holder": 2}"#] {
            assert!(matches!(decode(text), LeaseError::Json(_)), "{text}");
        }
        let extra = br#"{"end": "1970-01-01T00:00:09", "x": [], "holder": "h", "version": 1}"#;
        assert_eq!(Lease::decode(extra).unwrap().end, 9);

        let mut random = Random::new(11);
        let parts =
            ["{\"version\": 1", ",", "\"end\":", "\"holder\":", "\"1970-01-01T00:00:09\"", "}"];
        for _ in 0..5_000 {
            let _ = Lease::decode(random.text(&parts).as_bytes());
            let holder = random.text(&["\"", "\\", "\u{1F600}", "\u{7f}"]);
            let lease = Lease { holder, end: i64::from(i32::from_be_bytes(random.array())) };
            assert_eq!(Lease::decode(&lease.encode().unwrap()), Ok(lease));
        }
    }
}
