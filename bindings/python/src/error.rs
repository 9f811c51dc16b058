//! Errors as exceptions: `quorate.Error` and its children, which are Python classes.

use pyo3::sync::PyOnceLock;
use pyo3::types::PyAnyMethods as _;
use pyo3::{Py, PyAny, PyErr, PyResult, Python};
use quorate::client::Error;

/// The exception for an error, not raised.
pub(crate) fn value(py: Python<'_>, error: &Error) -> PyResult<Py<PyAny>> {
    static MAKE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let make = MAKE.get_or_try_init(py, || {
        py.import("quorate._errors")?.getattr("make").map(pyo3::Bound::unbind)
    })?;
    let fields = (
        error.to_string(),
        error.code().code(),
        format!("{:?}", error.code()),
        error.path(),
        error.operation(),
        error.outcome_unknown(),
        error.part(),
    );
    make.call1(py, fields)
}

/// The same, to be raised.
pub(crate) fn to_python(py: Python<'_>, error: &Error) -> PyErr {
    match value(py, error) {
        Ok(value) => PyErr::from_value(value.into_bound(py)),
        Err(problem) => problem,
    }
}
