//! Any message of the client port as a typed value: requests by their opcode, replies by that of the request.
//!
//! The server and the client decode only what they need where they need it; tests want everything in one
//! place. Used by the codec vectors, the replay, the round trips and the fuzzers.

use quorate_wire::event::WatcherEvent;
use quorate_wire::frame::{ReplyHeader, RequestHeader};
use quorate_wire::jute::{DecodeError, Jute, Reader};
use quorate_wire::op::add_watch::{AddWatchRequest, ErrorResponse};
use quorate_wire::op::auth::{AuthPacket, SaslToken};
use quorate_wire::op::check::CheckVersionRequest;
use quorate_wire::op::create::Create2Response;
use quorate_wire::op::create::{CreateRequest, CreateResponse, CreateTtlRequest};
use quorate_wire::op::delete::{DeleteContainerRequest, DeleteRequest};
use quorate_wire::op::exists::ExistsRequest;
use quorate_wire::op::get_acl::{GetAclRequest, GetAclResponse};
use quorate_wire::op::get_all_children_number::{
    GetAllChildrenNumberRequest, GetAllChildrenNumberResponse,
};
use quorate_wire::op::get_children::{
    GetChildren2Response, GetChildrenRequest, GetChildrenResponse,
};
use quorate_wire::op::get_data::{GetDataRequest, GetDataResponse};
use quorate_wire::op::get_ephemerals::{GetEphemeralsRequest, GetEphemeralsResponse};
use quorate_wire::op::multi::{MultiHeader, MultiPart, MultiParts, write_part};
use quorate_wire::op::multi_result::MultiResponse;
use quorate_wire::op::reconfig::ReconfigRequest;
use quorate_wire::op::remove_watches::WatchesRequest;
use quorate_wire::op::set_acl::SetAclRequest;
use quorate_wire::op::set_data::SetDataRequest;
use quorate_wire::op::set_watches::{SetWatches2Request, SetWatchesRequest};
use quorate_wire::op::sync::SyncRequest;
use quorate_wire::op::who_am_i::WhoAmIResponse;
use quorate_wire::{OpCode, Stat};

macro_rules! bodies {
    ($(#[$meta:meta])* $name:ident<$lt:lifetime> { $($variant:ident($ty:ty),)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[expect(missing_docs, reason = "the variants are named as the records they hold")]
        pub enum $name<$lt> { Empty, $($variant($ty),)* }

        impl $name<'_> {
            /// Appends the encoding.
            pub fn write(&self, out: &mut Vec<u8>) {
                match self {
                    Self::Empty => {}
                    $(Self::$variant(body) => body.write(out),)*
                }
            }
        }

        $(impl<$lt> From<$ty> for $name<$lt> {
            fn from(body: $ty) -> Self {
                Self::$variant(body)
            }
        })*
    };
}

