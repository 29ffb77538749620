//! Parts shared with other pages.

use std::io::{self, Write};

use super::{POLICY, STYLE, html::text};
pub(crate) use super::{axis::Axis, chart::points, table::pairs};

/// Begins a page with this title.
pub(crate) fn begin_page(out: &mut dyn Write, title: &str) -> io::Result<()> {
    let title = text(title);
    writeln!(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">")?;
    writeln!(out, "<meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">")?;
    writeln!(out, "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">")?;
    writeln!(out, "<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<header>\n<h1>{title}</h1>")?;
    writeln!(out, "</header>\n<main>")
}

/// Ends it.
pub(crate) fn end_page(out: &mut dyn Write) -> io::Result<()> {
    let version = env!("CARGO_PKG_VERSION");
    writeln!(
        out,
        "</main>\n<footer>\n<p>Written by bloodseg {version}. Not a medical device.</p>\n</footer>\n</body>\n</html>"
    )?;
    out.flush()
}
