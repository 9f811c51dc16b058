//! Alone in its process: the library's thread ends with the last client there is.

mod support;

use quorate_bridge::Calls;
use support::{answer, collect, remote};

#[test]
fn the_last_client_takes_its_calls_along() {
    let (_server, client) = remote();
    let calls = Calls::new(None);
    let environment = std::sync::Arc::clone(client.environment());
    calls.spawn(&*environment, std::future::pending::<()>(), answer(1));
    calls.spawn(&*environment, client.close(), answer(2));
    drop(client);
    let mut answers = collect(&calls, 2);
    answers.sort();
    assert_eq!(answers, [(1, "Cancelled".to_owned()), (2, "Done(Ok(()))".to_owned())]);
}
