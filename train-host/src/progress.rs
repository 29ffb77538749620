//! Progress bars for long work; nothing is drawn where there is no terminal.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar of `length` steps.
pub fn bar(length: u64, what: &str) -> ProgressBar {
    styled(length, "{msg} {wide_bar} {pos}/{len} {per_sec} {eta} left").with_message(what.to_owned())
}

/// A bar of the `length` steps of an epoch. Its message is for what changes: the loss, and the time left of the run.
pub fn epoch(length: u64, what: &str) -> ProgressBar {
    styled(length, "{prefix} {wide_bar} {pos}/{len}, {msg}").with_prefix(what.to_owned())
}

fn styled(length: u64, template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(length).with_style(style)
}
