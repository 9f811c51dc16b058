//! Ctrl-C and SIGTERM in the shell: the command ends, the session is closed, the history is kept; and long commands say how far
//! they are. The peer is scripted, so that nothing depends on how fast anything is.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/peer.rs"]
mod peer;
#[path = "support/program.rs"]
mod program;

use peer::{Peer, read_frame, reply, request, respond};
use program::{Program, quorate};
use quorate_wire::op::delete::DeleteRequest;
use quorate_wire::op::get_children::GetChildren2Response;
use quorate_wire::op::get_data::GetDataResponse;
use quorate_wire::{Jute as _, OpCode, Stat};
use rustix::process::Signal;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

#[test]
fn a_single_command_that_waits_is_given_up_and_its_session_closed() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let (asked, was_asked) = channel();
        let peer = Peer::start(move |listener| {
            let mut stream = session(listener);
            let (header, _) = request(&mut stream);
            assert_eq!(header.op, OpCode::GetData.code());
            asked.send(()).unwrap();
            closes(&mut stream);
        });
        let shell = Program::start(shell(&peer).args(["get", "/x"]));
        was_asked.recv().unwrap();
        shell.signal(signal);
        let ended = shell.end();
        assert_eq!((ended.status.code(), ended.out.as_str()), (Some(code), ""), "{ended:?}");
        assert_eq!(ended.err, "interrupted; the server may have carried it out nevertheless\n");
        peer.join();
    }
}

#[test]
fn a_shell_without_a_server_is_given_up() {
    let (asked, was_asked) = channel();
    let peer = Peer::start(move |listener| {
        let (mut stream, _) = listener.accept().unwrap();
        read_frame(&mut stream);
        asked.send(()).unwrap();
        peer::drain(&mut stream);
    });
    let shell = Program::start(shell(&peer).args(["get", "/x"]));
    was_asked.recv().unwrap();
    shell.signal(Signal::INT);
    let ended = shell.end();
    assert_eq!(
        (ended.status.code(), ended.err.as_str()),
        (Some(130), "interrupted\n"),
        "{ended:?}"
    );
    peer.join();
}

#[test]
fn a_shell_that_waits_for_its_next_line_ends() {
    let (asked, was_asked) = channel();
    let peer = Peer::start(move |listener| {
        let mut stream = session(listener);
        answer_get(&mut stream, "/x");
        asked.send(()).unwrap();
        closes(&mut stream);
    });
    let mut shell = Program::start(shell(&peer).stdin(Stdio::piped()));
    shell.input("get /x\n");
    was_asked.recv().unwrap();
    shell.out.until("data of /x\n");
    shell.signal(Signal::INT);
    let ended = shell.end();
    assert_eq!((ended.status.code(), ended.err.as_str()), (Some(130), ""), "{ended:?}");
    peer.join();
}

#[test]
fn at_a_terminal_the_command_ends_and_the_shell_goes_on_until_it_is_terminated() {
    let home = tempfile::tempdir().unwrap();
    let (asked, was_asked) = channel();
    let peer = Peer::start(move |listener| {
        let mut stream = session(listener);
        let (unanswered, _) = request(&mut stream);
        assert_eq!(unanswered.op, OpCode::GetData.code());
        asked.send(()).unwrap();
        // What was given up is answered late, which does no harm.
        let (header, _) = request(&mut stream);
        answer(&mut stream, unanswered.xid, "late");
        answer(&mut stream, header.xid, "data of /y");
        closes(&mut stream);
    });
    let mut command = shell(&peer);
    command.env("XDG_STATE_HOME", home.path()).env("TERM", "xterm");
    let (mut shell, mut keyboard) = Program::start_at_terminal(&mut command);
    shell.out.until("(CONNECTED) 0] ");
    keyboard.write_all(b"get /x\r").unwrap();
    was_asked.recv().unwrap();
    shell.signal(Signal::INT);
    shell.out.until("interrupted; the server may have carried it out nevertheless");
    shell.out.until("(CONNECTED) 1] ");
    // At the prompt, too, it is no reason to leave.
    shell.signal(Signal::INT);
    shell.out.until("(CONNECTED) 1] ");
    keyboard.write_all(b"get /y\r").unwrap();
    shell.out.until("data of /y");
    shell.out.until("(CONNECTED) 2] ");
    shell.signal(Signal::TERM);
    let ended = shell.end();
    assert_eq!(ended.status.code(), Some(143), "{ended:?}");
    peer.join();
    let history = std::fs::read_to_string(home.path().join("quorate/history")).unwrap();
    assert!(history.ends_with("get /x\nget /y\n"), "{history}");
}

