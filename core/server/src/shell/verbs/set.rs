//! `set`: new data for a node.

use super::{Call, Verb};
use crate::shell::args::Opt;
use crate::shell::format::{from_base64, stat_block, stat_json};
use crate::shell::reply::{Failure, Reply};
use serde_json::json;

pub(super) const VERBS: &[Verb] = &[Verb {
    name: "set",
    synopsis: "[-s] [-v version] [-b] path data",
    help: "replaces the data of a node",
    options: &[
        Opt::flag("s", "print the new stat"),
        Opt::value("v", "only if the data has this version"),
        Opt::flag("b", "the data is base64"),
    ],
    required: 2,
    takes_path: true,
    run,
}];

fn run(call: &mut Call<'_>) -> Result<Reply, Failure> {
    let (path, text) = (call.argument(0)?, call.argument(1)?);
    let data = if call.has("b") {
        from_base64(&text).ok_or_else(|| Failure::Usage(format!("not base64: {text}")))?
    } else {
        text.into_bytes()
    };
    let version = call.version()?;
    let stat = call.zk()?.set(&path, &data, version)?;
    let json = json!({ "path": path, "stat": stat_json(&stat) });
    let text = if call.has("s") { stat_block(&stat) } else { String::new() };
    Ok(Reply::new(text, json))
}
