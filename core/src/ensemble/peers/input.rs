//! What has been received on a connection and not been taken yet.

use super::Loss;
use super::channel::Channel;
use quorate_engine::tree::TreeReceiver;
use quorate_engine::zab::codec::CodecError;
use quorate_wire::Jute;
use quorate_wire::prefix::Extent;
use quorate_wire::quorum::Packet;
use quorate_wire::quorum::auth::QuorumAuthPacket;
use std::io;

/// A buffer that grows with what has come, never with what is announced.
#[derive(Debug, Default)]
pub(super) struct Input {
    /// What is held lies in `start..end`.
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    /// Bytes of the connection before `start`.
    passed: u64,
    /// With fewer bytes than this, looking for a packet is in vain.
    wanted: usize,
    /// Whether the last read has filled all the room that there was.
    filled: bool,
}

/// What a read has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fill {
    /// As much as there was room for: there may be more.
    Full,
    /// Less.
    Short,
    /// Nothing.
    Dry,
    /// The end.
    End,
}

impl Input {
    /// Reads once.
    pub(super) fn fill(&mut self, channel: &mut Channel) -> io::Result<Fill> {
        self.make_room();
        let room = self.bytes.get_mut(self.end..).unwrap_or_default();
        let most = room.len();
        self.filled = false;
        match channel.read(room) {
            Ok(0) => Ok(Fill::End),
            Ok(n) => {
                self.end = self.end.saturating_add(n).min(self.bytes.len());
                self.filled = n >= most;
                Ok(if self.filled { Fill::Full } else { Fill::Short })
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(Fill::Dry),
            Err(e) => Err(e),
        }
    }

    /// The next message, if its packet is whole.
    pub(super) fn next<T>(
        &mut self,
        limit: usize,
        decode: impl FnOnce(&Packet<'_>) -> Result<T, CodecError>,
    ) -> Result<Option<T>, Loss> {
        if !self.may_hold_packet() {
            return Ok(None);
        }
        let held = self.bytes.get(self.start..self.end).unwrap_or_default();
        let at = self.passed;
        let none = |cause| match QuorumAuthPacket::is_next(held) {
            // Four bytes make it no packet, and tell nothing else apart either.
            Some(true) | None if at == 0 => Loss::Proof,
            _ => Loss::Packet { at, cause },
        };
        match Packet::extent(held, limit).map_err(none)? {
            Extent::AtLeast(wanted) => {
                self.wanted = wanted;
                Ok(None)
            }
            Extent::Whole(len) => {
                let packet = held.get(..len).unwrap_or_default();
                let packet = Packet::from_bytes(packet).map_err(none)?;
                let message = decode(&packet).map_err(|cause| Loss::Message { at, cause })?;
                self.pass(len);
                Ok(Some(message))
            }
        }
    }

    /// Gives a tree in the making what belongs to it.
    pub(super) fn feed(&mut self, receiver: &mut TreeReceiver) -> Result<(), Loss> {
        let held = self.bytes.get(self.start..self.end).unwrap_or_default();
        let taken = receiver.receive(held)?;
        self.pass(taken);
        Ok(())
    }

    /// Whether there may be a whole packet.
    pub(super) fn may_hold_packet(&self) -> bool {
        self.held() > 0 && self.held() >= self.wanted
    }

    /// Bytes that have not been taken.
    pub(super) const fn held(&self) -> usize {
        self.end.saturating_sub(self.start)
    }

    /// Bytes that have been taken since the connection began.
    pub(super) const fn passed(&self) -> u64 {
        self.passed
    }

    fn pass(&mut self, len: usize) {
        self.start = self.start.saturating_add(len).min(self.end);
        self.passed = self.passed.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
        self.wanted = 0;
    }

    /// Invariant: at least a quarter of the buffer is free afterwards, and of one that is longer than `LONGEST_READ` at least
    /// a quarter was in use.
    fn make_room(&mut self) {
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end = self.held();
            self.start = 0;
        }
        let len = self.bytes.len();
        let wants_more = self.filled && len < LONGEST_READ;
        if wants_more || self.end >= len / 4 * 3 {
            self.bytes.resize(len.saturating_mul(2).max(FIRST_READ), 0);
        } else if len > LONGEST_READ && self.end < LONGEST_READ / 4 {
            self.bytes.truncate(LONGEST_READ);
            self.bytes.shrink_to_fit();
        }
    }
}

/// So little is reserved for one that has not said anything yet.
const FIRST_READ: usize = 4 << 10;
/// Bytes that are read at once, unless a packet is longer.
const LONGEST_READ: usize = 64 << 10;
