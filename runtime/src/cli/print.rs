//! Printing that survives a closed pipe: `bloodseg ... | head` must not panic.

use std::{
    fmt::{self, Display},
    io::{IsTerminal, Write, stderr, stdout},
};

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::error::{Error, Result};
use bloodseg_vision::error::Cause;

/// Prints a line of results on stdout.
pub(super) fn line(text: impl Display) {
    // The reader closed the pipe and wants no more lines; files are still written.
    let _ = writeln!(stdout().lock(), "{}", Steered(text));
}

/// A file name or other external text within a line: a line break in it would forge a line.
pub(super) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// Lines of text without terminal control characters. Allocates nothing: a run prints one line per frame.
struct Steered<T>(T);

impl<T: Display> Display for Steered<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        struct Safe<'a, 'b>(&'a mut fmt::Formatter<'b>);
        impl fmt::Write for Safe<'_, '_> {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                let is_odd = |c: char| c.is_control() && !"\n\t".contains(c);
                let mut parts = text.split(is_odd);
                self.0.write_str(parts.next().unwrap_or_default())?;
                parts.try_for_each(|part| write!(self.0, "{}{part}", char::REPLACEMENT_CHARACTER))
            }
        }
        fmt::Write::write_fmt(&mut Safe(f), format_args!("{}", self.0))
    }
}

/// Prints a result as JSON on stdout; `place` names the command in errors.
///
/// # Errors
/// An internal error.
pub(super) fn json(place: &'static str, value: &impl Serialize) -> Result<()> {
    line(serde_json::to_string_pretty(value).map_err(|e| Error::internal(place, Cause::of(e)))?);
    Ok(())
}

/// Prints an error on stderr.
pub(super) fn problem(text: impl Display) {
    let _ = writeln!(stderr().lock(), "error: {}", harmless(&text.to_string()));
}

/// Prints on stderr what a user should know about a command that succeeds.
pub(super) fn warning(text: impl Display) {
    let _ = writeln!(stderr().lock(), "warning: {}", harmless(&text.to_string()));
}

/// Most characters of a message, which may quote a foreign file.
const LONGEST: usize = 4096;

/// A message without terminal control characters, and of bounded length.
fn harmless(text: &str) -> String {
    let safe = |c: char| if c.is_control() && c != '\n' { char::REPLACEMENT_CHARACTER } else { c };
    text.chars().take(LONGEST).map(safe).collect()
}

/// A progress bar on stderr for `count` items; hidden without a terminal, or if it would only flash.
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
    fn names_stay_on_one_line_without_control_characters() {
        assert_eq!(one_line("a\nframe 1 ack 1\u{1b}[2J.png"), "a\u{fffd}frame 1 ack 1\u{fffd}[2J.png");
        assert_eq!(Steered("a\tb\n\u{1b}[1m\r").to_string(), "a\tb\n\u{fffd}[1m\u{fffd}");
    }

    #[test]
    fn messages_have_no_control_characters_and_bounded_length() {
        assert_eq!(harmless("operator \u{1b}[2J\u{9b}1m\r,\nexpected µm"), "operator �[2J�1m�,\nexpected µm");
        assert_eq!(harmless(&"x".repeat(1 << 20)).len(), LONGEST);
    }
}
