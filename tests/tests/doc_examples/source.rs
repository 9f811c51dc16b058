//! The crates as their sources say: modules, what is in them, and what their names mean.

use proc_macro2::{Group, Ident, TokenStream, TokenTree};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use syn::{Attribute, Expr, Item, Lit, Meta, UseTree, Visibility};

/// A module.
pub(crate) struct Module {
    pub(crate) docs: String,
    pub(crate) items: Vec<Item>,
    imports: Vec<Import>,
}

/// A name that `use` brings into a module; `*` for all names.
struct Import {
    name: String,
    path: Vec<String>,
    public: bool,
}

/// What a name means: a module, or an item in one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Meaning {
    Module(String),
    Item(String, String),
}

/// All modules, by their paths.
#[derive(Default)]
pub(crate) struct Sources {
    pub(crate) modules: BTreeMap<String, Module>,
    macros: BTreeMap<String, TokenStream>,
}

impl Sources {
    /// Reads a crate from its root file on.
    pub(crate) fn read(&mut self, name: &str, root: &Path) {
        self.read_file(name, root, &root.with_file_name(""));
        let modules: Vec<String> = self.modules.keys().cloned().collect();
        for module in modules {
            self.expand(&module);
        }
    }

    /// Reads the file of a module, whose submodules lie in `directory`.
    fn read_file(&mut self, module: &str, file: &Path, directory: &Path) {
        let text = fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let parsed = syn::parse_file(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        self.add(module, docs(&parsed.attrs), parsed.items, directory);
    }

    fn add(&mut self, module: &str, outer: String, items: Vec<Item>, directory: &Path) {
        let items: Vec<Item> = items.into_iter().filter(|item| !is_for_tests(item)).collect();
        let mut imports = Vec::new();
        for item in &items {
            match item {
                Item::Mod(child) => {
                    let name = child.ident.to_string();
                    let path = format!("{module}::{name}");
                    let below = directory.join(&name);
                    match &child.content {
                        Some((_, items)) => {
                            self.add(&path, docs(&child.attrs), items.clone(), &below);
                        }
                        None => self.read_file(&path, &file_of(directory, &name), &below),
                    }
                }
                Item::Use(import) => {
                    let public = matches!(import.vis, Visibility::Public(_));
                    import_all(&import.tree, &[], public, &mut imports);
                }
                Item::Macro(definition) if definition.mac.path.is_ident("macro_rules") => {
                    let name = definition.ident.as_ref().map(Ident::to_string).unwrap_or_default();
                    self.macros.insert(name, definition.mac.tokens.clone());
                }
                _ => {}
            }
        }
        self.modules.insert(module.to_owned(), Module { docs: outer, items, imports });
    }

    /// Adds what the macros of the crate make: the items that they are given, or else their last rule's, with the first name that they are
    /// given for every variable, and without repetitions. What public items are called, and what they say, is in neither.
    fn expand(&mut self, module: &str) {
        let Some(found) = self.modules.get_mut(module) else { return };
        let mut made = Vec::new();
        for item in &found.items {
            let Item::Macro(call) = item else { continue };
            let name = call.mac.path.segments.last().map(|s| s.ident.to_string());
            let Some(rules) = name.and_then(|name| self.macros.get(&name)) else { continue };
            let given = call.mac.tokens.clone();
            if let Ok(items) = syn::parse2::<syn::File>(given.clone()) {
                made.extend(items.items);
                continue;
            }
            let groups = rules.clone().into_iter().filter_map(|token| match token {
                TokenTree::Group(group) => Some(group),
                _ => None,
            });
            let body = groups.last().unwrap_or_else(|| panic!("a macro of a strange form"));
            let first = given.into_iter().find(|token| matches!(token, TokenTree::Ident(_)));
            let tokens = put_in(body.stream(), first.as_ref());
            let items: syn::File =
                syn::parse2(tokens).unwrap_or_else(|e| panic!("{module}, a macro: {e}"));
            made.extend(items.items);
        }
        found.items.extend(made);
    }

    /// What a path means in a module.
    pub(crate) fn meaning(&self, module: &str, path: &[String]) -> Option<Meaning> {
        self.look(module, path, 0)
    }

    fn look(&self, module: &str, path: &[String], depth: usize) -> Option<Meaning> {
        let (first, rest) = path.split_first()?;
        if depth > 20 {
            return None;
        }
        let here = match first.as_str() {
            "crate" => Meaning::Module(module.split("::").next()?.to_owned()),
            "self" => Meaning::Module(module.to_owned()),
            "super" => Meaning::Module(module.rsplit_once("::")?.0.to_owned()),
            name => self.name(module, name, depth)?,
        };
        match (here, rest) {
            (here, []) => Some(here),
            (Meaning::Module(next), rest) => self.look(&next, rest, depth + 1),
            (Meaning::Item(..), _) => None,
        }
    }

    /// What a name means in a module.
    fn name(&self, module: &str, name: &str, depth: usize) -> Option<Meaning> {
        let child = format!("{module}::{name}");
        if self.modules.contains_key(&child) {
            return Some(Meaning::Module(child));
        }
        let found = self.modules.get(module)?;
        if found.items.iter().any(|item| name_of(item).as_deref() == Some(name)) {
            return Some(Meaning::Item(module.to_owned(), name.to_owned()));
        }
        let named = found.imports.iter().filter(|import| import.name == name);
        for import in named {
            if let Some(meaning) = self.look(module, &import.path, depth + 1) {
                return Some(meaning);
            }
        }
        for import in found.imports.iter().filter(|import| import.name == "*") {
            if let Some(Meaning::Module(source)) = self.look(module, &import.path, depth + 1)
                && let Some(meaning) = self.name(&source, name, depth + 1)
            {
                return Some(meaning);
            }
        }
        self.modules.contains_key(name).then(|| Meaning::Module(name.to_owned()))
    }

    /// What a module exports: its public items, submodules and re-exports.
    pub(crate) fn exports(&self, module: &str) -> Vec<Meaning> {
        let Some(found) = self.modules.get(module) else { return Vec::new() };
        let mut all = Vec::new();
        for item in &found.items {
            let Some(name) = name_of(item) else { continue };
            match item {
                Item::Mod(child) if is_public(&child.vis) => {
                    all.push(Meaning::Module(format!("{module}::{name}")));
                }
                item if is_exported(item) => all.push(Meaning::Item(module.to_owned(), name)),
                _ => {}
            }
        }
        for import in found.imports.iter().filter(|import| import.public) {
            match (import.name.as_str(), self.meaning(module, &import.path)) {
                ("*", Some(Meaning::Module(source))) => all.extend(self.exports(&source)),
                (_, Some(meaning)) => all.push(meaning),
                (_, None) => {}
            }
        }
        all
    }
}

fn file_of(directory: &Path, name: &str) -> PathBuf {
    let file = directory.join(format!("{name}.rs"));
    if file.exists() { file } else { directory.join(name).join("mod.rs") }
}

fn import_all(tree: &UseTree, before: &[String], public: bool, all: &mut Vec<Import>) {
    let with = |last: &Ident| {
        let mut path = before.to_vec();
        if last != "self" {
            path.push(last.to_string());
        }
        path
    };
    match tree {
        UseTree::Path(path) => {
            let mut longer = before.to_vec();
            longer.push(path.ident.to_string());
            import_all(&path.tree, &longer, public, all);
        }
        UseTree::Name(name) => {
            let path = with(&name.ident);
            let name = path.last().cloned().unwrap_or_default();
            all.push(Import { name, path, public });
        }
        UseTree::Rename(renamed) => {
            let name = renamed.rename.to_string();
            all.push(Import { name, path: with(&renamed.ident), public });
        }
        UseTree::Glob(_) => {
            all.push(Import { name: "*".to_owned(), path: before.to_vec(), public });
        }
        UseTree::Group(group) => {
            for tree in &group.items {
                import_all(tree, before, public, all);
            }
        }
    }
}

/// The body of a macro with `argument` for its variables, and without repetitions.
fn put_in(body: TokenStream, argument: Option<&TokenTree>) -> TokenStream {
    let mut made = TokenStream::new();
    let mut tokens = body.into_iter();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(mark) if mark.as_char() == '$' => match tokens.next() {
                Some(TokenTree::Ident(name)) if name == "crate" => {
                    made.extend([TokenTree::Ident(name)]);
                }
                Some(TokenTree::Group(_)) => {
                    let ends = |t: &TokenTree| matches!(t, TokenTree::Punct(p) if matches!(p.as_char(), '*' | '+' | '?'));
                    tokens.by_ref().find(ends);
                }
                _ => made.extend(argument.cloned()),
            },
            TokenTree::Group(group) => {
                let inner = put_in(group.stream(), argument);
                made.extend([TokenTree::Group(Group::new(group.delimiter(), inner))]);
            }
            token => made.extend([token]),
        }
    }
    made
}

