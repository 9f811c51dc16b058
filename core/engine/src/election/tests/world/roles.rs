//! What servers do once they have a leader: the outline of discovery, and the loss of each other.

use super::*;

/// What a server does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Role {
    Looking,
    Learner {
        leader: i64,
        /// The leader has let it in.
        joined: bool,
    },
    Leader {
        followers: BTreeSet<i64>,
        /// The epoch, once it is established.
        epoch: Option<i64>,
    },
}

impl Role {
    pub(in super::super) const fn is_established(&self) -> bool {
        matches!(self, Self::Leader { epoch: Some(_), .. })
    }
}

impl World {
    /// Looks for a leader, with what is on the disk.
    pub(super) fn look(&mut self, sid: i64) {
        self.leave_role(sid);
        let now = self.now;
        let node = self.node(sid);
        node.turn += 1;
        let history = node.history;
        self.tell(sid, format!("looks for a leader with {history:?}"));
        self.with(sid, |election| election.start(now, history));
    }

    /// Leaves the role; who depends on it notices soon.
    pub(super) fn leave_role(&mut self, sid: i64) {
        let role = std::mem::replace(&mut self.node(sid).role, Role::Looking);
        let others = match role {
            Role::Looking => BTreeSet::new(),
            Role::Learner { leader, .. } => [leader].into(),
            Role::Leader { followers, .. } => followers,
        };
        for other in others.into_iter().filter(|&other| other != sid) {
            let silent = self.is_cut(sid, other);
            let pause = if silent { (300, 600) } else { (0, 3) };
            let at = self.now + self.random.between(pause.0, pause.1);
            let turn = self.node(other).turn;
            self.plan(at, Event::Lost { sid: other, turn, other: sid });
        }
    }

    pub(super) fn decided(&mut self, sid: i64, state: ServerState, leader: i64) {
        self.tell(sid, format!("is {state:?} under {leader}"));
        let turn = self.node(sid).turn;
        if state == ServerState::Leading {
            let epoch = None;
            self.node(sid).role = Role::Leader { followers: [sid].into(), epoch };
            self.plan(self.now + PATIENCE, Event::GiveUp { sid, turn });
            self.establish(sid);
        } else {
            self.node(sid).role = Role::Learner { leader, joined: false };
            let at = self.now + self.pause();
            self.plan(at, Event::Join { sid, turn, tries: 1 });
        }
    }

    /// A learner knocks at its leader's door, five times as Apache's does.
    pub(super) fn join(&mut self, sid: i64, tries: i64) {
        let (turn, history) = (self.node(sid).turn, self.node(sid).history);
        let Role::Learner { leader, joined: false } = self.node(sid).role else { return };
        let open = self.reach(sid, leader) && matches!(self.node(leader).role, Role::Leader { .. });
        if !open && tries < 5 {
            self.plan(self.now + 100, Event::Join { sid, turn, tries: tries + 1 });
        } else if !open {
            self.look(sid);
        } else {
            let theirs = self.node(leader).history;
            let counts = self.membership.is_voter(sid);
            let Role::Leader { followers, epoch } = &mut self.node(leader).role else { return };
            let epoch = *epoch;
            // Whoever has seen more is refused by a leader that is not established yet.
            if epoch.is_none()
                && counts
                && (history.epoch, history.zxid) > (theirs.epoch, theirs.zxid)
            {
                self.tell(sid, format!("is ahead of {leader}"));
                self.look(sid);
                return;
            }
            followers.insert(sid);
            self.node(sid).role = Role::Learner { leader, joined: true };
            match epoch {
                Some(epoch) => self.adopt(sid, theirs, epoch),
                None => self.establish(leader),
            }
        }
    }

