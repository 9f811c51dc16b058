//! From text to [`ServerConfig`]: assigns values through the key table, then checks the whole.
//!
//! A [`ConfigBuilder`] takes at most one file and any number of settings of the command line;
//! later ones win. Checks that need more than one key wait for [`ConfigBuilder::build`], so that
//! the command line can complete a file.

use std::collections::BTreeMap;
use std::path::Path;

use super::error::{ConfigError, Origin, Warning, WarningKind, shorten};
use super::key::{Disposition, Key, Slot, Value, bare};
use super::keys;
use super::members::Member;
use super::properties;
use super::server_config::ServerConfig;
use super::suggest;
use super::types::ListenAddress;

/// Collects settings in order and makes a checked [`ServerConfig`] of them.
#[derive(Debug, Default)]
pub struct ConfigBuilder {
    config: ServerConfig,
    warnings: Vec<Warning>,
    members: BTreeMap<String, Member>,
    /// Where each key was set last, by its bare name in the table or, for a family, as written.
    assigned: BTreeMap<String, Origin>,
    /// Name of the file that was read.
    file: Option<String>,
    suggestions: usize,
}

impl ServerConfig {
    /// Reads the text of a `zoo.cfg`. `origin` names the text in messages, usually the file.
    ///
    /// # Errors
    /// The first thing that the server must not start with; see [`ConfigError`].
    pub fn from_properties(
        text: impl AsRef<[u8]>,
        origin: &str,
    ) -> Result<(Self, Vec<Warning>), ConfigError> {
        let mut builder = ConfigBuilder::new();
        builder.file(text, origin)?;
        builder.build()
    }

    /// Changes one setting by its key, as a line of the file would, and checks the whole again.
    /// For several settings that are only valid together use a [`ConfigBuilder`].
    ///
    /// # Errors
    /// As [`ServerConfig::from_properties`]; the configuration is unchanged then.
    pub fn set(&mut self, key: &str, value: &str) -> Result<Vec<Warning>, ConfigError> {
        let mut builder = ConfigBuilder { config: self.clone(), ..ConfigBuilder::default() };
        builder.set("--set", key, value)?;
        let (config, warnings) = builder.build()?;
        *self = config;
        Ok(warnings)
    }
}

impl ConfigBuilder {
    /// Starts from [`ServerConfig::default`].
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads the text of a `zoo.cfg`. From here on Apache's rules for files hold: `dataDir` and
    /// `clientPort` must be set, and without `clientPortAddress` every interface is listened on.
    ///
    /// # Errors
    /// Text that is not a properties file, and the first wrong or refused setting.
    pub fn file(&mut self, text: impl AsRef<[u8]>, origin: &str) -> Result<(), ConfigError> {
        let text = text.as_ref();
        check_size(text, origin)?;
        let entries = properties::parse(text).map_err(|problem| ConfigError::Syntax {
            at: Origin::line(origin, problem.line()),
            problem,
        })?;
        self.config.client_port = None;
        self.config.client_port_address = ListenAddress::Any;
        self.file = Some(origin.to_owned());
        let mut last = BTreeMap::new();
        for (index, entry) in entries.iter().enumerate() {
            // As in Java a later line replaces an earlier one, whose value is not even looked at.
            if let Some((_, line)) = last.insert(identity(&entry.key), (index, entry.line)) {
                let message = format!("is set again; line {line} is overridden");
                let at = Origin::line(origin, entry.line);
                self.warn(at, entry.key.trim(), WarningKind::Duplicate, message);
            }
        }
        let mut last: Vec<usize> = last.into_values().map(|(index, _)| index).collect();
        last.sort_unstable();
        for entry in last.into_iter().filter_map(|index| entries.get(index)) {
            let at = Origin::line(origin, entry.line);
            if entry.latin1 {
                let message = "has characters beyond ASCII; they are read as Latin-1, as in Java, \
                               so write them as \\uXXXX";
                self.warn(at.clone(), entry.key.trim(), WarningKind::Suspicious, message.into());
            }
            self.assign(at, &entry.key, &entry.value)?;
        }
        Ok(())
    }

