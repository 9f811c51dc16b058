//! Names of barriers, and the steps of leaving a double barrier.
//!
//! A barrier is closed while its node exists (Curator `DistributedBarrier`, kazoo `Barrier`). The
//! members of a double barrier are ephemeral children, `<uuid>` by Curator's
//! `DistributedDoubleBarrier` and `<hex>` by kazoo's `DoubleBarrier`; whoever sees enough of them
//! creates the child `ready`. Both count every child when entering, `ready` too, and Curator all but
//! `ready` when leaving. We count members only: [`is_member`].

use super::protected::Id;

/// Whose form a member's name takes. Members of both kinds count for each other.
///
/// ```
/// use quorate::recipes::layout::barrier::{Style, member};
/// use quorate::recipes::layout::protected::Id;
///
/// assert_ne!(member(Style::Curator, Id(7)), member(Style::Kazoo, Id(7)));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Style {
    /// `<uuid>`
    #[default]
    Curator,
    /// `<hex>`
    Kazoo,
}

/// What a member has to do next in order to leave.
///
/// ```
/// use quorate::recipes::layout::barrier::{Leave, leave};
///
/// assert_eq!(leave::<&str>(&[], "mine"), Leave::Done);
/// assert_eq!(leave(&["mine"], "mine"), Leave::Delete);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave<'a> {
    /// All are gone: left.
    Done,
    /// The last one, delete the own node.
    Delete,
    /// The lowest stays until the others went: watch this one, the highest.
    Wait(&'a str),
    /// Delete the own node, if it is still there, then watch this one, the lowest.
    DeleteAndWait(&'a str),
}

/// The name of a member's node.
///
/// ```
/// use quorate::recipes::layout::barrier::{Style, member, members};
/// use quorate::recipes::layout::protected::Id;
///
/// let mine = member(Style::Curator, Id(7));
/// assert_eq!(members(&[mine.as_str()]), [mine.as_str()]);
/// ```
pub fn member(style: Style, id: Id) -> String {
    match style {
        Style::Curator => id.dashed(),
        Style::Kazoo => id.hex(),
    }
}

/// Whether the child with this name is a member, as far as the name says it: Curator's and kazoo's
/// names are members', `ready` is none. `None` of any other name: a member if it is ephemeral, and
/// foreign if not.
///
/// ```
/// use quorate::recipes::layout::barrier::{READY, Style, is_member, member};
/// use quorate::recipes::layout::protected::Id;
///
/// assert_eq!(is_member(&member(Style::Kazoo, Id(7))), Some(true));
/// assert_eq!(is_member(READY), Some(false));
/// assert_eq!(is_member("config"), None);
/// ```
pub fn is_member(name: &str) -> Option<bool> {
    if name == READY {
        return Some(false);
    }
    Id::parse(name).map(|_| true)
}

/// The members, sorted: all children but `ready`, when foreign ones have been left out ([`is_member`]).
///
/// ```
/// use quorate::recipes::layout::barrier::{READY, members};
///
/// assert_eq!(members(&["a", READY, "b"]), ["a", "b"]);
/// ```
pub fn members<S: AsRef<str>>(children: &[S]) -> Vec<&str> {
    let mut members: Vec<&str> =
        children.iter().map(AsRef::as_ref).filter(|name| *name != READY).collect();
    members.sort_unstable();
    members
}

/// Whether `needed` members have entered, when foreign children have been left out.
///
/// ```
/// use quorate::recipes::layout::barrier::is_full;
///
/// assert!(!is_full(&["a"], 2) && is_full(&["a", "b"], 2));
/// ```
pub fn is_full<S: AsRef<str>>(children: &[S], needed: usize) -> bool {
    children.iter().filter(|name| name.as_ref() != READY).count() >= needed
}

/// The next step of the member `mine`. List again after each.
///
/// ```
/// use quorate::recipes::layout::barrier::{Leave, leave};
///
/// // Somebody else is still there: not the last one.
/// assert!(matches!(leave(&["a", "b"], "a"), Leave::Wait(_) | Leave::DeleteAndWait(_)));
/// ```
pub fn leave<'a, S: AsRef<str>>(children: &'a [S], mine: &str) -> Leave<'a> {
    match members(children).as_slice() {
        [] => Leave::Done,
        [only] if *only == mine => Leave::Delete,
        [lowest, .., highest] if *lowest == mine => Leave::Wait(highest),
        [lowest, ..] => Leave::DeleteAndWait(lowest),
    }
}

/// The node that opens a double barrier.
pub const READY: &str = "ready";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_is_no_member() {
        let children = ["ready", "b", "a"];
        assert_eq!(members(&children), ["a", "b"]);
        assert!(is_full(&children, 2));
        assert!(!is_full(&children, 3));
        assert_eq!(member(Style::Curator, Id(7)), "00000000-0000-0000-0000-000000000007");
        assert_eq!(member(Style::Kazoo, Id(7)), "00000000000000000000000000000007");
    }

    #[test]
    fn names_tell_members_from_ready() {
        for style in [Style::Curator, Style::Kazoo] {
            assert_eq!(is_member(&member(style, Id(7))), Some(true));
        }
        for (name, said) in [(READY, Some(false)), ("config", None), ("", None), ("é", None)] {
            assert_eq!(is_member(name), said, "{name}");
        }
    }

    #[test]
    fn steps_of_leaving() {
        for (children, mine, step) in [
            (&["ready", "a", "b", "c"][..], "a", Leave::Wait("c")),
            (&["a", "b", "c"], "b", Leave::DeleteAndWait("a")),
            (&["c", "a"], "b", Leave::DeleteAndWait("a")),
            (&["b"], "a", Leave::DeleteAndWait("b")),
            (&["a", "ready"], "a", Leave::Delete),
            (&["ready"], "a", Leave::Done),
            (&[], "a", Leave::Done),
        ] {
            assert_eq!(leave(children, mine), step, "{children:?} {mine}");
        }
    }

    /// Every member follows its steps; nobody waits for ever.
    #[test]
    fn all_members_get_out() {
        let all = ["a", "b", "c", "d"];
        let mut present: Vec<&str> = vec!["d", "b", "a", "c", "ready"];
        for _ in 0..all.len() {
            for mine in all {
                if matches!(leave(&present, mine), Leave::Delete | Leave::DeleteAndWait(_)) {
                    present.retain(|name| *name != mine);
                }
            }
        }
        assert_eq!(present, ["ready"]);
    }
}
