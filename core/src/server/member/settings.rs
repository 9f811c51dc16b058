//! From the configuration of a member to the rules of the engines and drivers.

use crate::config::{EnsembleConfig, SNAPSHOT_SIZE_FACTOR, ServerConfig};
use crate::ensemble::election::ElectionConfig;
use crate::ensemble::peers::Limits;
use crate::ensemble::tls::Security;
use quorate_engine::election::Options;
use quorate_engine::election::links::LinkOptions;
use quorate_engine::member::MemberConfig;
use quorate_engine::quorum::Quorums;
use quorate_engine::replica::{LocalSessions, ReplicaConfig};
use quorate_engine::zab::{Mistakes, Sid, ZabConfig};
use quorate_wire::quorum::membership::{Address, HostPort};
use std::collections::BTreeSet;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;

/// How a member is set up; times in ms.
#[derive(Clone, Debug)]
pub(in crate::server) struct MemberSettings {
    pub(super) me: Sid,
    /// Where this server listens for other servers.
    pub(super) own: Vec<Address>,
    pub(super) listen_on_all: bool,
    /// How long a leader is looked for.
    pub(super) search: i64,
    pub(super) engine: MemberConfig,
    pub(super) election: ElectionConfig,
    pub(super) limits: Limits,
}

impl MemberSettings {
    pub(in crate::server) fn new(
        config: &ServerConfig,
        ensemble: &EnsembleConfig,
        replica: ReplicaConfig,
        security: Arc<Security>,
    ) -> Self {
        let tick = i64::from(config.tick_time_ms);
        let ms = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX);
        let me = ensemble.me;
        let zab = ZabConfig {
            me,
            tick,
            init_limit: ms(ensemble.init_ms(config.tick_time_ms)),
            sync_limit: ms(ensemble.sync_ms(config.tick_time_ms)),
            ping_interval: (tick / 2).max(1),
            beat: beat(ensemble.beat_ms, tick),
            history_bytes: history_bytes(ensemble),
            log_sync: ensemble.snapshot_size_factor >= 0.0,
            reconfig: config.reconfig_enabled,
            mistakes: Mistakes::NONE,
        };
        let mut replica = replica;
        let weights = &config.connection_throttle;
        if ensemble.local_sessions && weights.weight_enabled {
            // A session begins as this server's own, and costs what such a one does.
            replica.limits.sessions.new_session = weights.local_session_weight;
        }
        // The first byte of its sessions' ids tells them from those of others.
        let server = u8::try_from(me & 0xFF).unwrap_or_default();
        let longest = config.jute_max_buffer.saturating_add(config.jute_extra_bytes());
        Self {
            me,
            listen_on_all: ensemble.listen_on_all,
            search: ms(ensemble.connect_ms(config.tick_time_ms)),
            engine: MemberConfig {
                zab,
                replica: ReplicaConfig {
                    server,
                    local_sessions: local_sessions(ensemble),
                    ..replica
                },
                log_share: log_share(ensemble.snapshot_size_factor),
                read_only: config.read_only_mode.then_some(tick.max(READ_ONLY_DELAY)),
            },
            election: ElectionConfig {
                me,
                membership: ensemble.membership.clone(),
                options: Options {
                    min_interval: i64::from(ensemble.min_notification_interval_ms),
                    max_interval: i64::from(ensemble.max_notification_interval_ms),
                    ..Options::default()
                },
                links: LinkOptions {
                    connect_timeout: i64::from(ensemble.connect_timeout_ms),
                    greeting_timeout: ms(ensemble.greeting_ms(config.tick_time_ms)),
                    strangers: STRANGERS,
                },
                listen_on_all: ensemble.listen_on_all,
                keep_alive: ensemble.tcp_keep_alive,
                security,
            },
            own: ensemble.own_server().map(|own| own.addresses.clone()).unwrap_or_default(),
            limits: Limits {
                packet: usize::try_from(longest).unwrap_or(usize::MAX),
                queue: QUEUE_BYTES,
                aside: ASIDE_BYTES,
            },
        }
    }

    /// Goes by what was kept of the configurations instead of what the server was started with.
    pub(super) fn begin_with(mut self, quorums: &Quorums) -> Self {
        self.own = own_addresses(quorums, self.me).unwrap_or(self.own);
        self.election.membership = quorums.committed().clone();
        self.trust(quorums);
        self
    }

    /// Goes by another configuration. A server that was removed goes on where it is.
    pub(super) fn follow(&mut self, quorums: &Quorums) {
        self.trust(quorums);
        if let Some(own) = own_addresses(quorums, self.me) {
            self.own = own;
        }
    }

    /// Lets in the members of these configurations.
    pub(super) fn trust(&self, quorums: &Quorums) {
        self.election.security.set_members([quorums.committed(), quorums.last_seen()]);
    }

    /// Where this server is to listen for learners.
    pub(super) fn quorum_addresses(&self) -> io::Result<Vec<SocketAddr>> {
        let mut found = Vec::new();
        for address in &self.own {
            let host = if self.listen_on_all { EVERYWHERE } else { address.host.as_str() };
            found.extend((host, address.quorum_port).to_socket_addrs()?);
        }
        found.sort();
        found.dedup();
        Ok(found)
    }
}

