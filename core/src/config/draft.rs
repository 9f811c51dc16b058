//! [`Draft`]: what the keys of ensembles say, kept until it is known whether there is one.

use std::collections::BTreeMap;
use std::path::PathBuf;

use quorate_wire::quorum::membership::{Membership, Role};

use super::ensemble_config::EnsembleConfig;
use super::error::{ConfigError, Origin};
use super::key::MemberKey;
use super::members::Member;

/// The keys of ensembles as far as they have been read.
#[derive(Debug)]
pub(super) struct Draft {
    /// Times and ports; who this server is and who the members are comes last.
    pub(super) ensemble: EnsembleConfig,
    /// Who this server is, if no file has to say so.
    pub(super) me: Option<i64>,
    pub(super) standalone_enabled: bool,
    pub(super) peer_type: Option<Role>,
    pub(super) several_addresses: bool,
    pub(super) dynamic_file: Option<PathBuf>,
    lines: BTreeMap<String, Line>,
    /// Whether the lines are those of `ensemble` and nothing has been said about members since.
    pub(super) untouched: bool,
    /// What a member must not start with, by key.
    pub(super) refusals: BTreeMap<String, ConfigError>,
}

/// One line of the membership.
#[derive(Debug, Clone)]
pub(super) struct Line {
    order: usize,
    pub(super) at: Origin,
    /// Without prefix.
    pub(super) key: String,
    pub(super) text: String,
    /// What a `server.N` line says by itself.
    pub(super) member: Option<Member>,
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            // No id and no members: both are set when all lines are there.
            ensemble: EnsembleConfig::new(-1, Membership::default()),
            me: None,
            standalone_enabled: true,
            peer_type: None,
            several_addresses: false,
            dynamic_file: None,
            lines: BTreeMap::new(),
            untouched: false,
            refusals: BTreeMap::new(),
        }
    }
}

impl Draft {
    /// As if the keys of a configuration had been read that is there already.
    pub(super) fn of(ensemble: &EnsembleConfig) -> Self {
        let mut draft = Self {
            ensemble: ensemble.clone(),
            me: Some(ensemble.me),
            standalone_enabled: ensemble.standalone_enabled,
            several_addresses: ensemble.several_addresses,
            ..Self::default()
        };
        for line in ensemble.membership.to_string().lines() {
            if let Some((key, text)) = line.split_once('=') {
                // What was read once can be read again.
                let _ = draft.line(Origin::named("ensemble"), key, text);
            }
        }
        draft.untouched = true;
        draft
    }

    /// Takes the value of a key that concerns the members, or says what was expected.
    pub(super) fn take(
        &mut self,
        what: MemberKey,
        at: &Origin,
        key: &str,
        text: &str,
    ) -> Result<(), String> {
        let yes = text.eq_ignore_ascii_case("true");
        match what {
            MemberKey::Line => return self.line(at.clone(), key, text),
            MemberKey::File => {
                self.untouched = false;
                self.dynamic_file = Some(PathBuf::from(text));
            }
            MemberKey::Standalone => self.standalone_enabled = yes,
            MemberKey::SeveralAddresses => self.several_addresses = yes,
            MemberKey::PeerType => {
                let observer = text.eq_ignore_ascii_case("observer");
                self.peer_type = Some(if observer { Role::Observer } else { Role::Participant });
            }
        }
        Ok(())
    }

    /// Takes a line of the membership; one with the same key is replaced. `key` is bare.
    pub(super) fn line(&mut self, at: Origin, key: &str, text: &str) -> Result<(), String> {
        // Escapes can make more than one line of one.
        if key.contains(char::is_control) || text.contains(char::is_control) {
            return Err("text on one line".to_owned());
        }
        let is_server = key.starts_with("server.");
        let member = is_server.then(|| Member::parse(key, text)).transpose()?;
        let order = self.lines.len();
        let line = Line { order, at, key: key.to_owned(), text: text.to_owned(), member };
        self.lines.insert(key.to_owned(), line);
        self.untouched = false;
        Ok(())
    }

    /// Forgets a line.
    pub(super) fn forget(&mut self, key: &str) -> Option<Line> {
        self.lines.remove(key)
    }

    /// All lines, in the order in which they were written.
    pub(super) fn lines(&self) -> Vec<&Line> {
        let mut lines: Vec<&Line> = self.lines.values().collect();
        lines.sort_by_key(|line| line.order);
        lines
    }

    /// What `server.N` lines say, with the lines.
    pub(super) fn members(&self) -> impl Iterator<Item = (&Line, &Member)> {
        self.lines().into_iter().filter_map(|line| Some((line, line.member.as_ref()?)))
    }
}
