//! `quorate shell` against a server: scenarios of commands and what they print.
//!
//! A scenario is a text file in `tests/shell`: a line `$ command`, then what it prints, standard output
//! and error together as at a terminal. All commands of a file are one session. Zxids, sessions and times
//! are masked. `UPDATE=1` writes the files anew; the difference is for a person to judge.
//! `QUORATE_SHELL_SERVER=host:port` takes another server, Apache's for one.

#![expect(clippy::expect_used, reason = "the helpers of a test fail as the test does")]

mod support;

use serde_json::{Value, json};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::process::{Command, Output, Stdio};
use support::server;

#[test]
fn nodes_are_created_read_changed_and_deleted() {
    scenario("nodes");
}

#[test]
fn commands_that_make_no_sense_are_explained() {
    scenario("usage");
}

#[test]
fn acls_are_read_set_and_obeyed() {
    scenario("acl");
}

#[test]
fn events_come_before_the_answers_that_reflect_them() {
    scenario("watches");
}

#[test]
fn quotas_are_written_as_apache_writes_them() {
    scenario("quota");
}

#[test]
fn sessions_begin_and_end_on_command() {
    scenario("session");
}

#[test]
fn a_chroot_goes_on_and_comes_off() {
    let server = server();
    let top = format!("{}/t-chroot", server.address());
    clean(server.address(), "/t-chroot");
    one_shot(server.address(), &["create", "/t-chroot"]);
    for (command, expected) in [
        (&["create", "/a", "x"][..], "Created /a\n"),
        (&["create", "-s", "/a/s-"], "Created /a/s-0000000000\n"),
        (&["ls", "-R", "/"], "/\n/a\n/a/s-0000000000\n"),
        (&["get", "/none"], "Node does not exist: /none\n"),
        (&["deleteall", "/a"], ""),
        (&["ls", "/"], "[]\n"),
    ] {
        let output = one_shot(&top, command);
        assert_eq!(text(&output.stdout) + &text(&output.stderr), expected, "{command:?}");
    }
    clean(server.address(), "/t-chroot");
}

#[test]
fn a_single_command_answers_on_stdout_fails_on_stderr_and_sets_the_exit_code() {
    let server = server();
    clean(server.address(), "/t-single");
    for (command, code, stdout, stderr) in [
        (&["create", "/t-single", "two words"][..], 0, "", "Created /t-single\n"),
        (&["get", "/t-single"], 0, "two words\n", ""),
        (&["create", "/t-single"], 1, "", "Node already exists: /t-single\n"),
        (&["set", "-v", "7", "/t-single", "x"], 1, "", "version No is not valid : /t-single\n"),
        (&["get", "-b", "/t-single"], 0, "dHdvIHdvcmRz\n", ""),
        (&["set", "-b", "/t-single", "/w=="], 0, "", ""),
        (&["get", "-b", "/t-single"], 0, "/w==\n", ""),
        (&["ls"], 2, "", "ls [-s] [-w] [-R] path\n"),
        (&["ls", "no-slash"], 1, "", "Path must start with / character\n"),
        (&["4lw", "srvr", "x"], 0, "*", ""),
        (&["4lw", "toolong"], 2, "", "toolong is no four-letter word\n"),
        (&["delete", "/t-single"], 0, "", ""),
        (&["delete", "/t-single"], 1, "", "Node does not exist: /t-single\n"),
    ] {
        let output = one_shot(server.address(), command);
        assert_eq!(output.status.code(), Some(code), "{command:?}");
        assert_eq!(text(&output.stderr), stderr, "{command:?}");
        assert!(stdout == "*" || text(&output.stdout) == stdout, "{command:?}: {output:?}");
    }
}

/// `/dev/full` takes nothing, like a redirection to a full disk.
#[test]
#[cfg(target_os = "linux")]
fn an_answer_that_cannot_be_written_is_a_failure_and_no_panic() {
    let server = server();
    let full = || File::options().write(true).open("/dev/full").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
    command.args(["shell", "-s", server.address(), "ls", "/"]);
    let output = command.stdout(full()).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(text(&output.stderr).starts_with("cannot write the answer: "), "{output:?}");
    let silenced = command.stdout(full()).stderr(full()).output().unwrap();
    assert_eq!(silenced.status.code(), Some(1), "{silenced:?}");
}