fn own_addresses(quorums: &Quorums, me: Sid) -> Option<Vec<Address>> {
    quorums.committed().servers.get(&me).map(|own| own.addresses.clone())
}

/// Where a server may be found by its learners: by the committed configuration, or one that is proposed.
pub(super) fn addresses_of(quorums: &Quorums, sid: Sid) -> Vec<HostPort> {
    let configs = [quorums.committed(), quorums.last_seen()];
    let servers = configs.into_iter().filter_map(|config| config.servers.get(&sid));
    let addresses = servers.flat_map(|server| &server.addresses).map(Address::quorum);
    let unique: BTreeSet<HostPort> = addresses.collect();
    unique.into_iter().collect()
}

/// More often than pings, or as often.
fn beat(ms: u32, tick: i64) -> Option<i32> {
    let ms = i64::from(ms).min((tick / 2).max(1));
    i32::try_from(ms).ok().filter(|&ms| ms > 0)
}

const fn local_sessions(ensemble: &EnsembleConfig) -> LocalSessions {
    match (ensemble.local_sessions, ensemble.local_sessions_upgrading) {
        (false, _) => LocalSessions::Off,
        (true, false) => LocalSessions::Kept,
        (true, true) => LocalSessions::Upgraded,
    }
}

/// What is kept of the history for learners that come back, bytes.
pub(super) fn history_bytes(ensemble: &EnsembleConfig) -> usize {
    usize::try_from(u64::from(ensemble.learner_history_kb) << 10).unwrap_or(usize::MAX)
}

/// `snapshotSizeFactor` in millionths. As in Apache, 0 sets no limit, and what is above 1 stands for the default.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::as_conversions,
    reason = "between 0 and a million"
)]
fn log_share(factor: f64) -> u32 {
    let factor = if factor > 1.0 { SNAPSHOT_SIZE_FACTOR } else { factor.max(0.0) };
    let millionths = (factor * 1e6).round() as u32;
    if factor > 0.0 { millionths.max(1) } else { 0 }
}

/// What may wait for one learner, bytes: more than the history that it may be sent at once.
const QUEUE_BYTES: usize = 128 << 20;
/// Requests of one learner that may be put aside, bytes.
const ASIDE_BYTES: usize = 4 << 20;
/// Connections of servers that are no members.
const STRANGERS: usize = 64;
/// How long a leader is looked for at least before clients may read without one, ms.
const READ_ONLY_DELAY: i64 = 2_000;
const EVERYWHERE: &str = "::";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::settings::Settings;
    use quorate_wire::quorum::Membership;

    fn settings(change: impl Fn(&mut ServerConfig, &mut EnsembleConfig)) -> MemberSettings {
        let membership = "server.1=a:1:2\nserver.2=b:1:2".parse::<Membership>().unwrap();
        let mut ensemble = EnsembleConfig::new(1, membership);
        let mut config = ServerConfig::default();
        change(&mut config, &mut ensemble);
        let config = ServerConfig { ensemble: Some(ensemble.clone()), ..config };
        let replica = Settings::new(&config, 1).replica;
        MemberSettings::new(&config, &ensemble, replica, Security::none())
    }

    #[test]
    fn new_sessions_cost_what_local_ones_do_where_they_are_local() {
        for (local, weights, costs) in
            [(false, true, 7), (true, true, 2), (true, false, 1), (false, false, 1)]
        {
            let settings = settings(|config, ensemble| {
                ensemble.local_sessions = local;
                config.connection_throttle.tokens = 10;
                config.connection_throttle.weight_enabled = weights;
                config.connection_throttle.global_session_weight = 7;
                config.connection_throttle.local_session_weight = 2;
            });
            let sessions = settings.engine.replica.limits.sessions;
            assert_eq!(sessions.new_session, costs, "local: {local}, weights: {weights}");
            assert_eq!(sessions.tokens, if weights { 70 } else { 10 });
        }
    }

    #[test]
    fn the_share_of_the_log_is_that_of_apache() {
        for (factor, on, share) in [
            (0.33, true, 330_000),
            (1.0, true, 1_000_000),
            (0.0, true, 0),
            (1e-9, true, 1),
            (1.1, true, 330_000),
            (-1.0, false, 0),
        ] {
            let settings = settings(|_, ensemble| ensemble.snapshot_size_factor = factor);
            assert_eq!((settings.engine.zab.log_sync, settings.engine.log_share), (on, share));
        }
    }
}
