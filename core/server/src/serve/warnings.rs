//! What the binary says of a configuration that it starts with: each warning a line, but for keys without effect.
//!
//! A file made for another server may have dozens of those, so all that go without saying more share one line for each
//! reason. Every key is named.

use quorate::config::{Warning, WarningKind};

/// The lines to print, in the order of the file.
pub(super) fn lines(warnings: &[Warning]) -> Vec<String> {
    let mut lines: Vec<(Option<Group<'_>>, String)> = Vec::new();
    for warning in warnings {
        let group = Group::of(warning);
        let known = lines.iter_mut().find(|(known, _)| group.is_some() && *known == group);
        match (known, &group) {
            (Some((_, line)), _) => {
                line.push_str(", ");
                line.push_str(&name(warning));
            }
            (None, Some(Group { source, reason })) => {
                let line = format!("warning: {source}: {reason}: {}", name(warning));
                lines.push((group, line));
            }
            (None, None) => lines.push((None, format!("warning: {warning}"))),
        }
    }
    lines.into_iter().map(|(_, line)| line).collect()
}

/// Warnings that share a line.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Group<'a> {
    source: &'a str,
    reason: &'a str,
}

impl<'a> Group<'a> {
    fn of(warning: &'a Warning) -> Option<Self> {
        let reason = match warning.kind {
            WarningKind::EnsembleOnly => ENSEMBLES,
            WarningKind::NoEffect => &warning.message,
            _ => return None,
        };
        Some(Self { source: &warning.at.source, reason })
    }
}

/// The key as written, with its line if it has one.
fn name(warning: &Warning) -> String {
    let key = warning.key.escape_debug();
    match warning.at.line {
        Some(line) => format!("{key} (line {line})"),
        None => key.to_string(),
    }
}

const ENSEMBLES: &str = "concerns ensembles and has no effect on a standalone server";

#[cfg(test)]
mod tests {
    use super::*;
    use quorate::config::ConfigBuilder;

    #[test]
    fn keys_without_effect_share_a_line_and_all_are_named() {
        let text = "dataDir=/data\nclientPort=2181\ninitLimit=10\ntickTme=1\nsyncLimit=5\n\
                    jvm.pause.monitor=true\nserver.1=a:2888:3888\njvm.pause.sleep.time.ms=1\n";
        let mut builder = ConfigBuilder::new();
        builder.file(text, "zoo.cfg").unwrap();
        builder.set("--set", "electionAlg", "3").unwrap();
        let (_, warnings) = builder.build().unwrap();
        assert_eq!(
            lines(&warnings),
            [
                "warning: zoo.cfg: concerns ensembles and has no effect on a standalone server: \
                 initLimit (line 3), syncLimit (line 5), server.1 (line 7)",
                "warning: zoo.cfg:4: `tickTme` is not a key of ZooKeeper 3.9 or of quorate, and has no effect; \
                 did you mean `tickTime`?",
                "warning: zoo.cfg: has no effect: there is no Java virtual machine that could pause: \
                 jvm.pause.monitor (line 6), jvm.pause.sleep.time.ms (line 8)",
                "warning: --set: concerns ensembles and has no effect on a standalone server: electionAlg",
            ]
        );
    }
}
