//! An observer: takes what is committed, as fast readers do, and has no say in what is.

use super::local::Local;
use super::role::{Learner, Role, Steady};
use crate::zab::Leaving;
use crate::zab::message::{LearnerKind, ToLearner};

/// The observing role of a server.
pub type Observer = Learner<Observing>;

/// What an observer is told.
#[derive(Debug)]
pub struct Observing;

impl Role for Observing {
    const KIND: LearnerKind = LearnerKind::Observer;
}

impl Steady for Observing {
    fn received(message: ToLearner, local: &mut Local) {
        match message {
            ToLearner::Inform(entry) => {
                let zxid = entry.zxid();
                if local.take(entry) {
                    local.commit(zxid);
                }
            }
            ToLearner::InformAndActivate(entry, leader) => {
                let zxid = entry.zxid();
                if local.take(entry) {
                    local.activate(zxid, leader);
                }
            }
            // Late ones of Apache's leaders, which say the same again with INFORM.
            ToLearner::Proposal(_) | ToLearner::Commit(_) | ToLearner::CommitAndActivate(..) => {}
            _ => local.leave(Leaving::Protocol("this cannot be said now")),
        }
    }
}
