//! Properties of the key table, and the page `docs/config.md` that is made from it.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use crate::config::key::bare;
use crate::config::{
    ConfigBuilder, Disposition, EnsembleConfig, Key, Kind, ServerConfig, Source, keys,
};

fn honoured() -> impl Iterator<Item = &'static Key> {
    keys::all().filter(|key| {
        matches!(key.disposition, Disposition::Honoured(_) | Disposition::Ensemble(_))
    })
}

/// The configuration after settings, without the checks across keys, and what an ensemble would have of it.
fn with(settings: &[(&str, &str)]) -> (ServerConfig, EnsembleConfig) {
    let mut builder = ConfigBuilder::new();
    for (key, value) in settings {
        let set = builder.set("test", key, value);
        assert!(set.is_ok(), "{key}={value}: {set:?}");
    }
    (builder.config, builder.draft.ensemble)
}

#[test]
fn names_are_unique_and_bare() {
    let mut seen = BTreeSet::new();
    for name in keys::all().flat_map(Key::names) {
        assert!(seen.insert(name), "`{name}` is in the table twice");
        assert_eq!(bare(name), name);
        let sample = name.replace('*', "1");
        assert!(keys::find(&sample).is_some_and(|key| key.names().any(|n| n == name)), "{name}");
    }
}

#[test]
fn the_defaults_stated_are_the_defaults() {
    for key in honoured().filter(|key| !key.default.is_empty()) {
        assert_eq!(with(&[(key.name, key.default)]), with(&[]), "{}", key.name);
    }
}

#[test]
fn every_honoured_key_changes_a_field_of_its_own() {
    let settings: Vec<(&str, String)> =
        honoured().map(|key| (key.name, other_value(key))).collect();
    for (first, first_value) in &settings {
        let first = (*first, first_value.as_str());
        assert_ne!(with(&[first]), with(&[]), "{first:?} changes nothing");
        for (second, second_value) in settings.iter().filter(|(second, _)| *second != first.0) {
            let second = (*second, second_value.as_str());
            assert_ne!(with(&[first, second]), with(&[second]), "{second:?} undoes {first:?}");
        }
    }
}

/// A value of the key that is not its default.
fn other_value(key: &Key) -> String {
    match key.kind {
        Kind::Bool => if key.default == "true" { "false" } else { "true" }.to_owned(),
        Kind::YesNo { safe } => if safe { "no" } else { "yes" }.to_owned(),
        Kind::Int { max, .. } => {
            let default = key.default.parse::<i64>().unwrap_or(0).max(0);
            (default + 9_000).min(max - 1).to_string()
        }
        Kind::Fraction => "0.75".to_owned(),
        Kind::Interval => "7h".to_owned(),
        Kind::Path => "/elsewhere".to_owned(),
        Kind::Choice(words) => words[1].to_owned(),
        Kind::Text(_) | Kind::Secret(_) => match key.name {
            "clientPortAddress" => "10.1.2.3",
            "snapshot.compression.method" => "snappy",
            "DigestAuthenticationProvider.superDigest" => "super:AAAA",
            "DigestAuthenticationProvider.digestAlg" => "SHA-512",
            "enforce.auth.schemes" => "digest",
            "4lw.commands.whitelist" => "*",
            "ssl.quorum.protocol" => "TLSv1.2",
            "ssl.quorum.enabledProtocols" => "TLSv1.3",
            "ssl.quorum.ciphersuites" => "TLS_AES_128_GCM_SHA256",
            "snapshotSizeFactor" => "0.5",
            name => panic!("no sample for {name}"),
        }
        .to_owned(),
    }
}

#[test]
fn rows_read_well() {
    for key in keys::all() {
        assert!(!key.doc.ends_with('.') && !key.doc.contains('|'), "{}: {}", key.name, key.doc);
        assert!(key.doc.starts_with(|c: char| c.is_uppercase() || c == '`'), "{}", key.name);
        let reason = match key.disposition {
            Disposition::Warned(reason) | Disposition::Refused(reason) => reason,
            Disposition::EnsembleOnly(reason) | Disposition::EnsembleRefused(reason) => reason,
            Disposition::Honoured(_) | Disposition::Ensemble(_) | Disposition::Members(_) => {
                continue;
            }
        };
        assert!(!reason.ends_with('.') && !reason.contains("  "), "{}: {reason}", key.name);
    }
}

#[test]
fn inert_values_are_valid_and_quiet() {
    for key in keys::all() {
        for value in key.inert {
            let mut builder = ConfigBuilder::new();
            builder.set("test", &key.name.replace('*', "1"), value).unwrap();
            assert_eq!(builder.build().unwrap().1, [], "{}={value}", key.name);
        }
    }
}

/// Set `UPDATE_DOCS=1` to write the page anew.
#[test]
fn the_page_matches_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/config.md");
    let page = page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &page).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == page, "docs/config.md is out of date: run this test with UPDATE_DOCS=1");
}

fn page() -> String {
    let mut page = String::from(HEAD);
    let mut section = None;
    for key in keys::all() {
        if section != Some(key.section) {
            section = Some(key.section);
            let title = key.section.title();
            write!(page, "\n## {title}\n\n{COLUMNS}").unwrap();
        }
        let names: Vec<String> = names(key).iter().map(|name| format!("`{name}`")).collect();
        let default = match key.default {
            "" => String::new(),
            default => format!("`{default}`"),
        };
        let values = key.kind.expected();
        let (names, here, doc) = (names.join(", "), here(key), key.doc);
        writeln!(page, "| {names} | {values} | {default} | {here} | {doc}. |").unwrap();
    }
    page
}

