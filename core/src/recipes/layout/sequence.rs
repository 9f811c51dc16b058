//! The number that the server appends to the names of sequential nodes.
//!
//! ZooKeeper writes the parent's child counter, a signed 32-bit integer, as Java's `%010d`
//! (`PrepRequestProcessor#pRequest2TxnCreate`): ten digits, or a minus sign and nine or ten digits
//! once the counter has passed `i32::MAX`.
//!
//! **The end of the numbers.** The counter stops at `i32::MAX` (`DataTree#createNode`; our server does
//! the same): every create that follows is 2147483647 again, refused only if a node has that very
//! name. Apache's servers give -2147483648 and so on to creates that are under way at the same time.
//! None of these numbers says who came first, so a node that got one [orders nothing](Sequence::orders)
//! and gives up. Curator and kazoo compare the text, and let the negative ones in at once.
//!
//! **Order.** Numbers are compared by their wrapping distance: `b` comes after `a` if fewer than
//! 2^31 creates lie between them. So -2147483648 comes after 2147483647, and nobody overtakes a
//! holder from before the wrap-around. Plain comparison would grant the lock twice there.
//!
//! The counter restarts at 0 with a new parent: numbers order contenders, they are no tokens.

use std::fmt;

/// A sequence number. It has no [`Ord`]: see the module for what "before" means.
///
/// ```
/// use quorate::recipes::layout::sequence::Sequence;
///
/// assert!(Sequence(1).is_before(Sequence(2)));
/// assert_eq!(Sequence::parse("0000000012"), Some(Sequence(12)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sequence(pub i32);

impl Sequence {
    /// Reads a complete suffix, exactly as the server prints it; anything else is `None`.
    ///
    /// ```
    /// use quorate::recipes::layout::sequence::Sequence;
    ///
    /// assert_eq!(Sequence::parse("0000000012"), Some(Sequence(12)));
    /// assert_eq!(Sequence::parse("12"), None);
    /// ```
    pub fn parse(suffix: &str) -> Option<Self> {
        let negative = suffix.strip_prefix('-');
        let digits = negative.unwrap_or(suffix);
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let number: i32 = suffix.parse().ok()?;
        let canonical = match (negative.is_some(), digits.len()) {
            (false, 10) => true,
            (true, 9) => number < 0,
            (true, 10) => number <= -1_000_000_000,
            _ => false,
        };
        canonical.then_some(Self(number))
    }

    /// Whether the number says when its node was created. The last one, and those behind it, are given out more than once.
    ///
    /// ```
    /// use quorate::recipes::layout::sequence::Sequence;
    ///
    /// assert!(Sequence(12).orders() && !Sequence(i32::MAX).orders());
    /// ```
    pub fn orders(self) -> bool {
        (0..i32::MAX).contains(&self.0)
    }

    /// Whether this number was given out before `other`.
    ///
    /// ```
    /// use quorate::recipes::layout::sequence::Sequence;
    ///
    /// assert!(Sequence(9).is_before(Sequence(10)) && !Sequence(10).is_before(Sequence(10)));
    /// ```
    pub fn is_before(self, other: Self) -> bool {
        other.distance_from(self) > 0
    }

    /// Creates between `earlier` and this number; negative if `earlier` is the later one.
    ///
    /// ```
    /// use quorate::recipes::layout::sequence::Sequence;
    ///
    /// assert_eq!(Sequence(10).distance_from(Sequence(7)), 3);
    /// assert_eq!(Sequence(7).distance_from(Sequence(10)), -3);
    /// ```
    pub fn distance_from(self, earlier: Self) -> i32 {
        self.0.wrapping_sub(earlier.0)
    }
}

impl fmt::Display for Sequence {
    /// The suffix as the server writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:010}", self.0)
    }
}

/// The number directly after the last `marker` in `name`, if nothing else follows.
///
/// The way to read a name whose marker is known: no dash of the marker is taken for a sign.
///
/// ```
/// use quorate::recipes::layout::sequence::after;
///
/// assert_eq!(after("lock-0000000012", "lock-").unwrap().0, 12);
/// assert_eq!(after("0000000012", "lock-"), None);
/// ```
pub fn after(name: &str, marker: &str) -> Option<Sequence> {
    if marker.bytes().next_back().is_none_or(|last| last.is_ascii_digit()) {
        return Sequence::parse(name.rsplit_once(marker)?.1);
    }
    // The marker ends before the digits: nothing has to be searched, and a lock's contenders look at each other's names a lot.
    let digits = name.bytes().rev().take_while(u8::is_ascii_digit).count();
    let before = name.get(..name.len().checked_sub(digits)?)?;
    let is_stem = |stem: &&str| stem.ends_with(marker);
    let stem = Some(before).filter(is_stem);
    let stem = stem.or_else(|| before.strip_suffix('-').filter(is_stem))?;
    Sequence::parse(name.get(stem.len()..)?)
}

