//! Panics end here: the host process is never unwound into, nor aborted.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `work`; a panic becomes its message.
///
/// # Errors
/// The message of the panic.
pub fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    // Whoever gets the message gives up what was being worked on, so nobody sees it half done.
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let text = panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "a panic without a message".to_owned());
        tracing::error!("a panic ended at the boundary: {text}");
        // What was thrown may panic again when it is dropped; it is small, and this happens at most once per defect.
        std::mem::forget(panic);
        text
    })
}
