//! `dynamicConfigFile`: the members of an ensemble in a file of their own, so that a reconfiguration can replace it.
//!
//! The file has `server.N`, `group.N` and `weight.N` lines and nothing else; the version of the membership is what follows the
//! last dot of its name, if that is a hexadecimal number (`QuorumPeerConfig#parse`, `#getVersionFromFilename`).

use std::path::Path;

use super::builder::{ConfigBuilder, trim};
use super::draft::Draft;
use super::error::{ConfigError, Origin, WarningKind, shorten};
use super::key::{Disposition, MemberKey, bare};
use super::{keys, properties, read_file};

impl ConfigBuilder {
    /// Reads the file of members, if there is one.
    pub(super) fn read_dynamic_file(&mut self) -> Result<(), ConfigError> {
        let Some(path) = self.draft.dynamic_file.clone() else { return Ok(()) };
        if let Some(line) = self.draft.forget("version") {
            let message = "has no effect: the name of dynamicConfigFile says the version";
            self.warn(line.at, &line.key, WarningKind::NoEffect, message.to_owned());
        }
        if let Some(line) = self.draft.lines().first() {
            return Err(ConfigError::Conflict {
                at: line.at.clone(),
                problem: format!("`{}` must not stand beside dynamicConfigFile", line.key),
                advice: "move it into that file, or remove dynamicConfigFile",
            });
        }
        read_into(&mut self.draft, &path)
    }
}

fn read_into(draft: &mut Draft, path: &Path) -> Result<(), ConfigError> {
    let name = path.display().to_string();
    let entries = properties::parse(&read_file(path)?).map_err(|problem| ConfigError::Syntax {
        at: Origin::line(&name, problem.line()),
        problem,
    })?;
    for entry in entries {
        let (at, key) = (Origin::line(&name, entry.line), bare(trim(&entry.key)));
        let refused = |problem: String, advice| {
            Err(ConfigError::Conflict { at: at.clone(), problem, advice })
        };
        if key == "version" {
            let problem = "`version` must not stand in a file of members".to_owned();
            return refused(problem, "remove it: the version stands at the end of the file's name");
        }
        let known = keys::find(key).map(|key| &key.disposition);
        if !matches!(known, Some(Disposition::Members(MemberKey::Line))) {
            let problem = format!("`{}` does not belong into a file of members", shorten(key));
            return refused(problem, "move it to the file that names this one");
        }
        if let Some(before) = draft.forget(key) {
            return Err(twice(&at, key, before.at.line));
        }
        let text = trim(&entry.value);
        draft.line(at.clone(), key, text).map_err(|expected| ConfigError::Value {
            at: at.clone(),
            key: shorten(key),
            value: shorten(text),
            expected,
        })?;
    }
    if let Some(version) = version(path) {
        // A number is a line in any case.
        let _ = draft.line(Origin::named(&name), "version", &format!("{version:x}"));
    }
    Ok(())
}

/// One line of the membership stands there twice.
pub(super) fn twice(at: &Origin, key: &str, before: Option<u32>) -> ConfigError {
    let before = before.map_or_else(String::new, |line| format!(", first in line {line}"));
    ConfigError::Conflict {
        at: at.clone(),
        problem: format!("`{}` is set twice{before}", shorten(key)),
        advice: "remove one of both, or correct its number",
    }
}

/// The version at the end of a name.
fn version(path: &Path) -> Option<i64> {
    let name = path.to_str()?;
    let (_, last) = name.rsplit_once('.')?;
    i64::from_str_radix(last, 16).ok().filter(|&version| version >= 0)
}
