//! What the library gives, as what Python takes.

use crate::stat::Stat;
use pyo3::types::PyBytes;
use pyo3::{IntoPyObject, IntoPyObjectExt as _, Py, PyAny, PyResult, Python};
use quorate::client::{Created, EventType, PartResult, State};

/// A word of a state.
pub(crate) const fn word(state: State) -> &'static str {
    match state {
        State::Connecting => "connecting",
        State::Connected => "connected",
        State::ReadOnly => "read_only",
        State::Suspended => "suspended",
        State::Lost => "lost",
        State::Closed => "closed",
        State::AuthFailed => "auth_failed",
    }
}

/// A word of an event.
pub(crate) const fn kind(kind: EventType) -> &'static str {
    match kind {
        EventType::Created => "created",
        EventType::Deleted => "deleted",
        EventType::DataChanged => "changed",
        EventType::ChildrenChanged => "children",
    }
}

pub(crate) fn none(py: Python<'_>, (): ()) -> PyResult<Py<PyAny>> {
    Ok(py.None())
}

pub(crate) fn any<'py>(py: Python<'py>, value: impl IntoPyObject<'py>) -> PyResult<Py<PyAny>> {
    value.into_py_any(py)
}

pub(crate) fn stat(py: Python<'_>, stat: quorate::client::Stat) -> PyResult<Py<PyAny>> {
    any(py, Stat::from(stat))
}

pub(crate) fn maybe_stat(
    py: Python<'_>,
    stat: Option<quorate::client::Stat>,
) -> PyResult<Py<PyAny>> {
    any(py, stat.map(Stat::from))
}

/// `(data, stat)`
pub(crate) fn data(
    py: Python<'_>,
    (data, stat): (Vec<u8>, quorate::client::Stat),
) -> PyResult<Py<PyAny>> {
    any(py, (PyBytes::new(py, &data), Stat::from(stat)))
}

/// `(names, stat)`
pub(crate) fn children(
    py: Python<'_>,
    (names, stat): (Vec<String>, quorate::client::Stat),
) -> PyResult<Py<PyAny>> {
    any(py, (names, Stat::from(stat)))
}

/// `(path, stat)`
pub(crate) fn created(py: Python<'_>, created: Created) -> PyResult<Py<PyAny>> {
    any(py, (created.path, Stat::from(created.stat)))
}

/// For each part the path of what was created, the stat of what was set, or None.
pub(crate) fn parts(py: Python<'_>, parts: Vec<PartResult>) -> PyResult<Py<PyAny>> {
    let part = |part: PartResult| match part {
        PartResult::Created { path, .. } => any(py, path),
        PartResult::Set(found) => stat(py, found),
        PartResult::Done => Ok(py.None()),
    };
    any(py, parts.into_iter().map(part).collect::<PyResult<Vec<_>>>()?)
}
