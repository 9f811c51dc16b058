//! The operations, one method each: user paths in, owned values out.
//!
//! Paths are checked here as Java's client checks them, with its words, so that a wrong path
//! costs no round trip. Source: `org.apache.zookeeper.ZooKeeper`, `common.PathUtils`.

use super::link::lock;
use super::{Answer, ClientError, Connection, WatchKind};
use quorate_wire::op::add_watch::AddWatchRequest;
use quorate_wire::op::create::{
    Create2Response, CreateMode, CreateRequest, CreateResponse, CreateTtlRequest,
};
use quorate_wire::op::delete::DeleteRequest;
use quorate_wire::op::exists::ExistsRequest;
use quorate_wire::op::get_acl::{GetAclRequest, GetAclResponse};
use quorate_wire::op::get_all_children_number::{
    GetAllChildrenNumberRequest, GetAllChildrenNumberResponse,
};
use quorate_wire::op::get_children::{GetChildren2Response, GetChildrenRequest};
use quorate_wire::op::get_data::{GetDataRequest, GetDataResponse};
use quorate_wire::op::get_ephemerals::{GetEphemeralsRequest, GetEphemeralsResponse};
use quorate_wire::op::multi::{MultiHeader, MultiPart, write_part};
use quorate_wire::op::reconfig::ReconfigRequest;
use quorate_wire::op::remove_watches::{WatcherType, WatchesRequest};
use quorate_wire::op::set_acl::SetAclRequest;
use quorate_wire::op::set_data::SetDataRequest;
use quorate_wire::op::sync::SyncRequest;
use quorate_wire::op::who_am_i::WhoAmIResponse;
use quorate_wire::{Acl, ErrorCode, Jute, OpCode, Stat, path};
use std::borrow::Cow;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

/// A node's data, null told from empty, and its stat of the same instant.
pub(crate) type Data = (Option<Vec<u8>>, Stat);

impl Connection {
    /// Data and stat of a node.
    pub(crate) fn get(&self, path: &str, watch: bool) -> Result<Data, ClientError> {
        validate(path)?;
        self.get_at(path, self.target().to_server(path).into(), watch)
    }

    /// The ensemble's configuration, which lies outside any chroot.
    pub(crate) fn config(&self, watch: bool) -> Result<Data, ClientError> {
        self.get_at(CONFIG_NODE, CONFIG_NODE.into(), watch)
    }

