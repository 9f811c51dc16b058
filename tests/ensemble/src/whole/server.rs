//! A server: a disk that stays, and a process that comes and goes with everything that a member is.

use crate::disk::{Disk, Write};
use crate::whole::image::{Gaps, Image};
use quorate_engine::election::Election;
use quorate_engine::member::{Bench, Member};
use quorate_engine::replica::{ApplyError, Now};
use quorate_engine::shard::{ConnKey, Shard, Submission, Submit};
use quorate_engine::tree::Tree;
use quorate_engine::zab::{Epoch, Sid};
use quorate_wire::Zxid;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A server.
#[derive(Debug)]
pub struct Server {
    /// Its id.
    pub sid: Sid,
    /// Whether it votes.
    pub votes: bool,
    /// Its disk.
    pub disk: Disk<Image>,
    /// What was on it at some time.
    pub copy: Option<Disk<Image>>,
    /// What is on its way to the disk.
    pub writing: Vec<(u64, Write<Image>)>,
    /// How much slower its disk is than others.
    pub slowness: u64,
    /// Whether nothing more fits into its log.
    pub full: bool,
    /// Its process, if it runs.
    pub process: Option<Process>,
    /// Until when it stands still, us.
    pub paused_until: u64,
    /// How its clock runs, in thousandths of the world's.
    pub pace: u64,
    /// By how much its wall clock is wrong, ms.
    pub skew: i64,
}

/// A running server.
#[derive(Debug)]
pub struct Process {
    /// Which run this is.
    pub turn: u64,
    /// The roles, and the clients' desk.
    pub member: Member,
    /// The data.
    pub tree: Tree,
    /// The clients.
    pub shard: Shard,
    /// Its part in elections.
    pub election: Election,
    /// The leader that it tries to reach, and how often it has.
    pub trying: Option<(Sid, u32)>,
    /// The connection to its leader.
    pub link: Option<u64>,
    /// Whether clients are served.
    pub serving: bool,
    /// Has left a role, and waits for its disk.
    pub resting: bool,
    /// The disk is not what the tree is any more.
    pub stale: bool,
    /// What the tree that is arriving holds.
    pub snap: Zxid,
    /// Between these zxids lies nothing of its history.
    pub gaps: Gaps,
    /// Whether a tree is on its way that is not on the disk.
    pub receiving: bool,
    /// A tree that has arrived, and the gaps of its history.
    pub incoming: Option<(Arc<[u8]>, Gaps)>,
    /// Its clients' connections.
    pub pipes: BTreeMap<ConnKey, u64>,
    /// When it is to be woken, us.
    pub timer: u64,
    /// When each session was heard of last here or from its server, ms, and its timeout: who leads may not end it before.
    pub heard: BTreeMap<i64, (i64, i32)>,
    /// Since when its sessions may count, ms.
    pub since: i64,
    /// What it serves in.
    pub epoch: Epoch,
}

/// Where submissions go.
struct Desk<'a> {
    member: &'a mut Member,
    tree: &'a Tree,
    now: Now,
}

impl Submit for Desk<'_> {
    fn submit(&mut self, conn: ConnKey, submission: Submission<'_>) {
        self.member.submit(0, conn, submission, self.tree, self.now);
    }
}

impl Process {
    /// Lends the tree and the clients to the member.
    ///
    /// # Errors
    /// As the member.
    pub fn work<T>(
        &mut self,
        now: Now,
        step: impl FnOnce(&mut Member, &mut Bench<'_, '_>) -> Result<T, ApplyError>,
    ) -> Result<T, ApplyError> {
        let (tree, shards) = (&mut self.tree, &mut [&mut self.shard][..]);
        step(&mut self.member, &mut Bench { tree, shards, now })
    }

    /// Bytes of a client arrive.
    pub fn receive(&mut self, conn: ConnKey, bytes: &[u8], now: Now) {
        if let Some(there) = self.shard.conn(conn)
            && there.session != 0
        {
            self.heard.insert(there.session, (now.mono, there.timeout));
        }
        let mut desk = Desk { member: &mut self.member, tree: &self.tree, now };
        self.shard.receive(conn, bytes, &self.tree, now.mono, &mut desk);
    }

    /// Goes on with clients that have waited.
    pub fn resume(&mut self, now: Now) {
        let mut desk = Desk { member: &mut self.member, tree: &self.tree, now };
        self.shard.resume(&self.tree, now.mono, &mut desk);
    }
}