bodies! {
    /// The body of a request.
    RequestBody<'a> {
        Create(CreateRequest<'a>),
        CreateTtl(CreateTtlRequest<'a>),
        Delete(DeleteRequest<'a>),
        DeleteContainer(DeleteContainerRequest<'a>),
        Exists(ExistsRequest<'a>),
        GetData(GetDataRequest<'a>),
        SetData(SetDataRequest<'a>),
        GetAcl(GetAclRequest<'a>),
        SetAcl(SetAclRequest<'a>),
        GetChildren(GetChildrenRequest<'a>),
        Sync(SyncRequest<'a>),
        Check(CheckVersionRequest<'a>),
        Multi(MultiRequest<'a>),
        Reconfig(ReconfigRequest<'a>),
        Watches(WatchesRequest<'a>),
        Auth(AuthPacket<'a>),
        Sasl(SaslToken<'a>),
        SetWatches(SetWatchesRequest<'a>),
        SetWatches2(SetWatches2Request<'a>),
        GetEphemerals(GetEphemeralsRequest<'a>),
        GetAllChildrenNumber(GetAllChildrenNumberRequest<'a>),
        AddWatch(AddWatchRequest<'a>),
    }
}

bodies! {
    /// The body of a reply or notification.
    ReplyBody<'a> {
        Create(CreateResponse<'a>),
        Create2(Create2Response<'a>),
        Stat(Stat),
        GetData(GetDataResponse<'a>),
        GetAcl(GetAclResponse<'a>),
        GetChildren(GetChildrenResponse<'a>),
        GetChildren2(GetChildren2Response<'a>),
        Sync(SyncRequest<'a>),
        Multi(MultiResponse<'a>),
        Sasl(SaslToken<'a>),
        GetEphemerals(GetEphemeralsResponse<'a>),
        GetAllChildrenNumber(GetAllChildrenNumberResponse),
        Error(ErrorResponse),
        WhoAmI(WhoAmIResponse<'a>),
        Event(WatcherEvent<'a>),
    }
}

/// Whether a request becomes a transaction.
#[must_use]
pub const fn is_write(op: OpCode) -> bool {
    matches!(
        op,
        OpCode::Create
            | OpCode::Create2
            | OpCode::CreateContainer
            | OpCode::CreateTtl
            | OpCode::Delete
            | OpCode::SetData
            | OpCode::SetAcl
            | OpCode::Multi
            | OpCode::CloseSession
    )
}

/// The body of a multi or multiRead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MultiRequest<'a> {
    /// The parts, in order.
    pub parts: Vec<MultiPart<'a>>,
}

/// A request behind the handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// Its header; `op` is a known one.
    pub header: RequestHeader,
    /// Its body.
    pub body: RequestBody<'a>,
}

/// A reply or a notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply<'a> {
    /// Its header.
    pub header: ReplyHeader,
    /// Its body.
    pub body: ReplyBody<'a>,
}

impl<'a> Request<'a> {
    /// Reads a request from the payload of a frame; also returns what follows it, which a server ignores.
    ///
    /// # Errors
    /// When the opcode is unknown or the body is not one of that operation.
    pub fn read(payload: &'a [u8]) -> Result<(Self, &'a [u8]), DecodeError> {
        let r = &mut Reader::new(payload);
        let header: RequestHeader = r.get()?;
        let op = OpCode::from_code(header.op)
            .ok_or(DecodeError::Unknown { what: "opcode", value: header.op.into() })?;
        let body = request_body(op, r)?;
        Ok((Self { header, body }, r.rest()))
    }

    /// The payload of its frame.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = self.header.to_bytes();
        self.body.write(&mut out);
        out
    }
}

impl<'a> Reply<'a> {
    /// Reads the reply to a request of the given opcode, or a notification, from the payload of a frame.
    ///
    /// # Errors
    /// When the body is not that of such a reply.
    pub fn read(op: Option<OpCode>, payload: &'a [u8]) -> Result<(Self, &'a [u8]), DecodeError> {
        let r = &mut Reader::new(payload);
        let header: ReplyHeader = r.get()?;
        let body = match op {
            _ if header.xid == quorate_wire::frame::NOTIFICATION_XID => {
                body::<WatcherEvent<'_>, _>(r)?
            }
            _ if r.rest().is_empty() => ReplyBody::Empty,
            Some(op) => reply_body(op, r)?,
            None => ReplyBody::Empty,
        };
        Ok((Self { header, body }, r.rest()))
    }

    /// The payload of its frame.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = self.header.to_bytes();
        self.body.write(&mut out);
        out
    }
}

impl<'a> Jute<'a> for MultiRequest<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let mut list = MultiParts::new(r.rest());
        let parts = list.by_ref().collect::<Result<_, _>>()?;
        r.take(r.rest().len().saturating_sub(list.rest().len()))?;
        Ok(Self { parts })
    }

    fn write(&self, out: &mut Vec<u8>) {
        for part in &self.parts {
            write_part(part, out);
        }
        MultiHeader::END.write(out);
    }
}

fn body<'a, T: Jute<'a>, B: From<T>>(r: &mut Reader<'a>) -> Result<B, DecodeError> {
    r.get::<T>().map(B::from)
}

fn request_body<'a>(op: OpCode, r: &mut Reader<'a>) -> Result<RequestBody<'a>, DecodeError> {
    match op {
        OpCode::Create | OpCode::Create2 | OpCode::CreateContainer => {
            body::<CreateRequest<'_>, _>(r)
        }
        OpCode::CreateTtl => body::<CreateTtlRequest<'_>, _>(r),
        OpCode::Delete => body::<DeleteRequest<'_>, _>(r),
        OpCode::DeleteContainer => body::<DeleteContainerRequest<'_>, _>(r),
        OpCode::Exists => body::<ExistsRequest<'_>, _>(r),
        OpCode::GetData => body::<GetDataRequest<'_>, _>(r),
        OpCode::SetData => body::<SetDataRequest<'_>, _>(r),
        OpCode::GetAcl => body::<GetAclRequest<'_>, _>(r),
        OpCode::SetAcl => body::<SetAclRequest<'_>, _>(r),
        OpCode::GetChildren | OpCode::GetChildren2 => body::<GetChildrenRequest<'_>, _>(r),
        OpCode::Sync => body::<SyncRequest<'_>, _>(r),
        OpCode::Check => body::<CheckVersionRequest<'_>, _>(r),
        OpCode::Multi | OpCode::MultiRead => body::<MultiRequest<'_>, _>(r),
        OpCode::Reconfig => body::<ReconfigRequest<'_>, _>(r),
        OpCode::CheckWatches | OpCode::RemoveWatches => body::<WatchesRequest<'_>, _>(r),
        OpCode::Auth => body::<AuthPacket<'_>, _>(r),
        OpCode::Sasl => body::<SaslToken<'_>, _>(r),
        OpCode::SetWatches => body::<SetWatchesRequest<'_>, _>(r),
        OpCode::SetWatches2 => body::<SetWatches2Request<'_>, _>(r),
        OpCode::GetEphemerals => body::<GetEphemeralsRequest<'_>, _>(r),
        OpCode::GetAllChildrenNumber => body::<GetAllChildrenNumberRequest<'_>, _>(r),
        OpCode::AddWatch => body::<AddWatchRequest<'_>, _>(r),
        OpCode::Ping | OpCode::WhoAmI | OpCode::CloseSession | OpCode::CreateSession => {
            Ok(RequestBody::Empty)
        }
    }
}

fn reply_body<'a>(op: OpCode, r: &mut Reader<'a>) -> Result<ReplyBody<'a>, DecodeError> {
    match op {
        OpCode::Create => body::<CreateResponse<'_>, _>(r),
        OpCode::Create2 | OpCode::CreateContainer | OpCode::CreateTtl => {
            body::<Create2Response<'_>, _>(r)
        }
        OpCode::Exists | OpCode::SetData | OpCode::SetAcl => body::<Stat, _>(r),
        OpCode::GetData | OpCode::Reconfig => body::<GetDataResponse<'_>, _>(r),
        OpCode::GetAcl => body::<GetAclResponse<'_>, _>(r),
        OpCode::GetChildren => body::<GetChildrenResponse<'_>, _>(r),
        OpCode::GetChildren2 => body::<GetChildren2Response<'_>, _>(r),
        OpCode::Sync => body::<SyncRequest<'_>, _>(r),
        OpCode::Multi | OpCode::MultiRead => body::<MultiResponse<'_>, _>(r),
        OpCode::Sasl => body::<SaslToken<'_>, _>(r),
        OpCode::GetEphemerals => body::<GetEphemeralsResponse<'_>, _>(r),
        OpCode::GetAllChildrenNumber => body::<GetAllChildrenNumberResponse, _>(r),
        OpCode::AddWatch => body::<ErrorResponse, _>(r),
        OpCode::WhoAmI => body::<WhoAmIResponse<'_>, _>(r),
        OpCode::Delete
        | OpCode::DeleteContainer
        | OpCode::Check
        | OpCode::CheckWatches
        | OpCode::RemoveWatches
        | OpCode::Auth
        | OpCode::SetWatches
        | OpCode::SetWatches2
        | OpCode::Ping
        | OpCode::CloseSession
        | OpCode::CreateSession => Ok(ReplyBody::Empty),
    }
}
