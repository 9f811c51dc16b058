//! `getAllChildrenNumber` and `getEphemerals`: what the server counts and lists for a client.

use super::{Call, Verb};
use crate::shell::format::list;
use crate::shell::reply::{Failure, Reply};
use serde_json::json;

pub(super) const VERBS: &[Verb] = &[
    Verb {
        name: "getAllChildrenNumber",
        synopsis: "path",
        help: "counts the nodes below a node, at every depth",
        options: &[],
        required: 1,
        takes_path: true,
        run: all_children_number,
    },
    Verb {
        name: "getEphemerals",
        synopsis: "path",
        help: "lists this session's ephemeral nodes whose path begins so; without path all",
        options: &[],
        required: 0,
        takes_path: true,
        run: ephemerals,
    },
];

fn all_children_number(call: &mut Call<'_>) -> Result<Reply, Failure> {
    let path = call.argument(0)?;
    let number = call.zk()?.all_children_number(&path)?;
    Ok(Reply::new(format!("{number}\n"), json!({ "path": path, "number": number })))
}

fn ephemerals(call: &mut Call<'_>) -> Result<Reply, Failure> {
    let prefix = call.arguments.argument(0).unwrap_or("/").to_owned();
    let paths = call.zk()?.ephemerals(&prefix)?;
    Ok(Reply::new(format!("{}\n", list(&paths)), json!({ "paths": paths })))
}
