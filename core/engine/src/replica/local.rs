//! Sessions of one server alone (`localSessionsEnabled`): they begin and end without a transaction, and no other server knows them.
//!
//! Their clients write as all do; the leader takes the word of the server that asks for it that such a session lives. They cannot own ephemeral
//! nodes. Where upgrades are on, one that creates its first becomes a session of the ensemble just before, under its id; otherwise the creation is
//! refused. Like everything of a replica they end with the role of their server. Source: `UpgradeableSessionTracker`, `LocalSessionTracker`,
//! `QuorumZooKeeperServer#checkUpgradeSession`.

use super::pending::Purpose;
use super::place::{Asking, Place};
use super::{Now, Ready, Replica};
use crate::access::Identities;
use crate::prep::{Ask, Request};
use crate::session::ConnRef;
use crate::shard::Submission;
use crate::tree::Tree;
use crate::zab::ToLeader;
use crate::zab::message::Request as Forwarded;
use quorate_wire::op::create::{CreateMode, CreateRequest};
use quorate_wire::op::multi::{MultiPart, MultiParts};
use quorate_wire::{Jute, OpCode, password};

/// Whether there are sessions of one server alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LocalSessions {
    /// Every session is the ensemble's.
    #[default]
    Off,
    /// They stay what they are (`localSessionsEnabled`).
    Kept,
    /// They become the ensemble's when they need to (`localSessionsUpgradingEnabled`).
    Upgraded,
}

impl Replica {
    /// Does what can be done for sessions of this server alone. Returns whether that is all.
    pub(super) fn is_done_here(
        &mut self,
        conn: ConnRef,
        submission: &Submission<'_>,
        tree: &Tree,
        now: Now,
    ) -> bool {
        match *submission {
            Submission::NewSession { timeout } => {
                let session = self.next_session.id(self.config.server);
                self.next_session = self.next_session.next();
                self.locals.add(session, timeout, Some(conn), now.mono);
                self.ready.push(Ready::Connected(conn, session));
                true
            }
            Submission::Resume { session, password, timeout } => {
                let knows = password::matches(session, password)
                    && self.locals.touch(session, timeout, now.mono);
                if knows {
                    let before = self.locals.attach(session, conn).filter(|&before| before != conn);
                    self.ready.extend(before.map(Ready::HangUp));
                    self.ready.push(Ready::Connected(conn, session));
                }
                knows
            }
            Submission::Touch { session, timeout } => self.locals.touch(session, timeout, now.mono),
            Submission::Write { session, xid, op: OpCode::CloseSession, .. }
                if self.locals.is_open(session) =>
            {
                self.end_local(conn, session, xid);
                true
            }
            Submission::Write { session, op, body, .. }
                if self.config.local_sessions == LocalSessions::Upgraded
                    && self.locals.is_open(session)
                    && creates_ephemeral(op, body) =>
            {
                self.upgrade(session, conn, tree, now);
                false
            }
            _ => false,
        }
    }

    /// The session ends behind what its client has asked for before.
    fn end_local(&mut self, conn: ConnRef, session: i64, xid: i32) {
        if self.pending.iter().any(|pending| pending.conn == Some(conn)) {
            self.locals.close(session);
            self.mark(conn, Purpose::LocalEnd { xid, session });
        } else {
            self.locals.remove(session);
            self.ready.push(Ready::Bare { conn, xid, err: 0 });
        }
    }

    /// The session becomes the ensemble's: whatever is asked for next comes behind its beginning.
    fn upgrade(&mut self, session: i64, conn: ConnRef, tree: &Tree, now: Now) {
        let Some(timeout) = self.locals.timeout(session) else { return };
        self.locals.remove(session);
        self.sessions.add(session, timeout, Some(conn), now.mono);
        if let Place::Learning(learning) = &mut self.place {
            let (op, body) = (OpCode::CreateSession.code(), timeout.to_be_bytes()[..].into());
            let request = Forwarded { session, cxid: 0, op, body, identities: None };
            return learning.messages.push(ToLeader::Request(request));
        }
        let (identities, ask) = (Identities::none(), Ask::CreateSession { timeout });
        let request = Request { session, cxid: 0, identities: &identities, ask };
        self.judge(tree, now, &request, Asking::Here(None), Purpose::Foreign);
    }

    /// Ends those of which nothing was heard for too long.
    pub(super) fn expire_locals(&mut self, now: Now) {
        for session in self.locals.expire(now.mono) {
            let Some(conn) = self.locals.remove(session) else { continue };
            if self.place.is_learning() {
                self.forget_requests(conn);
            }
            self.ready.push(Ready::HangUp(conn));
        }
    }

    /// How many there are.
    #[must_use]
    pub fn local_sessions(&self) -> usize {
        self.locals.len()
    }
}

/// Whether a request creates an ephemeral node. Source: `QuorumZooKeeperServer#checkUpgradeSession`.
fn creates_ephemeral(op: OpCode, body: &[u8]) -> bool {
    let is_ephemeral =
        |flags: i32| CreateMode::from_flags(flags).is_some_and(CreateMode::is_ephemeral);
    match op {
        OpCode::Create | OpCode::Create2 => {
            CreateRequest::from_bytes(body).is_ok_and(|request| is_ephemeral(request.flags))
        }
        OpCode::Multi => MultiParts::new(body).map_while(Result::ok).any(|part| match part {
            MultiPart::Create(OpCode::Create | OpCode::Create2, request) => {
                is_ephemeral(request.flags)
            }
            _ => false,
        }),
        _ => false,
    }
}
