//! What is known about a node besides its data: as clients see it, and as it is stored.
//!
//! The two differ in `cversion` and in the owner of containers and TTL nodes, which clients never see.
//! [`StatPersisted::to_wire`] is the way from one to the other; there is none back.

use crate::record;

record! {
    /// The stat that clients see; 68 bytes.
    ///
    /// ```
    /// use quorate_wire::Stat;
    ///
    /// // Created by transaction 7 as a persistent node, and written once since, by transaction 9.
    /// let stat = Stat { czxid: 7, mzxid: 9, pzxid: 7, version: 1, ..Stat::default() };
    /// assert!(stat.mzxid > stat.czxid && stat.ephemeral_owner == 0);
    /// ```
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Stat {
        /// zxid of the creation.
        pub czxid: i64,
        /// zxid of the last change of the data.
        pub mzxid: i64,
        /// Creation time, wall clock ms.
        pub ctime: i64,
        /// Time of the last change of the data, wall clock ms.
        pub mtime: i64,
        /// Number of changes of the data.
        pub version: i32,
        /// Changes of the child list: `2 * creations - children`, wrapping.
        pub cversion: i32,
        /// Number of changes of the ACL.
        pub aversion: i32,
        /// The session of an ephemeral node, else 0 (also for container and TTL nodes).
        pub ephemeral_owner: i64,
        /// Bytes of data; null counts as 0.
        pub data_length: i32,
        /// Number of children.
        pub num_children: i32,
        /// zxid of the last change of the child list.
        pub pzxid: i64,
    }
}

record! {
    /// The stat as snapshots hold it; 60 bytes.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct StatPersisted {
        /// zxid of the creation.
        pub czxid: i64,
        /// zxid of the last change of the data.
        pub mzxid: i64,
        /// Creation time, wall clock ms.
        pub ctime: i64,
        /// Time of the last change of the data, wall clock ms.
        pub mtime: i64,
        /// Number of changes of the data.
        pub version: i32,
        /// Number of children ever created; **not** what clients see.
        pub cversion: i32,
        /// Number of changes of the ACL.
        pub aversion: i32,
        /// 0, a session, [`CONTAINER_OWNER`] or a TTL mark (see [`Owner`]).
        pub ephemeral_owner: i64,
        /// zxid of the last change of the child list.
        pub pzxid: i64,
    }
}

impl StatPersisted {
    /// Bytes on the wire and in files.
    pub const LEN: usize = 60;

    /// What clients see of this stat.
    #[must_use]
    pub const fn to_wire(&self, data_length: i32, num_children: i32) -> Stat {
        Stat {
            czxid: self.czxid,
            mzxid: self.mzxid,
            ctime: self.ctime,
            mtime: self.mtime,
            version: self.version,
            cversion: self.cversion.wrapping_mul(2).wrapping_sub(num_children),
            aversion: self.aversion,
            ephemeral_owner: Owner::of(self.ephemeral_owner).session(),
            data_length,
            num_children,
            pzxid: self.pzxid,
        }
    }
}

/// What the stored `ephemeralOwner` says a node is.
/// Source: `org.apache.zookeeper.server.EphemeralType` with extended types enabled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// An ordinary node.
    Persistent,
    /// Lives as long as this session.
    Session(i64),
    /// Removed some time after its last child.
    Container,
    /// Removed when unchanged for this many ms while without children.
    Ttl(i64),
}

/// The stored owner of a container.
pub const CONTAINER_OWNER: i64 = i64::MIN;
/// The longest TTL, ms: 40 bits.
pub const MAX_TTL: i64 = 0xFF_FFFF_FFFF;
const TTL_MARK: i64 = 0xFF << 56;

impl Owner {
    /// Reads the stored value.
    #[must_use]
    pub const fn of(stored: i64) -> Self {
        match stored {
            0 => Self::Persistent,
            CONTAINER_OWNER => Self::Container,
            _ if stored & TTL_MARK == TTL_MARK => Self::Ttl(stored & MAX_TTL),
            session => Self::Session(session),
        }
    }

    /// The stored value. A TTL is cut to its 40 bits.
    #[must_use]
    pub const fn stored(self) -> i64 {
        match self {
            Self::Persistent => 0,
            Self::Session(id) => id,
            Self::Container => CONTAINER_OWNER,
            Self::Ttl(ms) => TTL_MARK | (ms & MAX_TTL),
        }
    }

    /// The session, or 0.
    #[must_use]
    pub const fn session(self) -> i64 {
        match self {
            Self::Session(id) => id,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_survive_storage() {
        for owner in [Owner::Persistent, Owner::Session(0x0100_0000_0000_0001), Owner::Container]
            .into_iter()
            .chain([Owner::Ttl(1), Owner::Ttl(MAX_TTL)])
        {
            assert_eq!(Owner::of(owner.stored()), owner);
        }
        assert_eq!(Owner::Ttl(5).stored().to_be_bytes(), [0xFF, 0, 0, 0, 0, 0, 0, 5]);
    }

    #[test]
    fn clients_see_children_come_and_go_in_cversion() {
        let stored = StatPersisted { cversion: 3, ..StatPersisted::default() };
        assert_eq!(stored.to_wire(0, 1).cversion, 5);
        assert_eq!(StatPersisted::default().to_wire(0, 1).cversion, -1, "a fresh root");
    }
}
