//! A server, a client, and their answers.

#![allow(clippy::expect_used, reason = "the tests' own helper")]

use quorate::client::Client;
use quorate::client::blocking::wait;
use quorate::server::Server;
use quorate_bridge::{Calls, Outcome};
use std::time::{Duration, Instant};

/// A token, and what its call gave.
pub(crate) type Answer = (u32, String);

/// Makes a completion.
pub(crate) fn answer<V: std::fmt::Debug>(token: u32) -> impl FnOnce(Outcome<V>) -> Answer + Send {
    move |outcome| (token, format!("{outcome:?}"))
}

/// A server behind a socket, so that nothing is answered at once.
pub(crate) fn remote() -> (Server, Client) {
    let server = Server::builder().volatile().free_port().start().expect("a server");
    let address = server.address().expect("an address").to_string();
    let client = wait(Client::connect(&address)).expect("a client");
    (server, client)
}

/// Takes completions until there are `count`.
pub(crate) fn collect(calls: &Calls<Answer>, count: usize) -> Vec<Answer> {
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut answers = Vec::new();
    while answers.len() < count {
        assert!(Instant::now() < deadline, "{count} completions expected, got {answers:?}");
        answers.extend(calls.queue().wait(Duration::from_secs(1)));
    }
    answers
}
