//! Node names of semaphores in Curator's and kazoo's layout, and which of them a path has.
//!
//! | | Curator `InterProcessSemaphoreV2`, `InterProcessSemaphoreMutex` | kazoo `Semaphore` |
//! |---|---|---|
//! | entry lock | mutex at `<path>/locks` | lock at `<path>-__lock__`, a sibling |
//! | lease | `<path>/leases/_c_<uuid>-lease-N10`, ephemeral sequential | `<path>/<hex>`, ephemeral |
//! | limit | agreed by the callers, or a shared count | decimal text in the data of `<path>` |
//!
//! On one path the two damage each other: both grant leases, and kazoo counts Curator's two
//! directories as two leases. [`Layout::of`] tells what is there, [`Layout::permits`] refuses.

use thiserror::Error;

use super::protected::{Id, Style};
use super::sequence::{self, Sequence};

/// Who keeps a semaphore's leases in which place.
///
/// ```
/// use quorate::recipes::layout::semaphore::Kind;
///
/// assert_ne!(Kind::Curator, Kind::Kazoo);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `<path>/locks` and `<path>/leases`.
    #[default]
    Curator,
    /// `<path>-__lock__` and `<path>/<hex>`.
    Kazoo,
}

/// What data and children of a path show.
///
/// ```
/// use quorate::recipes::layout::semaphore::{Kind, Layout};
///
/// let fresh = Layout::of::<&str>(b"", &[]);
/// assert!(fresh.permits(Kind::Curator).is_ok() && fresh.permits(Kind::Kazoo).is_ok());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Curator's directories are there.
    pub curator: bool,
    /// kazoo's limit or its leases are there.
    pub kazoo: bool,
    /// kazoo's limit, if the data is a number.
    pub limit: Option<u32>,
}

/// The path belongs to a semaphore of the other layout.
///
/// ```
/// use quorate::recipes::layout::semaphore::{Kind, LEASES, LOCKS, Layout};
///
/// let foreign = Layout::of(b"", &[LEASES, LOCKS]).permits(Kind::Kazoo).unwrap_err();
/// assert_eq!((foreign.wanted, foreign.found), (Kind::Kazoo, Kind::Curator));
/// ```
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error(
    "the path holds a semaphore in the layout of {found:?}, not of {wanted:?}: both would grant \
     leases beside each other; use another path, or the layout that is there"
)]
pub struct ForeignLayout {
    /// What the caller uses.
    pub wanted: Kind,
    /// What the path holds, perhaps besides.
    pub found: Kind,
}

impl Layout {
    /// Judges a path by its data and its children.
    pub fn of<S: AsRef<str>>(data: &[u8], children: &[S]) -> Self {
        let limit = parse_limit(data);
        let mut names = children.iter().map(AsRef::as_ref);
        Self {
            curator: names.clone().any(|name| name == LOCKS || name == LEASES),
            kazoo: limit.is_some() || names.any(is_kazoo_lease),
            limit,
        }
    }

    ///
    /// ```
    /// use quorate::recipes::layout::semaphore::{Kind, Layout};
    ///
    /// let kazoo = Layout::of::<&str>(b"3", &[]);
    /// assert!(kazoo.permits(Kind::Kazoo).is_ok());
    /// assert_eq!(kazoo.permits(Kind::Curator).unwrap_err().found, Kind::Kazoo);
    /// ```
    ///
    /// # Errors
    /// The path already holds the other layout.
    pub fn permits(self, wanted: Kind) -> Result<(), ForeignLayout> {
        match (wanted, self.curator, self.kazoo) {
            (Kind::Curator, _, true) => Err(ForeignLayout { wanted, found: Kind::Kazoo }),
            (Kind::Kazoo, true, _) => Err(ForeignLayout { wanted, found: Kind::Curator }),
            _ => Ok(()),
        }
    }
}

impl Kind {
    /// Path of the entry lock. Its nodes are named as [`lock`](super::lock) says.
    ///
    /// ```
    /// use quorate::recipes::layout::semaphore::Kind;
    ///
    /// assert_eq!(Kind::Curator.entry_lock("/s"), "/s/locks");
    /// assert_eq!(Kind::Kazoo.entry_lock("/s"), "/s-__lock__");
    /// ```
    pub fn entry_lock(self, path: &str) -> String {
        match self {
            Self::Curator => format!("{path}/{LOCKS}"),
            Self::Kazoo => format!("{path}-__lock__"),
        }
    }

    /// Path of the node whose children are the leases.
    ///
    /// ```
    /// use quorate::recipes::layout::semaphore::{Kind, LEASES, LOCKS};
    ///
    /// assert_eq!(Kind::Curator.leases("/s"), format!("/s/{LEASES}"));
    /// assert_eq!(Kind::Curator.entry_lock("/s"), format!("/s/{LOCKS}"));
    /// assert_eq!(Kind::Kazoo.leases("/s"), "/s");
    /// ```
    pub fn leases(self, path: &str) -> String {
        match self {
            Self::Curator => format!("{path}/{LEASES}"),
            Self::Kazoo => path.to_owned(),
        }
    }

