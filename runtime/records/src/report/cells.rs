//! Pictures of single cells: the most typical, and the most unusual with the reason.

use std::io::{self, Write};

use ct_codecs::{Base64, Encoder};

use super::{
    Facts,
    chosen::{self, Chosen, Medians},
    crops::{self, Crop},
    html::text,
    summary::frames,
    table::counted,
};
use crate::{export::Result, store::read::Records};

/// Writes them; returns how many there are.
pub(super) fn section(out: &mut dyn Write, records: &Records, facts: &Facts) -> Result<usize> {
    let Facts { scope, figures, lengths, .. } = facts;
    writeln!(out, "<section>\n<h2>Typical and unusual cells</h2>")?;
    let medians = Medians::of(figures, *lengths);
    let choice = chosen::choose(records, scope, medians.as_ref())?;
    let all = frames(figures.frames);
    if choice.pictured == 0 {
        writeln!(
            out,
            "<p>No pictures of this run's {all} were kept with its records, so no cell can be shown. A run keeps those of \
             its last frame, and of every N-th with --save-every N.</p>\n</section>"
        )?;
        return Ok(0);
    }
    let chosen: Vec<&Chosen> = choice.typical.iter().chain(&choice.odd).collect();
    let Some(medians) = medians.filter(|_| !chosen.is_empty()) else {
        let pictured = frames(choice.pictured);
        writeln!(
            out,
            "<p>Pictures of {pictured} of {all} were kept, but they contain no complete cell.</p>\n</section>"
        )?;
        return Ok(0);
    };
    let cut = crops::cut(&chosen, medians.diameter_px());
    let shown = cut.iter().flatten().count();
    writeln!(
        out,
        "<p>Chosen from the {} of {all} whose pictures were kept, by diameter and circularity; super-resolved, with the \
         outline of the counted cell.</p>",
        frames(choice.pictured)
    )?;
    if choice.more {
        writeln!(out, "<p class=\"soft\">Pictures of more frames were kept; these are the first.</p>")?;
    }
    if shown < chosen.len() {
        let missing = counted((chosen.len() - shown) as u64, "cell is", "cells are");
        writeln!(
            out,
            "<p>{missing} not shown: the kept pictures cannot be read, or no longer belong to this run.</p>"
        )?;
    }
    let (typical, odd) = cut.split_at(choice.typical.len().min(cut.len()));
    list(out, "Typical: closest to the medians", &choice.typical, typical, facts, |chosen| {
        medians.words(&chosen.cell)
    })?;
    list(out, "Unusual: furthest from the medians", &choice.odd, odd, facts, |chosen| medians.reason(&chosen.cell))?;
    writeln!(out, "</section>")?;
    Ok(shown)
}

fn list(
    out: &mut dyn Write,
    name: &str,
    chosen: &[Chosen],
    crops: &[Option<Crop>],
    facts: &Facts,
    words: impl Fn(&Chosen) -> String,
) -> Result<()> {
    if crops.iter().flatten().next().is_none() {
        return Ok(());
    }
    writeln!(out, "<h3>{}</h3>\n<div class=\"cells\">", text(name))?;
    for (chosen, crop) in chosen.iter().zip(crops) {
        let Some(crop) = crop else { continue };
        let words = words(chosen);
        let wide = facts.lengths.of_px(f64::from(crop.window[2]));
        writeln!(out, "<figure>")?;
        picture(out, crop, &format!("A cell: {words}"))?;
        write!(out, "<figcaption>{}<br>", text(&words))?;
        let (frame, label, unit) = (chosen.frame, chosen.cell.label, facts.lengths.unit());
        writeln!(out, "<small>frame {frame}, cell {label}; {wide:.1} {unit} wide</small></figcaption>\n</figure>")?;
    }
    Ok(writeln!(out, "</div>")?)
}

/// The picture with the outline over it.
fn picture(out: &mut dyn Write, crop: &Crop, name: &str) -> io::Result<()> {
    let [left, top, width, height] = crop.window;
    let png = Base64::encode_to_string(&crop.png).map_err(io::Error::other)?;
    write!(out, "<svg viewBox=\"{left} {top} {width} {height}\" role=\"img\" aria-label=\"{}\">", text(name))?;
    write!(out, "<image x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{height}\" ")?;
    write!(out, "href=\"data:image/png;base64,{png}\"/>")?;
    if !crop.corners.is_empty() {
        write!(out, "<polygon points=\"")?;
        for [x, y] in &crop.corners {
            write!(out, "{x},{y} ")?;
        }
        write!(out, "\"/>")?;
    }
    writeln!(out, "</svg>")
}