#[test]
fn json_answers_hold_the_same_for_programs() {
    let server = server();
    clean(server.address(), "/t-json");
    let ask = |command: &[&str]| {
        let mut words = vec!["--json"];
        words.extend(command);
        let output = one_shot(server.address(), &words);
        let shown = if output.status.success() { &output.stdout } else { &output.stderr };
        let silent = if output.status.success() { &output.stderr } else { &output.stdout };
        assert_eq!(text(silent), "", "{command:?}");
        let mut value: Value = serde_json::from_slice(shown).expect("a line of JSON");
        if let Some(stat) = value.get_mut("stat") {
            *stat = json!([stat["version"], stat["dataLength"], stat["numChildren"]]);
        }
        value
    };
    for (command, expected) in [
        (&["create", "/t-json", "ü"][..], json!({"path": "/t-json"})),
        (
            &["get", "/t-json"],
            json!({"path": "/t-json", "data": "ü", "encoding": "utf8", "stat": [0, 2, 0]}),
        ),
        (&["set", "-b", "/t-json", "/w=="], json!({"path": "/t-json", "stat": [1, 1, 0]})),
        (
            &["get", "/t-json"],
            json!({"path": "/t-json", "data": "/w==", "encoding": "base64", "stat": [1, 1, 0]}),
        ),
        (&["create", "-s", "/t-json/s-"], json!({"path": "/t-json/s-0000000000"})),
        (
            &["ls", "/t-json"],
            json!({"path": "/t-json", "children": ["s-0000000000"], "stat": [1, 1, 1]}),
        ),
        (
            &["ls", "-R", "/t-json"],
            json!({"path": "/t-json", "paths": ["/t-json", "/t-json/s-0000000000"]}),
        ),
        (
            &["getAcl", "/t-json"],
            json!({"path": "/t-json", "stat": [1, 1, 1],
                   "acl": [{"scheme": "world", "id": "anyone", "perms": "cdrwa"}]}),
        ),
        (
            &["delete", "/t-json"],
            json!({"error": {"code": -111, "name": "NotEmpty", "path": "/t-json",
                             "message": "Node not empty: /t-json"}}),
        ),
        (
            &["bogus"],
            json!({"error": {"code": -8, "name": "BadArguments", "path": null,
                             "message": "Command not found: Command not found bogus"}}),
        ),
        (&["deleteall", "/t-json"], json!({"deleted": "/t-json", "nodes": 2})),
    ] {
        assert_eq!(ask(command), expected, "{command:?}");
    }
}

/// Runs the commands of a file as one session and compares everything it prints.
fn scenario(name: &str) {
    let file = format!("{}/tests/shell/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    let expected = fs::read_to_string(&file).expect("the scenario");
    let server = server();
    clean(server.address(), &format!("/t-{name}"));
    let commands: Vec<&str> = expected.lines().filter_map(|line| line.strip_prefix("$ ")).collect();
    let printed = session(server.address(), &commands);
    let mut actual: String = expected
        .lines()
        .take_while(|line| line.starts_with('#'))
        .map(|l| format!("{l}\n"))
        .collect();
    let mut parts = printed.split(MARK);
    for command in commands {
        let part = parts.next().unwrap_or_default();
        let _ = write!(actual, "$ {command}\n{}", part.lines().map(mask).collect::<String>());
    }
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&file, &actual).expect("a writable scenario");
    }
    assert_eq!(actual, expected, "{file}");
    clean(server.address(), &format!("/t-{name}"));
}

/// What a shell prints that reads these commands from a pipe, with a mark after each.
fn session(address: &str, commands: &[&str]) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let transcript = folder.path().join("transcript");
    let out = File::create(&transcript).expect("a file");
    let mut shell = Command::new(env!("CARGO_BIN_EXE_quorate"))
        .args(["shell", "-s", address])
        .stdin(Stdio::piped())
        .stdout(out.try_clone().expect("a second handle"))
        .stderr(out)
        .spawn()
        .expect("the shell");
    let mut input = shell.stdin.take().expect("a pipe");
    // The first answer waits for the connection and its event; what precedes it is not compared.
    let mut lines = format!("sync /\n{MARKER}\n");
    for command in commands {
        let _ = write!(lines, "{command}\n{MARKER}\n");
    }
    input.write_all(lines.as_bytes()).expect("a reading shell");
    drop(input);
    shell.wait().expect("the shell ends");
    let printed = fs::read_to_string(&transcript).expect("a transcript");
    printed.split_once(MARK).map(|(_, rest)| rest.to_owned()).expect("an answer to sync")
}

fn one_shot(address: &str, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_quorate"))
        .args(["shell", "-s", address])
        .args(words)
        .stdin(Stdio::null())
        .output()
        .expect("the shell")
}

/// Removes what an earlier run may have left on a server that is not ours.
fn clean(address: &str, top: &str) {
    one_shot(address, &["delquota", top]);
    one_shot(address, &["deleteall", top]);
}

/// Hides what differs from run to run.
fn mask(line: &str) -> String {
    let masked = match line.split_once(" = ") {
        Some((label @ ("ctime" | "mtime"), _)) => format!("{label} = DATE"),
        Some((label @ ("cZxid" | "mZxid" | "pZxid" | "ephemeralOwner"), value))
            if value != "0x0" =>
        {
            format!("{label} = 0xN")
        }
        _ => line.to_owned(),
    };
    masked + "\n"
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A command whose answer stands between those of two others.
const MARKER: &str = "printwatches";
const MARK: &str = "printwatches is on\n";
