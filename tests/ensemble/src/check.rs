//! What must hold, whatever happens. The checker sees every server and forgets nothing.

use crate::state::{Applied, State};
use quorate_engine::zab::{Epoch, Sid, start_of};
use quorate_wire::Zxid;
use std::collections::BTreeMap;

/// A property that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation(pub String);

/// The result of a check.
pub type Checked = Result<(), Violation>;

/// Fails unless it holds.
macro_rules! ensure {
    ($holds:expr, $($arg:tt)*) => {
        if !$holds {
            return Err($crate::check::Violation(format!($($arg)*)));
        }
    };
}
pub(crate) use ensure;

/// Everything that was ever committed, and who led when.
#[derive(Debug, Default)]
pub struct Checker {
    /// The one history. It only grows: nothing that was acknowledged is lost, everybody applies the same.
    committed: Vec<Applied>,
    established: BTreeMap<Epoch, Sid>,
    /// What lies in between was discarded when an epoch was established without it, and must not come back.
    discarded: Vec<(Zxid, Zxid)>,
}

impl Checker {
    /// How much is committed.
    #[must_use]
    pub fn committed(&self) -> usize {
        self.committed.len()
    }

    /// The epochs that were established.
    #[must_use]
    pub fn epochs(&self) -> usize {
        self.established.len()
    }

    /// The last transaction that is committed.
    #[must_use]
    pub fn last(&self) -> Zxid {
        self.committed.last().map_or(Zxid::ZERO, |&(zxid, _)| zxid)
    }

    /// The newest epoch that was established.
    #[must_use]
    pub fn newest_epoch(&self) -> Epoch {
        self.established.last_key_value().map_or(0, |(epoch, _)| *epoch)
    }

    /// A server has applied what it takes for committed.
    ///
    /// # Errors
    /// When it is not what was, or may be, committed at this place.
    pub fn applied(&mut self, sid: Sid, at: usize, applied: Applied) -> Checked {
        if let Some(&known) = self.committed.get(at) {
            ensure!(
                known == applied,
                "server {sid} applied {applied:x?} as number {at}, where {known:x?} was committed"
            );
            return Ok(());
        }
        ensure!(
            at == self.committed.len(),
            "server {sid} applied number {at} before those before it"
        );
        self.grow(sid, applied)
    }

    fn grow(&mut self, sid: Sid, applied: Applied) -> Checked {
        let (zxid, _) = applied;
        let last = self.last();
        let follows = zxid == last.next() || (zxid.epoch() > last.epoch() && zxid.counter() == 1);
        ensure!(follows, "server {sid} commits {zxid} after {last}: primary order is broken");
        let back = self.discarded.iter().find(|(after, before)| zxid > *after && zxid < *before);
        ensure!(back.is_none(), "server {sid} commits {zxid}, which was discarded: {back:x?}");
        self.committed.push(applied);
        Ok(())
    }

    /// A leader is established with this history.
    ///
    /// # Errors
    /// When its epoch has another leader, or its history lacks what was committed.
    pub fn established(&mut self, sid: Sid, epoch: Epoch, state: &State) -> Checked {
        let before = self.established.insert(epoch, sid);
        ensure!(
            before.is_none(),
            "servers {before:?} and {sid} are both established in epoch {epoch}"
        );
        ensure!(
            state.0.len() >= self.committed.len(),
            "server {sid} leads epoch {epoch} with {} transactions of {}",
            state.0.len(),
            self.committed.len()
        );
        self.agrees(sid, state)?;
        for &applied in state.0.get(self.committed.len()..).unwrap_or_default() {
            self.grow(sid, applied)?;
        }
        self.discarded.push((state.last(), start_of(epoch)));
        Ok(())
    }

    /// A server serves clients from this state.
    ///
    /// # Errors
    /// When it holds anything but what was committed.
    pub fn serves(&self, sid: Sid, state: &State) -> Checked {
        self.agrees(sid, state)?;
        let more = state.0.get(self.committed.len()..).unwrap_or_default();
        ensure!(more.is_empty(), "server {sid} serves what was never committed: {more:x?}");
        Ok(())
    }

    fn agrees(&self, sid: Sid, state: &State) -> Checked {
        for (n, (mine, known)) in state.0.iter().zip(&self.committed).enumerate() {
            ensure!(mine == known, "server {sid} holds {mine:x?} as number {n}, not {known:x?}");
        }
        Ok(())
    }
}
