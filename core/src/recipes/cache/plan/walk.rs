//! [`Frame`]: a directory of the walk, and how far the walk has come in it.

use crate::recipes::cache::tree::{Node, Slot, Tree};
use crate::recipes::cache::work::Kind;
use crate::recipes::kit::join;
use std::ops::Bound;

/// A directory whose children the walk visits.
#[derive(Debug)]
pub(super) struct Frame {
    path: String,
    /// The last child that was visited.
    after: Option<Box<str>>,
}

impl Frame {
    /// At the first child.
    pub(super) fn new(path: &str) -> Self {
        Self { path: path.to_owned(), after: None }
    }

    /// Whether it is the directory `path`, of which nothing has been visited yet.
    pub(super) fn is_new(&self, path: &str) -> bool {
        self.after.is_none() && self.path == path
    }

    /// The next children that the walk has to read (all of one kind), or none when it is through.
    pub(super) fn visit(
        &mut self,
        tree: &Tree,
        walk: u32,
        batch: usize,
        read: Kind,
    ) -> (Kind, Vec<String>) {
        let mut kind = read;
        let mut paths = Vec::new();
        let Some(children) = tree.node(&self.path).and_then(Node::map) else {
            return (kind, paths);
        };
        let from = self.after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let mut last: Option<&str> = None;
        for (name, slot) in children.range::<str, _>((from, Bound::Unbounded)) {
            if let Some(next) = need(slot, walk, read) {
                let limit = if next == Kind::Get { batch } else { 1 };
                if !paths.is_empty() && (next != kind || paths.len() >= limit) {
                    break;
                }
                kind = next;
                paths.push(join(&self.path, name));
            }
            last = Some(name);
        }
        if let Some(last) = last {
            self.after = Some(last.into());
        }
        (kind, paths)
    }
}

/// How the walk has to read a child.
fn need(slot: &Slot, walk: u32, read: Kind) -> Option<Kind> {
    match slot {
        None => Some(read),
        Some(node) if node.walk != walk => Some(Kind::Exists),
        Some(_) => None,
    }
}
