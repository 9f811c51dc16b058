//! [`Front`]: how a call's result reaches Python, by waiting or by an asyncio future.

use crate::error::to_python;
use crate::fork::Kept;
use crate::hub::{Completion, Hub, Make};
use pyo3::types::PyTuple;
use pyo3::{IntoPyObject as _, Py, PyAny, PyErr, PyResult, Python, pyclass, pymethods};
use quorate::client::{Environment, Error, ErrorCode, Result, within};
use quorate_bridge::{Call, Outcome, Started, Waited, guarded, wait};
use std::sync::Arc;
use std::time::Duration;

/// Whom the results are for.
#[derive(Debug)]
pub(crate) enum Front {
    /// An event loop.
    Loop {
        /// Where it collects results.
        hub: Py<Hub>,
        /// Makes a future of it.
        create_future: Py<PyAny>,
    },
    /// The calling thread.
    Waiting,
}

/// What a call is about, for its errors.
#[derive(Clone, Debug)]
pub(crate) struct About {
    pub(crate) what: &'static str,
    pub(crate) path: String,
    /// Whether it changes anything, so that giving up leaves its outcome unknown.
    pub(crate) writes: bool,
}

impl About {
    pub(crate) fn read(what: &'static str, path: &str) -> Self {
        Self { what, path: path.to_owned(), writes: false }
    }

    pub(crate) fn write(what: &'static str, path: &str) -> Self {
        Self { what, path: path.to_owned(), writes: true }
    }

    fn timed_out(self) -> Error {
        let error = Error::new(ErrorCode::OperationTimeout, self.what, self.path);
        if self.writes { error.with_outcome_unknown() } else { error }
    }
}

/// A call that runs and can be cancelled: what it was after is given up then.
#[pyclass(frozen, module = "quorate._quorate")]
pub(crate) struct Running {
    call: Kept<Call>,
}

#[pymethods]
impl Running {
    fn cancel(&self) {
        // The parent's calls are not this process's to cancel.
        if let Ok(call) = self.call.get() {
            call.cancel();
        }
    }
}

impl Front {
    pub(crate) fn new(hub: Option<Py<Hub>>, create_future: Option<Py<PyAny>>) -> Self {
        match (hub, create_future) {
            (Some(hub), Some(create_future)) => Self::Loop { hub, create_future },
            _ => Self::Waiting,
        }
    }

    pub(crate) fn share(&self, py: Python<'_>) -> Self {
        match self {
            Self::Waiting => Self::Waiting,
            Self::Loop { hub, create_future } => {
                Self::Loop { hub: hub.clone_ref(py), create_future: create_future.clone_ref(py) }
            }
        }
    }

    /// Carries out an operation, of few steps: gives its result, or a future.
    pub(crate) fn operation<T: Send + 'static>(
        &self,
        py: Python<'_>,
        environment: &Arc<dyn Environment>,
        about: About,
        limit: Option<Duration>,
        future: impl Future<Output = Result<T>> + Send + 'static,
        convert: impl FnOnce(Python<'_>, T) -> PyResult<Py<PyAny>> + Send + 'static,
    ) -> PyResult<Py<PyAny>> {
        let Self::Loop { hub, create_future } = self else {
            return blocking(py, about, limit, future, convert);
        };
        let hub = hub.get();
        let calls = hub.calls()?;
        let waiting = create_future.call0(py)?;
        let target = waiting.clone_ref(py);
        let done = move |outcome| Completion { future: target, make: make(outcome, convert) };
        let started = match limit {
            None => calls.submit(&**environment, future, done),
            Some(limit) => calls.submit(
                &**environment,
                limited(Arc::clone(environment), about, limit, future),
                done,
            ),
        };
        match started {
            Started::Running(_) => Ok(waiting),
            Started::Ready(completion) if hub.may_return()? => (completion.make)(py),
            Started::Ready(completion) => {
                calls.queue().push(completion);
                Ok(waiting)
            }
        }
    }

