//! One file per operation: what its request and its reply look like.
//!
//! What a server *does* with them is decided in the engine. Source: `org.apache.zookeeper.ZooDefs.OpCode`
//! and `zookeeper.jute`.

pub mod add_watch;
pub mod auth;
pub mod check;
pub mod connect;
pub mod create;
pub mod delete;
pub mod exists;
pub mod get_acl;
pub mod get_all_children_number;
pub mod get_children;
pub mod get_data;
pub mod get_ephemerals;
pub mod multi;
pub mod multi_result;
pub mod reconfig;
pub mod remove_watches;
pub mod set_acl;
pub mod set_data;
pub mod set_watches;
pub mod sync;
pub mod who_am_i;

macro_rules! opcodes {
    ($($name:ident = $code:literal, $text:literal;)*) => {
        /// The operations of the client protocol.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum OpCode { $(#[doc = $text] $name,)* }

        impl OpCode {
            /// Every operation, in the order of its number.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The number on the wire.
            #[must_use]
            pub const fn code(self) -> i32 {
                match self { $(Self::$name => $code,)* }
            }

            /// The operation of a number on the wire, if there is one.
            #[must_use]
            #[inline]
            pub const fn from_code(code: i32) -> Option<Self> {
                match code { $($code => Some(Self::$name),)* _ => None }
            }

            /// The name that ZooKeeper gives it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

opcodes! {
    CloseSession = -11, "closeSession";
    CreateSession = -10, "createSession";
    Create = 1, "create";
    Delete = 2, "delete";
    Exists = 3, "exists";
    GetData = 4, "getData";
    SetData = 5, "setData";
    GetAcl = 6, "getACL";
    SetAcl = 7, "setACL";
    GetChildren = 8, "getChildren";
    Sync = 9, "sync";
    Ping = 11, "ping";
    GetChildren2 = 12, "getChildren2";
    Check = 13, "check";
    Multi = 14, "multi";
    Create2 = 15, "create2";
    Reconfig = 16, "reconfig";
    CheckWatches = 17, "checkWatches";
    RemoveWatches = 18, "removeWatches";
    CreateContainer = 19, "createContainer";
    DeleteContainer = 20, "deleteContainer";
    CreateTtl = 21, "createTTL";
    MultiRead = 22, "multiRead";
    Auth = 100, "auth";
    SetWatches = 101, "setWatches";
    Sasl = 102, "sasl";
    GetEphemerals = 103, "getEphemerals";
    GetAllChildrenNumber = 104, "getAllChildrenNumber";
    SetWatches2 = 105, "setWatches2";
    AddWatch = 106, "addWatch";
    WhoAmI = 107, "whoAmI";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_found_by_its_number() {
        assert!(OpCode::ALL.is_sorted_by_key(|op| op.code()));
        for &op in OpCode::ALL {
            assert_eq!(OpCode::from_code(op.code()), Some(op));
        }
        // 0 is a notification, 10 was never given out.
        for code in [-1, 0, 10, 23, 99, 108, 999] {
            assert_eq!(OpCode::from_code(code), None);
        }
    }
}
