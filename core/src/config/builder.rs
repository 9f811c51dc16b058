//! From text to [`ServerConfig`]: assigns values through the key table, then checks the whole.
//!
//! A [`ConfigBuilder`] takes at most one file and any number of settings of the command line;
//! later ones win. Checks that need more than one key wait for [`ConfigBuilder::build`], so that
//! the command line can complete a file; they are in `checks`.

use std::collections::BTreeMap;
use std::path::Path;

use super::draft::Draft;
use super::dynamic::twice;
use super::error::{ConfigError, Origin, Warning, WarningKind, shorten};
use super::key::{Disposition, Key, MemberKey, Value, bare};
use super::keys;
use super::properties;
use super::read_file;
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
    pub(super) warnings: Vec<Warning>,
    pub(super) draft: Draft,
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
        let draft = self.ensemble.as_ref().map(Draft::of).unwrap_or_default();
        let mut builder = ConfigBuilder { config: self.clone(), draft, ..ConfigBuilder::default() };
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
                if let Some(key) = line_of_membership(&entry.key) {
                    return Err(twice(&Origin::line(origin, entry.line), key, Some(line)));
                }
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

    /// Reads a `zoo.cfg`, and remembers where it is: a reconfiguration of the ensemble changes it.
    ///
    /// ```
    /// use quorate::config::ConfigBuilder;
    ///
    /// # let directory = tempfile::tempdir()?;
    /// let file = directory.path().join("zoo.cfg");
    /// std::fs::write(&file, "dataDir=/var/lib/zookeeper\nclientPort=2181\n")?;
    /// let mut builder = ConfigBuilder::new();
    /// builder.load(&file)?;
    /// assert_eq!(builder.build()?.0.client_port, Some(2181));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The file cannot be read, and as [`file`](Self::file).
    pub fn load(&mut self, path: &Path) -> Result<(), ConfigError> {
        self.file(read_file(path)?, &path.display().to_string())?;
        self.draft.ensemble.config_file = Some(path.to_owned());
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

    /// Says which member this server is, so that no file `myid` has to. Without `server.N` lines it means nothing.
    ///
    /// ```
    /// use quorate::config::ConfigBuilder;
    ///
    /// let mut builder = ConfigBuilder::new();
    /// let text = "dataDir=/data\nclientPort=2181\ninitLimit=10\nsyncLimit=5\n\
    ///             server.1=zoo1:2888:3888\nserver.2=zoo2:2888:3888\nserver.3=zoo3:2888:3888\n";
    /// builder.file(text, "zoo.cfg")?;
    /// builder.my_id(2);
    /// assert_eq!(builder.build()?.0.ensemble.unwrap().me, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn my_id(&mut self, id: i64) -> &mut Self {
        self.draft.me = Some(id);
        self
    }

    /// Checks what no single key can decide, and hands out the result with all warnings. Where there is an ensemble, this reads
    /// `myid` in the data directory, unless [`my_id`](Self::my_id) was called, and the file of members, if a key names one.
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
    /// A missing key, a contradiction between keys, and whatever keeps a member of an ensemble from its place in it.
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
        let misfit = |expected| wrong(&at, name, &shown, expected);
        self.draft.refusals.remove(&identity(name));
        match key.disposition {
            _ if key.is_inert(value) => {}
            Disposition::Honoured(ref slot) => {
                slot.fill(&mut self.config, read).map_err(misfit)?;
                self.warn_raised(&at, name, read);
            }
            Disposition::Ensemble(ref slot) => {
                slot.fill(&mut self.draft.ensemble, read).map_err(misfit)?;
                self.warn_waits(&at, name);
            }
            Disposition::Members(what) => {
                self.draft.take(what, &at, bare(name), value).map_err(misfit)?;
                if waits(what, bare(name)) {
                    self.warn_waits(&at, name);
                }
            }
            Disposition::Warned(reason) => {
                self.warn(at.clone(), name, WarningKind::NoEffect, reason.to_owned());
            }
            Disposition::Refused(reason) => {
                let (key, reason) = (shorten(name), reason.to_owned());
                return Err(ConfigError::Refused { at, key, value: shown, reason });
            }
            Disposition::EnsembleOnly(_) => self.warn_waits(&at, name),
            Disposition::EnsembleRefused(reason) => {
                self.warn_waits(&at, name);
                let (key, reason) = (shorten(name), reason.to_owned());
                let refused = ConfigError::Refused { at: at.clone(), key, value: shown, reason };
                self.draft.refusals.insert(identity(name), refused);
            }
        }
        self.assigned.insert(identity(name), at);
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

    /// Taken back when the server turns out to be a member.
    fn warn_waits(&mut self, at: &Origin, name: &str) {
        self.warn(at.clone(), name, WarningKind::EnsembleOnly, WAITS.to_owned());
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

/// The bare name, if the key is a line of the membership: two of them are two servers with one number, and not a change of mind.
fn line_of_membership(name: &str) -> Option<&str> {
    let name = bare(trim(name));
    let disposition = &keys::find(name)?.disposition;
    matches!(disposition, Disposition::Members(MemberKey::Line)).then_some(name)
}

/// Whether a key that concerns the members has no effect on a standalone server. What is to be said of a `server.N` line is said
/// when all are known.
fn waits(what: MemberKey, name: &str) -> bool {
    match what {
        MemberKey::Line => !name.starts_with("server."),
        MemberKey::PeerType | MemberKey::SeveralAddresses => true,
        MemberKey::File | MemberKey::Standalone => false,
    }
}

/// Java's `String#trim`: everything up to and including the space.
pub(super) fn trim(text: &str) -> &str {
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
