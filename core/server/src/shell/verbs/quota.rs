//! `setquota`, `listquota` and `delquota`: limits on a subtree.
//!
//! A quota is two nodes below `/zookeeper/quota`, made and removed by clients; the server only keeps the
//! books. Source: `org.apache.zookeeper.cli.SetQuotaCommand`, `DelQuotaCommand`, `ListQuotaCommand`.

use super::ls::walk;
use super::quota_text::QuotaText;
use super::{Call, Verb};
use crate::shell::args::Opt;
use crate::shell::client::{ClientError, Connection};
use crate::shell::reply::{Failure, Reply};
use quorate_wire::op::create::CreateMode;
use quorate_wire::{Acl, ErrorCode, acl};
use serde_json::{Value, json};

pub(super) const VERBS: &[Verb] = &[
    Verb {
        name: "delquota",
        synopsis: "[-n|-b|-N|-B] path",
        help: "removes one limit of a quota, or the quota",
        options: &[
            Opt::flag("n", "the soft limit of nodes"),
            Opt::flag("b", "the soft limit of bytes"),
            Opt::flag("N", "the hard limit of nodes"),
            Opt::flag("B", "the hard limit of bytes"),
        ],
        required: 1,
        takes_path: true,
        run: delete,
    },
    Verb {
        name: "listquota",
        synopsis: "path",
        help: "prints the limits and the totals of a node's quota",
        options: &[],
        required: 1,
        takes_path: true,
        run: list,
    },
    Verb {
        name: "setquota",
        synopsis: "-n|-b|-N|-B val path",
        help: "limits the nodes or bytes at and below a node",
        options: &[
            Opt::value("n", "nodes, soft: the server only logs"),
            Opt::value("b", "bytes, soft"),
            Opt::value("N", "nodes, hard: the server refuses more, if it enforces quotas"),
            Opt::value("B", "bytes, hard"),
        ],
        required: 1,
        takes_path: true,
        run: set,
    },
];

fn set(call: &mut Call<'_>) -> Result<Reply, Failure> {
    let path = call.argument(0)?;
    let Some(option) = chosen(call)? else {
        return Err(Failure::Usage(
            "Missing required option: [-n num soft quota, -b bytes soft quota, \
             -N num hard quota, -B bytes hard quota]"
                .to_owned(),
        ));
    };
    if path.starts_with(QUOTA_ROOT) {
        return Err(Failure::Usage(format!("cannot set a quota under the path: {QUOTA_ROOT}")));
    }
    let value = limit(option, call.arguments.value(option).unwrap_or_default())?;
    let zk = call.zk()?;
    if zk.exists(&path, false)?.is_none() {
        return Err(Failure::Failed(format!("{path} does not exist.")));
    }
    refuse_nesting(&zk, &path)?;
    make_parents(&zk, &path)?;
    let (limits_at, stats_at) = (limits_node(&path), stats_node(&path));
    let is_new = zk.exists(&limits_at, false)?.is_none();
    let mut limits = if is_new { QuotaText::unlimited() } else { read(&zk, &limits_at)? };
    limits.set(key(option), value);
    let text = limits.to_string();
    if is_new {
        make(&zk, &limits_at, Some(&text))?;
        make(&zk, &stats_at, Some(&QuotaText::zero().to_string()))?;
    }
    let totals = read(&zk, &stats_at)?;
    if !is_new {
        zk.set(&limits_at, text.as_bytes(), -1)?;
    }
    let json = json!({ "path": path, "limits": numbers(&limits), "totals": numbers(&totals) });
    Ok(Reply::new(warnings(&limits, &totals), json))
}

fn list(call: &mut Call<'_>) -> Result<Reply, Failure> {
    let path = call.argument(0)?;
    let limits_at = limits_node(&path);
    call.shell.complain(&[format!("absolute path is {limits_at}")]);
    let zk = call.zk()?;
    let absent = |failure| match failure {
        Failure::Client(e) if e.is(ErrorCode::NoNode) => {
            Failure::Failed(format!("quota for {path} does not exist."))
        }
        other => other,
    };
    let limits = read(&zk, &limits_at).map_err(absent)?;
    let totals = read(&zk, &stats_node(&path)).map_err(absent)?;
    let text = format!("Output quota for {path} {limits}\nOutput stat for {path} {totals}\n");
    let json = json!({ "path": path, "limits": numbers(&limits), "totals": numbers(&totals) });
    Ok(Reply::new(text, json))
}

fn delete(call: &mut Call<'_>) -> Result<Reply, Failure> {
    let path = call.argument(0)?;
    let option = chosen(call)?;
    let zk = call.zk()?;
    let limits_at = limits_node(&path);
    let json = json!({ "path": path });
    if zk.exists(&limits_at, false)?.is_none() {
        return Ok(Reply::new(format!("Quota does not exist for {path}\n"), json));
    }
    if let Some(option) = option {
        let mut limits = read(&zk, &limits_at)?;
        limits.set(key(option), -1);
        zk.set(&limits_at, limits.to_string().as_bytes(), -1)?;
        let json = json!({ "path": path, "limits": numbers(&limits) });
        return Ok(Reply::silent(json));
    }
    let at = quota_node(&path);
    for child in zk.children(&at, false)?.0 {
        zk.delete(&format!("{at}/{child}"), -1)?;
    }
    remove_empty(&zk, at)?;
    Ok(Reply::silent(json))
}

