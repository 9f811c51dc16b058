//! [`Hub`]: where an event loop collects the results of its calls.

use crate::fork::Kept;
use pyo3::exceptions::PyOSError;
use pyo3::types::PyAnyMethods as _;
use pyo3::{Py, PyAny, PyResult, Python, intern, pyclass, pymethods};
use quorate_bridge::Calls;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU32, Ordering};

/// Makes the result of a call, or its exception, on a thread that is attached to the interpreter.
pub(crate) type Make = Box<dyn FnOnce(Python<'_>) -> PyResult<Py<PyAny>> + Send>;

/// A call that is over.
pub(crate) struct Completion {
    /// The asyncio future that waits for it.
    pub(crate) future: Py<PyAny>,
    pub(crate) make: Make,
}

/// The results of all calls of one event loop. The loop reads [`fileno`](Self::fileno) and then calls [`drain`](Self::drain): once per batch.
#[pyclass(frozen, module = "quorate._quorate")]
pub(crate) struct Hub {
    inner: Kept<Inner>,
}

struct Inner {
    calls: Calls<Completion>,
    woken: UnixStream,
    at_once: AtomicU32,
    batches: AtomicU32,
}

#[pymethods]
impl Hub {
    #[new]
    fn new() -> PyResult<Self> {
        let (waker, woken) = UnixStream::pair().map_err(PyOSError::new_err)?;
        for end in [&waker, &woken] {
            end.set_nonblocking(true).map_err(PyOSError::new_err)?;
        }
        let wake = move || {
            // When it is full, the loop has not even looked at the last wake yet.
            let _full = (&waker).write(&[1]);
        };
        let calls = Calls::new(Some(Box::new(wake)));
        let inner = Inner { calls, woken, at_once: AtomicU32::new(0), batches: AtomicU32::new(0) };
        Ok(Self { inner: Kept::new(inner) })
    }

    /// The file descriptor that becomes readable when there is something to drain.
    fn fileno(&self) -> PyResult<i32> {
        Ok(self.inner.get()?.woken.as_raw_fd())
    }

    /// Gives all waiting results to their futures.
    fn drain(&self, py: Python<'_>) -> PyResult<()> {
        let inner = self.inner.get()?;
        // Read before the queue is emptied: what comes later writes another byte.
        let mut bytes = [0; 64];
        let _count = (&inner.woken).read(&mut bytes);
        inner.at_once.store(0, Ordering::Relaxed);
        inner.batches.fetch_add(1, Ordering::Relaxed);
        for completion in inner.calls.queue().take() {
            if let Err(error) = deliver(py, completion) {
                error.write_unraisable(py, None);
            }
        }
        Ok(())
    }

    /// How often it was drained.
    fn batches(&self) -> PyResult<u32> {
        Ok(self.inner.get()?.batches.load(Ordering::Relaxed))
    }

    /// How many calls run.
    fn running(&self) -> PyResult<usize> {
        Ok(self.inner.get()?.calls.running())
    }
}

impl Hub {
    pub(crate) fn calls(&self) -> PyResult<&Calls<Completion>> {
        Ok(&self.inner.get()?.calls)
    }

    /// Whether a call that was answered at once may return at once: the loop's other tasks must have their turn as well.
    pub(crate) fn may_return(&self) -> PyResult<bool> {
        Ok(self.inner.get()?.at_once.fetch_add(1, Ordering::Relaxed) < AT_ONCE)
    }
}

fn deliver(py: Python<'_>, completion: Completion) -> PyResult<()> {
    let future = completion.future.bind(py);
    // Cancelled: whoever waited is gone, and what came is dropped, which gives it up.
    if future.call_method0(intern!(py, "done"))?.is_truthy()? {
        return Ok(());
    }
    match (completion.make)(py) {
        Ok(value) => future.call_method1(intern!(py, "set_result"), (value,))?,
        Err(error) => future.call_method1(intern!(py, "set_exception"), (error.into_value(py),))?,
    };
    Ok(())
}

/// So many calls in a row may be answered without a turn of the loop.
const AT_ONCE: u32 = 64;
