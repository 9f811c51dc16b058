//! Clients that come while there is no leader: they wait a little, for an election takes less time than another server.

use quorate_engine::replica::Word;
use quorate_engine::session::ConnRef;
use quorate_engine::shard::{ConnKey, Letter, Submission};
use std::collections::HashSet;

/// Who waits to be served.
#[derive(Debug, Default)]
pub(super) struct Porch {
    /// Since when, ms.
    waiting: Vec<(ConnKey, Letter, i64)>,
    words: Vec<Word>,
}

impl Porch {
    /// Takes what a connection wants. Only those without a session may wait: there are no others.
    pub(super) fn take(&mut self, conn: ConnKey, submission: Submission<'_>, now: i64) {
        match submission {
            Submission::FourLetter { word, rest } => {
                let conn = ConnRef { shard: 0, conn };
                self.words.push(Word { conn, word, rest: rest.into() });
            }
            Submission::NewSession { .. } | Submission::Resume { .. } => {
                self.waiting.push((conn, Letter::from(submission), now));
            }
            _ => {}
        }
    }

    /// The words that were said since the last call.
    pub(super) fn take_words(&mut self) -> Vec<Word> {
        std::mem::take(&mut self.words)
    }

    /// Those who wait and are welcome, in the order of their coming.
    pub(super) fn admit(&mut self, is_welcome: impl Fn(ConnKey) -> bool) -> Vec<(ConnKey, Letter)> {
        let welcome = self.waiting.extract_if(.., |(conn, ..)| is_welcome(*conn));
        welcome.map(|(conn, letter, _)| (conn, letter)).collect()
    }

    /// Those who have waited for too long: another server may do better.
    pub(super) fn late(&mut self, now: i64) -> Vec<ConnKey> {
        let late =
            self.waiting.extract_if(.., |(_, _, since)| now >= since.saturating_add(PATIENCE));
        late.map(|(conn, ..)| conn).collect()
    }

    /// The connections that wait.
    pub(super) fn holds(&self) -> HashSet<ConnKey> {
        self.waiting.iter().map(|&(conn, ..)| conn).collect()
    }

    /// When somebody will have waited for too long, ms.
    pub(super) fn deadline(&self) -> Option<i64> {
        self.waiting.first().map(|(_, _, since)| since.saturating_add(PATIENCE))
    }
}

/// How long a client waits, ms. An election among servers that all live is over much sooner.
const PATIENCE: i64 = 1_000;
