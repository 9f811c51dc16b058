//! From the lines about members to a server that is alone, or one of them.
//!
//! Follows `QuorumPeerConfig`: `parseDynamicConfig` decides whether there is an ensemble, then `setupMyId`, `setupClientPort`,
//! `setupPeerType` and `checkValidity` see to this server's place in it. What Apache only logs as an error and goes on with is
//! an error here where it cannot have been meant.

use quorate_wire::quorum::membership::{
    HostPort, Membership, MembershipError, MembershipProblem, Role,
};

use super::builder::ConfigBuilder;
use super::ensemble_config::EnsembleConfig;
use super::ensemble_problem::EnsembleProblem;
use super::error::{ConfigError, Origin, WarningKind};
use super::key::Disposition;
use super::quorum_tls::{ClientAuth, QuorumTls};
use super::types::ListenAddress;
use super::{keys, myid};

impl ConfigBuilder {
    /// Decides whether this is a member of an ensemble, and makes it one.
    pub(super) fn apply_members(&mut self) -> Result<(), ConfigError> {
        if self.draft.untouched {
            return self.keep_ensemble();
        }
        self.read_dynamic_file()?;
        let voters = self.draft.members().filter(|(_, member)| !member.observer).count();
        let observers = self.draft.members().count() - voters;
        let alone = self.draft.standalone_enabled;
        match (voters, observers) {
            (0, 0) if alone => Ok(()),
            (0, 0) => {
                let problem = "standaloneEnabled is false, and there are no `server.N` lines".to_owned();
                let advice = "add the line of this server, or remove standaloneEnabled";
                Err(ConfigError::Conflict { at: self.origin_of(&["standaloneEnabled"]), problem, advice })
            }
            (1, 0) if alone => {
                self.stay_alone();
                Ok(())
            }
            (1, _) if alone => self.refuse_members(
                "observers beside a single voter",
                "add voters, best up to three, or set standaloneEnabled=false so that one voter is an ensemble",
            ),
            (0, _) => self.refuse_members(
                "observers without a voter cannot serve",
                "add `server.N` lines that do not end in `:observer`, best three of them",
            ),
            _ => self.become_member(),
        }
    }

    fn refuse_members(&self, problem: &str, advice: &'static str) -> Result<(), ConfigError> {
        let at = self.first_line();
        Err(ConfigError::Conflict { at, problem: problem.to_owned(), advice })
    }

    /// One voter without observers: the line gives at most the address for clients.
    fn stay_alone(&mut self) {
        let only = self.draft.members().next();
        let Some((at, key, client)) =
            only.map(|(line, member)| (line.at.clone(), line.key.clone(), member.client.clone()))
        else {
            return;
        };
        if let (None, Some((address, port))) = (self.config.client_port, client) {
            self.config.client_port = Some(port);
            if !self.is_assigned("clientPortAddress") {
                self.config.client_port_address = address;
            }
        }
        self.warn(at, &key, WarningKind::EnsembleOnly, ALONE.to_owned());
    }

    /// Settings of an ensemble that is there already have changed, and its members have not.
    fn keep_ensemble(&mut self) -> Result<(), ConfigError> {
        let ensemble = self.draft.ensemble.clone();
        ensemble.check().map_err(|problem| self.wrong_place(problem, None))?;
        self.settle(ensemble)
    }

    fn become_member(&mut self) -> Result<(), ConfigError> {
        let membership = self.membership()?;
        let standalone_enabled = self.draft.standalone_enabled;
        let mut ensemble =
            EnsembleConfig { membership, standalone_enabled, ..self.draft.ensemble.clone() };
        ensemble.several_addresses = self.draft.several_addresses;
        ensemble.check_members().map_err(|problem| self.wrong_place(problem, None))?;
        self.check_several_addresses(&ensemble.membership)?;
        let file = myid::path(&self.config.data_dir);
        let listed: Vec<i64> = ensemble.membership.servers.keys().copied().collect();
        ensemble.me = match self.draft.me {
            Some(me) => me,
            // Without it there is no file to look for.
            None if self.file.is_some() && !self.is_assigned("dataDir") => return Ok(()),
            None => myid::read(&file, &listed)?,
        };
        self.check_limits()?;
        let file = self.draft.me.is_none().then(|| Origin::line(&file.display().to_string(), 1));
        ensemble.check().map_err(|problem| self.wrong_place(problem, file))?;
        self.take_client_port(&ensemble)?;
        self.warn_about_members(&ensemble);
        self.settle(ensemble)
    }

