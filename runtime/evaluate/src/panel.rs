//! Pictures for inspection: input, result and truth side by side.

use image::{Rgb, RgbImage, imageops};

use crate::{method::Answer, set::EvalField};
use bloodseg_vision::cells::Labels;

/// Colour of the true outlines.
pub const TRUE_OUTLINE: Rgb<u8> = Rgb([0, 220, 60]);

/// Colour of the predicted outlines.
pub const PREDICTED_OUTLINE: Rgb<u8> = Rgb([255, 0, 220]);

/// Colour where both coincide.
pub const COMMON_OUTLINE: Rgb<u8> = Rgb([255, 255, 255]);

/// Enlargement of a field's 256x256 pictures: one-pixel outlines are then finer than the grid.
const FIELD_ZOOM: u32 = 2;

/// Enlargement of a single cell.
const CELL_ZOOM: u32 = 8;

/// Margin around a cell, in pixels of the 256x256 grid.
const CELL_MARGIN_PX: u32 = 6;

/// Low resolution | super-resolved | high resolution | outlines over the super-resolved picture.
pub fn of_field(field: &EvalField, answer: &Answer) -> RgbImage {
    let whole = (0, 0, field.hr.width(), field.hr.height());
    side_by_side(field, answer, &field.truth, whole, FIELD_ZOOM)
}

/// The same for one true cell and its surroundings; true outlines are only of that cell. `None` for an unused label.
pub fn of_cell(field: &EvalField, answer: &Answer, cell: u16) -> Option<RgbImage> {
    let mut truth = field.truth.clone();
    let (mut left, mut top, mut right, mut bottom) = (u32::MAX, u32::MAX, 0, 0);
    for (x, y, label) in truth.enumerate_pixels_mut() {
        if label.0[0] == cell {
            (left, top, right, bottom) = (left.min(x), top.min(y), right.max(x), bottom.max(y));
        } else {
            label.0[0] = 0;
        }
    }
    if left > right {
        return None;
    }
    let (left, top) = (left.saturating_sub(CELL_MARGIN_PX), top.saturating_sub(CELL_MARGIN_PX));
    let right = (right + CELL_MARGIN_PX + 1).min(truth.width());
    let bottom = (bottom + CELL_MARGIN_PX + 1).min(truth.height());
    Some(side_by_side(field, answer, &truth, (left, top, right - left, bottom - top), CELL_ZOOM))
}

fn side_by_side(
    field: &EvalField,
    answer: &Answer,
    truth: &Labels,
    (left, top, width, height): (u32, u32, u32, u32),
    zoom: u32,
) -> RgbImage {
    let (wide, high) = (width * zoom, height * zoom);
    let enlarged = |picture: &RgbImage| {
        let factor = field.hr.width() / picture.width().max(1);
        RgbImage::from_fn(wide, high, |x, y| {
            *picture.get_pixel((left + x / zoom) / factor.max(1), (top + y / zoom) / factor.max(1))
        })
    };
    let labels =
        |labels: &Labels| Labels::from_fn(wide, high, |x, y| *labels.get_pixel(left + x / zoom, top + y / zoom));
    let sr = enlarged(&answer.sr);
    let marked = outlines(&sr, &labels(truth), &labels(&answer.labels));
    let mut panel = RgbImage::new(wide * 4, high);
    for (at, part) in (0_i64..).zip([enlarged(&field.lr), sr, enlarged(&field.hr), marked]) {
        imageops::replace(&mut panel, &part, at * i64::from(wide), 0);
    }
    panel
}

fn outlines(picture: &RgbImage, truth: &Labels, predicted: &Labels) -> RgbImage {
    let mut marked = picture.clone();
    for (x, y, pixel) in marked.enumerate_pixels_mut() {
        match (is_outline(truth, x, y), is_outline(predicted, x, y)) {
            (true, true) => *pixel = COMMON_OUTLINE,
            (true, false) => *pixel = TRUE_OUTLINE,
            (false, true) => *pixel = PREDICTED_OUTLINE,
            (false, false) => {}
        }
    }
    marked
}

/// Whether a pixel of an instance has a neighbour outside it; the picture's border is not an outline.
fn is_outline(labels: &Labels, x: u32, y: u32) -> bool {
    let label = |x: u32, y: u32| labels.get_pixel_checked(x, y).map(|label| label.0[0]);
    let beside = [(x.wrapping_sub(1), y), (x + 1, y), (x, y.wrapping_sub(1)), (x, y + 1)];
    match label(x, y) {
        None | Some(0) => false,
        here => beside.into_iter().filter_map(|(x, y)| label(x, y)).any(|there| Some(there) != here),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use image::{GrayImage, Luma};

    fn case() -> (EvalField, Answer) {
        let square = |left: u32, number: u16| {
            Labels::from_fn(256, 256, move |x, y| {
                Luma([if (left..left + 10).contains(&x) && (100..110).contains(&y) { number } else { 0 }])
            })
        };
        let field = EvalField {
            name: "a".into(),
            lr: RgbImage::from_fn(64, 64, |x, y| Rgb([x as u8, y as u8, 0])),
            hr: RgbImage::from_pixel(256, 256, Rgb([1, 2, 3])),
            mask: GrayImage::new(256, 256),
            truth: square(100, 9),
            annotated_cells: 1,
        };
        (field, Answer { sr: RgbImage::from_pixel(256, 256, Rgb([7, 8, 9])), labels: square(105, 1) })
    }

    #[test]
    fn field_panel_has_four_pictures_and_both_outlines() {
        let (field, answer) = case();
        let panel = of_field(&field, &answer);
        assert_eq!(panel.dimensions(), (2048, 512));
        assert_eq!(panel.get_pixel(200, 80).0, [25, 10, 0]);
        assert_eq!(panel.get_pixel(512 + 200, 80).0, [7, 8, 9]);
        assert_eq!(panel.get_pixel(1024 + 200, 80).0, [1, 2, 3]);
        assert_eq!(*panel.get_pixel(1536 + 200, 205), TRUE_OUTLINE);
        assert_eq!(*panel.get_pixel(1536 + 229, 205), PREDICTED_OUTLINE);
        assert_eq!(*panel.get_pixel(1536 + 215, 200), COMMON_OUTLINE);
        assert_eq!(panel.get_pixel(1536 + 205, 210).0, [7, 8, 9]);
    }

    #[test]
    fn cell_panel_includes_margin() {
        let (field, answer) = case();
        assert_eq!(of_cell(&field, &answer, 9).unwrap().dimensions(), (22 * 8 * 4, 22 * 8));
        assert!(of_cell(&field, &answer, 1).is_none());
    }
}
