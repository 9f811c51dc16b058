//! The commands of `docs/ensemble.md`, as they stand there.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "support/program.rs"]
mod program;

use program::Program;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// The ports are those of the document: in a network of its own the test has them for itself. What it starts ends with it.
const ALONE: [&str; 5] = ["--net", "--pid", "--fork", "--kill-child", "--"];
const SCRIPT: &str = "
ip link set lo up || ifconfig lo up || exit 1
. ./block.sh
until quorate status --servers 127.0.0.1:2181,127.0.0.1:2182,127.0.0.1:2183; do sleep 0.1; done
";

#[test]
fn three_servers_come_of_three_files() {
    let alone = Command::new("unshare").args(ALONE).arg("true").status();
    if !alone.is_ok_and(|status| status.success()) {
        // Nobody hears a test that passes: `tests/run` says that it is skipped, and why.
        let must = std::env::var_os("QUORATE_REQUIRE_NETWORK").is_some();
        assert!(!must, "there is no `unshare --net --pid` here; it needs root");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("block.sh"), block("three/$n")).unwrap();
    let binaries = Path::new(env!("CARGO_BIN_EXE_quorate")).parent().unwrap();
    let path = format!("{}:{}", binaries.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("unshare");
    command.args(ALONE).args(["sh", "-c", SCRIPT]).current_dir(dir.path()).env("PATH", path);
    let mut shell = Program::start(command.env_remove("RUST_LOG").stdin(Stdio::null()));
    shell.err.until("Created /hello\n");
    shell.out.until("takes writes: 3 of 3 voters serve, and 1 may fail now\n");
    let ended = shell.end();
    assert!(ended.status.success(), "{ended:?}");
    for member in 1..=3 {
        assert!(dir.path().join(format!("three/{member}/version-2/currentEpoch")).is_file());
    }
}

/// What makes certificates, and the ensemble that uses them.
#[test]
fn members_of_an_ensemble_talk_with_certificates_that_openssl_makes() {
    if Command::new("openssl").arg("version").output().is_err() {
        eprintln!("skipped: there is no openssl here");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let script = [block("-keyout tls/ca.key"), block("quorate ensemble --set sslQuorum=true")];
    fs::write(dir.path().join("block.sh"), script.concat()).unwrap();
    let binaries = Path::new(env!("CARGO_BIN_EXE_quorate")).parent().unwrap();
    let path = format!("{}:{}", binaries.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("sh");
    command.args(["-e", "block.sh"]).current_dir(dir.path()).env("PATH", path);
    let mut shell = Program::start(command.env_remove("RUST_LOG").stdin(Stdio::piped()));
    shell.out.until(": leader, epoch 1, zxid 0x100000000\n");
    shell.input("quit\n");
    let ended = shell.end();
    assert!(ended.status.success(), "{ended:?}");
    let mut verify = Command::new("openssl");
    verify.args(["verify", "-CAfile", "ca.pem", "-verify_hostname", "zoo2", "zoo2.pem"]);
    assert!(verify.current_dir(dir.path().join("tls")).status().unwrap().success());
}

/// The block of the document that has this in it.
fn block(text: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/ensemble.md");
    let document = fs::read_to_string(file).unwrap();
    let mut blocks =
        document.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.find(|block| block.contains(text)).unwrap().to_owned()
}