    /// Reads all lines together.
    fn membership(&self) -> Result<Membership, ConfigError> {
        let lines = self.draft.lines();
        let texts = lines.iter().map(|line| format!("{}={}\n", line.key, line.text));
        Membership::parse(&texts.collect::<String>()).map_err(
            |MembershipError { line, problem }| {
                let line = line.and_then(|number| lines.get(number.checked_sub(1)?));
                let at = line.map_or_else(|| self.first_line(), |line| line.at.clone());
                let advice = advice(&problem);
                ConfigError::Membership { at, problem, advice }
            },
        )
    }

    /// As in Apache, where several addresses of a member are a feature to be switched on.
    fn check_several_addresses(&self, membership: &Membership) -> Result<(), ConfigError> {
        let several = membership.servers.iter().find(|(_, server)| server.addresses.len() > 1);
        match several {
            Some((&sid, _)) if !self.draft.several_addresses => {
                Err(self.wrong_place(EnsembleProblem::SeveralAddresses { sid }, None))
            }
            _ => Ok(()),
        }
    }

    /// Both limits have no default that would suit everybody.
    fn check_limits(&self) -> Result<(), ConfigError> {
        for (key, advice) in [
            (
                "initLimit",
                "add the line `initLimit=10`: so many ticks a follower may take to get its history",
            ),
            ("syncLimit", "add the line `syncLimit=5`: so many ticks a follower may lag behind"),
        ] {
            if !self.is_assigned(key) {
                return Err(ConfigError::Missing { at: self.anywhere(), key, advice });
            }
        }
        Ok(())
    }

    /// The own line says where clients are served, or clientPort does, or both say the same.
    fn take_client_port(&mut self, ensemble: &EnsembleConfig) -> Result<(), ConfigError> {
        let Some(client) = ensemble.own_server().and_then(|own| own.client.clone()) else {
            return Ok(());
        };
        let own = self.line_of(ensemble.me);
        let (port, address) = (self.config.client_port, &self.config.client_port_address);
        if !self.is_assigned("clientPort") {
            if self.is_assigned("clientPortAddress") {
                let problem = "clientPortAddress is set and clientPort is not".to_owned();
                let advice =
                    "add clientPort, or remove clientPortAddress: the line of this server has both";
                return Err(ConfigError::Conflict {
                    at: self.origin_of(&["clientPortAddress"]),
                    problem,
                    advice,
                });
            }
        } else if port != Some(client.port) || contradict(address, &client) {
            let port = port.map_or_else(String::new, |port| port.to_string());
            return Err(ConfigError::Conflict {
                at: self.origin_of(&["clientPort"]),
                problem: format!(
                    "clients are served at {address}:{port} by clientPort, and at {client} by the line of this server, \
                     server.{}{own}",
                    ensemble.me
                ),
                advice: "remove clientPort or correct one of them; check too that myid has the right number",
            });
        }
        self.config.client_port = Some(client.port);
        self.config.client_port_address = ListenAddress::of(&client);
        Ok(())
    }

    fn warn_about_members(&mut self, ensemble: &EnsembleConfig) {
        let membership = &ensemble.membership;
        let role = membership.role(ensemble.me).unwrap_or_default();
        if self.draft.peer_type.is_some_and(|believed| believed != role) {
            let message = format!(
                "does not say what `server.{}` says: this server is {}",
                ensemble.me,
                a(role)
            );
            self.warn(self.origin_of(&["peerType"]), "peerType", WarningKind::Suspicious, message);
        }
        self.warn_about_tls(&ensemble.tls);
        for (&sid, server) in membership.servers.iter().filter(|&(&sid, _)| sid != ensemble.me) {
            if server.addresses.iter().any(|address| address.quorum().is_wildcard()) {
                let key = format!("server.{sid}");
                let message = "has an address that means every interface of this machine: it cannot be reached there";
                self.warn(
                    self.origin_of_server(sid),
                    &key,
                    WarningKind::Suspicious,
                    message.to_owned(),
                );
            }
        }
    }

