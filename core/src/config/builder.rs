//! From text to [`ServerConfig`]: assigns values through the key table, then checks the whole.
//!
//! A [`ConfigBuilder`] takes at most one file and any number of settings of the command line;
//! later ones win. Checks that need more than one key wait for [`ConfigBuilder::build`], so that
//! the command line can complete a file; they are in `checks`.

use std::collections::BTreeMap;

use super::error::{ConfigError, Origin, Warning, WarningKind, shorten};
use super::key::{Disposition, Key, Slot, Value, bare};
use super::keys;
use super::members::Member;
use super::properties;
use super::server_config::ServerConfig;
use super::suggest;
use super::types::ListenAddress;

/// Collects settings in order and makes a checked [`ServerConfig`] of them.
///
/// ```
/// use quorate::config::ConfigBuilder;
///
/// let mut builder = ConfigBuilder::new();
/// builder.set("--set", "tickTime", "500")?;
/// builder.set("--set", "minSessionTimeout", "2000")?;
/// let (config, warnings) = builder.build()?;
/// assert_eq!((config.tick_time_ms, config.min_session_timeout_ms), (500, Some(2_000)));
/// assert!(warnings.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct ConfigBuilder {
    pub(super) config: ServerConfig,
    warnings: Vec<Warning>,
    pub(super) members: BTreeMap<String, Member>,
    /// Where each key was set last, by its bare name in the table or, for a family, as written.
    pub(super) assigned: BTreeMap<String, Origin>,
    /// Name of the file that was read.
    pub(super) file: Option<String>,
    suggestions: usize,
}

impl ServerConfig {
    /// Reads the text of a `zoo.cfg`. `origin` names the text in messages, usually the file.
    ///
    /// ```
    /// use quorate::config::{ConfigError, ServerConfig};
    ///
    /// let text = "dataDir=/var/lib/zookeeper\nclientPort=2181\ntickTime=3000\n";
    /// let (config, _) = ServerConfig::from_properties(text, "zoo.cfg")?;
    /// assert_eq!(config.tick_time_ms, 3_000);
    ///
    /// let error = ServerConfig::from_properties("clientPort=none", "zoo.cfg").unwrap_err();
    /// assert!(matches!(error, ConfigError::Value { at, .. } if at.to_string() == "zoo.cfg:1"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
    /// ```
    /// use quorate::config::ServerConfig;
    ///
    /// let mut config = ServerConfig::default();
    /// config.set("tickTime", "500")?;
    /// // Refused as a whole: nothing has changed.
    /// assert!(config.set("tickTime", "soon").is_err());
    /// assert_eq!(config.tick_time_ms, 500);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
    /// ```
    /// use quorate::config::{ConfigBuilder, ConfigError};
    ///
    /// let mut builder = ConfigBuilder::new();
    /// builder.file("clientPort=2181", "zoo.cfg")?;
    /// // In a file it must be said where the data is.
    /// assert!(matches!(builder.build(), Err(ConfigError::Missing { key: "dataDir", .. })));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
    /// ```
    /// use quorate::config::ConfigBuilder;
    ///
    /// let mut builder = ConfigBuilder::new();
    /// let error = builder.set("--set", "tickTime", "soon").unwrap_err();
    /// assert!(error.to_string().starts_with("--set: `tickTime=soon` is not valid"));
    /// ```
    ///
    /// # Errors
    /// A value that the key cannot have, or a refused setting.
    pub fn set(&mut self, source: &str, key: &str, value: &str) -> Result<(), ConfigError> {
        self.assign(Origin::named(source), key, value)
    }

    /// Checks what no single key can decide, and hands out the result with all warnings.
    ///
    /// ```
    /// use quorate::config::{ConfigBuilder, WarningKind};
    ///
    /// let mut builder = ConfigBuilder::new();
    /// builder.set("--set", "tikTime", "500")?;
    /// let (_, warnings) = builder.build()?;
    /// assert_eq!((warnings[0].kind, warnings[0].key.as_str()), (WarningKind::Unknown, "tikTime"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A missing key or a contradiction between keys.
    pub fn build(mut self) -> Result<(ServerConfig, Vec<Warning>), ConfigError> {
        self.check()?;
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

    pub(super) fn warn(&mut self, at: Origin, key: &str, kind: WarningKind, message: String) {
        self.warnings.push(Warning { at, key: key.to_owned(), kind, message });
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