    /// Sets one key; `source` names the place in messages, such as `--set`.
    ///
    /// # Errors
    /// A value that the key cannot have, or a refused setting.
    pub fn set(&mut self, source: &str, key: &str, value: &str) -> Result<(), ConfigError> {
        self.assign(Origin::named(source), key, value)
    }

    /// Checks what no single key can decide, and hands out the result with all warnings.
    ///
    /// # Errors
    /// A missing key or a contradiction between keys.
    pub fn build(mut self) -> Result<(ServerConfig, Vec<Warning>), ConfigError> {
        self.apply_members()?;
        self.check_presence()?;
        self.check_session_timeouts()?;
        self.check_authentication()?;
        self.warn_about_danger();
        self.warn_about_paths();
        Ok((self.config, self.warnings))
    }

    /// Applies one setting through its row of the table.
    fn assign(&mut self, at: Origin, name: &str, value: &str) -> Result<(), ConfigError> {
        let (name, value) = (trim(name), trim(value));
        let Some(key) = keys::find(name) else {
            self.warn_unknown(at, name);
            return Ok(());
        };
        let shown = if key.is_secret() { "(hidden)".to_owned() } else { shorten(value) };
        let read = key.kind.read(value, key.source);
        let read = read.map_err(|expected| wrong(&at, name, &shown, expected))?;
        match key.disposition {
            _ if key.is_inert(value) => {}
            Disposition::Honoured(ref slot) => {
                self.fill(slot, &at, name, read)
                    .map_err(|expected| wrong(&at, name, &shown, expected))?;
                self.warn_raised(&at, name, read);
            }
            Disposition::Warned(reason) => {
                self.warn(at.clone(), name, WarningKind::NoEffect, reason.to_owned());
            }
            Disposition::Refused(reason) => {
                let (key, reason) = (shorten(name), reason.to_owned());
                return Err(ConfigError::Refused { at, key, value: shown, reason });
            }
            Disposition::EnsembleOnly => {
                self.warn(at.clone(), name, WarningKind::EnsembleOnly, WAITS.to_owned());
            }
        }
        self.assigned.insert(identity(name), at);
        Ok(())
    }

    /// Writes a value to its field, or says what was expected.
    fn fill(
        &mut self,
        slot: &Slot,
        at: &Origin,
        name: &str,
        value: Value<'_>,
    ) -> Result<(), String> {
        let config = &mut self.config;
        let misfit = || "another kind of value".to_owned();
        match (slot, value) {
            (Slot::Bool(field), Value::Bool(value)) => *field(config) = value,
            (Slot::U32(field), Value::Int(value, _)) => {
                *field(config) = u32::try_from(value).map_err(|_| misfit())?;
            }
            (Slot::OptU32(field), Value::Int(value, _)) => {
                *field(config) = u32::try_from(value).ok();
            }
            (Slot::U64(field), Value::Int(value, _)) => {
                *field(config) = u64::try_from(value).map_err(|_| misfit())?;
            }
            (Slot::F64(field), Value::Fraction(value)) => *field(config) = value,
            (Slot::Int(set), Value::Int(value, _)) => set(config, value),
            (Slot::Text(set), Value::Text(value)) => set(config, value)?,
            (Slot::Member, Value::Text(value)) => {
                let member = Member::parse(at.clone(), bare(name), value)?;
                self.members.insert(member.key.clone(), member);
            }
            _ => return Err(misfit()),
        }
        Ok(())
    }

