//! What becomes of the text of a `zoo.cfg` when its members move to a file of their own.
//!
//! Apache writes the file anew from what it has read, and loses comments and order. Here whatever does not concern the members stays as it is.

use crate::config::properties;
use std::collections::BTreeSet;
use std::path::Path;

/// Whether the members are in this text.
pub(super) fn has_members(text: &[u8]) -> bool {
    entries(text).any(|(key, _)| is_of_members(&key))
}

/// The text without members and with the name of the file that has them. `has_client`: that file says where clients are served, too.
pub(super) fn pointing_to(text: &[u8], dynamic: &Path, has_client: bool) -> Vec<u8> {
    let goes = |key: &str| {
        let key = key.trim();
        is_of_members(key)
            || key == "dynamicConfigFile"
            || key == "peerType"
            || (has_client && matches!(key, "clientPort" | "clientPortAddress"))
    };
    let gone: BTreeSet<u32> =
        entries(text).filter(|(key, _)| goes(key)).map(|(_, line)| line).collect();
    let mut out = Vec::with_capacity(text.len());
    let mut dropping = false;
    for (line, number) in text.split_inclusive(|&byte| byte == b'\n').zip(1u32..) {
        dropping = dropping || gone.contains(&number);
        if !dropping {
            out.extend_from_slice(line);
        }
        dropping = dropping && goes_on(line);
    }
    if out.last().is_some_and(|&byte| byte != b'\n') {
        out.push(b'\n');
    }
    out.extend_from_slice(b"dynamicConfigFile=");
    out.extend_from_slice(escaped(&dynamic.to_string_lossy()).as_bytes());
    out.push(b'\n');
    out
}

/// Keys with the lines on which they begin. What the server was started with can be read.
fn entries(text: &[u8]) -> impl Iterator<Item = (String, u32)> {
    let entries = properties::parse(text).unwrap_or_default();
    entries.into_iter().map(|entry| (entry.key, entry.line))
}

fn is_of_members(key: &str) -> bool {
    let key = key.trim();
    ["server.", "group", "weight"].iter().any(|prefix| key.starts_with(prefix))
}

/// Whether the next line belongs to this one: it ends in an odd number of backslashes.
fn goes_on(line: &[u8]) -> bool {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    line.iter().rev().take_while(|&&byte| byte == b'\\').count() % 2 == 1
}

/// A value as a properties file has it.
fn escaped(value: &str) -> String {
    let mut out = String::new();
    let mut units = [0; 2];
    for c in value.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            ' '..='~' => out.push(c),
            _ => {
                for unit in c.encode_utf16(&mut units) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    out
}
