//! The C interface of quorate: `include/quorate.h` and `libquorate`.
//!
//! Everything that C can call is in the modules `client`, `operations`, `submissions`, `watch`, `multi`, `lock`, `election`, `server`,
//! `calls`, `answer` and `error`; each function goes through the gate in `boundary`. `objects` has what handles stand for, `input` is
//! where pointers are looked at. The header is generated from this source by `ffi/header`.
//!
//! **Architecture Invariant:** a handle is a name in a table and never an address: whatever a caller passes is found to be good or is refused.
//!
//! **Architecture Invariant:** code of the host runs on a thread of its own making, on the client's callback thread, or within
//! quorate_client_poll; never on a thread that serves connections, and never under a lock of this library that it could need.
//!
//! **Architecture Invariant:** each submitted operation is told once, each user pointer destroyed once, before the client is gone.

pub mod answer;
mod boundary;
pub mod callback;
pub mod calls;
pub mod client;
pub mod election;
pub mod error;
pub mod fault;
pub mod handles;
mod input;
pub mod lock;
pub mod multi;
mod objects;
pub mod operations;
mod registrar;
pub mod server;
pub mod status;
pub mod submissions;
mod system;
mod table;
pub mod version;
pub mod watch;
