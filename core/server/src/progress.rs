//! A progress bar on a terminal, nothing anywhere else.
//!
//! Drawn on standard error, so that standard output holds results only. What is over at once shows nothing.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::cell::Cell;
use std::time::{Duration, Instant};

/// Shows how far something is.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    began: Instant,
    /// How long it stays unseen.
    patience: Duration,
    shown: Cell<bool>,
}

impl Progress {
    /// A bar that ends at `total` of something, at once.
    pub(crate) fn new(title: &str, total: u64) -> Self {
        Self::with(title, Some(total), Duration::ZERO)
    }

    /// A bar that is there only when it takes longer than `patience`. Without a total it only shows that something happens.
    pub(crate) fn with(title: &str, total: Option<u64>, patience: Duration) -> Self {
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden());
        let template = if total.is_some() { BAR } else { SPINNER };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_prefix(title.to_owned());
        Self { bar, began: Instant::now(), patience, shown: Cell::new(false) }
    }

    /// `at` of the total is done.
    pub(crate) fn set(&self, at: u64, message: String) {
        self.bar.set_position(at);
        self.bar.set_message(message);
        if !self.shown.get() && self.began.elapsed() >= self.patience {
            self.shown.set(true);
            // indicatif draws nothing by itself when standard error is not a terminal.
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
            self.bar.tick();
        }
    }

    /// The total is known now, or has changed.
    pub(crate) fn set_total(&self, total: u64) {
        self.bar.set_length(total);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

const BAR: &str = "{prefix} [{bar:30}] {percent:>3}% {msg}";
const SPINNER: &str = "{prefix} {spinner} {msg}";
