//! `get`: data of a node.

use super::{Call, Verb};
use crate::shell::args::Opt;
use crate::shell::format::{base64, data_json, hex_dump, stat_block, stat_json};
use crate::shell::reply::{Failure, Reply};
use serde_json::json;

pub(super) const VERBS: &[Verb] = &[Verb {
    name: "get",
    synopsis: "[-s] [-w] [-b] [-x] path",
    help: "prints the data of a node",
    options: &[
        Opt::flag("s", "with the stat"),
        Opt::flag("w", "leave a watch"),
        Opt::flag("b", "as base64"),
        Opt::flag("x", "as a hex dump"),
    ],
    required: 1,
    takes_path: true,
    run,
}];

fn run(call: &mut Call<'_>) -> Result<Reply, Failure> {
    let path = call.argument(0)?;
    call.accept_old_watch("[-s] [-w]");
    let (data, stat) = call.zk()?.get(&path, call.has("w"))?;
    // zkCli shows null data as this word, in every format.
    let shown = data.as_deref().unwrap_or(b"null");
    let mut text = if call.has("x") {
        hex_dump(shown)
    } else if call.has("b") {
        base64(shown)
    } else {
        String::from_utf8_lossy(shown).into_owned()
    };
    text.push('\n');
    if call.has("s") {
        text.push_str(&stat_block(&stat));
    }
    let (data, encoding) = data_json(data.as_deref(), call.has("b"));
    let json =
        json!({ "path": path, "data": data, "encoding": encoding, "stat": stat_json(&stat) });
    Ok(Reply::new(text, json))
}
