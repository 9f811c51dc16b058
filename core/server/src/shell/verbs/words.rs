//! `4lw`: a four-letter word, which zkCli's users send with nc.

use super::{Call, Verb};
use crate::shell::reply::{Failure, Reply};
use serde_json::json;

pub(super) const VERBS: &[Verb] = &[Verb {
    name: "4lw",
    synopsis: "word",
    help: "asks the server a four-letter word, for example `4lw srvr`",
    options: &[],
    required: 1,
    takes_path: false,
    run,
}];

fn run(call: &mut Call<'_>) -> Result<Reply, Failure> {
    let word = call.argument(0)?;
    if word.len() != 4 || !word.bytes().all(|b| b.is_ascii_lowercase()) {
        return Err(Failure::Usage(format!("{word} is no four-letter word")));
    }
    let mut text = call
        .zk()?
        .four_letter_word(&word)
        .map_err(|e| Failure::Failed(format!("no answer to {word}: {e}")))?;
    let json = json!({ "word": word, "answer": text });
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(Reply::new(text, json))
}
