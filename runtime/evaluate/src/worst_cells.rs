//! The true cells with the worst detections, and pictures of them.

use std::path::Path;

use serde::Serialize;

use crate::{
    measures::instances::{LEAST_AREA_PX, Nearest, nearest},
    method::{Answer, Method},
    panel,
    set::{EvalField, FieldSet},
};
use bloodseg_vision::{
    error::{Error, Result},
    pictures::write_rgb,
};

/// Number of cells in a report.
pub const WORST_CELLS: usize = 10;

/// A true cell and the best-fitting predicted one. Areas are on the 256x256 grid.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WorstCell {
    /// Name of its field.
    pub field: String,
    /// Its label in the field's truth.
    pub cell: u16,
    /// Intersection over union with the predicted cell, 0 where none overlaps.
    pub iou: f64,
    /// Whether the two match; see [`crate::measures::instances`].
    pub matched: bool,
    /// Area of the true cell, pixels.
    pub true_area_px: u32,
    /// Area of the predicted cell, pixels, or 0.
    pub predicted_area_px: u32,
}

/// The worst cells of the fields so far; holds at most `most`.
#[derive(Debug, Clone)]
pub struct WorstCells {
    most: usize,
    cells: Vec<WorstCell>,
}

impl WorstCells {
    /// Starts without fields.
    pub fn new(most: usize) -> Self {
        Self { most, cells: Vec::new() }
    }

    /// Adds the true cells of a field, without those under [`LEAST_AREA_PX`].
    ///
    /// # Errors
    /// [`Error::Internal`] if the answer does not have the field's size.
    pub fn add(&mut self, field: &EvalField, answer: &Answer) -> Result<()> {
        let of_field = nearest(&field.truth, &answer.labels)?;
        let counted = of_field.iter().filter(|cell| cell.truth_area_px >= LEAST_AREA_PX);
        self.cells.extend(counted.map(|cell| worst_cell(&field.name, cell)));
        self.cells.sort_by(|a, b| {
            let same_iou = || a.iou.total_cmp(&b.iou);
            // Of two missed cells the larger is the greater loss. The sort is stable: remaining ties are decided by the
            // order of fields and labels.
            a.matched.cmp(&b.matched).then_with(same_iou).then_with(|| b.true_area_px.cmp(&a.true_area_px))
        });
        self.cells.truncate(self.most);
        Ok(())
    }

    /// The cells, worst first: those without a match, then those with the lowest IoU.
    pub fn into_cells(self) -> Vec<WorstCell> {
        self.cells
    }
}

fn worst_cell(field: &str, cell: &Nearest) -> WorstCell {
    WorstCell {
        field: field.to_owned(),
        cell: cell.truth,
        iou: cell.iou,
        matched: cell.matched,
        true_area_px: cell.truth_area_px,
        predicted_area_px: cell.predicted_area_px,
    }
}

/// Writes `worst_cell_01.png`, `worst_cell_02.png`, ... to `folder`, which is created if missing: each cell and its
/// surroundings, enlarged, as low resolution, super-resolved, high resolution, and with outlines.
///
/// `cells` are those of [`crate::report::Report::worst_cells`], `model` the method that found them: each field is
/// analysed again, so that one field at a time is in memory.
///
/// # Errors
/// [`Error::Input`] for a field that can no longer be read, [`Error::Output`] for a picture that cannot be written,
/// [`Error::Internal`] for a cell that is not in `set`.
pub fn write(set: &FieldSet, model: &mut dyn Method, cells: &[WorstCell], folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|e| Error::output(folder, e))?;
    let mut latest: Option<(EvalField, Answer)> = None;
    for (place, cell) in (1..).zip(cells) {
        let strange = || Error::internal("worst_cells", format!("no cell {} in a field {}", cell.cell, cell.field));
        let (field, answer) = match latest.take() {
            Some(same) if same.0.name == cell.field => same,
            _ => {
                let field = set.pair(&cell.field).ok_or_else(strange)?.load()?;
                let answer = model.answer(&field.lr)?;
                (field, answer)
            }
        };
        let picture = panel::of_cell(&field, &answer, cell.cell).ok_or_else(strange)?;
        write_rgb(&folder.join(format!("worst_cell_{place:02}.png")), &picture)?;
        latest = Some((field, answer));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use image::{GrayImage, Luma, RgbImage};

    use super::*;
    use bloodseg_vision::cells::Labels;

    /// The truth: bars 10 wide and 20 high. The answer: the same bars with the heights in `found`, 0 for none.
    fn case(name: &str, found: &[u32]) -> (EvalField, Answer) {
        let bars = |heights: &[u32]| {
            Labels::from_fn(256, 256, |x, y| {
                let bar = (x / 12) as usize;
                let here = x % 12 < 10 && heights.get(bar).is_some_and(|&height| y < height);
                Luma([if here { bar as u16 + 1 } else { 0 }])
            })
        };
        let field = EvalField {
            name: name.into(),
            lr: RgbImage::new(64, 64),
            hr: RgbImage::new(256, 256),
            mask: GrayImage::new(256, 256),
            truth: bars(&vec![20; found.len()]),
            annotated_cells: found.len() as u32,
        };
        (field, Answer { sr: RgbImage::new(256, 256), labels: bars(found) })
    }

    #[test]
    fn missed_cells_come_first_and_list_is_bounded() {
        let mut worst = WorstCells::new(4);
        for (name, found) in [("a", &[20, 15, 20][..]), ("b", &[0, 5, 20]), ("c", &[18, 0])] {
            let (field, answer) = case(name, found);
            worst.add(&field, &answer).unwrap();
            assert!(worst.cells.len() <= 4);
        }
        let listed: Vec<_> = worst.into_cells().into_iter().map(|c| (c.field, c.cell, c.iou, c.matched)).collect();
        let expected = [("b", 1, 0.0, false), ("c", 2, 0.0, false), ("b", 2, 0.25, false), ("a", 2, 0.75, true)];
        assert_eq!(listed, expected.map(|(field, cell, iou, matched)| (field.to_owned(), cell, iou, matched)));
    }

    #[test]
    fn larger_missed_cell_is_worse_and_specks_are_skipped() {
        let (mut field, answer) = case("a", &[0, 0, 0]);
        for (x, y) in (0..10).flat_map(|x| (0..20).map(move |y| (x, y))) {
            if y >= 10 {
                field.truth.put_pixel(x, y, Luma([0])); // cell 1 is half as large
            }
            if x > 0 || y > 0 {
                field.truth.put_pixel(24 + x, y, Luma([0])); // cell 3 is a speck
            }
        }
        let mut worst = WorstCells::new(9);
        worst.add(&field, &answer).unwrap();
        let listed: Vec<_> = worst.into_cells().into_iter().map(|cell| (cell.cell, cell.true_area_px)).collect();
        assert_eq!(listed, [(2, 200), (1, 100)]);
    }
}
