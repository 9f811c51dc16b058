//! Panics end here: the host process is never unwound into, nor aborted.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `work`; a panic becomes its message.
///
/// # Errors
/// The message of the panic.
pub fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    // Whoever gets the message gives up what was being worked on, so nobody sees it half done.
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let text = message(panic);
        tracing::error!("a panic ended at the boundary: {text}");
        text
    })
}

fn message(panic: Box<dyn Any + Send>) -> String {
    let panic = match panic.downcast::<String>() {
        Ok(text) => return *text,
        Err(other) => other,
    };
    let panic = match panic.downcast::<&str>() {
        Ok(text) => return (*text).to_owned(),
        Err(other) => other,
    };
    // Anything else may panic again when it is dropped; it is small, and this happens at most once per defect.
    std::mem::forget(panic);
    "a panic without a message".to_owned()
}
