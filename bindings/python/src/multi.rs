//! The parts of a transaction.

use crate::arguments::{AclEntry, Data, Path, options};
use pyo3::exceptions::PyValueError;
use pyo3::types::PyAnyMethods as _;
use pyo3::{Bound, PyAny, PyResult};
use quorate::client::Transaction;

/// Adds the parts that Python collected: tuples that begin with what is to be done.
pub(crate) fn with_parts(
    mut transaction: Transaction,
    parts: &[Bound<'_, PyAny>],
) -> PyResult<Transaction> {
    for part in parts {
        let kind: String = part.get_item(0)?.extract()?;
        transaction = match kind.as_str() {
            "create" => {
                type Create<'py> =
                    (String, Path, Data<'py>, String, Option<f64>, Option<Vec<AclEntry>>);
                let (_, path, data, mode, ttl, acl): Create<'_> = part.extract()?;
                transaction.create(path.0, data.bytes(), options(&mode, ttl, acl)?)
            }
            "set" => {
                let (_, path, data, version): (String, Path, Data<'_>, Option<i32>) =
                    part.extract()?;
                transaction.set(path.0, data.bytes(), version)
            }
            "delete" | "check" => {
                let (_, path, version): (String, Path, Option<i32>) = part.extract()?;
                if kind == "delete" {
                    transaction.delete(path.0, version)
                } else {
                    transaction.check(path.0, version)
                }
            }
            _ => return Err(PyValueError::new_err(format!("a transaction cannot {kind:?}"))),
        };
    }
    Ok(transaction)
}
