//! `addauth` and `whoami`: the identities of this connection.

use super::{Call, Verb};
use crate::shell::reply::{Failure, Reply};
use serde_json::{Value, json};

pub(super) const VERBS: &[Verb] = &[
    Verb {
        name: "addauth",
        synopsis: "scheme auth",
        help: "adds an identity, for example `addauth digest user:password`",
        options: &[],
        required: 1,
        takes_path: false,
        run: add_auth,
    },
    Verb {
        name: "whoami",
        synopsis: "",
        help: "prints the identities of this connection",
        options: &[],
        required: 0,
        takes_path: false,
        run: who_am_i,
    },
];

fn add_auth(call: &mut Call<'_>) -> Result<Reply, Failure> {
    let scheme = call.argument(0)?;
    let auth = call.arguments.argument(1).map(|text| text.as_bytes().to_vec());
    call.zk()?.add_auth(&scheme, auth.as_deref())?;
    Ok(Reply::silent(json!({ "scheme": scheme })))
}

fn who_am_i(call: &mut Call<'_>) -> Result<Reply, Failure> {
    let identities = call.zk()?.who_am_i()?;
    let mut text = String::from("Auth scheme: User\n");
    for (scheme, user) in &identities {
        text.push_str(&format!("{scheme}: {user}\n"));
    }
    let json: Value =
        identities.iter().map(|(scheme, user)| json!({ "scheme": scheme, "user": user })).collect();
    Ok(Reply::new(text, json!({ "identities": json })))
}
