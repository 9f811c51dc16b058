//! Three voters (1, 2, 3) and an observer (4), with networks and disks that answer at once, and clients that speak bytes.
//!
//! Time passes in steps, and nothing is left to chance.

use super::disk::{Disk, new_tree, rest_of};
use crate::limits::Limits;
use crate::member::{Bench, Doing, Effect, Member, MemberConfig};
use crate::prep::PrepConfig;
use crate::quorum::Quorums;
use crate::replica::{LocalSessions, Now, ReaperConfig, ReplicaConfig, SnapshotConfig};
use crate::shard::{ConnKey, Flush, Shard, ShardConfig, Submission, Submit};
use crate::tree::{StreamId, Tree};
use crate::zab::{Entry, LearnerKey, Leaving, Mistakes, Sid, ToLeader, ToLearner, ZabConfig};
use quorate_wire::quorum::{Membership, ServerState};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

pub(super) const TICK: i64 = 1000;

#[derive(Debug)]
pub(super) struct Server {
    sid: Sid,
    pub(super) member: Member,
    pub(super) tree: Tree,
    pub(super) shard: Shard,
    pub(super) disk: Disk,
    pub(super) serving: bool,
    /// Why its roles have ended.
    pub(super) left: Vec<Leaving>,
    /// How many records of its log are in memory when a role begins.
    pub(super) memory: usize,
    image: Vec<u8>,
    /// A process that does not run.
    pub(super) stopped: bool,
}

#[derive(Debug)]
enum Down {
    Message(ToLearner),
    Tree(StreamId),
}

#[derive(Debug)]
struct Link {
    leader: Sid,
    learner: Sid,
    down: VecDeque<Down>,
    up: VecDeque<ToLeader>,
}

#[derive(Debug)]
pub(super) struct World {
    pub(super) now: i64,
    pub(super) servers: BTreeMap<Sid, Server>,
    links: BTreeMap<LearnerKey, Link>,
    keys: u64,
    /// Learners that knock until their leader opens.
    knocking: Vec<(Sid, Sid)>,
    /// What was sent to clients and not read by them, and whose connections were closed.
    pub(super) sent: BTreeMap<(Sid, ConnKey), Vec<u8>>,
    pub(super) closed: BTreeSet<(Sid, ConnKey)>,
    /// Servers between which nothing arrives.
    pub(super) blocked: BTreeSet<(Sid, Sid)>,
    /// Trees are on their way and do not arrive.
    pub(super) slow_trees: bool,
    /// By how much the wall clock of server 1 lags, ms.
    pub(super) lag: i64,
    /// Who has given up a silent leader, and which.
    pub(super) silent: BTreeSet<(Sid, Sid)>,
    /// How learners were brought in.
    pub(super) plans: Vec<&'static str>,
}

/// Where submissions go.
pub(super) struct Desk<'a> {
    member: &'a mut Member,
    tree: &'a Tree,
    now: Now,
}

impl Submit for Desk<'_> {
    fn submit(&mut self, conn: ConnKey, submission: Submission<'_>) {
        self.member.submit(0, conn, submission, self.tree, self.now);
    }
}

pub(super) fn config(me: Sid) -> MemberConfig {
    let zab = ZabConfig {
        me,
        tick: TICK,
        init_limit: 10 * TICK,
        sync_limit: 5 * TICK,
        ping_interval: TICK / 2,
        beat: None,
        history_bytes: 1 << 20,
        log_sync: true,
        reconfig: true,
        mistakes: Mistakes::NONE,
    };
    let replica = ReplicaConfig {
        prep: PrepConfig { reconfig_enabled: true, skip_acl: true, ..PrepConfig::default() },
        tick: 1000,
        reaper: ReaperConfig::default(),
        snapshot: SnapshotConfig::default(),
        server: u8::try_from(me).unwrap(),
        local_sessions: LocalSessions::Off,
        outstanding_limit: 1000,
        limits: Limits::default(),
    };
    MemberConfig { zab, replica, log_share: 0, read_only: None }
}

impl World {
    pub(super) fn new() -> Self {
        Self::with(|_| {})
    }

