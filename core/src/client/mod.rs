//! The client: sessions, operations, watches.
//!
//! [`Client`] is the handle that users hold; [`Builder`] makes it. Underneath, the pure
//! [`ClientSession`](quorate_engine::client::ClientSession) decides everything; `shared` puts it behind a lock for its users, `driver` gives
//! it a connection. [`Port`] is where another driver can take its place, as the simulator does; [`Inbox`] is where language
//! bindings take results from; [`blocking`] is for threads that wait.
//!
//! [`address`] reads connection strings, [`resolve`] turns the names in them into socket addresses, [`tls`] secures
//! connections.

pub mod address;
pub mod blocking;
mod builder;
mod completion;
mod create;
mod driver;
mod environment;
mod error;
mod follow;
mod handle;
mod metrics;
mod multi;
mod operation;
mod ops;
mod port;
pub mod resolve;
mod retry;
mod runtime;
mod shared;
mod shortcut;
mod spans;
mod srv;
mod state;
pub mod tls;
mod transport;
mod watch;

pub use builder::Builder;
pub use completion::{Call, Completion, Inbox};
pub use create::CreateOptions;
pub use environment::{Environment, Task, within};
pub use error::{Error, Result};
pub use handle::{Client, ClientCounters};
pub use metrics::{Latency, Metrics};
pub use multi::{Commit, PartResult, ReadBatch, ReadResult, Transaction};
pub use operation::Op;
pub use ops::{Created, WatchMode};
pub use port::{Port, Turn};
pub use quorate_engine::client::{
    Create, Identity, Mechanism, Notice, Part, Reply, Request, SaslError, Settings, State, WatchKey,
};
pub use quorate_wire::event::EventType;
pub use quorate_wire::op::create::CreateMode;
pub use quorate_wire::op::remove_watches::WatcherType;
pub use quorate_wire::{Acl, ErrorCode, Id, Stat};
pub use retry::{Outcome, RetryPolicy, Retrying};
pub use shared::Command;
pub use state::{Lifetime, States};
pub use watch::{Event, Watch, WatchEvent, Watcher};
