//! The sockets of one I/O thread of a simulated server: what `core/src/server/links.rs` is to the real one.
//!
//! The order of the calls to the shard is that of the product.

use super::pulse::Pulse;
use crate::sim::env::Env;
use crate::sim::net::{End, LinkId, Taken};
use quorate_engine::shard::{ConnKey, Flush, Shard, State, Submit};
use quorate_engine::tree::Tree;
use std::collections::BTreeMap;

/// What a shard submits to, and whether there is too much of it already.
pub(super) trait Core: Submit {
    fn is_crowded(&self) -> bool;
}

/// The connections of one thread.
#[derive(Debug)]
pub(super) struct Sockets {
    pulse: Pulse,
    sockets: BTreeMap<ConnKey, Socket>,
    readable: Vec<ConnKey>,
    writable: Vec<ConnKey>,
}

#[derive(Debug)]
struct Socket {
    link: LinkId,
    listed: bool,
    blocked: bool,
}

impl Sockets {
    pub(super) const fn new(pulse: Pulse) -> Self {
        let sockets = BTreeMap::new();
        Self { pulse, sockets, readable: Vec::new(), writable: Vec::new() }
    }

    pub(super) fn add(&mut self, key: ConnKey, link: LinkId) {
        self.sockets.insert(key, Socket { link, listed: false, blocked: false });
    }

    pub(super) fn ready(&mut self, key: ConnKey, readable: bool, writable: bool) {
        let Some(socket) = self.sockets.get_mut(&key) else { return };
        if readable && !socket.listed {
            socket.listed = true;
            self.readable.push(key);
        }
        if writable && socket.blocked {
            socket.blocked = false;
            self.writable.push(key);
        }
    }

    pub(super) fn read_all(
        &mut self,
        env: &mut Env,
        shard: &mut Shard,
        tree: &Tree,
        now: i64,
        core: &mut impl Core,
    ) {
        let mut paused = Vec::new();
        for key in std::mem::take(&mut self.readable) {
            if self.read(env, key, shard, tree, now, core) {
                paused.push(key);
            } else if let Some(socket) = self.sockets.get_mut(&key) {
                socket.listed = false;
            }
        }
        self.readable.append(&mut paused);
    }

    /// Returns whether the connection is paused.
    fn read(
        &mut self,
        env: &mut Env,
        key: ConnKey,
        shard: &mut Shard,
        tree: &Tree,
        now: i64,
        core: &mut impl Core,
    ) -> bool {
        loop {
            let Some(socket) = self.sockets.get(&key) else { return false };
            if !shard.wants_input(key, core.is_crowded()) {
                return true;
            }
            if !self.pulse.beats() {
                return false;
            }
            match env.links.take(socket.link, End::Server, env.plan.read_buffer) {
                Taken::Nothing => return false,
                Taken::End => {
                    self.close(env, key, shard);
                    return false;
                }
                Taken::Bytes(bytes) => {
                    let link = socket.link;
                    shard.receive(key, &bytes, tree, now, core);
                    hear(env, link, shard, key);
                    if bytes.len() < env.plan.read_buffer {
                        return false;
                    }
                }
            }
        }
    }

    pub(super) fn flush(&mut self, env: &mut Env, shard: &mut Shard, events: usize) {
        for key in std::mem::take(&mut self.writable) {
            self.write(env, key, shard);
        }
        while let Some(key) = shard.next_replied() {
            self.write(env, key, shard);
        }
        for _ in 0..events {
            let Some(key) = shard.next_notified() else { break };
            self.write(env, key, shard);
        }
    }

    fn write(&mut self, env: &mut Env, key: ConnKey, shard: &mut Shard) {
        loop {
            let Some(socket) = self.sockets.get_mut(&key) else { return };
            if socket.blocked {
                return;
            }
            let bytes = match shard.flush(key) {
                Flush::Nothing => return,
                Flush::Close => return self.close(env, key, shard),
                Flush::Send(bytes) => bytes,
            };
            if !self.pulse.beats() {
                return;
            }
            match env.send(socket.link, End::Server, bytes) {
                Some(0) => {
                    socket.blocked = true;
                    return;
                }
                Some(n) => {
                    shard.sent(key, n);
                }
                None => return self.close(env, key, shard),
            }
        }
    }

    pub(super) fn has_writable(&self) -> bool {
        !self.writable.is_empty()
    }

    fn close(&mut self, env: &mut Env, key: ConnKey, shard: &mut Shard) {
        if !self.pulse.beats() {
            return;
        }
        if let Some(socket) = self.sockets.remove(&key) {
            env.close(socket.link, End::Server);
        }
        shard.close(key);
    }

    pub(super) fn close_all(&mut self, env: &mut Env) {
        for socket in std::mem::take(&mut self.sockets).into_values() {
            env.close(socket.link, End::Server);
        }
    }

    /// The links, for a machine that is gone.
    pub(super) fn links(&self) -> impl Iterator<Item = LinkId> {
        self.sockets.values().map(|socket| socket.link)
    }
}

/// Tells the history of whom the server has heard. A request that is taken up by an open connection is a certain sign of
/// life; anything else may be one.
fn hear(env: &mut Env, link: LinkId, shard: &Shard, key: ConnKey) {
    let now = env.now_ms();
    let Some(link) = env.links.get_mut(link) else { return };
    let whole = link.took_request();
    env.history.heard(link.session, false, now);
    if let Some(conn) = shard.conn(key) {
        env.history.heard(conn.session, whole && conn.state == State::Open, now);
    }
}
