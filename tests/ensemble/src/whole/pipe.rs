//! Connections between clients and servers: bytes, in order, until one side or the network ends them.

use crate::link::Channel;
use quorate_engine::shard::ConnKey;
use quorate_engine::zab::Sid;

/// A connection of a client.
#[derive(Debug)]
pub struct Pipe {
    /// Whose it is.
    pub client: usize,
    /// The attempt of the client's engine that it belongs to.
    pub attempt: u64,
    /// The server, in this run of its process.
    pub server: Sid,
    /// Which run.
    pub turn: u64,
    /// The server's name for it.
    pub conn: ConnKey,
    /// To the server; nothing is its end.
    pub up: Channel<Option<Vec<u8>>>,
    /// To the client; nothing is its end.
    pub down: Channel<Option<Vec<u8>>>,
    /// Whether it carries nothing any more, and nobody is told.
    pub dead: bool,
}
