//! [`EnsembleConfig`]: what a server needs to know of the ensemble that it is a member of.
//!
//! Plain values, made from `zoo.cfg` and `myid` by the builder, or by a program. What can be wrong with them is
//! [`EnsembleProblem`]; nothing here touches a file or looks up a name.

use std::path::PathBuf;

use quorate_engine::quorum::{Misfit, Verifier, Weakness};
use quorate_wire::quorum::membership::{Membership, Role, Server};

use super::ensemble_problem::EnsembleProblem;
use super::quorum_tls::QuorumTls;

/// A server's place in an ensemble. Timing is in ticks where `zoo.cfg` counts in ticks.
///
/// ```
/// use quorate::config::{EnsembleConfig, ServerConfig};
///
/// let members = "server.1=zoo1:2888:3888\nserver.2=zoo2:2888:3888\nserver.3=zoo3:2888:3888";
/// let ensemble = EnsembleConfig::new(2, members.parse()?);
/// ensemble.check()?;
/// assert_eq!((ensemble.survives(), ensemble.weakness()), (1, None));
/// let config = ServerConfig { ensemble: Some(ensemble), ..ServerConfig::default() };
/// assert_eq!(config.ensemble.unwrap().init_limit, 10);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct EnsembleConfig {
    /// The number of this server, `N` of its own `server.N` line (`myid`).
    pub me: i64,
    /// All members, with their addresses, roles, groups and weights.
    pub membership: Membership,
    /// The file that the configuration was read from. A reconfiguration moves the members from there to a file beside it; without one, to a
    /// file in the data directory.
    pub config_file: Option<PathBuf>,
    /// Whether an ensemble has two voters at least, as one voter is taken for a standalone server (`standaloneEnabled`).
    pub standalone_enabled: bool,
    /// Ticks that a learner may take to connect to its leader and to get its history (`initLimit`).
    pub init_limit: u32,
    /// Ticks that leader and learner may hear nothing of each other (`syncLimit`).
    pub sync_limit: u32,
    /// How much of the log on the disk a learner is given in place of a snapshot, as a share of the snapshot: 0 is without a limit, below
    /// 0 nothing. A value above 1 stands for 0.33, as in Apache.
    pub snapshot_size_factor: f64,
    /// Kilobytes of transactions that are kept in memory for learners that come back.
    pub learner_history_kb: u32,
    /// `multiAddress.enabled`: whether a reconfiguration may give a member several addresses.
    pub several_addresses: bool,
    /// Milliseconds between two signs of life of a leader, for learners that are quorate's: they notice by their absence that it is frozen, long
    /// before `sync_limit`. 0 gives none (`quorate.beat`).
    pub beat_ms: u32,
    /// Ticks that a learner may take to connect; `None` is `init_limit`.
    pub connect_limit: Option<u32>,
    /// Whether the ports of the quorum and of elections listen on every interface, and not only on the addresses of
    /// this server's own line.
    pub listen_on_all: bool,
    /// Milliseconds before notifications of an election are repeated for the first time; the pause doubles each time.
    pub min_notification_interval_ms: u32,
    /// Longest such pause in milliseconds. Apache's is a minute; ours is a second.
    pub max_notification_interval_ms: u32,
    /// Milliseconds that a connection for elections may take to be made.
    pub connect_timeout_ms: u32,
    /// Milliseconds in which its first message must come; `None` is `sync_limit`.
    pub greeting_timeout_ms: Option<u32>,
    /// Attempts to bind the election port; 0 never gives up.
    pub bind_attempts: u32,
    /// Whether the kernel probes idle connections for elections.
    pub tcp_keep_alive: bool,
    /// Milliseconds between attempts to reach the leader.
    pub connect_retry_delay_ms: u32,
    /// Milliseconds that an observer pauses when it has lost its leader.
    pub observer_reconnect_delay_ms: u64,
    /// Milliseconds that an observer pauses before it asks who leads.
    pub observer_election_delay_ms: u64,
    /// `localSessionsEnabled`: sessions begin as those of one server alone, without a transaction.
    pub local_sessions: bool,
    /// `localSessionsUpgradingEnabled`: they become the ensemble's when they create an ephemeral node.
    pub local_sessions_upgrading: bool,
    /// TLS between the members.
    pub tls: QuorumTls,
}

