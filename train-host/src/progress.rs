//! Progress bars for long operations; nothing is drawn without a terminal.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar of `length` steps.
pub fn bar(length: u64, what: &str) -> ProgressBar {
    styled(length, "{msg} {wide_bar} {pos}/{len} {per_sec} {eta} left").with_message(what.to_owned())
}

/// A bar for the `length` steps of an epoch. Its message shows what changes: the loss, and the remaining time of the run.
pub fn epoch(length: u64, what: &str) -> ProgressBar {
    styled(length, "{prefix} {wide_bar} {pos}/{len}, {msg}").with_prefix(what.to_owned())
}

fn styled(length: u64, template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(length).with_style(style)
}
