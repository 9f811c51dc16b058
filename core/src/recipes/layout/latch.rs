//! Names of Curator's `LeaderLatch`: `_c_<uuid>-latch-N10`, ephemeral sequential, data = the id
//! of the participant.
//!
//! The lowest number leads, the others watch their predecessor. Before it says "leader" the
//! caller reads the own node and compares `ephemeralOwner` with its session: a node of the
//! session before may still be visible (apache/curator #1211).

use super::position::{self, Position};
use super::protected::{Id, Style};
use super::sequence::{self, Sequence};

/// The name to create in ephemeral sequential mode.
///
/// ```
/// use quorate::recipes::layout::latch::{MARKER, contender, stem};
/// use quorate::recipes::layout::protected::Id;
///
/// let name = format!("{}0000000003", stem(Id(7)));
/// assert!(name.contains(MARKER));
/// assert_eq!(contender(&name).unwrap().0, 3);
/// ```
pub fn stem(id: Id) -> String {
    id.prefix(Style::Curator) + MARKER
}

/// The number of a participant's node; `None` for a foreign child.
///
/// ```
/// use quorate::recipes::layout::latch::contender;
///
/// assert_eq!(contender("latch-0000000003").unwrap().0, 3);
/// assert_eq!(contender("lock-0000000003"), None);
/// ```
pub fn contender(name: &str) -> Option<Sequence> {
    sequence::after(name, MARKER)
}

/// Where the node `mine` stands; [`Position::Held`] means leading.
///
/// ```
/// use quorate::recipes::layout::latch::position;
///
/// let names = ["latch-0000000003", "latch-0000000002"];
/// assert!(position(&names, "latch-0000000002").is_held());
/// ```
pub fn position<'a, S: AsRef<str>>(children: &'a [S], mine: &str) -> Position<'a> {
    position::position(children, &[mine], contender)
}

/// The participants in order of succession; the first one leads by convention.
///
/// ```
/// use quorate::recipes::layout::latch::participants;
///
/// let names = ["latch-0000000003", "foreign", "latch-0000000002"];
/// assert_eq!(participants(&names), ["latch-0000000002", "latch-0000000003"]);
/// ```
pub fn participants<S: AsRef<str>>(children: &[S]) -> Vec<&str> {
    position::participants(children, contender)
}

/// What stands before the number.
pub const MARKER: &str = "latch-";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_leads_and_each_watches_its_predecessor() {
        let name = |id: u128, number| format!("{}{}", stem(Id(id)), Sequence(number));
        assert_eq!(name(7, 3), "_c_00000000-0000-0000-0000-000000000007-latch-0000000003");
        // In the order of the ids, which is not the order of the numbers.
        let children = [name(1, 5), name(2, 3), name(3, 4), "_c_x-lock-0000000001".to_owned()];
        assert!(position(&children, &children[1]).is_held());
        assert_eq!(position(&children, &children[2]), Position::Wait(&children[1]));
        assert_eq!(position(&children, &children[0]), Position::Wait(&children[2]));
        assert_eq!(position(&children, &children[3]), Position::Missing);
        assert_eq!(participants(&children), [&children[1], &children[2], &children[0]]);
    }
}