    /// Carries out what may take long, such as a recipe: gives its result, or a future with the [`Running`] call.
    pub(crate) fn task<T: Send + 'static>(
        &self,
        py: Python<'_>,
        environment: &Arc<dyn Environment>,
        about: About,
        limit: Option<Duration>,
        future: impl Future<Output = Result<T>> + Send + 'static,
        convert: impl FnOnce(Python<'_>, T) -> PyResult<Py<PyAny>> + Send + 'static,
    ) -> PyResult<Py<PyAny>> {
        let Self::Loop { hub, create_future } = self else {
            return blocking(py, about, limit, future, convert);
        };
        let calls = hub.get().calls()?;
        let waiting = create_future.call0(py)?;
        let target = waiting.clone_ref(py);
        let done = move |outcome| Completion { future: target, make: make(outcome, convert) };
        let call = match limit {
            None => calls.spawn(&**environment, future, done),
            Some(limit) => calls.spawn(
                &**environment,
                limited(Arc::clone(environment), about, limit, future),
                done,
            ),
        };
        pair(py, waiting, Running { call: Kept::new(call) })
    }

    /// Does work that blocks, on a thread of its own if an event loop waits for it.
    pub(crate) fn work<T: Send + 'static>(
        &self,
        py: Python<'_>,
        work: impl FnOnce() -> T + Send + 'static,
        convert: impl FnOnce(Python<'_>, T) -> PyResult<Py<PyAny>> + Send + 'static,
    ) -> PyResult<Py<PyAny>> {
        let Self::Loop { hub, create_future } = self else {
            let value =
                py.detach(|| guarded(work)).map_err(|text| to_python(py, &defect(&text)))?;
            return convert(py, value);
        };
        let waiting = create_future.call0(py)?;
        let target = waiting.clone_ref(py);
        let done = move |outcome: Outcome<T>| Completion {
            future: target,
            make: make(
                match outcome {
                    Outcome::Done(value) => Outcome::Done(Ok(value)),
                    Outcome::Cancelled => Outcome::Cancelled,
                    Outcome::Panicked(text) => Outcome::Panicked(text),
                },
                convert,
            ),
        };
        hub.get().calls()?.block(work, done)?;
        Ok(waiting)
    }
}

fn pair(py: Python<'_>, future: Py<PyAny>, call: Running) -> PyResult<Py<PyAny>> {
    let call = Py::new(py, call)?.into_any();
    Ok(PyTuple::new(py, [future, call])?.into_pyobject(py)?.into_any().unbind())
}

async fn limited<T>(
    environment: Arc<dyn Environment>,
    about: About,
    limit: Duration,
    future: impl Future<Output = Result<T>>,
) -> Result<T> {
    within(&*environment, limit, future).await.unwrap_or_else(|| Err(about.timed_out()))
}

fn make<T: Send + 'static>(
    outcome: Outcome<Result<T>>,
    convert: impl FnOnce(Python<'_>, T) -> PyResult<Py<PyAny>> + Send + 'static,
) -> Make {
    Box::new(move |py| match outcome {
        Outcome::Done(Ok(value)) => convert(py, value),
        Outcome::Done(Err(error)) => Err(to_python(py, &error)),
        Outcome::Cancelled => Err(to_python(py, &Error::new(ErrorCode::Closing, "client", ""))),
        Outcome::Panicked(text) => Err(to_python(py, &defect(&text))),
    })
}

fn defect(text: &str) -> Error {
    Error::new(ErrorCode::SystemError, "quorate", "").with_detail(format!("a defect: {text}"))
}

/// Waits on this thread, without the interpreter; signals are looked for in between.
fn blocking<T: Send>(
    py: Python<'_>,
    about: About,
    limit: Option<Duration>,
    future: impl Future<Output = Result<T>> + Send,
    convert: impl FnOnce(Python<'_>, T) -> PyResult<Py<PyAny>>,
) -> PyResult<Py<PyAny>> {
    let mut signal: Option<PyErr> = None;
    let waited = py.detach(|| {
        let interrupted = || {
            // An interpreter that is ending has no signals to tell of.
            signal = Python::try_attach(|py| py.check_signals().err()).flatten();
            signal.is_some()
        };
        guarded(|| wait(future, limit, INTERVAL, interrupted))
    });
    match waited {
        Ok(Waited::Done(Ok(value))) => convert(py, value),
        Ok(Waited::Done(Err(error))) => Err(to_python(py, &error)),
        Ok(Waited::TimedOut) => Err(to_python(py, &about.timed_out())),
        Ok(Waited::Interrupted) => Err(signal.unwrap_or_else(|| to_python(py, &about.timed_out()))),
        Err(text) => Err(to_python(py, &defect(&text))),
    }
}

/// How long Ctrl-C waits at most.
const INTERVAL: Duration = Duration::from_millis(50);
