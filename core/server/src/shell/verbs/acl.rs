//! `getAcl` and `setAcl`: who may do what to a node.

use super::ls::{show_count, walk};
use super::{Call, Verb};
use crate::shell::args::Opt;
use crate::shell::client::ClientError;
use crate::shell::format::{acl_json, acl_lines, parse_acl, stat_block, stat_json};
use crate::shell::reply::{Failure, Reply};
use crate::shell::session::Shell;
use serde_json::json;

pub(super) const VERBS: &[Verb] = &[
    Verb {
        name: "getAcl",
        synopsis: "[-s] path",
        help: "prints the ACL of a node",
        options: &[Opt::flag("s", "with the stat")],
        required: 1,
        takes_path: true,
        run: get_acl,
    },
    Verb {
        name: "setAcl",
        synopsis: "[-s] [-v version] [-R] path acl",
        help: "replaces the ACL of a node; acl is scheme:id:perms[,...], perms are letters of cdrwa",
        options: &[
            Opt::flag("s", "print the new stat"),
            Opt::value("v", "only if the ACL has this version"),
            Opt::flag("R", "also of every node below"),
        ],
        required: 2,
        takes_path: true,
        run: set_acl,
    },
];

fn get_acl(call: &mut Call<'_>) -> Result<Reply, Failure> {
    let path = call.argument(0)?;
    let (acl, stat) = call.zk()?.acl(&path)?;
    let mut text: String = acl.iter().map(acl_lines).collect();
    if call.has("s") {
        text.push_str(&stat_block(&stat));
    }
    let json = json!({ "path": path, "acl": acl_json(&acl), "stat": stat_json(&stat) });
    Ok(Reply::new(text, json))
}

fn set_acl(call: &mut Call<'_>) -> Result<Reply, Failure> {
    let path = call.argument(0)?;
    let mut complaints = Vec::new();
    let acl = parse_acl(&call.argument(1)?, &mut complaints);
    call.shell.complain(&complaints);
    let version = call.version()?;
    let zk = call.zk()?;
    if call.has("R") {
        let mut nodes = 0_usize;
        let mut refusals = Vec::new();
        let progress = Shell::progress("setting the ACL", None);
        let walked = walk(&zk, &path, false, &mut |node| {
            // One refusal does not keep the other nodes from their new ACL.
            match zk.set_acl(node, &acl, version) {
                Ok(_) => nodes += 1,
                Err(e @ ClientError::Interrupted { .. }) => return Err(e.into()),
                Err(e) => refusals.push(e.to_string()),
            }
            show_count(&progress, nodes);
            Ok(())
        });
        drop(progress);
        walked.map_err(|failure| failure.after(|| format!("{nodes} nodes have the new ACL")))?;
        if !refusals.is_empty() {
            return Err(Failure::Failed(refusals.join("\n")));
        }
        return Ok(Reply::silent(json!({ "path": path, "nodes": nodes })));
    }
    let stat = zk.set_acl(&path, &acl, version)?;
    let text = if call.has("s") { stat_block(&stat) } else { String::new() };
    Ok(Reply::new(text, json!({ "path": path, "stat": stat_json(&stat) })))
}
