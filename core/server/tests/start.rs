//! The real `quorate server` as it starts: what it says when all is well, and the one message when it is not.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "../../tests/client/mod.rs"]
mod client;
#[path = "support/program.rs"]
mod program;

use client::Client;
use program::{Program, quorate};
use quorate::server::Server;
use quorate_wire::disk::log::LogScan;
use quorate_wire::op::create::CreateMode;
use rustix::process::Signal;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Port 2181 may be somebody's: in a network of its own the test has it for itself. `$1` is the binary.
const ALONE: &str = r#"
ip link set lo up || ifconfig lo up || exit 1
exec "$1" server
"#;

#[test]
fn without_arguments_it_serves_2181_on_loopback_from_quorate_data() {
    let dir = tempfile::tempdir().unwrap();
    let alone = Command::new("unshare").args(["--net", "--", "true"]).status();
    let is_alone = alone.is_ok_and(|status| status.success());
    let mut command = if is_alone {
        let mut command = Command::new("unshare");
        let binary = env!("CARGO_BIN_EXE_quorate");
        command.args(["--net", "--", "sh", "-c", ALONE, "sh", binary]);
        command
    } else {
        let free = TcpListener::bind("127.0.0.1:2181");
        assert!(free.is_ok(), "somebody has port 2181, and there is no `unshare --net` here");
        quorate(&["server"])
    };
    let mut server = Program::start(command.current_dir(dir.path()).stdin(Stdio::null()));
    let said = server.out.until("Ctrl-C stops it\n");
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 3, "{said}");
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(lines[0], format!("quorate {version} serves ZooKeeper clients on 127.0.0.1:2181"));
    assert_eq!(lines[1], "  data: ./quorate-data (synced before every acknowledgement)");
    assert!(lines[2].starts_with("  ready after "), "{said}");
    assert!(dir.path().join("quorate-data/version-2").is_dir());
    server.signal(Signal::INT);
    let ended = server.end();
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!((ended.out.as_str(), ended.err.as_str()), ("stopped\n", ""));
}

#[test]
fn it_does_not_promise_what_force_sync_took_away() {
    let dir = tempfile::tempdir().unwrap();
    let data = format!("dataDir={}", dir.path().display());
    let arguments = ["server", "--set", "clientPort=0", "--set", &data, "--set", "forceSync=no"];
    let mut server = Program::start(&mut quorate(&arguments));
    let said = server.out.until("Ctrl-C stops it\n");
    assert!(said.contains("(NOT synced before acknowledgements: forceSync is off)"), "{said}");
    assert!(!said.contains("synced before every acknowledgement"), "{said}");
    let warned = server.err.until("\n");
    assert!(warned.starts_with("warning: --set: `forceSync` is off: "), "{warned}");
}

/// Every key is named, in one line, without asking for it.
#[test]
fn keys_without_effect_on_a_standalone_server_are_named_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let keys = [
        "initLimit=10",
        "syncLimit=5",
        "localSessionsEnabled=true",
        "quorum.auth.enableSasl=true",
        "commitProcessor.numWorkerThreads=4",
        "enableEagerACLCheck=true",
        "server.1=localhost:2888:3888",
    ];
    let data = dir.path().join("data");
    let text = format!("dataDir={}\nclientPort=0\n{}\n", data.display(), keys.join("\n"));
    let config = dir.path().join("zoo.cfg");
    fs::write(&config, text).unwrap();
    let config = config.display().to_string();
    let mut server = Program::start(&mut quorate(&["server", "--config", &config]));
    server.out.until("Ctrl-C stops it\n");
    server.signal(Signal::TERM);
    let ended = server.end();
    assert!(ended.status.success(), "{ended:?}");
    let named: Vec<String> = (3..)
        .zip(keys)
        .map(|(line, key)| format!("{} (line {line})", key.split('=').next().unwrap()))
        .collect();
    let expected = "concerns ensembles and has no effect on a standalone server";
    assert_eq!(ended.err, format!("warning: {config}: {expected}: {}\n", named.join(", ")));
}

#[test]
fn a_wrong_configuration_is_one_line_with_the_place_and_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("zoo.cfg");
    let name = config.display().to_string();
    for (text, expected) in [
        (
            "dataDir=/x\nclientPort=0\ntickTime=fast\n",
            ":3: `tickTime=fast` is not valid: expected a whole number of milliseconds, 1 to 2147483647",
        ),
        ("clientPort=0\n", ": `dataDir` is not set; add a line such as `dataDir=/var/lib/quorate`"),
        ("dataDir=/x\n", ": `clientPort` is not set; add the line `clientPort=2181`"),
        (
            "dataDir=/x\nclientPort=0\nsecureClientPort=2281\n",
            ":3: `secureClientPort=2281` is refused: TLS comes with a later version; remove the key and use \
             clientPort, behind a TLS proxy if the network is not trusted",
        ),
    ] {
        fs::write(&config, text).unwrap();
        assert_eq!(refusal(&["server", "-c", &name]), format!("quorate: {name}{expected}\n"));
    }
    fs::write(&config, "dataDir=/x\nclientPort=0\nserver.1=a:1:2\nserver.2=b:1:2\n").unwrap();
    let refused = refusal(&["server", "-c", &name]);
    assert!(refused.starts_with("quorate: /x/myid: this file does not exist; "), "{refused}");
    fs::write(&config, "dataDir=/x\nclientPort=\\u00zz\n").unwrap();
    let refused = refusal(&["server", "-c", &name]);
    assert!(refused.starts_with(&format!("quorate: {name}:2: ")), "{refused}");
    fs::remove_file(&config).unwrap();
    let refused = refusal(&["server", "-c", &name]);
    assert!(refused.starts_with(&format!("quorate: {name}: cannot read the configuration: ")));
    assert!(refused.ends_with("; check the path and its permissions\n"), "{refused}");
    assert_eq!(
        refusal(&["server", "--set", "tickTime"]),
        "quorate: --set tickTime: expected KEY=VALUE\n"
    );
}