/// The one limit that the options name.
fn chosen(call: &Call<'_>) -> Result<Option<&'static str>, Failure> {
    match call.arguments.names().as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(one)),
        [first, second, ..] => Err(Failure::Usage(format!(
            "The option '{second}' was specified but an option from this group has already been \
             selected: '{first}'"
        ))),
    }
}

const fn key(option: &str) -> &'static str {
    match option.as_bytes() {
        b"n" => QuotaText::COUNT,
        b"b" => QuotaText::BYTES,
        b"N" => QuotaText::COUNT_HARD,
        _ => QuotaText::BYTES_HARD,
    }
}

fn limit(option: &str, text: &str) -> Result<i64, Failure> {
    let is_count = matches!(option, "n" | "N");
    let number = if is_count { text.parse::<i32>().map(i64::from) } else { text.parse() };
    let complaint = match number {
        Err(_) => "NumberFormatException happens when parsing the option value",
        Ok(n) if is_count && n <= 0 => "the num quota must be greater than zero",
        Ok(n) if n < 0 => "the bytes quota must be greater than or equal to zero",
        Ok(n) => return Ok(n),
    };
    Err(Failure::Usage(complaint.to_owned()))
}

/// A path has at most one quota on it: none may be above or below.
fn refuse_nesting(zk: &Connection, path: &str) -> Result<(), Failure> {
    let own = quota_node(path);
    let below = walk(zk, &own, false, &mut |node| match node.strip_suffix("/zookeeper_limits") {
        Some(at) if at != own => {
            let other = at.strip_prefix(QUOTA_ROOT).unwrap_or(at);
            Err(Failure::Failed(format!("{path} has a child {other} which has a quota")))
        }
        _ => Ok(()),
    });
    match below {
        Err(Failure::Client(e)) if e.is(ErrorCode::NoNode) => {}
        other => other?,
    }
    let mut above = path;
    while let Some((parent, _)) = above.rsplit_once('/').filter(|(parent, _)| !parent.is_empty()) {
        if zk.exists(&limits_node(parent), false)?.is_some() {
            return Err(Failure::Failed(format!("{path} has a parent {parent} which has a quota")));
        }
        above = parent;
    }
    Ok(())
}

/// Makes the nodes from `/zookeeper` down to the one that stands for `path`.
fn make_parents(zk: &Connection, path: &str) -> Result<(), Failure> {
    let mut at = String::new();
    let whole = quota_node(path);
    for name in whole.split('/').skip(1).filter(|name| !name.is_empty()) {
        at.push('/');
        at.push_str(name);
        if zk.exists(&at, false)?.is_none() {
            make(zk, &at, None)?;
        }
    }
    Ok(())
}

fn make(zk: &Connection, path: &str, data: Option<&str>) -> Result<(), ClientError> {
    let open = vec![Acl::world(acl::ALL)];
    match zk.create(path, data.map(str::as_bytes), open, CreateMode::Persistent, -1) {
        // Somebody else was faster with a node that everybody shares.
        Err(e) if data.is_none() && e.is(ErrorCode::NodeExists) => Ok(()),
        other => other.map(|_| ()),
    }
}

/// Removes a quota node and those above it that have become useless.
fn remove_empty(zk: &Connection, mut at: String) -> Result<(), ClientError> {
    while at != QUOTA_ROOT && zk.children(&at, false)?.0.is_empty() {
        zk.delete(&at, -1)?;
        match at.rsplit_once('/') {
            Some((parent, _)) => at.truncate(parent.len()),
            None => break,
        }
    }
    Ok(())
}

fn read(zk: &Connection, at: &str) -> Result<QuotaText, Failure> {
    let (data, _) = zk.get(at, false)?;
    QuotaText::parse(data.as_deref().unwrap_or_default()).ok_or_else(|| {
        Failure::Failed(format!("{at} does not hold a quota; `get {at}` shows what it holds"))
    })
}

fn warnings(limits: &QuotaText, totals: &QuotaText) -> String {
    let mut text = String::new();
    for (noun, existing, soft, hard) in [
        ("count", "count", QuotaText::COUNT, QuotaText::COUNT_HARD),
        ("bytes", "bytes", QuotaText::BYTES, QuotaText::BYTES_HARD),
    ] {
        let total = totals.get(soft);
        if limits.is_exceeded(soft, hard, total) {
            text.push_str(&format!(
                "[Warning]: the {noun} quota you create is less than the existing {existing}:{total}\n"
            ));
        }
    }
    text
}

fn numbers(text: &QuotaText) -> Value {
    json!({
        "count": text.get(QuotaText::COUNT),
        "bytes": text.get(QuotaText::BYTES),
        "countHardLimit": text.get(QuotaText::COUNT_HARD),
        "byteHardLimit": text.get(QuotaText::BYTES_HARD),
    })
}

fn quota_node(path: &str) -> String {
    format!("{QUOTA_ROOT}{path}")
}

fn limits_node(path: &str) -> String {
    format!("{}/zookeeper_limits", quota_node(path))
}

fn stats_node(path: &str) -> String {
    format!("{}/zookeeper_stats", quota_node(path))
}

const QUOTA_ROOT: &str = "/zookeeper/quota";