/// All names; a system property without the usual prefix shows as it is.
fn names(key: &Key) -> Vec<String> {
    let mut names: Vec<String> = key.names().map(str::to_owned).collect();
    if let Source::PropertyNamed(java) = key.source
        && !names.iter().any(|name| name == java)
    {
        names.retain(|name| name != bare(java));
        names.insert(1, java.to_owned());
    }
    names
}

fn here(key: &Key) -> String {
    let fate = match key.disposition {
        Disposition::Honoured(_) => "honoured".to_owned(),
        Disposition::Ensemble(_) => "honoured in ensembles".to_owned(),
        Disposition::Members(_) => "honoured".to_owned(),
        Disposition::EnsembleOnly(reason) => format!("warned: {reason}"),
        Disposition::EnsembleRefused(reason) => format!("**refused** in ensembles: {reason}"),
        Disposition::Warned(reason) => format!("warned: {reason}"),
        Disposition::Refused(reason) => format!("**refused**: {reason}"),
    };
    let inert: Vec<String> = key.inert.iter().map(|value| format!("`{value}`")).collect();
    match inert.as_slice() {
        [] => fate,
        _ => format!("{fate} (but {} is fine)", inert.join(" or ")),
    }
}

const HEAD: &str = "\
# Configuration

`quorate server --config zoo.cfg` reads ZooKeeper's standard file. This page lists every key it
knows: all of the administrator's guide of ZooKeeper 3.9, the few that Apache's classes read
without saying so, and our own. Each is honoured, or refused or warned about by name; a key that is
not here is warned about too, with the nearest one that is. The page is generated from the table in
`core/src/config/keys`.

- What Apache takes only as a Java system property is a key here as well. Every name may have the
  prefix `zookeeper.`; both spellings are one key, and the last line that sets it counts.
- The file is read as Java reads it: comments begin with `#` or `!`, a backslash escapes or
  continues a line, bytes are Latin-1.
- A file must set `dataDir` and `clientPort`; without `clientPortAddress` it listens on every
  interface, as in Apache. Without a file the server listens on 127.0.0.1:2181.
- Numbers may be hexadecimal (`0xfffff`). As in Java, a number with a leading 0 is octal where
  Apache takes a system property.
- What is honoured in ensembles, and every other key of the cluster options, has no effect on a standalone server, as in
  Apache. All such keys of a file are named in one line when the server starts.

## Members of an ensemble

A server is a member of an ensemble when the file has more than one `server.N` line, or `standaloneEnabled=false` and one;
otherwise it is standalone. All members have the same lines:

```
initLimit=10
syncLimit=5
server.1=zoo1:2888:3888
server.2=zoo2:2888:3888
server.3=zoo3:2888:3888
```

- The file `myid` in `dataDir` says which of them a server is: its number, 0 to 254, and nothing else.
- A line gives a host, the port of the quorum and that of elections; then, if needed, `:observer` for a member without a
  vote, and `;port` or `;host:port` for clients. That of the server's own line counts like `clientPort`; if both are there they must
  agree.
- `initLimit` and `syncLimit` must be set. A voter that is in no group while there are groups or weights, an address that two
  servers have, a number that stands there twice: each is refused in one line that says where and what to do.
- With `dynamicConfigFile` the lines stand in that file instead. The membership's version is the hexadecimal number at the end of its
  name, as in `zoo.cfg.dynamic.100000000`.
- An even number of voters, and an ensemble that survives no failure, are pointed out when the server starts.
";

const COLUMNS: &str = "\
| key | values | default | here | meaning |
|---|---|---|---|---|
";

/// A key that is honoured must do something: each field of the configuration is read outside of this module, itself
/// or through the method that completes it.
#[test]
fn every_field_is_read_by_the_server() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut readers = String::new();
    for folder in ["server", "server/sharded", "server/words"] {
        for entry in std::fs::read_dir(sources.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "rs") {
                readers += &std::fs::read_to_string(path).unwrap();
            }
        }
    }
    let config = std::fs::read_to_string(sources.join("config/server_config.rs")).unwrap();
    let fields = config.lines().filter_map(|line| {
        let (name, _) = line.strip_prefix("    pub ")?.split_once(": ")?;
        (!name.contains(' ')).then_some(name)
    });
    let mut count = 0;
    for field in fields {
        let reader =
            READ_BY_METHOD.iter().find(|(name, _)| *name == field).map_or(field, |(_, by)| by);
        let is_read = readers.match_indices(&format!(".{reader}")).any(|(at, text)| {
            let next = readers[at + text.len()..].chars().next();
            next.is_none_or(|c| !c.is_alphanumeric() && c != '_')
        });
        assert!(is_read, "nothing reads `{field}`: honour its key or warn about it");
        count += 1;
    }
    assert!(count > 60, "{count} fields found");
}

/// Fields with a method that answers in their place.
const READ_BY_METHOD: &[(&str, &str)] = &[
    ("min_session_timeout_ms", "min_session_timeout"),
    ("max_session_timeout_ms", "max_session_timeout"),
    ("max_write_queue_poll_time_ms", "write_queue_poll_time_ms"),
    ("jute_max_buffer_extra", "jute_extra_bytes"),
    ("four_letter_words", "answers_word"),
    ("read_only_mode", "answers_word"),
];
