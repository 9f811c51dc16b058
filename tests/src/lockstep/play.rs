//! Two servers side by side, and sequences played on both in lock-step.

use super::compare::{Tally, difference};
use super::server::{Kind, Release, Tuning};
use super::side::{Item, Side};
use super::step::Step;
use super::tree;
use anyhow::{Context, Result};

/// Apache's server and the one under test.
#[derive(Debug)]
pub(super) struct Pair {
    kinds: [Kind; 2],
    tuning: Tuning,
    apache: Side,
    ours: Side,
    sequences: u32,
    /// What was met so far.
    pub tally: Tally,
}

/// Where two servers differ.
#[derive(Clone, Debug)]
pub(super) struct Divergence {
    /// The step, by its place in the sequence; none if it shows only in the end.
    pub step: Option<usize>,
    /// Which client saw it, or what was compared.
    pub place: String,
    /// What both saw.
    pub text: String,
}

impl Pair {
    /// Starts both servers.
    ///
    /// # Errors
    /// When one does not start.
    pub(super) fn start(reference: Release, ours: &Kind, tuning: Tuning) -> Result<Self> {
        let kinds = [Kind::Apache(reference), ours.clone()];
        let [apache, ours] = start_both(&kinds, tuning)?;
        Ok(Self { kinds, tuning, apache, ours, sequences: 0, tally: Tally::default() })
    }

    /// Plays a sequence under a top node of its own, up to the first difference.
    ///
    /// # Errors
    /// When a server is gone.
    pub(super) fn play(&mut self, steps: &[Step]) -> Result<Option<Divergence>> {
        self.sequences += 1;
        self.apache.prepare(self.sequences)?;
        self.ours.prepare(self.sequences)?;
        for (at, step) in steps.iter().enumerate() {
            let found = self.step(at, step).with_context(|| step.to_string())?;
            if let Some(found) = found {
                // Leave no session behind that could expire later.
                self.apache.close_sessions()?;
                self.ours.close_sessions()?;
                return Ok(Some(found));
            }
        }
        self.conclude()
    }

    /// Makes the servers equal again after a difference: starts them afresh if what sequences share differs.
    ///
    /// # Errors
    /// When a server does not start.
    pub(super) fn settle(&mut self) -> Result<()> {
        if self.is_settled().unwrap_or_default() {
            return Ok(());
        }
        let [apache, ours] = start_both(&self.kinds, self.tuning)?;
        self.apache = apache;
        self.ours = ours;
        self.sequences = 0;
        Ok(())
    }

    fn is_settled(&mut self) -> Result<bool> {
        self.apache.prepare(self.sequences)?;
        self.ours.prepare(self.sequences)?;
        let mut theirs = tree::shared(&mut self.apache)?;
        let mut own = tree::shared(&mut self.ours)?;
        theirs.push(self.apache.counts()?);
        own.push(self.ours.counts()?);
        Ok(self.compared(&theirs, &own, false, None, String::new).is_none())
    }

    /// The ends of both servers' logs.
    #[must_use]
    pub(super) fn log_tails(&self) -> String {
        format!("apache:\n{}\nours:\n{}", self.apache.log_tail(), self.ours.log_tail())
    }

    fn step(&mut self, at: usize, step: &Step) -> Result<Option<Divergence>> {
        let (apache, ours) = (&mut self.apache, &mut self.ours);
        apache.begin(step)?;
        ours.begin(step)?;
        apache.finish(step)?;
        ours.finish(step)?;
        apache.begin_barrier()?;
        ours.begin_barrier()?;
        let theirs = apache.finish_barrier()?;
        let own = ours.finish_barrier()?;
        for (client, (a, b)) in theirs.iter().zip(&own).enumerate() {
            let place = || format!("what client {client} saw");
            if let Some(found) = self.compared(a, b, step.ends_session(), Some(at), place) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn conclude(&mut self) -> Result<Option<Divergence>> {
        let parts: [(&str, Part); 3] = [
            ("the tree", tree::whole),
            ("closing the sessions", Side::close_sessions),
            ("srvr", |side| Ok(vec![side.counts()?])),
        ];
        for (what, part) in parts {
            let a = part(&mut self.apache)?;
            let b = part(&mut self.ours)?;
            if let Some(found) = self.compared(&a, &b, true, None, || what.to_owned()) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn compared(
        &mut self,
        apache: &[Item],
        ours: &[Item],
        unordered: bool,
        step: Option<usize>,
        place: impl Fn() -> String,
    ) -> Option<Divergence> {
        let theirs = (&mut self.apache, apache);
        let own = (&mut self.ours, ours);
        let text = difference(theirs, own, unordered, &mut self.tally)?;
        Some(Divergence { step, place: place(), text })
    }
}

/// Something that is compared at the end of a sequence.
type Part = fn(&mut Side) -> Result<Vec<Item>>;

fn start_both(kinds: &[Kind; 2], tuning: Tuning) -> Result<[Side; 2]> {
    let [apache, ours] = kinds;
    std::thread::scope(|scope| {
        let other = scope.spawn(|| Side::start(ours, tuning));
        let apache = Side::start(apache, tuning)?;
        let ours = other.join().map_err(|_| anyhow::anyhow!("a start panicked"))??;
        Ok([apache, ours])
    })
}