#[test]
fn a_long_command_shows_how_far_it_is_and_ends_when_asked() {
    for (command, shown, done) in [
        (&["ls", "-R", "/"][..], "listing ", None),
        (&["deleteall", "/top"], "listing ", None),
        (
            &["setAcl", "-R", "/", "world:anyone:r"],
            "setting the ACL ",
            Some(" nodes have the new ACL"),
        ),
    ] {
        // Below each node there is another one, so this takes as long as the test wants.
        let peer =
            Peer::start(|listener| serve(&mut session(listener), &|_| vec!["deeper".into()]));
        let said = interrupted(&peer, command, shown);
        assert!(said.contains("interrupted"), "{command:?}: {said}");
        assert!(done.is_none_or(|done| said.contains(done)), "{command:?}: {said}");
        peer.join();
    }
}

#[test]
fn deleteall_shows_how_far_it_is_and_says_how_far_it_came() {
    let peer = Peer::start(|listener| {
        let names = || (0..500).map(|n| n.to_string()).collect();
        serve(&mut session(listener), &|path| if path == "/top" { names() } else { Vec::new() });
    });
    let said = interrupted(&peer, &["deleteall", "-b", "0", "/top"], "deleting [");
    assert!(said.contains(" of 501 nodes are known to be deleted"), "{said}");
    peer.join();
}

/// Runs a long command until it shows `progress` at its terminal; returns what it says when it is interrupted then.
fn interrupted(peer: &Peer, words: &[&str], progress: &str) -> String {
    let mut command = shell(peer);
    command.env("TERM", "xterm").args(words);
    let mut shell = Program::start_with_terminal_for_errors(&mut command);
    shell.err.until(progress);
    shell.err.until(" nodes");
    shell.signal(Signal::INT);
    let ended = shell.end();
    assert_eq!((ended.status.code(), ended.out.as_str()), (Some(130), ""), "{ended:?}");
    ended.err
}

fn shell(peer: &Peer) -> Command {
    let mut command = quorate(&["shell", "-s", &peer.address]);
    command.stdin(Stdio::null());
    command
}

/// A session with the shell.
fn session(listener: &TcpListener) -> TcpStream {
    let mut stream = listener.accept().unwrap().0;
    read_frame(&mut stream);
    respond(&mut stream, 30_000, 7);
    stream
}

/// The next request ends the session.
fn closes(stream: &mut TcpStream) {
    let (header, _) = request(stream);
    assert_eq!(header.op, OpCode::CloseSession.code());
    reply(stream, header.xid, 0, |_| ());
}

fn answer_get(stream: &mut TcpStream, path: &str) {
    let (header, _) = request(stream);
    assert_eq!(header.op, OpCode::GetData.code());
    answer(stream, header.xid, &format!("data of {path}"));
}

fn answer(stream: &mut TcpStream, xid: i32, data: &str) {
    let response = GetDataResponse { data: Some(data.as_bytes()), stat: Stat::default() };
    reply(stream, xid, 1, |out| response.write(out));
}

/// Answers until the session is closed; `children` are those of a path.
fn serve(stream: &mut TcpStream, children: &dyn Fn(&str) -> Vec<String>) {
    loop {
        let (header, body) = request(stream);
        match OpCode::from_code(header.op) {
            Some(OpCode::CloseSession) => return reply(stream, header.xid, 0, |_| ()),
            Some(OpCode::GetChildren2) => {
                // Its path comes first, as in a delete.
                let length = i32::from_be_bytes(*body.first_chunk().unwrap());
                let path = body.get(4..4 + usize::try_from(length).unwrap()).unwrap();
                let names = children(std::str::from_utf8(path).unwrap());
                let names = names.into_iter().map(Into::into).collect();
                let response = GetChildren2Response { children: names, stat: Stat::default() };
                reply(stream, header.xid, 1, |out| response.write(out));
            }
            Some(OpCode::GetData) => answer(stream, header.xid, ""),
            Some(OpCode::SetAcl) => reply(stream, header.xid, 1, |out| Stat::default().write(out)),
            Some(OpCode::Delete) => {
                DeleteRequest::from_bytes(&body).unwrap();
                // A slow server, so that deleting some hundred nodes is long.
                std::thread::sleep(Duration::from_millis(10));
                reply(stream, header.xid, 1, |_| ());
            }
            other => panic!("{other:?}"),
        }
    }
}
