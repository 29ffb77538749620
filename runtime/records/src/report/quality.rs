//! The quality verdicts of the frames, and the reasons.

use std::io::{self, Write};

use super::{
    Facts,
    html::text,
    table::{begin, end, percent},
};
use bloodseg_vision::frame::quality::{
    LEAST_BRIGHTNESS_LEVELS, LEAST_CONTRAST_LEVELS, LEAST_SHARPNESS, OVER_EXPOSED_SHARE, Verdict, WASHED_OUT_SHARE,
};

/// One row per verdict.
pub(super) fn section(out: &mut dyn Write, facts: &Facts) -> io::Result<()> {
    let figures = &facts.figures;
    writeln!(out, "<section>\n<h2>Quality of frames</h2>")?;
    writeln!(
        out,
        "<p>Every frame is assessed before its cells are counted. Cells are counted only in good frames, or with \
         <code>--any-quality</code> in all frames.</p>"
    )?;
    let columns = ["Verdict", "frames ", "share ", "counted ", "why", "found"];
    begin(out, "Frames by verdict", &columns)?;
    let verdicts = Verdict::ALL.into_iter().map(Some).chain([None]);
    for (verdict, judged) in verdicts.zip(&figures.judged) {
        // A row for unknown verdicts appears only if there are any.
        if verdict.is_none() && judged.frames == 0 {
            continue;
        }
        let name = verdict.map_or("another verdict", Verdict::words);
        write!(out, "<tr><th scope=\"row\">{}</th>", text(name))?;
        write!(out, "<td class=\"n\">{}</td>", judged.frames)?;
        write!(out, "<td class=\"n\">{}</td>", percent(judged.frames, figures.frames))?;
        write!(out, "<td class=\"n\">{}</td><td>{}</td>", judged.counted, text(why(verdict)))?;
        writeln!(out, "<td>{}</td></tr>", text(found(verdict, judged.range)))?;
    }
    end(out)?;
    writeln!(out, "</section>")
}

/// What a verdict is based on in this version of the software.
fn why(verdict: Option<Verdict>) -> String {
    let percent = |share: f64| 100.0 * share;
    match verdict {
        Some(Verdict::Good) => "cells can be counted".into(),
        Some(Verdict::OutOfFocus) => format!("sharpness below {LEAST_SHARPNESS} 1/px"),
        Some(Verdict::Empty) => format!("contrast below {LEAST_CONTRAST_LEVELS} levels"),
        Some(Verdict::OverExposed) => format!(
            "no contrast and {:.0} % white or more, or more than {:.0} % white and the rest pale",
            percent(OVER_EXPOSED_SHARE),
            percent(WASHED_OUT_SHARE)
        ),
        Some(Verdict::UnderExposed) => format!("background darker than level {LEAST_BRIGHTNESS_LEVELS}"),
        Some(Verdict::ScaleUnknown) => "no pitch, and no red cells to measure it from".into(),
        Some(Verdict::ScaleDoubtful) => "red cells of less than 5 or more than 11 um at the given pitch".into(),
        None => "unknown to the software that wrote this page".into(),
    }
}

/// What was measured in the frames of a verdict.
fn found(verdict: Option<Verdict>, range: Option<(f64, f64)>) -> String {
    let (Some(verdict), Some((least, greatest))) = (verdict, range) else { return "–".into() };
    let (measure, decimals, unit) = match verdict {
        Verdict::Good | Verdict::OutOfFocus | Verdict::ScaleDoubtful => ("sharpness", 3, ""),
        Verdict::ScaleUnknown => return "–".into(),
        Verdict::Empty => ("contrast", 1, ""),
        Verdict::OverExposed => ("white", 0, " %"),
        Verdict::UnderExposed => ("background", 0, ""),
    };
    format!("{measure} {least:.decimals$} to {greatest:.decimals$}{unit}")
}
