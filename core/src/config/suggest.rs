//! "Did you mean": the known key nearest to a name that nobody knows.

use super::key::Key;
use super::keys;

/// The key whose name differs least from `name`: only in case and punctuation, or in at most two
/// letters. Work is bounded by the length of the longest known name.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    if name.len() > MAX_LENGTH {
        return None;
    }
    let wanted = folded(name);
    let mut best: Option<(usize, &'static str)> = None;
    for known in keys::all().flat_map(Key::names).filter(|known| !known.ends_with('*')) {
        let candidate = folded(known);
        // Two letters are a slip in a long name and another word in a short one.
        let allowed = (candidate.len() / 4).min(2);
        if candidate.len().abs_diff(wanted.len()) > allowed {
            continue;
        }
        let distance = distance(&wanted, &candidate);
        if distance <= allowed && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, known));
        }
    }
    best.map(|(_, known)| known)
}

/// Lower case, letters and digits only.
fn folded(name: &str) -> Vec<u8> {
    let kept = name.bytes().filter(u8::is_ascii_alphanumeric);
    kept.map(|byte| byte.to_ascii_lowercase()).collect()
}

/// Levenshtein distance, one row at a time.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        let mut next = Vec::with_capacity(row.len());
        next.push(left);
        for (y, &above) in b.iter().zip(row.iter().skip(1)) {
            left = (diagonal + usize::from(x != y)).min(above + 1).min(left + 1);
            diagonal = above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(a.len())
}

/// Longer names are not slips of known ones.
const MAX_LENGTH: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_meant() {
        for (typo, meant) in [
            ("clientport", "clientPort"),
            ("client_port", "clientPort"),
            ("datadir", "dataDir"),
            ("tikTime", "tickTime"),
            ("maxClientCnxn", "maxClientCnxns"),
            ("autopurge.snapRetianCount", "autopurge.snapRetainCount"),
            ("juteMaxbuffer", "jute.maxbuffer"),
        ] {
            assert_eq!(nearest(typo), Some(meant), "{typo}");
        }
        for nothing in ["", "x", "foo", "quorate.colour", &"a".repeat(1000), "é"] {
            assert_eq!(nearest(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn distances() {
        for (a, b, expected) in
            [("", "", 0), ("", "ab", 2), ("ab", "", 2), ("kitten", "sitting", 3)]
        {
            assert_eq!(distance(a.as_bytes(), b.as_bytes()), expected);
        }
    }
}
