//! Path rules: which texts can name a node, and how a path falls into parent and name.
//!
//! Whether a node of that name exists is the tree's matter. Used wherever a request is judged, and by clients before
//! they send one. Source: `org.apache.zookeeper.common.PathUtils#validatePath`.

/// Whether `path` is one that a node can have. A server answers BadArguments (-8) if not.
#[must_use]
pub fn is_valid(path: &str) -> bool {
    if path == "/" {
        return true;
    }
    is_plain(path.as_bytes()) || is_valid_in_full(path)
}

/// Recognizes nearly every valid path with one look at each byte: printable ASCII, no name empty or with a dot in front.
fn is_plain(path: &[u8]) -> bool {
    if path.first() != Some(&b'/') {
        return false;
    }
    let mut name_at = 1;
    for (at, byte) in path.iter().enumerate().skip(1) {
        if matches!(byte, b'0'..=b'~') {
            continue;
        }
        match byte {
            b' '..=b'-' => {}
            b'.' if at != name_at => {}
            b'/' if at != name_at => name_at = at + 1,
            _ => return false,
        }
    }
    name_at != path.len()
}

fn is_valid_in_full(path: &str) -> bool {
    let Some(rest) = path.strip_prefix('/') else { return false };
    rest.split('/').all(|name| !matches!(name, "" | "." | "..")) && rest.chars().all(is_allowed)
}

/// The weaker rule that comes first for create and delete: a slash somewhere, no NUL anywhere.
#[must_use]
pub fn is_plausible(path: &str) -> bool {
    path.contains('/') && !path.contains('\0')
}

/// The path of the parent, as the text before the last slash: `""`, the root's other name, for `/a`.
#[must_use]
pub fn parent(path: &str) -> &str {
    split(path).map_or("", |(parent, _)| parent)
}

/// The last component.
#[must_use]
pub fn name(path: &str) -> &str {
    split(path).map_or(path, |(_, name)| name)
}

/// The texts before and after the last slash. Names are short, so that looking at every byte is faster than a search made for
/// long texts (`rsplit_once`).
#[must_use]
pub fn split(path: &str) -> Option<(&str, &str)> {
    let at = path.bytes().rposition(|byte| byte == b'/')?;
    Some((path.get(..at)?, path.get(at + 1..)?))
}

/// Refuses controls, surrogates and the private area (so nothing outside the basic plane either).
const fn is_allowed(c: char) -> bool {
    !matches!(
        c,
        '\u{0}'..='\u{1F}' | '\u{7F}'..='\u{9F}' | '\u{E000}'..='\u{F8FF}' | '\u{FFF0}'..='\u{10FFFF}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_apache() {
        for good in
            ["/", "/a", "/a/b", "/.a", "/a..", "/a b", "/é", "/a/...", "/\u{D7FF}", "/~", "/a/.b"]
        {
            assert!(is_valid(good), "{good:?}");
        }
        for bad in [
            "", "a", "/a/", "//", "/a//b", "/.", "/a/..", "/a/./b", "/a\u{0}", "/\u{1F}", "/\u{7F}",
        ]
        .into_iter()
        .chain(["/\u{9F}", "/\u{E000}", "/\u{FFFD}", "/\u{1F600}"])
        {
            assert!(!is_valid(bad), "{bad:?}");
        }
    }

    #[test]
    fn the_parent_of_a_top_node_is_the_root_alias() {
        assert_eq!((parent("/a"), name("/a")), ("", "a"));
        assert_eq!((parent("/a/b"), name("/a/b")), ("/a", "b"));
    }
}
