//! Reads of what may not be there: nothing is then there to be read.

use super::patience::patiently;
use crate::client::{Client, ErrorCode, Result, Stat};

/// The children of a node; none if it is not there.
pub(crate) async fn children_or_none(client: &Client, path: &str) -> Result<Vec<String>> {
    match patiently(|| client.children(path)).await {
        Ok((children, _)) => Ok(children),
        Err(error) if error.code() == ErrorCode::NoNode => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// A node's data and state, if it is there.
pub(crate) async fn get_or_none(client: &Client, path: &str) -> Result<Option<(Vec<u8>, Stat)>> {
    match patiently(|| client.get(path)).await {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.code() == ErrorCode::NoNode => Ok(None),
        Err(error) => Err(error),
    }
}
