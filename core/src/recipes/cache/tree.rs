//! What a cache holds: the nodes of a subtree, by name, with their stats and data.
//!
//! Pure storage: it knows neither the server nor what is out of date. A name without a node is one whose node has
//! not been read yet. Nodes are boxed and names kept once, in the map of the parent: some 170 bytes a node besides
//! its data.

use crate::client::Stat;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The subtree below a path.
#[derive(Debug)]
pub(super) struct Tree {
    root: Box<str>,
    top: Slot,
}

/// A node, or the promise of one.
pub(super) type Slot = Option<Box<Node>>;

/// The children of a node.
pub(super) type Children = BTreeMap<Box<str>, Slot>;

/// A node as it was read.
#[derive(Debug)]
pub(super) struct Node {
    /// As of the last read; but `pzxid` is the one up to which the children here are known.
    pub(super) stat: Stat,
    pub(super) data: Option<Arc<[u8]>>,
    children: Option<Box<Children>>,
    /// The walk that has seen it last.
    pub(super) walk: u32,
    /// Whether its children have been listed at all.
    pub(super) listed: bool,
}

impl Tree {
    pub(super) fn new(root: &str) -> Self {
        Self { root: root.into(), top: None }
    }

    pub(super) fn root(&self) -> &str {
        &self.root
    }

    /// How many levels below the root a path is; `None` for what is not below it.
    pub(super) fn depth(&self, path: &str) -> Option<usize> {
        self.components(path).map(Iterator::count)
    }

    pub(super) fn slot(&self, path: &str) -> Option<&Slot> {
        let mut slot = &self.top;
        for name in self.components(path)? {
            slot = slot.as_ref()?.children.as_ref()?.get(name)?;
        }
        Some(slot)
    }

    /// A slot, and how many levels below the root it is.
    pub(super) fn slot_mut(&mut self, path: &str) -> Option<(usize, &mut Slot)> {
        let names = components(&self.root, path)?;
        let (mut depth, mut slot) = (0, &mut self.top);
        for name in names {
            slot = slot.as_mut()?.children.as_mut()?.get_mut(name)?;
            depth += 1;
        }
        Some((depth, slot))
    }

    pub(super) fn node(&self, path: &str) -> Option<&Node> {
        self.slot(path)?.as_deref()
    }

    pub(super) fn node_mut(&mut self, path: &str) -> Option<&mut Node> {
        self.slot_mut(path)?.1.as_deref_mut()
    }

    /// Takes a node out with everything below it. The root's name stays.
    pub(super) fn take(&mut self, path: &str) -> Option<Slot> {
        if *path == *self.root {
            return Some(self.top.take());
        }
        let (parent, name) = split(path);
        self.node_mut(parent)?.remove(name)
    }

    /// All nodes, parents before their children, in the order of their names.
    pub(super) fn visit(&self, mut see: impl FnMut(&str, &Node)) {
        if let Some(node) = &self.top {
            let mut path = String::from(&*self.root);
            node.visit(&mut path, &mut see);
        }
    }

    fn components<'p>(&self, path: &'p str) -> Option<impl Iterator<Item = &'p str> + use<'p>> {
        components(&self.root, path)
    }
}

impl Node {
    pub(super) const fn new(stat: Stat, data: Option<Arc<[u8]>>, walk: u32) -> Self {
        Self { stat, data, children: None, walk, listed: false }
    }

    pub(super) fn children(&self) -> impl Iterator<Item = (&str, &Slot)> {
        self.children
            .iter()
            .flat_map(|children| children.iter().map(|(name, slot)| (&**name, slot)))
    }

    pub(super) fn map(&self) -> Option<&Children> {
        self.children.as_deref()
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.children.as_ref().is_some_and(|children| children.contains_key(name))
    }

    pub(super) fn child_count(&self) -> usize {
        self.children.as_ref().map_or(0, |children| children.len())
    }

    /// Makes room for a node.
    pub(super) fn promise(&mut self, name: Box<str>) {
        self.children.get_or_insert_default().entry(name).or_insert(None);
    }

    /// Makes room for many: the names are sorted. A first listing is stored as tightly as can be.
    pub(super) fn promise_all(&mut self, names: impl Iterator<Item = Box<str>>) {
        match &mut self.children {
            None => {
                let children: Children = names.map(|name| (name, None)).collect();
                self.children = (!children.is_empty()).then(|| Box::new(children));
            }
            Some(children) => names.for_each(|name| {
                children.entry(name).or_insert(None);
            }),
        }
    }

    pub(super) fn remove(&mut self, name: &str) -> Option<Slot> {
        let children = self.children.as_mut()?;
        let slot = children.remove(name);
        if children.is_empty() {
            self.children = None;
        }
        slot
    }

    /// This node and all below it.
    pub(super) fn visit(&self, path: &mut String, see: &mut impl FnMut(&str, &Self)) {
        see(path, self);
        for (name, slot) in self.children() {
            if let Some(node) = slot {
                within(path, name, |path| node.visit(path, see));
            }
        }
    }

    /// Takes it apart: whatever is below first, promises too.
    pub(super) fn dismantle(
        mut self: Box<Self>,
        path: &mut String,
        lose: &mut impl FnMut(&str, Option<Box<Self>>),
    ) {
        for (name, slot) in self.children.take().into_iter().flat_map(|children| *children) {
            within(path, &name, |path| match slot {
                Some(node) => node.dismantle(path, lose),
                None => lose(path, None),
            });
        }
        lose(path, Some(self));
    }
}

/// Parent and name of a path other than `/`.
pub(super) fn split(path: &str) -> (&str, &str) {
    match path.rsplit_once('/') {
        Some(("", name)) => ("/", name),
        Some(parts) => parts,
        None => ("/", path),
    }
}

/// The names on the way from the root to a path.
fn components<'p>(root: &str, path: &'p str) -> Option<impl Iterator<Item = &'p str> + use<'p>> {
    let below = if root == "/" { path } else { path.strip_prefix(root)? };
    if !below.is_empty() && !below.starts_with('/') {
        return None;
    }
    Some(below.split('/').filter(|name| !name.is_empty()))
}

/// Does something with the path of a child, in the same buffer.
fn within(path: &mut String, name: &str, work: impl FnOnce(&mut String)) {
    let length = path.len();
    if !path.ends_with('/') {
        path.push('/');
    }
    path.push_str(name);
    work(path);
    path.truncate(length);
}
