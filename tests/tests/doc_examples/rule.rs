//! Which items need which example.

use crate::example::{Example, examples};
use crate::source::{Meaning, Sources, attributes, docs, is_public, name_of};
use std::collections::{BTreeMap, BTreeSet};
use syn::{Attribute, FnArg, ImplItem, Item, ReturnType, Signature, TraitItem, Type};

/// What must have an example.
enum Kind {
    /// A type, trait, or alias: one of its own.
    Type,
    /// A function: one of its own that calls it.
    Function,
    /// A method that does something: one of its own that calls it.
    Method,
    /// A method that only describes or answers: any on the page of its type that calls it.
    Plain,
    /// A method of a trait: one of its own that calls it, or the trait's, which may write it too.
    OfTrait,
    /// A constant: any on the page of its type, or in its module, that names it.
    Constant,
}

struct Subject {
    kind: Kind,
    name: String,
    /// The type, trait or module whose page it is on.
    page: String,
    own: Vec<Example>,
}

/// All public items of a crate, with their examples.
pub(crate) struct Judge {
    subjects: BTreeMap<String, Subject>,
    /// The examples on the page of each type, trait or module.
    pages: BTreeMap<String, Vec<Example>>,
}

impl Judge {
    pub(crate) fn new(sources: &Sources, root: &str) -> Self {
        let mut judge = Self { subjects: BTreeMap::new(), pages: BTreeMap::new() };
        let public = reachable(sources, root);
        for (module, found) in &sources.modules {
            judge.show(module, &examples(&found.docs));
            for item in &found.items {
                let name = name_of(item).unwrap_or_default();
                if public.contains(&Meaning::Item(module.clone(), name.clone())) {
                    judge.item(module, &name, item);
                }
                if let Item::Impl(block) = item
                    && block.trait_.is_none()
                    && let Some(Meaning::Item(home, name)) =
                        subject(sources, module, &block.self_ty)
                    && public.contains(&Meaning::Item(home.clone(), name.clone()))
                {
                    judge.members(&format!("{home}::{name}"), &block.items);
                }
            }
        }
        judge
    }

    pub(crate) fn has(&self, path: &str) -> bool {
        self.subjects.contains_key(path)
    }

    pub(crate) fn len(&self) -> usize {
        self.subjects.len()
    }

    /// The items without an example, and what each needs.
    pub(crate) fn missing(&self) -> Vec<String> {
        let without = self.subjects.iter().filter(|(_, subject)| !self.is_shown(subject));
        without.map(|(path, subject)| format!("{path}: {}", subject.kind.need())).collect()
    }

    fn is_shown(&self, subject: &Subject) -> bool {
        let name = subject.name.as_str();
        let page = self.pages.get(&subject.page).map_or(&[][..], Vec::as_slice);
        match subject.kind {
            Kind::Type => !subject.own.is_empty(),
            Kind::Function => subject.own.iter().any(|example| example.calls(name)),
            Kind::Method => subject.own.iter().any(|example| example.calls_method(name)),
            Kind::Plain => page.iter().any(|example| example.calls_method(name)),
            Kind::OfTrait => {
                page.iter().any(|example| example.calls_method(name) || example.defines(name))
            }
            Kind::Constant => page.iter().any(|example| example.names(name)),
        }
    }

    /// An item of a module.
    fn item(&mut self, module: &str, name: &str, item: &Item) {
        let page = format!("{module}::{name}");
        let (kind, page) = match item {
            Item::Fn(_) => (Kind::Function, module),
            Item::Const(_) | Item::Static(_) => (Kind::Constant, module),
            _ => (Kind::Type, page.as_str()),
        };
        self.add(page, module, name, kind, attributes(item));
        if let Item::Trait(definition) = item {
            for member in &definition.items {
                match member {
                    TraitItem::Fn(method) => {
                        let name = method.sig.ident.to_string();
                        self.add(page, page, &name, Kind::OfTrait, &method.attrs);
                    }
                    TraitItem::Const(constant) => {
                        let name = constant.ident.to_string();
                        self.add(page, page, &name, Kind::Constant, &constant.attrs);
                    }
                    _ => {}
                }
            }
        }
    }

    /// What is in an `impl` of a type.
    fn members(&mut self, page: &str, members: &[ImplItem]) {
        for member in members {
            match member {
                ImplItem::Fn(method) if is_public(&method.vis) => {
                    let plain = is_plain(&method.sig, &method.attrs);
                    let kind = if plain { Kind::Plain } else { Kind::Method };
                    self.add(page, page, &method.sig.ident.to_string(), kind, &method.attrs);
                }
                ImplItem::Const(constant) if is_public(&constant.vis) => {
                    let name = constant.ident.to_string();
                    self.add(page, page, &name, Kind::Constant, &constant.attrs);
                }
                _ => {}
            }
        }
    }

    fn add(&mut self, page: &str, home: &str, name: &str, kind: Kind, attributes: &[Attribute]) {
        let own = examples(&docs(attributes));
        self.show(page, &own);
        let subject = Subject { kind, name: name.to_owned(), page: page.to_owned(), own };
        self.subjects.insert(format!("{home}::{name}"), subject);
    }

    /// Puts examples on a page, and on the page of the module around it.
    fn show(&mut self, page: &str, examples: &[Example]) {
        self.pages.entry(page.to_owned()).or_default().extend_from_slice(examples);
        if let Some((module, _)) = page.rsplit_once("::") {
            self.pages.entry(module.to_owned()).or_default().extend_from_slice(examples);
        }
    }
}

impl Kind {
    fn need(&self) -> &'static str {
        match self {
            Self::Type => "an example",
            Self::Function | Self::Method => "an example of its own that calls it",
            Self::Plain => "a call in an example of its type",
            Self::OfTrait => "a call, or the method written, in an example of its trait",
            Self::Constant => "its name in an example of its type or module",
        }
    }
}

/// A method that only describes or answers: a constructor or setter, which gives `Self`, or a getter, which has no argument and says
/// with `#[must_use]` that it does nothing.
fn is_plain(signature: &Signature, attributes: &[Attribute]) -> bool {
    let arguments = signature.inputs.iter().filter(|a| matches!(a, FnArg::Typed(_))).count();
    let makes = matches!(&signature.output, ReturnType::Type(_, made) if is_self(made));
    let answers =
        arguments == 0 && attributes.iter().any(|attribute| attribute.path().is_ident("must_use"));
    signature.asyncness.is_none() && (makes || answers)
}

fn is_self(made: &Type) -> bool {
    matches!(made, Type::Path(path) if path.path.is_ident("Self"))
}

/// The type that an `impl` is for.
fn subject(sources: &Sources, module: &str, of: &Type) -> Option<Meaning> {
    let Type::Path(path) = of else { return None };
    let path: Vec<String> = path.path.segments.iter().map(|s| s.ident.to_string()).collect();
    let found = sources.meaning(module, &path);
    assert!(found.is_some(), "{module}: an impl for {}, which was not found", path.join("::"));
    found
}

/// All items that can be reached from outside.
fn reachable(sources: &Sources, root: &str) -> BTreeSet<Meaning> {
    let mut seen = BTreeSet::new();
    let mut todo = vec![Meaning::Module(root.to_owned())];
    while let Some(next) = todo.pop() {
        if seen.insert(next.clone())
            && let Meaning::Module(module) = &next
        {
            todo.extend(sources.exports(module));
        }
    }
    seen
}
