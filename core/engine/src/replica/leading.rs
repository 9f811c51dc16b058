//! The replica of a leader: judges for the clients of all servers, and commits when a quorum has logged.

use super::pending::Purpose;
use super::place::{Asking, Place};
use super::{ApplyError, Now, Ready, Replica, ReplicaConfig};
use crate::access::Identities;
use crate::prep::{Ask, Ensemble, Request};
use crate::shard::Shard;
use crate::tree::Tree;
use crate::zab::message::Request as Forwarded;
use crate::zab::{Epoch, LearnerKey, Sid, start_of};
use quorate_wire::quorum::Membership;
use quorate_wire::{Jute, OpCode};
use std::collections::BTreeSet;

impl Replica {
    /// The replica of a leader that is established in this epoch. `tree` holds the whole history; its sessions
    /// get their full timeout from now on, for nobody knows when they were heard of last.
    #[must_use]
    pub fn leading(config: ReplicaConfig, epoch: Epoch, tree: &Tree, now: Now) -> Self {
        Self::at(Place::leading(), start_of(epoch), config, tree, 0, now)
    }

    /// Lets clients change the members of the ensemble, which this server leads.
    pub fn govern(&mut self, ensemble: Ensemble) {
        self.prep.govern(ensemble);
    }

    /// These servers follow and are up to date.
    pub fn followed_by(&mut self, followers: BTreeSet<Sid>) {
        if let Some(ensemble) = self.prep.ensemble_mut() {
            ensemble.followed_by(followers);
        }
    }

    /// A reconfiguration has taken effect.
    pub fn reconfigured(&mut self, membership: Membership) {
        if let Some(ensemble) = self.prep.ensemble_mut() {
            ensemble.commit(membership);
        }
    }

    /// A learner's client wants something. Its answer is the commit of what becomes of it.
    pub fn request(&mut self, learner: LearnerKey, forwarded: &Forwarded, tree: &Tree, now: Now) {
        let Forwarded { session, cxid, body, .. } = forwarded;
        let (session, cxid) = (*session, *cxid);
        let identities =
            forwarded.identities.as_deref().map_or_else(Identities::none, Identities::believed);
        let ask = match OpCode::from_code(forwarded.op) {
            Some(OpCode::CreateSession) => {
                let timeout = i32::from_bytes(body).unwrap_or_default();
                self.sessions.add(session, timeout, None, now.mono);
                Ask::CreateSession { timeout }
            }
            Some(OpCode::CloseSession) => Ask::CloseSession,
            // What is no write of ours is refused like a read.
            op => Ask::Client { op: op.unwrap_or(OpCode::Exists), body },
        };
        let request = Request { session, cxid, identities: &identities, ask };
        self.judge(tree, now, &request, Asking::There(learner), Purpose::Foreign);
        match ask {
            Ask::CloseSession => self.sessions.close(session),
            _ => self.owned_by(session, learner),
        }
    }

    /// A session that nobody has claimed under this leader belongs to the learner that asks first.
    fn owned_by(&mut self, session: i64, learner: LearnerKey) {
        let is_free = self.sessions.is_open(session) && self.sessions.owner(session).is_none();
        if let (Place::Leading(leading), true) = (&mut self.place, is_free) {
            leading.owners.entry(session).or_insert(learner);
        }
    }

    /// A session's client has come to a learner. Returns whether the session lives; then it is the learner's.
    pub fn revalidate(
        &mut self,
        learner: LearnerKey,
        session: i64,
        timeout: i32,
        now: Now,
    ) -> bool {
        let lives = self.sessions.touch(session, timeout, now.mono);
        if let (Place::Leading(leading), true) = (&mut self.place, lives) {
            leading.owners.insert(session, learner);
            if let Some(conn) = self.sessions.detach(session) {
                self.ready.push(Ready::HangUp(conn));
            }
        }
        lives
    }

    /// A learner has heard of a session.
    pub fn touched(&mut self, session: i64, timeout: i32, now: Now) {
        self.sessions.touch(session, timeout, now.mono);
    }

    /// How many syncs this server's clients have asked for. The leader is to be asked for as many.
    #[must_use]
    pub const fn syncs_asked(&self) -> u64 {
        match &self.place {
            Place::Leading(leading) => leading.asked,
            _ => 0,
        }
    }

    /// So many syncs are true, in their turn.
    ///
    /// # Errors
    /// [`ApplyError`]: as in [`synced`](Self::synced).
    pub fn confirmed(
        &mut self,
        syncs: u64,
        tree: &mut Tree,
        shards: &mut [&mut Shard],
        now: Now,
    ) -> Result<(), ApplyError> {
        if let Place::Leading(leading) = &mut self.place {
            leading.confirmed = leading.confirmed.max(syncs);
        }
        self.synced(tree.last_zxid(), tree, shards, now)
    }
}
