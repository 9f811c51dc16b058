//! The real `quorate status` at servers in every condition: what it prints, how it ends, how long it waits.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "support/program.rs"]
mod program;

use program::{Ended, Program, quorate};
use quorate::client::{Client, CreateMode};
use quorate::config::FourLetterWords;
use quorate::server::{LocalEnsemble, Server};
use serde_json::Value;
use std::net::TcpListener;

fn status(servers: &str, more: &[&str]) -> Ended {
    let arguments = [&["status", "--servers", servers][..], more].concat();
    Program::start(&mut quorate(&arguments)).end()
}

#[test]
fn an_ensemble_is_shown_as_it_loses_its_members() {
    let mut ensemble = LocalEnsemble::builder()
        .observers(1)
        .configure(|_, config| config.four_letter_words = FourLetterWords::all())
        .start()
        .unwrap();
    ensemble.wait_until_all_serve().unwrap();
    let client = Client::builder().servers(&ensemble.servers()).connect_blocking().unwrap();
    client.create("/n", b"", CreateMode::Persistent).unwrap();
    for sid in 1..=4 {
        let member = Client::builder().in_process(ensemble.member(sid).unwrap());
        // From now on every member shows the write, and this session's end.
        let member = member.connect_blocking().unwrap();
        member.sync("/").unwrap();
        member.close().unwrap();
    }
    let servers = ensemble.servers();
    let whole = json(&status(&servers, &["--json"]), 0);
    let told = |key: &str| &whole[key];
    assert_eq!(
        (told("voters"), told("serving"), told("can_fail")),
        (&3.into(), &3.into(), &1.into())
    );
    assert_eq!((told("writes"), told("survives")), (&true.into(), &1.into()));
    assert_eq!((told("unknown"), told("warnings")), (&Value::Array(vec![]), &Value::Array(vec![])));
    for (row, sid) in whole["servers"].as_array().unwrap().iter().zip(1..) {
        assert_eq!(row["role"], ensemble.mode(sid).unwrap().as_str(), "{row}");
        assert_eq!((&row["sessions"], &row["error"]), (&1.into(), &Value::Null), "{row}");
        assert_eq!(row["epoch"], whole["servers"][0]["epoch"], "{row}");
    }

    // Which of the followers it is does not matter.
    let leader = ensemble.leader().unwrap();
    let lost = (1..=3).find(|&sid| sid != leader).unwrap();
    ensemble.stop(lost).unwrap();
    let ended = status(&servers, &[]);
    assert_eq!((ended.status.code(), ended.err.as_str()), (Some(1), ""), "{ended:?}");
    let verdict = "takes writes: 2 of 3 voters serve, and none may fail now (1 when all are up)\n";
    assert!(ended.out.contains(verdict), "{ended:?}");
    assert!(ended.out.contains("connection refused"), "{ended:?}");

    ensemble.stop(leader).unwrap();
    let ended = status(&servers, &[]);
    assert_eq!(ended.status.code(), Some(3), "{ended:?}");
    assert!(ended.out.contains("takes no writes: "), "{ended:?}");
}

#[test]
fn a_server_with_the_default_words_shows_what_they_say() {
    let server = Server::builder().volatile().free_port().start().unwrap();
    let address = server.address().unwrap().to_string();
    let ended = status(&address, &[]);
    assert_eq!((ended.status.code(), ended.err.as_str()), (Some(0), ""), "{ended:?}");
    let lines: Vec<&str> = ended.out.lines().collect();
    let row: Vec<&str> = lines[1].split_whitespace().collect();
    assert_eq!(row, [&address, "standalone", "0", "0x0", "-", "1", "-", "-"]);
    assert_eq!(lines[2], "takes writes");
    let why = "mntr is not in 4lw.commands.whitelist there";
    assert_eq!(lines[3], format!("not known: sessions and watches of {address}: {why}"));
    let weak = "a server that is alone survives no failure; an ensemble of 3 survives one";
    assert_eq!(lines[4..], [format!("warning: {weak}")]);
}

/// Each of them takes all the time there is, and who comes behind them is heard all the same: all are asked together.
#[test]
fn who_does_not_answer_is_shown_with_the_reason() {
    let silent: Vec<TcpListener> =
        (0..20).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let mut servers: Vec<String> =
        silent.iter().map(|socket| socket.local_addr().unwrap().to_string()).collect();
    servers.push("no-such-host.invalid:2181".to_owned());
    let server = Server::builder().volatile().free_port().start().unwrap();
    servers.push(server.address().unwrap().to_string());
    let outcome = json(&status(&servers.join(","), &["--json", "--timeout", "1000"]), 3);
    let rows = outcome["servers"].as_array().unwrap();
    assert_eq!((rows.len(), &outcome["writes"]), (22, &false.into()));
    for row in &rows[..20] {
        assert_eq!(
            (&row["error"], &row["role"]),
            (&"no answer within 1000 ms".into(), &Value::Null)
        );
    }
    assert!(rows[20]["error"].is_string(), "{outcome}");
    assert_eq!(rows[21]["role"], "standalone", "{outcome}");
}

#[test]
fn who_speaks_something_else_is_no_server() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let answer = std::thread::spawn(move || {
        use std::io::{Read, Write};
        let mut stream = listener.accept().unwrap().0;
        stream.read_exact(&mut [0; 4]).unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
    });
    let ended = status(&address, &[]);
    answer.join().unwrap();
    assert_eq!(ended.status.code(), Some(3), "{ended:?}");
    let expected =
        format!("{address}  answers \"HTTP/1.1 400 Bad Request\": no ZooKeeper server\n");
    assert!(ended.out.contains(&expected), "{ended:?}");
}

#[test]
fn addresses_that_are_none_are_a_usage_error() {
    let ended = status("host:port", &[]);
    assert_eq!(ended.status.code(), Some(2), "{ended:?}");
    assert!(ended.err.contains("has no valid port; write host:port"), "{ended:?}");
}

fn json(ended: &Ended, code: i32) -> Value {
    assert_eq!((ended.status.code(), ended.err.as_str()), (Some(code), ""), "{ended:?}");
    serde_json::from_str(&ended.out).unwrap()
}
