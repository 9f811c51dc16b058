//! Options and arguments of one command, read the way zkCli reads them.
//!
//! Not clap: zkCli's options may stand anywhere, may be joined (`-sw`), may carry their value
//! (`-v3`, `-v=3`), and reconfig's have several letters behind one dash (`-add`). Source:
//! `org.apache.commons.cli.DefaultParser`.

/// An option that a verb knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Opt {
    /// Without the dash.
    pub(crate) name: &'static str,
    /// Whether a value follows.
    pub(crate) takes_value: bool,
    /// What it is for.
    pub(crate) help: &'static str,
}

impl Opt {
    /// An option that is there or not.
    pub(crate) const fn flag(name: &'static str, help: &'static str) -> Self {
        Self { name, takes_value: false, help }
    }

    /// An option with a value.
    pub(crate) const fn value(name: &'static str, help: &'static str) -> Self {
        Self { name, takes_value: true, help }
    }
}

/// What a user wrote behind a verb.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parsed {
    options: Vec<(&'static str, Option<String>)>,
    /// The arguments that are no options.
    pub(crate) arguments: Vec<String>,
}

/// Why the words behind a verb make no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ArgsError {
    /// The verb knows no such option.
    #[error("Unrecognized option: {0} (data that begins with a dash goes behind `--`)")]
    Unrecognized(String),
    /// The option needs a value and has none.
    #[error("Missing argument for option: {0}")]
    MissingValue(&'static str),
}

impl Parsed {
    /// Whether the option was given.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.options.iter().any(|(known, _)| *known == name)
    }

    /// The option's value; of several the first.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.options
            .iter()
            .find(|(known, _)| *known == name)
            .and_then(|(_, value)| value.as_deref())
    }

    /// The argument at `index`.
    pub(crate) fn argument(&self, index: usize) -> Option<&str> {
        self.arguments.get(index).map(String::as_str)
    }

    /// Names of the options that were given, each once, in the order given.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        let mut names: Vec<&'static str> = Vec::new();
        for (name, _) in &self.options {
            if !names.contains(name) {
                names.push(name);
            }
        }
        names
    }

    /// Marks an option as given.
    pub(crate) fn add_flag(&mut self, name: &'static str) {
        self.options.push((name, None));
    }
}

/// Reads the words behind a verb.
pub(crate) fn parse(known: &'static [Opt], words: &[String]) -> Result<Parsed, ArgsError> {
    let mut parsed = Parsed::default();
    let mut words = words.iter().peekable();
    while let Some(word) = words.next() {
        match word.strip_prefix('-') {
            Some("-") => {
                parsed.arguments.extend(words.by_ref().cloned());
            }
            Some(text) if !text.is_empty() => {
                let open = read_option(known, text, &mut parsed)
                    .ok_or_else(|| ArgsError::Unrecognized(word.clone()))?;
                if let Some(name) = open {
                    let value = words
                        .next_if(|next| !is_option(known, next))
                        .ok_or(ArgsError::MissingValue(name))?;
                    parsed.options.push((name, Some(unquoted(value))));
                }
            }
            _ => parsed.arguments.push(word.clone()),
        }
    }
    Ok(parsed)
}

/// Reads what follows a dash. `None`: unknown; `Some(Some(name))`: its value is the next word.
fn read_option(
    known: &'static [Opt],
    text: &str,
    parsed: &mut Parsed,
) -> Option<Option<&'static str>> {
    let (name, joined) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (text, None),
    };
    if let Some(opt) = find(known, name) {
        return match (opt.takes_value, joined) {
            (true, None) => Some(Some(opt.name)),
            (true, Some(value)) => {
                parsed.options.push((opt.name, Some(unquoted(value))));
                Some(None)
            }
            (false, None) => {
                parsed.options.push((opt.name, None));
                Some(None)
            }
            (false, Some(_)) => None,
        };
    }
    // Several letters behind one dash; the first that takes a value takes the rest.
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        let opt = find(known, letter.encode_utf8(&mut [0; 4]))?;
        if opt.takes_value {
            let rest = letters.as_str();
            if rest.is_empty() {
                return Some(Some(opt.name));
            }
            debug_assert!(at < text.len(), "the value lies behind the letter");
            parsed.options.push((opt.name, Some(unquoted(rest))));
            return Some(None);
        }
        parsed.options.push((opt.name, None));
    }
    Some(None)
}

fn find(known: &'static [Opt], name: &str) -> Option<&'static Opt> {
    known.iter().find(|opt| opt.name == name)
}

/// Whether a word is an option rather than the value of the one before; negative numbers are values.
fn is_option(known: &'static [Opt], word: &str) -> bool {
    let Some(text) = word.strip_prefix('-') else { return false };
    let name = text.split('=').next().unwrap_or_default();
    let first = name.chars().next();
    word.parse::<f64>().is_err()
        && (find(known, name).is_some()
            || first.is_some_and(|c| find(known, c.encode_utf8(&mut [0; 4])).is_some()))
}

fn unquoted(value: &str) -> String {
    let inside = value.strip_prefix('"').and_then(|v| v.strip_suffix('"'));
    inside.filter(|v| !v.contains('"')).unwrap_or(value).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTS: &[Opt] =
        &[Opt::flag("s", ""), Opt::flag("w", ""), Opt::value("v", ""), Opt::value("add", "")];

    fn read(line: &str) -> Result<Parsed, ArgsError> {
        parse(OPTS, &super::super::line::words(line))
    }

    #[test]
    fn options_stand_anywhere_and_may_be_joined() {
        for line in ["-s -w -v 3 /a b", "/a -sw b -v3", "/a b -wsv 3", "/a -v=3 b -w -s"] {
            let parsed = read(line).unwrap();
            assert_eq!(parsed.arguments, ["/a", "b"], "{line}");
            assert!(parsed.has("s") && parsed.has("w"), "{line}");
            assert_eq!(parsed.value("v"), Some("3"), "{line}");
        }
        let parsed = read("-add server.1=h:1:2 -v -1").unwrap();
        assert_eq!((parsed.value("add"), parsed.value("v")), (Some("server.1=h:1:2"), Some("-1")));
        assert_eq!(read("/a -- -5 -s").unwrap().arguments, ["/a", "-5", "-s"]);
        assert_eq!(read("-").unwrap().arguments, ["-"]);
    }

    #[test]
    fn nonsense_is_refused() {
        assert_eq!(read("/a -z"), Err(ArgsError::Unrecognized("-z".into())));
        assert_eq!(read("/a -5"), Err(ArgsError::Unrecognized("-5".into())));
        assert_eq!(read("/a --s"), Err(ArgsError::Unrecognized("--s".into())));
        assert_eq!(read("/a -v"), Err(ArgsError::MissingValue("v")));
        assert_eq!(read("/a -v -s"), Err(ArgsError::MissingValue("v")));
    }
}
