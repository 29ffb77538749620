//! Printing that survives a closed pipe: `bloodseg ... | head` must not end in a panic.

use std::{
    fmt::Display,
    io::{IsTerminal, Write, stderr, stdout},
};

use indicatif::{ProgressBar, ProgressStyle};

/// A line of results, on stdout.
pub(super) fn line(text: impl Display) {
    // Who closed the pipe wants no more lines; the files are still written.
    let _ = writeln!(stdout().lock(), "{text}");
}

/// What went wrong, on stderr.
pub(super) fn problem(text: impl Display) {
    let _ = writeln!(stderr().lock(), "error: {text}");
}

/// A bar on stderr for `count` things to do; hidden when nobody looks, or when it would flash by.
pub(super) fn progress(count: usize, things: &str, quiet: bool) -> ProgressBar {
    if quiet || count < 2 || !stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template(&format!("{{bar:30}} {{pos}}/{{len}} {things}, {{eta}} left"));
    ProgressBar::new(count as u64).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
