//! How large and how round the cells are, and the course of the run over time.

use std::io::{self, Write};

use super::{
    Facts,
    chart::{self, Line},
    figures::circularity,
    histogram::Histogram,
    html::text,
    table::{begin, counted, end, number},
    tally::Tally,
};
use crate::report::limits::MAX_REPORT_AREA_PX;
use bloodseg_statistics::moments::Moments;
use bloodseg_vision::{frame::quality::LEAST_SHARPNESS, geometry::SCALE, placement::PitchSource};

/// Diameters and circularities.
pub(super) fn sizes(out: &mut dyn Write, facts: &Facts) -> io::Result<()> {
    let Facts { figures, lengths, pitches, .. } = facts;
    writeln!(out, "<section>\n<h2>Sizes of cells</h2>")?;
    let unit = lengths.unit();
    writeln!(
        out,
        "<p>The diameter is that of a disk of the same area. Cells cut by the edge of a frame, and cells that the input \
         does not support, are counted above but not measured here.</p>"
    )?;
    if !lengths.known() {
        writeln!(
            out,
            "<p><strong>The pitch is unknown: lengths are in pixels of the super-resolved picture</strong>; {SCALE} of them \
             correspond to one of the analysed picture.</p>"
        )?;
    }
    if pitches.first().is_some_and(|pitch| pitch.source == PitchSource::Measured) {
        writeln!(
            out,
            "<p><strong>Micrometres are estimates</strong>: the pitch was measured from the red cells, assumed to be 7.5 µm. Red \
             cells differ between people; relative sizes are still valid.</p>"
        )?;
    }
    let diameter = |area| lengths.diameter(area);
    if let Some(histogram) = Histogram::of(&figures.areas, diameter) {
        let at = |share| figures.areas.quantile(share, diameter).unwrap_or(f64::NAN);
        let marks = [("5 %", at(0.05)), ("median", at(0.5)), ("95 %", at(0.95))];
        writeln!(out, "<figure>")?;
        chart::bars(out, &histogram, "Histogram of cell diameters", &format!("diameter in {unit}"), &marks)?;
        write!(out, "<figcaption>{} in bars of {} {unit}", cells(figures.areas.total()), histogram.width as f32)?;
        if histogram.beyond > 0 {
            write!(out, "; {} beyond the last bar are not drawn", histogram.beyond)?;
        }
        writeln!(out, ".</figcaption>\n</figure>")?;
        begin(
            out,
            "Measures of cells. Medians and percentiles of diameters are exact; those of circularities are to 0.001",
            &["Measure", "n ", "mean ", "SD ", "median ", "5 % ", "95 % ", "least ", "greatest "],
        )?;
        row(out, &format!("diameter in {unit}"), &figures.areas, diameter, &figures.diameters, 2)?;
        row(out, "circularity", &figures.circularities, circularity, &figures.circularity_moments, 3)?;
        end(out)?;
        if figures.areas.beyond() > 0 {
            let (beyond, most) = (cells(figures.areas.beyond()), lengths.diameter(MAX_REPORT_AREA_PX));
            writeln!(
                out,
                "<p class=\"soft\">{beyond} larger than {most:.1} {unit} count as that size in medians, percentiles and \
                 bars; mean and SD use their true size.</p>"
            )?;
        }
        bars_in_numbers(out, &histogram, unit)?;
    } else {
        writeln!(out, "<p>No such cell was recorded.</p>")?;
    }
    writeln!(out, "</section>")
}

fn row(
    out: &mut dyn Write,
    name: &str,
    tally: &Tally,
    value: impl Fn(u32) -> f64,
    moments: &Moments,
    decimals: usize,
) -> io::Result<()> {
    write!(out, "<tr><th scope=\"row\">{}</th><td class=\"n\">{}</td>", text(name), tally.total())?;
    let at = |share| tally.quantile(share, &value);
    for value in [moments.mean(), moments.deviation(), at(0.5), at(0.05), at(0.95), at(0.0), at(1.0)] {
        write!(out, "<td class=\"n\">{}</td>", number(value, decimals))?;
    }
    writeln!(out, "</tr>")
}

/// The histogram as a table, for screen readers.
fn bars_in_numbers(out: &mut dyn Write, histogram: &Histogram, unit: &str) -> io::Result<()> {
    writeln!(out, "<details>\n<summary>The histogram in numbers</summary>")?;
    begin(out, "Cells by diameter", &[&format!("from, {unit} "), &format!("below, {unit} "), "cells "])?;
    for (at, count) in histogram.bars.iter().enumerate() {
        let from = histogram.from + histogram.width * at as f64;
        let to = from + histogram.width;
        writeln!(
            out,
            "<tr><td class=\"n\">{from:.2}</td><td class=\"n\">{to:.2}</td><td class=\"n\">{count}</td></tr>"
        )?;
    }
    end(out)?;
    writeln!(out, "</details>")
}

/// The course of the run.
pub(super) fn over_time(out: &mut dyn Write, facts: &Facts) -> io::Result<()> {
    let figures = &facts.figures;
    writeln!(out, "<section>\n<h2>Over time</h2>")?;
    if figures.frames == 0 {
        return writeln!(out, "<p>No frame was recorded.</p>\n</section>");
    }
    writeln!(
        out,
        "<p>Time counts while the box was running. A line is the mean of the frames near a moment, its shade the range \
         from their minimum to their maximum.</p>"
    )?;
    let line = |over_time, name, y_name| Line { over_time, name, y_name, limit: None };
    let sharpness_limit = Some(("out of focus below", LEAST_SHARPNESS));
    for line in [
        line(&figures.cells_over_time, "Cells per frame over time", "cells per counted frame"),
        line(&figures.covered_over_time, "Covered share over time", "% of the picture covered by cells"),
        Line {
            limit: sharpness_limit,
            ..line(&figures.sharpness_over_time, "Sharpness over time", "sharpness in 1/px")
        },
        line(&figures.brightness_over_time, "Brightness over time", "background brightness, 0 to 255"),
    ] {
        match line.over_time.range() {
            Some((least, greatest)) => {
                writeln!(out, "<figure>")?;
                chart::line(out, line)?;
                let name = text(line.name);
                writeln!(out, "<figcaption>{name}: {least:.2} to {greatest:.2}.</figcaption>\n</figure>")?;
            }
            None => writeln!(out, "<p>{}: nothing recorded.</p>", text(line.name))?,
        }
    }
    writeln!(out, "</section>")
}

fn cells(count: u64) -> String {
    counted(count, "cell", "cells")
}
