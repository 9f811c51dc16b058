//! `delete` and `deleteall`: a node, or a whole subtree.

use super::ls::{show_count, subtree};
use super::{Call, Verb, version};
use crate::progress::Progress;
use crate::shell::args::Opt;
use crate::shell::client::{Answer, Connection, is_multi_done};
use crate::shell::reply::{Failure, Reply};
use crate::shell::session::Shell;
use serde_json::json;
use std::collections::VecDeque;

pub(super) const VERBS: &[Verb] = &[
    Verb {
        name: "delete",
        synopsis: "[-v version] path",
        help: "deletes a node that has no children",
        options: &[Opt::value("v", "only if the data has this version")],
        required: 1,
        takes_path: true,
        run: delete,
    },
    Verb {
        name: "deleteall",
        synopsis: "path [-b batch size]",
        help: "deletes a node and all below it",
        options: &[Opt::value("b", "nodes per transaction, 1000 if not given; 0 for one by one")],
        required: 1,
        takes_path: true,
        run: delete_all,
    },
];

fn delete(call: &mut Call<'_>) -> Result<Reply, Failure> {
    let path = call.argument(0)?;
    let mut expected = call.version()?;
    if let Some(text) = call.arguments.argument(1) {
        call.shell.complain(&["'delete path [version]' has been deprecated. \
                               Please use 'delete [-v version] path' instead."
            .to_owned()]);
        // zkCli ignores the version in this old form; to delete less than was asked for is safer.
        expected = version(text)?;
    }
    call.zk()?.delete(&path, expected)?;
    Ok(Reply::silent(json!({ "deleted": path })))
}

fn delete_all(call: &mut Call<'_>) -> Result<Reply, Failure> {
    let path = call.argument(0)?;
    let batch: i64 = match call.arguments.value("b") {
        Some(text) => text
            .parse()
            .map_err(|_| Failure::Usage("-b argument must be an int value".to_owned()))?,
        None => DEFAULT_BATCH,
    };
    let zk = call.zk()?;
    let mut nodes = subtree(&zk, &path)?;
    nodes.reverse();
    let count = nodes.len();
    let mut done = Deleted::new(count);
    let deleted = match usize::try_from(batch) {
        Ok(batch) if batch > 0 => in_batches(&zk, &nodes, batch, &mut done),
        _ => one_by_one(&zk, &nodes, &mut done),
    };
    deleted.map_err(|failure| {
        failure.after(|| format!("{} of {count} nodes are known to be deleted", done.nodes))
    })?;
    Ok(Reply::silent(json!({ "deleted": path, "nodes": count })))
}

fn one_by_one(zk: &Connection, nodes: &[String], done: &mut Deleted) -> Result<(), Failure> {
    for node in nodes {
        zk.delete(node, -1)?;
        done.add(1);
    }
    Ok(())
}

/// Deletes with a few transactions in flight; stops at the first that is refused.
fn in_batches(
    zk: &Connection,
    nodes: &[String],
    batch: usize,
    done: &mut Deleted,
) -> Result<(), Failure> {
    let mut in_flight = VecDeque::new();
    let mut refused = false;
    for nodes in nodes.chunks(batch) {
        if in_flight.len() >= MAX_IN_FLIGHT
            && let Some(oldest) = in_flight.pop_front()
        {
            refused |= !settled(oldest, done)?;
        }
        if refused {
            break;
        }
        in_flight.push_back((zk.delete_batch(nodes)?, nodes.len()));
    }
    for batch in in_flight {
        refused |= !settled(batch, done)?;
    }
    if refused {
        return Err(Failure::Failed("Failed to delete some node(s) in the subtree!".to_owned()));
    }
    Ok(())
}

fn settled((answer, nodes): (Answer, usize), done: &mut Deleted) -> Result<bool, Failure> {
    let settled = is_multi_done(&answer.wait()?)?;
    if settled {
        done.add(nodes);
    }
    Ok(settled)
}

/// How far a deletion is.
struct Deleted {
    nodes: usize,
    progress: Progress,
}

impl Deleted {
    fn new(all: usize) -> Self {
        Self { nodes: 0, progress: Shell::progress("deleting", u64::try_from(all).ok()) }
    }

    fn add(&mut self, nodes: usize) {
        self.nodes = self.nodes.saturating_add(nodes);
        show_count(&self.progress, self.nodes);
    }
}

const DEFAULT_BATCH: i64 = 1000;
const MAX_IN_FLIGHT: usize = 10;
