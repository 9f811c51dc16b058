//! `addWatch`, `removewatches` and `printwatches`: events and their display.

use super::{Call, Verb};
use crate::shell::args::Opt;
use crate::shell::reply::{Failure, Reply};
use quorate_wire::op::remove_watches::WatcherType;
use serde_json::json;
use std::sync::atomic::Ordering;

pub(super) const VERBS: &[Verb] = &[
    Verb {
        name: "addWatch",
        synopsis: "[-m mode] path # optional mode is one of [PERSISTENT, PERSISTENT_RECURSIVE] - \
                   default is PERSISTENT_RECURSIVE",
        help: "leaves a watch that stays",
        options: &[Opt::value("m", "PERSISTENT or PERSISTENT_RECURSIVE")],
        required: 1,
        takes_path: true,
        run: add_watch,
    },
    Verb {
        name: "printwatches",
        synopsis: "on|off",
        help: "says whether events are printed, or switches it",
        options: &[],
        required: 0,
        takes_path: false,
        run: print_watches,
    },
    Verb {
        name: "removewatches",
        synopsis: "path [-c|-d|-p|-r|-a] [-l]",
        help: "removes this session's watches on a node",
        options: &[
            Opt::flag("c", "those on its children"),
            Opt::flag("d", "those on its data"),
            Opt::flag("p", "persistent ones (servers from 3.9 on)"),
            Opt::flag("r", "persistent recursive ones (servers from 3.9 on)"),
            Opt::flag("a", "all of them, as without any option"),
            Opt::flag("l", "even if the server cannot be reached"),
        ],
        required: 1,
        takes_path: true,
        run: remove_watches,
    },
];

fn add_watch(call: &mut Call<'_>) -> Result<Reply, Failure> {
    if call.arguments.arguments.len() != 1 {
        return Err(call.verb.misused());
    }
    let mode = call.arguments.value("m").unwrap_or("PERSISTENT_RECURSIVE").to_uppercase();
    let recursive = match mode.as_str() {
        "PERSISTENT" => false,
        "PERSISTENT_RECURSIVE" => true,
        _ => return Err(call.verb.misused()),
    };
    let path = call.argument(0)?;
    call.zk()?.add_watch(&path, recursive)?;
    Ok(Reply::silent(json!({ "path": path, "mode": mode })))
}

fn remove_watches(call: &mut Call<'_>) -> Result<Reply, Failure> {
    let path = call.argument(0)?;
    // Of several, the first in zkCli's order counts.
    let kind = [
        ("c", WatcherType::Children),
        ("d", WatcherType::Data),
        ("p", WatcherType::Persistent),
        ("r", WatcherType::PersistentRecursive),
    ]
    .into_iter()
    .find(|(option, _)| call.has(option))
    .map_or(WatcherType::Any, |(_, kind)| kind);
    let local = call.has("l");
    call.zk()?.remove_watches(&path, kind, local)?;
    Ok(Reply::silent(json!({ "path": path, "removed": true })))
}

fn print_watches(call: &mut Call<'_>) -> Result<Reply, Failure> {
    let switch = &call.shell.print_watches;
    if let Some(wanted) = call.arguments.argument(0) {
        switch.store(wanted == "on", Ordering::Relaxed);
        return Ok(Reply::silent(json!({ "printwatches": wanted == "on" })));
    }
    let on = switch.load(Ordering::Relaxed);
    let text = format!("printwatches is {}\n", if on { "on" } else { "off" });
    Ok(Reply::new(text, json!({ "printwatches": on })))
}
