//! Request preparation: every write is judged once, in order, and becomes one transaction.
//!
//! The verdict looks at the tree plus everything still in flight (`overlay`) and is written with absolute
//! values (final path, new version), so that replicas apply it blindly. A refused write becomes an error
//! transaction and takes a zxid like any other. One file per operation holds its checks in Apache's order.
//! Called by the server's write path; reads never come here. No I/O and no clock: the caller
//! brings the wall clock and says what has been applied.
//! Source: `org.apache.zookeeper.server.PrepRequestProcessor`.

mod check;
mod container;
mod create;
mod delete;
mod judge;
mod multi;
mod overlay;
mod quota;
mod reconfig;
mod session;
mod set_acl;
mod set_data;

pub use reconfig::Ensemble;

use crate::access::{Identities, Schemes};
use crate::tree::Tree;
use judge::Judge;
use overlay::Overlay;
use quorate_wire::error::ErrorCode;
use quorate_wire::jute::{DecodeError, Jute};
use quorate_wire::op::OpCode;
use quorate_wire::txn::{DIGEST_VERSION, TxnDigest, TxnHeader, TxnType};
use quorate_wire::zxid::Zxid;

/// What an administrator decides about writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrepConfig {
    /// `extendedTypesEnabled`: TTL nodes may be created.
    pub extended_types: bool,
    /// `enforceQuota`: hard quotas refuse instead of being ignored.
    pub enforce_quota: bool,
    /// `skipACL`: nobody is refused for want of a permission.
    pub skip_acl: bool,
    /// `digest.enabled`: transactions carry the tree's digest.
    pub digest: bool,
    /// `closeSessionTxn.enabled`: the end of a session lists the nodes that go with it. If not, its
    /// transaction has neither list nor digest, as before 3.6.
    pub close_session_txn: bool,
    /// `reconfigEnabled`.
    pub reconfig_enabled: bool,
    /// `standaloneEnabled`: an ensemble has two voters at least.
    pub standalone_enabled: bool,
    /// `multiAddress.enabled`: a member may have several addresses.
    pub several_addresses: bool,
    /// Schemes whose ids may stand in ACLs.
    pub schemes: Schemes,
    /// Spreads the paths over the hash table; keep it secret from clients.
    pub seed: u64,
}

/// A write to be judged.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Who asks; 0 for the server itself.
    pub session: i64,
    /// The request's xid.
    pub cxid: i32,
    /// The connection's identities at the moment the request was received.
    pub identities: &'a Identities,
    /// What is asked.
    pub ask: Ask<'a>,
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub enum Ask<'a> {
    /// A client's request as it came.
    Client {
        /// A write.
        op: OpCode,
        /// What followed the request header.
        body: &'a [u8],
    },
    /// A session begins: the one that the request names.
    CreateSession {
        /// Granted timeout, ms.
        timeout: i32,
    },
    /// The request's session ends, by its client or by expiry. From here on it is closing:
    /// [`SessionView::refuses`] must say so of later requests.
    CloseSession,
    /// The reaper wants a container or TTL node gone; it is judged again, so a child created since wins.
    DeleteContainer {
        /// The node.
        path: &'a str,
    },
}

/// Which sessions there are.
pub trait SessionView {
    /// Why nothing may be asked in the name of the session: it is unknown or closing, or its client has gone to another server
    /// than the one that asks. `None` if it may.
    fn refuses(&self, session: i64) -> Option<ErrorCode>;

    /// Whether the session is one server's alone, and so cannot own nodes.
    fn is_local(&self, session: i64) -> bool {
        let _ = session;
        false
    }
}

/// The verdict on one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judged {
    /// The transaction it became.
    pub zxid: Zxid,
    /// Why it was refused. A multi with a failed part is not an error: its reply lists the parts.
    pub error: Option<ErrorCode>,
}

/// The judge: configuration, next zxid and changes in flight.
#[derive(Debug)]
pub struct Prep {
    config: PrepConfig,
    last: Zxid,
    overlay: Overlay,
    ensemble: Option<Ensemble>,
    /// The final path of the create at hand, for its allocation.
    scratch: String,
    create2_parts: Vec<usize>,
}

impl Default for PrepConfig {
    /// Apache's defaults, except that TTL nodes are allowed.
    fn default() -> Self {
        Self {
            extended_types: true,
            enforce_quota: false,
            skip_acl: false,
            digest: true,
            close_session_txn: true,
            reconfig_enabled: false,
            standalone_enabled: true,
            several_addresses: false,
            schemes: Schemes::default(),
            seed: 0,
        }
    }
}

