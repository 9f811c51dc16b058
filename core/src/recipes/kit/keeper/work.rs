//! [`Work`]: the task that puts the node in its place, stays with it, and removes it in the end.

use super::super::backoff::Backoff;
use super::super::claim::{Claim, Kind};
use super::super::companion::Asked;
use super::super::live::{Live, Teller};
use super::super::patience::{delete_if_there, ensure_as, name_of, parent_of, patiently};
use super::super::race::{First, first};
use super::{Form, Presence, Rival, Spec, State};
use crate::client::{Client, CreateMode, Error, ErrorCode, Result};
use std::collections::VecDeque;

/// The task.
pub(super) struct Work {
    client: Client,
    spec: Spec,
    wanted: Live<Vec<u8>>,
    state: Teller<State>,
    presence: Teller<Presence>,
    /// The node as it was seen last. A persistent one stays known from one session to the next.
    node: Option<Node>,
    /// The session in which the name was this client's already.
    won: i64,
    /// Earlier sessions of this client: what they own may be deleted.
    sessions: VecDeque<i64>,
    /// What a session before may write late: it was on its way when that session was lost.
    stray: Option<Vec<u8>>,
}

struct Node {
    /// Unless it is persistent.
    claim: Option<Claim>,
    path: String,
    token: i64,
    /// When this client has written it.
    mzxid: i64,
    /// The revision of the data that was written.
    revision: u64,
}

/// Why the task looks again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Again {
    /// The owner has asked for the end.
    Asked,
    /// The node has to be created.
    Gone,
}

impl Work {
    pub(super) fn new(
        client: &Client,
        spec: Spec,
        wanted: Live<Vec<u8>>,
        state: Teller<State>,
        presence: Teller<Presence>,
    ) -> Self {
        Self {
            client: client.clone(),
            spec,
            wanted,
            state,
            presence,
            node: None,
            won: 0,
            sessions: VecDeque::new(),
            stray: None,
        }
    }

    pub(super) async fn run(mut self, mut asked: Asked) {
        let mut backoff = Backoff::default();
        let outcome = loop {
            let round = self.round(&mut asked).await;
            let pause = match round {
                Ok(Again::Asked) => break None,
                Ok(Again::Gone) => first(&mut asked, backoff.pause(&self.client)).await,
                Err(error) if error.code() == ErrorCode::SessionExpired => {
                    if self.spec.form != Form::Persistent {
                        self.node = None;
                    }
                    self.tell(Presence::Absent, None);
                    match first(&mut asked, self.client.connected()).await {
                        First::Left(()) => First::Left(()),
                        First::Right(Ok(())) => First::Right(()),
                        First::Right(Err(error)) => break Some(error),
                    }
                }
                Err(error) if error.is_session_end() => break Some(error),
                // The connection is away, or the server cannot write at the moment: neither is a refusal.
                Err(error)
                    if error.is_connection_loss() || error.code() == ErrorCode::SystemError =>
                {
                    first(&mut asked, backoff.pause(&self.client)).await
                }
                Err(error) => {
                    let presence = match &self.node {
                        Some(node) => Presence::There(node.token),
                        None => Presence::Refused(error.clone()),
                    };
                    self.tell(presence, Some(error));
                    first(&mut asked, backoff.pause(&self.client)).await
                }
            };
            if pause == First::Left(()) {
                break None;
            }
        };
        let removed = match outcome {
            None => self.remove().await,
            Some(error) => Err(error),
        };
        let error = removed.err();
        self.tell(Presence::Ended(error.clone()), error);
    }

    /// Puts the node in its place and stays with it.
    async fn round(&mut self, asked: &mut Asked) -> Result<Again> {
        let is_known = self.node.is_some() && self.won == self.client.session_id();
        if !is_known && !self.place(asked).await? {
            return Ok(Again::Gone);
        }
        let Some(mut node) = self.node.take() else { return Ok(Again::Gone) };
        let result = self.stay(&mut node, asked).await;
        if result == Ok(Again::Gone) {
            if let Some(claim) = node.claim {
                claim.forget();
            }
            self.tell(Presence::Absent, None);
        } else {
            self.node = Some(node);
        }
        result
    }

    /// Keeps the data up to date until the node is gone, or the owner asks.
    async fn stay(&mut self, node: &mut Node, asked: &mut Asked) -> Result<Again> {
        loop {
            let (stat, watch) = match self.client.exists_and_watch(&node.path).await {
                Err(error) if error.is_connection_loss() => continue,
                found => found?,
            };
            let Some(stat) = stat.filter(|stat| stat.czxid == node.token) else {
                return Ok(Again::Gone);
            };
            if self.stray.is_some() && stat.mzxid > node.mzxid {
                let (data, _) = patiently(|| self.client.get(&node.path)).await?;
                if self.stray.as_ref() == Some(&data) {
                    node.revision = 0;
                }
                node.mzxid = stat.mzxid;
            }
            let data = self.wanted.next_or_present();
            if node.revision < self.wanted.seen() {
                // At the version that was looked at: a node that another has put in this place is not written.
                let set = || self.client.set(&node.path, &data, Some(stat.version));
                match patiently(set).await {
                    Ok(stat) => (node.mzxid, node.revision) = (stat.mzxid, self.wanted.seen()),
                    Err(error)
                        if matches!(error.code(), ErrorCode::BadVersion | ErrorCode::NoNode) => {}
                    Err(error) => {
                        if error.is_session_end() {
                            self.stray = Some(data);
                        }
                        return Err(error);
                    }
                }
                continue;
            }
            self.tell_there(node);
            match first(&mut *asked, first(self.wanted.next(), watch)).await {
                First::Left(()) => return Ok(Again::Asked),
                First::Right(First::Right(event)) => drop(event?),
                First::Right(First::Left(_)) => {}
            }
        }
    }

