//! What a server answered, as values of their own.
//!
//! Decoding is total: a body that is not the answer to its request is an error, and the connection ends. Paths come
//! back without the root of the view that asked.

use quorate_wire::op::create::{Create2Response, CreateResponse};
use quorate_wire::op::get_acl::GetAclResponse;
use quorate_wire::op::get_children::{GetChildren2Response, GetChildrenResponse};
use quorate_wire::op::get_data::GetDataResponse;
use quorate_wire::op::get_ephemerals::GetEphemeralsResponse;
use quorate_wire::op::multi_result::{MultiResponse, MultiResult};
use quorate_wire::op::who_am_i::WhoAmIResponse;
use quorate_wire::{Acl, DecodeError, ErrorCode, OpCode, Reader, Stat};
use std::borrow::Cow;

/// The answer to a request that succeeded.
///
/// ```
/// use quorate_engine::client::Reply;
/// use quorate_wire::Stat;
///
/// let reply = Reply::Data { data: b"hello".to_vec(), stat: Stat::default() };
/// assert_eq!((reply.weight(), Reply::Absent.weight()), (5, 0));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Nothing but success: delete, setWatches, removeWatches, checkWatches, addWatch, auth, close.
    Done,
    /// create: the final path. The stat is absent when a server before 3.8.2 answers a part of a multi.
    Created {
        /// The path with its sequence suffix.
        path: String,
        /// The new node's stat.
        stat: Option<Stat>,
    },
    /// exists, setData and setACL: the stat.
    Stat(Stat),
    /// exists, when there is no such node.
    Absent,
    /// getData and reconfig.
    Data {
        /// The data; null reads as empty.
        data: Vec<u8>,
        /// The stat of the same instant.
        stat: Stat,
    },
    /// getChildren2; a part of a multiRead has no stat.
    Children {
        /// Names, in no particular order.
        names: Vec<String>,
        /// The parent's stat of the same instant.
        stat: Option<Stat>,
    },
    /// getACL.
    Acl {
        /// The list.
        acl: Vec<Acl<'static>>,
        /// The stat of the same instant.
        stat: Stat,
    },
    /// multi and multiRead: a result per part. A multi with a failed part has only failures.
    Multi(Vec<Result<Self, ErrorCode>>),
    /// getEphemerals: paths.
    Paths(Vec<String>),
    /// getAllChildrenNumber.
    Count(i32),
    /// whoAmI: scheme and user.
    Identities(Vec<(String, String)>),
    /// sync: the path.
    Synced(String),
}

impl Reply {
    /// Bytes of what it holds: data, names, paths.
    #[must_use]
    pub fn weight(&self) -> usize {
        match self {
            Self::Done | Self::Stat(_) | Self::Absent | Self::Count(_) => 0,
            Self::Created { path, .. } | Self::Synced(path) => path.len(),
            Self::Data { data, .. } => data.len(),
            Self::Children { names: texts, .. } | Self::Paths(texts) => {
                sum(texts.iter().map(|text| size_of::<String>() + text.len()))
            }
            Self::Acl { acl, .. } => sum(acl.iter().map(|Acl { id, .. }| {
                let texts = [&id.scheme, &id.id].into_iter().flatten();
                size_of::<Acl<'_>>() + texts.map(|text| text.len()).sum::<usize>()
            })),
            Self::Multi(parts) => sum(parts
                .iter()
                .map(|part| size_of::<Self>() + part.as_ref().map_or(0, Self::weight))),
            Self::Identities(identities) => sum(identities
                .iter()
                .map(|(scheme, user)| 2 * size_of::<String>() + scheme.len() + user.len())),
        }
    }

    /// Reads the body of a reply without an error.
    pub(super) fn read(op: OpCode, root: usize, body: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(body);
        Ok(match op {
            OpCode::Create2 | OpCode::CreateContainer | OpCode::CreateTtl => {
                let reply: Create2Response<'_> = r.get()?;
                Self::Created { path: strip(reply.path, root), stat: Some(reply.stat) }
            }
            OpCode::Exists | OpCode::SetData | OpCode::SetAcl => Self::Stat(r.get()?),
            OpCode::GetData | OpCode::Reconfig => data(r.get()?),
            OpCode::GetChildren2 => {
                let reply: GetChildren2Response<'_> = r.get()?;
                Self::Children { names: owned(reply.children), stat: Some(reply.stat) }
            }
            OpCode::GetAcl => {
                let reply: GetAclResponse<'_> = r.get()?;
                let acl = reply.acl.into_iter().map(Acl::into_owned).collect();
                Self::Acl { acl, stat: reply.stat }
            }
            OpCode::Multi | OpCode::MultiRead => {
                let reply: MultiResponse<'_> = r.get()?;
                Self::Multi(reply.results.into_iter().map(|part| part_result(part, root)).collect())
            }
            OpCode::GetEphemerals => {
                let reply: GetEphemeralsResponse<'_> = r.get()?;
                Self::Paths(reply.paths.into_iter().map(|path| strip(path, root)).collect())
            }
            OpCode::GetAllChildrenNumber => Self::Count(r.get()?),
            OpCode::WhoAmI => Self::Identities(identities(r.get()?)),
            OpCode::Sync => Self::Synced(strip(r.get()?, root)),
            _ => Self::Done,
        })
    }
}

fn sum(bytes: impl Iterator<Item = usize>) -> usize {
    bytes.fold(0, usize::saturating_add)
}

/// A path without the root it lies below.
pub(super) fn strip(path: Cow<'_, str>, root: usize) -> String {
    if root == 0 {
        return path.into_owned();
    }
    match path.get(root..) {
        Some("") => "/".to_owned(),
        Some(rest) => rest.to_owned(),
        None => path.into_owned(),
    }
}

fn data(reply: GetDataResponse<'_>) -> Reply {
    Reply::Data { data: reply.data.unwrap_or_default().to_vec(), stat: reply.stat }
}

fn owned(names: Vec<Cow<'_, str>>) -> Vec<String> {
    names.into_iter().map(Cow::into_owned).collect()
}

fn part_result(part: MultiResult<'_>, root: usize) -> Result<Reply, ErrorCode> {
    Ok(match part {
        MultiResult::Create(CreateResponse { path }) => {
            Reply::Created { path: strip(path, root), stat: None }
        }
        MultiResult::Create2(Create2Response { path, stat }) => {
            Reply::Created { path: strip(path, root), stat: Some(stat) }
        }
        MultiResult::Delete | MultiResult::Check => Reply::Done,
        MultiResult::SetData(stat) => Reply::Stat(stat),
        MultiResult::GetData(reply) => data(reply),
        MultiResult::GetChildren(GetChildrenResponse { children }) => {
            Reply::Children { names: owned(children), stat: None }
        }
        // 0 stands for a part that would have succeeded; nothing happened all the same.
        MultiResult::Error(code) => {
            return Err(match code {
                0 => ErrorCode::RuntimeInconsistency,
                code => ErrorCode::from_code(code).unwrap_or(ErrorCode::SystemError),
            });
        }
    })
}

fn identities(reply: WhoAmIResponse<'_>) -> Vec<(String, String)> {
    let text = |value: Option<Cow<'_, str>>| value.map(Cow::into_owned).unwrap_or_default();
    reply.clients.into_iter().map(|id| (text(id.scheme), text(id.user))).collect()
}
