//! A line that was typed or read becomes words.
//!
//! Words are parted by blanks; a word that *begins* with a quote goes to the next quote of its
//! kind, and there are no escapes. A quote that is never closed is dropped. Source:
//! `ZooKeeperMain.MyCommandOptions#ARGS_PATTERN`.

/// The words of a line.
pub(crate) fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while let Some(first) = rest.chars().next() {
        let (word, after) = match first {
            '"' | '\'' => {
                let inside = rest.get(1..).unwrap_or_default();
                match inside.split_once(first) {
                    Some((word, after)) => (word, after),
                    None => {
                        rest = inside.trim_start();
                        continue;
                    }
                }
            }
            _ => rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len())),
        };
        words.push(word.to_owned());
        rest = after.trim_start();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_split_as_zkcli_splits_them() {
        for (line, expected) in [
            ("", &[][..]),
            ("   ", &[]),
            ("  ls   / ", &["ls", "/"]),
            ("create /a \"two words\" x", &["create", "/a", "two words", "x"]),
            ("create '/sp ace' ''", &["create", "/sp ace", ""]),
            ("set /a it's", &["set", "/a", "it's"]),
            ("set /a \"x\"y", &["set", "/a", "x", "y"]),
            ("get '/unclosed", &["get", "/unclosed"]),
            ("set /a {\"k\": 1}", &["set", "/a", "{\"k\":", "1}"]),
            ("set /ä 'ö ü'", &["set", "/ä", "ö ü"]),
        ] {
            assert_eq!(words(line), expected, "{line:?}");
        }
    }
}
