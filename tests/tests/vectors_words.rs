//! Every four-letter word of a running server has the form of Apache's recorded text: the same lines, but for
//! numbers, ids, dates and directories.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../../core/tests/support/raw.rs"]
mod raw;

use quorate::config::{FourLetterWords, IoMode};
use quorate::server::Server;
use quorate_tests::replay::{Answers, words};
use quorate_tests::vectors;
use quorate_wire::OpCode;
use raw::{Raw, create, watched};

#[test]
fn every_word_has_apaches_form_fused() {
    compare(IoMode::Fused);
}

#[test]
fn every_word_has_apaches_form_sharded() {
    compare(IoMode::Sharded);
}

/// Brings a server to the state of the recording, as far as the texts show it, and asks it every word.
fn compare(mode: IoMode) {
    let dir = tempfile::tempdir().unwrap();
    let builder = Server::builder().free_port().data_dir(dir.path()).io(mode);
    let builder = builder.configure(|config| {
        config.tick_time_ms = 2000;
        config.four_letter_words = FourLetterWords::all();
        config.shards = Some(2);
    });
    let server = builder.start().unwrap();
    let address = server.address().unwrap();
    let mut before = Raw::connect(address);
    for n in 0..128 {
        assert_eq!(before.call(OpCode::Create, &create(&format!("/n{n}"), 0)), 0);
    }
    before.close();
    let mut client = Raw::connect(address);
    assert_eq!(client.call(OpCode::Create, &create("/fourlw", 1)), 0);
    assert_eq!(client.call(OpCode::GetData, &watched("/fourlw", true)), 0);
    assert_eq!(client.call(OpCode::GetChildren, &watched("/", true)), 0);
    let answers = Answers::quorate();
    let mut asked = 0;
    for word in vectors::words().iter().filter(|word| word.server == "standalone") {
        let keys = answers.keys(word);
        words::ask(address, word, keys).unwrap_or_else(|e| panic!("{}: {e}", word.name));
        // What crst has reset the next text would show.
        client.call(OpCode::GetChildren, &watched("/", true));
        asked += 1;
    }
    assert_eq!(asked, 21);
    server.stop().unwrap();
}
