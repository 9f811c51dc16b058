//! A progress bar on a terminal, nothing anywhere else.
//!
//! Drawn on standard error, so that standard output holds results only.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Shows how far a workload is.
#[derive(Debug)]
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// A bar that ends at `total` of something.
    pub(super) fn new(title: &str, total: u64) -> Self {
        // indicatif draws nothing by itself when standard error is not a terminal.
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
            bar.set_style(style);
        }
        bar.set_prefix(title.to_owned());
        Self(bar)
    }

    /// `at` of the total is done.
    pub(super) fn set(&self, at: u64, message: String) {
        self.0.set_position(at);
        self.0.set_message(message);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

const TEMPLATE: &str = "{prefix} [{bar:30}] {percent:>3}% {msg}";
