//! From the configuration of a member to its running threads.

use super::reconfig::Door;
use super::settings::{MemberSettings, history_bytes};
use super::thread::{MemberThread, Parts};
use crate::config::{EnsembleConfig, ServerConfig};
use crate::ensemble::archive::Archive;
use crate::ensemble::roster::Roster;
use crate::ensemble::tls::{Renewal, Security};
use crate::server::clock::Clock;
use crate::server::handle::{Control, Server, ServerError};
use crate::server::listener::Listener;
use crate::server::pipe::Calls;
use crate::server::settings::Settings;
use crate::server::words::{Facts, Words};
use crate::storage::StorageConfig;
use mio::{Poll, Waker};
use quorate_engine::member::Member;
use quorate_engine::shard::Shard;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;

/// What is there before the disk is opened.
pub(in crate::server) struct Start {
    pub(in crate::server) config: ServerConfig,
    pub(in crate::server) settings: Settings,
    pub(in crate::server) storage: StorageConfig,
    pub(in crate::server) clock: Clock,
    pub(in crate::server) poll: Poll,
    pub(in crate::server) waker: Arc<Waker>,
    pub(in crate::server) listener: Option<Listener>,
    pub(in crate::server) address: Option<SocketAddr>,
}

/// Starts a member: it listens, takes part in elections, and serves as soon as there is a leader.
pub(in crate::server) fn launch(
    start: Start,
    ensemble: &EnsembleConfig,
) -> Result<Server, ServerError> {
    let Start { config, settings, storage, clock, poll, waker, listener, address } = start;
    if let Some(weakness) = ensemble.weakness() {
        tracing::warn!("{weakness}");
    }
    let security = Security::open(&ensemble.tls)?;
    security.announce();
    let renewal =
        Renewal::begin(&security).map_err(|cause| ServerError::System { what: "thread", cause })?;
    let wake = Arc::clone(&waker);
    let (mut archive, tree, durable) =
        Archive::open(storage, history_bytes(ensemble), move || {
            // A waker that cannot be written to has a wake-up pending.
            let _ = wake.wake();
        })?;
    archive
        .start_purging(&config.auto_purge)
        .map_err(|cause| ServerError::System { what: "thread", cause })?;
    let facts = Facts::new(&config, address, Some(Arc::clone(archive.storage())));
    let calls = Calls::new(Arc::clone(&waker));
    let control = Control::new(vec![Arc::clone(&waker)], Arc::clone(&calls));
    let member_settings = MemberSettings::new(&config, ensemble, settings.replica, security);
    let (roster, quorums) = Roster::open(ensemble, &config.data_dir, config.reconfig_enabled)?;
    let member_settings = member_settings.begin_with(&quorums);
    let member = Member::new(member_settings.engine.clone(), quorums, durable);
    let thread = MemberThread::new(Parts {
        poll,
        waker,
        clock,
        control: Arc::clone(&control),
        calls,
        door: Door { listener, config, control: Arc::clone(&control), wanted: None },
        archive,
        tree,
        tree_config: settings.tree,
        member,
        shard: Shard::new(settings.shard),
        words: Words::new(facts),
        settings: member_settings,
        roster,
        renewal,
    })?;
    let thread = thread::Builder::new()
        .name(NAME.into())
        .spawn(move || thread.run())
        .map_err(|cause| ServerError::System { what: "thread", cause })?;
    Ok(Server { address, control, threads: vec![(NAME, thread)], purger: None })
}

const NAME: &str = "quorate-member";