    /// A world of members that are set up in some way.
    pub(super) fn with(configure: impl Fn(&mut MemberConfig)) -> Self {
        let text =
            "server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2\nserver.4=d:1:2:observer\nversion=0";
        let quorums = Quorums::new(Membership::parse(text).unwrap());
        let server = |sid| {
            let disk = Disk::default();
            let mut config = config(sid);
            configure(&mut config);
            let member = Member::new(config, quorums.clone(), disk.durable(usize::MAX));
            let shard = Shard::new(ShardConfig { tick: 1000, ..ShardConfig::default() });
            Server {
                sid,
                member,
                tree: new_tree(),
                shard,
                disk,
                serving: false,
                left: Vec::new(),
                memory: usize::MAX,
                image: Vec::new(),
                stopped: false,
            }
        };
        Self {
            now: 1,
            servers: (1..=4).map(|sid| (sid, server(sid))).collect(),
            links: BTreeMap::new(),
            keys: 0,
            knocking: Vec::new(),
            sent: BTreeMap::new(),
            closed: BTreeSet::new(),
            blocked: BTreeSet::new(),
            slow_trees: false,
            lag: 0,
            silent: BTreeSet::new(),
            plans: Vec::new(),
        }
    }

    /// A world whose leader is this one, with everybody behind it.
    pub(super) fn led_by(leader: Sid) -> Self {
        Self::new().with_leader(leader)
    }

    /// The same, and clients may read after so long without a leader.
    pub(super) fn that_lets_read(leader: Sid, delay: i64) -> Self {
        Self::with(|config| config.read_only = Some(delay)).with_leader(leader)
    }

    /// The same, with sessions of one server alone.
    pub(super) fn of_local_sessions(leader: Sid, local: LocalSessions) -> Self {
        Self::with(|config| config.replica.local_sessions = local).with_leader(leader)
    }

    /// Elects a leader, with everybody behind it.
    pub(super) fn with_leader(self, leader: Sid) -> Self {
        let mut world = self;
        world.elect(leader);
        assert!(world.servers.values().all(|server| server.serving), "{world:#?}");
        world
    }

    pub(super) fn server(&mut self, sid: Sid) -> &mut Server {
        self.servers.get_mut(&sid).unwrap()
    }

    pub(super) fn clock(&self) -> Now {
        Now { mono: self.now, wall: 1_700_000_000_000 + self.now }
    }

    /// All who look for a leader, and run, have found this one.
    pub(super) fn elect(&mut self, leader: Sid) {
        self.run();
        let now = self.clock();
        for (&sid, server) in self.servers.iter_mut().filter(|(_, server)| !server.stopped) {
            let state = match sid {
                _ if sid == leader => ServerState::Leading,
                _ if server
                    .member
                    .quorums()
                    .committed()
                    .observers()
                    .any(|observer| observer == sid) =>
                {
                    ServerState::Observing
                }
                _ => ServerState::Following,
            };
            server.member.decided(state, leader, now);
        }
        self.run();
    }

    /// Time passes, in steps of a tenth of a tick.
    pub(super) fn pass(&mut self, ms: i64) {
        let end = self.now + ms;
        while self.now < end {
            self.now += (TICK / 10).min(end - self.now);
            let now = self.clock();
            for server in self.servers.values_mut().filter(|server| !server.stopped) {
                server.work(now, |member, bench| member.tick(bench).map(drop));
                server.shard.tick(now.mono);
            }
            self.run();
        }
    }

    /// Everything that can happen without time does.
    pub(super) fn run(&mut self) {
        while self.settle() | self.carry() {}
    }

    fn settle(&mut self) -> bool {
        let (mut busy, now) = (false, self.clock());
        for (learner, leader) in std::mem::take(&mut self.knocking) {
            self.connect_servers(learner, leader);
        }
        for sid in 1..=4 {
            let lag = if sid == 1 { self.lag } else { 0 };
            let now = Now { wall: now.wall - lag, ..now };
            let server = self.server(sid);
            if server.stopped {
                continue;
            }
            server.resume(now);
            server.work(now, |member, bench| member.settle(bench));
            for effect in server.member.effects().collect::<Vec<_>>() {
                busy = true;
                self.carry_out(sid, effect);
            }
            self.flush(sid);
        }
        busy
    }

    fn flush(&mut self, sid: Sid) {
        let server = self.servers.get_mut(&sid).unwrap();
        while let Some(key) = server.shard.next_replied().or_else(|| server.shard.next_notified()) {
            match server.shard.flush(key) {
                Flush::Send(bytes) => {
                    let n = bytes.len();
                    self.sent.entry((sid, key)).or_default().extend_from_slice(bytes);
                    server.shard.sent(key, n);
                    if matches!(server.shard.flush(key), Flush::Close) {
                        self.closed.insert((sid, key));
                        server.shard.close(key);
                    }
                }
                Flush::Close => {
                    self.closed.insert((sid, key));
                    server.shard.close(key);
                }
                Flush::Nothing => {}
            }
        }
    }

