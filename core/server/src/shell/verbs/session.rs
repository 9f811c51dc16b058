//! `connect`, `close`, `quit`, `exit` and `sync`: the session itself.

use super::{Call, Verb};
use crate::shell::reply::{Failure, Reply};
use serde_json::json;
use std::time::Duration;

pub(super) const VERBS: &[Verb] = &[
    Verb {
        name: "close",
        synopsis: "",
        help: "ends the session; its ephemeral nodes go",
        options: &[],
        required: 0,
        takes_path: false,
        run: close,
    },
    Verb {
        name: "connect",
        synopsis: "host:port",
        help: "ends the session and begins another, with the same server if none is named",
        options: &[],
        required: 0,
        takes_path: false,
        run: connect,
    },
    Verb {
        name: "exit",
        synopsis: "",
        help: "the same as quit",
        options: &[],
        required: 0,
        takes_path: false,
        run: quit,
    },
    Verb {
        name: "quit",
        synopsis: "",
        help: "ends the session and the shell",
        options: &[],
        required: 0,
        takes_path: false,
        run: quit,
    },
    Verb {
        name: "sync",
        synopsis: "path",
        help: "brings the server up to date with the leader",
        options: &[],
        required: 1,
        takes_path: true,
        run: sync,
    },
];

fn close(call: &mut Call<'_>) -> Result<Reply, Failure> {
    call.shell.close();
    Ok(Reply::silent(json!({ "closed": true })))
}

fn connect(call: &mut Call<'_>) -> Result<Reply, Failure> {
    let connection = call.shell.connect(call.arguments.argument(0))?;
    connection.settle(Duration::MAX)?;
    Ok(Reply::silent(json!({ "server": connection.target().to_string() })))
}

fn quit(call: &mut Call<'_>) -> Result<Reply, Failure> {
    call.shell.quitting = true;
    call.shell.close();
    Ok(Reply::silent(json!({ "closed": true })))
}

fn sync(call: &mut Call<'_>) -> Result<Reply, Failure> {
    let path = call.argument(0)?;
    call.zk()?.sync(&path)?;
    Ok(Reply::new("Sync is OK\n", json!({ "path": path, "synced": true })))
}
