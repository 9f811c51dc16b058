//! The rules of one run, all chosen by its seed: sizes, limits, delays, which faults there are.
//!
//! Every run leaves out some faults and exaggerates others, so that rare combinations come up.

use super::net::Weather;
use super::random::Random;
use quorate_engine::access::AccessConfig;
use quorate_engine::limits::Limits;
use quorate_engine::limits::blue::BlueConfig;
use quorate_engine::limits::throttle::ThrottleConfig;
use quorate_engine::prep::PrepConfig;
use quorate_engine::replica::{LocalSessions, ReaperConfig, ReplicaConfig, SnapshotConfig};
use quorate_engine::shard::{EVENT_SLICE, ShardConfig};
use quorate_engine::tree::TreeConfig;
use quorate_wire::disk::names::Compression;

/// The rules of a run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// I/O shards; 1 is the fused driver.
    pub shards: usize,
    /// Clients.
    pub clients: usize,
    /// Owners of sessions: clients with the product's client engine.
    pub owners: usize,
    /// How often each fault comes, relative to the others; 0 is never.
    pub faults: Weights,
    /// us between faults.
    pub fault_gap: (u64, u64),
    /// Requests without an answer that the client of a play has at most; otherwise each process chooses.
    pub most_in_flight: Option<u64>,
    /// us that a client waits between actions.
    pub client_gap: (u64, u64),
    /// Most requests that a client sends at once.
    pub burst: u64,
    /// Of a thousand turns of a client, those in which it closes its session.
    pub farewells: u64,
    /// How often (in a thousand) a request counts the nodes below a top node, which may be long.
    pub long_reads: u64,
    /// Session timeouts that clients ask for, ms.
    pub timeouts: (u64, u64),
    /// Names on each level of the tree that clients use.
    pub names: u64,
    /// How much data a node gets at most, bytes.
    pub data: u64,
    /// us that the disk takes for a group.
    pub disk_delay: (u64, u64),
    /// us from the cause of a round to the round.
    pub round_delay: (u64, u64),
    /// Connections whose notifications are sent in one round.
    pub event_slice: usize,
    /// Bytes that a server reads at once.
    pub read_buffer: usize,
    /// Nodes looked at, bytes handed over in one step of a snapshot.
    pub walk: (usize, usize),
    /// Reserved ahead by the log, bytes.
    pub pre_allocate: u64,
    /// A log file that is longer is followed by another one.
    pub log_size_limit: Option<u64>,
    /// How snapshots are compressed.
    pub compression: Compression,
    /// Whether logs have a directory of their own.
    pub own_log_dir: bool,
    /// Whether everything is in memory only: the server has no log and never restarts.
    pub volatile: bool,
    /// The network.
    pub weather: Weather,
    /// For the engines.
    pub engine: Engine,
}

/// The configuration of the engines.
#[derive(Clone, Debug)]
pub struct Engine {
    /// The tree.
    pub tree: TreeConfig,
    /// A shard.
    pub shard: ShardConfig,
    /// The replica; its first session is set at each start.
    pub replica: ReplicaConfig,
}

/// How often each fault comes.
#[derive(Clone, Copy, Debug, Default)]
#[expect(missing_docs, reason = "each is described where it happens, in `faults`")]
pub struct Weights {
    pub kill: u64,
    pub power: u64,
    pub fuse: u64,
    pub stop: u64,
    pub full: u64,
    pub sync_error: u64,
    pub slow_disk: u64,
    pub hang_up: u64,
    pub half_open: u64,
    pub deaf: u64,
    pub silent: u64,
    pub wall: u64,
    pub flip: u64,
    pub purge: u64,
    pub inspect: u64,
    pub cut: u64,
}

impl Plan {
    /// A path of the key space: few names on up to three levels.
    pub fn path(&self, random: &mut Random) -> String {
        let mut path = String::new();
        for _ in 0..random.of(1, &[1, 2, 2, 3]) {
            path.push('/');
            path.push(random.of('a', &['b', 'c']));
            let number = random.below(self.names);
            if number > 0 {
                path.push_str(&number.to_string());
            }
        }
        path
    }