/// Everything that doc comments say.
pub(crate) fn docs(attributes: &[Attribute]) -> String {
    let mut text = String::new();
    for attribute in attributes {
        let Meta::NameValue(pair) = &attribute.meta else { continue };
        if let (true, Expr::Lit(literal)) = (pair.path.is_ident("doc"), &pair.value)
            && let Lit::Str(line) = &literal.lit
        {
            text.push_str(&line.value());
            text.push('\n');
        }
    }
    text
}

pub(crate) fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

fn is_exported(item: &Item) -> bool {
    match item {
        Item::Const(item) => is_public(&item.vis),
        Item::Static(item) => is_public(&item.vis),
        Item::Struct(item) => is_public(&item.vis),
        Item::Enum(item) => is_public(&item.vis),
        Item::Union(item) => is_public(&item.vis),
        Item::Trait(item) => is_public(&item.vis),
        Item::Type(item) => is_public(&item.vis),
        Item::Fn(item) => is_public(&item.vis),
        _ => false,
    }
}

/// The name that an item gives to itself in its module.
pub(crate) fn name_of(item: &Item) -> Option<String> {
    let name = match item {
        Item::Const(item) => &item.ident,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Union(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Mod(item) => &item.ident,
        _ => return None,
    };
    Some(name.to_string())
}

pub(crate) fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// Whether an item exists only in the tests of its crate, or only in rustdoc's.
fn is_for_tests(item: &Item) -> bool {
    attributes(item).iter().any(|attribute| {
        let Meta::List(list) = &attribute.meta else { return false };
        let mut tokens = list.tokens.clone().into_iter();
        list.path.is_ident("cfg")
            && matches!(tokens.next(), Some(TokenTree::Ident(of)) if of == "test" || of == "doctest")
            && tokens.next().is_none()
            && matches!(list.delimiter, syn::MacroDelimiter::Paren(_))
    })
}