    /// The stat of a node, `None` when there is none.
    pub(crate) fn exists(&self, path: &str, watch: bool) -> Result<Option<Stat>, ClientError> {
        validate(path)?;
        let request = ExistsRequest { path: self.target().to_server(path).into(), watch };
        let kind = watch.then_some(WatchKind::Exist);
        match self.call(OpCode::Exists, Some(path), kind, |out| request.write(out)) {
            Ok(body) => Ok(Some(Stat::from_bytes(&body)?)),
            Err(e) if e.is(ErrorCode::NoNode) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Names of the children, sorted, and the parent's stat.
    pub(crate) fn children(
        &self,
        path: &str,
        watch: bool,
    ) -> Result<(Vec<String>, Stat), ClientError> {
        validate(path)?;
        let request = GetChildrenRequest { path: self.target().to_server(path).into(), watch };
        let kind = watch.then_some(WatchKind::Child);
        let body = self.call(OpCode::GetChildren2, Some(path), kind, |out| request.write(out))?;
        let reply = GetChildren2Response::from_bytes(&body)?;
        let mut children: Vec<String> = reply.children.into_iter().map(Cow::into_owned).collect();
        children.sort_unstable();
        Ok((children, reply.stat))
    }

    /// Creates a node; returns its final path. `ttl` (ms) goes with the TTL modes only.
    pub(crate) fn create(
        &self,
        path: &str,
        data: Option<&[u8]>,
        acl: Vec<Acl<'_>>,
        mode: CreateMode,
        ttl: i64,
    ) -> Result<String, ClientError> {
        if mode.is_sequential() {
            validate(&format!("{path}1"))?;
        } else {
            validate(path)?;
        }
        if acl.is_empty() {
            return Err(ClientError::Refused { code: ErrorCode::InvalidAcl, path: None });
        }
        let server_path = Cow::from(self.target().to_server(path));
        let flags = mode.flags();
        let created = if mode.is_ttl() {
            let request = CreateTtlRequest { path: server_path, data, acl: acl.into(), flags, ttl };
            let body = self.call(OpCode::CreateTtl, Some(path), None, |out| request.write(out))?;
            Create2Response::from_bytes(&body)?.path.into_owned()
        } else {
            let op = match mode {
                CreateMode::Container => OpCode::CreateContainer,
                _ => OpCode::Create,
            };
            let request = CreateRequest { path: server_path, data, acl: acl.into(), flags };
            let body = self.call(op, Some(path), None, |out| request.write(out))?;
            CreateResponse::from_bytes(&body)?.path.into_owned()
        };
        Ok(self.target().to_user(&created))
    }

    /// Replaces a node's data; `version` -1 means any.
    pub(crate) fn set(&self, path: &str, data: &[u8], version: i32) -> Result<Stat, ClientError> {
        validate(path)?;
        let request = SetDataRequest {
            path: self.target().to_server(path).into(),
            data: Some(data),
            version,
        };
        let body = self.call(OpCode::SetData, Some(path), None, |out| request.write(out))?;
        Ok(Stat::from_bytes(&body)?)
    }

    /// Deletes a node; `version` -1 means any.
    pub(crate) fn delete(&self, path: &str, version: i32) -> Result<(), ClientError> {
        validate(path)?;
        // A client below a chroot must not delete its own root by calling it "/".
        let server_path = if path == "/" { "/".to_owned() } else { self.target().to_server(path) };
        let request = DeleteRequest { path: server_path.into(), version };
        self.call(OpCode::Delete, Some(path), None, |out| request.write(out)).map(|_| ())
    }

    /// Starts to delete several nodes as one transaction.
    pub(crate) fn delete_batch(&self, paths: &[String]) -> Result<Answer, ClientError> {
        self.submit(OpCode::Multi, None, None, |out| {
            for path in paths {
                let path = self.target().to_server(path).into();
                write_part(&MultiPart::Delete(DeleteRequest { path, version: -1 }), out);
            }
            MultiHeader::END.write(out);
        })
    }

    /// The ACL of a node and its stat.
    pub(crate) fn acl(&self, path: &str) -> Result<(Vec<Acl<'static>>, Stat), ClientError> {
        validate(path)?;
        let request = GetAclRequest { path: self.target().to_server(path).into() };
        let body = self.call(OpCode::GetAcl, Some(path), None, |out| request.write(out))?;
        let reply = GetAclResponse::from_bytes(&body)?;
        Ok((reply.acl.into_iter().map(Acl::into_owned).collect(), reply.stat))
    }

    /// Replaces a node's ACL; `version` is that of the ACL, -1 means any.
    pub(crate) fn set_acl(
        &self,
        path: &str,
        acl: &[Acl<'static>],
        version: i32,
    ) -> Result<Stat, ClientError> {
        validate(path)?;
        if acl.is_empty() {
            return Err(ClientError::Refused { code: ErrorCode::InvalidAcl, path: None });
        }
        let server_path = self.target().to_server(path).into();
        let request = SetAclRequest { path: server_path, acl: acl.to_vec().into(), version };
        let body = self.call(OpCode::SetAcl, Some(path), None, |out| request.write(out))?;
        Ok(Stat::from_bytes(&body)?)
    }

    /// Brings the server up to date with the leader.
    pub(crate) fn sync(&self, path: &str) -> Result<(), ClientError> {
        validate(path)?;
        let request = SyncRequest { path: Some(self.target().to_server(path).into()) };
        self.call(OpCode::Sync, Some(path), None, |out| request.write(out)).map(|_| ())
    }

    /// This session's ephemeral nodes whose path begins with `prefix`.
    pub(crate) fn ephemerals(&self, prefix: &str) -> Result<Vec<String>, ClientError> {
        validate(prefix)?;
        let request = GetEphemeralsRequest { prefix: Some(self.target().to_server(prefix).into()) };
        let body =
            self.call(OpCode::GetEphemerals, Some(prefix), None, |out| request.write(out))?;
        let reply = GetEphemeralsResponse::from_bytes(&body)?;
        let mut paths: Vec<String> = reply.paths.iter().map(|p| self.target().to_user(p)).collect();
        paths.sort_unstable();
        Ok(paths)
    }

    /// How many nodes lie below a node.
    pub(crate) fn all_children_number(&self, path: &str) -> Result<i32, ClientError> {
        validate(path)?;
        let request = GetAllChildrenNumberRequest { path: self.target().to_server(path).into() };
        let body =
            self.call(OpCode::GetAllChildrenNumber, Some(path), None, |out| request.write(out))?;
        Ok(GetAllChildrenNumberResponse::from_bytes(&body)?.total)
    }

    /// Leaves a watch that stays.
    pub(crate) fn add_watch(&self, path: &str, recursive: bool) -> Result<(), ClientError> {
        validate(path)?;
        let kind = if recursive { WatchKind::Recursive } else { WatchKind::Persistent };
        let request = AddWatchRequest {
            path: self.target().to_server(path).into(),
            mode: i32::from(recursive),
        };
        self.call(OpCode::AddWatch, Some(path), Some(kind), |out| request.write(out)).map(|_| ())
    }

    /// Removes this session's watches on a node. `local` forgets them even if the server cannot be asked.
    pub(crate) fn remove_watches(
        &self,
        path: &str,
        kind: WatcherType,
        local: bool,
    ) -> Result<(), ClientError> {
        validate(path)?;
        let server_path = self.target().to_server(path);
        let number = match kind {
            WatcherType::Children => 1,
            WatcherType::Data => 2,
            WatcherType::Any => 3,
            WatcherType::Persistent => 4,
            WatcherType::PersistentRecursive => 5,
        };
        let request = WatchesRequest { path: server_path.as_str().into(), kind: number };
        match self.call(OpCode::RemoveWatches, Some(path), None, |out| request.write(out)) {
            Err(ClientError::ConnectionLoss { .. }) if local => {}
            other => drop(other?),
        }
        let events = lock(&self.shared.inner).watches.remove(kind, &server_path);
        for kind in events {
            let path = Some(path.to_owned());
            self.shared.emit(&super::Event { state: "SyncConnected", kind, path });
        }
        Ok(())
    }

    /// Shows an identity to the server and to every later one, and waits for the verdict.
    pub(crate) fn add_auth(&self, scheme: &str, auth: Option<&[u8]>) -> Result<(), ClientError> {
        let (sender, receiver) = sync_channel(1);
        let patience = {
            let mut inner = self.wait_until_serving(None, Duration::MAX)?;
            inner.auths.push((scheme.to_owned(), auth.map(<[u8]>::to_vec)));
            inner.auth_waiters.push_back(sender);
            inner.send_auth(scheme, auth);
            inner.timeout.max(Duration::from_secs(1))
        };
        Answer { receiver, patience, path: None, stop: self.stop.clone() }.wait().map(|_| ())
    }

    /// The identities of this connection, as scheme and user.
    pub(crate) fn who_am_i(&self) -> Result<Vec<(String, String)>, ClientError> {
        let body = self.call(OpCode::WhoAmI, None, None, |_| ())?;
        let reply = WhoAmIResponse::from_bytes(&body)?;
        let text = |text: Option<Cow<'_, str>>| text.unwrap_or_default().into_owned();
        Ok(reply.clients.into_iter().map(|c| (text(c.scheme), text(c.user))).collect())
    }

    /// Changes the ensemble's membership; returns the new configuration.
    pub(crate) fn reconfig(
        &self,
        joining: Option<&str>,
        leaving: Option<&str>,
        members: Option<&str>,
        version: i64,
    ) -> Result<Data, ClientError> {
        let request = ReconfigRequest {
            joining: joining.map(Cow::from),
            leaving: leaving.map(Cow::from),
            new_members: members.map(Cow::from),
            cur_config_id: version,
        };
        let body = self.call(OpCode::Reconfig, None, None, |out| request.write(out))?;
        let reply = GetDataResponse::from_bytes(&body)?;
        Ok((reply.data.map(<[u8]>::to_vec), reply.stat))
    }

    fn get_at(&self, path: &str, at: Cow<'_, str>, watch: bool) -> Result<Data, ClientError> {
        let request = GetDataRequest { path: at, watch };
        let kind = watch.then_some(WatchKind::Data);
        let body = self.call(OpCode::GetData, Some(path), kind, |out| request.write(out))?;
        let reply = GetDataResponse::from_bytes(&body)?;
        Ok((reply.data.map(<[u8]>::to_vec), reply.stat))
    }
}

/// Whether the transaction of [`Connection::delete_batch`] was carried out.
///
/// A refused one is answered with a list of errors, not with an error.
pub(crate) fn is_multi_done(body: &[u8]) -> Result<bool, ClientError> {
    let first = MultiHeader::from_bytes(body)?;
    Ok(first.done || first.op != MultiHeader::END.op)
}

/// Refuses what cannot be a node's path, in the words of `PathUtils#validatePath`.
fn validate(path: &str) -> Result<(), ClientError> {
    let complaint = if path.is_empty() {
        "Path length must be > 0".to_owned()
    } else if !path.starts_with('/') {
        "Path must start with / character".to_owned()
    } else if path::is_valid(path) {
        return Ok(());
    } else if path.ends_with('/') {
        "Path must not end with / character".to_owned()
    } else {
        format!("Invalid path string \"{path}\" caused by {}", flaw(path))
    };
    Err(ClientError::BadPath(complaint))
}

/// The first flaw and its place, counted in UTF-16 units as Java does.
fn flaw(path: &str) -> String {
    let mut at = 0;
    let mut name = String::new();
    for c in path.chars().chain(['/']).skip(1) {
        at += 1;
        if c == '/' {
            match name.as_str() {
                "" => return format!("empty node name specified @{at}"),
                // Reported where the last dot stands.
                "." | ".." => return format!("relative paths not allowed @{}", at - 1),
                _ => name.clear(),
            }
            continue;
        }
        if c == '\0' {
            return format!("null character not allowed @{at}");
        }
        if !path::is_valid(&format!("/x{c}")) {
            return format!("invalid character @{at}");
        }
        name.push(c);
        at += c.len_utf16() - 1;
    }
    "something that ZooKeeper does not allow".to_owned()
}

const CONFIG_NODE: &str = "/zookeeper/config";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_paths_are_refused_in_java_s_words() {
        for (path, expected) in [
            ("", "Path length must be > 0"),
            ("a", "Path must start with / character"),
            ("/a/", "Path must not end with / character"),
            ("/a//b", "Invalid path string \"/a//b\" caused by empty node name specified @3"),
            ("/a/./b", "Invalid path string \"/a/./b\" caused by relative paths not allowed @3"),
            ("/a/..", "Invalid path string \"/a/..\" caused by relative paths not allowed @4"),
            ("/a\u{1}", "Invalid path string \"/a\u{1}\" caused by invalid character @2"),
            ("/\0", "Invalid path string \"/\0\" caused by null character not allowed @1"),
        ] {
            assert_eq!(validate(path), Err(ClientError::BadPath(expected.to_owned())), "{path:?}");
        }
        assert_eq!(validate("/"), Ok(()));
        assert_eq!(validate("/a/b"), Ok(()));
    }

    #[test]
    fn a_refused_transaction_is_recognised_by_its_first_part() {
        let refused = MultiHeader { op: -1, done: false, err: -101 }.to_bytes();
        let done = MultiHeader { op: 2, done: false, err: 0 }.to_bytes();
        assert_eq!(is_multi_done(&refused), Ok(false));
        assert_eq!(is_multi_done(&done), Ok(true));
    }
}