    /// Establishes a leader if a quorum has come to it.
    fn establish(&mut self, leader: i64) {
        let node = self.node(leader);
        let history = node.history;
        let Role::Leader { followers, epoch: None } = node.role.clone() else { return };
        if !node.election.quorums().is_quorum(|sid| followers.contains(&sid)) {
            return;
        }
        let newest = (history.epoch, history.zxid);
        self.check(newest >= self.committed, "the leader lacks something that was committed");
        let promised = followers.iter().map(|sid| self.nodes[sid].accepted_epoch).max();
        let epoch = promised.unwrap_or(0) + 1;
        self.tell(leader, format!("is established with {followers:?} in epoch {epoch}"));
        self.established.push((self.now, leader));
        let history = History { zxid: Zxid(epoch << 32), epoch };
        self.node(leader).role = Role::Leader { followers: followers.clone(), epoch: Some(epoch) };
        self.committed = (epoch, history.zxid);
        for sid in followers {
            self.adopt(sid, history, epoch);
        }
    }

    fn adopt(&mut self, sid: i64, history: History, epoch: i64) {
        let node = self.node(sid);
        node.history = history;
        node.accepted_epoch = node.accepted_epoch.max(epoch);
        node.election.established(epoch);
    }

    /// A server notices that another one is gone, or out of reach.
    pub(super) fn lose(&mut self, sid: i64, other: i64) {
        let again = self.reach(sid, other);
        let node = self.node(sid);
        match &mut node.role {
            Role::Learner { leader, joined: true } if *leader == other => {
                let still = |followers: &BTreeSet<i64>| followers.contains(&sid);
                let theirs = &self.nodes[&other].role;
                let kept = matches!(theirs, Role::Leader { followers, .. } if still(followers));
                if !again || !kept {
                    self.look(sid);
                }
            }
            Role::Leader { followers, epoch } => {
                let established = epoch.is_some();
                followers.remove(&other);
                let followers = followers.clone();
                let quorum = node.election.quorums().is_quorum(|sid| followers.contains(&sid));
                if again {
                    // It was a short interruption; the learner is let go all the same.
                    self.drop_learner(sid, other);
                }
                if established && !quorum {
                    self.tell(sid, "has lost its quorum");
                    self.look(sid);
                }
            }
            _ => {}
        }
    }

    fn drop_learner(&mut self, leader: i64, sid: i64) {
        if self.node(sid).role == (Role::Learner { leader, joined: true }) {
            self.look(sid);
        }
    }

    pub(super) fn give_up(&mut self, sid: i64) {
        if matches!(self.node(sid).role, Role::Leader { epoch: None, .. }) {
            self.tell(sid, "has waited in vain for followers");
            self.look(sid);
        }
    }

    pub(super) fn withdrawn(&mut self, sid: i64) {
        if matches!(self.node(sid).role, Role::Leader { epoch: None, .. }) {
            self.tell(sid, "has lost the votes that made it the leader");
            self.look(sid);
        }
    }

    /// Writes through the leader, if there is one; some followers may not get it.
    pub(in super::super) fn write(&mut self) {
        let lead = |(&sid, node): (&i64, &Node)| match &node.role {
            Role::Leader { followers, epoch: Some(_) } if node.up => Some((sid, followers.clone())),
            _ => None,
        };
        let Some((leader, followers)) = self.nodes.iter().filter_map(lead).next_back() else {
            return;
        };
        let zxid = self.node(leader).history.zxid.next();
        let epoch = self.node(leader).history.epoch;
        let mut logged = BTreeSet::from([leader]);
        self.node(leader).history.zxid = zxid;
        for sid in followers.into_iter().filter(|&sid| sid != leader) {
            let joined = self.node(sid).role == Role::Learner { leader, joined: true };
            if joined && self.reach(leader, sid) && self.random.chance(60) {
                self.node(sid).history.zxid = zxid;
                logged.insert(sid);
            }
        }
        if self.node(leader).election.quorums().is_quorum(|sid| logged.contains(&sid)) {
            self.committed = self.committed.max((epoch, zxid));
        }
    }
}

/// How long a leader waits for a quorum of followers, ms.
const PATIENCE: i64 = 2000;
