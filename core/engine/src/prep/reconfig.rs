//! reconfig: other members for the ensemble.
//!
//! Only a leader can judge it, for it knows who follows. The new configuration's version is the transaction's zxid, so a version stands
//! for one configuration. Source: `PrepRequestProcessor#pRequest2Txn`, `QuorumServer#checkAddressDuplicate`. What a server would refuse to
//! start with is refused too ([`Misfit`]); Apache lets servers of one host share a client port, and others be numbered as they like.

use super::judge::Judge;
use super::undecodable;
use crate::quorum::{Misfit, Quorums, Verifier};
use quorate_wire::acl::WRITE;
use quorate_wire::error::ErrorCode;
use quorate_wire::jute::{Jute, write_str};
use quorate_wire::op::reconfig::ReconfigRequest;
use quorate_wire::quorum::Membership;
use quorate_wire::quorum::election::MAX_NOTIFICATION;
use quorate_wire::quorum::membership::Server;
use std::collections::BTreeSet;

/// What a leader's judge knows of its ensemble.
#[derive(Clone, Debug)]
pub struct Ensemble {
    me: i64,
    quorums: Quorums,
    followers: BTreeSet<i64>,
}

impl Ensemble {
    /// That of server `me`, which leads; nobody follows yet.
    #[must_use]
    pub const fn new(me: i64, quorums: Quorums) -> Self {
        Self { me, quorums, followers: BTreeSet::new() }
    }

    /// These servers follow and are up to date, voters or not.
    pub fn followed_by(&mut self, followers: BTreeSet<i64>) {
        self.followers = followers;
    }

    /// A reconfiguration has taken effect.
    pub fn commit(&mut self, membership: Membership) {
        self.quorums.commit(membership);
    }

    /// Whether enough of the voters of a configuration are here to acknowledge it.
    fn has_quorum_of(&self, membership: &Membership) -> bool {
        let is_here = |sid| sid == self.me || self.followers.contains(&sid);
        Verifier::new(membership).is_quorum(is_here)
    }
}

/// Judges a reconfig. The ACL comes last, so that whoever may not change the configuration learns first what is wrong with the request, as in
/// Apache.
pub(super) fn reconfig(
    judge: &mut Judge<'_>,
    body: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), ErrorCode> {
    let request = ReconfigRequest::from_bytes(body).map_err(undecodable)?;
    if !judge.config.reconfig_enabled {
        return Err(ErrorCode::ReconfigDisabled);
    }
    judge.require_session()?;
    let Some(ensemble) = judge.ensemble.as_deref() else { return Err(ErrorCode::Unimplemented) };
    if ensemble.quorums.pending().is_some() {
        return Err(ErrorCode::ReconfigInProgress);
    }
    let current = ensemble.quorums.committed();
    if request.cur_config_id != -1 && request.cur_config_id != current.version {
        return Err(ErrorCode::BadVersion);
    }
    let mut next = match &request.new_members {
        Some(members) => whole(members)?,
        None => changed(current, &request)?,
    };
    next.version = judge.zxid.0;
    let text = next.to_string();
    let fewest = if judge.config.standalone_enabled { 2 } else { 1 };
    let is_too_few = next.voters().count() < fewest;
    let has_several = next.servers.values().any(|server| server.addresses.len() > 1);
    let is_many = has_several && !judge.config.several_addresses;
    if is_too_few || is_many || text.len() > LONGEST || Misfit::of(&next).is_some() {
        return Err(ErrorCode::BadArguments);
    }
    if !ensemble.has_quorum_of(&next) {
        return Err(ErrorCode::NewConfigNoQuorum);
    }
    let mut node = judge.node(CONFIG)?;
    judge.require_permission(CONFIG, &node, WRITE)?;

    write_str(CONFIG, out);
    Some(text.as_bytes()).write(out);
    NO_VERSION.write(out);

    node.stat.version = NO_VERSION;
    node.stat.mtime = judge.time;
    node.stat.mzxid = judge.zxid.0;
    judge.overlay.update_data(CONFIG, node, Some(text.as_bytes()), judge.zxid);
    if let Some(ensemble) = judge.ensemble.as_deref_mut() {
        ensemble.quorums.see(next);
    }
    Ok(())
}

/// The members as the request lists them, each with its line.
fn whole(members: &str) -> Result<Membership, ErrorCode> {
    Membership::parse(&members.replace(',', "\n")).map_err(|_| ErrorCode::BadArguments)
}

/// The members without those who leave, and with those who join or come with another line. Groups cannot be changed so.
fn changed(current: &Membership, request: &ReconfigRequest<'_>) -> Result<Membership, ErrorCode> {
    if current.is_hierarchical() {
        return Err(ErrorCode::BadArguments);
    }
    let mut next = current.clone();
    for leaving in listed(request.leaving.as_deref()) {
        next.servers.remove(&id(leaving)?);
    }
    for joining in listed(request.joining.as_deref()) {
        let (key, line) = joining.split_once('=').ok_or(ErrorCode::BadArguments)?;
        let sid = id(key.rsplit_once('.').map_or(key, |(_, sid)| sid))?;
        let server: Server = line.trim().parse().map_err(|_| ErrorCode::BadArguments)?;
        if server.client.is_none() && server.secure_client.is_none() {
            return Err(ErrorCode::BadArguments);
        }
        next.servers.insert(sid, server);
    }
    Ok(next)
}

/// The items of a list with commas.
fn listed(text: Option<&str>) -> impl Iterator<Item = &str> {
    text.unwrap_or_default().split(',').map(str::trim).filter(|item| !item.is_empty())
}

/// Apache takes what is no number for a request that it cannot decode.
fn id(text: &str) -> Result<i64, ErrorCode> {
    let sid = text.trim().parse().ok().filter(|&sid: &i64| sid >= 0);
    sid.ok_or(ErrorCode::MarshallingError)
}

const CONFIG: &str = "/zookeeper/config";
/// No longer text is proposed, bytes: every notification carries it, and would be refused.
const LONGEST: usize = MAX_NOTIFICATION / 2;
/// The node is never changed by its version: that stands in the text.
const NO_VERSION: i32 = -1;
