//! The native part of the Python package `quorate`; the package in `python/` is what users see.
//!
//! One set of methods serves both fronts: a [`Front`](front::Front) says whether a call waits for its result (`quorate.sync`) or
//! gives an asyncio future for it. No thread of the library ever attaches to the interpreter to deliver results: it writes a byte to a
//! socket pair that the event loop reads, and the loop's own thread takes the whole batch. So no such thread waits for the interpreter
//! lock, and none is in the way when the interpreter ends.

mod arguments;
mod error;
mod feed;
mod fork;
mod front;
mod hold;
mod hub;
mod multi;
mod results;
mod server;
mod session;
mod stat;

use pyo3::prelude::pymodule;

/// See the package.
#[pymodule(gil_used = false)]
mod _quorate {
    #[pymodule_export]
    use crate::feed::Feed;
    #[pymodule_export]
    use crate::fork::forked;
    #[pymodule_export]
    use crate::front::Running;
    #[pymodule_export]
    use crate::hold::Hold;
    #[pymodule_export]
    use crate::hub::Hub;
    #[pymodule_export]
    use crate::server::Server;
    #[pymodule_export]
    use crate::session::Session;
    #[pymodule_export]
    use crate::stat::Stat;
}
