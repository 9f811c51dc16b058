//! `ls`: children of a node, or everything below it.

use super::{Call, Verb};
use crate::progress::Progress;
use crate::shell::args::Opt;
use crate::shell::client::{ClientError, Connection};
use crate::shell::format::{list, stat_block, stat_json};
use crate::shell::reply::{Failure, Reply};
use crate::shell::session::Shell;
use quorate_wire::ErrorCode;
use serde_json::json;

pub(super) const VERBS: &[Verb] = &[Verb {
    name: "ls",
    synopsis: "[-s] [-w] [-R] path",
    help: "lists the children of a node",
    options: &[
        Opt::flag("s", "with the stat"),
        Opt::flag("w", "leave a watch"),
        Opt::flag("R", "everything below, one path per line"),
    ],
    required: 1,
    takes_path: true,
    run,
}];

fn run(call: &mut Call<'_>) -> Result<Reply, Failure> {
    let path = call.argument(0)?;
    call.accept_old_watch("[-w]");
    let watch = call.has("w");
    let zk = call.zk()?;
    let reply = if call.has("R") {
        let mut paths = Vec::new();
        let progress = Shell::progress("listing", None);
        walk(&zk, &path, watch, &mut |path| {
            paths.push(path.to_owned());
            if paths.len().is_multiple_of(COUNTED) {
                show_count(&progress, paths.len());
            }
            Ok(())
        })?;
        drop(progress);
        let text = paths.iter().map(|path| format!("{path}\n")).collect::<String>();
        Reply::new(text, json!({ "path": path, "paths": paths }))
    } else {
        let (children, stat) = zk.children(&path, watch)?;
        let mut text = format!("{}\n", list(&children));
        if call.has("s") {
            text.push_str(&stat_block(&stat));
        }
        let json = json!({ "path": path, "children": children, "stat": stat_json(&stat) });
        Reply::new(text, json)
    };
    Ok(reply)
}

/// Visits a node and all below it in the order of `ZKUtil#visitSubTreeDFS`: siblings first, then
/// what lies below each. A node that vanishes meanwhile is passed over.
pub(super) fn walk(
    zk: &Connection,
    path: &str,
    watch: bool,
    visit: &mut dyn FnMut(&str) -> Result<(), Failure>,
) -> Result<(), Failure> {
    zk.get(path, watch)?;
    visit(path)?;
    // A list of what is still to do instead of recursion: trees may be deep.
    let mut todo = vec![path.to_owned()];
    while let Some(parent) = todo.pop() {
        let children = match zk.children(&parent, watch) {
            Ok((children, _)) => children,
            Err(e) if e.is(ErrorCode::NoNode) => continue,
            Err(e) => return Err(e.into()),
        };
        let paths: Vec<String> = children.iter().map(|name| join(&parent, name)).collect();
        for path in &paths {
            visit(path)?;
        }
        todo.extend(paths.into_iter().rev());
    }
    Ok(())
}

/// A node and all below it, every node after its parent.
pub(super) fn subtree(zk: &Connection, path: &str) -> Result<Vec<String>, ClientError> {
    let mut all = vec![path.to_owned()];
    let progress = Shell::progress("listing", None);
    let mut next = 0;
    while let Some(parent) = all.get(next).cloned() {
        let (children, _) = zk.children(&parent, false)?;
        all.extend(children.iter().map(|name| join(&parent, name)));
        show_count(&progress, all.len());
        next += 1;
    }
    Ok(all)
}

/// Shows that so many nodes have been met.
pub(super) fn show_count(progress: &Progress, nodes: usize) {
    progress.set(u64::try_from(nodes).unwrap_or(u64::MAX), format!("{nodes} nodes"));
}

fn join(parent: &str, name: &str) -> String {
    if parent == "/" { format!("/{name}") } else { format!("{parent}/{name}") }
}

/// Showing each name of a long list would take longer than asking for it.
const COUNTED: usize = 64;
