//! [`Stat`]: what is known about a node.

use pyo3::types::PyTuple;
use pyo3::{Bound, IntoPyObject as _, PyResult, Python, pyclass, pymethods};

/// What is known about a node besides its data. Times are milliseconds of the wall clock since 1970; zxids number transactions.
#[pyclass(frozen, eq, hash, get_all, module = "quorate._quorate")]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Stat {
    czxid: i64,
    mzxid: i64,
    ctime: i64,
    mtime: i64,
    version: i32,
    cversion: i32,
    aversion: i32,
    ephemeral_owner: i64,
    data_length: i32,
    num_children: i32,
    pzxid: i64,
}

#[pymethods]
impl Stat {
    #[new]
    #[expect(clippy::too_many_arguments, reason = "a record")]
    const fn new(
        czxid: i64,
        mzxid: i64,
        ctime: i64,
        mtime: i64,
        version: i32,
        cversion: i32,
        aversion: i32,
        ephemeral_owner: i64,
        data_length: i32,
        num_children: i32,
        pzxid: i64,
    ) -> Self {
        Self {
            czxid,
            mzxid,
            ctime,
            mtime,
            version,
            cversion,
            aversion,
            ephemeral_owner,
            data_length,
            num_children,
            pzxid,
        }
    }

    fn __repr__(&self) -> String {
        let Self { czxid, mzxid, ctime, mtime, version, cversion, aversion, .. } = self;
        let Self { ephemeral_owner, data_length, num_children, pzxid, .. } = self;
        format!(
            "Stat(czxid={czxid}, mzxid={mzxid}, ctime={ctime}, mtime={mtime}, version={version}, cversion={cversion}, \
             aversion={aversion}, ephemeral_owner={ephemeral_owner}, data_length={data_length}, \
             num_children={num_children}, pzxid={pzxid})"
        )
    }

    /// For copies and pickles.
    fn __getnewargs__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let first = (self.czxid, self.mzxid, self.ctime, self.mtime, self.version, self.cversion);
        let rest =
            (self.aversion, self.ephemeral_owner, self.data_length, self.num_children, self.pzxid);
        let (czxid, mzxid, ctime, mtime, version, cversion) = first;
        (czxid, mzxid, ctime, mtime, version, cversion, rest.0, rest.1, rest.2, rest.3, rest.4)
            .into_pyobject(py)
    }
}

impl From<quorate::client::Stat> for Stat {
    fn from(stat: quorate::client::Stat) -> Self {
        Self {
            czxid: stat.czxid,
            mzxid: stat.mzxid,
            ctime: stat.ctime,
            mtime: stat.mtime,
            version: stat.version,
            cversion: stat.cversion,
            aversion: stat.aversion,
            ephemeral_owner: stat.ephemeral_owner,
            data_length: stat.data_length,
            num_children: stat.num_children,
            pzxid: stat.pzxid,
        }
    }
}
