//! A running server answers every recorded exchange and four-letter word as Apache 3.8.0 did, but for the
//! listed ones. `tests/examples/replay.rs` does the same against any server that runs already.

use quorate_tests::vectors;

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
    assert!(answers.len() < 20, "the few that are answered otherwise are many");
}
