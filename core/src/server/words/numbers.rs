//! Numbers and dates as Java prints them, which is how tools expect them.

use quorate_engine::shard::Latency;
use std::fmt;

/// An average with at most four decimals, as `Double.toString` has it: at least one decimal, and an exponent
/// below a thousandth and from ten million on. Source: `AvgMinMaxCounter#getAvg`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Average {
    ten_thousandths: u128,
}

impl Average {
    pub(super) fn of(latency: &Latency) -> Self {
        Self::ratio(latency.sum, latency.count)
    }

    /// `sum / count`, rounded half up; 0 when there is nothing.
    pub(super) fn ratio(sum: u64, count: u64) -> Self {
        let halves = (u128::from(sum) * 2 * SCALE).checked_div(u128::from(count)).unwrap_or(0);
        Self { ten_thousandths: halves.div_ceil(2) }
    }
}

impl fmt::Display for Average {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let v = self.ten_thousandths;
        match v {
            1..10 => write!(f, "{v}.0E-4"),
            LARGE.. => {
                let digits = v.to_string();
                let (first, rest) = digits.split_at(1);
                let rest = rest.trim_end_matches('0');
                let rest = if rest.is_empty() { "0" } else { rest };
                write!(f, "{first}.{rest}E{}", digits.len().saturating_sub(5))
            }
            _ => {
                let decimals = format!("{:04}", v % SCALE);
                let decimals = decimals.trim_end_matches('0');
                write!(f, "{}.{}", v / SCALE, if decimals.is_empty() { "0" } else { decimals })
            }
        }
    }
}

/// A moment, ms since 1970, as `Date.toString` has it, always in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Date(pub(super) i64);

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.div_euclid(1000);
        let (days, time) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        let (year, month, day) = civil(days);
        let name = |names: &[&'static str], n: i64| -> &'static str {
            usize::try_from(n).ok().and_then(|n| names.get(n)).copied().unwrap_or("?")
        };
        write!(
            f,
            "{} {} {day:02} {:02}:{:02}:{:02} UTC {year}",
            name(&WEEKDAYS, days.rem_euclid(7)),
            name(&MONTHS, month),
            time / 3600,
            time / 60 % 60,
            time % 60,
        )
    }
}

/// Year, month from 0 and day from 1 of a day since 1970-01-01, by the proleptic Gregorian calendar. Years are
/// counted from March, so that the leap day is a year's last; 400 years are one era.
const fn civil(days: i64) -> (i64, i64, i64) {
    let since_0000_03_01 = days + 719_468;
    let era = since_0000_03_01.div_euclid(146_097);
    let of_era = since_0000_03_01.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = (from_march + 2) % 12;
    let year = year_of_era + era * 400 + if month < 2 { 1 } else { 0 };
    (year, month, day)
}

const SCALE: u128 = 10_000;
/// Ten million, in ten-thousandths.
const LARGE: u128 = 10_000_000 * SCALE;
/// 1970-01-01 was a Thursday.
const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn averages_as_java_prints_them() {
        for (sum, count, text) in [
            (0, 0, "0.0"),
            (0, 7, "0.0"),
            (5, 1, "5.0"),
            (1, 3, "0.3333"),
            (2, 3, "0.6667"),
            (1, 8, "0.125"),
            (1, 10_000, "1.0E-4"),
            (9, 10_000, "9.0E-4"),
            (1, 1_000, "0.001"),
            (1, 20_000, "1.0E-4"),
            (1, 20_001, "0.0"),
            (9_999_999, 1, "9999999.0"),
            (10_000_000, 1, "1.0E7"),
            (123_456_789, 2, "6.17283945E7"),
        ] {
            assert_eq!(Average::ratio(sum, count).to_string(), text, "{sum}/{count}");
        }
    }

    #[test]
    fn dates_as_java_prints_them() {
        for (ms, text) in [
            (0, "Thu Jan 01 00:00:00 UTC 1970"),
            (1_795_365_486_185, "Sun Nov 22 16:38:06 UTC 2026"),
            (951_782_400_000, "Tue Feb 29 00:00:00 UTC 2000"),
            (4_107_542_399_999, "Sun Feb 28 23:59:59 UTC 2100"),
            (-1, "Wed Dec 31 23:59:59 UTC 1969"),
        ] {
            assert_eq!(Date(ms).to_string(), text);
        }
    }
}