/// Cuts the number off the end of a name with an unknown stem.
///
/// A dash before ten digits can be the end of the stem or a sign. It is a sign if the digits
/// exceed `i32::MAX`, if only nine follow it, or if another dash stands before it, because stems
/// end in a dash by custom. Use [`after`] where the marker is known.
///
/// ```
/// use quorate::recipes::layout::sequence::split;
///
/// let (stem, number) = split("job-0000000012").unwrap();
/// assert_eq!((stem, number.0), ("job-", 12));
/// ```
pub fn split(name: &str) -> Option<(&str, Sequence)> {
    let digits = name.bytes().rev().take_while(u8::is_ascii_digit).take(10).count();
    let at = name.len().checked_sub(digits)?;
    let (before, plain) = name.split_at_checked(at)?;
    let signed = before
        .strip_suffix('-')
        .and_then(|stem| Some((stem, Sequence::parse(name.get(stem.len()..)?)?)));
    let unsigned = Sequence::parse(plain).map(|number| (before, number));
    match (signed, unsigned) {
        (Some((stem, number)), Some(_)) if stem.ends_with('-') => Some((stem, number)),
        (_, Some(found)) | (Some(found), None) => Some(found),
        (None, None) => None,
    }
}

/// Sorts by number, oldest first, keeping the order of equal numbers.
///
/// Right as long as all items lie within 2^31 creates of each other.
///
/// ```
/// use quorate::recipes::layout::sequence::{sort_by_number, split};
///
/// let mut names = vec!["b-0000000001", "a-0000000002"];
/// sort_by_number(&mut names, |name| split(name).unwrap().1);
/// assert_eq!(names[0], "b-0000000001");
/// ```
pub fn sort_by_number<T>(items: &mut [T], number: impl Fn(&T) -> Sequence) {
    let Some(pivot) = items.first().map(&number) else { return };
    items.sort_by_key(|item| number(item).distance_from(pivot));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipes::layout::testing::Random;

    #[test]
    fn suffixes_as_the_server_prints_them() {
        for (number, text) in [
            (0, "0000000000"),
            (42, "0000000042"),
            (i32::MAX, "2147483647"),
            (i32::MIN, "-2147483648"),
            (-1_000_000_000, "-1000000000"),
            (-999_999_999, "-999999999"),
            (-1, "-000000001"),
        ] {
            assert_eq!(Sequence(number).to_string(), text);
            assert_eq!(Sequence::parse(text), Some(Sequence(number)), "{text}");
        }
        for text in [
            "",
            "-",
            "1",
            "000000001",
            "00000000001",
            "+000000001",
            "2147483648",
            "-2147483649",
            "-0000000001",
            "-000000000",
            "00000000a1",
            "٠٠٠٠٠٠٠٠٠١",
        ] {
            assert_eq!(Sequence::parse(text), None, "{text}");
        }
    }

    #[test]
    fn cuts_the_number_off() {
        for (name, stem, number) in [
            ("lock-0000000007", "lock-", 7),
            ("n_0000000007", "n_", 7),
            ("0000000007", "", 7),
            ("host1-2147483648", "host1", i32::MIN),
            ("host1--2147483648", "host1-", i32::MIN),
            ("host1--1000000000", "host1-", -1_000_000_000),
            ("host1-1000000000", "host1-", 1_000_000_000),
            ("host1--000000001", "host1-", -1),
            ("é0000000007", "é", 7),
            ("v12340000000007", "v1234", 7),
        ] {
            assert_eq!(split(name), Some((stem, Sequence(number))), "{name}");
        }
        for name in ["", "lock-", "lock-7", "lock-000000007x", "9999999999"] {
            assert_eq!(split(name), None, "{name}");
        }
    }

    #[test]
    fn reads_the_number_after_a_marker() {
        assert_eq!(after("a-lock-0000000007", "lock-"), Some(Sequence(7)));
        assert_eq!(after("lock-lock-0000000007", "lock-"), Some(Sequence(7)));
        assert_eq!(after("lock--1000000000", "lock-"), Some(Sequence(-1_000_000_000)));
        assert_eq!(after("lock-1000000000", "lock-"), Some(Sequence(1_000_000_000)));
        assert_eq!(after("lock-x0000000007", "lock-"), None);
        assert_eq!(after("0000000007", "lock-"), None);
    }

    #[test]
    fn order_survives_the_wrap_around() {
        let ages = [2_147_483_646, i32::MAX, i32::MIN, i32::MIN + 1];
        for pair in ages.windows(2) {
            assert!(Sequence(pair[0]).is_before(Sequence(pair[1])));
            assert!(!Sequence(pair[1]).is_before(Sequence(pair[0])));
        }
        assert!(Sequence(-1).is_before(Sequence(0)));
        assert!(!Sequence(5).is_before(Sequence(5)));

        assert!(Sequence(0).orders() && Sequence(i32::MAX - 1).orders());
        assert!(!Sequence(i32::MAX).orders() && !Sequence(i32::MIN).orders());

        let mut shuffled = [i32::MIN, 2_147_483_646, i32::MIN + 1, i32::MAX].map(Sequence);
        sort_by_number(&mut shuffled, |number| *number);
        assert_eq!(shuffled, ages.map(Sequence));
    }

    #[test]
    fn any_text_is_read_without_a_panic() {
        let mut random = Random::new(1);
        for _ in 0..20_000 {
            let text = random.text(&["-", "--", "0000000001", "2147483648", "lock-", "é"]);
            if let Some((stem, number)) = split(&text) {
                assert_eq!(format!("{stem}{number}"), text);
            }
            if let Some(number) = after(&text, "lock-") {
                assert!(text.ends_with(&format!("lock-{number}")));
            }
            for marker in ["lock-", "-", "--", "é", "0", "-0", ""] {
                let searched =
                    text.rsplit_once(marker).and_then(|(_, suffix)| Sequence::parse(suffix));
                assert_eq!(after(&text, marker), searched, "{text} {marker}");
            }
        }
    }
}
