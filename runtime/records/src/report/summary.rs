//! The head of the page: what ran, when, how it ended, and the counts.

use std::io::{self, Write};

use super::{
    Facts, answer,
    html::text,
    table::{counted, number, pairs, percent},
};
use crate::sample::Sample;
use bloodseg_clock::utc;

/// The lines below the title, and the key figures.
pub(super) fn head(out: &mut dyn Write, facts: &Facts) -> io::Result<()> {
    let Facts { run, extent, about, .. } = facts;
    if about.is_of_sample() {
        let runs: Vec<String> = about.runs.iter().map(i64::to_string).collect();
        writeln!(out, "<p>{}: {}; the latest:</p>", counted(runs.len() as u64, "run", "runs"), runs.join(", "))?;
    }
    writeln!(out, "<p>{}</p>", text(&run.description))?;
    write!(out, "<p>Started {}. ", time(run.started_utc_ms))?;
    match (&run.ended, run.ended_utc_ms) {
        (Some(how), Some(at_ms)) => writeln!(out, "Ended {}: {}.</p>", time(at_ms), text(how))?,
        (Some(how), None) => writeln!(out, "Ended: {}.</p>", text(how))?,
        (None, _) => writeln!(out, "No end was recorded: the run is still going, or was interrupted.</p>")?,
    }
    match extent.utc_ms {
        Some((first, last)) => {
            writeln!(
                out,
                "<p class=\"soft\">Frames from {} to {}, by the clock of the box.</p>",
                time(first),
                time(last)
            )?;
        }
        None => writeln!(out, "<p>No frame of this run was recorded.</p>")?,
    }
    for sample in &facts.about.samples {
        let Sample { name, operator, stain, note } = sample;
        let more = [("operator", operator), ("stain", stain), ("note", note)];
        let more = more.into_iter().filter(|(_, value)| !value.is_empty());
        let words = more.fold(format!("Sample {name}"), |words, (what, value)| format!("{words}, {what} {value}"));
        writeln!(out, "<p><strong>{}</strong></p>", text(&words))?;
    }
    answer::key(out, facts)
}

/// The counts.
pub(super) fn counts(out: &mut dyn Write, facts: &Facts) -> io::Result<()> {
    let Facts { run, extent, figures, .. } = facts;
    writeln!(out, "<section>\n<h2>Counts</h2>")?;
    let at = |share| figures.a_frame.quantile(share, f64::from);
    let mut frames = figures.frames.to_string();
    if let Some((first, last)) = extent.numbers {
        frames.push_str(&format!(", numbers {first} to {last}"));
    }
    let mut rows = vec![
        ("Frames recorded", frames),
        (
            "Frames whose cells were counted",
            format!("{} ({})", figures.counted, percent(figures.counted, figures.frames)),
        ),
        ("Frames dropped before analysis", extent.dropped.to_string()),
        ("Cells in all frames", figures.cells.to_string()),
        ("Cells cut by the edge of a frame", format!("{} ({})", figures.cut, percent(figures.cut, figures.cells))),
        ("Unsupported cells", format!("{} ({})", figures.unsupported, percent(figures.unsupported, figures.cells))),
        ("Cells per counted frame, mean", number(figures.a_frame_moments.mean(), 2).to_string()),
        ("Cells per counted frame, standard deviation", number(figures.a_frame_moments.deviation(), 2).to_string()),
        ("Cells per counted frame, median", number(at(0.5), 1).to_string()),
        ("Cells per counted frame, minimum to maximum", format!("{} to {}", number(at(0.0), 0), number(at(1.0), 0))),
    ];
    if figures.with_kinds > 0 {
        let [red, white, platelets] = figures.kinds;
        let kinds = [
            ("Red cells", format!("{red} ({})", percent(red, red + white))),
            ("White cells", format!("{white} ({})", percent(white, red + white))),
            ("Platelets (not included in the cells)", platelets.to_string()),
        ];
        let at = rows.iter().position(|(name, _)| *name == "Cells in all frames").map_or(rows.len(), |at| at + 1);
        rows.splice(at..at, kinds);
        if figures.with_kinds < figures.counted {
            let known = format!("{} of {}", figures.with_kinds, figures.counted);
            rows.insert(at + 3, ("Counted frames whose kinds are known", known));
        }
    }
    if run.not_kept > 0 {
        rows.insert(3, ("Frames that could not be kept", run.not_kept.to_string()));
    }
    pairs(out, "Frames and cells", &rows)?;
    if extent.numbers.is_some_and(|(first, _)| first > 1) {
        let found = "The first frames of the run are missing: they were dropped, or deleted because of age or size.";
        writeln!(out, "<p class=\"soft\">{found}</p>")?;
    }
    if run.ended.is_none() {
        let so_far = "Counts cover the frames recorded when this page was written; the number that could not be kept \
                      is known at the end of a run.";
        writeln!(out, "<p class=\"soft\">{so_far}</p>")?;
    }
    writeln!(out, "</section>")
}

/// A time, for readers and for programs.
pub(super) fn time(ms: i64) -> impl std::fmt::Display {
    let stamp = utc::rfc3339(ms);
    std::fmt::from_fn(move |f| {
        let stamp = stamp.to_string();
        let shown = stamp.get(..19).unwrap_or(&stamp).replace('T', " ");
        write!(f, "<time datetime=\"{stamp}\">{shown} UTC</time>")
    })
}

/// A number of frames, as text.
pub(super) fn frames(count: u64) -> String {
    counted(count, "frame", "frames")
}
