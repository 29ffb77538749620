//! Printing that survives a closed pipe: `bloodseg ... | head` must not end in a panic.

use std::{
    fmt::{self, Display},
    io::{IsTerminal, Write, stderr, stdout},
};

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::error::{Error, Result};
use bloodseg_vision::error::Cause;

/// A line of results, on stdout.
pub(super) fn line(text: impl Display) {
    // Who closed the pipe wants no more lines; the files are still written.
    let _ = writeln!(stdout().lock(), "{}", Steered(text));
}

/// The name of a file, or another word of others, within a line: a line break in it would forge a line of its own.
pub(super) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// A text of lines without what would steer a terminal. It takes no memory: a run prints a line a frame.
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
    fn a_name_stays_in_its_line_and_no_line_steers_the_terminal() {
        assert_eq!(one_line("a\nframe 1 ack 1\u{1b}[2J.png"), "a\u{fffd}frame 1 ack 1\u{fffd}[2J.png");
        assert_eq!(Steered("a\tb\n\u{1b}[1m\r").to_string(), "a\tb\n\u{fffd}[1m\u{fffd}");
    }

    #[test]
    fn a_foreign_word_in_a_message_cannot_steer_the_terminal_or_flood_it() {
        assert_eq!(harmless("operator \u{1b}[2J\u{9b}1m\r,\nexpected µm"), "operator �[2J�1m�,\nexpected µm");
        assert_eq!(harmless(&"x".repeat(1 << 20)).len(), LONGEST);
    }
}
