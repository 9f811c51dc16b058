//! `stat`: everything about a node but its data.

use super::{Call, Verb};
use crate::shell::args::Opt;
use crate::shell::client::ClientError;
use crate::shell::format::{stat_block, stat_json};
use crate::shell::reply::{Failure, Reply};
use quorate_wire::ErrorCode;
use serde_json::json;

pub(super) const VERBS: &[Verb] = &[Verb {
    name: "stat",
    synopsis: "[-w] path",
    help: "prints the stat of a node",
    options: &[Opt::flag("w", "leave a watch, on the creation if there is no such node")],
    required: 1,
    takes_path: true,
    run,
}];

fn run(call: &mut Call<'_>) -> Result<Reply, Failure> {
    let path = call.argument(0)?;
    call.accept_old_watch("[-w]");
    let Some(stat) = call.zk()?.exists(&path, call.has("w"))? else {
        return Err(ClientError::Refused { code: ErrorCode::NoNode, path: Some(path) }.into());
    };
    let json = json!({ "path": path, "stat": stat_json(&stat) });
    Ok(Reply::new(stat_block(&stat), json))
}
