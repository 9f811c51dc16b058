//! [`Sign`]: how the nodes of a claim are told from others'.

use super::Kind;
use crate::client::{Client, Stat};
use crate::recipes::layout::protected::Id;
use crate::recipes::layout::sequence::Sequence;

/// By what a claim knows its nodes.
#[derive(Clone, Debug)]
pub(super) enum Sign {
    /// The id in their names.
    Name,
    /// The id at the beginning of their data. Their names begin with these stems.
    Data(Vec<String>),
    /// The session that owns them, and their names.
    Owner(Stems),
}

/// Names of nodes that have no room for an id.
#[derive(Clone, Debug)]
pub(super) struct Stems {
    stems: Vec<String>,
    numbered: bool,
    /// Numbered ones are younger than this.
    since: i64,
}

impl Sign {
    /// For nodes that are about to be created.
    pub(super) fn new(client: &Client, kind: Kind, stems: &[String]) -> Self {
        let owned = |numbered| {
            Self::Owner(Stems { stems: stems.to_vec(), numbered, since: client.last_zxid() })
        };
        match kind {
            Kind::Sequential | Kind::Plain => Self::Name,
            Kind::SequentialMarked | Kind::PlainMarked => Self::Data(stems.to_vec()),
            Kind::SequentialOwned => owned(true),
            Kind::PlainOwned => owned(false),
        }
    }

    /// For a node of this name that is there.
    pub(super) fn of_own(name: &str) -> Self {
        Self::Owner(Stems { stems: vec![name.to_owned()], numbered: false, since: 0 })
    }

    /// The children that may be nodes of the claim, by their names.
    pub(super) fn candidates<'a>(&self, id: Id, children: &'a [String]) -> Vec<&'a str> {
        let names = children.iter().map(String::as_str);
        match self {
            Self::Name => id.find(children),
            Self::Data(stems) => {
                names.filter(|name| stems.iter().any(|stem| name.starts_with(stem))).collect()
            }
            Self::Owner(own) => names.filter(|name| own.matches(name)).collect(),
        }
    }

    /// Whether nobody else's nodes can have the names of these.
    pub(super) const fn is_name_unique(&self) -> bool {
        matches!(self, Self::Name) || self.is_shared()
    }

    /// Whether another claim of the same session may have nodes of this sign.
    pub(super) const fn is_shared(&self) -> bool {
        matches!(self, Self::Owner(Stems { numbered: true, .. }))
    }
}

impl Stems {
    fn matches(&self, name: &str) -> bool {
        self.stems.iter().any(|stem| match name.strip_prefix(stem.as_str()) {
            Some(rest) if self.numbered => Sequence::parse(rest).is_some(),
            rest => rest == Some(""),
        })
    }

    /// Whether a node of such a name is the claim's.
    pub(super) const fn include(&self, stat: &Stat, session: i64) -> bool {
        stat.ephemeral_owner == session && (!self.numbered || stat.czxid > self.since)
    }
}

/// The data of a node as its owner gave it, without the id that a marked one has before it.
///
/// ```
/// assert_eq!(quorate::recipes::kit::unmarked(b"plain data"), b"plain data");
/// ```
#[must_use]
pub fn unmarked(data: &[u8]) -> &[u8] {
    match data.split_at_checked(MARK_LENGTH) {
        Some((mark, rest)) if is_mark(mark) => rest,
        _ => data,
    }
}

fn is_mark(mark: &[u8]) -> bool {
    mark.split_last()
        .is_some_and(|(space, id)| *space == b' ' && id.iter().all(u8::is_ascii_hexdigit))
}

/// The data of a node whose name has no room for the id.
pub(super) fn mark(id: Id, data: &[u8]) -> Vec<u8> {
    let mut marked = id.hex().into_bytes();
    marked.push(b' ');
    marked.extend_from_slice(data);
    marked
}

/// Bytes of an id and the space after it.
const MARK_LENGTH: usize = 33;
