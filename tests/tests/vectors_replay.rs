//! A running server answers every recorded exchange and four-letter word as Apache 3.8.0 did, but for the
//! listed ones. `tests/examples/replay.rs` does the same against any server that runs already.

#![expect(clippy::expect_used, reason = "the helpers of a test fail as the test does")]

use quorate::config::ServerConfig;
use quorate::server::Server;
use quorate_tests::replay::{Answers, Report, run};
use quorate_tests::vectors;
use tempfile::TempDir;

#[test]
fn every_answer_otherwise_is_of_a_recorded_exchange_and_has_a_reason() {
    let recorded = vectors::exchanges();
    let answers = vectors::answers();
    for answer in &answers {
        let named: Vec<_> = recorded.iter().filter(|e| e.name == answer.name).collect();
        let [exchange] = named[..] else { panic!("{}: {} exchanges", answer.name, named.len()) };
        assert!(!answer.why.is_empty(), "{} has no reason", answer.name);
        let same = exchange.response == answer.response
            && exchange.closed_after_reply == answer.closed_after_reply
            && !answer.first_connection_stays;
        assert!(!same, "{} is answered as recorded", answer.name);
    }
    for answer in vectors::word_answers() {
        assert!(vectors::words().iter().any(|word| word.name == answer.name), "{}", answer.name);
        assert!(!answer.why.is_empty() && !answer.keys.is_empty(), "{}", answer.name);
    }
    assert!(answers.len() < 20, "the few that are answered otherwise are many");
}

#[test]
fn a_fused_server_answers_as_recorded() {
    replay("fused");
}

#[test]
fn a_server_with_shards_answers_as_recorded() {
    replay("sharded");
}

fn replay(io: &str) {
    let (server, _directory) = start(io);
    let address = server.address().expect("a port");
    let Report { played, skipped, words, unknown_answers, differences, word_differences } =
        run(address, &Answers::quorate());
    assert!(differences.is_empty(), "{}", differences.join("\n\n"));
    assert!(word_differences.is_empty(), "{}", word_differences.join("\n\n"));
    assert!(unknown_answers.is_empty(), "{unknown_answers:?}");
    // The others were recorded from an ensemble and from a read-only server.
    assert_eq!((played, skipped, words), (289, 25, 21));
    server.stop().expect("a clean stop");
}

/// Our server in this process, configured as the recorded one was.
fn start(io: &str) -> (Server, TempDir) {
    let directory = tempfile::tempdir().expect("a directory");
    let text = format!("{CONFIGURATION}dataDir={}\nio={io}\n", directory.path().display());
    let (config, _warnings) =
        ServerConfig::from_properties(text, "vectors").expect("a configuration");
    let server = Server::builder().config(config).start().expect("a server");
    (server, directory)
}

/// Port 0 is a free one.
const CONFIGURATION: &str = "\
tickTime=2000
clientPort=0
clientPortAddress=127.0.0.1
preAllocSize=64
4lw.commands.whitelist=*
extendedTypesEnabled=true
enforceQuota=true
znode.container.checkIntervalMs=2000
DigestAuthenticationProvider.superDigest=super:D/InIHSb7yEEbrWz8b9l71RjZJU=
";