    /// Creates the node, or takes one that is there. False when the name was another's, and may be free now.
    async fn place(&mut self, asked: &mut Asked) -> Result<bool> {
        self.remember_session();
        let (data, session) = (self.wanted.next_or_present(), self.client.session_id());
        let kind = match self.spec.form {
            Form::Persistent => return self.place_persistent(&data).await,
            Form::Ephemeral => Kind::PlainOwned,
            Form::EphemeralSequential => Kind::SequentialOwned,
        };
        let path = self.spec.path.clone();
        let (directory, name) = (parent_of(&path), name_of(&path));
        if self.spec.parents != CreateMode::Container {
            ensure_as(&self.client, directory, self.spec.parents).await?;
        }
        let stems = |_| vec![name.to_owned()];
        match Claim::create(&self.client, directory, stems, &data, kind).await {
            Err(error) if error.code() == ErrorCode::NodeExists => {}
            claim => {
                let revision = self.wanted.seen();
                self.take(claim?, revision);
                return Ok(true);
            }
        }
        let (stat, watch) = self.client.exists_and_watch(&path).await?;
        let Some(stat) = stat else { return Ok(false) };
        if stat.ephemeral_owner == session {
            // One that was dropped just before, under the same name, and is perhaps on its way out.
            self.take(Claim::adopt(&self.client, &path, &stat), 0);
            return Ok(true);
        }
        let replaces = self.spec.rival == Rival::Replace && self.won != session;
        if replaces || self.sessions.contains(&stat.ephemeral_owner) {
            self.clear(&path, stat.version).await?;
            return Ok(false);
        }
        self.tell(Presence::Taken(stat.ephemeral_owner), None);
        if let First::Right(event) = first(&mut *asked, watch).await {
            event?;
        }
        Ok(false)
    }

    fn take(&mut self, claim: Claim, revision: u64) {
        let (path, token) = (claim.path(), claim.token());
        self.node = Some(Node { claim: Some(claim), path, token, mzxid: token, revision });
        self.won = self.client.session_id();
    }

    async fn place_persistent(&mut self, data: &[u8]) -> Result<bool> {
        let path = self.spec.path.as_str();
        let mut revision = self.wanted.seen();
        let create = || self.client.create(path, data, CreateMode::Persistent);
        let (token, mzxid) = match patiently(create).await {
            Ok(created) => (created.stat.czxid, created.stat.mzxid),
            Err(error) if error.code() == ErrorCode::NoNode => {
                ensure_as(&self.client, parent_of(path), self.spec.parents).await?;
                return Ok(false);
            }
            Err(error) if error.code() == ErrorCode::NodeExists => {
                let found = patiently(|| self.client.exists(path)).await?;
                let Some(stat) = found else { return Ok(false) };
                if stat.ephemeral_owner != 0 {
                    self.clear(path, stat.version).await?;
                    return Ok(false);
                }
                let known = self.node.as_ref().filter(|node| node.token == stat.czxid);
                revision = known.map_or(0, |node| node.revision);
                (stat.czxid, known.map_or(stat.mzxid, |node| node.mzxid))
            }
            Err(error) => return Err(error),
        };
        self.node = Some(Node { claim: None, path: path.to_owned(), token, mzxid, revision });
        self.won = self.client.session_id();
        Ok(true)
    }

    /// Deletes a node that stands in the way, as it was seen.
    async fn clear(&self, path: &str, version: i32) -> Result<()> {
        match patiently(|| self.client.delete(path, Some(version))).await {
            Err(error) if matches!(error.code(), ErrorCode::NoNode | ErrorCode::BadVersion) => {
                Ok(())
            }
            other => other,
        }
    }

    /// The owner has asked for it.
    async fn remove(&mut self) -> Result<()> {
        let Some(node) = self.node.take() else { return Ok(()) };
        if let Some(claim) = node.claim {
            return claim.remove().await;
        }
        let mut backoff = Backoff::default();
        loop {
            match delete_if_there(&self.client, &node.path).await {
                Err(error) if error.code() == ErrorCode::SessionExpired => {
                    self.client.connected().await?;
                }
                Err(error) if error.code() == ErrorCode::SystemError => {
                    backoff.pause(&self.client).await;
                }
                other => return other,
            }
        }
    }

    // The state comes first: whoever hears of a presence in the stream finds the path that belongs to it.
    fn tell_there(&self, node: &Node) {
        let (path, revision) = (node.path.clone(), node.revision);
        let presence = Presence::There(node.token);
        self.state.tell(State { presence: presence.clone(), path, revision, error: None });
        self.presence.tell_if_new(presence);
    }

    fn tell(&self, presence: Presence, error: Option<Error>) {
        let path = self.node.as_ref().map_or(String::new(), |node| node.path.clone());
        let revision = self.wanted.seen();
        self.state.tell(State { presence: presence.clone(), path, revision, error });
        self.presence.tell_if_new(presence);
    }

    fn remember_session(&mut self) {
        let session = self.client.session_id();
        if session != 0 && self.sessions.back() != Some(&session) {
            self.sessions.push_back(session);
            if self.sessions.len() > MAX_SESSIONS {
                self.sessions.pop_front();
            }
        }
    }
}

/// Earlier sessions that are remembered: more cannot be visible at the same time.
const MAX_SESSIONS: usize = 16;