impl Prep {
    /// Continues after `last_zxid`, when the tree's digest is `digest` and nothing is in flight.
    #[must_use]
    pub fn new(config: PrepConfig, last_zxid: Zxid, digest: u64) -> Self {
        let overlay = Overlay::new(config.digest, digest, config.seed);
        Self {
            config,
            last: last_zxid,
            overlay,
            ensemble: None,
            scratch: String::new(),
            create2_parts: Vec::new(),
        }
    }

    /// Judges reconfigurations of this ensemble too, which this server leads.
    pub fn govern(&mut self, ensemble: Ensemble) {
        self.ensemble = Some(ensemble);
    }

    /// What is known of the ensemble.
    pub const fn ensemble_mut(&mut self) -> Option<&mut Ensemble> {
        self.ensemble.as_mut()
    }

    /// Judges one write: takes the next zxid and appends exactly one encoded
    /// [`TxnRecord`](quorate_wire::txn::TxnRecord) to `out`.
    ///
    /// `tree` must contain everything that [`Self::applied`] was told and may contain more of what
    /// has been judged. `wall_ms` becomes the transaction's time.
    pub fn judge(
        &mut self,
        tree: &Tree,
        sessions: &impl SessionView,
        wall_ms: i64,
        request: &Request<'_>,
        out: &mut Vec<u8>,
    ) -> Judged {
        let zxid = self.last.next();
        self.last = zxid;
        if self.config.digest {
            self.overlay.align(tree);
        }
        let mut header = TxnHeader {
            client_id: request.session,
            cxid: request.cxid,
            zxid,
            time: wall_ms,
            kind: kind(request.ask),
        };
        let at = out.len();
        header.write(out);
        self.create2_parts.clear();
        let outcome = Judge {
            config: &self.config,
            ensemble: self.ensemble.as_mut(),
            overlay: &mut self.overlay,
            tree,
            identities: request.identities,
            session: request.session,
            refused: sessions.refuses(request.session),
            local: sessions.is_local(request.session),
            zxid,
            time: wall_ms,
            create2_parts: &mut self.create2_parts,
        }
        .run(request.ask, &mut self.scratch, out);
        if let Err(code) = outcome {
            out.truncate(at);
            header.kind = TxnType::ERROR;
            header.write(out);
            code.code().write(out);
        } else if self.config.digest && !is_bare_close(&self.config, request.ask) {
            TxnDigest { version: DIGEST_VERSION, tree: self.overlay.digest() }.write(out);
        }
        Judged { zxid, error: outcome.err() }
    }

    /// Which parts of the multi judged last were create2: their replies carry the Stat, although the
    /// transaction says create.
    pub(crate) fn take_create2_parts(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.create2_parts)
    }

    /// The tree contains everything up to `zxid` now: what was in flight until then is forgotten.
    pub fn applied(&mut self, zxid: Zxid) {
        self.overlay.applied(zxid);
    }

    /// Nothing in flight survives, because the log refused it: continues after what `tree` contains.
    pub fn discard(&mut self, tree: &Tree) {
        self.overlay.discard(tree.digest());
        self.last = tree.last_zxid();
    }

    /// The last zxid that was given out.
    #[must_use]
    pub const fn last_zxid(&self) -> Zxid {
        self.last
    }

    /// The number of paths with changes in flight; 0 once everything has been applied.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        self.overlay.len()
    }
}

/// The type of the transaction, if the request is not refused: its opcode.
const fn kind(ask: Ask<'_>) -> i32 {
    match ask {
        Ask::Client { op, .. } => op.code(),
        Ask::CreateSession { .. } => TxnType::CREATE_SESSION,
        Ask::CloseSession => TxnType::CLOSE_SESSION,
        Ask::DeleteContainer { .. } => TxnType::DELETE_CONTAINER,
    }
}

/// Whether the transaction ends without a list: a digest behind it would be read as one.
const fn is_bare_close(config: &PrepConfig, ask: Ask<'_>) -> bool {
    !config.close_session_txn
        && matches!(ask, Ask::CloseSession | Ask::Client { op: OpCode::CloseSession, .. })
}

/// An undecodable request is answered with one code, whatever is wrong with it.
fn undecodable(_: DecodeError) -> ErrorCode {
    ErrorCode::MarshallingError
}

#[cfg(test)]
mod tests;
