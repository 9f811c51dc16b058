//! The bodies of transactions, and [`Txn`], which is any of them.
//!
//! A body says what to store and never what was asked: sequence numbers are filled in, versions are the new ones,
//! ACLs are expanded. The engine makes and applies them; multi's is in its own file.

use super::multi::MultiTxn;
use crate::acl::AclList;
use crate::jute::{DecodeError, Jute, Reader};
use crate::record;
use std::borrow::Cow;

record! {
    /// createContainer (19).
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct CreateContainerBody<'a> {
        /// The final path.
        pub path: Cow<'a, str>,
        /// The data.
        pub data: Option<&'a [u8]>,
        /// The ACL after fix-up.
        pub acl: AclList<'a>,
        /// The parent's stored cversion after this creation.
        pub parent_cversion: i32,
    }
}

record! {
    /// createTTL (21).
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct CreateTtlBody<'a> {
        /// The final path.
        pub path: Cow<'a, str>,
        /// The data.
        pub data: Option<&'a [u8]>,
        /// The ACL after fix-up.
        pub acl: AclList<'a>,
        /// The parent's stored cversion after this creation.
        pub parent_cversion: i32,
        /// Time to live, ms.
        pub ttl: i64,
    }
}

record! {
    /// setData (5) and reconfig (16).
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct SetDataBody<'a> {
        /// The path.
        pub path: Cow<'a, str>,
        /// The new data.
        pub data: Option<&'a [u8]>,
        /// The new version.
        pub version: i32,
    }
}

record! {
    /// setACL (7).
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct SetAclBody<'a> {
        /// The path.
        pub path: Cow<'a, str>,
        /// The new ACL.
        pub acl: AclList<'a>,
        /// The new ACL version.
        pub version: i32,
    }
}

/// create (1) and create2 (15).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateBody<'a> {
    /// The final path.
    pub path: Cow<'a, str>,
    /// The data.
    pub data: Option<&'a [u8]>,
    /// The ACL after fix-up.
    pub acl: AclList<'a>,
    /// Whether the header's session owns it.
    pub ephemeral: bool,
    /// The parent's stored cversion after this creation; -1, or absent in records of the 3.3 era:
    /// one more than the parent has.
    pub parent_cversion: Option<i32>,
}

/// The type numbers of transactions, as they stand in headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct TxnType;

impl TxnType {
    /// createSession
    pub const CREATE_SESSION: i32 = -10;
    /// closeSession
    pub const CLOSE_SESSION: i32 = -11;
    /// a refused request
    pub const ERROR: i32 = -1;
    /// create
    pub const CREATE: i32 = 1;
    /// delete
    pub const DELETE: i32 = 2;
    /// setData
    pub const SET_DATA: i32 = 5;
    /// setACL
    pub const SET_ACL: i32 = 7;
    /// check, inside multi only
    pub const CHECK: i32 = 13;
    /// multi
    pub const MULTI: i32 = 14;
    /// create2
    pub const CREATE2: i32 = 15;
    /// reconfig
    pub const RECONFIG: i32 = 16;
    /// createContainer
    pub const CREATE_CONTAINER: i32 = 19;
    /// deleteContainer
    pub const DELETE_CONTAINER: i32 = 20;
    /// createTTL
    pub const CREATE_TTL: i32 = 21;
}

