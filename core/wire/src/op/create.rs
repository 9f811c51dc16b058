//! create (1), create2 (15), createContainer (19) and createTTL (21).
//!
//! The opcode decides what is stored: 19 always makes a container, 21 a node with a time to live, 1 and 15 never do.
//! The flags still decide about sequence numbers and ephemerality, and must fit. The path in the reply is
//! the final one. Source: `org.apache.zookeeper.CreateMode`.

use crate::acl::AclList;
use crate::record;
use crate::stat::Stat;
use std::borrow::Cow;

record! {
    /// Body of create, create2 and createContainer.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct CreateRequest<'a> {
        /// The path, before any sequence suffix.
        pub path: Cow<'a, str>,
        /// The data; null and empty differ.
        pub data: Option<&'a [u8]>,
        /// The ACL; null is answered like empty, with InvalidACL.
        pub acl: AclList<'a>,
        /// A [`CreateMode`] number.
        pub flags: i32,
    }
}

record! {
    /// Body of createTTL.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct CreateTtlRequest<'a> {
        /// The path, before any sequence suffix.
        pub path: Cow<'a, str>,
        /// The data; null and empty differ.
        pub data: Option<&'a [u8]>,
        /// The ACL.
        pub acl: AclList<'a>,
        /// A [`CreateMode`] number.
        pub flags: i32,
        /// Time to live, ms.
        pub ttl: i64,
    }
}

record! {
    /// Reply to create.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct CreateResponse<'a> {
        /// The final path, suffix included.
        pub path: Cow<'a, str>,
    }
}

record! {
    /// Reply to create2, createContainer and createTTL.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Create2Response<'a> {
        /// The final path, suffix included.
        pub path: Cow<'a, str>,
        /// The new node's stat.
        pub stat: Stat,
    }
}

/// The kinds of node that a client can ask for.
///
/// ```
/// use quorate_wire::op::create::CreateMode;
///
/// let mode = CreateMode::EphemeralSequential;
/// assert!(mode.is_ephemeral() && mode.is_sequential() && !mode.is_ttl());
/// assert_eq!(CreateMode::ALL.iter().filter(|mode| mode.is_ttl()).count(), 2);
/// assert_eq!(mode.flags(), 3);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CreateMode {
    /// Stays until deleted.
    Persistent,
    /// Ends with its session.
    Ephemeral,
    /// Persistent, with a sequence suffix.
    PersistentSequential,
    /// Ephemeral, with a sequence suffix.
    EphemeralSequential,
    /// Removed some time after its last child.
    Container,
    /// Removed when unchanged and childless for its time to live.
    PersistentWithTtl,
    /// The same with a sequence suffix.
    PersistentSequentialWithTtl,
}

impl CreateMode {
    /// Every mode, in the order of its number.
    pub const ALL: [Self; 7] = [
        Self::Persistent,
        Self::Ephemeral,
        Self::PersistentSequential,
        Self::EphemeralSequential,
        Self::Container,
        Self::PersistentWithTtl,
        Self::PersistentSequentialWithTtl,
    ];

    /// The mode of a flags field.
    ///
    /// ```
    /// use quorate_wire::op::create::CreateMode;
    ///
    /// assert_eq!(CreateMode::from_flags(4), Some(CreateMode::Container));
    /// assert_eq!(CreateMode::from_flags(99), None);
    /// ```
    #[must_use]
    pub fn from_flags(flags: i32) -> Option<Self> {
        usize::try_from(flags).ok().and_then(|n| Self::ALL.get(n).copied())
    }

    /// The number on the wire.
    #[must_use]
    pub const fn flags(self) -> i32 {
        match self {
            Self::Persistent => 0,
            Self::Ephemeral => 1,
            Self::PersistentSequential => 2,
            Self::EphemeralSequential => 3,
            Self::Container => 4,
            Self::PersistentWithTtl => 5,
            Self::PersistentSequentialWithTtl => 6,
        }
    }

    /// Whether the server appends ten digits to the name.
    #[must_use]
    pub const fn is_sequential(self) -> bool {
        matches!(
            self,
            Self::PersistentSequential
                | Self::EphemeralSequential
                | Self::PersistentSequentialWithTtl
        )
    }

    /// Whether the node ends with its session.
    #[must_use]
    pub const fn is_ephemeral(self) -> bool {
        matches!(self, Self::Ephemeral | Self::EphemeralSequential)
    }

    /// Whether the request must carry a time to live.
    #[must_use]
    pub const fn is_ttl(self) -> bool {
        matches!(self, Self::PersistentWithTtl | Self::PersistentSequentialWithTtl)
    }
}
