//! Examples in doc comments.

/// An example that rustdoc compiles and runs: the lines that its reader sees.
#[derive(Clone, Debug)]
pub(crate) struct Example(String);

/// The examples in a text that run.
pub(crate) fn examples(text: &str) -> Vec<Example> {
    let mut found = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(info) = line.trim_start().strip_prefix("```") else { continue };
        let block = lines.by_ref().take_while(|line| !line.trim_start().starts_with("```"));
        let visible: Vec<&str> = block.filter(|line| is_visible(line)).collect();
        if runs(info) && !visible.is_empty() {
            found.push(Example(visible.join("\n")));
        }
    }
    found
}

/// Whether a block of this kind is compiled and run.
fn runs(info: &str) -> bool {
    info.split([',', ' ']).all(|word| matches!(word.trim(), "" | "rust"))
}

/// Whether the reader sees a line, and it is code.
fn is_visible(line: &str) -> bool {
    let line = line.trim_start();
    !(line.is_empty() || line == "#" || line.starts_with("# ") || line.starts_with("//"))
}

impl Example {
    /// Whether the example calls a method or associated function of this name, or hands it on as a value.
    pub(crate) fn calls_method(&self, name: &str) -> bool {
        self.places(name).any(|(before, after)| {
            before.ends_with("::") || (before.ends_with('.') && is_call(after))
        })
    }

    /// Whether the example calls a function of this name.
    pub(crate) fn calls(&self, name: &str) -> bool {
        self.places(name).any(|(before, after)| !before.ends_with("fn") && is_call(after))
    }

    /// Whether the example writes a function of this name, as who implements a trait does.
    pub(crate) fn defines(&self, name: &str) -> bool {
        self.places(name).any(|(before, _)| before.ends_with("fn"))
    }

    /// Whether the example says the name at all.
    pub(crate) fn names(&self, name: &str) -> bool {
        self.places(name).next().is_some()
    }

    /// What stands before and behind each use of a name.
    fn places(&self, name: &str) -> impl Iterator<Item = (&str, &str)> {
        let part = |c: char| c.is_alphanumeric() || c == '_';
        self.0.match_indices(name).filter_map(move |(at, _)| {
            let (before, rest) = self.0.split_at(at);
            let after = rest.get(name.len()..)?;
            let whole = !before.ends_with(part) && !after.starts_with(part);
            whole.then(|| (before.trim_end(), after))
        })
    }
}

fn is_call(after: &str) -> bool {
    after.starts_with('(') || after.starts_with("::<")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_runs_and_is_seen_counts() {
        for kind in ["ignore", "no_run", "text", "compile_fail", "should_panic", "rust,no_run"] {
            assert!(examples(&format!("```{kind}\nx.f();\n```")).is_empty(), "{kind}");
        }
        assert!(examples("```\n# x.f();\n#\n// x.f();\n```").is_empty());
        let found = examples("text\n```\n# hidden.f();\nx\n    .f()\n```\n```rust\ng(y);\n```");
        assert_eq!(found.len(), 2);
        assert!(found[0].calls_method("f") && !found[0].names("hidden"));
        assert!(found[1].calls("g") && !found[1].calls_method("g"));
    }

    #[test]
    fn a_name_is_a_whole_word_that_is_called() {
        let example = |code: &str| Example(code.to_owned());
        assert!(example("Type::new(1)").calls_method("new"));
        assert!(example("list.map(Type::new)").calls_method("new"));
        assert!(example("x.get::<u8>()").calls_method("get"));
        assert!(!example("x.get_all()").calls_method("get"));
        assert!(!example("x.forget()").calls_method("get"));
        assert!(!example("x.token == 1").calls_method("token"), "a field");
        assert!(!example("fn get() {}").calls("get") && example("fn get() {}").defines("get"));
    }
}
