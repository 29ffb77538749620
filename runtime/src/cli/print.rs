//! Printing that survives a closed pipe: `bloodseg ... | head` must not end in a panic.

use std::{
    fmt::Display,
    io::{Write, stderr, stdout},
};

/// A line of results, on stdout.
pub(super) fn line(text: impl Display) {
    // Who closed the pipe wants no more lines; the files are still written.
    let _ = writeln!(stdout().lock(), "{text}");
}

/// What went wrong, on stderr.
pub(super) fn problem(text: impl Display) {
    let _ = writeln!(stderr().lock(), "error: {text}");
}