    fn carry_out(&mut self, sid: Sid, effect: Effect) {
        let now = self.clock();
        let server = self.servers.get_mut(&sid).unwrap();
        match effect {
            Effect::Look(_) | Effect::Listen => {}
            Effect::Strangers(_) => self.plans.push("strangers"),
            Effect::Silent(leader) => {
                self.silent.insert((sid, leader));
            }
            Effect::Assume(state, vote) => server.member.decided(state, vote.leader, now),
            Effect::SawConfig(pending) => server.disk.pending = pending,
            Effect::Reconfigure(membership) => server.disk.commit(membership),
            Effect::Connect(leader) => self.connect_servers(sid, leader),
            Effect::ToLearner(key, message) => {
                self.plans.extend(match message {
                    ToLearner::Diff(_) => Some("DIFF"),
                    ToLearner::Trunc(_) => Some("TRUNC"),
                    ToLearner::Snap(_) => Some("SNAP"),
                    _ => None,
                });
                self.links.get_mut(&key).unwrap().down.push_back(Down::Message(message));
            }
            Effect::SendTree(key) => {
                let (stream, _) = server.tree.freeze_stream();
                self.links.get_mut(&key).unwrap().down.push_back(Down::Tree(stream));
            }
            Effect::SearchLog(key, range) => {
                let found = server.disk.search(range);
                server.work(now, |member, bench| member.log_searched(key, found, bench));
            }
            Effect::SendLog(key, from, upto) => {
                let entries =
                    server.disk.log.iter().filter(|e| from < e.zxid() && e.zxid() <= upto);
                let messages = entries.flat_map(|entry| {
                    [ToLearner::Proposal(entry.clone()), ToLearner::Commit(entry.zxid())]
                });
                self.links.get_mut(&key).unwrap().down.extend(messages.map(Down::Message));
                self.plans.push("disk");
            }
            Effect::CloseLearner(key, _) => {
                if let Some(link) = self.links.remove(&key) {
                    self.server(link.learner).member.unconnected();
                }
            }
            Effect::ToLeader(message) => {
                let link = self.links.values_mut().find(|link| link.learner == sid).unwrap();
                link.up.push_back(message);
            }
            Effect::Append(segment) => server.append(Entry::all_of(&segment).collect(), now),
            Effect::AppendEntries(entries) => server.append(entries, now),
            Effect::WriteAccepted(epoch) => {
                server.disk.accepted = epoch;
                server.member.accepted_written(epoch, now);
            }
            Effect::WriteCurrent(epoch) => {
                server.disk.current = epoch;
                server.member.current_written(epoch, now);
            }
            Effect::Truncate(zxid) => {
                server.disk.cut(zxid);
                server.tree = server.disk.tree();
                let history = server.disk.durable(server.memory).history;
                server.member.truncated(Some(history));
            }
            Effect::ReceiveTree => {}
            Effect::InstallTree(zxid) => {
                let image = std::mem::take(&mut server.image);
                server.disk.install(zxid, image, &server.tree);
                server.tree = server.disk.tree();
                server.member.tree_installed();
            }
            Effect::Serve(_) => server.serving = true,
            Effect::ReadOnly(on) => {
                server.shard.set_read_only(on);
                if !on {
                    self.hang_up(sid);
                }
            }
            Effect::Rest(why) => self.rest(sid, why),
        }
    }

    fn rest(&mut self, sid: Sid, why: Leaving) {
        let server = self.servers.get_mut(&sid).unwrap();
        server.left.push(why);
        server.serving = false;
        self.hang_up(sid);
        let server = self.server(sid);
        let durable = server.disk.durable(server.memory);
        server.member.rested(durable, &mut server.tree).unwrap();
        self.part(sid);
    }

    fn hang_up(&mut self, sid: Sid) {
        let server = self.servers.get_mut(&sid).unwrap();
        for key in server.shard.conns().map(|conn| conn.key).collect::<Vec<_>>() {
            server.shard.close(key);
            self.closed.insert((sid, key));
        }
    }

