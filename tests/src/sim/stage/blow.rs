//! One thing that befalls a process at one step of what it does, in a world where nothing else goes wrong.
//!
//! Steps are counted while [`Part::undergo`](super::Part::undergo) runs: polls of the future, and messages of the process's connection in either
//! direction. So whatever a process does can be done again once for each of its steps, and each time something happens just there.

use quorate_wire::frame::{Split, split};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What happens, and at which step. The first is number 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Blow {
    /// Nothing.
    #[default]
    None,
    /// The future is dropped in place of this poll: what woke it has happened, and it does not see it.
    DropBefore(u64),
    /// The future is dropped right behind this poll: what it has begun goes on.
    DropAfter(u64),
    /// The connection breaks in place of this message: it is lost, and those behind it.
    Lose(u64),
    /// In place of this message, nothing passes any more until the session is over.
    Silence(u64),
    /// The process sleeps behind this message, until its session is over.
    Sleep(u64),
}

/// How many steps there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Steps {
    /// Polls.
    pub polls: u64,
    /// Messages.
    pub messages: u64,
}

/// Counts the steps.
#[derive(Debug, Default)]
pub(super) struct Blows(Mutex<Counting>);

#[derive(Debug, Default)]
struct Counting {
    blow: Blow,
    runs: bool,
    steps: Steps,
}

impl Steps {
    /// Everything that can happen at them.
    pub fn blows(self) -> impl Iterator<Item = Blow> {
        let polls = (0..self.polls).flat_map(|n| [Blow::DropBefore(n), Blow::DropAfter(n)]);
        let messages =
            (0..self.messages).flat_map(|n| [Blow::Lose(n), Blow::Silence(n), Blow::Sleep(n)]);
        polls.chain(messages)
    }
}

impl Blows {
    /// Counts from now on.
    pub(super) fn begin(&self, blow: Blow) {
        *self.lock() = Counting { blow, runs: true, steps: Steps::default() };
    }

    /// Counts no more, and answers how many there were.
    pub(super) fn end(&self) -> Steps {
        let mut counting = self.lock();
        counting.runs = false;
        counting.steps
    }

    /// Whether the future is dropped in place of this poll.
    pub(super) fn drops_before(&self) -> bool {
        let counting = self.lock();
        counting.blow == Blow::DropBefore(counting.steps.polls)
    }

    /// Whether it is dropped behind this poll, which is counted.
    pub(super) fn drops_after(&self) -> bool {
        let mut counting = self.lock();
        counting.steps.polls += 1;
        counting.blow == Blow::DropAfter(counting.steps.polls - 1)
    }

    /// A message passes. Answers what happens then.
    pub(super) fn message(&self) -> Option<Blow> {
        let mut counting = self.lock();
        if !counting.runs {
            return None;
        }
        let number = counting.steps.messages;
        counting.steps.messages += 1;
        let due = [Blow::Lose(number), Blow::Silence(number), Blow::Sleep(number)];
        due.into_iter().find(|blow| *blow == counting.blow)
    }

    /// Messages leave: how many bytes of them do, and what happens then.
    pub(super) fn leave(&self, out: &[u8]) -> (usize, Option<Blow>) {
        let mut at = 0;
        while let Split::Frame { consumed, .. } = split(out.get(at..).unwrap_or_default(), MOST) {
            match self.message() {
                None => at += consumed,
                Some(Blow::Sleep(n)) => return (out.len(), Some(Blow::Sleep(n))),
                blow => return (at, blow),
            }
        }
        (out.len(), None)
    }

    fn lock(&self) -> MutexGuard<'_, Counting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// More than any message here has, bytes.
const MOST: usize = 64 << 20;
