//! Where a replica stands in its ensemble, if there is one, and what it keeps only there.

use crate::prep::SessionView;
use crate::session::{ConnRef, Tracker};
use crate::shard::Submission;
use crate::zab::{LearnerKey, ToLeader};
use hashbrown::HashMap;
use quorate_wire::ErrorCode;
use std::collections::VecDeque;

/// Where a replica stands.
#[derive(Debug)]
pub(super) enum Place {
    /// No other server has its data.
    Alone,
    /// It leads: others pass their clients' requests on to it.
    Leading(Leading),
    /// It follows or observes, and passes requests on.
    Learning(Learning),
    /// There is no leader: it lets read what it has, and nothing else.
    ReadOnly,
}

/// What a leader's replica knows of other servers' sessions, and of syncs.
#[derive(Debug)]
pub(super) struct Leading {
    /// At which learner a session's client is. Those of no learner are here, or have not been heard of under this leader.
    pub(super) owners: HashMap<i64, LearnerKey, foldhash::fast::FixedState>,
    /// Syncs of this server's clients, and how many of them are done once everything before them is.
    pub(super) asked: u64,
    pub(super) confirmed: u64,
}

/// What a learner's replica has for its leader.
#[derive(Debug, Default)]
pub(super) struct Learning {
    pub(super) messages: Vec<ToLeader>,
    /// Sessions that were heard of, and their timeouts, ms.
    pub(super) touched: Vec<(i64, i32)>,
    /// Clients that wait to hear whether their session lives, and its timeout, in the order of the questions.
    pub(super) resuming: VecDeque<(i64, ConnRef, i32)>,
}

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub(super) enum Asking {
    /// A connection of this server, or the server itself.
    Here(Option<ConnRef>),
    /// A learner, for its client.
    There(LearnerKey),
}

impl Place {
    pub(super) fn leading() -> Self {
        let owners = HashMap::with_hasher(foldhash::fast::FixedState::with_seed(0x0E17));
        Self::Leading(Leading { owners, asked: 0, confirmed: 0 })
    }

    pub(super) fn learning() -> Self {
        Self::Learning(Learning::default())
    }

    pub(super) const fn is_read_only(&self) -> bool {
        matches!(self, Self::ReadOnly)
    }

    pub(super) const fn is_learning(&self) -> bool {
        matches!(self, Self::Learning(_))
    }

    /// Whether this is for the leader to decide. Words are answered everywhere.
    #[inline]
    pub(super) const fn passes_on(&self, submission: &Submission<'_>) -> bool {
        self.is_learning() && !matches!(submission, Submission::FourLetter { .. })
    }

    /// Whether a sync with nothing before it is true at once. A leader has to ask whether it still leads.
    pub(super) const fn syncs_at_once(&self) -> bool {
        matches!(self, Self::Alone)
    }

    /// The number of a new sync.
    pub(super) const fn ask_sync(&mut self) -> u64 {
        match self {
            Self::Leading(leading) => {
                leading.asked += 1;
                leading.asked
            }
            _ => 0,
        }
    }

    /// Syncs up to this number may be answered in their turn.
    pub(super) const fn confirmed(&self) -> u64 {
        match self {
            Self::Leading(leading) => leading.confirmed,
            _ => 0,
        }
    }

    /// The session's client is at this server now.
    pub(super) fn comes_here(&mut self, session: i64) {
        self.ended(session);
    }

    /// The session is no more.
    pub(super) fn ended(&mut self, session: i64) {
        if let Self::Leading(leading) = self {
            leading.owners.remove(&session);
        }
    }

    /// The sessions as they look to who asks.
    pub(super) const fn view<'a>(
        &'a self,
        sessions: &'a Tracker,
        locals: Locals<'a>,
        asking: Asking,
    ) -> View<'a> {
        let leading = match self {
            Self::Leading(leading) => Some(leading),
            _ => None,
        };
        View { sessions, locals, leading, asking }
    }
}

impl Asking {
    pub(super) const fn conn(self) -> Option<ConnRef> {
        match self {
            Self::Here(conn) => conn,
            Self::There(_) => None,
        }
    }
}

/// Sessions of one server alone, if there are any.
pub(super) struct Locals<'a> {
    /// This server's.
    pub(super) own: &'a Tracker,
    /// The first byte of the ids of those, where others may have some too.
    pub(super) server: Option<u8>,
}

impl Locals<'_> {
    /// Whether who asks may have this session: what is not this server's is known to its own only.
    fn may_be(&self, session: i64, asking: Asking) -> bool {
        let first = session.to_be_bytes().first().copied();
        let is_foreign = matches!(asking, Asking::There(_))
            && self.server.is_some_and(|server| first != Some(server));
        self.own.is_open(session) || is_foreign
    }
}

/// The sessions as they look to somebody.
pub(super) struct View<'a> {
    sessions: &'a Tracker,
    locals: Locals<'a>,
    leading: Option<&'a Leading>,
    asking: Asking,
}

impl SessionView for View<'_> {
    /// Source: `SessionTrackerImpl#checkSession`, `LeaderSessionTracker#checkSession`.
    fn refuses(&self, session: i64) -> Option<ErrorCode> {
        if !self.sessions.is_open(session) {
            return (!self.is_local(session)).then_some(ErrorCode::SessionExpired);
        }
        let owner = self.leading?.owners.get(&session);
        let elsewhere = match (self.asking, owner) {
            (Asking::Here(_), owner) => owner.is_some(),
            (Asking::There(learner), Some(&owner)) => owner != learner,
            (Asking::There(_), None) => self.sessions.owner(session).is_some(),
        };
        elsewhere.then_some(ErrorCode::SessionMoved)
    }

    fn is_local(&self, session: i64) -> bool {
        // One of the ensemble's that is about to end is none.
        !self.sessions.knows(session) && self.locals.may_be(session, self.asking)
    }
}