/// A transaction's body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Txn<'a> {
    /// A session begins; its timeout, ms.
    CreateSession(i32),
    /// A session ends, and with it these ephemeral nodes; `None` in records of before 3.6.
    CloseSession(Option<Vec<Cow<'a, str>>>),
    /// A refused request; the code.
    Error(i32),
    /// create.
    Create(CreateBody<'a>),
    /// create2.
    Create2(CreateBody<'a>),
    /// createContainer.
    CreateContainer(CreateContainerBody<'a>),
    /// createTTL.
    CreateTtl(CreateTtlBody<'a>),
    /// delete; the path.
    Delete(Cow<'a, str>),
    /// deleteContainer, also of an expired TTL node; the path.
    DeleteContainer(Cow<'a, str>),
    /// setData.
    SetData(SetDataBody<'a>),
    /// reconfig.
    Reconfig(SetDataBody<'a>),
    /// setACL.
    SetAcl(SetAclBody<'a>),
    /// check, inside a multi only: path and version.
    Check(Cow<'a, str>, i32),
    /// multi.
    Multi(MultiTxn<'a>),
}

impl<'a> Txn<'a> {
    /// The type number.
    #[must_use]
    pub const fn kind(&self) -> i32 {
        match self {
            Self::CreateSession(_) => TxnType::CREATE_SESSION,
            Self::CloseSession(_) => TxnType::CLOSE_SESSION,
            Self::Error(_) => TxnType::ERROR,
            Self::Create(_) => TxnType::CREATE,
            Self::Create2(_) => TxnType::CREATE2,
            Self::CreateContainer(_) => TxnType::CREATE_CONTAINER,
            Self::CreateTtl(_) => TxnType::CREATE_TTL,
            Self::Delete(_) => TxnType::DELETE,
            Self::DeleteContainer(_) => TxnType::DELETE_CONTAINER,
            Self::SetData(_) => TxnType::SET_DATA,
            Self::Reconfig(_) => TxnType::RECONFIG,
            Self::SetAcl(_) => TxnType::SET_ACL,
            Self::Check(..) => TxnType::CHECK,
            Self::Multi(_) => TxnType::MULTI,
        }
    }

    /// Reads the body of a transaction of the given type. What may follow (a digest) is left unread.
    ///
    /// # Errors
    /// When the type is unknown or the bytes are no such body.
    pub fn read(kind: i32, r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(match kind {
            TxnType::CREATE_SESSION => Self::CreateSession(r.get()?),
            TxnType::CLOSE_SESSION if r.rest().is_empty() => Self::CloseSession(None),
            TxnType::CLOSE_SESSION => Self::CloseSession(Some(r.get()?)),
            TxnType::ERROR => Self::Error(r.get()?),
            TxnType::CREATE => Self::Create(CreateBody::read(r, true)?),
            TxnType::CREATE2 => Self::Create2(CreateBody::read(r, false)?),
            TxnType::CREATE_CONTAINER => Self::CreateContainer(r.get()?),
            TxnType::CREATE_TTL => Self::CreateTtl(r.get()?),
            TxnType::DELETE => Self::Delete(r.get()?),
            TxnType::DELETE_CONTAINER => Self::DeleteContainer(r.get()?),
            TxnType::SET_DATA => Self::SetData(r.get()?),
            TxnType::RECONFIG => Self::Reconfig(r.get()?),
            TxnType::SET_ACL => Self::SetAcl(r.get()?),
            TxnType::CHECK => Self::Check(r.get()?, r.get()?),
            TxnType::MULTI => Self::Multi(r.get()?),
            other => {
                return Err(DecodeError::Unknown { what: "transaction type", value: other.into() });
            }
        })
    }

    /// Appends the body.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::CreateSession(n) | Self::Error(n) => n.write(out),
            Self::CloseSession(None) => {}
            Self::CloseSession(Some(paths)) => paths.write(out),
            Self::Create(body) | Self::Create2(body) => body.write(out),
            Self::CreateContainer(body) => body.write(out),
            Self::CreateTtl(body) => body.write(out),
            Self::Delete(path) | Self::DeleteContainer(path) => path.write(out),
            Self::SetData(body) | Self::Reconfig(body) => body.write(out),
            Self::SetAcl(body) => body.write(out),
            Self::Check(path, version) => {
                path.write(out);
                version.write(out);
            }
            Self::Multi(multi) => multi.write(out),
        }
    }
}

impl<'a> CreateBody<'a> {
    /// Reads the body. `v0` allows the form of 3.3 without the parent's cversion, which only type 1 has.
    fn read(r: &mut Reader<'a>, v0: bool) -> Result<Self, DecodeError> {
        let (path, data, acl, ephemeral) = (r.get()?, r.get()?, r.get()?, r.get()?);
        let parent_cversion = if v0 && r.rest().is_empty() { None } else { Some(r.get()?) };
        Ok(Self { path, data, acl, ephemeral, parent_cversion })
    }

    fn write(&self, out: &mut Vec<u8>) {
        self.path.write(out);
        self.data.write(out);
        self.acl.write(out);
        self.ephemeral.write(out);
        if let Some(parent_cversion) = self.parent_cversion {
            parent_cversion.write(out);
        }
    }
}
