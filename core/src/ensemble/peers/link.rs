//! A connection: its channel, what came in and what waits to go out.

use super::channel::Channel;
use super::input::{Fill, Input};
use super::output::Output;
use super::{Loss, READS};
use crate::ensemble::tls::Stream;
use mio::event::Event;
use std::net::SocketAddr;

#[derive(Debug)]
pub(super) struct Link {
    channel: Channel,
    pub(super) remote: SocketAddr,
    pub(super) input: Input,
    pub(super) output: Output,
    /// The socket may have more.
    pub(super) readable: bool,
    /// The socket takes nothing until an event says so.
    pub(super) blocked: bool,
    /// The other side may have ended its sending. It is told only once, perhaps together with its last bytes, or while the
    /// connection was being made: so a short read must not be taken for the last one then.
    may_have_ended: bool,
    /// Reads that are left in this round.
    reads: u32,
}

impl Link {
    /// A connection that has just been registered, or has just told that it can be written.
    pub(super) fn new(stream: Stream, remote: SocketAddr) -> Self {
        Self {
            channel: Channel::new(stream),
            remote,
            input: Input::default(),
            output: Output::default(),
            // Whatever an event has said before this was made is found out by trying.
            readable: true,
            blocked: false,
            may_have_ended: true,
            reads: READS,
        }
    }

    /// Notes what an event says.
    pub(super) fn note(&mut self, event: &Event) {
        self.may_have_ended |= event.is_read_closed() || event.is_error();
        self.readable |= event.is_readable() || event.is_read_closed() || event.is_error();
        if event.is_writable() || event.is_error() {
            self.blocked = false;
        }
    }

    /// Reads once, if there may be something and it is this link's turn; whether anything came.
    pub(super) fn fill(&mut self) -> Result<bool, Loss> {
        if !self.may_fill() {
            return Ok(false);
        }
        self.reads = self.reads.saturating_sub(1);
        match self.input.fill(&mut self.channel)? {
            Fill::Full => Ok(true),
            Fill::Short => {
                self.readable = self.may_have_ended || !self.channel.reads_all();
                Ok(true)
            }
            Fill::Dry => {
                self.readable = false;
                self.may_have_ended = false;
                Ok(false)
            }
            Fill::End if self.input.held() == 0 => Err(Loss::Ended),
            Fill::End => Err(Loss::Cut { at: self.input.passed(), held: self.input.held() }),
        }
    }

    /// Whether it is its turn to be read.
    pub(super) const fn may_fill(&self) -> bool {
        self.readable && self.reads > 0
    }

    pub(super) const fn begin_round(&mut self) {
        self.reads = READS;
    }

    /// Writes once, if anything waits and the socket takes it.
    pub(super) fn write(&mut self) -> Result<(), Loss> {
        if !self.can_write() {
            return Ok(());
        }
        let written = self.channel.write(self.output.unsent())?;
        self.blocked = written.full;
        self.output.sent(written.taken);
        Ok(())
    }

    pub(super) fn can_write(&self) -> bool {
        !self.blocked && (!self.output.is_empty() || self.channel.owes())
    }
}
