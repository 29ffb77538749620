//! The first section of the page: the counts with their intervals, by kind and by area, and what they leave out.

use std::io::{self, Write};

use super::{
    Facts,
    html::text,
    table::{counted, pairs},
};
use crate::{
    count::{Summary, Total},
    validation::Correction,
};
use bloodseg_statistics::{Interval, fields::FieldCounts};
use bloodseg_vision::frame::quality::Verdict;

/// The key figures.
pub(super) fn key(out: &mut dyn Write, facts: &Facts) -> io::Result<()> {
    let figures = &facts.figures;
    let mut key = Vec::new();
    match figures.sample.summary() {
        None => key.push(("Cells", "none counted".to_owned())),
        Some(summary) => {
            let Total { cells, white, platelets, .. } = summary.total;
            key.push(("Cells", cells.to_string()));
            if let Some(of_fields) = summary.cells {
                key.push(("Cells per field", with_interval(of_fields.mean, of_fields.interval, 1)));
            }
            if let Some(density) = summary.cells_per_mm2 {
                key.push(("Cells per mm²", with_interval(density.density, density.interval, 0)));
            }
            if let (Some(white), Some(platelets)) = (white, platelets) {
                key.extend([("White cells", white.to_string()), ("Platelets", platelets.to_string())]);
            }
            key.push(("Distinct fields", summary.fields.to_string()));
        }
    }
    writeln!(out, "<dl class=\"key\">")?;
    for (name, value) in key {
        writeln!(out, "<div><dt>{name}</dt><dd>{}</dd></div>", text(&value))?;
    }
    writeln!(out, "</dl>")
}

/// The counts in a table, and what they leave out.
pub(super) fn section(out: &mut dyn Write, facts: &Facts) -> io::Result<()> {
    writeln!(out, "<section>\n<h2>Result</h2>")?;
    let figures = &facts.figures;
    let Some(summary) = figures.sample.summary() else {
        writeln!(out, "<p>No cells were counted: {}.</p>", left_out(facts))?;
        return writeln!(out, "</section>");
    };
    let mut rows = rows(&summary);
    if let Some(validation) = &facts.about.validation {
        let models: Vec<String> = facts.models.iter().map(|model| model.sha256.clone()).collect();
        let Correction { cells, interval, refused } = validation.correct(&summary, &models);
        let value = match cells.zip(interval) {
            Some((cells, interval)) => with_interval(cells, interval, 1),
            None => format!("not corrected: {}", refused.unwrap_or_default()),
        };
        rows.insert(1, ("Cells per field as the person of the validation would count", value));
    }
    let percent = (100.0 * summary.level).round();
    pairs(out, &format!("Counts, each cell once; intervals hold the truth of the sample with {percent} %"), &rows)?;
    match summary.more_pictures_for_5_percent {
        Some(0) => writeln!(out, "<p>The interval of cells per field is within 5 % of the mean.</p>")?,
        Some(more) => {
            let more = counted(more, "more field", "more fields");
            writeln!(
                out,
                "<p>About {more} like these would narrow the interval of cells per field to 5 % of the mean.</p>"
            )?;
        }
        None => {}
    }
    if summary.seen_again + summary.overlapping > 0 {
        writeln!(
            out,
            "<p>{} of the same field as an earlier one {} not counted again; of {} that overlap an earlier one, only the new \
             part is counted.</p>",
            counted(summary.seen_again, "frame", "frames"),
            if summary.seen_again == 1 { "is" } else { "are" },
            counted(summary.overlapping, "frame", "frames")
        )?;
    }
    writeln!(out, "<p>Not counted: {}.</p>", left_out(facts))?;
    if summary.scale_doubtful > 0 {
        writeln!(
            out,
            "<p><strong>The scale of {} is doubtful</strong>: the cells contradict the given pitch, and the count depends \
             on it.</p>",
            counted(summary.scale_doubtful, "frame", "frames")
        )?;
    }
    if summary.stuck_cells > 0 {
        writeln!(
            out,
            "<p>{} keep their place in the picture from field to field and were left out as dust.</p>",
            counted(summary.stuck_cells, "cell", "cells")
        )?;
    }
    if !facts.lengths.known() {
        writeln!(out, "<p>The pitch is not known, so there is no count per area.</p>")?;
    }
    if facts.about.is_of_sample() {
        // On paper only.
        writeln!(out, "<p class=\"sign\"><span>Reviewed by</span><span>Signature</span><span>Date</span></p>")?;
    }
    writeln!(out, "</section>")
}

fn rows(summary: &Summary) -> Vec<(&'static str, String)> {
    let mut rows = vec![("Cells", summary.total.cells.to_string())];
    for (name, count) in [("Red cells", summary.total.red), ("White cells", summary.total.white)] {
        rows.extend(count.map(|count| (name, count.to_string())));
    }
    rows.extend(summary.total.platelets.map(|count| ("Platelets, which are not cells", count.to_string())));
    let of_fields = |fields: FieldCounts| with_interval(fields.mean, fields.interval, 1);
    for (name, fields) in [
        ("Cells per field", summary.cells),
        ("Red cells per field", summary.red),
        ("White cells per field", summary.white),
        ("Platelets per field", summary.platelets),
    ] {
        rows.extend(fields.map(|fields| (name, of_fields(fields))));
    }
    let density = summary.cells_per_mm2.map_or_else(
        || "not given: the pitch is unknown, doubtful, or an estimate from the red cells".to_owned(),
        |density| with_interval(density.density, density.interval, 0),
    );
    rows.push(("Cells per mm² of the analysed area", density));
    rows.extend(summary.white_of_cells.map(|share| ("White cells of all cells", share.text())));
    rows.extend(summary.unsupported_of_cells.map(|share| ("Cells that the input does not support", share.text())));
    rows.push(("Distinct fields", summary.fields.to_string()));
    if let Some(dispersion) = summary.cells.and_then(|cells| cells.dispersion) {
        rows.push(("Variance over mean of the fields (1: independent cells)", format!("{dispersion:.2}")));
    }
    rows
}

/// Frames that were analysed and not counted, by their verdict.
fn left_out(facts: &Facts) -> String {
    let judged = &facts.figures.judged;
    let found: Vec<String> = Verdict::ALL
        .iter()
        .zip(judged)
        .filter(|(_, judged)| judged.frames > judged.counted)
        .map(|(verdict, judged)| {
            format!("{}: {}", verdict.words(), counted(judged.frames - judged.counted, "frame", "frames"))
        })
        .collect();
    if found.is_empty() { "no frame was left out".to_owned() } else { found.join("; ") }
}

fn with_interval(value: f64, Interval { low, high }: Interval, decimals: usize) -> String {
    format!("{value:.decimals$} ({low:.decimals$} to {high:.decimals$})")
}