    /// Speaks of TLS that is not there, or that lets in anybody.
    fn warn_about_tls(&mut self, tls: &QuorumTls) {
        let store = "ssl.quorum.keyStore.location";
        if !tls.is_used() && self.is_assigned(store) {
            let message = "has no effect without sslQuorum=true or portUnification=true: members talk in plain text";
            self.warn(self.origin_of(&[store]), store, WarningKind::Suspicious, message.to_owned());
        }
        let auth = "ssl.quorum.clientAuth";
        if tls.is_used() && tls.client_auth != ClientAuth::Need {
            let message =
                "lets whoever reaches this member take part in the ensemble without a certificate";
            self.warn(self.origin_of(&[auth]), auth, WarningKind::Unsafe, message.to_owned());
        }
    }

    /// The server is a member: what was said for the case that it is not is taken back.
    fn settle(&mut self, ensemble: EnsembleConfig) -> Result<(), ConfigError> {
        if let Some((_, refused)) = self.draft.refusals.pop_first() {
            return Err(refused);
        }
        self.warnings.retain_mut(|warning| {
            if warning.kind != WarningKind::EnsembleOnly {
                return true;
            }
            match keys::find(&warning.key).map(|key| &key.disposition) {
                Some(Disposition::EnsembleOnly(reason)) => {
                    warning.kind = WarningKind::NoEffect;
                    (*reason).clone_into(&mut warning.message);
                    true
                }
                _ => false,
            }
        });
        self.config.ensemble = Some(ensemble);
        Ok(())
    }

    /// `file` is where the number of this server comes from.
    fn wrong_place(&self, problem: EnsembleProblem, file: Option<Origin>) -> ConfigError {
        let at = match (problem.server(), &problem, file) {
            (Some(sid), _, _) => self.origin_of_server(sid),
            (None, EnsembleProblem::NotListed { .. }, Some(file)) => file,
            (None, EnsembleProblem::NoTime { key }, _) => self.origin_of(&[key]),
            (None, EnsembleProblem::NoStore { .. }, _) => {
                self.origin_of(&["sslQuorum", "portUnification"])
            }
            (None, EnsembleProblem::Intervals { .. }, _) => self.origin_of(&[
                "fastleader.minNotificationInterval",
                "fastleader.maxNotificationInterval",
            ]),
            (None, _, _) => self.first_line(),
        };
        ConfigError::Ensemble { at, problem }
    }

    fn origin_of_server(&self, sid: i64) -> Origin {
        let is_it =
            |key: &str| key.strip_prefix("server.").and_then(|id| id.parse().ok()) == Some(sid);
        let lines = self.draft.lines();
        let line = lines.iter().find(|line| is_it(&line.key));
        line.map_or_else(|| self.first_line(), |line| line.at.clone())
    }

    /// Where a server's line is, for the end of a sentence.
    fn line_of(&self, sid: i64) -> String {
        format!(" ({})", self.origin_of_server(sid))
    }

    /// Where the list of members begins.
    fn first_line(&self) -> Origin {
        self.draft.members().next().map_or_else(|| self.anywhere(), |(line, _)| line.at.clone())
    }
}

/// Whether an address for clients says another host than the server's line. A name may stand for any address.
fn contradict(address: &ListenAddress, client: &HostPort) -> bool {
    match (address, ListenAddress::parse(&client.host)) {
        (ListenAddress::Ip(ours), Ok(ListenAddress::Ip(other))) => {
            !ours.is_unspecified() && *ours != other
        }
        (ListenAddress::Ip(ours), Ok(ListenAddress::Any)) => !ours.is_unspecified(),
        (ListenAddress::Name(ours), Ok(ListenAddress::Name(other))) => {
            !ours.eq_ignore_ascii_case(&other)
        }
        _ => false,
    }
}

/// What to do about a line, or lines, that make no membership.
fn advice(problem: &MembershipProblem) -> &'static str {
    match problem {
        MembershipProblem::Duplicate(_) => "remove one of both, or correct its number",
        MembershipProblem::NotAVoter { .. } => {
            "remove it from the group, or add its `server.N` line"
        }
        MembershipProblem::InTwoGroups { .. } => "leave it in one of them",
        MembershipProblem::InNoGroup { .. } => {
            "with groups or weights every voter needs a group: add it to a `group.N` line"
        }
        MembershipProblem::NoVoters => "add `server.N` lines that do not end in `:observer`",
        MembershipProblem::NoWeight | MembershipProblem::TooHeavy { .. } => "change the weights",
        _ => "correct this line",
    }
}

fn a(role: Role) -> &'static str {
    match role {
        Role::Participant => "a participant",
        Role::Observer => "an observer",
    }
}

const ALONE: &str = "is the only member: the server runs standalone, as Apache's does, and the \
                     quorum ports stay closed";
