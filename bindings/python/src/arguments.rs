//! What Python gives, as what the library takes.

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::types::{
    PyAnyMethods as _, PyBytes, PyBytesMethods as _, PyMemoryView, PyString, PyStringMethods as _,
};
use pyo3::{Borrowed, Bound, FromPyObject, PyAny, PyErr, PyResult, intern};
use quorate::client::{Acl, CreateMode, CreateOptions, Id};
use std::time::Duration;

/// The path of a node: `str`, or `os.PathLike` of one.
pub(crate) struct Path(pub(crate) String);

impl<'a, 'py> FromPyObject<'a, 'py> for Path {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(text) = object.cast::<PyString>() {
            return Ok(Self(text.to_cow()?.into_owned()));
        }
        let os = object.py().import(intern!(object.py(), "os"))?;
        let path = os.call_method1(intern!(object.py(), "fspath"), (object,))?;
        match path.cast::<PyString>() {
            Ok(text) => Ok(Self(text.to_cow()?.into_owned())),
            Err(_) => Err(PyTypeError::new_err("a path is str or os.PathLike[str], not bytes")),
        }
    }
}

/// The data of a node: anything bytes-like.
pub(crate) struct Data<'py>(Bound<'py, PyBytes>);

impl Data<'_> {
    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl<'py> FromPyObject<'_, 'py> for Data<'py> {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(bytes) = object.cast::<PyBytes>() {
            return Ok(Self(bytes.to_owned()));
        }
        let view = PyMemoryView::from(&object)?;
        let bytes = view.call_method0(intern!(object.py(), "tobytes"))?;
        Ok(Self(bytes.cast_into::<PyBytes>()?))
    }
}

/// Seconds, as the standard library gives them; `None` for no limit.
pub(crate) fn limit(seconds: Option<f64>) -> PyResult<Option<Duration>> {
    seconds.map(duration).transpose()
}

pub(crate) fn duration(seconds: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(seconds.max(0.0))
        .map_err(|_| PyValueError::new_err(format!("{seconds} is no number of seconds")))
}

/// An entry of an ACL: permission bits, scheme, id.
pub(crate) type AclEntry = (i32, String, String);

pub(crate) fn options(
    mode: &str,
    ttl: Option<f64>,
    acl: Option<Vec<AclEntry>>,
) -> PyResult<CreateOptions> {
    let mode = match mode {
        "persistent" => CreateMode::Persistent,
        "persistent_sequential" => CreateMode::PersistentSequential,
        "ephemeral" => CreateMode::Ephemeral,
        "ephemeral_sequential" => CreateMode::EphemeralSequential,
        "container" => CreateMode::Container,
        "persistent_ttl" => CreateMode::PersistentWithTtl,
        "persistent_sequential_ttl" => CreateMode::PersistentSequentialWithTtl,
        _ => return Err(PyValueError::new_err(format!("there is no mode {mode:?}"))),
    };
    let timed =
        matches!(mode, CreateMode::PersistentWithTtl | CreateMode::PersistentSequentialWithTtl);
    if timed != ttl.is_some() {
        return Err(PyValueError::new_err(
            "a ttl is for the modes that have one, and they need it",
        ));
    }
    let mut options = CreateOptions::new(mode);
    if let Some(ttl) = ttl {
        options = options.ttl(duration(ttl)?);
    }
    if let Some(acl) = acl {
        let entry = |(perms, scheme, id): AclEntry| Acl { perms, id: Id::new(scheme, id) };
        options = options.acl(acl.into_iter().map(entry).collect::<Vec<_>>());
    }
    Ok(options)
}