    /// Follows `QuorumPeerConfig#parseDynamicConfig`: one voting member alone is standalone.
    fn apply_members(&mut self) -> Result<(), ConfigError> {
        let voters: Vec<&Member> = self.members.values().filter(|m| !m.observer).collect();
        let observers = self.members.len() - voters.len();
        let Some(first) = self.members.values().next() else { return Ok(()) };
        let refused = |at: &Origin, problem: String| {
            Err(ConfigError::Conflict { at: at.clone(), problem, advice: MEMBERS_ADVICE })
        };
        match (voters.as_slice(), observers) {
            ([only], 0) => {
                if let (None, Some((address, port))) = (self.config.client_port, &only.client) {
                    self.config.client_port = Some(*port);
                    if !self.is_assigned("clientPortAddress") {
                        self.config.client_port_address = address.clone();
                    }
                }
                let (at, key) = (only.at.clone(), only.key.clone());
                self.warn(at, &key, WarningKind::EnsembleOnly, ALONE.to_owned());
                Ok(())
            }
            ([], _) => refused(&first.at, "observers without voting members cannot serve".into()),
            _ => refused(
                &first.at,
                format!(
                    "{} members are listed, and ensembles are not served yet",
                    self.members.len()
                ),
            ),
        }
    }

    /// Demands what Apache demands of a file.
    fn check_presence(&self) -> Result<(), ConfigError> {
        let Some(file) = &self.file else { return Ok(()) };
        let at = Origin::named(file);
        if !self.is_assigned("dataDir") {
            let advice = "add a line such as `dataDir=/var/lib/quorate`";
            return Err(ConfigError::Missing { at, key: "dataDir", advice });
        }
        if self.config.client_port.is_none() {
            let advice = "add the line `clientPort=2181`";
            return Err(ConfigError::Missing { at, key: "clientPort", advice });
        }
        Ok(())
    }

    fn check_session_timeouts(&self) -> Result<(), ConfigError> {
        let (min, max) = (self.config.min_session_timeout(), self.config.max_session_timeout());
        if min <= max {
            return Ok(());
        }
        let key = ["minSessionTimeout", "maxSessionTimeout", "tickTime"];
        Err(ConfigError::Conflict {
            at: self.origin_of(&key),
            problem: format!(
                "minSessionTimeout ({min} ms) must not be larger than maxSessionTimeout ({max} ms)"
            ),
            advice: "set both, or change tickTime, of which they are 2 and 20 by default",
        })
    }

    /// Follows `AuthenticationHelper#validateConfiguredProperties`.
    fn check_authentication(&mut self) -> Result<(), ConfigError> {
        let config = &self.config;
        if !config.enforce_auth_enabled {
            return Ok(());
        }
        let at = self.origin_of(&["enforce.auth.schemes", "enforce.auth.enabled"]);
        let advice = "set enforce.auth.schemes to `digest`, `ip` or both";
        if config.enforce_auth_schemes.is_empty() {
            let problem = "enforce.auth.enabled is true without enforce.auth.schemes".to_owned();
            return Err(ConfigError::Conflict { at, problem, advice });
        }
        let known =
            |scheme: &String| scheme == "ip" || (scheme == "digest" && config.digest_auth_enabled);
        match config.enforce_auth_schemes.iter().find(|scheme| !known(scheme)) {
            Some(scheme) => {
                let problem = format!("the scheme `{}` is not available", shorten(scheme));
                Err(ConfigError::Conflict { at, problem, advice })
            }
            None => Ok(()),
        }
    }

    fn warn_about_danger(&mut self) {
        if !self.config.force_sync && self.is_assigned("forceSync") {
            let message =
                "is off: a power failure or a crash of the system loses acknowledged writes";
            self.warn(
                self.origin_of(&["forceSync"]),
                "forceSync",
                WarningKind::Unsafe,
                message.into(),
            );
        }
        if self.config.skip_acl && self.is_assigned("skipACL") {
            let message = "is on: every client may read, change and delete everything";
            self.warn(self.origin_of(&["skipACL"]), "skipACL", WarningKind::Unsafe, message.into());
        }
        let words = "4lw.commands.whitelist";
        if self.is_assigned(words) {
            let unknown: Vec<String> =
                self.config.four_letter_words.unknown().take(8).map(shorten).collect();
            for word in unknown {
                let message = format!("lists `{word}`, which is no four-letter word");
                self.warn(self.origin_of(&[words]), words, WarningKind::Suspicious, message);
            }
        }
    }

