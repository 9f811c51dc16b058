//! The table of every key the server knows, by parts of the administrator's guide.
//!
//! Names, defaults and meanings come from Apache's `zookeeperAdmin.md` and the classes that read
//! them, release 3.9.4, with the few keys of 3.9.5 and 3.10. One row per key; a row says what
//! we do with the key, so that none is ever ignored silently.

mod access;
mod cluster;
mod encryption;
mod observe;
mod server;
mod storage;
mod throttle;
mod tuning;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::key::{Key, Section, Source, bare};

/// Every key, in the order of the documentation.
///
/// ```
/// use quorate::config::keys;
///
/// assert!(keys::all().any(|key| key.name == "tickTime"));
/// ```
pub fn all() -> impl Iterator<Item = &'static Key> {
    TABLES.iter().copied().flatten()
}

/// The key that `name` names, with or without the `zookeeper.` prefix. An exact name wins over a
/// family, the longer family over the shorter.
///
/// ```
/// use quorate::config::keys;
///
/// assert_eq!(keys::find("zookeeper.snapCount").unwrap().name, "snapCount");
/// assert!(keys::find("tikTime").is_none());
/// ```
pub fn find(name: &str) -> Option<&'static Key> {
    let name = bare(name);
    NAMES.get(name).copied().or_else(|| {
        let matches = FAMILIES.iter().filter(|(family, _)| name.starts_with(family));
        matches.max_by_key(|(family, _)| family.len()).map(|&(_, key)| key)
    })
}

/// Identity of a key that Apache reads from the file.
const fn file(name: &'static str, section: Section) -> (&'static str, Section, Source) {
    (name, section, Source::File)
}

/// Identity of a key that Apache reads from the system property `zookeeper.` and its name.
const fn property(name: &'static str, section: Section) -> (&'static str, Section, Source) {
    (name, section, Source::Property)
}

/// Identity of a key that Apache reads from a system property of another name.
const fn named(
    name: &'static str,
    property: &'static str,
    section: Section,
) -> (&'static str, Section, Source) {
    (name, section, Source::PropertyNamed(property))
}

const TABLES: &[&[Key]] = &[
    server::MINIMUM,
    server::OURS,
    storage::STORAGE,
    server::ADVANCED,
    throttle::THROTTLING,
    access::ACCESS,
    encryption::ENCRYPTION,
    storage::UNSAFE,
    tuning::PERFORMANCE,
    cluster::CLUSTER,
    observe::DEBUG,
    observe::ADMIN,
    observe::METRICS,
    observe::CLIENT,
];

/// Every exact name.
static NAMES: LazyLock<BTreeMap<&'static str, &'static Key>> =
    LazyLock::new(|| all().flat_map(|key| key.names().map(move |name| (name, key))).collect());

/// The beginning that the names of a family have in common.
static FAMILIES: LazyLock<Vec<(&'static str, &'static Key)>> = LazyLock::new(|| {
    let names = all().flat_map(|key| key.names().map(move |name| (name, key)));
    names.filter_map(|(name, key)| Some((name.strip_suffix('*')?, key))).collect()
});
