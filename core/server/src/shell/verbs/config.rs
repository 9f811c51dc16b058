//! `config` and `reconfig`: the membership of the ensemble.

use super::{Call, Verb};
use crate::shell::args::Opt;
use crate::shell::format::{stat_block, stat_json};
use crate::shell::reply::{Failure, Reply};
use serde_json::json;

pub(super) const VERBS: &[Verb] = &[
    Verb {
        name: "config",
        synopsis: "[-c] [-w] [-s]",
        help: "prints the ensemble's configuration; it is empty on a standalone server",
        options: &[
            Opt::flag("c", "version and client addresses only"),
            Opt::flag("w", "leave a watch"),
            Opt::flag("s", "with the stat"),
        ],
        required: 0,
        takes_path: false,
        run: config,
    },
    Verb {
        name: "reconfig",
        synopsis: "[-s] [-v version] [[-file path] | \
                   [-members serverID=host:port1:port2;port3[,...]*]] | \
                   [-add serverId=host:port1:port2;port3[,...]]* [-remove serverId[,...]*]",
        help: "changes the membership of the ensemble",
        options: &[
            Opt::flag("s", "with the stat of the configuration node"),
            Opt::value("v", "only if the configuration has this version, in hex"),
            Opt::value("file", "take the new members from a configuration file"),
            Opt::value("members", "the new members"),
            Opt::value("add", "servers to add"),
            Opt::value("remove", "ids of servers to remove"),
        ],
        required: 0,
        takes_path: false,
        run: reconfig,
    },
];

fn config(call: &mut Call<'_>) -> Result<Reply, Failure> {
    let (data, stat) = call.zk()?.config(call.has("w"))?;
    let config = String::from_utf8_lossy(data.as_deref().unwrap_or(b"null")).into_owned();
    let mut text = if call.has("c") { client_addresses(&config) } else { config.clone() };
    text.push('\n');
    if call.has("s") {
        text.push_str(&stat_block(&stat));
    }
    Ok(Reply::new(text, json!({ "config": config, "stat": stat_json(&stat) })))
}

fn reconfig(call: &mut Call<'_>) -> Result<Reply, Failure> {
    let refuse = |text: &str| Err(Failure::Usage(text.to_owned()));
    let value = |name| call.arguments.value(name).map(str::to_lowercase);
    let (joining, leaving, members) = (value("add"), value("remove"), value("members"));
    let file = call.arguments.value("file");
    let whole = file.is_some() || members.is_some();
    let partial = joining.is_some() || leaving.is_some();
    if !whole && !partial {
        return Err(call.verb.misused());
    }
    let version = match call.arguments.value("v") {
        None => -1,
        Some(text) => match i64::from_str_radix(text, 16) {
            Ok(version) => version,
            Err(_) => {
                return refuse("-v must be followed by a long (configuration version)");
            }
        },
    };
    if whole && partial {
        return refuse(
            "Can't use -file or -members together with -add or -remove (mixing incremental and \
             non-incremental modes is not allowed)",
        );
    }
    if file.is_some() && members.is_some() {
        return refuse("Can't use -file and -members together (conflicting non-incremental modes)");
    }
    let members = match file {
        Some(name) => Some(members_of_file(name)?),
        None => members,
    };
    let zk = call.zk()?;
    let (data, stat) =
        zk.reconfig(joining.as_deref(), leaving.as_deref(), members.as_deref(), version)?;
    let config = String::from_utf8_lossy(data.as_deref().unwrap_or_default()).into_owned();
    let mut text = format!("Committed new configuration:\n{config}\n");
    if call.has("s") {
        text.push_str(&stat_block(&stat));
    }
    Ok(Reply::new(text, json!({ "config": config, "stat": stat_json(&stat) })))
}

/// The lines of a configuration file that describe members. Whether they make sense is the
/// leader's to say.
fn members_of_file(name: &str) -> Result<String, Failure> {
    let text = std::fs::read_to_string(name)
        .map_err(|e| Failure::Usage(format!("Error processing {name}: {e}")))?;
    let members: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| ["server.", "group.", "weight."].iter().any(|key| line.starts_with(key)))
        .collect();
    if members.is_empty() {
        return Err(Failure::Usage(format!("Error processing {name}: it has no server lines")));
    }
    Ok(members.join("\n"))
}

/// `version host:port,host:port`. Source: `org.apache.zookeeper.server.util.ConfigUtils`.
fn client_addresses(config: &str) -> String {
    let mut version = "";
    let mut addresses = Vec::new();
    for line in config.lines() {
        match line.split_once('=') {
            Some(("version", value)) => version = value.trim(),
            Some((key, value)) if key.starts_with("server.") => {
                let Some((servers, client)) = value.split_once(';') else { continue };
                if client.contains(':') {
                    addresses.push(client.to_owned());
                } else if let Some((host, _)) = servers.split_once(':') {
                    addresses.push(format!("{host}:{client}"));
                }
            }
            _ => {}
        }
    }
    format!("{version} {}", addresses.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_addresses_come_from_either_form() {
        let config = "server.1=a:1:2:participant;0.0.0.0:2181\nserver.2=b:1:2;2182\nversion=1f";
        assert_eq!(client_addresses(config), "1f 0.0.0.0:2181,b:2182");
        assert_eq!(client_addresses(""), " ");
    }
}