    /// All connections of a server to others end, which learn of it.
    pub(super) fn part(&mut self, sid: Sid) {
        let mine = |link: &Link| link.leader == sid || link.learner == sid;
        let keys: Vec<_> =
            self.links.iter().filter(|(_, link)| mine(link)).map(|(&key, _)| key).collect();
        for key in keys {
            let link = self.links.remove(&key).unwrap();
            self.server(link.learner).member.unconnected();
            self.server(link.leader).member.learner_gone(key);
        }
    }

    fn connect_servers(&mut self, learner: Sid, leader: Sid) {
        self.keys += 1;
        let (now, key) = (self.clock(), LearnerKey(self.keys));
        if self.servers[&leader].stopped {
            return self.server(learner).member.unconnected();
        }
        if self.servers[&leader].member.doing() != Doing::Leading {
            return self.knocking.push((learner, leader));
        }
        self.links
            .insert(key, Link { leader, learner, down: VecDeque::new(), up: VecDeque::new() });
        self.server(leader).work(now, |member, bench| {
            member.learner_connected(key, bench);
            Ok(())
        });
        self.server(learner).member.connected(now);
    }

    /// Carries one message on each connection.
    fn carry(&mut self) -> bool {
        let mut busy = false;
        for key in self.links.keys().copied().collect::<Vec<_>>() {
            let Some(link) = self.links.get_mut(&key) else { continue };
            let (leader, learner) = (link.leader, link.learner);
            let pair = (leader.min(learner), leader.max(learner));
            let stopped = |sid: Sid| self.servers[&sid].stopped;
            if self.blocked.contains(&pair) || stopped(leader) || stopped(learner) {
                continue;
            }
            let (up, busy_learner) = (link.up.pop_front(), self.servers[&learner].member.is_busy());
            let held = self.slow_trees && matches!(link.down.front(), Some(Down::Tree(_)));
            let down = if busy_learner || held { None } else { link.down.pop_front() };
            busy |= up.is_some() || down.is_some();
            let lag = if learner == 1 { self.lag } else { 0 };
            let now = Now { wall: self.clock().wall - lag, ..self.clock() };
            if let Some(message) = up {
                self.server(leader)
                    .work(now, |member, bench| member.from_learner(key, message, bench));
            }
            match down {
                Some(Down::Message(message)) => self
                    .server(learner)
                    .work(now, |member, bench| member.from_leader(message, bench)),
                Some(Down::Tree(stream)) => {
                    let image = rest_of(&mut self.server(leader).tree, stream);
                    self.server(learner).image = image;
                    self.server(learner).member.tree_received();
                }
                None => {}
            }
        }
        busy
    }

    /// All servers hold the same, as their digests and a fresh start from their disks say.
    pub(super) fn assert_one(&self) {
        let of = |server: &Server| (server.tree.last_zxid(), server.tree.digest());
        let all: Vec<_> = self.servers.values().map(of).collect();
        assert!(all.iter().all(|one| *one == all[0]), "{all:?}");
        for server in self.servers.values() {
            assert_eq!(of(server), (server.disk.tree().last_zxid(), server.disk.tree().digest()));
            assert_eq!(server.tree.digest(), server.tree.computed_digest());
            let mismatches = server.member.replica().map(|replica| replica.digest_mismatches());
            assert_eq!(mismatches, Some(0), "server {}", server.sid);
        }
    }
}

impl Server {
    /// Lends the tree and the clients to the member.
    pub(super) fn work(
        &mut self,
        now: Now,
        step: impl FnOnce(&mut Member, &mut Bench<'_, '_>) -> Result<(), crate::replica::ApplyError>,
    ) {
        let (tree, shards) = (&mut self.tree, &mut [&mut self.shard][..]);
        step(&mut self.member, &mut Bench { tree, shards, now }).unwrap();
    }

    /// Bytes of a client arrive.
    pub(super) fn receive(&mut self, conn: ConnKey, bytes: &[u8], now: Now) {
        let mut desk = Desk { member: &mut self.member, tree: &self.tree, now };
        self.shard.receive(conn, bytes, &self.tree, now.mono, &mut desk);
    }

    fn resume(&mut self, now: Now) {
        let mut desk = Desk { member: &mut self.member, tree: &self.tree, now };
        self.shard.resume(&self.tree, now.mono, &mut desk);
    }

    fn append(&mut self, entries: Vec<Entry>, now: Now) {
        if self.disk.full {
            return self.member.refused();
        }
        self.disk.log.extend(entries);
        self.member.logged(self.disk.end(), now);
    }
}