    /// The rules of a seed's run.
    #[must_use]
    pub fn new(random: &mut Random) -> Self {
        let volatile = random.chance(100);
        let mut faults = Weights::new(random);
        if volatile {
            faults.spare_the_disk();
        }
        let small = random.chance(300);
        Self {
            shards: usize::try_from(random.of(1, &[1, 2, 3])).unwrap_or(1),
            most_in_flight: None,
            clients: usize::try_from(random.between(1, 6)).unwrap_or(1),
            owners: usize::try_from(random.of(2, &[0, 1, 4])).unwrap_or(0),
            faults,
            fault_gap: random.of((50_000, 2_000_000), &[(1_000, 200_000), (500_000, 20_000_000)]),
            client_gap: random.of((100, 20_000), &[(10, 1_000), (1_000, 1_000_000)]),
            burst: random.of(4, &[1, 16, 64]),
            farewells: 2,
            long_reads: random.of(0, &[0, 200]),
            timeouts: random.of((1_000, 10_000), &[(500, 2_000), (4_000, 30_000)]),
            names: random.between(1, 4),
            data: random.of(30, &[0, 2_000, 20_000]),
            disk_delay: random.of((50, 500), &[(1, 20), (1_000, 20_000)]),
            round_delay: random.of((1, 30), &[(1, 2_000)]),
            event_slice: random.of(EVENT_SLICE, &[1, 2]),
            read_buffer: usize::try_from(random.of(65_536, &[512, 4_096])).unwrap_or(512),
            walk: random.of((2, 64), &[(128, 4096), (1, 1)]),
            pre_allocate: random.of(4 << 10, &[0, 0, 16 << 10, 128 << 10]),
            log_size_limit: random.of(None, &[None, Some(4 << 10), Some(40 << 10)]),
            compression: random.of(Compression::Plain, &[Compression::Gzip, Compression::Snappy]),
            own_log_dir: random.chance(300),
            volatile,
            weather: Weather {
                delay: random.of((10, 500), &[(1, 10), (1_000, 50_000)]),
                slow_per_mille: random.of(0, &[2, 20]),
                chunk: random.of(2_000, &[8, 60, 100_000]),
                buffer: usize::try_from(random.of(200_000, &[600, 8_000])).unwrap_or(600),
            },
            engine: Engine::new(random, small),
        }
    }
}

impl Plan {
    /// Nobody else, and more that befalls processes and their connections than the server.
    pub(super) fn make_room_for_a_play(&mut self) {
        (self.clients, self.owners) = (0, 0);
        let faults = &mut self.faults;
        for weight in [
            &mut faults.kill,
            &mut faults.power,
            &mut faults.fuse,
            &mut faults.stop,
            &mut faults.full,
            &mut faults.flip,
            &mut faults.cut,
        ] {
            *weight = (*weight).min(2);
        }
        faults.deaf += 10;
        faults.silent += 10;
        self.fault_gap = (200_000, 5_000_000);
        self.timeouts.1 = self.timeouts.1.min(4_000);
    }
}

impl Plan {
    /// Nobody else, nothing that goes wrong, and a server that keeps everything in memory: what a play does step by step.
    pub(super) fn keep_calm(&mut self) {
        (self.clients, self.owners, self.shards) = (0, 0, 1);
        (self.faults, self.volatile, self.most_in_flight) = (Weights::default(), true, Some(100));
        self.timeouts = (1_000, 1_000);
        self.round_delay = (1, 30);
        self.event_slice = EVENT_SLICE;
        self.read_buffer = 65_536;
        self.weather =
            Weather { delay: (10, 500), slow_per_mille: 0, chunk: 100_000, buffer: 200_000 };
        self.engine.keep_calm();
    }
}

impl Plan {
    /// Owners only, with short sessions, and connections that fall silent in one direction or both: sessions end while their owners
    /// wait for answers.
    pub(super) fn fall_silent(&mut self) {
        (self.clients, self.owners) = (0, 6);
        let usual = self.faults;
        self.faults = Weights {
            hang_up: usual.hang_up.min(2),
            half_open: 20,
            deaf: 10,
            silent: 30,
            ..Weights::default()
        };
        self.fault_gap = (20_000, 1_000_000);
        self.client_gap = (1_000, 200_000);
        self.timeouts = (500, 2_000);
    }

