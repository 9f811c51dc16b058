//! Names of members of a group, all ephemeral.
//!
//! Curator's `GroupMember` names the node by the member's id and keeps a payload in it. kazoo's
//! `Party` writes `<hex>__party__` with the identifier as data; only such names count. kazoo's
//! `ShallowParty` writes `<hex>-<identifier>`. Curator counts every child of a group, and kazoo every
//! one of a shallow party; we count no persistent ones.

use super::protected::{Id, Style, split};

/// The name of a member of kazoo's `Party`.
///
/// ```
/// use quorate::recipes::layout::member::{party, party_members};
/// use quorate::recipes::layout::protected::Id;
///
/// let name = format!("{}0000000001", party(Id(7)));
/// assert_eq!(party_members(&[name.as_str(), "foreign"]), [name.as_str()]);
/// ```
pub fn party(id: Id) -> String {
    id.hex() + PARTY
}

/// The members of a `Party` among the children; the identifiers are their data.
///
/// ```
/// assert!(quorate::recipes::layout::member::party_members(&["foreign"]).is_empty());
/// ```
pub fn party_members<S: AsRef<str>>(children: &[S]) -> Vec<&str> {
    children.iter().map(AsRef::as_ref).filter(|name| name.contains(PARTY)).collect()
}

/// The name of a member of kazoo's `ShallowParty`. The identifier becomes part of a path: the
/// client refuses one with a slash.
///
/// ```
/// use quorate::recipes::layout::member::{shallow, shallow_identifier};
/// use quorate::recipes::layout::protected::Id;
///
/// assert_eq!(shallow_identifier(&shallow(Id(7), "worker-1")), "worker-1");
/// ```
pub fn shallow(id: Id, identifier: &str) -> String {
    format!("{}-{identifier}", id.hex())
}

/// The identifier of a member of a `ShallowParty`: what follows the first dash, or all.
///
/// ```
/// use quorate::recipes::layout::member::shallow_identifier;
///
/// assert_eq!(shallow_identifier("00000000000000000000000000000007-web"), "web");
/// ```
pub fn shallow_identifier(name: &str) -> &str {
    name.split_once('-').map_or(name, |(_, identifier)| identifier)
}

/// Whether the child with this name is a member of a `ShallowParty`, as far as the name says it. `None`
/// of a name that kazoo does not give: a member if it is ephemeral, and foreign if not.
///
/// ```
/// use quorate::recipes::layout::member::{is_shallow, shallow};
/// use quorate::recipes::layout::protected::Id;
///
/// assert_eq!(is_shallow(&shallow(Id(7), "worker-1")), Some(true));
/// assert_eq!(is_shallow("worker-1"), None);
/// ```
pub fn is_shallow(name: &str) -> Option<bool> {
    let (style, _, rest) = split(name)?;
    (style == Style::Kazoo && rest.starts_with('-')).then_some(true)
}

/// What kazoo's party names end in.
const PARTY: &str = "__party__";
/// Child by which Curator's `PersistentTtlNode` keeps its parent from expiring.
///
/// ```
/// // What a node with a time to live is kept by: its child.
/// assert_eq!(format!("/seen/{}", quorate::recipes::layout::member::TOUCH), "/seen/touch");
/// ```
pub const TOUCH: &str = "touch";

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "00000000000000000000000000000007";

    #[test]
    fn only_marked_names_are_in_the_party() {
        assert_eq!(party(Id(7)), format!("{HEX}__party__"));
        let children = [party(Id(7)), "noise".to_owned(), "x__party__y".to_owned()];
        assert_eq!(party_members(&children), [&children[0], &children[2]]);
    }

    #[test]
    fn shallow_names_carry_the_identifier() {
        assert_eq!(shallow(Id(7), "h-1"), format!("{HEX}-h-1"));
        assert_eq!(shallow_identifier(&shallow(Id(7), "h-1")), "h-1");
        assert_eq!(shallow_identifier("noise"), "noise");
        assert_eq!(shallow_identifier("-"), "");
    }

    #[test]
    fn names_tell_members_of_a_shallow_party() {
        assert_eq!(is_shallow(&shallow(Id(7), "")), Some(true));
        for name in [HEX, "noise", "a-b", "", &party(Id(7)), &Id(7).prefix(Style::Go)] {
            assert_eq!(is_shallow(name), None, "{name}");
        }
    }
}