    /// Name of a lease; sequential for Curator, complete for kazoo.
    ///
    /// ```
    /// use quorate::recipes::layout::{protected::Id, semaphore::{Kind, lease_number}};
    ///
    /// assert_eq!(Kind::Kazoo.lease(Id(7)), Id(7).hex());
    /// assert!(lease_number(&format!("{}0000000001", Kind::Curator.lease(Id(7)))).is_some());
    /// ```
    pub fn lease(self, id: Id) -> String {
        match self {
            Self::Curator => id.prefix(Style::Curator) + LEASE,
            Self::Kazoo => id.prefix(Style::Kazoo),
        }
    }

    /// How many of the children are leases. Curator and kazoo themselves count every child.
    ///
    /// ```
    /// use quorate::recipes::layout::semaphore::Kind;
    ///
    /// let names = ["_c_00000000-0000-0000-0000-000000000007-lease-0000000001", "foreign"];
    /// assert_eq!(Kind::Curator.count(&names), 1);
    /// ```
    pub fn count<S: AsRef<str>>(self, children: &[S]) -> usize {
        let names = children.iter().map(AsRef::as_ref);
        match self {
            Self::Curator => names.filter(|name| lease_number(name).is_some()).count(),
            Self::Kazoo => names.filter(|name| is_kazoo_lease(name)).count(),
        }
    }
}

/// The number of a lease of Curator; the order in which leases were granted.
///
/// ```
/// assert_eq!(quorate::recipes::layout::semaphore::lease_number("foreign"), None);
/// ```
pub fn lease_number(name: &str) -> Option<Sequence> {
    sequence::after(name, LEASE)
}

/// kazoo's limit; `None` if the data is no number, which kazoo ignores too.
///
/// ```
/// use quorate::recipes::layout::semaphore::{limit_data, parse_limit};
///
/// assert_eq!(parse_limit(&limit_data(3)), Some(3));
/// assert_eq!(parse_limit(b"many"), None);
/// ```
pub fn parse_limit(data: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(data).ok()?.trim();
    text.parse().ok()
}

/// kazoo's limit as it writes it.
///
/// ```
/// assert_eq!(quorate::recipes::layout::semaphore::limit_data(3), b"3");
/// ```
pub fn limit_data(limit: u32) -> Vec<u8> {
    limit.to_string().into_bytes()
}

fn is_kazoo_lease(name: &str) -> bool {
    name.len() == 32 && Id::parse(name).is_some()
}

/// Curator's directory of the entry lock.
pub const LOCKS: &str = "locks";
/// Curator's directory of the leases.
pub const LEASES: &str = "leases";
/// What stands before the number of Curator's leases.
const LEASE: &str = "lease-";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipes::layout::testing::Random;

    const HEX: &str = "53345f9894234e0ca7b59f819e3ec2e1";

    #[test]
    fn names_of_both_layouts() {
        let uuid = "00000000-0000-0000-0000-000000000007";
        assert_eq!(Kind::Curator.entry_lock("/s"), "/s/locks");
        assert_eq!(Kind::Curator.leases("/s"), "/s/leases");
        assert_eq!(Kind::Curator.lease(Id(7)), format!("_c_{uuid}-lease-"));
        assert_eq!(Kind::Kazoo.entry_lock("/s"), "/s-__lock__");
        assert_eq!(Kind::Kazoo.leases("/s"), "/s");
        assert_eq!(Kind::Kazoo.lease(Id(7)), "00000000000000000000000000000007");
        let children = ["_c_x-lease-0000000003", "noise", HEX, "locks"];
        assert_eq!(Kind::Curator.count(&children), 1);
        assert_eq!(Kind::Kazoo.count(&children), 1);
        assert_eq!(lease_number(children[0]), Some(Sequence(3)));
        assert_eq!(limit_data(12), b"12");
    }

    #[test]
    fn refuses_the_other_layout() {
        let both = [Kind::Curator, Kind::Kazoo];
        for (data, children, permitted) in [
            (&b""[..], &[][..], &both[..]),
            (b"10.0.0.1", &["noise"], &both),
            (b"", &["locks"], &[Kind::Curator]),
            (b"", &["leases", "locks"], &[Kind::Curator]),
            (b"3", &[], &[Kind::Kazoo]),
            (b" 3\n", &[], &[Kind::Kazoo]),
            (b"", &[HEX], &[Kind::Kazoo]),
            (b"3", &["leases"], &[]),
        ] {
            let layout = Layout::of(data, children);
            for kind in both {
                let expected = permitted.contains(&kind);
                assert_eq!(layout.permits(kind).is_ok(), expected, "{data:?} {children:?}");
            }
        }
        let message = Layout::of(b"3", &["x"]).permits(Kind::Curator).unwrap_err().to_string();
        assert!(message.contains("layout of Kazoo"), "{message}");
        assert_eq!(Layout::of(b"3", &["x"]).limit, Some(3));
    }

    #[test]
    fn any_data_is_judged_without_a_panic() {
        let mut random = Random::new(6);
        for _ in 0..5_000 {
            let children = [random.text(&["locks", "leases", HEX, "lease-0000000001"])];
            let _ = Layout::of(&random.bytes(), &children).permits(Kind::Curator);
            let _ = Kind::Curator.count(&children) + Kind::Kazoo.count(&children);
        }
    }
}
