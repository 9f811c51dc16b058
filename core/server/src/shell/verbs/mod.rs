//! The verbs as data: what each is called, how it is written, what it is for, and how it runs.
//!
//! Help, usage errors and completion come from this table, so a verb is complete when its entry is. One
//! file per verb or small family; each entry stands beside its code.

mod acl;
mod config;
mod counts;
mod create;
mod delete;
mod get;
mod help;
mod identity;
mod ls;
mod quota;
mod quota_text;
mod session;
mod set;
mod stat;
mod watch;
mod words;

use super::args::{Opt, Parsed};
use super::client::Connection;
use super::reply::{Failure, Reply};
use super::session::Shell;
use std::fmt::Write as _;

/// One verb.
#[derive(Debug)]
pub(crate) struct Verb {
    /// What the user types.
    pub(crate) name: &'static str,
    /// What follows it, as zkCli writes it.
    pub(crate) synopsis: &'static str,
    /// One sentence.
    pub(crate) help: &'static str,
    /// Its options.
    pub(crate) options: &'static [Opt],
    /// How many arguments it needs at least.
    pub(crate) required: usize,
    /// Whether its arguments are paths, for completion.
    pub(crate) takes_path: bool,
    /// Carries it out.
    pub(crate) run: fn(&mut Call<'_>) -> Result<Reply, Failure>,
}

/// One use of a verb.
pub(crate) struct Call<'a> {
    pub(crate) shell: &'a mut Shell,
    pub(crate) verb: &'static Verb,
    pub(crate) arguments: Parsed,
}

/// The verb of a name.
pub(crate) fn find(name: &str) -> Option<&'static Verb> {
    all().find(|verb| verb.name == name)
}

/// Every verb, sorted by name.
pub(crate) fn all() -> impl Iterator<Item = &'static Verb> {
    FAMILIES.iter().flat_map(|family| family.iter())
}

/// The list that zkCli prints when it does not understand.
pub(crate) fn usage() -> String {
    let mut verbs: Vec<&Verb> = all().collect();
    verbs.sort_by_key(|verb| verb.name);
    let mut out = String::from("quorate shell --server host:port command arguments\n");
    for verb in verbs {
        let _ = writeln!(out, "\t{} {}", verb.name, verb.synopsis);
    }
    out
}

impl Verb {
    /// How to write it.
    pub(crate) fn usage(&self) -> String {
        format!("{} {}", self.name, self.synopsis)
    }

    /// The failure of a use that does not follow the synopsis.
    pub(crate) fn misused(&self) -> Failure {
        Failure::Usage(self.usage())
    }
}

impl Call<'_> {
    /// The connection; the first use connects.
    fn zk(&mut self) -> Result<Connection, Failure> {
        self.shell.connection()
    }

    /// The argument at `index`; the usage error if there is none.
    fn argument(&self, index: usize) -> Result<String, Failure> {
        self.arguments.argument(index).map(str::to_owned).ok_or_else(|| self.verb.misused())
    }

    /// Whether the option was given.
    fn has(&self, option: &str) -> bool {
        self.arguments.has(option)
    }

    /// The value of `-v`, -1 when it was not given.
    fn version(&self) -> Result<i32, Failure> {
        self.arguments.value("v").map_or(Ok(-1), version)
    }

    /// zkCli 3.4's `get path watch`: a second argument stands for `-w`.
    fn accept_old_watch(&mut self, advice: &str) {
        if self.arguments.arguments.len() > 1 {
            self.arguments.add_flag("w");
            let name = self.verb.name;
            self.shell.complain(&[format!(
                "'{name} path [watch]' has been deprecated. Please use '{name} {advice} path' instead."
            )]);
        }
    }
}

/// Reads a version number.
fn version(text: &str) -> Result<i32, Failure> {
    text.parse().map_err(|_| Failure::Usage(format!("the version must be an int value: {text}")))
}

const FAMILIES: &[&[Verb]] = &[
    acl::VERBS,
    config::VERBS,
    counts::VERBS,
    create::VERBS,
    delete::VERBS,
    get::VERBS,
    help::VERBS,
    identity::VERBS,
    ls::VERBS,
    quota::VERBS,
    session::VERBS,
    set::VERBS,
    stat::VERBS,
    watch::VERBS,
    words::VERBS,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_options_are_in_the_synopsis() {
        let mut names: Vec<_> = all().map(|v| v.name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
        for verb in all() {
            assert!(!verb.help.is_empty(), "{}", verb.name);
            for option in verb.options {
                let shown = format!("-{}", option.name);
                assert!(verb.synopsis.contains(&shown), "{} lacks {shown}", verb.name);
            }
        }
    }

    #[test]
    fn zkcli_s_verbs_are_all_there() {
        for name in [
            "addWatch",
            "addauth",
            "close",
            "config",
            "connect",
            "create",
            "delete",
            "deleteall",
            "delquota",
            "exit",
            "get",
            "getAcl",
            "getAllChildrenNumber",
            "getEphemerals",
            "history",
            "listquota",
            "ls",
            "printwatches",
            "quit",
            "reconfig",
            "redo",
            "removewatches",
            "set",
            "setAcl",
            "setquota",
            "stat",
            "sync",
            "version",
            "whoami",
        ] {
            assert!(find(name).is_some(), "{name}");
        }
    }
}
