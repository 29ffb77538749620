//! User-supplied text in tables that spreadsheets open: text that looks like a formula gets an apostrophe in front, so
//! that it is shown as text.
//!
//! Reversible: text that starts with an apostrophe gets another one, so a reader removes exactly one.

use std::borrow::Cow;

/// First characters that a spreadsheet takes for a formula, and the apostrophe itself.
const GUARDED: [char; 7] = ['=', '+', '-', '@', '\t', '\r', '\''];

/// The text as it is written to a table.
pub fn guarded(text: &str) -> Cow<'_, str> {
    if text.starts_with(GUARDED) { format!("'{text}").into() } else { text.into() }
}

/// The text of a table field.
pub fn unguarded(field: &str) -> &str {
    field.strip_prefix('\'').filter(|text| text.starts_with(GUARDED)).unwrap_or(field)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_escaped_and_names_round_trip() {
        for (text, field) in [
            ("=HYPERLINK(\"x\")", "'=HYPERLINK(\"x\")"),
            ("-1", "'-1"),
            ("\t=1", "'\t=1"),
            ("'=1", "''=1"),
            ("'a", "''a"),
            ("a=1", "a=1"),
            ("", ""),
        ] {
            assert_eq!((guarded(text).as_ref(), unguarded(field)), (field, text));
        }
    }
}
