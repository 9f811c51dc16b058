//! The shell at a terminal: editing, history, completion, and events between the lines.
//!
//! The history file is a convenience: if it cannot be read or written the shell works without it.

use super::args::Opt;
use super::session::{Link, Shell};
use super::verbs;
use crate::stop::Stop;
use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{CompletionType, Config, Context, Editor, ExternalPrinter as _, Helper};
use rustyline::{highlight::Highlighter, hint::Hinter, validate::Validator};
use signal_hook::consts::SIGTERM;
use signal_hook::iterator::Signals;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

/// Reads and carries out lines until `quit` or the end of input.
pub(super) fn run(shell: &mut Shell) -> anyhow::Result<u8> {
    let config = Config::builder()
        .completion_type(CompletionType::List)
        .history_ignore_dups(true)?
        .max_history_size(HISTORY_LINES)?
        .build();
    let mut editor: Editor<Completions, FileHistory> = Editor::with_config(config)?;
    editor.set_helper(Some(Completions { link: shell.link() }));
    let history = history_file();
    if let Some(file) = &history {
        let _ = editor.load_history(file);
    }
    if let Ok(mut printer) = editor.create_external_printer() {
        shell.set_screen(Box::new(move |text| {
            let _ = printer.print(text);
        }));
    }
    println!(
        "Connecting to {}\nWelcome to quorate! `help` lists the commands.",
        shell.settings.server
    );
    // A prompt that says CONNECTED is friendlier; without a server the prompt comes as well.
    let _ = shell.connect(None)?.settle(FIRST_PATIENCE);
    let stop = shell.settings.stop.clone();
    let at_prompt = Arc::new(AtomicBool::new(false));
    leave_prompt_on_signal(&stop, &at_prompt)?;
    let mut code = 0;
    loop {
        stop.begin_anew();
        at_prompt.store(true, Ordering::SeqCst);
        if stop.is_final() {
            return Ok(stop.exit_code());
        }
        let line = editor.readline(&shell.prompt());
        at_prompt.store(false, Ordering::SeqCst);
        match line {
            Ok(line) => {
                if line.trim().is_empty() {
                    continue;
                }
                let _ = editor.add_history_entry(line.as_str());
                // Now and not at the end: whatever ends the shell, the line is kept.
                if let Some(file) = &history {
                    let _ = editor.append_history(file);
                }
                let outcome = shell.line(&line);
                if shell.quitting {
                    break;
                }
                code = outcome.unwrap_or(code);
            }
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(code)
}

/// Ends the waiting for a line when SIGTERM comes: the editor itself returns only for Ctrl-C.
fn leave_prompt_on_signal(stop: &Stop, at_prompt: &Arc<AtomicBool>) -> std::io::Result<()> {
    let mut signals = Signals::new([SIGTERM])?;
    let (stop, at_prompt) = (stop.clone(), Arc::clone(at_prompt));
    let wait = move || {
        if signals.forever().next().is_none() {
            return;
        }
        // Again and again: the editor may be just about to wait.
        loop {
            if at_prompt.load(Ordering::SeqCst) {
                // Where the editor does not listen yet this counts as a Ctrl-C, and two of those would end the process.
                stop.begin_anew();
                let _ = rustix::process::kill_process(
                    rustix::process::getpid(),
                    rustix::process::Signal::INT,
                );
            }
            std::thread::sleep(NUDGE);
        }
    };
    std::thread::Builder::new().name("quorate-shell-signals".to_owned()).spawn(wait)?;
    Ok(())
}

/// `$XDG_STATE_HOME/quorate/history`, or below `~/.local/state`; its folder is made if need be.
fn history_file() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let state = set("XDG_STATE_HOME").or_else(|| Some(set("HOME")?.join(".local/state")))?;
    let folder = state.join("quorate");
    std::fs::create_dir_all(&folder).ok()?;
    Some(folder.join("history"))
}

/// Completes verbs, options and paths.
struct Completions {
    link: Link,
}

impl Completer for Completions {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        pos: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let before = line.get(..pos).unwrap_or(line);
        let start = before.rfind([' ', '\'', '"']).map_or(0, |at| at + 1);
        let word = before.get(start..).unwrap_or_default();
        let candidates = match before.split_whitespace().next() {
            Some(name) if start > 0 && word.starts_with('/') => {
                if takes_path(name) {
                    self.paths(word)
                } else {
                    Vec::new()
                }
            }
            Some("help") if start > 0 => verb_names(word),
            Some(name) if start > 0 => options(name, word),
            _ => verb_names(word),
        };
        Ok((start, candidates))
    }
}

impl Completions {
    /// Nodes whose path begins with `typed`, asked of the server.
    fn paths(&self, typed: &str) -> Vec<Pair> {
        let Some((parent, begun)) = typed.rsplit_once('/') else { return Vec::new() };
        let connection = self.link.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // A user who is not connected must not wait for a connection only because of a tab.
        let Some(connection) = connection.filter(|c| c.state().is_serving()) else {
            return Vec::new();
        };
        let node = if parent.is_empty() { "/" } else { parent };
        let Ok((children, _)) = connection.children(node, false) else { return Vec::new() };
        children
            .into_iter()
            .filter(|name| name.starts_with(begun))
            .map(|name| Pair { replacement: format!("{parent}/{name}"), display: name })
            .collect()
    }
}

fn takes_path(verb: &str) -> bool {
    verbs::find(verb).is_some_and(|verb| verb.takes_path)
}

fn verb_names(begun: &str) -> Vec<Pair> {
    let mut names: Vec<&str> =
        verbs::all().map(|verb| verb.name).filter(|name| name.starts_with(begun)).collect();
    names.sort_unstable();
    names
        .into_iter()
        .map(|name| Pair { display: name.to_owned(), replacement: format!("{name} ") })
        .collect()
}

fn options(verb: &str, begun: &str) -> Vec<Pair> {
    let known: &[Opt] = verbs::find(verb).map_or(&[], |verb| verb.options);
    known
        .iter()
        .map(|option| (format!("-{}", option.name), option.help))
        .filter(|(option, _)| !begun.is_empty() && option.starts_with(begun))
        .map(|(option, help)| Pair {
            display: format!("{option} {help}"),
            replacement: format!("{option} "),
        })
        .collect()
}

impl Helper for Completions {}
impl Highlighter for Completions {}
impl Validator for Completions {}
impl Hinter for Completions {
    type Hint = String;
}

/// How often the editor is asked to return.
const NUDGE: Duration = Duration::from_millis(50);
/// How long the first prompt waits for a connection.
const FIRST_PATIENCE: Duration = Duration::from_secs(1);
const HISTORY_LINES: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;
    use rustyline::history::MemHistory;

    #[test]
    fn verbs_and_options_are_completed_and_paths_only_when_connected() {
        let completions = Completions { link: Link::default() };
        let history = MemHistory::new();
        for (line, start, expected) in [
            ("getA", 0, &["getAcl ", "getAllChildrenNumber "][..]),
            ("help setA", 5, &["setAcl "]),
            ("ls -", 3, &["-s ", "-w ", "-R "]),
            ("ls /", 3, &[]),
            ("reconfig -ad", 9, &["-add "]),
            ("bogus -", 6, &[]),
        ] {
            let context = Context::new(&history);
            let (at, found) = completions.complete(line, line.len(), &context).unwrap();
            let found: Vec<_> = found.iter().map(|pair| pair.replacement.as_str()).collect();
            assert_eq!((at, &found[..]), (start, expected), "{line:?}");
        }
    }
}
