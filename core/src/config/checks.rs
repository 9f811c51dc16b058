//! What no single key can decide: missing keys, contradictions, and settings that are valid and
//! still deserve a word. Called once by [`ConfigBuilder::build`], after all settings are known.

use std::path::Path;

use super::builder::ConfigBuilder;
use super::error::{ConfigError, Origin, WarningKind, shorten};
use super::types::IoMode;

impl ConfigBuilder {
    /// Runs every check, those that fail before those that warn.
    pub(super) fn check(&mut self) -> Result<(), ConfigError> {
        self.apply_members()?;
        self.check_presence()?;
        self.check_session_timeouts()?;
        self.check_authentication()?;
        self.warn_about_danger();
        self.warn_about_paths();
        self.warn_about_pairs();
        Ok(())
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
            Some(scheme) if scheme == "digest" => Err(ConfigError::Conflict {
                at,
                problem: "the scheme `digest` is demanded and disabled".to_owned(),
                advice: "remove DigestAuthenticationProvider.enabled=false",
            }),
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

    /// Speaks of settings that another one makes pointless or harmful.
    fn warn_about_pairs(&mut self) {
        let config = &self.config;
        let shards = config.shards.is_some() && config.io == IoMode::Fused;
        let schemes = !config.enforce_auth_schemes.is_empty() && !config.enforce_auth_enabled;
        let (limit, block) = (config.txn_log_size_limit_kb, config.pre_alloc_size_kb);
        let tight = limit > 0 && limit < block.saturating_mul(2);
        let factor = self.draft.ensemble.snapshot_size_factor > 1.0;
        for (applies, key, kind, message) in [
            (
                factor,
                "snapshotSizeFactor",
                WarningKind::Suspicious,
                "is above 1, which stands for 0.33 in Apache, and here",
            ),
            (shards, "quorate.shards", WarningKind::NoEffect, "has no effect: quorate.io is fused"),
            (
                schemes,
                "enforce.auth.schemes",
                WarningKind::NoEffect,
                "has no effect without enforce.auth.enabled=true",
            ),
            (
                tight,
                "txnLogSizeLimitInKb",
                WarningKind::Suspicious,
                "is less than twice preAllocSize: log files are rolled very often",
            ),
        ] {
            if applies && self.assigned.contains_key(key) {
                self.warn(self.origin_of(&[key]), key, kind, message.to_owned());
            }
        }
    }

    pub(super) fn is_assigned(&self, key: &str) -> bool {
        self.assigned.contains_key(key)
    }

    /// Where the first of `keys` that is set was set.
    pub(super) fn origin_of(&self, keys: &[&str]) -> Origin {
        let set = keys.iter().find_map(|key| self.assigned.get(*key)).cloned();
        set.unwrap_or_else(|| self.anywhere())
    }

    /// The whole, where no line is to blame.
    pub(super) fn anywhere(&self) -> Origin {
        Origin::named(self.file.as_deref().unwrap_or("configuration"))
    }
}