    /// Follows `VerifyingFileFactory`: a relative path should begin with a dot.
    fn warn_about_paths(&mut self) {
        for key in ["dataDir", "dataLogDir"] {
            let path = match key {
                "dataDir" => Some(self.config.data_dir.as_path()),
                _ => self.config.data_log_dir.as_deref(),
            };
            let vague = |path: &Path| !path.is_absolute() && !path.starts_with(".");
            if self.is_assigned(key) && path.is_some_and(vague) {
                let message = "is relative to the directory the server is started in; write an \
                               absolute path, or `./` before it if that is meant";
                self.warn(self.origin_of(&[key]), key, WarningKind::Suspicious, message.into());
            }
        }
    }

    fn warn_unknown(&mut self, at: Origin, name: &str) {
        let mut message =
            "is not a key of ZooKeeper 3.9 or of quorate, and has no effect".to_owned();
        self.suggestions += 1;
        if self.suggestions <= MAX_SUGGESTIONS
            && let Some(meant) = suggest::nearest(bare(name))
        {
            message.push_str(&format!("; did you mean `{meant}`?"));
        }
        self.warn(at, name, WarningKind::Unknown, message);
    }

    /// Speaks of values that were raised, except where every value below 0 simply means "off".
    fn warn_raised(&mut self, at: &Origin, name: &str, value: Value<'_>) {
        if let Value::Int(used, Some(given)) = value
            && used > 0
        {
            let message = format!("cannot be as low as {given}; {used} is used");
            self.warn(at.clone(), name, WarningKind::Adjusted, message);
        }
    }

    fn warn(&mut self, at: Origin, key: &str, kind: WarningKind, message: String) {
        self.warnings.push(Warning { at, key: key.to_owned(), kind, message });
    }

    fn is_assigned(&self, key: &str) -> bool {
        self.assigned.contains_key(key)
    }

    /// Where the first of `keys` that is set was set.
    fn origin_of(&self, keys: &[&str]) -> Origin {
        let set = keys.iter().find_map(|key| self.assigned.get(*key)).cloned();
        set.unwrap_or_else(|| Origin::named(self.file.as_deref().unwrap_or("configuration")))
    }
}

/// Refuses text that is too long to be a configuration.
pub(super) fn check_size(text: &[u8], origin: &str) -> Result<(), ConfigError> {
    let size = u64::try_from(text.len()).unwrap_or(u64::MAX);
    if size > MAX_TEXT_BYTES {
        return Err(ConfigError::TooLarge {
            at: Origin::named(origin),
            size,
            limit: MAX_TEXT_BYTES,
        });
    }
    Ok(())
}

/// The one name under which two spellings of a key meet: the table's, or for members of a family
/// and unknown keys their own without the prefix.
fn identity(name: &str) -> String {
    let name = bare(trim(name));
    match keys::find(name) {
        Some(key) if key.names().all(|known| !known.ends_with('*')) => key.name.to_owned(),
        Some(Key { .. }) | None => name.to_owned(),
    }
}

/// Java's `String#trim`: everything up to and including the space.
fn trim(text: &str) -> &str {
    text.trim_matches(|c| c <= ' ')
}

fn wrong(at: &Origin, key: &str, shown: &str, expected: String) -> ConfigError {
    ConfigError::Value { at: at.clone(), key: shorten(key), value: shown.to_owned(), expected }
}

/// Longest configuration read, in bytes.
pub(super) const MAX_TEXT_BYTES: u64 = 1 << 20;

/// Unknown keys for which the nearest known one is looked up; beyond that the file is no `zoo.cfg`.
const MAX_SUGGESTIONS: usize = 32;

const WAITS: &str = "concerns ensembles and has no effect on a standalone server";

const ALONE: &str = "is the only member: the server runs standalone, as Apache's does, and the \
                     quorum ports stay closed";

const MEMBERS_ADVICE: &str = "ensembles come with a later version: to run this server alone remove \
                              the server.N lines but one";