    /// Sessions that come and go, a server that starts often and keeps little of its log, and a wall clock that jumps: an id must never
    /// be given out again.
    pub(super) fn turn_back(&mut self) {
        (self.clients, self.owners) = (6, 2);
        self.faults = Weights {
            kill: 10,
            power: 5,
            stop: 10,
            wall: 20,
            purge: 10,
            cut: 10,
            ..Weights::default()
        };
        self.fault_gap = (50_000, 2_000_000);
        self.client_gap = (50_000, 1_000_000);
        (self.burst, self.farewells) = (64, 200);
        self.timeouts = (500, 10_000);
        self.volatile = false;
        self.engine.replica.snapshot.count = 20;
    }
}

impl Weights {
    fn new(random: &mut Random) -> Self {
        let mut weight = |usual: u64| if random.chance(350) { 0 } else { random.below(usual) + 1 };
        Self {
            kill: weight(10),
            power: weight(10),
            fuse: weight(20),
            stop: weight(4),
            full: weight(12),
            sync_error: weight(2),
            slow_disk: weight(4),
            hang_up: weight(20),
            half_open: weight(10),
            deaf: weight(10),
            silent: weight(10),
            wall: weight(4),
            flip: weight(6),
            purge: weight(10),
            inspect: weight(10),
            cut: weight(20),
        }
    }

    /// Leaves what there is without a disk and without an end of the process.
    fn spare_the_disk(&mut self) {
        *self = Self {
            hang_up: self.hang_up.max(1),
            half_open: self.half_open,
            deaf: self.deaf,
            silent: self.silent,
            wall: self.wall,
            ..Self::default()
        };
    }

    /// All of them, in the order of the fields.
    #[must_use]
    pub const fn all(&self) -> [u64; 16] {
        [
            self.kill,
            self.power,
            self.fuse,
            self.stop,
            self.full,
            self.sync_error,
            self.slow_disk,
            self.hang_up,
            self.half_open,
            self.deaf,
            self.silent,
            self.wall,
            self.flip,
            self.purge,
            self.inspect,
            self.cut,
        ]
    }
}

impl Engine {
    /// Limits that nobody meets, short sessions, and empty containers that stay.
    const fn keep_calm(&mut self) {
        let (shard, replica) = (&mut self.shard, &mut self.replica);
        (shard.tick, replica.tick) = (100, 100);
        (shard.min_session_timeout, shard.max_frame) = (200, 1 << 20);
        (shard.output_pause, shard.output_limit) = (1 << 20, 8 << 20);
        (shard.queue_limit, replica.outstanding_limit) = (4_096, 1_000);
        replica.limits.requests.most = 0;
        replica.reaper.interval = 3_600_000;
    }

    fn new(random: &mut Random, small: bool) -> Self {
        let tick = random.of(500, &[100, 2_000]);
        let seed = random.number();
        let shard = ShardConfig {
            max_frame: if small { 40_000 } else { 1 << 20 },
            tick,
            min_session_timeout: 2 * tick,
            max_session_timeout: 20_000,
            handshake_timeout: 5_000,
            access: AccessConfig::default(),
            output_pause: if small { 2_000 } else { 1 << 20 },
            output_limit: if small { 60_000 } else { 8 << 20 },
            queue_limit: if small { 8 } else { 4_096 },
            long_read: 0,
            hash_seed: seed,
            ..ShardConfig::default()
        };
        let interval = i64::from(random.of(2_000, &[500, 60_000]));
        let replica = ReplicaConfig {
            prep: PrepConfig { seed, ..PrepConfig::default() },
            tick,
            reaper: ReaperConfig { interval, max_per_minute: 10_000, max_never_used: 0 },
            snapshot: SnapshotConfig {
                count: random.of(100, &[20, 400, 100_000]),
                bytes: 4 << 30,
                seed,
            },
            server: 1,
            local_sessions: LocalSessions::Off,
            limits: Limits { sessions: BlueConfig::default(), requests: throttle(random) },
            outstanding_limit: usize::try_from(random.of(1_000, &[3, 30])).unwrap_or(3),
        };
        Self { tree: TreeConfig { hash_seed: seed, digest: true }, shard, replica }
    }
}

/// How many requests may be in progress. None is ever refused for waiting: whoever waits too long loses the connection.
fn throttle(random: &mut Random) -> ThrottleConfig {
    ThrottleConfig {
        most: usize::try_from(random.of(0, &[0, 1, 5])).unwrap_or(0),
        drop_stale: random.chance(700),
        stale_by_time: random.chance(300),
        ..ThrottleConfig::default()
    }
}
