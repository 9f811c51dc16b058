//! `create`: a node of any kind.

use super::{Call, Verb};
use crate::shell::args::Opt;
use crate::shell::client::keeper_message;
use crate::shell::format::parse_acl;
use crate::shell::reply::{Failure, Reply};
use quorate_wire::op::create::CreateMode;
use quorate_wire::stat::MAX_TTL;
use quorate_wire::{Acl, ErrorCode, acl};
use serde_json::json;

pub(super) const VERBS: &[Verb] = &[Verb {
    name: "create",
    synopsis: "[-s] [-e] [-c] [-t ttl] path [data] [acl]",
    help: "creates a node",
    options: &[
        Opt::flag("s", "sequential: the server appends a number to the name"),
        Opt::flag("e", "ephemeral: the node ends with this session"),
        Opt::flag("c", "container: removed some time after its last child"),
        Opt::value("t", "removed when unchanged and childless for so many ms"),
    ],
    required: 1,
    takes_path: true,
    run,
}];

fn run(call: &mut Call<'_>) -> Result<Reply, Failure> {
    let (mode, ttl) = mode(call)?;
    let path = call.argument(0)?;
    let data = call.arguments.argument(1).map(str::as_bytes);
    let mut complaints = Vec::new();
    let acl = match call.arguments.argument(2) {
        Some(text) => parse_acl(text, &mut complaints),
        None => vec![Acl::world(acl::ALL)],
    };
    let data = data.map(<[u8]>::to_vec);
    call.shell.complain(&complaints);
    match call.zk()?.create(&path, data.as_deref(), acl, mode, ttl) {
        Ok(created) => {
            let note = format!("Created {created}");
            Ok(Reply::silent(json!({ "path": created })).with_note(note))
        }
        Err(error) => {
            if error.is(ErrorCode::InvalidAcl) {
                call.shell.complain(&[keeper_message(ErrorCode::InvalidAcl, error.path())]);
            }
            Err(error.into())
        }
    }
}

/// The kind of node that the options describe.
fn mode(call: &Call<'_>) -> Result<(CreateMode, i64), Failure> {
    let refuse = |text: &str| Err(Failure::Usage(text.to_owned()));
    let (ephemeral, sequential) = (call.has("e"), call.has("s"));
    if call.has("c") && (ephemeral || sequential) {
        return refuse(
            "-c cannot be combined with -s or -e. Containers cannot be ephemeral or sequential.",
        );
    }
    let Some(ttl) = call.arguments.value("t") else {
        let mode = match (ephemeral, sequential) {
            (true, true) => CreateMode::EphemeralSequential,
            (true, false) => CreateMode::Ephemeral,
            (false, true) => CreateMode::PersistentSequential,
            (false, false) if call.has("c") => CreateMode::Container,
            (false, false) => CreateMode::Persistent,
        };
        return Ok((mode, -1));
    };
    let Ok(ttl) = ttl.parse::<i64>() else {
        return refuse("-t argument must be a long value");
    };
    if ephemeral {
        return refuse("TTLs cannot be used with Ephemeral znodes");
    }
    if call.has("c") {
        return refuse("TTLs cannot be used with Container znodes");
    }
    if !(1..=MAX_TTL).contains(&ttl) {
        return refuse(&format!("ttl must be positive and cannot be larger than: {MAX_TTL}"));
    }
    let mode = if sequential {
        CreateMode::PersistentSequentialWithTtl
    } else {
        CreateMode::PersistentWithTtl
    };
    Ok((mode, ttl))
}