impl EnsembleConfig {
    /// A member with the usual times: `initLimit` 10, `syncLimit` 5, and Apache's defaults but for the longest pause
    /// between notifications.
    pub fn new(me: i64, membership: Membership) -> Self {
        Self {
            me,
            membership,
            config_file: None,
            standalone_enabled: true,
            init_limit: 10,
            sync_limit: 5,
            snapshot_size_factor: SNAPSHOT_SIZE_FACTOR,
            learner_history_kb: 32_768,
            several_addresses: true,
            beat_ms: 50,
            connect_limit: None,
            listen_on_all: false,
            min_notification_interval_ms: 200,
            max_notification_interval_ms: 1_000,
            connect_timeout_ms: 5_000,
            greeting_timeout_ms: None,
            bind_attempts: 3,
            tcp_keep_alive: false,
            connect_retry_delay_ms: 100,
            observer_reconnect_delay_ms: 0,
            observer_election_delay_ms: 200,
            local_sessions: false,
            local_sessions_upgrading: false,
            tls: QuorumTls::default(),
        }
    }

    /// Whether this server has no vote. The membership says so; `peerType` is only compared with it.
    ///
    /// ```
    /// use quorate::config::EnsembleConfig;
    ///
    /// let members = "server.1=zoo1:2888:3888\nserver.2=zoo2:2888:3888:observer";
    /// assert!(EnsembleConfig::new(2, members.parse()?).is_observer());
    /// assert!(!EnsembleConfig::new(1, members.parse()?).is_observer());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn is_observer(&self) -> bool {
        self.membership.role(self.me) == Some(Role::Observer)
    }

    /// This server's own line.
    ///
    /// ```
    /// use quorate::config::EnsembleConfig;
    ///
    /// let ensemble = EnsembleConfig::new(1, "server.1=zoo1:2888:3888;2181".parse()?);
    /// assert_eq!(ensemble.own_server().unwrap().addresses[0].election_port, 3888);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn own_server(&self) -> Option<&Server> {
        self.membership.servers.get(&self.me)
    }

    /// `init_limit` in milliseconds, for ticks of this length.
    ///
    /// ```
    /// use quorate::config::EnsembleConfig;
    ///
    /// let ensemble = EnsembleConfig::new(1, "server.1=zoo1:2888:3888".parse()?);
    /// assert_eq!(ensemble.init_ms(2_000), 20_000);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn init_ms(&self, tick_ms: u32) -> u64 {
        u64::from(self.init_limit) * u64::from(tick_ms)
    }

    /// `sync_limit` in milliseconds, for ticks of this length.
    ///
    /// ```
    /// use quorate::config::EnsembleConfig;
    ///
    /// let ensemble = EnsembleConfig::new(1, "server.1=zoo1:2888:3888".parse()?);
    /// assert_eq!(ensemble.sync_ms(2_000), 10_000);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn sync_ms(&self, tick_ms: u32) -> u64 {
        u64::from(self.sync_limit) * u64::from(tick_ms)
    }

    /// How long a learner may take to connect, in milliseconds, for ticks of this length.
    ///
    /// ```
    /// use quorate::config::EnsembleConfig;
    ///
    /// let mut ensemble = EnsembleConfig::new(1, "server.1=zoo1:2888:3888".parse()?);
    /// assert_eq!(ensemble.connect_ms(2_000), 20_000);
    /// ensemble.connect_limit = Some(1);
    /// assert_eq!(ensemble.connect_ms(2_000), 2_000);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn connect_ms(&self, tick_ms: u32) -> u64 {
        u64::from(self.connect_limit.unwrap_or(self.init_limit)) * u64::from(tick_ms)
    }

    /// How long the first message of an election connection may take, in milliseconds, for ticks of this length.
    ///
    /// ```
    /// use quorate::config::EnsembleConfig;
    ///
    /// let mut ensemble = EnsembleConfig::new(1, "server.1=zoo1:2888:3888".parse()?);
    /// assert_eq!(ensemble.greeting_ms(2_000), 10_000);
    /// ensemble.greeting_timeout_ms = Some(700);
    /// assert_eq!(ensemble.greeting_ms(2_000), 700);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn greeting_ms(&self, tick_ms: u32) -> u64 {
        self.greeting_timeout_ms.map_or(self.sync_ms(tick_ms), u64::from)
    }

    /// How many voters may fail, whichever they are.
    ///
    /// ```
    /// use quorate::config::EnsembleConfig;
    ///
    /// let three = "server.1=a:2888:3888\nserver.2=b:2888:3888\nserver.3=c:2888:3888";
    /// assert_eq!(EnsembleConfig::new(1, three.parse()?).survives(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn survives(&self) -> usize {
        Verifier::new(&self.membership).survives()
    }

    /// How many of the voters of which `alive` is true may fail, whichever they are, so that the rest is still a quorum; nothing if not even
    /// all of them are one.
    ///
    /// ```
    /// use quorate::config::EnsembleConfig;
    ///
    /// let three = "server.1=a:2888:3888\nserver.2=b:2888:3888\nserver.3=c:2888:3888";
    /// let ensemble = EnsembleConfig::new(1, three.parse()?);
    /// assert_eq!(ensemble.margin(|_| true), Some(1));
    /// assert_eq!(ensemble.margin(|sid| sid != 3), Some(0));
    /// assert_eq!(ensemble.margin(|sid| sid == 1), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn margin(&self, alive: impl Fn(i64) -> bool) -> Option<usize> {
        Verifier::new(&self.membership).margin(alive)
    }

    /// Why the ensemble stands failures badly for its size: it survives none, or has an even number of voters.
    ///
    /// ```
    /// use quorate::config::EnsembleConfig;
    ///
    /// let two = "server.1=zoo1:2888:3888\nserver.2=zoo2:2888:3888".parse()?;
    /// let weakness = EnsembleConfig::new(1, two).weakness().unwrap();
    /// assert_eq!(weakness.to_string(), "2 voters: the ensemble survives no failure; 3 survive one");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn weakness(&self) -> Option<Weakness> {
        Weakness::of(&self.membership)
    }

    /// Checks that this can work. A configuration that was read has been checked.
    ///
    /// ```
    /// use quorate::config::{EnsembleConfig, EnsembleProblem};
    ///
    /// let stranger = EnsembleConfig::new(7, "server.1=zoo1:2888:3888".parse()?);
    /// assert!(matches!(stranger.check(), Err(EnsembleProblem::NotListed { me: 7, .. })));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The first [`EnsembleProblem`].
    pub fn check(&self) -> Result<(), EnsembleProblem> {
        self.check_members()?;
        self.check_me()?;
        let shortest = [("initLimit", self.init_limit), ("syncLimit", self.sync_limit)];
        if let Some(&(key, _)) = shortest.iter().find(|(_, ticks)| *ticks == 0) {
            return Err(EnsembleProblem::NoTime { key });
        }
        let (min, max) = (self.min_notification_interval_ms, self.max_notification_interval_ms);
        if min > max {
            return Err(EnsembleProblem::Intervals { min, max });
        }
        self.tls.check()
    }

    /// What can be wrong with the members, whoever this server is.
    pub(super) fn check_members(&self) -> Result<(), EnsembleProblem> {
        let members = &self.membership;
        if members.voters().next().is_none() {
            return Err(EnsembleProblem::NoVoters);
        }
        match Misfit::of(members) {
            None => {}
            Some(Misfit::Id { sid }) => return Err(EnsembleProblem::Id { sid }),
            Some(Misfit::SameAddress { sid, other, address }) => {
                return Err(EnsembleProblem::SameAddress { sid, other, address });
            }
            Some(Misfit::PortZero { sid }) => return Err(EnsembleProblem::PortZero { sid }),
        }
        Ok(())
    }

    fn check_me(&self) -> Result<(), EnsembleProblem> {
        let Some(own) = self.own_server() else {
            let listed = self.membership.servers.keys().copied().collect();
            return Err(EnsembleProblem::NotListed { me: self.me, listed });
        };
        if own.secure_client.is_some() {
            return Err(EnsembleProblem::SecureClient { sid: self.me });
        }
        Ok(())
    }
}

/// `snapshotSizeFactor`, unless it says something else.
pub(crate) const SNAPSHOT_SIZE_FACTOR: f64 = 0.33;
