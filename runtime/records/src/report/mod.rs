//! A standalone HTML page about a run: it needs no other file, no script and no network. docs/report.md describes its
//! contents.
//!
//! The records are read three times, frame by frame: for the figures, for the frames that have pictures, and for the
//! cells shown. Between passes only bins, points and short lists of bounded size are kept. The same records give the same
//! bytes: the page does not say when it was written.

mod answer;
mod axis;
mod cells;
mod chart;
mod chosen;
mod crops;
mod figures;
mod histogram;
mod html;
pub mod limits;
mod measured;
mod origin;
mod over_time;
pub(crate) mod page_parts;
mod pictures;
mod quality;
mod scope;
mod summary;
mod table;
mod tally;

use std::io::Write;

use figures::{Figures, Lengths};
use html::text;
pub use scope::Scope;

use crate::{
    export::Result,
    report::limits::{MAX_REPORT_EVENTS, MIN_REPORT_TIME_MS},
    store::{
        about::{EventRow, Extent, ModelRow, PitchRow, RunRow},
        read::{Filter, Records},
        schema,
    },
};

const STYLE: &str = include_str!("page.css");

/// What the page may load: only what is in it. If foreign text ever passed for markup, it could not load anything.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";

/// What is known about a run before its page is written.
struct Facts {
    /// The frames that it is about.
    scope: Filter,
    /// What it is about.
    about: Scope,
    run: RunRow,
    extent: Extent,
    models: Vec<ModelRow>,
    /// The latest events, and their total number.
    events: (Vec<EventRow>, u64),
    figures: Figures,
    pitches: Vec<PitchRow>,
    lengths: Lengths,
}

impl Facts {
    /// Whether the run was long enough for charts over time.
    fn lasts(&self) -> bool {
        self.figures.frames == 0
            || !self.about.is_of_sample()
                && self.extent.box_ms.is_some_and(|(first, last)| last.saturating_sub(first) >= MIN_REPORT_TIME_MS)
    }
}

/// The numbers of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// Frames.
    pub frames: u64,
    /// Cells.
    pub cells: u64,
    /// Cells that are shown.
    pub shown: usize,
}

/// Writes the page about a run or a sample to `out`; `progress` is called for each frame. Pictures are looked up beside
/// the records.
///
/// # Errors
/// [`crate::export::ExportError::Records`] when the records cannot be read,
/// [`crate::export::ExportError::Write`] when `out` takes no more.
pub fn write(records: &Records, about: &Scope, out: &mut dyn Write, progress: &mut dyn FnMut()) -> Result<Written> {
    let extent = records.extent(&about.filter)?;
    let pitches = records.pitches(&about.filter)?;
    let lengths = Lengths::of(&pitches);
    let facts = Facts {
        figures: Figures::read(records, &about.filter, lengths, &extent, progress)?,
        models: about.models(records)?,
        events: about.events(records, MAX_REPORT_EVENTS)?,
        pitches,
        lengths,
        scope: about.filter.clone(),
        run: about.run.clone(),
        about: about.clone(),
        extent,
    };
    let title = about.title();
    let title = text(&title);
    writeln!(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">")?;
    writeln!(out, "<meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">")?;
    writeln!(out, "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">")?;
    writeln!(out, "<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<header>\n<h1>{title}</h1>")?;
    summary::head(out, &facts)?;
    writeln!(out, "</header>\n<main>")?;
    answer::section(out, &facts)?;
    pictures::section(out, records, &facts)?;
    measured::sizes(out, &facts)?;
    if facts.lasts() {
        measured::over_time(out, &facts)?;
    }
    let shown = cells::section(out, records, &facts)?;
    summary::counts(out, &facts)?;
    quality::section(out, &facts)?;
    origin::how(out, &facts)?;
    origin::events(out, &facts)?;
    writeln!(out, "</main>\n<footer>")?;
    let (version, schema) = (env!("CARGO_PKG_VERSION"), schema::VERSION);
    writeln!(out, "<p>Written by bloodseg {version} from records of version {schema}. Not a medical device.</p>")?;
    writeln!(out, "</footer>\n</body>\n</html>")?;
    out.flush()?;
    Ok(Written { frames: facts.figures.frames, cells: facts.figures.cells, shown })
}
