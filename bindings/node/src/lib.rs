//! The native half of the Node package; `node/` is the other.
//!
//! JavaScript makes one [`Hub`](hub::Hub) per environment (the main thread, each worker) and gives every call a token, a number of its
//! choice. What becomes of calls and watches waits in the hub; its thread-safe function is called once when there is something, and one
//! [`drain`](hub::Hub::drain) brings everything over, [encoded](batch) in one buffer. Promises, iterators and everything else a
//! user sees are made in TypeScript.
//!
//! **Invariant:** each token of a call gets exactly one completion. An answer that is there before the call returns (a server in this
//! process) is returned by it and not waited for.
//!
//! Nothing here is public: the types are those that the macros need.

#![allow(
    clippy::needless_pass_by_value,
    reason = "what JavaScript hands over arrives by value, whatever is done with it"
)]

mod arguments;
mod batch;
mod client;
mod completion;
mod held;
mod hub;
mod server;
mod term;
mod wake;
