//! `help`, `version`, `history` and `redo`: the shell about itself.

use super::{Call, Verb, all, find};
use crate::shell::line::words;
use crate::shell::reply::{Failure, Reply};
use serde_json::{Value, json};
use std::fmt::Write as _;

pub(super) const VERBS: &[Verb] = &[
    Verb {
        name: "help",
        synopsis: "[verb]",
        help: "lists the verbs, or explains one",
        options: &[],
        required: 0,
        takes_path: false,
        run: help,
    },
    Verb {
        name: "history",
        synopsis: "",
        help: "prints the last commands with their numbers",
        options: &[],
        required: 0,
        takes_path: false,
        run: history,
    },
    Verb {
        name: "redo",
        synopsis: "cmdno",
        help: "carries out a command of the history again",
        options: &[],
        required: 1,
        takes_path: false,
        run: redo,
    },
    Verb {
        name: "version",
        synopsis: "",
        help: "prints the version of the shell",
        options: &[],
        required: 0,
        takes_path: false,
        run: version,
    },
];

fn help(call: &mut Call<'_>) -> Result<Reply, Failure> {
    if let Some(name) = call.arguments.argument(0) {
        let Some(verb) = find(name) else {
            return Err(Failure::Usage(format!("Command not found: Command not found {name}")));
        };
        let mut text = format!("{}\n  {}\n", verb.usage(), verb.help);
        for option in verb.options {
            let _ = writeln!(text, "  -{:<8} {}", option.name, option.help);
        }
        return Ok(Reply::new(text, to_json(verb)));
    }
    let mut verbs: Vec<&Verb> = all().collect();
    verbs.sort_by_key(|verb| verb.name.to_lowercase());
    let mut text = String::new();
    for verb in &verbs {
        let _ = writeln!(text, "{:<21} {}", verb.name, verb.help);
    }
    text.push_str("`help verb` tells how to write one.\n");
    let json: Value = verbs.into_iter().map(to_json).collect();
    Ok(Reply::new(text, json))
}

fn to_json(verb: &Verb) -> Value {
    json!({ "verb": verb.name, "synopsis": verb.usage(), "help": verb.help })
}

fn history(call: &mut Call<'_>) -> Result<Reply, Failure> {
    let lines = &call.shell.history;
    let first = lines.len().saturating_sub(SHOWN);
    let mut text = String::new();
    for (number, line) in lines.iter().enumerate().skip(first) {
        let _ = writeln!(text, "{number} - {line}");
    }
    let json = json!({ "first": first, "lines": lines.get(first..) });
    Ok(Reply::new(text, json))
}

fn redo(call: &mut Call<'_>) -> Result<Reply, Failure> {
    let number = call.argument(0)?;
    let present = call.shell.history.len().saturating_sub(1);
    let line = number
        .parse::<usize>()
        .ok()
        .filter(|&n| n < present)
        .and_then(|n| call.shell.history.get(n).cloned());
    let Some(line) = line else {
        return Err(Failure::Usage("Command index out of range".to_owned()));
    };
    let words = words(&line);
    if words.first().is_some_and(|verb| verb == "redo") {
        return Err(Failure::Usage("No redoing redos".to_owned()));
    }
    // The history tells what was done, not that it was done again.
    if let Some(last) = call.shell.history.last_mut() {
        *last = line;
    }
    call.shell.carry_out(&words)
}

fn version(call: &mut Call<'_>) -> Result<Reply, Failure> {
    if !call.arguments.arguments.is_empty() {
        return Err(call.verb.misused());
    }
    let version = env!("CARGO_PKG_VERSION");
    Ok(Reply::new(format!("quorate shell version: {version}\n"), json!({ "version": version })))
}

/// Lines that `history` prints, itself included.
const SHOWN: usize = 11;
