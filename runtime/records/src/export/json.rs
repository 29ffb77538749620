//! What the JSON formats share.

use std::io::Write;

use serde::Serialize;

use super::Result;
use crate::store::read::CellRow;
use bloodseg_vision::cells::outline::Polygon;

/// Writes an object without its closing brace, so that more can follow.
pub(super) fn open(out: &mut dyn Write, scratch: &mut Vec<u8>, object: &impl Serialize) -> Result<()> {
    scratch.clear();
    serde_json::to_writer(&mut *scratch, object)?;
    Ok(out.write_all(scratch.strip_suffix(b"}").unwrap_or(scratch))?)
}

/// Writes the separator before an element of a list: nothing before the first.
pub(super) fn comma(out: &mut dyn Write, first: &mut bool) -> Result<()> {
    if !std::mem::take(first) {
        out.write_all(b",\n")?;
    }
    Ok(())
}

/// The outline of a cell; without one, the square of its area around its centroid, marked as a box.
pub(super) fn outline(cell: &CellRow, polygon: &mut Polygon) {
    if !polygon.read(&cell.outline) {
        let half = cell.equivalent_diameter_px() / 2.0;
        // The cast of a float saturates.
        let edge = |middle: f64, side: f64| (middle + side).round() as u32;
        let [left, top] = [edge(cell.x_px, -half), edge(cell.y_px, -half)];
        let [right, bottom] = [edge(cell.x_px, half).max(left + 1), edge(cell.y_px, half).max(top + 1)];
        polygon.corners.extend([[left, top], [right, top], [right, bottom], [left, bottom]]);
        polygon.is_box = true;
    }
}
