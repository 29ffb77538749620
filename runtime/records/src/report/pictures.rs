//! One row per picture of a counted folder: what it looks like and what was found in it.

use std::{
    io::{self, Write},
    path::Path,
};

use ct_codecs::{Base64, Encoder};
use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder, imageops};

use super::{
    Facts,
    chosen::pictures_of,
    html::text,
    table::{begin, end},
};
use crate::{
    count::CountedFrame,
    error::Error,
    export::Result,
    report::limits::{MAX_KEPT_PICTURE_PX, MAX_REPORT_ROWS, MAX_REPORT_THUMBNAIL_PX},
    store::read::{CellRow, FrameRow, Records},
};
use bloodseg_vision::frame::decode;

/// Writes the rows; nothing for a run with more frames than fit.
pub(super) fn section(out: &mut dyn Write, records: &Records, facts: &Facts) -> Result<()> {
    let frames = facts.figures.frames;
    if frames == 0 || frames > MAX_REPORT_ROWS {
        return Ok(());
    }
    writeln!(out, "<section>\n<h2>Pictures</h2>")?;
    let has_kinds = facts.figures.with_kinds > 0;
    let kinds: &[&str] = if has_kinds { &["white ", "platelets "] } else { &[] };
    let columns = [&["", "picture", "cells "], kinds, &["per mm² ", "unsupported ", "verdict", "field"]].concat();
    begin(out, "Each frame as it was counted; an empty count means that it was not", &columns)?;
    let mut wrote = Ok(());
    records.whole_frames::<Error>(&facts.scope, |frame, cells| {
        if wrote.is_ok() {
            wrote = row(out, frame, thumbnail(frame, cells, records.folder_of(frame.run)), has_kinds);
        }
        Ok(())
    })?;
    wrote?;
    end(out)?;
    Ok(writeln!(out, "</section>")?)
}

fn row(out: &mut dyn Write, frame: &FrameRow, thumbnail: Option<Thumbnail>, has_kinds: bool) -> io::Result<()> {
    write!(out, "<tr><td>")?;
    if let Some(Thumbnail { size_px: [width, height], png }) = thumbnail
        && let Ok(data) = Base64::encode_to_string(png)
    {
        write!(
            out,
            "<svg class=\"small\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" role=\"presentation\">\
             <image href=\"data:image/png;base64,{data}\" width=\"{width}\" height=\"{height}\"/></svg>"
        )?;
    }
    write!(out, "</td><td>{}</td>", text(&frame.image))?;
    let [_, white, platelets] = frame.kinds();
    let mm2 = CountedFrame::of_row(frame).area_mm2.filter(|mm2| *mm2 > 0.0);
    let per_mm2 = mm2.map(|mm2| frame.cells as f64 / mm2);
    let counted =
        |count: Option<i64>| count.filter(|_| frame.counted).map_or_else(String::new, |count| count.to_string());
    let of_kinds = [white, platelets].into_iter().filter(|_| has_kinds);
    let others = [per_mm2.map(|density| density.round() as i64), Some(frame.unsupported)];
    for value in std::iter::once(Some(frame.cells)).chain(of_kinds).chain(others) {
        write!(out, "<td class=\"n\">{}</td>", counted(value))?;
    }
    let field = frame.field.map_or_else(String::new, |field| match field.earlier {
        Some(earlier) => format!("{} {earlier}: {} new", field.state.words(), field.fresh.cells),
        None => field.state.words().to_owned(),
    });
    writeln!(out, "<td>{}</td><td>{}</td></tr>", text(&frame.verdict), text(&field))
}

struct Thumbnail {
    size_px: [u32; 2],
    png: Vec<u8>,
}

/// A thumbnail of a frame's super-resolved picture; none if it was not kept, cannot be read, or belongs to a later run.
fn thumbnail(frame: &FrameRow, cells: &[CellRow], folder: &Path) -> Option<Thumbnail> {
    let [sr, labels] = pictures_of(folder, frame)?;
    let labels = decode::read_labels(&labels, MAX_KEPT_PICTURE_PX).ok()?;
    let mut pixels = vec![0_i64; usize::from(u16::MAX) + 1];
    labels.as_raw().iter().for_each(|label| pixels[usize::from(*label)] += 1);
    let is_as_recorded =
        |cell: &CellRow| usize::try_from(cell.label).ok().and_then(|label| pixels.get(label)) == Some(&cell.area_px);
    if !cells.iter().all(is_as_recorded) {
        return None;
    }
    let picture = decode::read_picture(&sr, MAX_KEPT_PICTURE_PX).ok()?;
    if frame.size_px != [0; 2] && picture.dimensions() != (frame.size_px[0], frame.size_px[1]) {
        return None;
    }
    let (width, height) = picture.dimensions();
    let shrink = f64::from(MAX_REPORT_THUMBNAIL_PX) / f64::from(width.max(height).max(1));
    let side = |px: u32| ((f64::from(px) * shrink.min(1.0)).round() as u32).max(1);
    let small = imageops::thumbnail(&picture, side(width), side(height));
    let mut png = Vec::new();
    PngEncoder::new(&mut png).write_image(&small, small.width(), small.height(), ExtendedColorType::Rgb8).ok()?;
    Some(Thumbnail { size_px: [small.width(), small.height()], png })
}
