//! Who takes which items of a set: the rule of kazoo's `SetPartitioner`.
//!
//! Members and items are sorted; of n members, the one at place i takes items i, i + n, i + 2n, …
//! All members must use the same items. Layout: a shallow party at `<path>/party`, a kazoo lock
//! per item at `<path>/locks/<item>`; a member owns an item only while it holds that lock.

/// The items of the member `me`; `None` if it is not among the members. A name that several
/// members share counts at its first place.
///
/// ```
/// use quorate::recipes::layout::partition::share;
///
/// let items = ["i1", "i2", "i3"];
/// assert_eq!(share(&["a", "b"], &items, "a"), Some(vec!["i1", "i3"]));
/// assert_eq!(share(&["a", "b"], &items, "b"), Some(vec!["i2"]));
/// assert_eq!(share(&["a", "b"], &items, "c"), None);
/// ```
pub fn share<'a>(members: &[&str], items: &[&'a str], me: &str) -> Option<Vec<&'a str>> {
    let mut members = members.to_vec();
    members.sort_unstable();
    let place = members.iter().position(|member| *member == me)?;
    let mut items = items.to_vec();
    items.sort_unstable();
    Some(items.into_iter().skip(place).step_by(members.len()).collect())
}

/// Directory of the party.
///
/// ```
/// use quorate::recipes::layout::partition::{LOCKS, PARTY};
///
/// // Members, and the locks of what each has.
/// assert_eq!((format!("/shards/{PARTY}"), format!("/shards/{LOCKS}")), ("/shards/party".into(), "/shards/locks".into()));
/// ```
pub const PARTY: &str = "party";
/// Directory of the locks.
pub const LOCKS: &str = "locks";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_goes_to_one_member() {
        let items = ["e", "a", "c", "b", "d"];
        let members = ["m2", "m1"];
        assert_eq!(share(&members, &items, "m1").unwrap(), ["a", "c", "e"]);
        assert_eq!(share(&members, &items, "m2").unwrap(), ["b", "d"]);
        assert_eq!(share(&members, &items, "m3"), None);
        assert_eq!(share(&[], &items, "m3"), None);
        assert_eq!(share(&["x", "y", "z"], &["1"], "z").unwrap(), [""; 0]);
    }
}
