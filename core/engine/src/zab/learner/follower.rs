//! A follower: logs what is proposed, acknowledges what is durable, applies what is committed.

use super::local::Local;
use super::role::{Learner, Role, Steady};
use crate::zab::Leaving;
use crate::zab::message::{LearnerKind, ToLearner};

/// The following role of a server.
pub type Follower = Learner<Following>;

/// What a follower is told.
#[derive(Debug)]
pub struct Following;

impl Role for Following {
    const KIND: LearnerKind = LearnerKind::Follower;
}

impl Steady for Following {
    fn received(message: ToLearner, local: &mut Local) {
        match message {
            // Apache checks nothing here: whoever is connected is believed.
            ToLearner::Proposal(entry) if entry.zxid().epoch() != local.epoch => {
                local.leave(Leaving::Protocol("it proposes in an epoch not its own"));
            }
            ToLearner::Proposal(entry) => {
                local.take(entry);
            }
            ToLearner::Commit(zxid) => local.commit(zxid),
            ToLearner::CommitAndActivate(zxid, leader) => local.activate(zxid, leader),
            _ => local.leave(Leaving::Protocol("this cannot be said now")),
        }
    }
}
