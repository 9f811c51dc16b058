//! [`Completion`]: what became of a call.

use quorate::client::{Client, Error, PartResult, State};
use quorate::recipes::kit::{Held, Loss};
use quorate::recipes::leader::{Candidate, Leadership};
use quorate::server::Server;
use quorate_bridge::Outcome;

/// What became of a call, with the token that JavaScript gave it.
pub(crate) struct Completion {
    pub(crate) token: u32,
    pub(crate) answer: Answer,
}

/// An answer, before it is encoded.
pub(crate) enum Answer {
    /// It is done, and there is nothing to say.
    Done,
    Failed(Error),
    /// A server did not start, or did not stop as it should.
    ServerFailed(String),
    Parts(Vec<PartResult>),
    /// A state of a session: of these there are many.
    State(State),
    /// What was held is lost; why, where that is known.
    Lost(Option<Loss>),
    /// The time limit came first.
    Late,
    Cancelled,
    Panicked(String),
    Product(Box<Product>),
}

/// What stays on this side, and JavaScript fetches by its token.
pub(crate) enum Product {
    Client(Client),
    Held(Held),
    Term(Candidate, Leadership),
    Server(Server),
}

impl Product {
    pub(crate) fn answer(self) -> Answer {
        Answer::Product(Box::new(self))
    }
}

/// Makes a completion out of an outcome.
pub(crate) fn completed<V>(
    token: u32,
    answer: impl FnOnce(V) -> Answer + Send,
) -> impl FnOnce(Outcome<V>) -> Completion + Send {
    move |outcome| {
        let answer = match outcome {
            Outcome::Done(value) => answer(value),
            Outcome::Cancelled => Answer::Cancelled,
            Outcome::Panicked(message) => Answer::Panicked(message),
        };
        Completion { token, answer }
    }
}

/// The answer of a call that can fail.
pub(crate) fn tried<V>(
    answer: impl FnOnce(V) -> Answer + Send + 'static,
) -> impl FnOnce(Result<V, Error>) -> Answer + Send + 'static {
    move |result| result.map_or_else(Answer::Failed, answer)
}
