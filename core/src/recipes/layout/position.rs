//! Where a contender stands in a directory of sequential nodes, and the one node to watch.
//!
//! The shared answer of [`lock`](super::lock), [`read_write`](super::read_write),
//! [`latch`](super::latch) and [`election`](super::election). Each gives its own rule for what
//! counts as a contender; names without one are neither counted nor an obstacle. Every wait is
//! for a lower number, so that no two contenders wait for each other.

use super::sequence::{Sequence, sort_by_number};

/// The state of a contender, from one listing of the directory.
///
/// ```
/// use quorate::recipes::layout::position::Position;
///
/// assert!(Position::Held.is_held() && !Position::Wait("n-1").is_held());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position<'a> {
    /// Nobody blocks: the lock is held, or the contender leads. Only as good as the session.
    Held,
    /// Watch this child, the nearest predecessor that blocks, and list again when it goes.
    Wait(&'a str),
    /// An own node is not among the children, or its name is none of this recipe: create anew.
    Missing,
    /// The directory has given out all its numbers, see [`sequence`](super::sequence): nobody can tell any more who came first.
    Exhausted,
}

impl Position<'_> {
    /// Whether nobody blocks.
    ///
    /// ```
    /// use quorate::recipes::layout::position::Position;
    ///
    /// assert!(Position::Held.is_held());
    /// assert!(!Position::Missing.is_held() && !Position::Wait("n-0000000001").is_held());
    /// ```
    pub fn is_held(&self) -> bool {
        matches!(self, Self::Held)
    }
}

/// The position of `mine` among the children whose number `contender` can read.
///
/// With several own names (made in one multi) the lowest of them counts.
///
/// ```
/// use quorate::recipes::layout::position::{Position, position};
/// use quorate::recipes::layout::sequence::after;
///
/// let names = ["n-0000000001", "n-0000000002", "n-0000000003"];
/// let contender = |name: &str| after(name, "n-");
/// // One predecessor is watched: no herd.
/// assert_eq!(position(&names, &["n-0000000003"], contender), Position::Wait("n-0000000002"));
/// ```
pub fn position<'a, S: AsRef<str>>(
    children: &'a [S],
    mine: &[&str],
    contender: impl Fn(&str) -> Option<Sequence>,
) -> Position<'a> {
    let Some(number) = lowest_of_mine(children, mine, &contender) else {
        return Position::Missing;
    };
    if !all_order(mine, &contender) {
        return Position::Exhausted;
    }
    let blocking = children
        .iter()
        .map(AsRef::as_ref)
        .filter(|name| !mine.contains(name))
        .filter_map(|name| Some((name, number.distance_from(contender(name)?))))
        .filter(|&(_, distance)| distance > 0)
        .min_by_key(|&(_, distance)| distance);
    blocking.map_or(Position::Held, |(name, _)| Position::Wait(name))
}

/// The contenders, oldest first. By convention the first one holds the lock or leads.
///
/// ```
/// use quorate::recipes::layout::position::participants;
/// use quorate::recipes::layout::sequence::after;
///
/// let names = ["n-0000000002", "foreign", "n-0000000001"];
/// assert_eq!(participants(&names, |name| after(name, "n-")), ["n-0000000001", "n-0000000002"]);
/// ```
pub fn participants<S: AsRef<str>>(
    children: &[S],
    contender: impl Fn(&str) -> Option<Sequence>,
) -> Vec<&str> {
    let mut found: Vec<(&str, Sequence)> = children
        .iter()
        .map(AsRef::as_ref)
        .filter_map(|name| Some((name, contender(name)?)))
        .collect();
    sort_by_number(&mut found, |&(_, number)| number);
    found.into_iter().map(|(name, _)| name).collect()
}

/// The lowest number of the own names, if all of them are present and readable.
pub(super) fn lowest_of_mine<S: AsRef<str>>(
    children: &[S],
    mine: &[&str],
    contender: impl Fn(&str) -> Option<Sequence>,
) -> Option<Sequence> {
    let mut lowest: Option<Sequence> = None;
    for name in mine {
        if !children.iter().any(|child| child.as_ref() == *name) {
            return None;
        }
        let number = contender(name)?;
        lowest = Some(lowest.filter(|low| low.is_before(number)).unwrap_or(number));
    }
    lowest
}

/// Whether all own numbers say when their nodes were created.
pub(super) fn all_order(mine: &[&str], contender: impl Fn(&str) -> Option<Sequence>) -> bool {
    mine.iter().filter_map(|name| contender(name)).all(Sequence::orders)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipes::layout::sequence;
    use crate::recipes::layout::testing::Random;

    #[test]
    fn watches_the_nearest_and_not_the_first() {
        let children = ["b-0000000003", "b-0000000001", "b-0000000002", "noise"];
        let read = |name: &str| sequence::after(name, "b-");
        assert_eq!(position(&children, &["b-0000000003"], read), Position::Wait("b-0000000002"));
        assert_eq!(position(&children, &["b-0000000001"], read), Position::Held);
        assert_eq!(position(&children, &["b-0000000009"], read), Position::Missing);
        assert_eq!(position(&children, &["noise"], read), Position::Missing);
        assert_eq!(position(&children, &[], read), Position::Missing);
        assert_eq!(participants(&children, read), ["b-0000000001", "b-0000000002", "b-0000000003"]);
    }

    #[test]
    fn exactly_one_holds_and_every_waiter_has_its_own_node() {
        let mut random = Random::new(2);
        let read = |name: &str| sequence::after(name, "b-");
        for _ in 0..500 {
            let start = i32::from_be_bytes(random.array()).unsigned_abs() >> 2;
            let start = i32::try_from(start).unwrap();
            let mut names: Vec<String> = (0..9)
                .take(1 + random.below(9))
                .map(|index| format!("b-{}", Sequence(start + index * 3)))
                .collect();
            let turn = random.below(names.len());
            names.rotate_left(turn);
            let mut watched: Vec<&str> = Vec::new();
            for name in &names {
                if let Position::Wait(other) = position(&names, &[name], read) {
                    watched.push(other);
                }
            }
            watched.sort_unstable();
            watched.dedup();
            assert_eq!(watched.len(), names.len() - 1, "{names:?}");
        }
    }

    /// As Apache's servers number the last ones: two of them with one number, and one from before a holder's.
    #[test]
    fn numbers_that_are_given_out_twice_grant_nothing() {
        let read = |name: &str| sequence::after(name, "x");
        for mine in ["bx2147483647", "bx-2147483648", "bx-000000001"] {
            for others in [&[][..], &["ax2147483647"], &["ax-2147483648"], &["ax2147483646"]] {
                let children: Vec<&str> = others.iter().copied().chain([mine]).collect();
                assert_eq!(position(&children, &[mine], read), Position::Exhausted, "{children:?}");
            }
        }
        // Who came before goes on, whatever follows.
        let children = ["bx2147483646", "ax-2147483648", "ax2147483647", "cx2147483645"];
        assert_eq!(position(&children, &[children[0]], read), Position::Wait(children[3]));
        assert_eq!(position(&children[..3], &[children[0]], read), Position::Held);
    }
}
