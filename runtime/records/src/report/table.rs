//! Tables of a page, and the format of their numbers.

use std::{
    fmt::{self, Display},
    io::{self, Write},
};

use super::html::text;

/// A table of names and values, one per row.
pub(crate) fn pairs(out: &mut dyn Write, caption: &str, rows: &[(&str, String)]) -> io::Result<()> {
    writeln!(out, "<table>\n<caption>{}</caption>\n<tbody>", text(caption))?;
    for (name, value) in rows {
        writeln!(out, "<tr><th scope=\"row\">{}</th><td>{}</td></tr>", text(name), text(value))?;
    }
    writeln!(out, "</tbody>\n</table>")
}

/// Opens a table with these columns; those whose name ends in a space hold numbers. [`end`] closes it.
pub(super) fn begin(out: &mut dyn Write, caption: &str, columns: &[&str]) -> io::Result<()> {
    write!(out, "<div class=\"wide\">\n<table>\n<caption>{}</caption>\n<thead><tr>", text(caption))?;
    for column in columns {
        let class = if column.ends_with(' ') { " class=\"n\"" } else { "" };
        write!(out, "<th scope=\"col\"{class}>{}</th>", text(column.trim_end()))?;
    }
    writeln!(out, "</tr></thead>\n<tbody>")
}

/// Closes what [`begin`] opened.
pub(super) fn end(out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "</tbody>\n</table>\n</div>")
}

/// A number with this many decimals, or a dash if there is none.
pub(super) fn number(value: Option<f64>, decimals: usize) -> impl Display {
    fmt::from_fn(move |f| match value.filter(|value| value.is_finite()) {
        Some(value) => write!(f, "{value:.decimals$}"),
        None => f.write_str("–"),
    })
}

/// A part of a whole in percent; a dash if the whole is zero.
pub(super) fn percent(part: u64, whole: u64) -> impl Display {
    fmt::from_fn(move |f| match whole {
        0 => f.write_str("–"),
        _ => write!(f, "{:.1} %", 100.0 * part as f64 / whole as f64),
    })
}

/// A count with the noun in the right form.
pub(super) fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_values_are_dashes() {
        assert_eq!(number(Some(1.25), 1).to_string(), "1.2");
        assert_eq!((number(None, 1).to_string(), number(Some(f64::NAN), 1).to_string()), ("–".into(), "–".into()));
        assert_eq!((percent(1, 3).to_string(), percent(0, 0).to_string()), ("33.3 %".into(), "–".into()));
        assert_eq!(counted(1, "cell", "cells"), "1 cell");
    }

    #[test]
    fn names_and_values_are_escaped() -> io::Result<()> {
        let mut out = Vec::new();
        pairs(&mut out, "<c>", &[("<a>", "<b>".into())])?;
        begin(&mut out, "<c>", &["<d>", "n "])?;
        let page = String::from_utf8_lossy(&out).into_owned();
        assert!(["<c>", "<a>", "<b>", "<d>"].iter().all(|tag| !page.contains(tag)), "{page}");
        assert!(page.contains("<th scope=\"col\" class=\"n\">n</th>"), "{page}");
        Ok(())
    }
}
