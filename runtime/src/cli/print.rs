//! Printing that survives a closed pipe: `bloodseg ... | head` must not end in a panic.

use std::{
    fmt::Display,
    io::{IsTerminal, Write, stderr, stdout},
};

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::error::{Error, Result};
use bloodseg_vision::error::Cause;

/// A line of results, on stdout.
pub(super) fn line(text: impl Display) {
    // Who closed the pipe wants no more lines; the files are still written.
    let _ = writeln!(stdout().lock(), "{text}");
}

/// A result as JSON, on stdout; `place` names who made it, should it not be possible.
///
/// # Errors
/// A fault of the software.
pub(super) fn json(place: &'static str, value: &impl Serialize) -> Result<()> {
    line(serde_json::to_string_pretty(value).map_err(|e| Error::internal(place, Cause::of(e)))?);
    Ok(())
}

/// What went wrong, on stderr.
pub(super) fn problem(text: impl Display) {
    let _ = writeln!(stderr().lock(), "error: {}", harmless(&text.to_string()));
}

/// Most characters of a message: it may quote a foreign file.
const LONGEST: usize = 4096;

/// A message without what would steer a terminal, and not endless.
fn harmless(text: &str) -> String {
    let safe = |c: char| if c.is_control() && c != '\n' { char::REPLACEMENT_CHARACTER } else { c };
    text.chars().take(LONGEST).map(safe).collect()
}

/// A bar on stderr for `count` things to do; hidden when nobody looks, or when it would flash by.
pub(super) fn progress(count: usize, things: &str, quiet: bool) -> ProgressBar {
    if quiet || count < 2 || !stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template(&format!("{{bar:30}} {{pos}}/{{len}} {things}, {{eta}} left"));
    ProgressBar::new(count as u64).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_word_in_a_message_cannot_steer_the_terminal_or_flood_it() {
        assert_eq!(harmless("operator \u{1b}[2J\u{9b}1m\r,\nexpected µm"), "operator �[2J�1m�,\nexpected µm");
        assert_eq!(harmless(&"x".repeat(1 << 20)).len(), LONGEST);
    }
}
