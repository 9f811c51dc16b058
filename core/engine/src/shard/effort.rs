//! Long reads take turns: one in a round, whoever asks.
//!
//! getAllChildrenNumber walks the whole subtree, some twenty milliseconds for a million nodes, and its answer is too short
//! to make a connection wait for room in its output. After one that was long the others of the same round are postponed
//! with everything behind them on their connections, so that other requests come in between. Only a read between two writes
//! of one round cannot be: it must not see the second.

use super::{ConnKey, Shard};
use quorate_wire::frame::RequestHeader;
use quorate_wire::{OpCode, Reader};

/// Who had a long read in this round, and who waits for the next.
#[derive(Debug, Default)]
pub(super) struct Turns {
    had: Option<ConnKey>,
    /// Each once.
    postponed: Vec<ConnKey>,
}

impl Shard {
    /// Ends a round of the thread: long reads that were postponed may run in the next one, and about `watches` watches that closed
    /// connections have left behind are removed.
    pub fn end_round(&mut self, watches: usize) {
        self.watches.sweep(watches);
        let Turns { had, mut postponed } = std::mem::take(&mut self.turns);
        if let Some(at) = postponed.iter().position(|&key| Some(key) == had) {
            // Whoever had his turn is the last one next time.
            postponed.get_mut(at..).unwrap_or_default().rotate_left(1);
        }
        for &key in &postponed {
            if let Some(conn) = self.conn_mut(key) {
                conn.postponed = false;
            }
        }
        self.resumable.extend(postponed.into_iter().rev());
    }

    /// Whether a request has to wait for the next round; its connection is resumed then.
    pub(super) fn postpones(&mut self, key: ConnKey, payload: &[u8]) -> bool {
        if self.turns.had.is_none() || !is_long(payload) {
            return false;
        }
        if let Some(conn) = self.conn_mut(key)
            && !std::mem::replace(&mut conn.postponed, true)
        {
            self.turns.postponed.push(key);
        }
        true
    }

    /// Notes that a connection has had a read that looked at so many nodes.
    pub(super) const fn spend(&mut self, key: ConnKey, nodes: usize) {
        if nodes > self.config.long_read {
            self.turns.had = Some(key);
        }
    }

    /// Whether somebody waits for the next round.
    pub(super) const fn has_postponed(&self) -> bool {
        !self.turns.postponed.is_empty()
    }
}

/// Whether a request may take long.
fn is_long(payload: &[u8]) -> bool {
    Reader::new(payload)
        .get::<RequestHeader>()
        .is_ok_and(|header| header.op == OpCode::GetAllChildrenNumber.code())
}