#[test]
fn a_damaged_log_is_one_line_with_file_offset_and_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    populate(dir.path());
    let log = newest(dir.path(), "log.");
    let mut bytes = fs::read(&log).unwrap();
    let offsets: Vec<u64> = LogScan::new(&bytes, 1 << 20).map(|record| record.offset).collect();
    let offset = offsets[offsets.len() / 2];
    bytes[usize::try_from(offset).unwrap() + 20] ^= 1;
    fs::write(&log, &bytes).unwrap();
    let refused = refuses(dir.path());
    let file = log.display();
    assert!(refused.starts_with(&format!("quorate: {file} is damaged at offset {offset} (")));
    assert!(refused.contains("the last good transaction before it is 0x"), "{refused}");
    assert!(
        refused.contains(": restore the file from a backup; to accept the loss, "),
        "{refused}"
    );
    assert!(refused.contains(&format!("`truncate -s {offset} {file}`, and remove ")), "{refused}");
    assert_eq!(fs::read(&log).unwrap(), bytes, "a directory that is refused is left as it was");
}

#[test]
fn a_damaged_snapshot_is_one_line_with_the_file_and_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    populate(dir.path());
    let snapshot = newest(dir.path(), "snapshot.");
    let mut bytes = fs::read(&snapshot).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&snapshot, bytes).unwrap();
    let refused = refuses(dir.path());
    let (folder, file) = (snapshot.parent().unwrap().display(), snapshot.display());
    let expected =
        format!("quorate: no snapshot in {folder} is usable (1 tried; the newest, {file}: ");
    assert!(refused.starts_with(&expected), "{refused}");
    assert!(refused.ends_with("): restore one from a backup\n"), "{refused}");
}

#[test]
fn a_directory_that_cannot_be_used_is_one_line_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    fs::write(&data, "a file").unwrap();
    let refused = refuses(&data);
    let place = data.join("version-2");
    assert!(refused.starts_with(&format!("quorate: cannot create {}: ", place.display())));
    assert!(refused.ends_with(
        "; something else is in its place: move that away, or correct dataDir or dataLogDir\n"
    ));
    fs::remove_file(&data).unwrap();
    let server = Server::builder().data_dir(&data).no_port().start().unwrap();
    let refused = refuses(&data);
    let pid = std::process::id();
    assert_eq!(
        refused,
        format!(
            "quorate: the data directory {} is in use by process {pid}: stop that server first, or give this one \
             its own directory\n",
            data.display()
        )
    );
    server.stop().unwrap();
    // Root may read everything, so this says nothing where the tests run as root.
    fs::set_permissions(&place, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read_dir(&place).is_err() {
        let refused = refuses(&data);
        assert!(refused.contains("; give this user access to it, or start "), "{refused}");
    }
    fs::set_permissions(&place, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_port_that_is_taken_is_one_line_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let (data, port_key) = (setting(dir.path()), format!("clientPort={port}"));
    let refused = refusal(&["server", "--set", &data, "--set", &port_key]);
    assert!(refused.starts_with(&format!("quorate: cannot listen on 127.0.0.1:{port}: ")));
    assert!(refused.ends_with("; choose another clientPort or stop what uses it\n"), "{refused}");
}

/// Some nodes in a directory, and nobody who has it open.
fn populate(dir: &Path) {
    let server = Server::builder().data_dir(dir).no_port().start().unwrap();
    let mut client = Client::new(server.connect());
    for n in 0..10 {
        client.create(&format!("/n-{n}"), b"data", CreateMode::Persistent).unwrap();
    }
    drop(client);
    server.stop().unwrap();
}

/// The file of that kind with the highest number.
fn newest(dir: &Path, kind: &str) -> PathBuf {
    let files = fs::read_dir(dir.join("version-2")).unwrap().map(|entry| entry.unwrap().path());
    let of_kind = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with(kind);
    let number = |path: &PathBuf| {
        u64::from_str_radix(path.extension().unwrap().to_str().unwrap(), 16).unwrap()
    };
    files.filter(of_kind).max_by_key(number).unwrap()
}

fn setting(dir: &Path) -> String {
    format!("dataDir={}", dir.display())
}

/// What a server on this directory says, which does not start.
fn refuses(dir: &Path) -> String {
    refusal(&["server", "--set", "clientPort=0", "--set", &setting(dir)])
}

/// The one line on standard error of a binary that does not start.
fn refusal(arguments: &[&str]) -> String {
    let ended = Program::start(&mut quorate(arguments)).end();
    assert_eq!((ended.status.code(), ended.out.as_str()), (Some(1), ""), "{ended:?}");
    assert_eq!(ended.err.lines().count(), 1, "{ended:?}");
    ended.err
}
